#include "data/run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "data/group.h"

enum { TREC, MSMARCO, TOP1000, AUTO };
static const char *const format_names[] = {"trec", "msmarco", "top1000"};

struct rp_run {
    rp_group group;
    rp_hit *hit; /* [n] query by query, in trec_eval's order */
    rp_ties ties;
    size_t contradictions;
    bool keep;          /* the texts of a top1000 file */
    const char **query; /* [nqueries] of a top1000 file, NULL otherwise */
    size_t *count;      /* [nqueries] its rows so far */
    size_t query_cap, count_cap;
};

int rp_hit_compare(const void *a, const void *b)
{
    const rp_hit *x = a, *y = b;
    float sx = (float)x->score, sy = (float)y->score;
    if (sx != sy) return sx > sy ? -1 : 1;
    return strcmp(y->docid, x->docid);
}

static rp_status recognise(rp_source *src, size_t *format, rp_error *err)
{
    char *line;
    size_t len, tabs = 0;
    rp_status s = rp_source_peek(src, &line, &len, err);
    if (s || *format != AUTO) return s;
    for (const char *p = strchr(line, '\t'); p; p = strchr(p + 1, '\t')) tabs++;
    size_t n = rp_fields_count(line);
    if (n == 4 && (tabs != 3 || strncmp(strchr(line, '\t'), "\tQ0\t", 4) == 0)) {
        return rp_source_fail(src, err, "4 columns: these are qrels, not a run");
    } else if (tabs == 3) {
        *format = TOP1000;
    } else if (n == 6) {
        *format = TREC;
    } else if (n == 3) {
        *format = MSMARCO;
    } else {
        return rp_source_fail(
            src, err,
            "%zu columns: a run has 6 (TREC), 3 (MS MARCO) or 4 separated by tabs "
            "(top1000)",
            n);
    }
    return RP_OK;
}

static rp_status add_trec(rp_run *run, const rp_source *src, char *line, rp_error *err)
{
    char *field[6];
    size_t n = rp_fields_blank(line, field, 6);
    long rank;
    double score;
    if (n != 6) return rp_source_fail(src, err, "%zu columns, a TREC run has 6", n);
    if (!rp_number_int(field[3], &rank)) {
        return rp_source_fail(src, err, "rank is not a number: '%.80s'", field[3]);
    }
    if (!rp_number_double(field[4], &score) || isnan(score)) {
        return rp_source_fail(src, err, "score is not a number: '%.80s'", field[4]);
    }
    rp_status s = rp_group_add(&run->group, src, field[0], field[2], score, err);
    if (!s) run->group.record[run->group.n - 1].rank = rank;
    return s;
}

static rp_status add_msmarco(rp_run *run, const rp_source *src, char *line, rp_error *err)
{
    char *field[3];
    size_t n = rp_fields_blank(line, field, 3);
    long rank;
    if (n != 3) return rp_source_fail(src, err, "%zu columns, an MS MARCO run has 3", n);
    if (!rp_number_int(field[2], &rank)) {
        return rp_source_fail(src, err, "rank is not a number: '%.80s'", field[2]);
    }
    return rp_group_add(&run->group, src, field[0], field[1], -(double)rank, err);
}

/* The query's text comes with every row; it must be the same one. */
static rp_status add_top1000(rp_run *run, const rp_source *src, char *line, rp_error *err)
{
    rp_group *g = &run->group;
    char *field[4];
    size_t n = rp_fields_tab(line, field, 4), before = g->nqueries;
    if (n != 4) return rp_source_fail(src, err, "%zu columns, a top1000 file has 4", n);
    rp_status s = rp_source_check_id(src, field[0], "query id", err);
    if (!s) s = rp_source_check_id(src, field[1], "document id", err);
    if (!s) s = rp_group_add(g, src, field[0], field[1], 0, err);
    if (!s) s = rp_grow(&run->query, &run->query_cap, g->nqueries, sizeof *run->query, err);
    if (!s) s = rp_grow(&run->count, &run->count_cap, g->nqueries, sizeof *run->count, err);
    if (s) return s;
    rp_record *r = &g->record[g->n - 1];
    if (g->nqueries > before) {
        run->count[r->query] = 0;
        run->query[r->query] = rp_arena_strdup(g->strings, field[2]);
        if (!run->query[r->query]) return rp_fail_memory(err, strlen(field[2]));
    } else if (strcmp(run->query[r->query], field[2]) != 0) {
        return rp_source_fail(src, err, "query '%.80s' again, with another text", field[0]);
    }
    r->value = -(double)++run->count[r->query];
    if (run->keep) {
        r->text = rp_arena_strdup(g->strings, field[3]);
        if (!r->text) return rp_fail_memory(err, strlen(field[3]));
    }
    return RP_OK;
}

