/*
 * One query and its candidate list as bags of terms. Terms are numbered within the list, the
 * query's first, so that "the query's terms" is "term < nquery". Bags are sorted by term.
 */
#ifndef RP_FEATURE_CANDIDATES_H
#define RP_FEATURE_CANDIDATES_H

#include "data/data.h"
#include "retrieve/analysis.h"
#include "retrieve/vocabulary.h"

typedef struct rp_count {
    uint32_t term, f;
} rp_count;

typedef struct rp_bag {
    const rp_count *item; /* [n] ascending terms, f > 0 */
    size_t n;
    double length; /* sum of f */
} rp_bag;

typedef struct rp_candidates {
    rp_vocabulary vocabulary; /* of query and documents; .documents leaves the query out */
    size_t nquery;            /* M, distinct terms of the query */
    size_t nvocables;         /* |V|, terms of the documents */
    rp_bag query;
    size_t ndocs;
    rp_bag *doc;         /* [ndocs] in the order of the pairs */
    double *occurrences; /* [vocabulary.n] in all documents */
    double terms;        /* sum of the documents' lengths */
    rp_count *counts;    /* the bags' memory */
    size_t ncounts, counts_cap;
} rp_candidates;

/* Analyses pairs [n > 0] of one topic; a passage is its title and its text, one space between. */
rp_status rp_candidates_init(rp_candidates *c, const rp_pair *pairs, size_t n,
                             rp_analyzer *analyzer, rp_error *err);
void rp_candidates_release(rp_candidates *c);

#endif
