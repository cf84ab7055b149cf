/* A custom template of any bytes, compiled and used on a pair. */
#include <stdlib.h>
#include <string.h>

#include "run/template.h"
#include "support/fuzz.h"

int rp_fuzz_one(const uint8_t *data, size_t n)
{
    static rp_tokenizer *tokenizer;
    const rp_pair pair = {.qid = "q", .docid = "d", .query = "voltage", .title = "", .text = "x y"};
    char *text = malloc(n + 1);
    rp_template_options o = {"custom", text, 4, 4};
    rp_template *t = NULL;
    rp_tokens k = {0};
    rp_error err;

    if (!tokenizer) rp_tokenizer_open(&tokenizer, "tests/golden/run/model", &err);
    if (text && tokenizer) {
        memcpy(text, data, n);
        text[n] = '\0';
        if (rp_template_new(&t, &o, tokenizer, &err) == RP_OK)
            rp_template_encode(t, &k, &pair, &err);
    }
    rp_tokens_release(&k);
    rp_template_free(t);
    free(text);
    return 0;
}
