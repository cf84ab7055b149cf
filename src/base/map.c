#include "base/map.h"

#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/memory.h"

typedef struct entry {
    const char *key; /* NULL: free */
    size_t len, value;
    uint64_t hash;
} entry;

struct rp_map {
    entry *entry; /* [cap], cap a power of two; at most 5/8 full */
    size_t cap, n;
    rp_arena *keys;
};

rp_map *rp_map_new(void)
{
    rp_map *map = calloc(1, sizeof *map);
    if (!map) return NULL;
    map->cap = 64;
    map->entry = calloc(map->cap, sizeof *map->entry);
    map->keys = rp_arena_new();
    if (!map->entry || !map->keys) {
        rp_map_free(map);
        return NULL;
    }
    return map;
}

void rp_map_free(rp_map *map)
{
    if (!map) return;
    free(map->entry);
    rp_arena_free(map->keys);
    free(map);
}

size_t rp_map_size(const rp_map *map)
{
    return map->n;
}

/* The key's entry, or the free one where it would go. */
static entry *locate(entry *table, size_t cap, const char *key, size_t len, uint64_t hash)
{
    size_t i = (size_t)hash & (cap - 1);
    for (;; i = (i + 1) & (cap - 1)) {
        entry *e = &table[i];
        if (!e->key) return e;
        if (e->hash == hash && e->len == len && memcmp(e->key, key, len) == 0) return e;
    }
}

size_t rp_map_get(const rp_map *map, const char *key, size_t len)
{
    const entry *e = locate(map->entry, map->cap, key, len, rp_checksum_bytes(key, len, 0));
    return e->key ? e->value : RP_MAP_NONE;
}

static rp_status rehash(rp_map *map, rp_error *err)
{
    size_t cap = map->cap * 2;
    entry *grown = calloc(cap, sizeof *grown);
    if (!grown) return rp_fail_memory(err, cap * sizeof *grown);
    for (size_t i = 0; i < map->cap; i++) {
        const entry *e = &map->entry[i];
        if (e->key) *locate(grown, cap, e->key, e->len, e->hash) = *e;
    }
    free(map->entry);
    map->entry = grown;
    map->cap = cap;
    return RP_OK;
}

rp_status rp_map_put(rp_map *map, const char *key, size_t len, size_t **slot, bool *fresh,
                     const char **key_copy, rp_error *err)
{
    if (map->n >= map->cap / 8 * 5) {
        rp_status s = rehash(map, err);
        if (s) return s;
    }
    uint64_t hash = rp_checksum_bytes(key, len, 0);
    entry *e = locate(map->entry, map->cap, key, len, hash);
    bool is_new = !e->key;
    if (is_new) {
        const char *copy = rp_arena_strndup(map->keys, key, len);
        if (!copy) return rp_fail_memory(err, len);
        *e = (entry){.key = copy, .len = len, .hash = hash};
        map->n++;
    }
    *slot = &e->value;
    if (fresh) *fresh = is_new;
    if (key_copy) *key_copy = e->key;
    return RP_OK;
}
