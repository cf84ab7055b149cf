/*
 * BM25's best documents of one query, in the order in which trec_eval sorts them: score descending,
 * compared as float, then docid descending (rp_hit_compare).
 */
#ifndef RP_RETRIEVE_TOPK_H
#define RP_RETRIEVE_TOPK_H

#include "data/data.h"
#include "retrieve/bm25.h"
#include "retrieve/postings.h"

typedef struct rp_query_term {
    uint32_t term;
    double weight; /* occurrences in the query x idf */
} rp_query_term;

/* Per thread. */
typedef struct rp_topk rp_topk;
rp_topk *rp_topk_new(size_t k); /* k > 0; NULL: no memory */
void rp_topk_free(rp_topk *topk);

/* *hits [*nhits <= k], best first, valid until the next run. Only documents with at least one of
 * the terms are hits. */
rp_status rp_topk_run(rp_topk *topk, const rp_hit **hits, size_t *nhits,
                      const rp_postings *postings, const rp_query_term *terms, size_t nterms,
                      const rp_bm25 *bm25, rp_error *err);

#endif
