/*
 * Columns of the correlation matrices of all training sets of an outer fold, computed when a lasso
 * first needs them and shared by all labels and all folds: the work that no label should repeat.
 */
#ifndef RP_PROBE_GRAM_H
#define RP_PROBE_GRAM_H

#include "probe/design.h"

typedef struct rp_gram {
    const rp_moments *mo;
    double **a;           /* [nsets * D] column j of set s, [D]: mean of z z_j; NULL: not yet */
    double **v;           /* [nsets * D] sum of z z_j over the fold left out; NULL for set 0 */
    double *block, *gram; /* scratch */
    size_t made;          /* columns computed so far */
} rp_gram;

#define RP_GRAM_BLOCK 16

rp_status rp_gram_init(rp_gram *cols, const rp_moments *mo, rp_error *err);
void rp_gram_release(rp_gram *cols);
/* Makes columns j[n], n <= RP_GRAM_BLOCK, of every set; those that are there already are skipped.
 */
rp_status rp_gram_need(rp_gram *cols, const size_t *j, size_t n, rp_error *err);

static inline const double *rp_gram_at(const rp_gram *cols, size_t set, size_t j)
{
    return cols->a[set * cols->mo->d->width + j];
}

#endif
