#include "model/adapter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/memory.h"
#include "model/checkpoint.h"
#include "model/lora_config.h"

#define NAME_SIZE 512

/* What belongs to one name: A and B of a module, or a tensor that was saved whole. */
typedef struct part {
    const rp_tensor *a, *b, *saved;
    bool used;
} part;

struct rp_adapter {
    char *dir;
    const char *path; /* of the tensors */
    rp_lora_config *config;
    rp_checkpoint files;
    rp_map *names; /* "model.layers.0.mlp.up_proj", "score.weight" -> part */
    part *part;
    size_t nparts;
    char label[64]; /* the adapter's own name in those of its tensors, mostly "default"; "": none */
    rp_adapter_info info;
    uint64_t fingerprint;
};

/* ---- names of tensors ---- */

static bool ends_with(const char *text, size_t n, const char *end)
{
    size_t k = strlen(end);
    return n >= k && memcmp(text + n - k, end, k) == 0;
}

static rp_status refuse(const rp_adapter *ad, const rp_tensor *t, const char *why, rp_error *err)
{
    return rp_fail(err, RP_EFORMAT, "'%s': tensor '%.140s' %s", ad->path, t->name, why);
}

static rp_status part_of(rp_adapter *ad, part **out, const char *name, size_t n, rp_error *err)
{
    size_t *slot;
    bool fresh;
    rp_status s = rp_map_put(ad->names, name, n, &slot, &fresh, NULL, err);
    if (s) return s;
    if (fresh) *slot = ad->nparts++;
    *out = &ad->part[*slot];
    return RP_OK;
}

/* <module>.lora_A.weight, or with the adapter's label before "weight"; `lora` points at ".lora_".
 */
static rp_status add_lora(rp_adapter *ad, const rp_tensor *t, const char *name, const char *lora,
                          rp_error *err)
{
    const char *rest = lora + strlen(".lora_A.");
    size_t n = strlen(rest);
    bool a = strncmp(lora, ".lora_A.", 8) == 0, b = strncmp(lora, ".lora_B.", 8) == 0;
    if ((!a && !b) || (strcmp(rest, "weight") != 0 && !ends_with(rest, n, ".weight")))
        return refuse(ad, t, "is not A or B of a linear module: not supported", err);
    if (strcmp(rest, "weight") != 0) {
        size_t len = n - strlen(".weight");
        if (memchr(rest, '.', len) || len == 0 || len >= sizeof ad->label)
            return refuse(ad, t, "has a name that PEFT does not give", err);
        if (ad->label[0] && (strlen(ad->label) != len || memcmp(ad->label, rest, len) != 0))
            return refuse(ad, t, "belongs to a second adapter in the file", err);
        memcpy(ad->label, rest, len);
    }
    if (t->rank != 2) return refuse(ad, t, "is not a matrix", err);
    if (t->dtype != RP_F32 && t->dtype != RP_F16 && t->dtype != RP_BF16)
        return refuse(ad, t, "is not F32, F16 or BF16", err);
    part *p;
    rp_status s = part_of(ad, &p, name, (size_t)(lora - name), err);
    if (s) return s;
    if (a ? p->a : p->b) return refuse(ad, t, "is there twice", err);
    if (!p->a && !p->b) ad->info.modules++;
    if (!ad->info.dtype) ad->info.dtype = rp_dtype_name(t->dtype);
    *(a ? &p->a : &p->b) = t;
    ad->info.parameters += t->count;
    return RP_OK;
}

/* <module>.<leaf>, <module>.modules_to_save.<leaf>, <module>.modules_to_save.<label>.<leaf>: all
 * are <module>.<leaf>. */
static rp_status add_saved(rp_adapter *ad, const rp_tensor *t, const char *name, rp_error *err)
{
    static const char wrapper[] = ".modules_to_save.";
    const char *at = strstr(name, wrapper), *label = ad->label[0] ? ad->label : "default";
    char plain[NAME_SIZE];
    if (strlen(name) >= sizeof plain) return refuse(ad, t, "has too long a name", err);
    if (at) {
        const char *leaf = at + strlen(wrapper);
        size_t n = strlen(label);
        if (strncmp(leaf, label, n) == 0 && leaf[n] == '.') leaf += n + 1;
        snprintf(plain, sizeof plain, "%.*s.%s", (int)(at - name), name, leaf);
    } else {
        snprintf(plain, sizeof plain, "%s", name);
    }
    part *p;
    rp_status s = part_of(ad, &p, plain, strlen(plain), err);
    if (s) return s;
    if (p->saved) return refuse(ad, t, "is there twice", err);
    p->saved = t;
    ad->info.saved++;
    ad->info.parameters += t->count;
    return RP_OK;
}

