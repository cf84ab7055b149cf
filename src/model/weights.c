#include "model/weights.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/memory.h"

#define INDEX_LIMIT ((size_t)64 << 20)
#define SHARDS_LIMIT 10000
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

/* ---- opening files ---- */

static rp_status open_shard(rp_weights *w, const char *path, rp_error *err)
{
    rp_status s = rp_safetensors_open(&w->shard[w->nshards], path, err);
    if (!s) w->nshards++;
    return s;
}

/* Opens the file of one entry of the index unless it is open; *shard is its number. */
static rp_status open_entry(rp_weights *w, rp_map *files, const json_t *value, const char *name,
                            const char *dir, const char *index, size_t *shard, rp_error *err)
{
    const char *file = json_string_value(value);
    char path[4096];
    size_t *slot;
    bool fresh;
    if (!file || !*file || strchr(file, '/') || strcmp(file, "..") == 0 || strcmp(file, ".") == 0)
        return rp_fail(err, RP_EFORMAT, "'%s': the file of tensor '%s' is not a plain file name",
                       index, name);
    rp_status s = rp_map_put(files, file, strlen(file), &slot, &fresh, NULL, err);
    if (s) return s;
    if (fresh) {
        *slot = w->nshards;
        if (w->nshards == SHARDS_LIMIT)
            return rp_fail(err, RP_EFORMAT, "'%s': more than %d files", index, SHARDS_LIMIT);
        if ((s = rp_path_join(path, sizeof path, dir, file, err))) return s;
        if ((s = open_shard(w, path, err))) return s;
    }
    *shard = *slot;
    return RP_OK;
}

/* Every tensor of the map lies in its file, and the files hold nothing else: names are unique. */
static rp_status open_map(rp_weights *w, const json_t *map, const char *dir, const char *index,
                          rp_error *err)
{
    rp_map *files = rp_map_new();
    rp_status s = files ? RP_OK : rp_fail_memory(err, 1);
    size_t n = json_object_size(map), total = 0, shard = 0;
    w->shard = calloc(n < SHARDS_LIMIT ? n + 1 : SHARDS_LIMIT, sizeof(rp_safetensors *));
    if (!s && !w->shard) s = rp_fail_memory(err, n * sizeof(rp_safetensors *));
    for (void *i = json_object_iter((json_t *)map); !s && i;
         i = json_object_iter_next((json_t *)map, i)) {
        const char *name = json_object_iter_key(i);
        s = open_entry(w, files, json_object_iter_value(i), name, dir, index, &shard, err);
        if (!s && !rp_safetensors_find(w->shard[shard], name))
            s = rp_fail(err, RP_EFORMAT, "'%s': tensor '%s' is not in '%s'", index, name,
                        rp_safetensors_path(w->shard[shard]));
    }
    for (size_t i = 0; !s && i < w->nshards; i++) total += rp_safetensors_count(w->shard[i]);
    if (!s && total != n)
        s = rp_fail(err, RP_EFORMAT, "'%s': lists %zu tensors, its files hold %zu", index, n,
                    total);
    rp_map_free(files);
    return s;
}

static rp_status open_index(rp_weights *w, const char *dir, const char *index, rp_error *err)
{
    char *text = NULL;
    size_t n = 0;
    json_error_t error;
    json_t *root = NULL;
    rp_status s = rp_file_read(&text, &n, index, INDEX_LIMIT, err);
    if (s) goto done;
    root = json_loadb(text, n, JSON_REJECT_DUPLICATES, &error);
    const json_t *map = json_object_get(root, "weight_map");
    if (!root)
        s = rp_fail(err, RP_EFORMAT, "'%s' line %d: %s", index, error.line, error.text);
    else if (!json_is_object(map) || json_object_size(map) == 0)
        s = rp_fail(err, RP_EFORMAT, "'%s': key 'weight_map' is missing or empty", index);
    else
        s = open_map(w, map, dir, index, err);
done:
    json_decref(root);
    free(text);
    return s;
}

static rp_status open_files(rp_weights *w, const char *dir, rp_error *err)
{
    char single[4096], index[4096];
    rp_status s = rp_path_join(single, sizeof single, dir, "model.safetensors", err);
    if (!s) s = rp_path_join(index, sizeof index, dir, "model.safetensors.index.json", err);
    if (s) return s;
    if (!rp_path_exists(single) && rp_path_exists(index)) return open_index(w, dir, index, err);
    if (!rp_path_exists(single))
        return rp_fail(err, RP_EIO,
                       "'%s': no model.safetensors and no model.safetensors.index.json", dir);
    w->shard = calloc(1, sizeof(rp_safetensors *));
    return w->shard ? open_shard(w, single, err) : rp_fail_memory(err, sizeof(rp_safetensors *));
}

/* ---- assigning tensors ---- */

typedef struct finder {
    const rp_weights *weights;
    const char *dir, *prefix;
    rp_map *known; /* names that belong to the model */
    rp_error *err;
} finder;

static const rp_tensor *find(const rp_weights *w, const char *name, const char **path)
{
    const rp_tensor *t = NULL;
    for (size_t i = 0; !t && i < w->nshards; i++) {
        t = rp_safetensors_find(w->shard[i], name);
        if (path) *path = rp_safetensors_path(w->shard[i]);
    }
    return t;
}

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
    const rp_tensor *t = find(f->weights, full, &path);
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
    if (!find(w, RP_SCORE_TENSOR, NULL)) return RP_OK;
    if ((s = take(f, &w->score, RP_SCORE_TENSOR, 1, c->width))) return s;
    return find(w, "score.bias", NULL) ? take(f, &w->score_bias, "score.bias", 1, 0) : RP_OK;
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
    for (size_t i = 0; i < w->nshards; i++) {
        for (size_t j = 0; j < rp_safetensors_count(w->shard[i]); j++) {
            const rp_tensor *t = rp_safetensors_at(w->shard[i], j);
            w->parameters += t->count;
            if (rp_map_get(f->known, t->name, strlen(t->name)) == RP_MAP_NONE &&
                !ignorable(t->name, prefix))
                return rp_fail(
                    f->err, RP_EFORMAT,
                    "'%s': tensor '%.120s' is not part of the model that config.json describes",
                    rp_safetensors_path(w->shard[i]), t->name);
        }
    }
    return RP_OK;
}

static rp_status assign(rp_weights *w, const rp_config *c, const char *dir, rp_error *err)
{
    const char *prefix = find(w, "embed_tokens.weight", NULL) ? "" : "model.";
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
    rp_status s = open_files(weights, dir, err);
    if (!s) s = assign(weights, config, dir, err);
    if (s) rp_weights_release(weights);
    return s;
}

void rp_weights_release(rp_weights *weights)
{
    for (size_t i = 0; i < weights->nshards; i++) rp_safetensors_free(weights->shard[i]);
    free(weights->shard);
    free(weights->layer);
    *weights = (rp_weights){0};
}
