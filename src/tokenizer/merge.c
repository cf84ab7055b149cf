/*
 * BPE: a word into its first symbols, then the best-ranked pair of neighbours merged until none is
 * left (word.rs of the crate). Short words look for the best pair by scanning, long ones (a
 * SentencePiece text may be one word) keep the pairs in a heap.
 */
#include <stdlib.h>

#include "tokenizer/parts.h"

#define SCAN_LIMIT 48 /* symbols */

/* ---- first symbols ---- */

/* One character of a word (or byte, as its visible character) and where in the word it stands. */
typedef struct unit {
    const char *text;
    size_t len;
    bool first, last;
} unit;

typedef struct unknown {
    bool pending;
} unknown;

static rp_status flush_unknown(const rp_bpe *bpe, unknown *u, rp_ids *out, rp_error *err)
{
    if (!u->pending) return RP_OK;
    u->pending = false;
    return rp_ids_push(out, bpe->base.unk_id, err);
}

/* A unit that is not in the vocabulary: its bytes if all are there, else unk, else nothing. As in
 * the crate, bytes overtake an unk that waits to be fused with the next. */
static rp_status push_unknown(const rp_bpe *bpe, unknown *u, rp_ids *out, const char *text,
                              size_t len, rp_error *err)
{
    bool bytes = bpe->byte_fallback;
    for (size_t i = 0; i < len && bytes; i++) bytes = bpe->byte_id[(unsigned char)text[i]] >= 0;
    rp_status status = RP_OK;
    if (bytes) {
        for (size_t i = 0; i < len && !status; i++)
            status = rp_ids_push(out, bpe->byte_id[(unsigned char)text[i]], err);
        return status;
    }
    if (!bpe->base.unk) return RP_OK;
    if (bpe->base.unk_id < 0) return rp_lexicon_fail_unk(&bpe->base, err);
    if (!bpe->fuse_unk) status = flush_unknown(bpe, u, out, err);
    u->pending = true;
    return status;
}

static rp_status push_unit(const rp_bpe *bpe, unknown *u, rp_ids *out, unit x, rp_error *err)
{
    char text[256];
    size_t len = 0;
    const char *prefix = x.first || !bpe->prefix ? "" : bpe->prefix;
    const char *suffix = x.last && bpe->suffix ? bpe->suffix : "";
    memcpy(text, prefix, strlen(prefix));
    len += strlen(prefix);
    memcpy(text + len, x.text, x.len);
    len += x.len;
    memcpy(text + len, suffix, strlen(suffix));
    len += strlen(suffix);
    int32_t id = rp_dict_id(&bpe->base.pieces, text, len);
    if (id < 0) return push_unknown(bpe, u, out, text, len, err);
    rp_status status = flush_unknown(bpe, u, out, err);
    return status ? status : rp_ids_push(out, id, err);
}

static rp_status first_symbols(const rp_bpe *bpe, rp_ids *out, const char *word, size_t len,
                               rp_error *err)
{
    unknown u = {0};
    rp_status status = RP_OK;
    out->n = 0;
    for (size_t i = 0, step = 1; i < len && !status; i += step) {
        unsigned char b = (unsigned char)word[i];
        step = 1;
        if (bpe->plain && bpe->single[b] >= 0) {
            status = flush_unknown(bpe, &u, out, err);
            if (!status) status = rp_ids_push(out, bpe->single[b], err);
            continue;
        }
        char visible[4];
        unit x = {word + i, 1, i == 0, false};
        if (bpe->bytes) {
            x.text = visible;
            x.len = rp_utf8_put(visible, rp_byte_char(b));
        } else {
            rp_utf8_at(word + i, &step);
            x.len = step;
        }
        x.last = i + step == len;
        status = push_unit(bpe, &u, out, x, err);
    }
    return status ? status : flush_unknown(bpe, &u, out, err);
}

/* ---- short words ---- */

/* rank[i] and made[i] belong to the pair of symbol i and i + 1. */
static void rate(const rp_bpe *bpe, const int32_t *id, size_t i, uint32_t *rank, int32_t *made)
{
    const rp_merge *m = rp_bpe_merge(bpe, id[i], id[i + 1]);
    rank[i] = m ? m->rank : UINT32_MAX;
    made[i] = m ? m->id : -1;
}

static void merge_scan(const rp_bpe *bpe, rp_ids *symbol)
{
    uint32_t rank[SCAN_LIMIT];
    int32_t made[SCAN_LIMIT], *id = symbol->id;
    size_t n = symbol->n;
    for (size_t i = 0; i + 1 < n; i++) rate(bpe, id, i, rank, made);
    while (n > 1) {
        size_t best = 0;
        for (size_t i = 1; i + 1 < n; i++)
            if (rank[i] < rank[best]) best = i;
        if (rank[best] == UINT32_MAX) break;
        id[best] = made[best];
        n--;
        memmove(id + best + 1, id + best + 2, (n - best - 1) * sizeof *id);
        if (best + 1 < n) {
            memmove(rank + best + 1, rank + best + 2, (n - best - 2) * sizeof *rank);
            memmove(made + best + 1, made + best + 2, (n - best - 2) * sizeof *made);
            rate(bpe, id, best, rank, made);
        }
        if (best) rate(bpe, id, best - 1, rank, made);
    }
    symbol->n = n;
}

