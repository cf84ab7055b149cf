/*
 * Pooling activations over tokens, while the model computes them. A view is site.tokens.pool; one
 * pass may take several.
 */
#ifndef RP_RUN_POOL_H
#define RP_RUN_POOL_H

#include "run/sequences.h"

typedef struct rp_view {
    char name[64]; /* "resid_post.all.mean" */
    rp_site site;
    unsigned set; /* one bit of the token sets */
    bool max;     /* else the mean */
    size_t width, layer_first, layer_last;
} rp_view;

/* "site", "site.tokens" or "site.tokens.pool"; what is absent is all and mean. RP_EARG names what
 * is unknown and what there is. */
rp_status rp_view_parse(rp_view *view, const char *name, const rp_model *model, rp_error *err);

/* Where pooled rows go: x[v] [layers of view v, rows, width]. first is the row of the sequence that
 * the model calls 0. */
typedef struct rp_pool {
    const rp_view *view; /* [nviews] */
    size_t nviews, rows, first;
    const rp_sequences *sequences; /* of all rows */
    float *const *x;
} rp_pool;

/* Points into pool, which must outlive it. */
rp_observer rp_pool_observer(rp_pool *pool);

#endif
