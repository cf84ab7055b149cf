#include "model/weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/memory.h"

#define NAME_SIZE 160

static const char *const names[RP_WEIGHTS] = {
    [RP_W_NORM_ATTN] = "input_layernorm", [RP_W_Q] = "self_attn.q_proj",
    [RP_W_K] = "self_attn.k_proj",        [RP_W_V] = "self_attn.v_proj",
    [RP_W_O] = "self_attn.o_proj",        [RP_W_NORM_MLP] = "post_attention_layernorm",
    [RP_W_GATE] = "mlp.gate_proj",        [RP_W_UP] = "mlp.up_proj",
    [RP_W_DOWN] = "mlp.down_proj",
};

const char *rp_weight_name(rp_weight w)
{
    return names[w];
}

void rp_weight_shape(const rp_config *c, rp_weight w, size_t *N, size_t *K)
{
    size_t queries = c->heads * c->head_dim, keys = c->kv_heads * c->head_dim;
    const size_t shape[RP_WEIGHTS][2] = {
        [RP_W_NORM_ATTN] = {c->width, 0}, [RP_W_Q] = {queries, c->width},
        [RP_W_K] = {keys, c->width},      [RP_W_V] = {keys, c->width},
        [RP_W_O] = {c->width, queries},   [RP_W_NORM_MLP] = {c->width, 0},
        [RP_W_GATE] = {c->ffn, c->width}, [RP_W_UP] = {c->ffn, c->width},
        [RP_W_DOWN] = {c->width, c->ffn},
    };
    *N = shape[w][0];
    *K = shape[w][1];
}

bool rp_weight_has_bias(const rp_config *c, rp_weight w)
{
    return (c->attention_bias && w >= RP_W_Q && w <= RP_W_O) ||
           (c->mlp_bias && w >= RP_W_GATE && w <= RP_W_DOWN);
}

/* ---- assigning tensors ---- */

typedef struct finder {
    const rp_weights *weights;
    const char *dir, *prefix;
    rp_map *known; /* names that belong to the model */
    rp_error *err;
} finder;

static void print_shape(char out[96], const size_t *shape, size_t rank)
{
    size_t at = (size_t)snprintf(out, 96, "[");
    for (size_t i = 0; i < rank; i++)
        at += (size_t)snprintf(out + at, 96 - at, i ? ", %zu" : "%zu", shape[i]);
    snprintf(out + at, 96 - at, "]");
}

/* *out <- the tensor prefix + name, of shape [N, K], or [N] where K is 0. */
static rp_status take(finder *f, const rp_tensor **out, const char *name, size_t N, size_t K)
{
    char full[NAME_SIZE], found[96], expected[96];
    const char *path = f->dir;
    size_t want[2] = {N, K}, rank = K ? 2 : 1, *slot;
    snprintf(full, sizeof full, "%s%s", f->prefix, name);
    const rp_tensor *t = rp_checkpoint_find(&f->weights->files, full, &path);
    if (!t) return rp_fail(f->err, RP_EFORMAT, "'%s': tensor '%s' is missing", f->dir, full);
    if (t->rank != rank || memcmp(t->shape, want, rank * sizeof *want) != 0) {
        print_shape(found, t->shape, t->rank);
        print_shape(expected, want, rank);
        return rp_fail(f->err, RP_EFORMAT, "'%s': tensor '%s' has shape %s, expected %s", path,
                       full, found, expected);
    }
    if (t->dtype != RP_F32 && t->dtype != RP_F16 && t->dtype != RP_BF16)
        return rp_fail(f->err, RP_EFORMAT,
                       "'%s': tensor '%s' has dtype %s, expected F32, F16 or BF16", path, full,
                       rp_dtype_name(t->dtype));
    *out = t;
    return rp_map_put(f->known, full, strlen(full), &slot, NULL, NULL, f->err);
}

