#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "data/data.h"
#include "data/group.h"

enum { TREC, BEIR, AUTO };
static const char *const format_names[] = {"trec", "beir"};

struct rp_qrels {
    rp_group group;
    int *grade;         /* [n] query by query, in file order */
    const char **docid; /* [n] the same */
    size_t *by_docid;   /* [n] of each query: 0..count-1 sorted by docid, for the look-up */
};

static rp_status recognise(rp_source *src, size_t *format, rp_error *err)
{
    char *line;
    size_t len;
    rp_status s = rp_source_peek(src, &line, &len, err);
    if (s || *format != AUTO) return s;
    size_t n = rp_fields_count(line);
    if (n == 3 && strncmp(line, "query-id", 8) == 0) {
        *format = BEIR;
    } else if (n == 4) {
        *format = TREC;
    } else if (n == 6) {
        return rp_source_fail(src, err, "6 columns: this is a run, not qrels");
    } else {
        return rp_source_fail(src, err,
                              "%zu columns: qrels have 4 (TREC), or 3 under the header "
                              "'query-id corpus-id score' (BEIR)",
                              n);
    }
    return RP_OK;
}

static rp_status add_row(rp_qrels *q, const rp_source *src, char *line, size_t format,
                         rp_error *err)
{
    char *field[4];
    size_t want = format == TREC ? 4 : 3, n = rp_fields_blank(line, field, 4);
    if (n != want) return rp_source_fail(src, err, "%zu columns, qrels have %zu", n, want);
    long grade;
    if (!rp_number_int(field[want - 1], &grade) || grade > INT_MAX || grade < INT_MIN) {
        return rp_source_fail(src, err, "grade is not a whole number: '%.80s'", field[want - 1]);
    }
    return rp_group_add(&q->group, src, field[0], field[want - 2], (double)grade, err);
}

static rp_status read_all(rp_qrels *q, rp_source *src, size_t format, rp_error *err)
{
    rp_status s = recognise(src, &format, err);
    bool first = true;
    for (; !s; first = false) {
        char *line;
        size_t len;
        s = rp_source_next(src, &line, &len, err);
        if (s || !line) break;
        if (first && format == BEIR && strncmp(line, "query-id", 8) == 0) continue;
        if (first && format == BEIR)
            return rp_source_fail(src, err, "no header line 'query-id ...'");
        s = add_row(q, src, line, format, err);
    }
    if (!s && q->group.n == 0) s = rp_fail(err, RP_EFORMAT, "'%s': no judgements", src->path);
    return s ? s : rp_group_finish(&q->group, src, err);
}

typedef struct ref {
    const char *docid;
    size_t at;
} ref;

static int ref_compare(const void *a, const void *b)
{
    return strcmp(((const ref *)a)->docid, ((const ref *)b)->docid);
}

static rp_status build(rp_qrels *q, rp_error *err)
{
    const rp_group *g = &q->group;
    q->grade = rp_alloc(g->n, sizeof *q->grade);
    q->docid = rp_alloc(g->n, sizeof *q->docid);
    q->by_docid = rp_alloc(g->n, sizeof *q->by_docid);
    ref *refs = rp_alloc(g->n, sizeof *refs);
    if (!q->grade || !q->docid || !q->by_docid || !refs) {
        free(refs);
        return rp_fail_memory(err, g->n * sizeof *refs);
    }
    for (size_t i = 0; i < g->n; i++) {
        q->grade[i] = (int)g->record[i].value;
        q->docid[i] = g->record[i].docid;
    }
    for (size_t t = 0; t < g->nqueries; t++) {
        size_t from = g->first[t], n = g->first[t + 1] - from;
        for (size_t i = 0; i < n; i++) refs[i] = (ref){q->docid[from + i], i};
        qsort(refs, n, sizeof *refs, ref_compare);
        for (size_t i = 0; i < n; i++) q->by_docid[from + i] = refs[i].at;
    }
    free(refs);
    return RP_OK;
}

rp_status rp_qrels_load(rp_qrels **out, const char *path, const char *format, rp_error *err)
{
    static const char *const names[] = {"qrels/test.tsv", "test.tsv", NULL};
    char file[PATH_MAX];
    size_t which;
    *out = NULL;
    rp_source src = {0};
    rp_qrels *q = calloc(1, sizeof *q);
    if (!q) return rp_fail_memory(err, sizeof *q);
    rp_status s = rp_source_format(&which, format, format_names, AUTO, "qrels", err);
    if (!s) s = rp_group_init(&q->group, err);
    if (!s) s = rp_source_resolve(file, sizeof file, path, names, true, err);
    if (!s) s = rp_source_open(&src, file, err);
    if (!s) s = read_all(q, &src, which, err);
    if (!s) s = build(q, err);
    rp_source_release(&src);
    if (s) {
        rp_qrels_free(q);
        return s;
    }
    *out = q;
    return RP_OK;
}

void rp_qrels_free(rp_qrels *q)
{
    if (!q) return;
    rp_group_release(&q->group);
    free(q->grade);
    free(q->docid);
    free(q->by_docid);
    free(q);
}

size_t rp_qrels_queries(const rp_qrels *q)
{
    return q->group.nqueries;
}

const char *rp_qrels_qid(const rp_qrels *q, size_t i)
{
    return q->group.qid[i];
}

size_t rp_qrels_find(const rp_qrels *q, const char *qid)
{
    return rp_group_find(&q->group, qid);
}

size_t rp_qrels_grades(const rp_qrels *q, size_t i, const int **grades, const char *const **docids)
{
    size_t from = q->group.first[i];
    if (grades) *grades = q->grade + from;
    if (docids) *docids = q->docid + from;
    return q->group.first[i + 1] - from;
}

bool rp_qrels_grade_at(const rp_qrels *q, size_t i, const char *docid, int *grade)
{
    size_t from = q->group.first[i], lo = 0, hi = q->group.first[i + 1] - from;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2, at = from + q->by_docid[from + mid];
        int order = strcmp(docid, q->docid[at]);
        if (order == 0) {
            *grade = q->grade[at];
            return true;
        }
        if (order < 0) hi = mid;
        if (order > 0) lo = mid + 1;
    }
    return false;
}

bool rp_qrels_grade(const rp_qrels *q, const char *qid, const char *docid, int *grade)
{
    size_t i = rp_qrels_find(q, qid);
    return i != SIZE_MAX && rp_qrels_grade_at(q, i, docid, grade);
}
