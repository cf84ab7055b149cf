/*
 * Parameters in compute form: matrices as the back end's panels, with the adapter folded in
 * (W + scale B A), vectors as f32. The one thing to know: a block is loaded once and applied to
 * many micro-batches.
 */
#ifndef RP_MODEL_BLOCK_H
#define RP_MODEL_BLOCK_H

#include "model/weights.h"

typedef struct rp_dense {
    const float *weight; /* panels [N, K]; a vector [N] where K is 0; NULL: none */
    const float *bias;   /* [N]; NULL: none */
    size_t N, K;
} rp_dense;
typedef struct rp_block {
    rp_dense part[RP_WEIGHTS];
} rp_block;

/* Memory that folding an adapter into a matrix takes: of the largest of n parts, for so many
 * threads; floats. 0 without an adapter. */
size_t rp_fold_size(const rp_part *parts, size_t n, const rp_backend *backend, int threads);

/* Floats of a part in compute form, and the floats that were used of slab after filling it there;
 * fold [rp_fold_size]. */
size_t rp_dense_size(const rp_part *part, const rp_backend *backend);
size_t rp_dense_load(rp_dense *dense, float *slab, const rp_part *part, float *fold,
                     const rp_backend *backend, int threads);

/* The same for the RP_WEIGHTS parts of a layer. */
size_t rp_block_size(const rp_part *layer, const rp_backend *backend);
void rp_block_load(rp_block *block, float *slab, const rp_part *layer, float *fold,
                   const rp_backend *backend, int threads);

#endif
