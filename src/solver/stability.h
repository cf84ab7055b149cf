/*
 * Stability selection (Meinshausen & Buehlmann 2010) with complementary pairs (Shah & Samworth
 * 2013): which units a lasso selects again and again on random halves of the queries. The one thing
 * to know: halves are of queries, not of rows, since rows of a query are not independent.
 *
 * A label's penalty is one at which about q = sqrt((2 threshold - 1) D pfer) units are selected on
 * all rows; it then stays as it is. With q_hat the mean number selected on a half, the expected
 * number of falsely selected units of frequency >= threshold is at most q_hat^2 / ((2 threshold -
 * 1) D), if falsely selected units are exchangeable and no likelier than by chance.
 */
#ifndef RP_SOLVER_STABILITY_H
#define RP_SOLVER_STABILITY_H

#include "solver/lasso.h"

typedef struct rp_stability_options {
    const size_t *query; /* [n] of each row of the design, in the folds' order: 0 .. nqueries-1 */
    size_t nqueries, pairs; /* 50 pairs of halves */
    double threshold, pfer; /* .75; expected false selections that are aimed at, 1 */
    double l1_ratio;
    uint64_t seed; /* pair k is drawn by (seed, k) */
    const rp_host *host;
} rp_stability_options;

typedef struct rp_stability {
    size_t labels, width;
    float *frequency; /* [P, D] share of the halves whose lasso selected the unit */
    double *penalty;  /* [P] NaN for a label that is constant */
    double *selected; /* [P] q_hat */
    double *bound;    /* [P] on the expected false selections */
} rp_stability;

/* On all rows of cells that are ever used. Parallel inside; same seed, same bytes. RP_EARG: fewer
 * than 4 queries, no pairs, threshold not in (.5, 1], pfer not above 0. */
rp_status rp_stability_run(rp_stability *s, const rp_cells *cells, const rp_stability_options *o,
                           rp_error *err);
void rp_stability_release(rp_stability *s);
/* Bytes it needs beside the cells. */
double rp_stability_memory(size_t rows, size_t width, size_t labels, size_t pairs, int threads);

#endif
