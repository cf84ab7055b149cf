/*
 * BM25 and inverse document frequencies: the named variants, so that a number can be compared with
 * the program that it comes from.
 *
 *   anserini  k1 .9 b .4, idf lucene, f / (f + norm): Anserini's and Lucene's defaults (but lengths
 *             are exact here, where Lucene rounds them to one byte)
 *   msmarco   the same with k1 .82 b .68, tuned on MS MARCO passages
 *   okapi     k1 1.5 b .75, idf robertson, f (k1 + 1) / (f + norm); a negative idf is replaced by a
 *             quarter of the mean idf of the vocabulary: rank_bm25's BM25Okapi
 *
 * norm = k1 (1 - b + b L / avgdl).
 */
#ifndef RP_RETRIEVE_BM25_H
#define RP_RETRIEVE_BM25_H

#include "base/error.h"

typedef enum rp_idf {
    RP_IDF_LUCENE,    /* ln(1 + (N - n + .5) / (n + .5)) */
    RP_IDF_ROBERTSON, /* ln((N - n + .5) / (n + .5)) */
    RP_IDF_SMOOTH,    /* ln((1 + N) / (1 + n)) + 1 */
    RP_IDF_PLAIN      /* ln(N / n); 0 for n = 0 */
} rp_idf;
rp_status rp_idf_find(rp_idf *idf, const char *name, rp_error *err);
/* N documents, n of them with the term. */
double rp_idf_value(rp_idf idf, double N, double n);

typedef struct rp_bm25 {
    double k1, b;
    rp_idf idf;
    bool plus;  /* the factor k1 + 1 */
    bool floor; /* okapi's treatment of negative idf: wants the vocabulary's mean idf */
} rp_bm25;
/* The preset with k1 and b replaced unless NaN. RP_EARG: unknown name, k1 < 0 or b outside [0, 1].
 */
rp_status rp_bm25_find(rp_bm25 *bm25, const char *preset, double k1, double b, rp_error *err);
/* mean_idf is used with `floor` only. 0 for a term that no document has. */
double rp_bm25_idf(const rp_bm25 *bm25, double N, double n, double mean_idf);
/* One term's share of a score: f occurrences in a document of length L. */
double rp_bm25_weight(const rp_bm25 *bm25, double idf, double f, double L, double avgdl);

#endif
