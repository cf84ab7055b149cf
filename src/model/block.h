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

/* Loading is cut into tasks, which any threads may run in any order, each with memory of its own to
 * fold an adapter in: `fold` has the floats that the largest of n parts takes; 0: none. */
size_t rp_fold_size(const rp_part *parts, size_t n, const rp_backend *backend);

/* Where a part is in compute form: *dense points into slab, and the floats that it takes there are
 * returned. Then rp_dense_fill runs tasks 0 .. rp_dense_tasks - 1. */
size_t rp_dense_place(rp_dense *dense, float *slab, const rp_part *part, const rp_backend *backend);
size_t rp_dense_tasks(const rp_part *part);
void rp_dense_fill(const rp_dense *dense, const rp_part *part, size_t task, float *fold,
                   const rp_backend *backend);

/* The same for the RP_WEIGHTS parts of a layer; block NULL: the size only. */
size_t rp_block_place(rp_block *block, float *slab, const rp_part *layer,
                      const rp_backend *backend);
size_t rp_block_tasks(const rp_part *layer);
void rp_block_fill(const rp_block *block, const rp_part *layer, size_t task, float *fold,
                   const rp_backend *backend);
/* Hints: the layer's pages on disk will be read soon; they may leave memory. */
void rp_block_expect(const rp_part *layer);
void rp_block_drop(const rp_part *layer);

#endif
