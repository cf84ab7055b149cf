/* How each family names and shapes its parameters. */
#include "model/weights.h"

static const char *const names[][RP_WEIGHTS] = {
    [RP_NAMING_LLAMA] =
        {
            [RP_W_NORM_ATTN] = "input_layernorm",
            [RP_W_Q] = "self_attn.q_proj",
            [RP_W_K] = "self_attn.k_proj",
            [RP_W_V] = "self_attn.v_proj",
            [RP_W_Q_NORM] = "self_attn.q_norm",
            [RP_W_K_NORM] = "self_attn.k_norm",
            [RP_W_O] = "self_attn.o_proj",
            [RP_W_NORM_MLP] = "post_attention_layernorm",
            [RP_W_GATE] = "mlp.gate_proj",
            [RP_W_UP] = "mlp.up_proj",
            [RP_W_DOWN] = "mlp.down_proj",
        },
    [RP_NAMING_NEOX] =
        {
            [RP_W_NORM_ATTN] = "input_layernorm",
            [RP_W_Q] = "attention.query_key_value",
            [RP_W_K] = "attention.query_key_value",
            [RP_W_V] = "attention.query_key_value",
            [RP_W_O] = "attention.dense",
            [RP_W_NORM_MLP] = "post_attention_layernorm",
            [RP_W_UP] = "mlp.dense_h_to_4h",
            [RP_W_DOWN] = "mlp.dense_4h_to_h",
        },
    [RP_NAMING_BERT] =
        {
            [RP_W_NORM_ATTN] = "attention.output.LayerNorm",
            [RP_W_Q] = "attention.self.query",
            [RP_W_K] = "attention.self.key",
            [RP_W_V] = "attention.self.value",
            [RP_W_O] = "attention.output.dense",
            [RP_W_NORM_MLP] = "output.LayerNorm",
            [RP_W_UP] = "intermediate.dense",
            [RP_W_DOWN] = "output.dense",
        },
    [RP_NAMING_T5] =
        {
            [RP_W_NORM_ATTN] = "layer.0.layer_norm",
            [RP_W_Q] = "layer.0.SelfAttention.q",
            [RP_W_K] = "layer.0.SelfAttention.k",
            [RP_W_V] = "layer.0.SelfAttention.v",
            [RP_W_O] = "layer.0.SelfAttention.o",
            [RP_W_NORM_MLP] = "layer.1.layer_norm",
            [RP_W_GATE] = "layer.1.DenseReluDense.wi_0",
            [RP_W_UP] = "layer.1.DenseReluDense.wi_1",
            [RP_W_DOWN] = "layer.1.DenseReluDense.wo",
        },
};

static bool has_bias(const rp_config *c, rp_weight w)
{
    if (w == RP_W_NORM_ATTN || w == RP_W_NORM_MLP) return c->norm == RP_NORM_LAYER;
    if (w == RP_W_Q || w == RP_W_K || w == RP_W_V) return c->qkv_bias;
    if (w == RP_W_O) return c->o_bias;
    return w >= RP_W_GATE && c->mlp_bias;
}

void rp_place_in_block(rp_place *place, const rp_config *c, rp_weight w)
{
    size_t queries = c->heads * c->head_dim, keys = c->kv_heads * c->head_dim;
    const size_t shape[RP_WEIGHTS][2] = {
        [RP_W_NORM_ATTN] = {c->width, 0}, [RP_W_Q] = {queries, c->width},
        [RP_W_K] = {keys, c->width},      [RP_W_V] = {keys, c->width},
        [RP_W_Q_NORM] = {c->head_dim, 0}, [RP_W_K_NORM] = {c->head_dim, 0},
        [RP_W_O] = {c->width, queries},   [RP_W_NORM_MLP] = {c->width, 0},
        [RP_W_GATE] = {c->ffn, c->width}, [RP_W_UP] = {c->ffn, c->width},
        [RP_W_DOWN] = {c->width, c->ffn},
    };
    const char *name = names[c->naming][w];
    if (w == RP_W_GATE && !c->gated) name = NULL;
    if (w == RP_W_UP && !c->gated && c->naming == RP_NAMING_T5) name = "layer.1.DenseReluDense.wi";
    if ((w == RP_W_Q_NORM || w == RP_W_K_NORM) && !c->qk_norm) name = NULL;
    size_t N = shape[w][0];
    *place = (rp_place){name, N, shape[w][1], has_bias(c, w), N, 0, N, 0};
    if (c->naming == RP_NAMING_NEOX && w >= RP_W_Q && w <= RP_W_V) {
        place->rows = 3 * N;
        place->first = (size_t)(w - RP_W_Q) * c->head_dim;
        place->group = c->head_dim;
        place->stride = 3 * c->head_dim;
    }
}
