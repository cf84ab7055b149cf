/*
 * x of a regression problem, read by rows when they are wanted.
 *
 * The one thing to know: a matrix is three numbers and a function. Whoever reads does not know
 * whether the rows are decoded from a store, lie in memory or are put together from two others.
 */
#ifndef RP_SOLVER_MATRIX_H
#define RP_SOLVER_MATRIX_H

#include "base/error.h"

/* x [n, width], row by row. */
typedef struct rp_matrix {
    size_t n, width;
    const char *name; /* for errors: "'resid_post.all.mean' layer 3" */
    void *arg;
    /* x [m, width] <- the rows row[m], in any order; called by several threads at a time. */
    rp_status (*read)(void *arg, float *x, const size_t *row, size_t m, rp_error *err);
} rp_matrix;

/* The columns of a [n, A], then those of b [n, B], as one matrix [n, A + B] named "a + b": what a
 * layer adds to a wide baseline. Borrows a and b; RP_EARG when they differ in rows. After a failure
 * there is nothing to release. */
rp_status rp_matrix_join(rp_matrix *joined, const rp_matrix *a, const rp_matrix *b, rp_error *err);
void rp_matrix_join_release(rp_matrix *joined);

#endif
