#include "model/checkpoint.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/memory.h"

#define INDEX_LIMIT ((size_t)64 << 20)
#define SHARDS_LIMIT 10000

static rp_status open_shard(rp_checkpoint *c, const char *path, rp_error *err)
{
    rp_status s = rp_safetensors_open(&c->shard[c->nshards], path, err);
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
    c->shard = calloc(n < SHARDS_LIMIT ? n + 1 : SHARDS_LIMIT, sizeof(rp_safetensors *));
    if (!s && !c->shard) s = rp_fail_memory(err, n * sizeof(rp_safetensors *));
    for (void *i = json_object_iter((json_t *)map); !s && i;
         i = json_object_iter_next((json_t *)map, i)) {
        const char *name = json_object_iter_key(i);
        s = open_entry(c, files, json_object_iter_value(i), name, dir, index, &shard, err);
        if (!s && !rp_safetensors_find(c->shard[shard], name))
            s = rp_fail(err, RP_EFORMAT, "'%s': tensor '%s' is not in '%s'", index, name,
                        rp_safetensors_path(c->shard[shard]));
    }
    for (size_t i = 0; !s && i < c->nshards; i++) total += rp_safetensors_count(c->shard[i]);
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

static rp_status open_files(rp_checkpoint *c, const char *dir, rp_error *err)
{
    char single[4096], index[4096];
    rp_status s = rp_path_join(single, sizeof single, dir, "model.safetensors", err);
    if (!s) s = rp_path_join(index, sizeof index, dir, "model.safetensors.index.json", err);
    if (s) return s;
    if (!rp_path_exists(single) && rp_path_exists(index)) return open_index(c, dir, index, err);
    if (!rp_path_exists(single))
        return rp_fail(err, RP_EIO,
                       "'%s': no model.safetensors and no model.safetensors.index.json", dir);
    c->shard = calloc(1, sizeof(rp_safetensors *));
    return c->shard ? open_shard(c, single, err) : rp_fail_memory(err, sizeof(rp_safetensors *));
}

rp_status rp_checkpoint_open(rp_checkpoint *checkpoint, const char *dir, rp_error *err)
{
    *checkpoint = (rp_checkpoint){0};
    rp_status s = open_files(checkpoint, dir, err);
    if (s) rp_checkpoint_release(checkpoint);
    return s;
}

void rp_checkpoint_release(rp_checkpoint *checkpoint)
{
    for (size_t i = 0; i < checkpoint->nshards; i++) rp_safetensors_free(checkpoint->shard[i]);
    free(checkpoint->shard);
    *checkpoint = (rp_checkpoint){0};
}

const rp_tensor *rp_checkpoint_find(const rp_checkpoint *c, const char *name, const char **path)
{
    const rp_tensor *t = NULL;
    for (size_t i = 0; !t && i < c->nshards; i++) {
        t = rp_safetensors_find(c->shard[i], name);
        if (path) *path = rp_safetensors_path(c->shard[i]);
    }
    return t;
}

size_t rp_checkpoint_count(const rp_checkpoint *c)
{
    size_t n = 0;
    for (size_t i = 0; i < c->nshards; i++) n += rp_safetensors_count(c->shard[i]);
    return n;
}

const rp_tensor *rp_checkpoint_at(const rp_checkpoint *c, size_t i, const char **path)
{
    size_t s = 0;
    while (i >= rp_safetensors_count(c->shard[s])) i -= rp_safetensors_count(c->shard[s++]);
    if (path) *path = rp_safetensors_path(c->shard[s]);
    return rp_safetensors_at(c->shard[s], i);
}
