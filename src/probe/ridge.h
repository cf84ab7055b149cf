/*
 * Ridge regression of all labels of a group at once: (1/m)|t - z w|^2 + lambda |w|^2 on the
 * training sets of an outer fold. Primal (one Cholesky factorisation of the D x D correlation
 * matrix a set and penalty, all labels as right-hand sides, held-out errors from the fold's own
 * Gram matrix) when D <= m; on the kernel side (m x m) when there are fewer rows than columns.
 */
#ifndef RP_PROBE_RIDGE_H
#define RP_PROBE_RIDGE_H

#include "probe/design.h"

/* grid: descending penalties; with one value nothing is chosen. per_row: a penalty is divided by
 * the number of training rows (scikit-learn's alpha is m lambda). A penalty may be 0 only when the
 * matrix is regular: RP_ECOMPUTE otherwise. */
rp_status rp_ridge_fit(rp_fit *fit, const rp_moments *mo, const rp_grid *grid, bool per_row,
                       rp_error *err);
/* Bytes it needs beside the design. */
double rp_ridge_memory(size_t rows, size_t width, size_t labels, size_t npenalties, size_t folds);

#endif
