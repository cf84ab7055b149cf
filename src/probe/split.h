/*
 * Who is held out when. The one thing to know: every split is a function of the seed and of ids
 * alone (through XXH3), never of the order of rows, so one assignment serves all layers, sites,
 * features and models.
 */
#ifndef RP_PROBE_SPLIT_H
#define RP_PROBE_SPLIT_H

#include "base/error.h"

/* Folds by query. outer[q] <- 0..folds-1 and inner[q] <- 0..ninner-1 for query q with rows[q]
 * pairs: in the order of a hash of (seed, qid) each query goes to the fold with the fewest pairs so
 * far, so folds differ by no more than the longest query. Inner labels are dealt out within each
 * outer fold in the same way, so the inner folds of an outer training set are its rows with inner
 * label 0, 1,
 * ... RP_EARG when there are fewer queries than folds. */
rp_status rp_split_queries(int *outer, int *inner, const char *const *qid, const size_t *rows,
                           size_t nqueries, size_t folds, size_t ninner, uint64_t seed,
                           rp_error *err);

/* The random key of a pair: sorting pairs by it is the random permutation of the paper's protocols.
 */
uint64_t rp_split_pair_key(uint64_t seed, const char *qid, const char *docid);
/* The same for a query; `salt` separates uses. */
uint64_t rp_split_query_key(uint64_t seed, const char *qid, uint64_t salt);

#endif