static rp_status read_all(rp_run *run, rp_source *src, size_t format, rp_error *err)
{
    static rp_status (*const add[])(rp_run *, const rp_source *, char *, rp_error *) = {
        [TREC] = add_trec, [MSMARCO] = add_msmarco, [TOP1000] = add_top1000};
    rp_status s = recognise(src, &format, err);
    while (!s) {
        char *line;
        size_t len;
        s = rp_source_next(src, &line, &len, err);
        if (s || !line) break;
        s = add[format](run, src, line, err);
    }
    return s ? s : rp_group_finish(&run->group, src, err);
}

static int by_docid(const void *a, const void *b)
{
    const rp_record *x = a, *y = b;
    const rp_hit hx = {x->docid, x->value}, hy = {y->docid, y->value};
    return rp_hit_compare(&hx, &hy);
}

static int by_rank(const void *a, const void *b)
{
    const rp_record *x = a, *y = b;
    if ((float)x->value != (float)y->value || x->rank == y->rank) return by_docid(a, b);
    return x->rank < y->rank ? -1 : 1;
}

static rp_status sort_hits(rp_run *run, rp_error *err)
{
    const rp_group *g = &run->group;
    run->hit = rp_alloc(g->n, sizeof *run->hit);
    if (!run->hit) return rp_fail_memory(err, g->n * sizeof *run->hit);
    for (size_t q = 0; q < g->nqueries; q++) {
        qsort(g->record + g->first[q], g->first[q + 1] - g->first[q], sizeof *g->record,
              run->ties == RP_TIES_RANK ? by_rank : by_docid);
    }
    for (size_t i = 0; i < g->n; i++) {
        const rp_record *r = &g->record[i];
        run->hit[i] = (rp_hit){r->docid, r->value};
        bool tied = i && r[-1].query == r->query && (float)r[-1].value == (float)r->value;
        run->contradictions += tied && r[-1].rank > r->rank;
    }
    return RP_OK;
}

static rp_status load(rp_run **out, const char *path, const char *format, rp_ties ties, bool keep,
                      rp_error *err)
{
    size_t which;
    *out = NULL;
    rp_source src = {0};
    rp_run *run = calloc(1, sizeof *run);
    if (!run) return rp_fail_memory(err, sizeof *run);
    run->keep = keep;
    run->ties = ties;
    rp_status s = rp_source_format(&which, format, format_names, AUTO, "run", err);
    if (!s) s = rp_group_init(&run->group, err);
    if (!s) s = rp_source_open(&src, path, err);
    if (!s) s = read_all(run, &src, which, err);
    if (!s) s = sort_hits(run, err);
    rp_source_release(&src);
    if (s) {
        rp_run_free(run);
        return s;
    }
    *out = run;
    return RP_OK;
}

rp_status rp_run_load(rp_run **run, const char *path, const char *format, rp_error *err)
{
    return load(run, path, format, RP_TIES_DOCID, false, err);
}

rp_status rp_run_load_ties(rp_run **run, const char *path, const char *format, rp_ties ties,
                           rp_error *err)
{
    return load(run, path, format, ties, false, err);
}

size_t rp_run_contradictions(const rp_run *run)
{
    return run->contradictions;
}

rp_status rp_run_load_texts(rp_run **run, const char *path, const char *format, rp_error *err)
{
    return load(run, path, format, RP_TIES_DOCID, true, err);
}

void rp_run_free(rp_run *run)
{
    if (!run) return;
    rp_group_release(&run->group);
    free(run->hit);
    free(run->query);
    free(run->count);
    free(run);
}

size_t rp_run_queries(const rp_run *run)
{
    return run->group.nqueries;
}

const char *rp_run_qid(const rp_run *run, size_t i)
{
    return run->group.qid[i];
}

size_t rp_run_hits(const rp_run *run, size_t i, const rp_hit **hits)
{
    *hits = run->hit + run->group.first[i];
    return run->group.first[i + 1] - run->group.first[i];
}

bool rp_run_has_texts(const rp_run *run)
{
    return run->query != NULL;
}

const char *rp_run_query_text(const rp_run *run, size_t i)
{
    return run->query[i];
}

/* Positions of a top1000 run never tie and never reorder: hits and records are in the same order.
 */
const char *rp_run_passage(const rp_run *run, size_t i, size_t hit)
{
    return run->group.record[run->group.first[i] + hit].text;
}
