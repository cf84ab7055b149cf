/*
 * x by columns: what the lasso works on. The one thing to know: columns are kept as they were read,
 * in f32, so that every column can be had in f64 without loss; a product with all of x is made from
 * blocks of centred f32 columns, which never exist as a whole.
 */
#ifndef RP_SOLVER_PANEL_H
#define RP_SOLVER_PANEL_H

#include "solver/design.h"

typedef struct rp_panel {
    const rp_design *d;
    float *x;     /* [D, n] column j of x at x + j n, rows in the folds' order */
    double *norm; /* [D] root mean square of u over all rows */
} rp_panel;

rp_status rp_panel_init(rp_panel *x, const rp_design *d, rp_error *err);
void rp_panel_release(rp_panel *x);

/* u [m] <- column j of u at the rows row[m] (row NULL: 0 .. m-1). */
void rp_panel_get(double *u, const rp_panel *x, size_t j, const size_t *row, size_t m);

/* q [k, D] <- r' u for r [k, n], both f32 with the last axis fast. The error is about 3e-7 of
 * |r| |u_j|; the columns of u are centred over all rows, up to f32's rounding of their mean. */
rp_status rp_panel_product(float *q, const rp_panel *x, const float *r, size_t k, rp_error *err);
/* The same for some columns j: element j of q[i], for i in 0..k-1, becomes r[i]' u_j. One thread.
 */
rp_status rp_panel_product_some(float *const *q, const rp_panel *x, const float *const *r, size_t k,
                                const size_t *column, size_t columns, rp_error *err);

#endif