static rp_status read_names(rp_adapter *ad, rp_error *err)
{
    static const char prefix[] = "base_model.model.";
    size_t n = rp_checkpoint_count(&ad->files);
    rp_status s = RP_OK;
    if (!(ad->part = rp_alloc(n, sizeof *ad->part))) return rp_fail_memory(err, n * sizeof(part));
    for (int saved = 0; saved < 2; saved++) { /* the label of A and B is known before the rest */
        for (size_t i = 0; !s && i < n; i++) {
            const rp_tensor *t = rp_checkpoint_at(&ad->files, i, &ad->path);
            const char *name = t->name, *lora;
            if (strncmp(name, prefix, strlen(prefix)) == 0) name += strlen(prefix);
            lora = strstr(name, ".lora_");
            if (!saved && lora) s = add_lora(ad, t, name, lora, err);
            /* a wrapped module's state before the training is of no use */
            if (saved && !lora && !strstr(name, ".original_module."))
                s = add_saved(ad, t, name, err);
        }
    }
    if (!s && ad->info.modules == 0)
        s = rp_fail(err, RP_EFORMAT, "'%s': no tensor of LoRA in it", n ? ad->path : ad->dir);
    return s;
}

/* ---- opening ---- */

static rp_status open_files(rp_adapter *ad, rp_error *err)
{
    static const char *const names[] = {"adapter_model.safetensors", "adapter_model.bin"};
    char path[4096];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        rp_status s = rp_path_join(path, sizeof path, ad->dir, names[i], err);
        if (s) return s;
        if (rp_path_exists(path)) return rp_checkpoint_open_file(&ad->files, path, err);
    }
    return rp_fail(err, RP_EIO, "'%s': no %s or %s", ad->dir, names[0], names[1]);
}

static rp_status read_all(rp_adapter *ad, rp_error *err)
{
    rp_status s = rp_lora_config_open(&ad->config, ad->dir, err);
    if (s) return s;
    ad->info.rank = rp_lora_config_rank(ad->config);
    ad->info.alpha = rp_lora_config_alpha(ad->config);
    ad->info.root_scaled = rp_lora_config_root_scaled(ad->config);
    if ((s = open_files(ad, err))) return s;
    if ((s = read_names(ad, err))) return s;
    return rp_checkpoint_fingerprint(&ad->fingerprint, &ad->files,
                                     rp_lora_config_checksum(ad->config), err);
}

bool rp_adapter_is(const char *dir)
{
    char path[4096];
    return rp_path_join(path, sizeof path, dir, "adapter_config.json", NULL) == RP_OK &&
           rp_path_exists(path);
}

rp_status rp_adapter_open(rp_adapter **adapter, const char *dir, rp_error *err)
{
    *adapter = NULL;
    rp_adapter *ad = calloc(1, sizeof *ad);
    if (!ad) return rp_fail_memory(err, sizeof *ad);
    ad->dir = strdup(dir);
    ad->names = rp_map_new();
    rp_status s = ad->dir && ad->names ? read_all(ad, err) : rp_fail_memory(err, strlen(dir));
    if (s) {
        rp_adapter_free(ad);
        return s;
    }
    *adapter = ad;
    return RP_OK;
}

void rp_adapter_free(rp_adapter *adapter)
{
    if (!adapter) return;
    rp_checkpoint_release(&adapter->files);
    rp_lora_config_free(adapter->config);
    rp_map_free(adapter->names);
    free(adapter->part);
    free(adapter->dir);
    free(adapter);
}

const rp_adapter_info *rp_adapter_about(const rp_adapter *adapter)
{
    return &adapter->info;
}

const char *rp_adapter_dir(const rp_adapter *adapter)
{
    return adapter->dir;
}

const char *rp_adapter_base(const rp_adapter *adapter)
{
    return rp_lora_config_base(adapter->config);
}

