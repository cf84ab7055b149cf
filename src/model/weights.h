/*
 * The tensors of a checkpoint in their places of a Llama model. Shapes are checked here, so that
 * nobody after this has to.
 */
#ifndef RP_MODEL_WEIGHTS_H
#define RP_MODEL_WEIGHTS_H

#include "model/checkpoint.h"
#include "model/config.h"

/* One row a parameter of a block, in execution order. */
typedef enum rp_weight {
    RP_W_NORM_ATTN,
    RP_W_Q,
    RP_W_K,
    RP_W_V,
    RP_W_O,
    RP_W_NORM_MLP,
    RP_W_GATE,
    RP_W_UP,
    RP_W_DOWN,
    RP_WEIGHTS
} rp_weight;
const char *rp_weight_name(rp_weight w); /* "self_attn.q_proj" */
/* Rows and columns [N, K]; K is 0 for a norm, whose weight is a vector [N]. */
void rp_weight_shape(const rp_config *config, rp_weight w, size_t *N, size_t *K);
bool rp_weight_has_bias(const rp_config *config, rp_weight w);

typedef struct rp_layer_tensors {
    const rp_tensor *weight[RP_WEIGHTS], *bias[RP_WEIGHTS]; /* bias NULL where there is none */
} rp_layer_tensors;

typedef struct rp_weights {
    rp_checkpoint files;
    const rp_tensor *embedding, *norm, *score, *score_bias; /* score, score_bias may be NULL */
    rp_layer_tensors *layer;                                /* [layers] */
    uint64_t parameters;
} rp_weights;

#define RP_SCORE_TENSOR "score.weight"

/* RP_EFORMAT names the tensor that is missing, unknown, or has another shape or dtype than the
 * config says. */
rp_status rp_weights_open(rp_weights *weights, const rp_config *config, const char *dir,
                          rp_error *err);
void rp_weights_release(rp_weights *weights);
/* Of names, shapes, dtypes and bytes of all tensors, whatever the shards and the threads. */
rp_status rp_weights_fingerprint(uint64_t *sum, const rp_weights *weights, uint64_t seed,
                                 rp_error *err);
/* out [n] <- elements at .. at + n - 1 as f32 */
void rp_tensor_read(float *out, const rp_tensor *tensor, size_t at, size_t n);
/* Tells the system that the pages of a tensor may be given back until they are read again. */
void rp_tensor_drop(const rp_tensor *tensor);

#endif
