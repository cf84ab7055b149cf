/*
 * One Llama block: its weights in compute form, and its forward pass over packed sequences
 * (docs/MODEL.md has the mathematics). The one thing to know: a block is loaded once and applied to
 * many micro-batches, each by one thread with its own scratch.
 */
#ifndef RP_MODEL_LLAMA_H
#define RP_MODEL_LLAMA_H

#include "model/model.h"
#include "model/weights.h"
#include "tensor/backend.h"

typedef struct rp_block {
    float *weight[RP_WEIGHTS]; /* panels; a norm's vector */
    float *bias[RP_WEIGHTS];   /* NULL: none */
} rp_block;
size_t rp_block_size(const rp_config *config, const rp_backend *backend); /* floats */
/* Places a block in slab [rp_block_size] and fills it from the checkpoint, on `threads` threads. */
void rp_block_load(rp_block *block, float *slab, const rp_layer_tensors *tensors,
                   const rp_config *config, const rp_backend *backend, int threads);

/* Activations of one micro-batch of at most T tokens, for one thread. */
typedef struct rp_scratch {
    float *x;         /* [T, D] normed input */
    float *q, *k, *v; /* [T, H C], [T, G C], [T, G C] */
    float *mixed;     /* [T, H C] heads after attention */
    float *out;       /* [T, D] of attention, then of the MLP */
    float *gate, *up; /* [T, F] */
    float *work;      /* the back end's */
} rp_scratch;
/* Places the arrays in slab and returns the floats they take; slab NULL: the size only. */
size_t rp_scratch_place(rp_scratch *scratch, float *slab, const rp_config *config,
                        const rp_backend *backend, size_t T, size_t longest);

/* A run of whole sequences of a batch. */
typedef struct rp_micro {
    size_t first, end; /* sequences */
} rp_micro;

typedef struct rp_forward {
    const rp_config *config;
    const rp_backend *backend;
    const rp_batch *batch;
    const rp_observer *observer; /* may be NULL */
    float *hidden;               /* [start[nseq], D] residual stream */
    const float *cosine, *sine;  /* [longest, C/2] */
} rp_forward;
/* Hands values of the micro-batch to the observer if it wants the site. */
void rp_forward_show(const rp_forward *f, rp_site site, size_t layer, const rp_micro *m,
                     const float *values, size_t width);
/* hidden <- block(hidden) for the sequences of the micro-batch; `layer` counts from 1. */
void rp_llama_forward(const rp_forward *f, const rp_block *block, const rp_scratch *scratch,
                      const rp_micro *m, size_t layer);

#endif