uint64_t rp_adapter_parameters(const rp_adapter *adapter)
{
    return adapter->info.parameters;
}

uint64_t rp_adapter_fingerprint(const rp_adapter *adapter)
{
    return adapter->fingerprint;
}

/* ---- taking ---- */

/* Whether the adapter was trained on a class whose names have the prefix. */
static bool has_prefix(const rp_adapter *ad, const char *prefix)
{
    static const char outer[] = "base_model.model.";
    for (size_t i = 0; i < rp_checkpoint_count(&ad->files); i++) {
        const char *name = rp_checkpoint_at(&ad->files, i, NULL)->name;
        if (strncmp(name, outer, strlen(outer)) == 0) name += strlen(outer);
        if (strstr(name, ".lora_") && strncmp(name, prefix, strlen(prefix)) == 0) return true;
    }
    return false;
}

static part *find(const rp_adapter *ad, const char *name)
{
    size_t i = rp_map_get(ad->names, name, strlen(name));
    return i == RP_MAP_NONE ? NULL : &ad->part[i];
}

/* full <- prefix + name, the part of that name, or else of the name alone. */
static part *find_either(const rp_adapter *ad, char full[NAME_SIZE], const char *prefix,
                         const char *name)
{
    snprintf(full, NAME_SIZE, "%s%s", prefix, name);
    part *p = find(ad, full);
    if (p) return p;
    if ((p = find(ad, name)) || !has_prefix(ad, prefix)) snprintf(full, NAME_SIZE, "%s", name);
    return p;
}

static rp_status check_shapes(const rp_adapter *ad, const rp_lora *lora, size_t rank, size_t N,
                              size_t K, rp_error *err)
{
    const size_t *a = lora->a->shape, *b = lora->b->shape;
    if (a[0] == rank && a[1] == K && b[0] == N && b[1] == rank) return RP_OK;
    return rp_fail(err, RP_EFORMAT,
                   "'%s': tensor '%.120s' [%zu, %zu] and its lora_B [%zu, %zu] do not fit rank %zu "
                   "and a module [%zu, %zu]",
                   ad->path, lora->a->name, a[0], a[1], b[0], b[1], rank, N, K);
}

rp_status rp_adapter_take(rp_adapter *ad, rp_lora *lora, const char *prefix, const char *module,
                          size_t N, size_t K, rp_error *err)
{
    char name[NAME_SIZE];
    part *p = find_either(ad, name, prefix, module);
    bool there = p && (p->a || p->b), targeted;
    size_t rank;
    double scale;
    *lora = (rp_lora){0};
    rp_status s = rp_lora_config_targets(ad->config, &targeted, name, err);
    if (s || (!there && !targeted)) return s;
    if (!there)
        return rp_fail(err, RP_EFORMAT,
                       "'%s': no tensors for module '%.100s', which "
                       "adapter_config.json adapts",
                       ad->path, name);
    if (!targeted)
        return refuse(ad, p->a ? p->a : p->b,
                      "is of a module that adapter_config.json leaves "
                      "alone",
                      err);
    if (!p->a || !p->b)
        return refuse(ad, p->a ? p->a : p->b, p->a ? "has no lora_B" : "has no lora_A", err);
    if ((s = rp_lora_config_scale(ad->config, &rank, &scale, name, err))) return s;
    *lora = (rp_lora){p->a, p->b, (float)scale};
    p->used = true;
    return check_shapes(ad, lora, rank, N, K, err);
}

const rp_tensor *rp_adapter_saved(rp_adapter *ad, const char *prefix, const char *name,
                                  const char **path)
{
    char full[NAME_SIZE];
    part *p = find_either(ad, full, prefix, name);
    if (!p || !p->saved) return NULL;
    p->used = true;
    if (path) *path = ad->path;
    return p->saved;
}

rp_status rp_adapter_check(const rp_adapter *ad, rp_error *err)
{
    for (size_t i = 0; i < ad->nparts; i++) {
        const part *p = &ad->part[i];
        if (!p->used)
            return refuse(ad,
                          p->saved ? p->saved
                          : p->a   ? p->a
                                   : p->b,
                          "has no place in the model: an adapter for another architecture?", err);
    }
    return RP_OK;
}
