#include "retrieve/vocabulary.h"

#include <stdlib.h>

#include "base/memory.h"

rp_status rp_vocabulary_init(rp_vocabulary *v, rp_error *err)
{
    *v = (rp_vocabulary){.map = rp_map_new()};
    return v->map ? RP_OK : rp_fail_memory(err, sizeof(rp_vocable));
}

void rp_vocabulary_release(rp_vocabulary *v)
{
    rp_map_free(v->map);
    free(v->term);
    *v = (rp_vocabulary){0};
}

rp_status rp_vocabulary_add(rp_vocabulary *v, size_t *index, const char *text, size_t len,
                            rp_error *err)
{
    if (v->n >= UINT32_MAX) return rp_fail(err, RP_ENOMEM, "more than 2^32 - 1 different terms");
    rp_status status = rp_grow(&v->term, &v->cap, v->n + 1, sizeof *v->term, err);
    size_t *slot;
    bool fresh;
    const char *copy;
    if (!status) status = rp_map_put(v->map, text, len, &slot, &fresh, &copy, err);
    if (status) return status;
    if (fresh) {
        *slot = v->n;
        v->term[v->n++] = (rp_vocable){copy, len, 0, 0};
    }
    *index = *slot;
    return RP_OK;
}
