/*
 * config.json of a checkpoint, as transformers 4 and 5 write it: what the numbers depend on, in one
 * struct for all families. The one thing to know: what would change the numbers and is not
 * supported is refused by the name of its key, never ignored.
 */
#ifndef RP_MODEL_CONFIG_H
#define RP_MODEL_CONFIG_H

#include "tensor/backend.h"

/* How the tensors of a checkpoint are named and laid out; what the blocks compute is told by the
 * members of rp_config. */
typedef enum rp_naming {
    RP_NAMING_LLAMA, /* Llama, Mistral, Qwen2, Qwen3 */
    RP_NAMING_NEOX,  /* GPT-NeoX: Pythia */
    RP_NAMING_BERT,  /* BERT, ELECTRA, RoBERTa, XLM-RoBERTa */
    RP_NAMING_T5     /* the encoder of T5, mT5 */
} rp_naming;

typedef enum rp_norm { RP_NORM_RMS, RP_NORM_LAYER } rp_norm;

typedef enum rp_rope_kind {
    RP_ROPE_NONE,
    RP_ROPE_DEFAULT,
    RP_ROPE_LINEAR,
    RP_ROPE_LLAMA3
} rp_rope_kind;

/* A score head reads one token; its first layer, where it has one, is square. */
typedef enum rp_head_kind {
    RP_HEAD_LAST,       /* score . final norm(last token) */
    RP_HEAD_POOLER,     /* BERT: classifier . tanh(pooler.dense . first token) */
    RP_HEAD_DENSE_GELU, /* ELECTRA: out_proj . gelu(dense . first token) */
    RP_HEAD_DENSE_TANH  /* RoBERTa: out_proj . tanh(dense . first token) */
} rp_head_kind;

typedef struct rp_config {
    const char *family; /* model_type: "llama", "mistral", ... */
    rp_naming naming;
    rp_norm norm;
    rp_head_kind head;
    size_t width, ffn, layers, heads, kv_heads, head_dim, vocabulary;
    size_t max_positions;  /* tokens of a sequence at most */
    const char *limit_key; /* the key that says so */
    float norm_eps;
    rp_activation activation;
    bool gated;     /* mlp: down(act(gate) * up), else down(act(up)) */
    bool post_norm; /* the norms follow the sums, else they precede the sublayers */
    bool parallel;  /* attention and mlp read the same residual stream */
    bool causal;    /* tokens attend to their predecessors only */
    bool qk_norm;   /* queries and keys are normed head by head */
    float scale;    /* of q k' */
    bool qkv_bias, o_bias, mlp_bias;
    struct {
        rp_rope_kind kind;
        size_t width; /* elements of a head that turn, even */
        double theta;
        double factor;                     /* linear, llama3 */
        double low, high, first_positions; /* llama3: low_freq_factor, high_freq_factor,
                                              original_max_position_embeddings */
    } rope;
    /* BERT's embeddings */
    size_t embedding_width; /* ELECTRA's may be narrower than the blocks; elsewhere = width */
    size_t positions;       /* rows of the table of positions, 0: none */
    size_t segments;        /* rows of the table of segments, 0: none; of one row all tokens have
                             * it, as in RoBERTa, whatever the tokenizer says */
    size_t pad;             /* RoBERTa: positions count from pad + 1, and pad tokens stand at pad */
    bool skips_pad;
    /* T5's relative positions */
    size_t buckets, distance; /* 0: none */
} rp_config;

/* RP_EFORMAT: "'<path>': key '<key>' ..." */
rp_status rp_config_parse(rp_config *config, const char *text, size_t n, const char *path,
                          rp_error *err);
/* dir/config.json */
rp_status rp_config_load(rp_config *config, const char *dir, rp_error *err);
/* "LayerNorm, gelu, parallel residual, rope default theta 10000 on 16 of 64" ... for people. */
void rp_config_describe(const rp_config *config, char *text, size_t n);

#endif
