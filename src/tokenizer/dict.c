/* A dictionary of strings to ids: open addressing, all keys in one text. */
#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "tokenizer/parts.h"

void rp_dict_release(rp_dict *dict)
{
    free(dict->slot);
    rp_text_release(&dict->text);
    *dict = (rp_dict){0};
}

static rp_dict_entry *place(const rp_dict *dict, const char *key, size_t len, uint32_t hash)
{
    for (size_t i = hash & (dict->cap - 1);; i = (i + 1) & (dict->cap - 1)) {
        rp_dict_entry *e = &dict->slot[i];
        if (e->id < 0) return e;
        if (e->hash == hash && e->len == len && !memcmp(dict->text.data + e->at, key, len))
            return e;
    }
}

rp_status rp_dict_reserve(rp_dict *dict, size_t n, rp_error *err)
{
    size_t cap = dict->cap ? dict->cap : 16;
    while (cap / 2 < n) cap *= 2;
    if (cap == dict->cap) return RP_OK;
    rp_dict_entry *slot = rp_alloc(cap, sizeof *slot);
    if (!slot) return rp_fail_memory(err, cap * sizeof *slot);
    for (size_t i = 0; i < cap; i++) slot[i].id = -1;
    rp_dict old = *dict;
    dict->slot = slot;
    dict->cap = cap;
    for (size_t i = 0; i < old.cap; i++)
        if (old.slot[i].id >= 0)
            *place(dict, old.text.data + old.slot[i].at, old.slot[i].len, old.slot[i].hash) =
                old.slot[i];
    free(old.slot);
    return RP_OK;
}

rp_status rp_dict_put(rp_dict *dict, const char *key, size_t len, int32_t id, rp_error *err)
{
    rp_status status = rp_dict_reserve(dict, dict->n + 1, err);
    if (status) return status;
    if (len >= UINT32_MAX - dict->text.len - 1) return rp_fail_memory(err, len);
    uint32_t hash = (uint32_t)XXH3_64bits(key, len);
    rp_dict_entry *e = place(dict, key, len, hash);
    if (e->id < 0) {
        uint32_t at = (uint32_t)dict->text.len;
        status = rp_text_append(&dict->text, key, len, err);
        if (!status) status = rp_text_append(&dict->text, "", 1, err);
        if (status) return status;
        *e = (rp_dict_entry){.at = at, .len = (uint32_t)len, .hash = hash};
        dict->n++;
    }
    e->id = id;
    return RP_OK;
}

rp_dict_entry *rp_dict_find(const rp_dict *dict, const char *key, size_t len)
{
    if (!dict->n) return NULL;
    rp_dict_entry *e = place(dict, key, len, (uint32_t)XXH3_64bits(key, len));
    return e->id < 0 ? NULL : e;
}

int32_t rp_dict_id(const rp_dict *dict, const char *key, size_t len)
{
    const rp_dict_entry *e = rp_dict_find(dict, key, len);
    return e ? e->id : -1;
}
