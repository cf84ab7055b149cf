#include "data/group.h"

#include <stdlib.h>
#include <string.h>

rp_status rp_group_init(rp_group *g, rp_error *err)
{
    *g = (rp_group){.ids = rp_map_new(), .strings = rp_arena_new()};
    return g->ids && g->strings ? RP_OK : rp_fail_memory(err, sizeof *g);
}

void rp_group_release(rp_group *g)
{
    rp_map_free(g->ids);
    rp_arena_free(g->strings);
    free(g->qid);
    free(g->record);
    free(g->first);
    *g = (rp_group){0};
}

/* Most files have the records of a query together: the last query is tried first. */
static rp_status query_of(rp_group *g, size_t *query, const char *qid, rp_error *err)
{
    if (g->n) {
        *query = g->record[g->n - 1].query;
        if (strcmp(g->qid[*query], qid) == 0) return RP_OK;
    }
    size_t *slot = NULL;
    bool fresh = false;
    const char *copy = NULL;
    rp_status s = rp_map_put(g->ids, qid, strlen(qid), &slot, &fresh, &copy, err);
    if (s) return s;
    if (fresh) {
        *slot = g->nqueries;
        s = rp_grow(&g->qid, &g->qid_cap, g->nqueries + 1, sizeof *g->qid, err);
        if (s) return s;
        g->qid[g->nqueries++] = copy;
    }
    *query = *slot;
    return RP_OK;
}

rp_status rp_group_add(rp_group *g, const rp_source *src, const char *qid, const char *docid,
                       double value, rp_error *err)
{
    size_t query = 0;
    rp_status s = query_of(g, &query, qid, err);
    if (!s) s = rp_grow(&g->record, &g->record_cap, g->n + 1, sizeof *g->record, err);
    if (s) return s;
    const char *copy = rp_arena_strdup(g->strings, docid);
    if (!copy) return rp_fail_memory(err, strlen(docid));
    g->record[g->n++] = (rp_record){
        .docid = copy, .value = value, .query = query, .line = rp_lines_number(src->lines)};
    return RP_OK;
}

/* A counting sort by query, which keeps the order of the file within a query. */
static rp_status sort_by_query(rp_group *g, rp_error *err)
{
    size_t n = g->n, q = g->nqueries;
    rp_record *sorted = rp_alloc(n, sizeof *sorted);
    size_t *next = rp_alloc(q + 1, sizeof *next);
    g->first = rp_alloc(q + 1, sizeof *g->first);
    if (!sorted || !next || !g->first) {
        free(sorted);
        free(next);
        return rp_fail_memory(err, n * sizeof *sorted);
    }
    for (size_t i = 0; i < n; i++) g->first[g->record[i].query + 1]++;
    for (size_t i = 0; i < q; i++) g->first[i + 1] += g->first[i];
    memcpy(next, g->first, q * sizeof *next);
    for (size_t i = 0; i < n; i++) sorted[next[g->record[i].query]++] = g->record[i];
    free(next);
    free(g->record);
    g->record = sorted;
    return RP_OK;
}

static int by_docid(const void *a, const void *b)
{
    const rp_record *x = *(const rp_record *const *)a, *y = *(const rp_record *const *)b;
    int order = strcmp(x->docid, y->docid);
    return order ? order : (x->line > y->line) - (x->line < y->line);
}

static rp_status check_repeats(const rp_group *g, const rp_record **order, const rp_source *src,
                               rp_error *err)
{
    for (size_t q = 0; q < g->nqueries; q++) {
        size_t from = g->first[q], n = g->first[q + 1] - from;
        for (size_t i = 0; i < n; i++) order[i] = &g->record[from + i];
        qsort(order, n, sizeof *order, by_docid);
        for (size_t i = 1; i < n; i++) {
            if (strcmp(order[i]->docid, order[i - 1]->docid) != 0) continue;
            return rp_fail(err, RP_EFORMAT,
                           "'%s' line %zu: document '%.80s' of query '%.80s' again", src->path,
                           order[i]->line, order[i]->docid, g->qid[q]);
        }
    }
    return RP_OK;
}

rp_status rp_group_finish(rp_group *g, const rp_source *src, rp_error *err)
{
    rp_status s = sort_by_query(g, err);
    if (s) return s;
    const rp_record **order = rp_alloc(g->n, sizeof *order);
    if (!order) return rp_fail_memory(err, g->n * sizeof *order);
    s = check_repeats(g, order, src, err);
    free(order);
    return s;
}

size_t rp_group_find(const rp_group *g, const char *qid)
{
    return rp_map_get(g->ids, qid, strlen(qid));
}
