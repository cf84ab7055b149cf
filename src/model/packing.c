#include "model/packing.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum {
    MOST = 512, /* sequences that share a head at most: bounds the search */
    COST = 4
}; /* tokens that a head costs beside its own */

void rp_packing_release(rp_packing *p)
{
    free(p->piece), free(p->scratch);
    *p = (rp_packing){0};
}

static rp_status reserve(rp_packing *p, size_t nseq, rp_error *err)
{
    if (nseq <= p->cap) return RP_OK;
    rp_packing_release(p);
    p->piece = rp_alloc(nseq, 2 * sizeof *p->piece);
    p->scratch = rp_alloc(nseq + 1, 3 * sizeof *p->scratch);
    if (!p->piece || !p->scratch) return rp_fail_memory(err, nseq * 2 * sizeof *p->piece);
    p->cap = nseq;
    return RP_OK;
}

/* Tokens that sequences i and i + 1 begin with; each keeps one of its own at least. */
static size_t common(const rp_batch *b, size_t i)
{
    const size_t *start = b->start + i;
    size_t n = start[1] - start[0], m = start[2] - start[1], k = 0;
    const int32_t *one = b->ids + start[0], *two = b->ids + start[1];
    while (k + 1 < n && k + 1 < m && one[k] == two[k] &&
           (!b->segment || b->segment[start[0] + k] == b->segment[start[1] + k]))
        k++;
    return k;
}

/* from [nseq + 1]: sequences from[j] .. j - 1 are the last group of the best partition of the first
 * j; best is what saves the most tokens. shared [nseq]: what neighbours have in common. */
static void partition(size_t *from, size_t *best, const size_t *shared, size_t nseq)
{
    best[0] = 0;
    for (size_t j = 1; j <= nseq; j++) {
        size_t least = SIZE_MAX;
        best[j] = best[j - 1], from[j] = j - 1;
        for (size_t i = j - 1; i-- > 0 && j - i <= MOST;) {
            if (shared[i] < least) least = shared[i];
            if (!least) break;
            size_t saved = best[i] + (j - i - 1) * least;
            if (saved > best[j] + COST) best[j] = saved - COST, from[j] = i;
        }
    }
}

/* Lays a head for each group of several, walking the groups from the last one: head [nseq] <- which
 * head a sequence has; 0: none, else one more than its piece. */
static void lay_heads(rp_packing *p, size_t *head, const rp_batch *b, const size_t *from,
                      const size_t *shared)
{
    for (size_t j = b->nseq; j > 0; j = from[j]) {
        size_t first = from[j], least = SIZE_MAX;
        for (size_t i = first; i + 1 < j; i++)
            if (shared[i] < least) least = shared[i];
        bool alone = j - first < 2;
        if (!alone)
            p->piece[p->nheads++] = (rp_piece){p->rows, least, b->start[first], 0, 0, first};
        for (size_t i = first; i < j; i++) head[i] = alone ? 0 : p->nheads;
        if (!alone) p->rows += least;
    }
    p->head_rows = p->rows;
}

rp_status rp_packing_make(rp_packing *p, const rp_batch *b, bool share, rp_error *err)
{
    rp_status status = reserve(p, b->nseq, err);
    if (status) return status;
    size_t *shared = p->scratch, *from = shared + b->nseq + 1, *best = from + b->nseq + 1;
    p->nheads = p->rows = p->head_rows = p->longest = 0;
    if (share) {
        for (size_t i = 0; i + 1 < b->nseq; i++) shared[i] = common(b, i);
        partition(from, best, shared, b->nseq);
        lay_heads(p, best, b, from, shared);
    }
    p->n = p->nheads + b->nseq;
    for (size_t i = 0; i < b->nseq; i++) {
        size_t tokens = b->start[i + 1] - b->start[i];
        const rp_piece *head = share && best[i] ? &p->piece[best[i] - 1] : NULL;
        size_t at = head ? head->n : 0;
        p->piece[p->nheads + i] =
            (rp_piece){p->rows, tokens - at, b->start[i] + at, at, head ? head->row : 0, i};
        p->rows += tokens - at;
        if (tokens > p->longest) p->longest = tokens;
    }
    return RP_OK;
}
