/* store.json of any bytes: opened as a store, it is an error or a store that can be read. */
#include <stdlib.h>

#include "rankprobe.h"
#include "support/fuzz.h"

int rp_fuzz_one(const uint8_t *data, size_t n)
{
    rp_error err;
    rp_store *s = NULL;
    float *x = NULL;

    if (rp_store_open(&s, rp_fuzz_dir_file("store.json", data, n), &err) != RP_OK) return 0;
    for (size_t v = 0; v < rp_store_views(s); v++) {
        const rp_store_view *view = rp_store_view_at(s, v);
        x = malloc(rp_store_rows(s) * view->width * sizeof *x);
        for (size_t l = view->layer_first; x && l <= view->layer_last; l++)
            if (rp_store_read(s, x, v, l, &err) != RP_OK) break;
        free(x);
    }
    rp_store_free(s);
    return 0;
}
