/* The job: queries and a collection in, a TREC run out. */
#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <omp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "data/data.h"
#include "retrieve/analysis.h"
#include "retrieve/topk.h"
#include "retrieve/vocabulary.h"

void rp_search_options_init(rp_search_options *o)
{
    *o = (rp_search_options){.analyzer = "standard",
                             .bm25 = "anserini",
                             .k1 = NAN,
                             .b = NAN,
                             .output = "-",
                             .tag = "rankprobe-bm25"};
    rp_inputs_init(&o->in);
    o->in.top = 100;
}

typedef struct search {
    const rp_search_options *o;
    rp_bm25 bm25;
    rp_queries *queries;
    size_t nqueries;
    size_t *first;        /* [nqueries + 1] terms of query q: first[q] .. first[q + 1] - 1 */
    rp_query_term *terms; /* distinct, in order of first occurrence */
    size_t nterms, cap;
    rp_vocabulary vocabulary;
    rp_postings postings;
    rp_text *lines;   /* [nqueries] of the run */
    size_t *nhits;    /* [nqueries] */
    rp_error *errors; /* [nqueries] */
} search;

static void release(search *s)
{
    for (size_t q = 0; s->lines && q < s->nqueries; q++) rp_text_release(&s->lines[q]);
    free(s->lines);
    free(s->nhits);
    free(s->errors);
    free(s->first);
    free(s->terms);
    rp_vocabulary_release(&s->vocabulary);
    rp_postings_release(&s->postings);
    rp_queries_free(s->queries);
}

static rp_status check(search *s, const rp_search_options *o, rp_error *err)
{
    s->o = o;
    if (!o->in.collection) return rp_fail(err, RP_EARG, "search needs a collection");
    if (!o->in.queries) return rp_fail(err, RP_EARG, "search needs queries");
    if (!o->tag[0]) return rp_fail(err, RP_EARG, "the tag is empty");
    for (const char *c = o->tag; *c; c++) {
        if (isspace((unsigned char)*c)) {
            return rp_fail(err, RP_EARG, "the tag has a space in it: '%s'", o->tag);
        }
    }
    rp_status status = rp_analyzer_check(o->analyzer, err);
    return status ? status : rp_bm25_find(&s->bm25, o->bm25, o->k1, o->b, err);
}

/* Adds a term of query q, or counts it once more. */
static rp_status add_term(search *s, size_t q, rp_term term, rp_error *err)
{
    size_t index;
    rp_status status = rp_vocabulary_add(&s->vocabulary, &index, term.text, term.len, err);
    if (status) return status;
    for (size_t i = s->first[q]; i < s->nterms; i++) {
        if (s->terms[i].term == index) {
            s->terms[i].weight += 1;
            return RP_OK;
        }
    }
    status = rp_grow(&s->terms, &s->cap, s->nterms + 1, sizeof *s->terms, err);
    if (!status) s->terms[s->nterms++] = (rp_query_term){(uint32_t)index, 1};
    return status;
}

static rp_status analyse_queries(search *s, rp_error *err)
{
    rp_analyzer *analyzer;
    s->nqueries = rp_queries_count(s->queries);
    s->first = rp_alloc(s->nqueries + 1, sizeof *s->first);
    s->lines = rp_alloc(s->nqueries + 1, sizeof *s->lines);
    s->nhits = rp_alloc(s->nqueries + 1, sizeof *s->nhits);
    s->errors = rp_alloc(s->nqueries + 1, sizeof *s->errors);
    if (!s->first || !s->lines || !s->nhits || !s->errors) {
        return rp_fail_memory(err, s->nqueries * sizeof *s->errors);
    }
    rp_status status = rp_analyzer_new(&analyzer, s->o->analyzer, err);
    if (!status) status = rp_vocabulary_init(&s->vocabulary, err);
    for (size_t q = 0; q < s->nqueries && !status; q++) {
        const char *text = rp_queries_text(s->queries, q);
        const rp_term *terms;
        size_t n;
        s->first[q] = s->nterms;
        status = rp_analyzer_run(analyzer, &terms, &n, NULL, 0, text, strlen(text), err);
        for (size_t i = 0; i < n && !status; i++) status = add_term(s, q, terms[i], err);
    }
    s->first[s->nqueries] = s->nterms;
    rp_analyzer_free(analyzer);
    return status;
}

