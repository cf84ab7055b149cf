/*
 * How good predictions are, with intervals. The one thing to know: everything but tau comes from
 * four sums a query (errors and deviations, within the query and of its mean), so a bootstrap over
 * queries costs one small matrix product.
 *
 *     SSE = SSE_within + SSE_between    SSE_within = sum of ((y - mean_q y) - (f - mean_q f))^2
 *     SST = SST_within + SST_between    SST_between = sum of n_q (mean_q y - base)^2
 */
#ifndef RP_PROBE_SCORE_H
#define RP_PROBE_SCORE_H

#include "base/error.h"

typedef struct rp_score_row {
    double r2, r2_lo, r2_hi;                      /* 1 - SSE / SST; 95 % interval */
    double within, within_lo, within_hi, between; /* 1 - SSE_x / SST_x */
    double tau;                                   /* mean over queries of Kendall's tau-b */
    double mse;                                   /* in units of y^2 */
} rp_score_row;

/* Scored rows of a label, query by query. base is what SST is measured against: the training mean.
 * Values that are not defined (no variation within queries, tau without two values) are NaN. */
typedef struct rp_scored {
    size_t n, nqueries;
    const size_t *first;        /* [nqueries + 1] */
    const double *y, *f, *base; /* [n] */
} rp_scored;

/* A query's four sums: SSE within, SSE between, SST within, SST between. */
#define RP_SCORE_SUMS 4
/* sums [Q, 4], overwritten. */
void rp_score_sums(double *sums, const rp_scored *in);
/* *tau <- the mean of the queries' tau. */
rp_status rp_score_tau(double *tau, const rp_scored *in, rp_error *err);
/* Everything of out [nlabels] but tau, from the sums [nlabels], each [Q, 4], of n rows. The draws
 * depend on seed and number of queries alone: paired across labels, layers and calls. */
rp_status rp_score_resample(rp_score_row *out, const double *const *sums, size_t nlabels, size_t n,
                            size_t nqueries, size_t draws, uint64_t seed, rp_error *err);
/* All three for one label. sums [Q, 4]. */
rp_status rp_score_compute(rp_score_row *out, double *sums, const rp_scored *in, size_t draws,
                           uint64_t seed, rp_error *err);

typedef struct rp_difference {
    double r2, lo, hi;                   /* R2 of a - R2 of b; 95 % interval */
    double within, within_lo, within_hi; /* the same of R2 within */
} rp_difference;
typedef struct rp_score_pair {
    size_t a, b; /* indices into sums */
} rp_score_pair;

/* Paired differences of two probes of the same queries in the same order: of one label in two
 * layers, of a layer and a baseline. The intervals are of the draws of rp_score_resample: what both
 * probes owe to the queries that were drawn cancels. out, pair [npairs]; sums [nsets], each [Q, 4].
 * NaN where one of the two is not defined. The draws are made once for all pairs; memory is 16
 * bytes a set and draw. */
rp_status rp_score_differences(rp_difference *out, const rp_score_pair *pair, size_t npairs,
                               const double *const *sums, size_t nsets, size_t nqueries,
                               size_t draws, uint64_t seed, rp_error *err);
/* The difference of one pair. */
rp_status rp_score_difference(rp_difference *out, const double *sums_a, const double *sums_b,
                              size_t nqueries, size_t draws, uint64_t seed, rp_error *err);

/* Kendall's tau-b of x[n] and y[n] in O(n log n) (Knight 1966); NaN when either is constant.
 * scratch holds 3 n doubles. */
double rp_tau(const double *x, const double *y, size_t n, double *scratch);

#endif
