/* "0,4-8": which layers. */
#ifndef RP_PROBE_LAYERS_H
#define RP_PROBE_LAYERS_H

#include "base/error.h"

typedef struct rp_layer_range {
    size_t first, last;
} rp_layer_range;

typedef struct rp_layers {
    rp_layer_range *range;
    size_t n; /* 0: all layers */
} rp_layers;

/* Numbers and ranges, comma separated; NULL: all. RP_EARG names the part that is neither. */
rp_status rp_layers_parse(rp_layers *layers, const char *text, rp_error *err);
bool rp_layers_has(const rp_layers *layers, size_t layer);
void rp_layers_release(rp_layers *layers);

#endif
