#include "retrieve/topk.h"

#include <stdlib.h>

#define WINDOW 16384 /* documents whose scores are summed at a time: they stay in the cache */

struct rp_topk {
    size_t k, n;
    rp_hit *hit; /* heap, the worst on top */
    size_t cap;
    double score[WINDOW];
    uint8_t seen[WINDOW];
    uint32_t touched[WINDOW];
    size_t *cursor; /* [terms] */
    size_t cursor_cap;
};

rp_topk *rp_topk_new(size_t k)
{
    rp_topk *topk = rp_alloc(1, sizeof *topk);
    if (topk) topk->k = k;
    return topk;
}

void rp_topk_free(rp_topk *topk)
{
    if (!topk) return;
    free(topk->hit);
    free(topk->cursor);
    free(topk);
}

/* Does a rank behind b? */
static bool behind(const rp_hit *a, const rp_hit *b)
{
    return rp_hit_compare(a, b) > 0;
}

static void sift_down(rp_hit *heap, size_t n)
{
    for (size_t i = 0;;) {
        size_t child = 2 * i + 1;
        if (child >= n) return;
        if (child + 1 < n && behind(&heap[child + 1], &heap[child])) child++;
        if (!behind(&heap[child], &heap[i])) return;
        rp_hit swap = heap[i];
        heap[i] = heap[child];
        heap[child] = swap;
        i = child;
    }
}

static rp_status offer(rp_topk *topk, rp_hit hit, rp_error *err)
{
    rp_hit *heap = topk->hit;
    if (topk->n == topk->k) {
        if ((float)hit.score < (float)heap[0].score || !behind(&heap[0], &hit)) return RP_OK;
        heap[0] = hit;
        sift_down(heap, topk->n);
        return RP_OK;
    }
    rp_status status = rp_grow(&topk->hit, &topk->cap, topk->n + 1, sizeof *topk->hit, err);
    if (status) return status;
    heap = topk->hit;
    size_t i = topk->n++;
    for (; i && behind(&hit, &heap[(i - 1) / 2]); i = (i - 1) / 2) heap[i] = heap[(i - 1) / 2];
    heap[i] = hit;
    return RP_OK;
}

/* Scores of documents begin .. begin + WINDOW - 1, those that have a term; their number. */
static size_t score_window(rp_topk *topk, const rp_postings *p, size_t begin,
                           const rp_query_term *terms, size_t nterms, const rp_bm25 *bm25)
{
    size_t n = 0;
    double avgdl = (double)p->totals.terms / (double)p->totals.documents;
    for (size_t t = 0; t < nterms; t++) {
        const rp_posting_list *list = &p->list[terms[t].term];
        size_t i = topk->cursor[t];
        for (; i < list->n && list->item[i].doc < begin + WINDOW; i++) {
            uint32_t doc = list->item[i].doc, at = doc - (uint32_t)begin;
            double weight =
                rp_bm25_weight(bm25, terms[t].weight, list->item[i].f, p->length[doc], avgdl);
            if (topk->seen[at]) {
                topk->score[at] += weight;
                continue;
            }
            topk->seen[at] = 1;
            topk->score[at] = weight;
            topk->touched[n++] = at;
        }
        topk->cursor[t] = i;
    }
    return n;
}

static int compare_hits(const void *a, const void *b)
{
    return rp_hit_compare(a, b);
}

rp_status rp_topk_run(rp_topk *topk, const rp_hit **hits, size_t *nhits,
                      const rp_postings *postings, const rp_query_term *terms, size_t nterms,
                      const rp_bm25 *bm25, rp_error *err)
{
    rp_status status =
        rp_grow(&topk->cursor, &topk->cursor_cap, nterms + 1, sizeof *topk->cursor, err);
    if (status) return status;
    for (size_t t = 0; t < nterms; t++) topk->cursor[t] = 0;
    topk->n = 0;
    for (size_t begin = 0; begin < postings->ndocs && !status; begin += WINDOW) {
        size_t n = score_window(topk, postings, begin, terms, nterms, bm25);
        for (size_t i = 0; i < n; i++) {
            uint32_t at = topk->touched[i];
            topk->seen[at] = 0;
            rp_hit hit = {postings->id[begin + at], (float)topk->score[at]};
            if (!status) status = offer(topk, hit, err);
        }
    }
    if (topk->n) qsort(topk->hit, topk->n, sizeof *topk->hit, compare_hits);
    *hits = topk->hit;
    *nhits = status ? 0 : topk->n;
    return status;
}
