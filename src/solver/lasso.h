/*
 * The lasso and the elastic net, for every label and training set of a layer at once:
 *
 *     min over w of (1/2m)|t - z w|^2 + a rho |w|_1 + a (1 - rho)/2 |w|^2      (scikit-learn's)
 *
 * on rows z, t standardised by each training set's own means and deviations. The one thing to know:
 * at given penalties no Gram matrix of all columns is made. A label has a working set of columns,
 * shared by its training sets, on which everything is exact and in f64; one f32 product of all
 * residuals with all of x tells which columns must join, or that none must. Every answer carries
 * its duality gap.
 */
#ifndef RP_SOLVER_LASSO_H
#define RP_SOLVER_LASSO_H

#include "solver/panel.h"
#include "solver/sets.h"

#define RP_LASSO_TARGET 1e-8 /* gap / mean of t^2 that is expected */
#define RP_LASSO_LIMIT 1e-6  /* above it a fit has not converged */

/* Training sets over one partition of the rows: a part is in a set as a whole or not at all. */
typedef struct rp_lasso_rows {
    size_t nsets, parts;
    const rp_set *set;        /* [nsets] their moments: m, mu, inv, ymu, yinv, c */
    const unsigned char *use; /* [nsets, parts] 0 or 1 */
    const size_t *first;      /* [parts + 1] */
    const size_t *row;        /* [first[parts]] rows of the design, part by part */
    double **gram; /* [parts] [D, D] sums of u u' (lower); NULL: made from rows, where needed */
} rp_lasso_rows;

/* The partition by the design's cells; by outer folds alone where no set leaves an inner one out.
 * cells (may be NULL): their Gram matrices, which must be there, are summed up for the parts. What
 * set points to is borrowed. */
rp_status rp_lasso_rows_init(rp_lasso_rows *rows, const rp_design *d, const rp_cells *cells,
                             const rp_set *set, size_t nsets, rp_error *err);
void rp_lasso_rows_release(rp_lasso_rows *rows);

typedef struct rp_lasso_problem {
    size_t label, set;
    double penalty; /* a > 0 */
    /* Owned. On entry columns to begin with and their coefficients, may be none; on return the
     * non-zero coefficients, on (z, t) of the set, columns ascending. */
    size_t units, *unit;
    double *w;
    double gap; /* duality gap / mean of t^2, from the rows in f64 */
} rp_lasso_problem;
void rp_lasso_problem_release(rp_lasso_problem *p);

/* Solves n problems, in any order; 0 < l1_ratio <= 1. A label that is constant in a set gets no
 * units. Parallel inside; the same bytes for any number of threads. */
rp_status rp_lasso_solve(rp_lasso_problem *p, size_t n, const rp_panel *x,
                         const rp_lasso_rows *rows, double l1_ratio, const rp_host *host,
                         rp_error *err);

/* The sum of squared errors of a solution over the rows that its set's inner fold holds out, in
 * units of t of the set. */
rp_status rp_lasso_held(double *sse, const rp_lasso_problem *p, const rp_set *set,
                        const rp_panel *x, rp_error *err);

/* A penalty for every label on the training set of an outer fold, from a path of RP_LASSO_PATH
 * values, log-spaced from the set's a_max = max |c| / l1_ratio to a_max / 1000, chosen by the inner
 * folds (rp_penalty_choose). A path ends where the pooled held-out error has been above its minimum
 * for 15 penalties in a row, or at half as many units as rows.
 *
 * p [P] with the labels in order: penalty, and columns to begin with, are filled for
 * rp_lasso_solve; cv [P]; *cut (may be NULL) <- labels whose minimum is where the path was cut for
 * its units. set: the outer set. The cells must have Gram matrices: every inner set's correlation
 * matrix is held as a whole, in f32. */
#define RP_LASSO_PATH 100
rp_status rp_lasso_path(rp_lasso_problem *p, double *cv, size_t *cut, const rp_set *set,
                        const rp_panel *x, const rp_cells *cells, double l1_ratio, rp_error *err);

/* Everything for a layer: a fit a held-out outer fold, fit [nouter], and one more on all rows, when
 * `all`, at the median of the penalties: fit[nouter]. penalty NaN: chosen on a path, which needs
 * inner folds. Fits are initialised here and to be released; those of outer folds without training
 * rows stay empty. With inner folds cv is filled for a given penalty, too. host may be NULL. */
rp_status rp_lasso_run(rp_fit *fit, const rp_cells *cells, double penalty, double l1_ratio,
                       bool all, const rp_host *host, rp_error *err);
/* Bytes it needs beside the cells' Gram matrices, with so many threads. */
double rp_lasso_memory(size_t rows, size_t width, size_t labels, const rp_folds *folds, bool path,
                       int threads);

#endif
