/* From bags to what the features look at. */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "feature/feature.h"

struct rp_evidence_maker {
    rp_family family;
    const rp_candidates *list;
    const rp_feature_settings *settings;
    double *idf;           /* [vocabulary] of tf*idf */
    double *bm25_idf;      /* [nquery] */
    double *x;             /* [vocabulary] the values at hand */
    double *background;    /* [nquery] */
    rp_weighted *query_w;  /* [query.n] */
    rp_weighted *doc_w;    /* [vocabulary] */
    double covered;        /* paper */
    rp_bm25 bm25;          /* mslr's, or okapi */
    const rp_world *world; /* of bm25 */
};

/* Of x [nnz] and `total` - nnz zeros. */
static void take_moments(rp_moments *m, const double *x, size_t nnz, double total)
{
    *m = (rp_moments){0};
    if (total <= 0) return;
    double sum = 0, squares = 0, min = INFINITY, max = -INFINITY;
    for (size_t i = 0; i < nnz; i++) {
        sum += x[i];
        if (x[i] < min) min = x[i];
        if (x[i] > max) max = x[i];
    }
    double mean = sum / total, rest = total - (double)nnz;
    for (size_t i = 0; i < nnz; i++) squares += (x[i] - mean) * (x[i] - mean);
    if (rest > 0) {
        squares += rest * mean * mean;
        min = min < 0 ? min : 0;
        max = max > 0 ? max : 0;
    }
    *m = (rp_moments){sum, min, max, mean, squares / total};
}

/* w = f x idf of a bag, divided by its Euclidean norm. */
static size_t weigh(rp_weighted *w, const rp_bag *bag, const double *idf)
{
    double norm = 0;
    for (size_t i = 0; i < bag->n; i++) {
        w[i] = (rp_weighted){bag->item[i].term, bag->item[i].f * idf[bag->item[i].term]};
        norm += w[i].w * w[i].w;
    }
    norm = sqrt(norm);
    for (size_t i = 0; i < bag->n && norm > 0; i++) w[i].w /= norm;
    return bag->n;
}

static bool in_query(const rp_candidates *list, size_t term)
{
    return term < list->nquery;
}

static void prepare_mslr(rp_evidence_maker *m)
{
    const rp_world *w = &m->settings->world;
    m->bm25 = m->settings->bm25;
    m->world = w;
    for (size_t t = 0; t < m->list->nquery; t++) {
        m->idf[t] = rp_idf_value(m->settings->idf, w->N, w->n[t]);
        m->bm25_idf[t] = rp_bm25_idf(&m->bm25, w->N, w->n[t], w->mean_idf);
    }
}

static void prepare_paper(rp_evidence_maker *m)
{
    const rp_world *w = &m->settings->pool;
    rp_bm25_find(&m->bm25, "okapi", NAN, NAN, NULL);
    m->world = w;
    for (size_t t = 0; t < m->list->vocabulary.n; t++) {
        double n = w->n[t] + in_query(m->list, t);
        m->idf[t] = log((w->N + 1) / n) + 1;
    }
    for (size_t t = 0; t < m->list->nquery; t++) {
        m->bm25_idf[t] = rp_bm25_idf(&m->bm25, w->N, w->n[t], w->mean_idf);
        m->covered += w->n[t] > 0;
    }
}

static void prepare_sim(rp_evidence_maker *m)
{
    const rp_world *w = &m->settings->world, *pool = &m->settings->pool;
    const rp_world *all = &m->settings->idf_world;
    for (size_t t = 0; t < m->list->vocabulary.n; t++) {
        m->idf[t] = m->settings->sim_pooled ? rp_idf_value(RP_IDF_SMOOTH, pool->N + 1,
                                                           pool->n[t] + in_query(m->list, t))
                                            : rp_idf_value(RP_IDF_SMOOTH, all->N, all->n[t]);
    }
    for (size_t t = 0; t < m->list->nquery; t++) {
        /* A term that the collection lacks counts as half an occurrence, or kl would be infinite.
         */
        double terms = w->terms > 1 ? w->terms : 1;
        m->background[t] = (w->cf[t] > 0 ? w->cf[t] : .5) / terms;
    }
    weigh(m->query_w, &m->list->query, m->idf);
}

