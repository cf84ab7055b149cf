/*
 * Sums over cells, and the moments of every training set as sums of them: one pass over x serves
 * all labels, all outer folds and all inner folds.
 *
 * All matrices have D as the fast axis: coefficients and cross products are [P, D], one label after
 * the other; Gram matrices are D x D, lower triangles of column-major (LAPACK's) storage.
 */
#ifndef RP_SOLVER_SETS_H
#define RP_SOLVER_SETS_H

#include "solver/design.h"

/* Sums over the rows of a cell, in the units of u and y of the design. */
typedef struct rp_sums {
    size_t m;
    double *s, *sq; /* [D] of u, of u^2 */
    double *c;      /* [P + E, D] of y u */
    double *ys;     /* [P + E] of y */
    double *yy;     /* [P + E, E + 1] of y_p y_e, and of y_p^2 last */
    double *gram;   /* [D, D] of u u' (lower), NULL when not asked for */
} rp_sums;

typedef struct rp_cells {
    const rp_design *d;
    rp_sums *cell; /* [ncells]; empty for cells that are never used */
} rp_cells;
rp_status rp_cells_init(rp_cells *cells, const rp_design *d, bool gram, rp_error *err);
void rp_cells_release(rp_cells *cells);

/* Is cell k part of the training set of outer fold `outer` (-1: of all rows) without inner fold
 * `inner` (-1: none left out); is it what the inner fold holds out? */
bool rp_cell_trains(const rp_cell *cell, int outer, int inner);
bool rp_cell_held(const rp_cell *cell, int outer, int inner);

/* A training set: its standardisation and cross products. z = (u - mu) inv, t = (y - ymu) yinv. */
typedef struct rp_set {
    int outer, inner;   /* as of rp_cell_trains */
    size_t m;           /* training rows */
    double *mu, *inv;   /* [D]; inv is 0 for a dead column */
    double *ymu, *yinv; /* [P + E]; yinv is 0 for a label that is constant here */
    double *c;          /* [P + E, D] mean of z t */
    double *te;         /* [P + E, E] mean of t_p t_e */
    double *yy;         /* [P + E] mean of t^2: 1 when standardised */
    size_t dead;        /* columns whose sd in raw units is below 1e-6 of the largest */
    size_t held;        /* rows of the inner fold left out; 0 without */
    double *vs;         /* [D] sum of z over them, NULL without */
    double *vc;         /* [P + E, D] sum of z t over them */
    double *vy;         /* [P + E] sum of t^2 over them */
} rp_set;
/* A set without rows has m = 0 and no arrays. */
rp_status rp_set_init(rp_set *set, const rp_cells *cells, int outer, int inner, rp_error *err);
/* A training set that is no sum of cells, from its own sums; outer and inner are -1. */
rp_status rp_set_from_sums(rp_set *set, const rp_design *d, const rp_sums *sums, rp_error *err);
void rp_set_release(rp_set *set);

/* col [D] <- rows j..D-1 of column j of the mean of z z' over the set; `held` (may be NULL): the
 * sum of z z' over the rows left out. The cells must have Gram matrices. */
void rp_set_gram(double *col, double *held, const rp_set *set, const rp_cells *cells, size_t j);

/* z [m, D] row-major, f64 (standardised by the set) <- rows at[] or first.. of the design, as
 * rp_design_tile. */
rp_status rp_set_tile(const rp_set *set, const rp_design *d, double *z, float *scratch,
                      const size_t *at, size_t first, size_t m, rp_error *err);

/* What a solver returns for one training set, in the coordinates of u and of the design's y:
 * y = b + u w + (extras) e. */
typedef struct rp_fit {
    size_t labels, width;
    double *w;       /* [P, D] */
    double *b;       /* [P] */
    double *penalty; /* [P] chosen or given */
    double *cv;      /* [P] mean over the inner folds of R2; NaN without */
    double *gap;     /* [P] duality gap / mean of t^2 (lasso), 0 for ridge */
    size_t *units;   /* [P] non-zero coefficients */
} rp_fit;
rp_status rp_fit_init(rp_fit *fit, size_t labels, size_t width, rp_error *err);
void rp_fit_release(rp_fit *fit);
/* Turns label p's coefficients w [D] on (z, t) of the set into the fit's. */
void rp_fit_store(rp_fit *fit, const rp_set *set, size_t p, const double *w);

/* The penalty index of n descending penalties with the smallest pooled held-out error of a label:
 * the largest penalty within RP_CHOICE_TIE of the smallest error. sse [folds, n] in units of t of
 * each fold's training set, inner sets set[folds]; *cv <- the mean over folds of R2 there. */
#define RP_CHOICE_TIE 1e-6
size_t rp_penalty_choose(double *cv, const double *sse, size_t n, const rp_set *const *set,
                         size_t folds, size_t p);

#endif
