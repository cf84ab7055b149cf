#include "model/checkpoint.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/memory.h"
#include "model/torchfile.h"

#define INDEX_LIMIT ((size_t)64 << 20)
#define SHARDS_LIMIT 10000

/* One of the two. */
typedef struct rp_shard {
    rp_safetensors *safetensors;
    rp_torchfile *torch;
} rp_shard;

static size_t shard_count(const rp_shard *s)
{
    return s->torch ? rp_torchfile_count(s->torch) : rp_safetensors_count(s->safetensors);
}

static const rp_tensor *shard_at(const rp_shard *s, size_t i)
{
    return s->torch ? rp_torchfile_at(s->torch, i) : rp_safetensors_at(s->safetensors, i);
}

static const rp_tensor *shard_find(const rp_shard *s, const char *name)
{
    return s->torch ? rp_torchfile_find(s->torch, name) : rp_safetensors_find(s->safetensors, name);
}

static const char *shard_path(const rp_shard *s)
{
    return s->torch ? rp_torchfile_path(s->torch) : rp_safetensors_path(s->safetensors);
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

static rp_status open_shard(rp_checkpoint *c, const char *path, rp_error *err)
{
    rp_shard *shard = &c->shard[c->nshards];
    rp_status s = RP_OK;
    if (ends_with(path, ".safetensors"))
        s = rp_safetensors_open(&shard->safetensors, path, err);
    else if (ends_with(path, ".bin"))
        s = rp_torchfile_open(&shard->torch, path, err);
    else
        s = rp_fail(err, RP_EFORMAT, "'%s': neither a .safetensors nor a .bin file", path);
    if (!s) c->nshards++;
    return s;
}

/* Opens the file of one entry of the index unless it is open; *shard is its number. */
static rp_status open_entry(rp_checkpoint *c, rp_map *files, const json_t *value, const char *name,
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
        *slot = c->nshards;
        if (c->nshards == SHARDS_LIMIT)
            return rp_fail(err, RP_EFORMAT, "'%s': more than %d files", index, SHARDS_LIMIT);
        if ((s = rp_path_join(path, sizeof path, dir, file, err))) return s;
        if ((s = open_shard(c, path, err))) return s;
    }
    *shard = *slot;
    return RP_OK;
}

/* Every tensor of the map lies in its file, and the files hold nothing else: names are unique. */
static rp_status open_map(rp_checkpoint *c, const json_t *map, const char *dir, const char *index,
                          rp_error *err)
{
    rp_map *files = rp_map_new();
    rp_status s = files ? RP_OK : rp_fail_memory(err, 1);
    size_t n = json_object_size(map), total = 0, shard = 0;
    c->shard = calloc(n < SHARDS_LIMIT ? n + 1 : SHARDS_LIMIT, sizeof(rp_shard));
    if (!s && !c->shard) s = rp_fail_memory(err, n * sizeof(rp_shard));
    for (void *i = json_object_iter((json_t *)map); !s && i;
         i = json_object_iter_next((json_t *)map, i)) {
        const char *name = json_object_iter_key(i);
        s = open_entry(c, files, json_object_iter_value(i), name, dir, index, &shard, err);
        if (!s && !shard_find(&c->shard[shard], name))
            s = rp_fail(err, RP_EFORMAT, "'%s': tensor '%s' is not in '%s'", index, name,
                        shard_path(&c->shard[shard]));
    }
    for (size_t i = 0; !s && i < c->nshards; i++) total += shard_count(&c->shard[i]);
    if (!s && total != n)
        s = rp_fail(err, RP_EFORMAT, "'%s': lists %zu tensors, its files hold %zu", index, n,
                    total);
    rp_map_free(files);
    return s;
}

static rp_status open_index(rp_checkpoint *c, const char *dir, const char *index, rp_error *err)
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
        s = open_map(c, map, dir, index, err);
done:
    json_decref(root);
    free(text);
    return s;
}

rp_status rp_checkpoint_open_file(rp_checkpoint *checkpoint, const char *path, rp_error *err)
{
    *checkpoint = (rp_checkpoint){.shard = calloc(1, sizeof(rp_shard))};
    if (!checkpoint->shard) return rp_fail_memory(err, sizeof(rp_shard));
    rp_status s = open_shard(checkpoint, path, err);
    if (s) rp_checkpoint_release(checkpoint);
    return s;
}

rp_status rp_checkpoint_open(rp_checkpoint *checkpoint, const char *dir, rp_error *err)
{
    static const struct {
        const char *name;
        bool index;
    } files[] = {{"model.safetensors", false},
                 {"model.safetensors.index.json", true},
                 {"pytorch_model.bin", false},
                 {"pytorch_model.bin.index.json", true}};
    char path[4096];
    *checkpoint = (rp_checkpoint){0};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        rp_status s = rp_path_join(path, sizeof path, dir, files[i].name, err);
        if (s) return s;
        if (!rp_path_exists(path)) continue;
        if (!files[i].index) return rp_checkpoint_open_file(checkpoint, path, err);
        if ((s = open_index(checkpoint, dir, path, err))) rp_checkpoint_release(checkpoint);
        return s;
    }
    return rp_fail(err, RP_EIO, "'%s': no %s, %s, %s or %s", dir, files[0].name, files[1].name,
                   files[2].name, files[3].name);
}

void rp_checkpoint_release(rp_checkpoint *checkpoint)
{
    for (size_t i = 0; i < checkpoint->nshards; i++) {
        rp_safetensors_free(checkpoint->shard[i].safetensors);
        rp_torchfile_free(checkpoint->shard[i].torch);
    }
    free(checkpoint->shard);
    *checkpoint = (rp_checkpoint){0};
}

size_t rp_checkpoint_count(const rp_checkpoint *c)
{
    size_t n = 0;
    for (size_t i = 0; i < c->nshards; i++) n += shard_count(&c->shard[i]);
    return n;
}

const rp_tensor *rp_checkpoint_at(const rp_checkpoint *c, size_t i, const char **path)
{
    const rp_shard *shard = c->shard;
    for (; i >= shard_count(shard); shard++) i -= shard_count(shard);
    if (path) *path = shard_path(shard);
    return shard_at(shard, i);
}

const rp_tensor *rp_checkpoint_find(const rp_checkpoint *c, const char *name, const char **path)
{
    for (size_t i = 0; i < c->nshards; i++) {
        const rp_tensor *t = shard_find(&c->shard[i], name);
        if (!t) continue;
        if (path) *path = shard_path(&c->shard[i]);
        return t;
    }
    return NULL;
}
