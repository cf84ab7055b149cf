/*
 * Ridge regression of all labels on all training sets: (1/m)|t - z w|^2 + lambda |w|^2, the penalty
 * chosen by the inner folds.
 *
 * One pass over x makes the Gram matrices of the cells; every training set's matrix is a sum of
 * them, reduced once to a band (band.h), after which all labels and all penalties cost little. The
 * inner sets, which only choose among penalties, are reduced in f32 when they are large; the outer
 * ones always in f64. Where there are many more columns than rows everything is done on the kernel
 * side (side.h).
 */
#ifndef RP_SOLVER_RIDGE_H
#define RP_SOLVER_RIDGE_H

#include "solver/side.h"

/* value <- the grid of penalties: 10^4 ... 10^-4 in half decades (times trace(z'z/m)/D, which is
 * 1), descending; or the one that is given (not NaN). Returns their number. */
#define RP_RIDGE_GRID 17
size_t rp_ridge_grid(double value[RP_RIDGE_GRID], double given);

/* The f64 system of outer fold `outer` and the penalties chosen for x alone, for who wants more of
 * it than the fit. */
typedef struct rp_ridge_outer {
    int outer;
    rp_dside *side;
    const double *penalty; /* [P] */
} rp_ridge_outer;

typedef struct rp_ridge_options {
    size_t npenalties;
    const double *penalty; /* [npenalties] descending; with one value nothing is chosen */
    bool per_row;          /* divided by the number of training rows (scikit-learn's alpha) */
    bool outer_only;       /* no inner sets, though there are inner folds; cv is NaN then */
    bool all;              /* also fitted on all rows, at the median of the chosen penalties */
    rp_joints joints;      /* extras to be joined with x, each choosing penalties of its own */
    void *arg;
    /* Called once for every outer fold, in a task of a parallel region; NULL: not wanted. */
    rp_status (*after)(void *arg, const rp_ridge_outer *outer, rp_error *err);
    const rp_host *host; /* told how far it is; NULL: nobody */
} rp_ridge_options;

/* One variant: x alone, or x joined with some extras. */
typedef struct rp_ridge_variant {
    double *f;       /* [P, n] held-out predictions in units of the design's y */
    double *penalty; /* [nouter, P] */
    double *cv;      /* [nouter, P] mean R2 over the inner folds; NaN without */
} rp_ridge_variant;

typedef struct rp_ridge {
    size_t nvariants;
    rp_ridge_variant *variant; /* [1 + joints] */
    double *base;              /* [P, n] the training mean that goes with f */
    bool *scored;              /* [n] rows of an outer fold that was held out */
    bool *bad;                 /* [P] constant in a training set, or too few rows */
    size_t fits, dead;         /* outer folds fitted; most columns that hardly vary */
    rp_fit fit;                /* on all rows, when asked for; its labels that are bad are 0 */
} rp_ridge;
/* Whether the work is done from Gram matrices, which the cells then must have. */
bool rp_ridge_primal(const rp_design *d);
/* The same before there is a design: true also where it depends on how the folds turn out. */
bool rp_ridge_primal_at(size_t rows, size_t width, size_t nouter);
rp_status rp_ridge_run(rp_ridge *ridge, const rp_cells *cells, const rp_ridge_options *o,
                       rp_error *err);
void rp_ridge_release(rp_ridge *ridge);
/* Bytes it needs beside the cells' Gram matrices, with so many threads. */
double rp_ridge_memory(size_t rows, size_t width, size_t labels, const rp_folds *folds,
                       size_t npenalties, int threads);

#endif
