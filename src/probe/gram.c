#include "probe/gram.h"

#include <cblas.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { ROWS = 1024 }; /* rows gathered at a time */

rp_status rp_gram_init(rp_gram *cols, const rp_moments *mo, rp_error *err)
{
    size_t D = mo->d->width, folds = mo->nfolds ? mo->nfolds : 1;
    *cols = (rp_gram){.mo = mo};
    cols->a = rp_alloc(mo->nsets * D, sizeof *cols->a);
    cols->v = rp_alloc(mo->nsets * D, sizeof *cols->v);
    cols->block = rp_alloc((size_t)ROWS * RP_GRAM_BLOCK, sizeof(double));
    cols->gram = rp_alloc((folds + 1) * D * RP_GRAM_BLOCK, sizeof(double));
    if (cols->a && cols->v && cols->block && cols->gram) return RP_OK;
    rp_gram_release(cols);
    return rp_fail_memory(err, (folds + 1) * D * RP_GRAM_BLOCK * sizeof(double));
}

void rp_gram_release(rp_gram *cols)
{
    size_t n = cols->mo ? cols->mo->nsets * cols->mo->d->width : 0;
    for (size_t k = 0; cols->a && k < n; k++) free(cols->a[k]);
    for (size_t k = 0; cols->v && k < n; k++) free(cols->v[k]);
    free(cols->a), free(cols->v), free(cols->block), free(cols->gram);
    *cols = (rp_gram){0};
}

/* h [n, D] += u' u_j over rows first..end-1 */
static void add_rows(rp_gram *cols, double *h, const size_t *j, size_t n, size_t first, size_t end)
{
    const rp_design *d = cols->mo->d;
    size_t D = d->width, m = end - first;
    const double *u = d->u + first * D;
    for (size_t i = 0; i < m; i++)
        for (size_t k = 0; k < n; k++) cols->block[i * n + k] = u[i * D + j[k]];
    cblas_dgemm(CblasColMajor, CblasNoTrans, CblasTrans, (int)D, (int)n, (int)m, 1, u, (int)D,
                cols->block, (int)n, 1, h, (int)D);
}

/* The standardised column j of a set from the sums over all rows and over the fold left out. */
static rp_status make(rp_gram *cols, size_t set, size_t j, const double *all, const double *out,
                      rp_error *err)
{
    const rp_set *s = &cols->mo->set[set];
    size_t D = cols->mo->d->width;
    double m = (double)s->m, held = (double)s->held, mu = s->mu[j], inv = s->inv[j];
    double *a = cols->a[set * D + j] = rp_alloc(D, sizeof(double)), *v = NULL;
    if (set) v = cols->v[set * D + j] = rp_alloc(D, sizeof(double));
    if (!a || (set && !v)) return rp_fail_memory(err, D * sizeof(double));
    for (size_t i = 0; i < D; i++) {
        double scale = s->inv[i] * inv;
        a[i] = ((all[i] - (set ? out[i] : 0)) / m - s->mu[i] * mu) * scale;
        if (set) /* see ridge.c: moments of the fold about the set's means */
            v[i] = (out[i] - held * s->mu[i] * mu) * scale - s->mu[i] * s->inv[i] * s->vs[j] -
                   s->vs[i] * mu * inv;
    }
    return RP_OK;
}

rp_status rp_gram_need(rp_gram *cols, const size_t *j, size_t n, rp_error *err)
{
    const rp_moments *mo = cols->mo;
    size_t D = mo->d->width, folds = mo->nfolds ? mo->nfolds : 1, k = 0, want[RP_GRAM_BLOCK];
    for (size_t i = 0; i < n && k < RP_GRAM_BLOCK; i++)
        if (!cols->a[j[i]]) want[k++] = j[i];
    if (!k) return RP_OK;
    double *all = cols->gram + folds * k * D;
    memset(cols->gram, 0, (folds + 1) * k * D * sizeof(double));
    for (size_t r = 0; r < mo->nranges; r++) {
        const rp_range *range = &mo->range[r];
        for (size_t i = range->first; i < range->end; i += ROWS)
            add_rows(cols, cols->gram + (size_t)range->fold * k * D, want, k, i,
                     i + ROWS < range->end ? i + ROWS : range->end);
    }
    for (size_t f = 0; f < folds; f++)
        for (size_t i = 0; i < k * D; i++) all[i] += cols->gram[f * k * D + i];
    for (size_t s = 0; s < mo->nsets; s++) {
        int fold = mo->set[s].fold;
        for (size_t i = 0; i < k; i++) {
            const double *out = s ? cols->gram + ((size_t)fold * k + i) * D : NULL;
            rp_status status = make(cols, s, want[i], all + i * D, out, err);
            if (status) return status;
        }
    }
    cols->made += k;
    return RP_OK;
}