static rp_status take_layer(finder *f, rp_layer_tensors *layer, const rp_config *c, size_t l)
{
    char name[NAME_SIZE];
    rp_status s = RP_OK;
    for (rp_weight w = 0; !s && w < RP_WEIGHTS; w++) {
        size_t N, K;
        rp_weight_shape(c, w, &N, &K);
        snprintf(name, sizeof name, "layers.%zu.%s.weight", l, names[w]);
        s = take(f, &layer->weight[w], name, N, K);
        if (s || !rp_weight_has_bias(c, w)) continue;
        snprintf(name, sizeof name, "layers.%zu.%s.bias", l, names[w]);
        s = take(f, &layer->bias[w], name, N, 0);
    }
    return s;
}

static rp_status take_head(finder *f, rp_weights *w, const rp_config *c)
{
    rp_status s;
    f->prefix = "";
    if (!rp_checkpoint_find(&w->files, RP_SCORE_TENSOR, NULL)) return RP_OK;
    if ((s = take(f, &w->score, RP_SCORE_TENSOR, 1, c->width))) return s;
    return rp_checkpoint_find(&w->files, "score.bias", NULL)
               ? take(f, &w->score_bias, "score.bias", 1, 0)
               : RP_OK;
}

/* What a checkpoint may hold beside the model: other heads, and tables that are computed here. */
static bool ignorable(const char *name, const char *prefix)
{
    const char *table = strstr(name, ".rotary_emb.inv_freq");
    return (*prefix && strncmp(name, prefix, strlen(prefix)) != 0) ||
           strcmp(name, "lm_head.weight") == 0 ||
           (table && strcmp(table, ".rotary_emb.inv_freq") == 0);
}

/* A tensor inside the model that nobody took would change the numbers: a bias that the config does
 * not mention, scales of quantised weights, layers beyond the last. */
static rp_status check_unknown(const finder *f, rp_weights *w, const char *prefix)
{
    for (size_t i = 0; i < rp_checkpoint_count(&w->files); i++) {
        const char *path;
        const rp_tensor *t = rp_checkpoint_at(&w->files, i, &path);
        w->parameters += t->count;
        if (rp_map_get(f->known, t->name, strlen(t->name)) == RP_MAP_NONE &&
            !ignorable(t->name, prefix))
            return rp_fail(
                f->err, RP_EFORMAT,
                "'%s': tensor '%.120s' is not part of the model that config.json describes", path,
                t->name);
    }
    return RP_OK;
}

static rp_status assign(rp_weights *w, const rp_config *c, const char *dir, rp_error *err)
{
    const char *prefix = rp_checkpoint_find(&w->files, "embed_tokens.weight", NULL) ? "" : "model.";
    finder f = {w, dir, prefix, rp_map_new(), err};
    rp_status s = f.known ? RP_OK : rp_fail_memory(err, 1);
    if (!s) s = take(&f, &w->embedding, "embed_tokens.weight", c->vocabulary, c->width);
    if (!s && !(w->layer = rp_alloc(c->layers, sizeof *w->layer)))
        s = rp_fail_memory(err, c->layers * sizeof *w->layer);
    for (size_t l = 0; !s && l < c->layers; l++) s = take_layer(&f, &w->layer[l], c, l);
    if (!s) s = take(&f, &w->norm, "norm.weight", c->width, 0);
    if (!s) s = take_head(&f, w, c);
    if (!s) s = check_unknown(&f, w, prefix);
    rp_map_free(f.known);
    return s;
}

rp_status rp_weights_open(rp_weights *weights, const rp_config *config, const char *dir,
                          rp_error *err)
{
    *weights = (rp_weights){0};
    rp_status s = rp_checkpoint_open(&weights->files, dir, err);
    if (!s) s = assign(weights, config, dir, err);
    if (s) rp_weights_release(weights);
    return s;
}

void rp_weights_release(rp_weights *weights)
{
    rp_checkpoint_release(&weights->files);
    free(weights->layer);
    *weights = (rp_weights){0};
}
