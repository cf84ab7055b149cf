/* rp_eval: runs against qrels, one table. */
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/memory.h"
#include "data/data.h"
#include "measure/measure.h"

#define MAX_MEASURES 64

typedef struct eval {
    const rp_eval_options *o;
    const rp_host *host;
    rp_qrels *qrels;
    rp_measure measure[MAX_MEASURES];
    size_t nmeasures;
    int *grade, *ideal; /* scratch of one query */
    size_t grade_cap, ideal_cap;
} eval;

void rp_eval_options_init(rp_eval_options *o)
{
    *o = (rp_eval_options){.qrels_format = "auto",
                           .run_format = "auto",
                           .measures = "ndcg@10,mrr@10,map,p@10,recall@100",
                           .relevance = 1,
                           .ties = "docid",
                           .output = "-"};
}

static int descending(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    return (x < y) - (x > y);
}

/* The query's list, in scratch of e. */
static rp_status rank(eval *e, rp_ranking *r, const rp_run *run, size_t topic, size_t judged,
                      rp_error *err)
{
    const rp_hit *hits;
    const int *grades;
    size_t n = rp_run_hits(run, topic, &hits), m = rp_qrels_grades(e->qrels, judged, &grades, NULL);
    rp_status s = rp_grow(&e->grade, &e->grade_cap, n, sizeof *e->grade, err);
    if (!s) s = rp_grow(&e->ideal, &e->ideal_cap, m, sizeof *e->ideal, err);
    if (s) return s;
    *r = (rp_ranking){.grade = e->grade, .n = n, .ideal = e->ideal, .relevance = e->o->relevance};
    for (size_t i = 0; i < m; i++) {
        if (grades[i] > 0) e->ideal[r->npositive++] = grades[i];
        r->nrelevant += grades[i] >= r->relevance;
    }
    qsort(e->ideal, r->npositive, sizeof *e->ideal, descending);
    for (size_t i = 0; i < n; i++) {
        /* not judged is below every grade that can be called relevant */
        if (!rp_qrels_grade_at(e->qrels, judged, hits[i].docid, &e->grade[i])) e->grade[i] = 0;
    }
    return RP_OK;
}

static void print_row(FILE *f, const char *run, const char *qid, size_t queries,
                      const double *value, size_t n)
{
    fprintf(f, "%s\t%s\t%zu", run, qid, queries);
    for (size_t i = 0; i < n; i++) fprintf(f, "\t%.4f", value[i]);
    putc('\n', f);
}

static rp_status eval_run(eval *e, FILE *f, const char *path, rp_error *err)
{
    rp_run *run = NULL;
    double sum[MAX_MEASURES] = {0};
    size_t queries = 0, unjudged = 0;
    rp_ties ties = strcmp(e->o->ties, "rank") == 0 ? RP_TIES_RANK : RP_TIES_DOCID;
    rp_status s = rp_run_load_ties(&run, path, e->o->run_format, ties, err);
    size_t contradictions = s ? 0 : rp_run_contradictions(run);
    for (size_t t = 0; !s && t < rp_run_queries(run); t++) {
        const char *qid = rp_run_qid(run, t);
        size_t judged = rp_qrels_find(e->qrels, qid);
        unjudged += judged == SIZE_MAX;
        if (judged == SIZE_MAX) continue;
        rp_ranking r;
        double value[MAX_MEASURES];
        s = rank(e, &r, run, t, judged, err);
        if (s) break;
        for (size_t i = 0; i < e->nmeasures; i++) {
            value[i] = e->measure[i].row->value(&r, e->measure[i].k);
            sum[i] += value[i];
        }
        queries++;
        if (e->o->per_query) print_row(f, path, qid, 1, value, e->nmeasures);
    }
    rp_run_free(run);
    if (s) return s;
    if (queries == 0) {
        return rp_fail(err, RP_EFORMAT, "no query of '%s' is in '%s'", path, e->o->qrels);
    }
    size_t total = rp_qrels_queries(e->qrels), missing = total - queries;
    if (contradictions) {
        rp_host_warn(e->host,
                     "'%s': %zu documents tie with the one before them and the ranks have them the "
                     "other way; trec_eval's order is used, --ties rank follows the ranks",
                     path, contradictions);
    }
    if (unjudged) {
        rp_host_warn(e->host, "'%s': %zu quer%s not in the qrels and left out", path, unjudged,
                     unjudged == 1 ? "y is" : "ies are");
    }
    if (missing) {
        rp_host_warn(e->host, "'%s': %zu of the %zu queries of the qrels %s missing%s", path,
                     missing, total, missing == 1 ? "is" : "are",
                     e->o->complete ? " and counts as 0" : "; --complete would count it as 0");
    }
    size_t over = e->o->complete ? total : queries;
    for (size_t i = 0; i < e->nmeasures; i++) sum[i] /= (double)over;
    print_row(f, path, "all", over, sum, e->nmeasures);
    return RP_OK;
}

static rp_status print_header(const eval *e, FILE *f, rp_error *err)
{
    const rp_eval_options *o = e->o;
    const char **inputs = rp_alloc(o->nruns + 1, sizeof *inputs);
    if (!inputs) return rp_fail_memory(err, o->nruns * sizeof *inputs);
    inputs[0] = o->qrels;
    memcpy(inputs + 1, o->runs, o->nruns * sizeof *inputs);
    const rp_provenance p = {.host = e->host, .inputs = inputs, .ninputs = o->nruns + 1};
    rp_status s = rp_provenance_write(f, &p, err);
    free(inputs);
    fprintf(f, "# relevance: %d\n# ties: %s\n", o->relevance, o->ties);
    fputs("run\tqid\tqueries", f);
    for (size_t i = 0; i < e->nmeasures; i++) fprintf(f, "\t%s", e->measure[i].name);
    putc('\n', f);
    return s;
}

rp_status rp_eval(const rp_eval_options *o, const rp_host *host, rp_error *err)
{
    eval e = {.o = o, .host = host};
    rp_out out = {0};
    rp_status s = RP_OK;
    if (!o->qrels) return rp_fail(err, RP_EARG, "no qrels were given");
    if (o->nruns == 0) return rp_fail(err, RP_EARG, "no run was given");
    if (o->relevance < 1) {
        return rp_fail(err, RP_EARG, "the smallest relevant grade is at least 1, not %d",
                       o->relevance);
    }
    if (strcmp(o->ties, "docid") != 0 && strcmp(o->ties, "rank") != 0) {
        return rp_fail(err, RP_EARG, "ties are broken by 'docid' or 'rank', not '%s'", o->ties);
    }
    s = rp_measures_parse(e.measure, MAX_MEASURES, &e.nmeasures, o->measures, err);
    if (!s) s = rp_out_check(o->output, &o->qrels, 1, err);
    if (!s) s = rp_out_check(o->output, o->runs, o->nruns, err);
    if (!s) s = rp_qrels_load(&e.qrels, o->qrels, o->qrels_format, err);
    if (!s) s = rp_out_open(&out, o->output, err);
    if (!s) s = print_header(&e, out.file, err);
    for (size_t i = 0; !s && i < o->nruns; i++) {
        s = rp_host_progress(host, "evaluating runs", i, o->nruns, err);
        if (!s) s = eval_run(&e, out.file, o->runs[i], err);
    }
    if (!s) s = rp_out_commit(&out, err);
    rp_out_release(&out);
    rp_qrels_free(e.qrels);
    free(e.grade);
    free(e.ideal);
    return s;
}
