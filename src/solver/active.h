/*
 * The core of the lasso and the elastic net on a few columns, those of a working set, in f64:
 *
 *     min over w of 1/2 w'(A + b I) w - c'w + a |w|_1
 *
 * by an active set: on the present support and signs the minimum is a linear system, whose Cholesky
 * factor grows and shrinks by a column. First all coefficients of the wrong sign leave and all
 * violators of the optimality conditions enter, until there are none. Where that does not end, with
 * exact steps (feature-sign search, Lee et al. 2007): a step stops where a coefficient reaches
 * zero, which leaves; at the minimum the worst violator enters, and one that depends linearly on
 * the support is exchanged along the direction that leaves the residual as it is. The objective
 * then only falls, so it ends; where rounding gets in the way coordinate descent takes over.
 * Everything stays warm from one penalty to the next, and when columns join.
 */
#ifndef RP_SOLVER_ACTIVE_H
#define RP_SOLVER_ACTIVE_H

#include "base/error.h"

typedef struct rp_active {
    size_t n, cap;        /* columns; room for so many */
    double pivot;         /* relative pivot below which a column depends on others */
    double *a;            /* [n, cap] A, symmetric: column j at a + j cap; filled by the caller */
    double *c;            /* [n] filled by the caller */
    double *w, *q;        /* [n] coefficients; gradient c - A w - b w of the last solution */
    size_t ns;            /* support */
    size_t *s;            /* [ns] columns of the support, in the factor's order */
    double *l;            /* packed rows of the factor of A + b I over s: row i at i (i + 1) / 2 */
    double *sign, *x, *y; /* [cap] signs and scratch; y [2 cap] */
    size_t *list;         /* [n] scratch */
    unsigned char *state; /* [n] 0 out, 1 in the support, 2 barred for this penalty */
    double penalty, ridge;
    bool stale; /* w was changed: the factor does not belong to it */
} rp_active;

/* All zero is an empty one. pivot: 1e-9 for A in f64. */
void rp_active_release(rp_active *active);
/* n columns, the new ones with w = 0; what was there stays. The caller then fills a and c. */
rp_status rp_active_resize(rp_active *active, size_t n, rp_error *err);
/* Forgets the columns, keeps the memory. */
void rp_active_clear(rp_active *active);
/* Moves w to the minimum. Columns with A_jj = 0 stay out. */
void rp_active_solve(rp_active *active, double a, double b);
/* The same by coordinate descent alone, what the steps fall back on; with `guess` only until the
 * support seems to be found. */
void rp_active_descend(rp_active *active, double a, double b, bool guess);

#endif
