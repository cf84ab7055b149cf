#include "probe/layers.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/number.h"

void rp_layers_release(rp_layers *layers)
{
    free(layers->range);
    *layers = (rp_layers){0};
}

bool rp_layers_has(const rp_layers *layers, size_t layer)
{
    for (size_t i = 0; i < layers->n; i++)
        if (layer >= layers->range[i].first && layer <= layers->range[i].last) return true;
    return !layers->n;
}

static bool parse_range(rp_layer_range *range, char *text)
{
    char *dash = strchr(text, '-');
    if (dash) *dash = 0;
    if (!rp_number_size(text, &range->first)) return false;
    range->last = range->first;
    return !dash || (rp_number_size(dash + 1, &range->last) && range->last >= range->first);
}

rp_status rp_layers_parse(rp_layers *layers, const char *text, rp_error *err)
{
    *layers = (rp_layers){0};
    if (!text) return RP_OK;
    rp_status status = RP_OK;
    char part[48];
    size_t cap = 0;
    for (const char *at = text;; at++) {
        size_t len = strcspn(at, ",");
        status = rp_grow(&layers->range, &cap, layers->n + 1, sizeof *layers->range, err);
        if (status) break;
        memcpy(part, at, len < sizeof part ? len : 0);
        part[len < sizeof part ? len : 0] = 0;
        if (!parse_range(&layers->range[layers->n++], part)) {
            status = rp_fail(err, RP_EARG, "layers '%.80s': '%.*s' is neither a layer nor a range",
                             text, (int)(len < 40 ? len : 40), at);
            break;
        }
        at += len;
        if (!*at) break;
    }
    if (status) rp_layers_release(layers);
    return status;
}
