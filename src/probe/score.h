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

/* Scored rows, query by query. base is what SST is measured against: the training mean. Values that
 * are not defined (no variation within queries, tau without two values) are NaN. */
typedef struct rp_scored {
    size_t n, nqueries, nlabels;
    const size_t *first;        /* [nqueries + 1] */
    const double *y, *f, *base; /* [P, n] */
} rp_scored;

/* out [P]. The draws depend on seed and number of queries alone: paired across labels and layers.
 */
rp_status rp_score_compute(rp_score_row *out, const rp_scored *in, size_t draws, uint64_t seed,
                           rp_error *err);

/* Kendall's tau-b of x[n] and y[n] in O(n log n) (Knight 1966); NaN when either is constant.
 * scratch holds 3 n doubles. */
double rp_tau(const double *x, const double *y, size_t n, double *scratch);

#endif
