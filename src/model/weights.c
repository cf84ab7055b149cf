#include "model/weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/memory.h"

#define NAME_SIZE 192

/* ---- what families call what lies outside of their blocks ---- */

typedef struct naming {
    const char *prefixes[4]; /* of the model in a model with a head; the last is "" */
    const char *layer;       /* before a block's number */
    const char *embedding, *final_norm;
} naming;
static const naming namings[] = {
    [RP_NAMING_LLAMA] = {{"model.", ""}, "layers.", "embed_tokens", "norm"},
    [RP_NAMING_NEOX] = {{"gpt_neox.", ""}, "layers.", "embed_in", "final_layer_norm"},
    [RP_NAMING_BERT] = {{"bert.", "electra.", "roberta.", ""},
                        "encoder.layer.",
                        "embeddings.word_embeddings",
                        NULL},
    [RP_NAMING_T5] = {{"transformer.", ""}, "encoder.block.", "shared", "encoder.final_layer_norm"},
};

static const char *score_module(const rp_config *c)
{
    if (c->head == RP_HEAD_LAST) return "score";
    return c->head == RP_HEAD_POOLER ? "classifier" : "classifier.out_proj";
}

const char *rp_score_tensor(const rp_config *c)
{
    if (c->head == RP_HEAD_LAST) return "score.weight";
    return c->head == RP_HEAD_POOLER ? "classifier.weight" : "classifier.out_proj.weight";
}

/* ---- finding tensors ---- */

typedef struct finder {
    const rp_weights *weights;
    rp_adapter *adapter;
    const char *dir, *prefix;
    const char *adapted; /* the prefix in the model that the adapter was trained on */
    rp_map *known;       /* names that belong to the model */
    rp_error *err;
} finder;

/* BERT's first checkpoints, bert-base-uncased among them, call a norm's weight and bias gamma and
 * beta. */
static const rp_tensor *find_old(finder *f, char *name, const char **path)
{
    const char *const ends[][2] = {{".LayerNorm.weight", ".LayerNorm.gamma"},
                                   {".LayerNorm.bias", ".LayerNorm.beta"}};
    for (size_t i = 0; i < 2; i++) {
        size_t n = strlen(name), end = strlen(ends[i][0]);
        if (n < end || strcmp(name + n - end, ends[i][0]) != 0) continue;
        char old[NAME_SIZE];
        snprintf(old, sizeof old, "%.*s%s", (int)(n - end), name, ends[i][1]);
        const rp_tensor *t = rp_checkpoint_find(&f->weights->files, old, path);
        if (t) strcpy(name, old);
        return t;
    }
    return NULL;
}

