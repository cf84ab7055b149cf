/* A reference dump of any bytes, reference.json up to the first NUL and reference.safetensors
 * behind it: read, checked against a model and, where it fits, compared with it. */
#include <stdlib.h>
#include <string.h>

#include "run/agreement.h"
#include "support/fuzz.h"

int rp_fuzz_one(const uint8_t *data, size_t n)
{
    static rp_model *model; /* one for all runs */
    const rp_model_source source = {.path = "tests/golden/model/plain"};
    const uint8_t *end = memchr(data, 0, n);
    size_t json = end ? (size_t)(end - data) : n;
    rp_reference r;
    rp_agreement a;
    rp_error err;
    char text[1024];

    if (!model && rp_model_open(&model, &source, &err) != RP_OK) abort();
    rp_fuzz_dir_file("reference.json", data, json);
    const char *dir = end ? rp_fuzz_dir_file("reference.safetensors", end + 1, n - json - 1)
                          : rp_fuzz_dir_file("reference.safetensors", data, 0);
    if (rp_reference_open(&r, dir, &err) != RP_OK) return 0;
    if (rp_reference_check(&r, model, &err) == RP_OK &&
        rp_agreement_run(&a, model, &r, (size_t)1 << 24, 1, NULL, &err) == RP_OK) {
        rp_agreement_holds(&a, text, sizeof text);
        rp_agreement_release(&a);
    }
    rp_reference_release(&r);
    return 0;
}
