#include <stdlib.h>
#include <string.h>

#include "probe/layers.h"
#include "support/fuzz.h"

int rp_fuzz_one(const uint8_t *data, size_t n)
{
    rp_layers layers;
    rp_error err;
    char *text = malloc(n + 1);
    if (!text) return 0;
    memcpy(text, data, n);
    text[n] = 0;
    if (!rp_layers_parse(&layers, text, &err)) {
        (void)rp_layers_has(&layers, 3);
        rp_layers_release(&layers);
    }
    free(text);
    return 0;
}