/* The tensor prefix + name, the adapter's copy first; full <- what it is called. */
static const rp_tensor *find(finder *f, char full[NAME_SIZE], const char *name, const char **path)
{
    const rp_tensor *t = f->adapter ? rp_adapter_saved(f->adapter, f->adapted, name, path) : NULL;
    snprintf(full, NAME_SIZE, "%s%s", f->prefix, name);
    const rp_tensor *base = rp_checkpoint_find(&f->weights->files, full, t ? NULL : path);
    if (!base) base = find_old(f, full, t ? NULL : path);
    return t ? t : base;
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
    const rp_tensor *t = find(f, full, name, &path);
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

/* *out <- the parameter that stands at `place`, whose module is called `module`. */
static rp_status take_part(finder *f, rp_part *out, const rp_place *place, const char *module)
{
    char name[NAME_SIZE];
    out->place = *place;
    snprintf(name, sizeof name, "%s.weight", module);
    rp_status s = take(f, &out->weight, name, place->rows, place->K);
    if (!s && place->K && f->adapter)
        s = rp_adapter_take(f->adapter, &out->lora, f->adapted, module, place->rows, place->K,
                            f->err);
    if (s || !place->bias) return s;
    snprintf(name, sizeof name, "%s.bias", module);
    return take(f, &out->bias, name, place->rows, 0);
}

/* A parameter outside of the blocks: [N, K], or a vector where K is 0. */
static rp_status take_module(finder *f, rp_part *out, const char *module, size_t N, size_t K,
                             bool bias)
{
    const rp_place place = {module, N, K, bias, N, 0, N, 0};
    return take_part(f, out, &place, module);
}

static rp_status take_layer(finder *f, rp_part *layer, const rp_config *c, size_t l)
{
    char module[NAME_SIZE - 64];
    rp_status s = RP_OK;
    for (rp_weight w = 0; !s && w < RP_WEIGHTS; w++) {
        rp_place place;
        rp_place_in_block(&place, c, w);
        if (!place.name) continue;
        snprintf(module, sizeof module, "%s%zu.%s", namings[c->naming].layer, l, place.name);
        s = take_part(f, &layer[w], &place, module);
    }
    return s;
}

static bool there(finder *f, const char *name)
{
    char full[NAME_SIZE];
    return find(f, full, name, NULL) != NULL;
}

static rp_status take_embeddings(finder *f, rp_weights *w, const rp_config *c)
{
    char name[NAME_SIZE];
    size_t E = c->embedding_width;
    snprintf(name, sizeof name, "%s.weight", namings[c->naming].embedding);
    /* Of the two names of T5's one table a checkpoint has either or both. */
    if (c->naming == RP_NAMING_T5 && !there(f, name)) strcpy(name, "encoder.embed_tokens.weight");
    rp_status s = take(f, &w->embedding, name, c->vocabulary, E);
    if (!s && c->naming == RP_NAMING_BERT) {
        s = take(f, &w->position, "embeddings.position_embeddings.weight", c->positions, E);
        if (!s) s = take(f, &w->segment, "embeddings.token_type_embeddings.weight", c->segments, E);
        if (!s) s = take_module(f, &w->embed_norm, "embeddings.LayerNorm", E, 0, true);
        if (!s && E != c->width)
            s = take_module(f, &w->projection, "embeddings_project", c->width, E, true);
    }
    if (!s && c->buckets)
        s = take(f, &w->relative,
                 "encoder.block.0.layer.0.SelfAttention.relative_attention_bias"
                 ".weight",
                 c->buckets, c->heads);
    return s;
}

/* ---- the score head ---- */

/* The head stands beside the model, not inside: no prefix; BERT's pooler is inside. */
static rp_status take_head(finder *f, rp_weights *w, const rp_config *c)
{
    finder inside = *f;
    char bias[NAME_SIZE];
    const char *module = score_module(c);
    rp_status s = RP_OK;
    f->prefix = f->adapted = "";
    if (!there(f, rp_score_tensor(c))) return RP_OK;
    snprintf(bias, sizeof bias, "%s.bias", module);
    s = take_module(f, &w->score, module, 1, c->width, there(f, bias));
    if (s || c->head == RP_HEAD_LAST) return s;
    bool pooler = c->head == RP_HEAD_POOLER;
    return take_module(pooler ? &inside : f, &w->dense,
                       pooler ? "pooler.dense" : "classifier.dense", c->width, c->width, true);
}

/* ---- what is left over ---- */

static bool ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);
    return n >= m && strcmp(name + n - m, end) == 0;
}

/* What a checkpoint may hold beside the model: other heads, T5's decoder, a pooler that nobody asks
 * for, and tables that are computed here. */
static bool ignorable(const char *name, const char *prefix, const rp_config *c)
{
    static const char *const heads[] = {"lm_head.",
                                        "embed_out.",
                                        "cls.",
                                        "discriminator_predictions.",
                                        "generator_predictions.",
                                        "generator_lm_head.",
                                        "qa_outputs."};
    static const char *const tables[] = {".rotary_emb.inv_freq", ".attention.bias",
                                         ".attention.masked_bias", "embeddings.position_ids",
                                         "embeddings.token_type_ids"};
    size_t n = strlen(prefix);
    if (strncmp(name, prefix, n) != 0) return true;
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        if (strncmp(name, heads[i], strlen(heads[i])) == 0) return true;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        if (ends_with(name, tables[i])) return true;
    if (c->naming == RP_NAMING_BERT) return strncmp(name + n, "pooler.", 7) == 0;
    return c->naming == RP_NAMING_T5 && (strncmp(name + n, "decoder.", 8) == 0 ||
                                         strcmp(name + n, "encoder.embed_tokens.weight") == 0 ||
                                         strcmp(name + n, "shared.weight") == 0);
}

