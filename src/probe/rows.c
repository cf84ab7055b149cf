#include "probe/rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/memory.h"
#include "probe/split.h"

rp_status rp_rows_init(rp_rows *rows, const rp_source *source, uint64_t seed, rp_error *err)
{
    size_t n = source->n;
    *rows = (rp_rows){.n = n, .row = source->row, .seed = seed};
    if (!n) return rp_fail(err, RP_EARG, "nothing to probe: the store has no rows");
    rp_status status = RP_OK;
    rp_map *map = rp_map_new();
    rows->query = rp_alloc(n, sizeof *rows->query);
    rows->qid = rp_alloc(n, sizeof *rows->qid);
    rows->count = rp_alloc(n, sizeof *rows->count);
    rows->outer = rp_alloc(n, sizeof *rows->outer);
    rows->inner = rp_alloc(n, sizeof *rows->inner);
    rows->key = rp_alloc(n, sizeof *rows->key);
    if (!map || !rows->query || !rows->qid || !rows->count || !rows->outer || !rows->inner ||
        !rows->key) {
        status = rp_fail_memory(err, n * 8);
        goto done;
    }
    for (size_t i = 0; i < n; i++) {
        const char *qid = source->row[i].qid;
        size_t *slot;
        bool fresh;
        status = rp_map_put(map, qid, strlen(qid), &slot, &fresh, NULL, err);
        if (status) goto done;
        if (fresh) {
            *slot = rows->nqueries;
            rows->qid[rows->nqueries++] = qid;
        }
        rows->query[i] = *slot;
        rows->count[*slot]++;
        rows->key[i] = rp_split_pair_key(seed, qid, source->row[i].docid);
    }
done:
    rp_map_free(map);
    if (status) rp_rows_release(rows);
    return status;
}

rp_status rp_rows_split(rp_rows *rows, size_t folds, size_t inner, rp_error *err)
{
    return rp_split_queries(rows->outer, rows->inner, rows->qid, rows->count, rows->nqueries, folds,
                            inner, rows->seed, err);
}

void rp_rows_release(rp_rows *rows)
{
    free(rows->query), free(rows->qid), free(rows->count);
    free(rows->outer), free(rows->inner), free(rows->key);
    *rows = (rp_rows){0};
}

/* ---- rows by query ---- */

rp_status rp_by_query_init(rp_by_query *v, const rp_rows *rows, const size_t *row, size_t n,
                           const bool *use, rp_error *err)
{
    size_t Q = rows->nqueries, *slot = rp_alloc(Q + 1, sizeof *slot), at = 0;
    *v = (rp_by_query){.at = rp_alloc(n, sizeof *v->at),
                       .first = rp_alloc(Q + 1, sizeof *v->first),
                       .query = rp_alloc(Q, sizeof *v->query)};
    if (!slot || !v->at || !v->first || !v->query) {
        free(slot);
        rp_by_query_release(v);
        return rp_fail_memory(err, n * sizeof *v->at);
    }
    for (size_t i = 0; i < n; i++)
        if (!use || use[i]) slot[rows->query[row ? row[i] : i]]++;
    for (size_t q = 0; q < Q; q++) {
        size_t m = slot[q];
        slot[q] = at;
        if (m) v->query[v->queries] = q, v->first[v->queries++] = at;
        at += m;
    }
    v->first[v->queries] = v->n = at;
    for (size_t i = 0; i < n; i++)
        if (!use || use[i]) v->at[slot[rows->query[row ? row[i] : i]]++] = i;
    free(slot);
    return RP_OK;
}

void rp_by_query_release(rp_by_query *v)
{
    free(v->at), free(v->first), free(v->query);
    *v = (rp_by_query){0};
}

double rp_by_query_spread(const rp_by_query *v, const double *y, double *mean, double *sd)
{
    double all = 0, total = 0, between = 0;
    for (size_t i = 0; i < v->n; i++) all += y[v->at[i]];
    all /= (double)v->n;
    for (size_t q = 0; q < v->queries; q++) {
        double sum = 0, m = (double)(v->first[q + 1] - v->first[q]);
        for (size_t i = v->first[q]; i < v->first[q + 1]; i++) {
            double e = y[v->at[i]] - all;
            sum += e, total += e * e;
        }
        between += sum * sum / m;
    }
    if (mean) *mean = all;
    if (sd) *sd = sqrt(total / (double)v->n);
    return total > 0 ? between / total : NAN;
}

