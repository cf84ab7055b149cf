/*
 * What many permutation tests say together.
 *
 * The one thing to know: the draws of all hypotheses are the same permutations (orbit.h), so the
 * null distribution of the largest statistic keeps their correlation, and is not conservative where
 * layers and labels resemble each other.
 *
 * Statistics are studentised before they are compared: z_b = (T_b - mean) / sd over all draws of
 * the hypothesis. Unstudentised, the largest of many null R2 would come from the hypotheses with
 * the widest null (few queries, many columns) and hide the others. Draw 0, the observed one, is
 * among those whose mean and sd are taken: z_0 ... z_B then are the same symmetric function of
 * exchangeable T_0 ... T_B, hence exchangeable themselves, and the adjusted p-values exact. Without
 * draw 0 they would not be.
 *
 * The family-wise error is exact when all hypotheses are true nulls; when some are false it is
 * controlled where the labels of the true ones are exchangeable jointly (subset pivotality).
 */
#ifndef RP_PROBE_TESTS_H
#define RP_PROBE_TESTS_H

#include "base/error.h"

typedef struct rp_tested {
    double p;              /* (1 + #{b >= 1: T_b >= T_0}) / ndraws */
    double adjusted;       /* family-wise: step-down max-T, Westfall & Young 1993, algorithm 4.1 */
    double q;              /* false discovery rate: Benjamini & Hochberg 1995, of p */
    double null95, null97; /* 95 % and 97.5 % quantiles of T_1 ... T_B */
} rp_tested;

/* t [n, ndraws]: statistics of n hypotheses, one family, draw 0 the observed; ndraws >= 2, the same
 * permutation of the same kind in a column. A hypothesis with a value that is not finite is not
 * tested: all NaN, and no part of the family. Draws within 1e-5 sd below the observed count as ties
 * with it, since predictions are in f32; where the draws do not vary at all p is 1. Always adjusted
 * >= p and in the order of z_0. O(n log n + n ndraws). */
rp_status rp_tests_compute(rp_tested *out, const double *t, size_t n, size_t ndraws, rp_error *err);

#endif
