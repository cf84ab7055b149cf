/*
 * The lasso on correlations: min 1/2 w'Aw - c'w + a |w|_1, which is sklearn's (1/2m)|t - z w|^2 +
 * a |w|_1 up to a constant. Active set with exact steps (feature-sign search, Lee et al. 2007): on
 * the present support and signs the minimum is a linear system, whose Cholesky factor grows and
 * shrinks by a column; a step stops where a coefficient reaches zero, which leaves; at the minimum
 * the worst violator of the optimality conditions enters. A violator that depends linearly on the
 * support is exchanged along the direction that leaves the residual as it is. The objective only
 * falls, so it ends; coordinate descent takes over where rounding gets in the way. Every answer
 * carries its duality gap.
 */
#ifndef RP_PROBE_LASSO_H
#define RP_PROBE_LASSO_H

#include "probe/gram.h"

/* Duality gap relative to the mean of t^2: what the solver aims for, what it must reach. */
#define RP_LASSO_TARGET 1e-8
#define RP_LASSO_LIMIT 1e-6

/* One label on one training set; kept warm along a path of penalties. */
typedef struct rp_lasso {
    rp_gram *cols;
    size_t set, label, width; /* D */
    double *w, *q;            /* [D] coefficients; gradient c - A w */
    size_t n, cap;            /* support */
    size_t *s;                /* [cap] columns of the support, in the factor's order */
    double *l;                /* packed rows of the factor of A over s: row i at i (i + 1) / 2 */
    double *sign, *x, *y;     /* [cap] signs and scratch */
    size_t *nonzero;          /* [D] scratch */
    unsigned char *state;     /* [D] 0 out, 1 in the support, 2 barred for this penalty */
    bool stale;               /* the factor does not belong to s */
    double gap;               /* of the last solution, relative */
    size_t steps;             /* of the last solution */
} rp_lasso;
rp_status rp_lasso_init(rp_lasso *lasso, rp_gram *cols, size_t set, size_t label, rp_error *err);
void rp_lasso_release(rp_lasso *lasso);
/* The smallest penalty at which all coefficients are zero. */
double rp_lasso_max(const rp_moments *mo, size_t set, size_t label);
/* Moves w to the minimum at penalty a >= 0 and fills gap. */
rp_status rp_lasso_solve(rp_lasso *lasso, double a, rp_error *err);
/* The same by coordinate descent alone: what rp_lasso_solve falls back on. */
rp_status rp_lasso_descend(rp_lasso *lasso, double a, rp_error *err);
/* Sum of squared held-out errors, in units of t, of the present w. */
double rp_lasso_held(const rp_lasso *lasso);

/* All labels of an outer fold. penalty NaN: a path of 100 values from a_max (of all training rows)
 * to a_max / 1000, the best by the inner folds; it ends early when the held-out error has been
 * above its minimum for 15 penalties in a row. Else the fixed penalty; the inner folds then give
 * cv. */
rp_status rp_lasso_fit(rp_fit *fit, const rp_moments *mo, double penalty, rp_error *err);
double rp_lasso_memory(size_t width, size_t folds);

#endif
