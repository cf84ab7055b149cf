/* A trie of bytes: edges in a hash table. */
#include <stdlib.h>

#include "tokenizer/parts.h"

#define NODE_LIMIT ((size_t)1 << 24) /* a key holds 24 bits of node */

rp_trie *rp_trie_new(void)
{
    return calloc(1, sizeof(rp_trie));
}

void rp_trie_free(rp_trie *trie)
{
    if (trie) free(trie->edge);
    free(trie);
}

static rp_trie_edge *place(const rp_trie *t, uint32_t key)
{
    size_t i = (key * 0x9e3779b1u) >> t->shift;
    while (t->edge[i].node && t->edge[i].key != key) i = (i + 1) & (t->cap - 1);
    return &t->edge[i];
}

static rp_status grow(rp_trie *t, rp_error *err)
{
    rp_trie old = *t;
    t->cap = old.cap ? 2 * old.cap : 256;
    t->shift = old.cap ? old.shift - 1 : 24;
    t->edge = calloc(t->cap, sizeof *t->edge);
    if (!t->edge) {
        size_t bytes = t->cap * sizeof *t->edge;
        t->edge = old.edge;
        t->cap = old.cap;
        t->shift = old.shift;
        return rp_fail_memory(err, bytes);
    }
    for (size_t i = 0; i < old.cap; i++)
        if (old.edge[i].node) *place(t, old.edge[i].key) = old.edge[i];
    free(old.edge);
    return RP_OK;
}

rp_status rp_trie_put(rp_trie *trie, const char *key, size_t len, int32_t value, rp_error *err)
{
    uint32_t node = 0;
    rp_trie_edge *e = NULL;
    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)key[i];
        /* one more edge than are in use always finds a free slot, so half stay free */
        rp_status status = 2 * (trie->n + 1) > trie->cap ? grow(trie, err) : RP_OK;
        if (status) return status;
        e = node ? place(trie, node << 8 | byte) : &trie->root[byte];
        if (!e->node) {
            /* the root's edges have the numbers 1 ... 256, the others those behind */
            if (node && trie->n + 257 >= NODE_LIMIT)
                return rp_fail(err, RP_ENOMEM, "the tokenizer's pieces are too many and too long");
            uint32_t made = node ? (uint32_t)(257 + trie->n++) : 1u + byte;
            *e = (rp_trie_edge){node << 8 | byte, made, -1};
        }
        node = e->node;
    }
    if (e && e->value < 0) e->value = value;
    return RP_OK;
}

int32_t rp_trie_longest(const rp_trie *trie, const char *s, size_t len, size_t *match)
{
    int32_t value = -1;
    uint32_t node = 0;
    for (size_t i = 0; i < len; i++) {
        const rp_trie_edge *e = rp_trie_step(trie, node, (unsigned char)s[i]);
        if (!e) break;
        node = e->node;
        if (e->value < 0) continue;
        value = e->value;
        *match = i + 1;
    }
    return value;
}