rp_status rp_evidence_maker_new(rp_evidence_maker **maker, rp_family family,
                                const rp_candidates *list, const rp_feature_settings *settings,
                                rp_error *err)
{
    *maker = NULL;
    rp_evidence_maker *m = rp_alloc(1, sizeof *m);
    if (!m) return rp_fail_memory(err, sizeof *m);
    m->family = family;
    m->list = list;
    m->settings = settings;
    size_t n = list->vocabulary.n + 1;
    m->idf = rp_alloc(n, sizeof *m->idf);
    m->bm25_idf = rp_alloc(n, sizeof *m->bm25_idf);
    m->x = rp_alloc(n, sizeof *m->x);
    m->background = rp_alloc(n, sizeof *m->background);
    m->query_w = rp_alloc(n, sizeof *m->query_w);
    m->doc_w = rp_alloc(n, sizeof *m->doc_w);
    if (!m->idf || !m->bm25_idf || !m->x || !m->background || !m->query_w || !m->doc_w) {
        rp_evidence_maker_free(m);
        return rp_fail_memory(err, n * sizeof(rp_weighted));
    }
    switch (family) {
    case RP_MSLR:
        prepare_mslr(m);
        break;
    case RP_PAPER:
        prepare_paper(m);
        break;
    case RP_SIM:
        prepare_sim(m);
        break;
    case RP_BERT:
    case RP_T5: /* embeddings, not terms */
        break;
    }
    *maker = m;
    return RP_OK;
}

void rp_evidence_maker_free(rp_evidence_maker *m)
{
    if (!m) return;
    free(m->idf);
    free(m->bm25_idf);
    free(m->x);
    free(m->background);
    free(m->query_w);
    free(m->doc_w);
    free(m);
}

/* The query's terms in the passage come first in its bag: their number. */
static size_t matches(const rp_candidates *list, const rp_bag *doc)
{
    size_t n = 0;
    while (n < doc->n && in_query(list, doc->item[n].term)) n++;
    return n;
}

static void take_frequencies(rp_evidence_maker *m, rp_evidence *e, size_t n)
{
    const rp_count *item = e->doc->item;
    for (size_t i = 0; i < n; i++) m->x[i] = item[i].f;
    take_moments(&e->tf, m->x, n, e->terms);
    for (size_t i = 0; i < n; i++) m->x[i] = item[i].f / e->length;
    take_moments(&e->tfl, m->x, n, e->terms);
}

static double share_of(const rp_evidence_maker *m, const rp_evidence *e, size_t i)
{
    const rp_count *c = &e->doc->item[i];
    return rp_bm25_weight(&m->bm25, m->bm25_idf[c->term], c->f, e->length, m->world->avgdl);
}

static void make_mslr(rp_evidence_maker *m, rp_evidence *e)
{
    size_t n = matches(m->list, e->doc);
    e->covered = (double)n;
    e->terms = (double)m->list->nquery;
    if (!m->list->nquery) { /* 0 in every column */
        e->length = 0;
        return;
    }
    take_frequencies(m, e, n);
    for (size_t i = 0; i < n; i++) {
        m->x[i] = e->doc->item[i].f * m->idf[e->doc->item[i].term];
        e->bm25 += share_of(m, e, i);
    }
    take_moments(&e->tfidf, m->x, n, e->terms);
}

/* BM25Okapi adds a query term's share as often as the query has it. */
static void make_paper(rp_evidence_maker *m, rp_evidence *e)
{
    size_t n = matches(m->list, e->doc);
    e->covered = m->covered;
    e->terms = (double)m->list->nvocables;
    take_frequencies(m, e, e->doc->n);
    weigh(m->doc_w, e->doc, m->idf);
    for (size_t i = 0; i < e->doc->n; i++) m->x[i] = m->doc_w[i].w;
    take_moments(&e->tfidf, m->x, e->doc->n, e->terms);
    for (size_t i = 0; i < n; i++) {
        e->bm25 += m->list->query.item[e->doc->item[i].term].f * share_of(m, e, i);
    }
}

static void make_sim(rp_evidence_maker *m, rp_evidence *e)
{
    e->background = m->background;
    if (!m->list->query.n || !e->doc->n) return; /* no weights: 0 in every column */
    e->query_w = m->query_w;
    e->nquery_w = m->list->query.n;
    e->doc_w = m->doc_w;
    e->ndoc_w = weigh(m->doc_w, e->doc, m->idf);
}

void rp_evidence_make(rp_evidence_maker *m, rp_evidence *e, size_t d)
{
    *e = (rp_evidence){.list = m->list, .doc = &m->list->doc[d], .length = m->list->doc[d].length};
    switch (m->family) {
    case RP_MSLR:
        make_mslr(m, e);
        break;
    case RP_PAPER:
        make_paper(m, e);
        break;
    case RP_SIM:
        make_sim(m, e);
        break;
    case RP_BERT:
    case RP_T5: /* embeddings, not terms */
        break;
    }
}
