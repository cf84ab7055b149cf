/* Encoders: BERT and the families that differ from it by config, and T5's encoder. */
#include <math.h>
#include <string.h>

#include "model/config_reader.h"

static rp_status check_heads(rp_config *c, const rp_keys *in)
{
    if (c->width % c->heads != 0)
        return rp_keys_fail(in, "num_attention_heads", "must divide hidden_size");
    c->kv_heads = c->heads;
    c->head_dim = c->width / c->heads;
    c->scale = (float)(1 / sqrt((double)c->head_dim));
    if (c->head_dim > RP_HEAD_DIM_LIMIT)
        return rp_fail(in->err, RP_EFORMAT, "'%s': heads of a width of %zu, more than %zu",
                       in->path, c->head_dim, RP_HEAD_DIM_LIMIT);
    return RP_OK;
}

/* A decoder made of BERT, and positions that are not one row of a table each. */
static rp_status check_unsupported(const rp_keys *in)
{
    static const char *const keys[] = {"is_decoder", "add_cross_attention"};
    const char *positions = rp_keys_string(in, "position_embedding_type");
    for (size_t i = 0; i < 2; i++) {
        bool on;
        rp_status s = rp_keys_bool(in, &on, keys[i], false);
        if (s) return s;
        if (on) return rp_keys_fail(in, keys[i], "must be false");
    }
    if (rp_keys_value(in, "position_embedding_type") &&
        !(positions && strcmp(positions, "absolute") == 0))
        return rp_keys_fail(in, "position_embedding_type", "must be \"absolute\"");
    return RP_OK;
}

/* RoBERTa's positions begin behind the padding's id, so the table is longer than any sequence. */
static rp_status read_positions(rp_config *c, const rp_keys *in)
{
    const char *key = "max_position_embeddings";
    rp_status s = rp_keys_size(in, &c->positions, key, 512, RP_POSITIONS_LIMIT);
    c->max_positions = c->positions;
    c->limit_key = key;
    if (s || !c->skips_pad) return s;
    const json_t *pad = rp_keys_value(in, "pad_token_id");
    json_int_t id = pad ? json_integer_value(pad) : 1;
    if ((pad && !json_is_integer(pad)) || id < 0 || (size_t)id + 1 >= c->positions)
        return rp_keys_fail(in, "pad_token_id", "must be below max_position_embeddings - 1");
    c->pad = (size_t)id;
    c->max_positions = c->positions - c->pad - 1;
    return RP_OK;
}

rp_status rp_config_read_bert(rp_config *c, const rp_keys *in)
{
    double eps;
    bool electra = strcmp(c->family, "electra") == 0;
    rp_status s = check_unsupported(in);
    c->naming = RP_NAMING_BERT;
    c->norm = RP_NORM_LAYER;
    c->post_norm = c->qkv_bias = c->o_bias = c->mlp_bias = true;
    c->skips_pad = strstr(c->family, "roberta") != NULL;
    c->head = electra ? RP_HEAD_DENSE_GELU : c->skips_pad ? RP_HEAD_DENSE_TANH : RP_HEAD_POOLER;
    if (s || (s = rp_keys_size(in, &c->width, "hidden_size", 0, RP_WIDTH_LIMIT))) return s;
    if ((s = rp_keys_size(in, &c->ffn, "intermediate_size", 0, RP_FFN_LIMIT))) return s;
    if ((s = rp_keys_size(in, &c->layers, "num_hidden_layers", 0, RP_LAYERS_LIMIT))) return s;
    if ((s = rp_keys_size(in, &c->heads, "num_attention_heads", 0, RP_HEADS_LIMIT))) return s;
    if ((s = rp_keys_size(in, &c->vocabulary, "vocab_size", 0, RP_VOCABULARY_LIMIT))) return s;
    if ((s = rp_keys_size(in, &c->segments, "type_vocab_size", 2, 1 << 16))) return s;
    c->embedding_width = c->width;
    if (electra) s = rp_keys_size(in, &c->embedding_width, "embedding_size", 128, RP_WIDTH_LIMIT);
    if (!s) s = read_positions(c, in);
    if (!s) s = check_heads(c, in);
    if (!s) s = rp_keys_positive(in, &eps, "layer_norm_eps", 1e-12);
    if (s) return s;
    c->norm_eps = (float)eps;
    return rp_keys_activation(in, &c->activation, "hidden_act", "gelu");
}

/* "relu", "gated-gelu": what transformers calls gelu here is gelu_new where it is gated. */
static rp_status read_feed_forward(rp_config *c, const rp_keys *in)
{
    const char *key = "feed_forward_proj";
    const char *text = rp_keys_value(in, key) ? rp_keys_string(in, key) : "relu";
    c->gated = text && strncmp(text, "gated-", 6) == 0;
    if (c->gated) text += 6;
    if (c->gated && strcmp(text, "gelu") == 0) text = "gelu_new";
    if (text && rp_activation_find(&c->activation, text)) return RP_OK;
    return rp_keys_fail(in, key, "must be an activation, or \"gated-\" and an activation");
}

rp_status rp_config_read_t5(rp_config *c, const rp_keys *in)
{
    double eps;
    rp_status s;
    c->naming = RP_NAMING_T5;
    c->norm = RP_NORM_RMS;
    c->scale = 1; /* the initialisation takes its place */
    c->max_positions = RP_POSITIONS_LIMIT;
    c->limit_key = "limit (of this program)"; /* its own positions are relative */
    if ((s = rp_keys_size(in, &c->width, "d_model", 0, RP_WIDTH_LIMIT))) return s;
    if ((s = rp_keys_size(in, &c->ffn, "d_ff", 0, RP_FFN_LIMIT))) return s;
    if ((s = rp_keys_size(in, &c->layers, "num_layers", 0, RP_LAYERS_LIMIT))) return s;
    if ((s = rp_keys_size(in, &c->heads, "num_heads", 0, RP_HEADS_LIMIT))) return s;
    if ((s = rp_keys_size(in, &c->head_dim, "d_kv", 64, RP_HEAD_DIM_LIMIT))) return s;
    if ((s = rp_keys_size(in, &c->vocabulary, "vocab_size", 0, RP_VOCABULARY_LIMIT))) return s;
    if ((s = rp_keys_size(in, &c->buckets, "relative_attention_num_buckets", 32, 1 << 16)))
        return s;
    if (c->buckets < 4 || c->buckets % 2 != 0)
        return rp_keys_fail(in, "relative_attention_num_buckets", "must be even and at least 4");
    s = rp_keys_size(in, &c->distance, "relative_attention_max_distance", 128, 1 << 24);
    if (!s && c->distance <= c->buckets / 4)
        s = rp_keys_fail(in, "relative_attention_max_distance", "must exceed a quarter of buckets");
    if (!s) s = rp_keys_positive(in, &eps, "layer_norm_epsilon", 1e-6);
    if (s) return s;
    c->norm_eps = (float)eps;
    c->kv_heads = c->heads;
    c->embedding_width = c->width;
    return read_feed_forward(c, in);
}
