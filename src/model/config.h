/*
 * config.json of a Llama-architecture checkpoint (LlamaForCausalLM, LlamaForSequenceClassification,
 * LlamaModel; as transformers 4 and 5 write it). The one thing to know: what would change the
 * numbers and is not supported is refused by the name of its key, never ignored.
 */
#ifndef RP_MODEL_CONFIG_H
#define RP_MODEL_CONFIG_H

#include "base/error.h"

typedef enum rp_rope_kind { RP_ROPE_DEFAULT, RP_ROPE_LINEAR, RP_ROPE_LLAMA3 } rp_rope_kind;

typedef struct rp_config {
    size_t width, ffn, layers, heads, kv_heads, head_dim, vocabulary, max_positions;
    float norm_eps;
    bool attention_bias, mlp_bias; /* biases on q, k, v, o; on gate, up, down */
    struct {
        rp_rope_kind kind;
        double theta;
        double factor;                     /* linear, llama3 */
        double low, high, first_positions; /* llama3: low_freq_factor, high_freq_factor,
                                              original_max_position_embeddings */
    } rope;
} rp_config;

/* RP_EFORMAT: "'<path>': key '<key>' ..." */
rp_status rp_config_parse(rp_config *config, const char *text, size_t n, const char *path,
                          rp_error *err);
/* dir/config.json */
rp_status rp_config_load(rp_config *config, const char *dir, rp_error *err);

#endif