/* ---- balance ---- */

typedef struct drawn {
    double y;
    uint64_t key;
    size_t row, bin;
} drawn;

static int by_value(const void *a, const void *b)
{
    const drawn *p = a, *q = b;
    return p->y < q->y ? -1 : p->y > q->y ? 1 : 0;
}

static int by_bin(const void *a, const void *b)
{
    const drawn *p = a, *q = b;
    if (p->bin != q->bin) return p->bin < q->bin ? -1 : 1;
    if (p->key != q->key) return p->key < q->key ? -1 : 1;
    return p->row < q->row ? -1 : 1; /* equal hashes: not in practice */
}

static double quantile(const drawn *v, size_t n, double q)
{
    double at = q * (double)(n - 1);
    size_t i = (size_t)at;
    if (i + 1 >= n) return v[n - 1].y;
    return v[i].y + (at - (double)i) * (v[i + 1].y - v[i].y);
}

/* Gives v, sorted by value, their bins; returns the number of bins. */
static size_t assign_bins(drawn *v, size_t n, size_t bins)
{
    size_t distinct = 1, by_values = bins > 10 ? bins : 10;
    for (size_t i = 1; i < n; i++) distinct += v[i].y > v[i - 1].y;
    if (distinct < by_values) {
        for (size_t i = 1; i < n; i++) v[i].bin = v[i - 1].bin + (v[i].y > v[i - 1].y);
        return distinct;
    }
    double lo = quantile(v, n, .01), hi = quantile(v, n, .99);
    if (hi <= lo) lo = v[0].y, hi = v[n - 1].y;
    for (size_t i = 0; i < n; i++) {
        double at = floor((v[i].y - lo) / (hi - lo) * (double)bins);
        v[i].bin = at <= 0 ? 0 : at >= (double)bins ? bins - 1 : (size_t)at;
    }
    return bins;
}

/* How many to take from each bin. */
static size_t each(const size_t *count, size_t nbins, size_t n, size_t least)
{
    size_t m = SIZE_MAX;
    for (size_t b = 0; b < nbins; b++)
        if (count[b] && count[b] < m) m = count[b];
    size_t want = n < least ? n : least;
    size_t low = m, high = n;
    while (low < high) { /* the smallest that keeps enough */
        size_t mid = low + (high - low) / 2, sum = 0;
        for (size_t b = 0; b < nbins; b++) sum += count[b] < mid ? count[b] : mid;
        if (sum >= want)
            high = mid;
        else
            low = mid + 1;
    }
    return low;
}

rp_status rp_balance(bool *keep, size_t *nbins, size_t *available, size_t *kept, const double *y,
                     const rp_rows *rows, size_t bins, size_t least, rp_error *err)
{
    size_t n = 0, count[RP_BALANCE_BINS] = {0};
    if (bins < 1 || bins > RP_BALANCE_BINS)
        return rp_fail(err, RP_EARG, "balance must be between 0 and %d bins, not %zu",
                       RP_BALANCE_BINS, bins);
    memset(keep, 0, rows->n * sizeof *keep);
    *nbins = 0;
    drawn *v = rp_alloc(rows->n, sizeof *v);
    if (!v) return rp_fail_memory(err, rows->n * sizeof *v);
    for (size_t i = 0; i < rows->n; i++)
        if (isfinite(y[i])) v[n++] = (drawn){y[i], rows->key[i] * 0x9e3779b97f4a7c15u, i, 0};
    if (n) {
        qsort(v, n, sizeof *v, by_value);
        *nbins = assign_bins(v, n, bins);
        qsort(v, n, sizeof *v, by_bin);
        for (size_t i = 0; i < n; i++) count[v[i].bin]++;
        size_t m = each(count, *nbins, n, least), seen = 0;
        for (size_t i = 0; i < n; i++) {
            seen = i && v[i].bin == v[i - 1].bin ? seen + 1 : 1;
            keep[v[i].row] = seen <= m;
        }
        for (size_t b = 0; b < *nbins; b++) {
            if (available) available[b] = count[b];
            if (kept) kept[b] = count[b] < m ? count[b] : m;
        }
    }
    free(v);
    return RP_OK;
}
