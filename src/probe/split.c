#include "probe/split.h"

#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/memory.h"

enum { SALT_PAIR = 0x70616972, SALT_OUTER = 0x6f757472, SALT_INNER = 0x696e6e72 };

uint64_t rp_split_query_key(uint64_t seed, const char *qid, uint64_t salt)
{
    uint64_t word[2] = {seed, salt};
    return rp_checksum_bytes(qid, strlen(qid), rp_checksum_bytes(word, sizeof word, 0));
}

uint64_t rp_split_pair_key(uint64_t seed, const char *qid, const char *docid)
{
    return rp_checksum_bytes(docid, strlen(docid), rp_split_query_key(seed, qid, SALT_PAIR));
}

typedef struct query {
    const char *qid;
    size_t index, rows;
    uint64_t key;
} query;

static int compare(const void *a, const void *b)
{
    const query *p = a, *q = b;
    if (p->key != q->key) return p->key < q->key ? -1 : 1;
    return strcmp(p->qid, q->qid);
}

/* The fold with the smallest load; ties go to the smallest total, then to the lowest number. */
static size_t lightest(const size_t *load, const size_t *total, size_t folds)
{
    size_t best = 0;
    for (size_t f = 1; f < folds; f++)
        if (load[f] < load[best] || (load[f] == load[best] && total[f] < total[best])) best = f;
    return best;
}

static void deal_inner(int *inner, const int *outer, query *q, size_t nqueries, size_t folds,
                       size_t ninner, size_t *load, size_t *total)
{
    memset(total, 0, ninner * sizeof *total);
    for (size_t f = 0; f < folds; f++) {
        memset(load, 0, ninner * sizeof *load);
        for (size_t i = 0; i < nqueries; i++) {
            if (outer[q[i].index] != (int)f) continue;
            size_t to = lightest(load, total, ninner);
            inner[q[i].index] = (int)to;
            load[to] += q[i].rows, total[to] += q[i].rows;
        }
    }
}

rp_status rp_split_queries(int *outer, int *inner, const char *const *qid, const size_t *rows,
                           size_t nqueries, size_t folds, size_t ninner, uint64_t seed,
                           rp_error *err)
{
    if (folds < 2 || ninner < 2)
        return rp_fail(err, RP_EARG, "at least 2 folds are needed, not %zu",
                       folds < 2 ? folds : ninner);
    if (nqueries < folds)
        return rp_fail(err, RP_EARG, "%zu folds by query need at least %zu queries, there are %zu",
                       folds, folds, nqueries);
    size_t most = folds > ninner ? folds : ninner;
    query *q = rp_alloc(nqueries, sizeof *q);
    size_t *load = rp_alloc(2 * most, sizeof *load);
    if (!q || !load) {
        free(q), free(load);
        return rp_fail_memory(err, nqueries * sizeof *q);
    }
    for (size_t i = 0; i < nqueries; i++)
        q[i] = (query){qid[i], i, rows[i], rp_split_query_key(seed, qid[i], SALT_OUTER)};
    qsort(q, nqueries, sizeof *q, compare);
    for (size_t i = 0; i < nqueries; i++) {
        size_t to = lightest(load, load, folds);
        outer[q[i].index] = (int)to;
        load[to] += rows[q[i].index];
    }
    for (size_t i = 0; i < nqueries; i++) q[i].key = rp_split_query_key(seed, q[i].qid, SALT_INNER);
    qsort(q, nqueries, sizeof *q, compare);
    deal_inner(inner, outer, q, nqueries, folds, ninner, load, load + most);
    free(q), free(load);
    return RP_OK;
}