/* ---- long words ---- */

typedef struct rp_bpe_link {
    int32_t prev, next; /* -1: none */
} link_;
typedef struct rp_bpe_job {
    uint64_t key; /* rank, then place: what is merged first */
    int32_t made;
} job;

static rp_status push_job(const rp_bpe *bpe, rp_scratch *s, size_t left, size_t right,
                          rp_error *err)
{
    const rp_merge *m = rp_bpe_merge(bpe, s->symbol.id[left], s->symbol.id[right]);
    if (!m) return RP_OK;
    rp_status status = rp_grow(&s->heap, &s->heap_cap, s->nheap + 1, sizeof *s->heap, err);
    if (status) return status;
    job j = {(uint64_t)m->rank << 32 | left, m->id};
    size_t i = s->nheap++;
    for (; i && s->heap[(i - 1) / 4].key > j.key; i = (i - 1) / 4)
        s->heap[i] = s->heap[(i - 1) / 4];
    s->heap[i] = j;
    return RP_OK;
}

static job pop_job(rp_scratch *s)
{
    job top = s->heap[0], last = s->heap[--s->nheap];
    size_t i = 0;
    for (;;) {
        size_t best = 4 * i + 1;
        if (best >= s->nheap) break;
        for (size_t k = best + 1; k < 4 * i + 5 && k < s->nheap; k++)
            if (s->heap[k].key < s->heap[best].key) best = k;
        if (s->heap[best].key >= last.key) break;
        s->heap[i] = s->heap[best];
        i = best;
    }
    s->heap[i] = last;
    return top;
}

/* Merged-away symbols have id -1. */
static rp_status merge_heap(const rp_bpe *bpe, rp_scratch *s, rp_error *err)
{
    size_t n = s->symbol.n;
    int32_t *id = s->symbol.id;
    rp_status status = rp_grow(&s->link, &s->link_cap, n, sizeof *s->link, err);
    if (status) return status;
    link_ *link = s->link;
    s->nheap = 0;
    for (size_t i = 0; i < n && !status; i++) {
        link[i] = (link_){(int32_t)i - 1, i + 1 < n ? (int32_t)i + 1 : -1};
        if (i + 1 < n) status = push_job(bpe, s, i, i + 1, err);
    }
    while (s->nheap && !status) {
        job j = pop_job(s);
        size_t at = (size_t)(j.key & UINT32_MAX);
        int32_t next = link[at].next;
        if (id[at] < 0 || next < 0) continue;
        const rp_merge *m = rp_bpe_merge(bpe, id[at], id[next]);
        if (!m || m->id != j.made) continue; /* one of the two has become another symbol */
        id[at] = j.made;
        id[next] = -1;
        link[at].next = link[next].next;
        if (link[at].next >= 0) link[link[at].next].prev = (int32_t)at;
        if (link[at].prev >= 0) status = push_job(bpe, s, (size_t)link[at].prev, at, err);
        if (!status && link[at].next >= 0)
            status = push_job(bpe, s, at, (size_t)link[at].next, err);
    }
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (id[i] >= 0) id[kept++] = id[i];
    s->symbol.n = kept;
    return status;
}

/* ---- words ---- */

rp_status rp_bpe_merge_word(const rp_bpe *bpe, rp_scratch *scratch, rp_ids *out, const char *word,
                            size_t len, rp_error *err)
{
    rp_ids *symbol = &scratch->symbol;
    rp_status status = first_symbols(bpe, symbol, word, len, err);
    if (status) return status;
    /* a prefix lets a merge make the same piece of other pieces: only the heap follows that */
    if (symbol->n <= SCAN_LIMIT && !bpe->prefix)
        merge_scan(bpe, symbol);
    else
        status = merge_heap(bpe, scratch, err);
    for (size_t i = 0; i < symbol->n && !status; i++) status = rp_ids_push(out, symbol->id[i], err);
    return status;
}

static rp_status encode_part(const rp_bpe *bpe, rp_scratch *scratch, rp_ids *out, const char *word,
                             size_t len, rp_error *err)
{
    const rp_dict_entry *e = rp_dict_find(bpe->word, word, len);
    return e && e->whole ? rp_ids_push(out, e->id, err)
                         : rp_bpe_merge_word(bpe, scratch, out, word, len, err);
}

rp_status rp_bpe_encode(const rp_lexicon *lexicon, rp_scratch *scratch, rp_ids *out,
                        const char *word, size_t len, rp_error *err)
{
    const rp_bpe *bpe = (const rp_bpe *)lexicon;
    const rp_dict_entry *e = bpe->ignore_merges ? rp_dict_find(bpe->word, word, len) : NULL;
    if (e) return rp_ids_push(out, e->id, err);
    if (!bpe->cut) return encode_part(bpe, scratch, out, word, len, err);
    rp_status status = RP_OK;
    size_t from = 0;
    bool mark = true;
    for (size_t i = 0; i < len && !status;) {
        bool now = len - i >= 3 && !memcmp(word + i, "\xe2\x96\x81", 3);
        if (now && !mark) {
            status = encode_part(bpe, scratch, out, word + from, i - from, err);
            from = i;
        }
        mark = now;
        i += now ? 3 : 1;
    }
    return status ? status : encode_part(bpe, scratch, out, word + from, len - from, err);
}
