/* What the model tests share: packed sequences and an observer that keeps everything it sees. */
#ifndef RP_TESTS_MODEL_FIXTURE_H
#define RP_TESTS_MODEL_FIXTURE_H

#include "model/model.h"
#include "support/support.h"

#define RP_KEEP_LAYERS 16

/* Copies of every value, [tokens, width] for each site and layer, and how often each token came. */
typedef struct rp_keep {
    const rp_batch *batch;
    float *values[RP_SITES][RP_KEEP_LAYERS + 1];
    unsigned char *times[RP_SITES][RP_KEEP_LAYERS + 1]; /* [tokens] */
} rp_keep;

static inline void rp_keep_see(void *arg, rp_site site, size_t layer, const rp_values *v)
{
    rp_keep *keep = arg;
    size_t from = keep->batch->start[v->sequence], n = v->nhead + v->ntail;
    assert_int_equal(from + n, keep->batch->start[v->sequence + 1]);
    for (size_t t = 0; t < n; t++) {
        memcpy(keep->values[site][layer] + (from + t) * v->width, rp_values_row(v, t),
               v->width * sizeof(float));
        keep->times[site][layer][from + t]++;
    }
}

static inline void rp_keep_init(rp_keep *keep, const rp_model *model, const rp_batch *batch)
{
    size_t tokens = batch->start[batch->nseq], layers = rp_model_about(model)->layers;
    assert_true(layers <= RP_KEEP_LAYERS);
    *keep = (rp_keep){.batch = batch};
    for (rp_site s = 0; s < RP_SITES; s++) {
        for (size_t l = rp_model_site_first(s); l <= layers; l++) {
            keep->values[s][l] = calloc(tokens * rp_model_site_width(model, s), sizeof(float));
            keep->times[s][l] = calloc(tokens, 1);
            assert_non_null(keep->values[s][l]);
            assert_non_null(keep->times[s][l]);
        }
    }
}

static inline void rp_keep_release(rp_keep *keep)
{
    for (rp_site s = 0; s < RP_SITES; s++) {
        for (size_t l = 0; l <= RP_KEEP_LAYERS; l++) {
            free(keep->values[s][l]);
            free(keep->times[s][l]);
        }
    }
}

static inline rp_observer rp_keep_observer(rp_keep *keep, unsigned sites)
{
    return (rp_observer){.sites = sites, .arg = keep, .see = rp_keep_see};
}

#endif
