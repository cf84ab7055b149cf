/*
 * A regression problem as the solvers see it: x of a layer, read by rows when they are wanted, and
 * the labels y, with the folds that the rows fall in.
 *
 * The one thing to know: a design does not hold x. Tiles of it are read, centred and scaled over
 * all rows in f64 (`u`); every training set then is a sum over cells, and its own standardisation a
 * shift and a factor a column (sets.h). Only who needs all of x at once keeps it: the lasso by
 * columns (panel.h), ridge on the kernel side a training set's rows (side.h). Centring comes before
 * any product: Gram matrices of uncentred activations lose their digits to the massive units.
 */
#ifndef RP_SOLVER_DESIGN_H
#define RP_SOLVER_DESIGN_H

#include "solver/matrix.h"

/* Rows first..end-1 of the design. The probe held out for outer fold o is fitted on all cells of
 * the other outer folds and scored on the cells of o; the penalty is chosen by leaving out the
 * training rows with inner fold 0, 1, ... in turn. */
typedef struct rp_cell {
    size_t first, end;
    int outer, inner; /* outer -1: never used; outer == nouter: training rows that are never held
                       * out (the paper's protocols have one outer fold, 0, their test rows) */
} rp_cell;

typedef struct rp_folds {
    size_t n;
    const size_t *row; /* [n] rows of the matrix, cell by cell */
    size_t ncells;
    const rp_cell *cell;   /* [ncells] sorted by (outer, inner), so that a fold is one range */
    size_t nouter, ninner; /* ninner 0: no inner folds */
} rp_folds;

typedef struct rp_design {
    const rp_matrix *x;
    const rp_folds *folds;
    size_t n, width;       /* rows, D */
    size_t labels, extras; /* P; E more columns beside x: small baselines */
    bool standardise;
    double *mean, *scale;   /* [D] of x over all rows; scale is 1 when x is not standardised */
    double *y;              /* [P + E, n] (y - ymean) / yscale, in the folds' order */
    double *ymean, *yscale; /* [P + E] */
    bool team; /* all processes of the job work on this design together (base/comm.h): every one
                * reads a part of the rows, and every solver call is collective */
} rp_design;

/* y [labels + extras] pointers to columns over the rows of x. RP_EFORMAT names a value of x that is
 * not finite. Borrows x and folds. */
rp_status rp_design_init(rp_design *d, const rp_matrix *x, const rp_folds *folds,
                         const double *const *y, size_t labels, size_t extras, bool standardise,
                         bool team, rp_error *err);
void rp_design_release(rp_design *d);

#define RP_TILE 128 /* rows of x that are in f64 at a time */

/* u [m, D] row-major <- (x - mean) / scale of rows at[0..m-1] (at NULL: first..first+m-1) of the
 * design; m <= RP_TILE. scratch [m, D]. */
rp_status rp_design_tile(const rp_design *d, double *u, float *scratch, const size_t *at,
                         size_t first, size_t m, rp_error *err);

/* A label whose deviation is below 1e-9 of its mean is as good as constant. */
bool rp_label_constant(double mean, double sd);

/* Is piece k of the work that is shared by a team this process's? */
bool rp_design_mine(const rp_design *d, size_t k);
/* In a team: v [n] <- its sum over the processes; each piece is zero in all but one of them, so
 * that the sum is exact in any order. Otherwise nothing. */
rp_status rp_design_gather(const rp_design *d, double *v, size_t n, rp_error *err);
/* In a team: the status of the first process that failed, for all. */
rp_status rp_design_agree(const rp_design *d, rp_status status, rp_error *err);

/* One BLAS thread: the solvers are parallel over tasks. */
void rp_solver_blas_init(void);

#endif
