/* Decoders: Llama and the families that differ from it by config, and GPT-NeoX. */
#include <math.h>
#include <string.h>

#include "model/config_reader.h"

/* ---- rotary embedding ---- */

static rp_status read_llama3(rp_config *c, const rp_keys *top, const rp_keys *in)
{
    const char *key = "original_max_position_embeddings";
    rp_status s = rp_keys_positive(in, &c->rope.low, "low_freq_factor", 0);
    if (!s) s = rp_keys_positive(in, &c->rope.high, "high_freq_factor", 0);
    if (s) return s;
    if (!(c->rope.high > c->rope.low))
        return rp_keys_fail(in, "high_freq_factor", "must be greater than low_freq_factor");
    return rp_keys_positive(rp_keys_value(in, key) || !rp_keys_value(top, key) ? in : top,
                            &c->rope.first_positions, key, 0);
}

/* The share of a head that turns: of the object or of the whole file, whoever names it. */
static rp_status read_partial(rp_config *c, const rp_keys *in, const char *key, double *share)
{
    if (!rp_keys_value(in, key)) return RP_OK;
    rp_status s = rp_keys_positive(in, share, key, 1);
    if (s) return s;
    if (c->naming != RP_NAMING_NEOX && *share != 1) return rp_keys_fail(in, key, "must be 1");
    return *share > 1 ? rp_keys_fail(in, key, "must be at most 1") : RP_OK;
}

static rp_status read_kind(rp_config *c, const rp_keys *top, const rp_keys *in)
{
    const char *key = rp_keys_value(in, "rope_type") ? "rope_type" : "type";
    const char *name = rp_keys_string(in, key);
    rp_status s;
    if (!rp_keys_value(in, key)) return rp_keys_fail(in, "rope_type", "");
    if (name && strcmp(name, "default") == 0) return RP_OK;
    if (name && strcmp(name, "linear") == 0)
        c->rope.kind = RP_ROPE_LINEAR;
    else if (name && strcmp(name, "llama3") == 0)
        c->rope.kind = RP_ROPE_LLAMA3;
    else
        return rp_keys_fail(in, key, "must be \"default\", \"linear\" or \"llama3\"");
    if ((s = rp_keys_positive(in, &c->rope.factor, "factor", 0))) return s;
    return c->rope.kind == RP_ROPE_LLAMA3 ? read_llama3(c, top, in) : RP_OK;
}

/* transformers 4: rope_theta, rope_scaling {rope_type | type, ...}; 5: all in rope_parameters.
 * GPT-NeoX 4: rotary_emb_base, rotary_pct. */
static rp_status read_rope(rp_config *c, const rp_keys *top, double share)
{
    const char *key = rp_keys_value(top, "rope_parameters") ? "rope_parameters" : "rope_scaling";
    const char *theta = c->naming == RP_NAMING_NEOX ? "rotary_emb_base" : "rope_theta";
    rp_keys in = {rp_keys_value(top, key), top->path, top->err};
    c->rope.kind = RP_ROPE_DEFAULT;
    rp_status s = rp_keys_positive(top, &c->rope.theta, theta, 10000.);
    if (!s) s = read_partial(c, top, "partial_rotary_factor", &share);
    if (!s) s = read_partial(c, top, "rotary_pct", &share);
    if (!s && in.object) {
        if (!json_is_object(in.object)) return rp_keys_fail(top, key, "must be an object");
        s = rp_keys_positive(&in, &c->rope.theta, "rope_theta", c->rope.theta);
        if (!s) s = read_partial(c, &in, "partial_rotary_factor", &share);
        if (!s) s = read_kind(c, top, &in);
    }
    if (s) return s;
    c->rope.width = (size_t)((double)c->head_dim * share);
    if (c->rope.width < 2 || c->rope.width % 2 != 0)
        return rp_fail(top->err, RP_EFORMAT, "'%s': heads of an odd width, %zu, cannot be rotated",
                       top->path, c->rope.width);
    return RP_OK;
}

/* ---- what decoders share ---- */

static rp_status read_shape(rp_config *c, const rp_keys *in, size_t positions)
{
    rp_status s;
    c->causal = true;
    c->limit_key = "max_position_embeddings";
    if ((s = rp_keys_size(in, &c->width, "hidden_size", 0, RP_WIDTH_LIMIT))) return s;
    if ((s = rp_keys_size(in, &c->ffn, "intermediate_size", 0, RP_FFN_LIMIT))) return s;
    if ((s = rp_keys_size(in, &c->layers, "num_hidden_layers", 0, RP_LAYERS_LIMIT))) return s;
    if ((s = rp_keys_size(in, &c->heads, "num_attention_heads", 0, RP_HEADS_LIMIT))) return s;
    if ((s = rp_keys_size(in, &c->vocabulary, "vocab_size", 0, RP_VOCABULARY_LIMIT))) return s;
    c->embedding_width = c->width;
    return rp_keys_size(in, &c->max_positions, c->limit_key, positions, RP_POSITIONS_LIMIT);
}

