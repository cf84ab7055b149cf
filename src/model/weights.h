/*
 * The parameters of a model: which tensors of the checkpoint they are, and what an adapter adds to
 * them. Shapes are checked here, so that nobody after this has to.
 */
#ifndef RP_MODEL_WEIGHTS_H
#define RP_MODEL_WEIGHTS_H

#include "model/adapter.h"
#include "model/checkpoint.h"
#include "model/config.h"

/* The parameters of a block, in execution order. No family has all of them. */
typedef enum rp_weight {
    RP_W_NORM_ATTN,
    RP_W_Q,
    RP_W_K,
    RP_W_V,
    RP_W_Q_NORM,
    RP_W_K_NORM,
    RP_W_O,
    RP_W_NORM_MLP,
    RP_W_GATE,
    RP_W_UP,
    RP_W_DOWN,
    RP_WEIGHTS
} rp_weight;

/* Where a parameter stands in a checkpoint, and its shape. */
typedef struct rp_place {
    const char *name; /* of the module; NULL: the model has no such parameter */
    size_t N, K;      /* outputs and inputs; K 0: a vector [N] */
    bool bias;        /* a vector [N] beside it */
    /* Row i of the parameter is row first + i / group * stride + i % group of a tensor of `rows`
     * rows: GPT-NeoX keeps q, k and v of each head together in one tensor. */
    size_t rows, first, group, stride;
} rp_place;
/* In the block, after "layers.N." or what the family says for it. */
void rp_place_in_block(rp_place *place, const rp_config *config, rp_weight w);

/* A parameter as checkpoint and adapter hold it. */
typedef struct rp_part {
    rp_place place;
    const rp_tensor *weight, *bias; /* NULL: none */
    rp_lora lora;                   /* lora.a NULL: none */
} rp_part;

typedef struct rp_weights {
    rp_checkpoint files;
    const rp_tensor *embedding;          /* [V, E] */
    const rp_tensor *position, *segment; /* [positions, E], [segments, E]; NULL: none */
    const rp_tensor *relative;           /* [buckets, H]; NULL: none */
    rp_part embed_norm, projection;      /* of the embeddings */
    rp_part final_norm;
    rp_part dense, score; /* the head; without one score.weight is NULL */
    rp_part *layer;       /* [layers, RP_WEIGHTS] */
} rp_weights;

/* The tensor that a score head of this family is looked for as. */
const char *rp_score_tensor(const rp_config *config);

/* adapter may be NULL. RP_EFORMAT names the tensor that is missing, unknown, or has another shape
 * or dtype than the config says. */
rp_status rp_weights_open(rp_weights *weights, const rp_config *config, const char *dir,
                          rp_adapter *adapter, rp_error *err);
void rp_weights_release(rp_weights *weights);
uint64_t rp_weights_parameters(const rp_weights *weights); /* of the checkpoint's tensors */
/* out [n] <- elements at .. at + n - 1 as f32 */
void rp_tensor_read(float *out, const rp_tensor *tensor, size_t at, size_t n);
/* Tells the system that a tensor will be read soon. */
void rp_tensor_expect(const rp_tensor *tensor);
/* Tells the system that the pages of a tensor may be given back until they are read again. */
void rp_tensor_drop(const rp_tensor *tensor);

#endif
