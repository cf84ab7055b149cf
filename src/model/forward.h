/*
 * The forward pass over packed sequences: embeddings, blocks, what follows the last block
 * (docs/MODEL.md has the mathematics). Everything works on one micro-batch, by one thread, with its
 * own scratch.
 */
#ifndef RP_MODEL_FORWARD_H
#define RP_MODEL_FORWARD_H

#include "model/block.h"
#include "model/packing.h"

/* What lies outside of the blocks, in compute form. */
typedef struct rp_frame {
    rp_dense embed_norm, projection, final_norm, dense, score;
} rp_frame;

/* Activations of one micro-batch of at most T tokens, for one thread. */
typedef struct rp_scratch {
    float *x;         /* [T, max(D, E)] normed input */
    float *q, *k, *v; /* [T, H C], [T, G C], [T, G C] */
    float *mixed;     /* [T, H C] heads after attention */
    float *out;       /* [T, D] of attention, then of the MLP */
    float *gate, *up; /* [T, F]; up only where the MLP is gated */
    float *work;      /* the back end's */
} rp_scratch;
/* Places the arrays in slab and returns the floats they take; slab NULL: the size only. */
size_t rp_scratch_place(rp_scratch *scratch, float *slab, const rp_config *config,
                        const rp_backend *backend, size_t T, size_t longest);

/* A run of pieces: of heads, or of sequences. */
typedef struct rp_micro {
    size_t first, end;
} rp_micro;

/* What is kept of heads while the sequences of a layer are computed. */
typedef struct rp_heads {
    float *k, *v;          /* [head_rows, G * C] */
    float *site[RP_SITES]; /* [head_rows, width of the site]; NULL: not wanted */
} rp_heads;

typedef struct rp_forward {
    const rp_config *config;
    const rp_weights *weights;
    const rp_frame *frame;
    const rp_backend *backend;
    const rp_batch *batch;
    const rp_packing *packing;
    const rp_observer *observer; /* may be NULL */
    rp_heads heads;
    float *hidden;              /* [packing->rows, D] residual stream */
    const float *cosine, *sine; /* [longest, rope.width / 2] */
    const float *bias;          /* [H, 2 reach - 1] of relative positions; NULL: none */
    size_t reach;
} rp_forward;

/* hidden <- the embeddings of the micro-batch. */
void rp_forward_embed(const rp_forward *f, const rp_scratch *scratch, const rp_micro *m);
/* hidden <- block(hidden) for the micro-batch; `layer` counts from 1. Heads go before what has
 * them. */
void rp_forward_block(const rp_forward *f, const rp_block *block, const rp_scratch *scratch,
                      const rp_micro *m, size_t layer);
/* y [T, D] <- the last hidden state of rows x [T, D] of the residual stream after the last block:
 * normed where the family has a final norm. y may be x. */
void rp_forward_final(const rp_forward *f, float *y, const float *x, size_t T);
/* The score of sequence i; x, y [D] and work are scratch. */
float rp_forward_score(const rp_forward *f, size_t i, const rp_scratch *scratch);

/* bias [H, 2 reach - 1] <- T5's relative positions from its table [buckets, H] (transformers,
 * modeling_t5.py, T5Attention._relative_position_bucket, bidirectional). */
void rp_relative_bias(float *bias, const float *table, const rp_config *config, size_t reach);

#endif