/* head_dim: fallback where the key is absent. */
static rp_status check_heads(rp_config *c, const rp_keys *in, size_t fallback)
{
    rp_status s;
    if (!rp_keys_value(in, "head_dim") && !fallback && c->width % c->heads != 0)
        return rp_keys_fail(in, "num_attention_heads",
                            "must divide hidden_size where head_dim is absent");
    s = rp_keys_size(in, &c->head_dim, "head_dim", fallback ? fallback : c->width / c->heads,
                     RP_HEAD_DIM_LIMIT);
    if (s) return s;
    if (c->head_dim > RP_HEAD_DIM_LIMIT)
        return rp_fail(in->err, RP_EFORMAT, "'%s': heads of a width of %zu, more than %zu",
                       in->path, c->head_dim, RP_HEAD_DIM_LIMIT);
    c->scale = (float)(1 / sqrt((double)c->head_dim));
    return RP_OK;
}

static rp_status read_llama_like(rp_config *c, const rp_keys *in, size_t positions, size_t head_dim)
{
    rp_status s;
    double eps;
    c->naming = RP_NAMING_LLAMA;
    c->norm = RP_NORM_RMS;
    c->gated = true;
    if ((s = read_shape(c, in, positions))) return s;
    if ((s = rp_keys_size(in, &c->kv_heads, "num_key_value_heads", c->heads, RP_HEADS_LIMIT)))
        return s;
    if (c->heads % c->kv_heads != 0)
        return rp_keys_fail(in, "num_key_value_heads", "must divide num_attention_heads");
    if ((s = check_heads(c, in, head_dim))) return s;
    if ((s = rp_keys_positive(in, &eps, "rms_norm_eps", 1e-6))) return s;
    c->norm_eps = (float)eps;
    if ((s = rp_keys_activation(in, &c->activation, "hidden_act", "silu"))) return s;
    return read_rope(c, in, 1);
}

/* Attention reaches back `window` tokens: no limit for sequences that are no longer. */
static void limit_window(rp_config *c, size_t window)
{
    if (window == 0 || window >= c->max_positions) return;
    c->max_positions = window;
    c->limit_key = "sliding_window";
}

/* ---- families ---- */

rp_status rp_config_read_llama(rp_config *c, const rp_keys *in)
{
    bool attention;
    rp_status s = read_llama_like(c, in, 2048, 0);
    if (!s) s = rp_keys_bool(in, &attention, "attention_bias", false);
    if (!s) s = rp_keys_bool(in, &c->mlp_bias, "mlp_bias", false);
    if (!s) c->qkv_bias = c->o_bias = attention;
    return s;
}

rp_status rp_config_read_mistral(rp_config *c, const rp_keys *in)
{
    size_t window = 0;
    /* null is no window; an absent key is the class's default */
    bool absent = !json_object_get(in->object, "sliding_window");
    rp_status s = read_llama_like(c, in, 131072, 0);
    if (!s && (absent || rp_keys_value(in, "sliding_window")))
        s = rp_keys_size(in, &window, "sliding_window", 4096, RP_POSITIONS_LIMIT);
    if (!s) limit_window(c, window);
    return s;
}

/* Whether some layer of a Qwen uses the window: layer_types, or those from max_window_layers on. */
static rp_status uses_window(const rp_config *c, const rp_keys *in, bool *uses)
{
    const json_t *types = rp_keys_value(in, "layer_types");
    size_t full = 0;
    rp_status s = rp_keys_bool(in, uses, "use_sliding_window", false);
    if (s || !*uses) return s;
    if (!types) {
        const json_t *most = rp_keys_value(in, "max_window_layers");
        if (most && json_is_integer(most) && json_integer_value(most) == 0) return RP_OK;
        s = rp_keys_size(in, &full, "max_window_layers", 28, RP_LAYERS_LIMIT);
        *uses = full < c->layers;
        return s;
    }
    *uses = false;
    for (size_t i = 0; i < json_array_size(types); i++) {
        const char *type = json_string_value(json_array_get(types, i));
        *uses = *uses || (type && strcmp(type, "sliding_attention") == 0);
    }
    return RP_OK;
}

rp_status rp_config_read_qwen(rp_config *c, const rp_keys *in)
{
    bool third = strcmp(c->family, "qwen3") == 0, window = false;
    size_t reach = 0;
    rp_status s = read_llama_like(c, in, 32768, third ? 128 : 0);
    if (!s && third) s = rp_keys_bool(in, &c->qkv_bias, "attention_bias", false);
    if (!s) s = uses_window(c, in, &window);
    if (!s && window) s = rp_keys_size(in, &reach, "sliding_window", 4096, RP_POSITIONS_LIMIT);
    if (s) return s;
    limit_window(c, reach);
    c->qk_norm = third;
    c->o_bias = third && c->qkv_bias;
    if (!third) c->qkv_bias = true;
    return RP_OK;
}

rp_status rp_config_read_neox(rp_config *c, const rp_keys *in)
{
    double eps;
    bool bias;
    rp_status s;
    c->naming = RP_NAMING_NEOX;
    c->norm = RP_NORM_LAYER;
    if ((s = read_shape(c, in, 2048))) return s;
    c->kv_heads = c->heads;
    if ((s = check_heads(c, in, 0))) return s;
    if ((s = rp_keys_positive(in, &eps, "layer_norm_eps", 1e-5))) return s;
    c->norm_eps = (float)eps;
    if ((s = rp_keys_activation(in, &c->activation, "hidden_act", "gelu"))) return s;
    if ((s = rp_keys_bool(in, &c->parallel, "use_parallel_residual", true))) return s;
    if ((s = rp_keys_bool(in, &bias, "attention_bias", true))) return s;
    c->qkv_bias = c->o_bias = bias;
    c->mlp_bias = true;
    return read_rope(c, in, .25);
}