/* A tensor inside the model that nobody took would change the numbers: a bias that the config does
 * not mention, scales of quantised weights, layers beyond the last. */
static rp_status check_unknown(const finder *f, const rp_config *c, const char *prefix)
{
    const rp_checkpoint *files = &f->weights->files;
    for (size_t i = 0; i < rp_checkpoint_count(files); i++) {
        const char *path;
        const rp_tensor *t = rp_checkpoint_at(files, i, &path);
        if (rp_map_get(f->known, t->name, strlen(t->name)) == RP_MAP_NONE &&
            !ignorable(t->name, prefix, c))
            return rp_fail(f->err, RP_EFORMAT,
                           "'%s': tensor '%.120s' is not part of the model that config.json "
                           "describes",
                           path, t->name);
    }
    return RP_OK;
}

/* ---- the whole ---- */

/* What stands before the names of the model's own tensors. */
static const char *find_prefix(const rp_weights *w, const rp_config *c)
{
    const naming *n = &namings[c->naming];
    char name[NAME_SIZE];
    for (size_t i = 0; *n->prefixes[i]; i++) {
        snprintf(name, sizeof name, "%s%s.weight", n->prefixes[i], n->embedding);
        if (rp_checkpoint_find(&w->files, name, NULL)) return n->prefixes[i];
    }
    snprintf(name, sizeof name, "%s.weight", n->embedding);
    /* A file without the embedding: the error will name it as a model with a head has it. */
    return rp_checkpoint_find(&w->files, name, NULL) || c->naming >= RP_NAMING_BERT
               ? ""
               : n->prefixes[0];
}

/* An adapter's names have the prefix of the model with a head that was fine-tuned, whatever the
 * base checkpoint was saved as. */
static const char *adapted_prefix(const rp_config *c)
{
    const char *const *all = namings[c->naming].prefixes;
    if (c->naming != RP_NAMING_BERT) return all[0];
    return strcmp(c->family, "electra") == 0 ? "electra." : c->skips_pad ? "roberta." : "bert.";
}

static rp_status assign(rp_weights *w, const rp_config *c, const char *dir, rp_adapter *adapter,
                        rp_error *err)
{
    const char *prefix = find_prefix(w, c), *norm = namings[c->naming].final_norm;
    finder f = {w, adapter, dir, prefix, adapted_prefix(c), rp_map_new(), err};
    rp_status s = f.known ? RP_OK : rp_fail_memory(err, 1);
    if (!s) s = take_embeddings(&f, w, c);
    if (!s && !(w->layer = rp_alloc(c->layers, RP_WEIGHTS * sizeof *w->layer)))
        s = rp_fail_memory(err, c->layers * RP_WEIGHTS * sizeof *w->layer);
    for (size_t l = 0; !s && l < c->layers; l++)
        s = take_layer(&f, w->layer + l * RP_WEIGHTS, c, l);
    if (!s && norm)
        s = take_module(&f, &w->final_norm, norm, c->width, 0, c->norm == RP_NORM_LAYER);
    if (!s) s = take_head(&f, w, c);
    if (!s) s = check_unknown(&f, c, prefix);
    if (!s && adapter) s = rp_adapter_check(adapter, err);
    rp_map_free(f.known);
    return s;
}

rp_status rp_weights_open(rp_weights *weights, const rp_config *config, const char *dir,
                          rp_adapter *adapter, rp_error *err)
{
    *weights = (rp_weights){0};
    rp_status s = rp_checkpoint_open(&weights->files, dir, err);
    if (!s) s = assign(weights, config, dir, adapter, err);
    if (s) rp_weights_release(weights);
    return s;
}

void rp_weights_release(rp_weights *weights)
{
    rp_checkpoint_release(&weights->files);
    free(weights->layer);
    *weights = (rp_weights){0};
}

uint64_t rp_weights_parameters(const rp_weights *w)
{
    uint64_t n = 0;
    for (size_t i = 0; i < rp_checkpoint_count(&w->files); i++)
        n += rp_checkpoint_at(&w->files, i, NULL)->count;
    return n;
}