static rp_status search_query(search *s, rp_topk *topk, size_t q, rp_error *err)
{
    const rp_hit *hits;
    const char *qid = rp_queries_id(s->queries, q);
    rp_status status = rp_topk_run(topk, &hits, &s->nhits[q], &s->postings, s->terms + s->first[q],
                                   s->first[q + 1] - s->first[q], &s->bm25, err);
    for (size_t i = 0; i < s->nhits[q] && !status; i++) {
        status = rp_text_printf(&s->lines[q], err, "%s Q0 %s %zu %.9g %s\n", qid, hits[i].docid,
                                i + 1, hits[i].score, s->o->tag);
    }
    return status;
}

static rp_status search_all(search *s, const rp_host *host, rp_error *err)
{
    int threads = s->o->threads > 0 ? s->o->threads : omp_get_max_threads();
    size_t k = s->o->in.top ? s->o->in.top : SIZE_MAX;
    double N = (double)s->postings.totals.documents;
    for (size_t i = 0; i < s->nterms; i++) {
        double n = (double)s->postings.list[s->terms[i].term].n;
        s->terms[i].weight *= rp_bm25_idf(&s->bm25, N, n, s->postings.totals.mean_idf);
    }
    rp_error stopped = {0};
    atomic_int stop = 0;
#pragma omp parallel num_threads(threads)
    {
        rp_topk *topk = rp_topk_new(k);
#pragma omp for schedule(dynamic)
        for (size_t q = 0; q < s->nqueries; q++) {
            /* The host is asked from the calling thread only; what it says holds for all. */
            if (omp_get_thread_num() == 0 && !atomic_load(&stop)) {
                atomic_store(&stop, rp_host_progress(host, "searching", q, s->nqueries, &stopped));
            }
            if (atomic_load(&stop)) continue;
            if (topk) {
                search_query(s, topk, q, &s->errors[q]);
            } else {
                rp_fail_memory(&s->errors[q], sizeof(rp_hit));
            }
        }
        rp_topk_free(topk);
    }
    if (stop) {
        if (err) *err = stopped;
        return stopped.status;
    }
    for (size_t q = 0; q < s->nqueries; q++) {
        if (!s->errors[q].status) continue;
        if (err) *err = s->errors[q];
        return s->errors[q].status;
    }
    return RP_OK;
}

static rp_status write_run(const search *s, const rp_host *host, rp_error *err)
{
    rp_out out;
    size_t empty = 0;
    rp_status status = rp_out_open(&out, s->o->output, err);
    for (size_t q = 0; q < s->nqueries && !status; q++) {
        empty += !s->nhits[q];
        fwrite(s->lines[q].data ? s->lines[q].data : "", 1, s->lines[q].len, out.file);
    }
    if (!status) status = rp_out_commit(&out, err);
    rp_out_release(&out);
    if (!status && empty) {
        rp_host_warn(host, "%zu of %zu queries have no hits", empty, s->nqueries);
    }
    return status;
}

rp_status rp_search(const rp_search_options *o, const rp_host *host, rp_error *err)
{
    search s = {0};
    const char *const inputs[] = {o->in.collection, o->in.queries};
    rp_status status = check(&s, o, err);
    if (!status) status = rp_out_check(o->output, inputs, 2, err);
    if (!status) {
        status = rp_queries_load(&s.queries, o->in.queries, o->in.queries_format, host, err);
    }
    if (!status) status = analyse_queries(&s, err);
    rp_scan_options scan = {.collection = o->in.collection,
                            .format = o->in.collection_format,
                            .analyzer = o->analyzer,
                            .terms = s.vocabulary.map,
                            .vocabulary = s.bm25.floor,
                            .threads = o->threads};
    if (!status) status = rp_postings_collect(&s.postings, &scan, host, err);
    if (!status) status = search_all(&s, host, err);
    if (!status) status = write_run(&s, host, err);
    release(&s);
    return status;
}
