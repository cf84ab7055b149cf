#include "probe/ridge.h"

#include <cblas.h>
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* Scratch of a fit; order is D (primal) or the rows of the largest set (kernel). */
typedef struct work {
    const rp_moments *mo;
    size_t order;
    double *total;  /* primal: [D, D] Gram matrix of all training rows */
    double *gram;   /* primal: [D, D] of one fold, then its moments about the set */
    double *a, *l;  /* [order, order] the matrix; its factor */
    double *z, *zv; /* kernel: [m, D] training and [held, D] held-out rows, standardised */
    double *kv;     /* kernel: [held, m] */
    double *w, *vw; /* [P, max(order, D)] solutions; V w or held-out predictions */
    double *sse;    /* [nsets - 1][npenalties][P] */
} work;

static void work_release(work *k)
{
    free(k->total), free(k->gram), free(k->a), free(k->l);
    free(k->z), free(k->zv), free(k->kv), free(k->w), free(k->vw), free(k->sse);
}

static size_t largest_fold(const rp_moments *mo)
{
    size_t most = 1;
    for (size_t s = 1; s < mo->nsets; s++)
        if (mo->set[s].held > most) most = mo->set[s].held;
    return most;
}

static rp_status work_init(work *k, const rp_moments *mo, size_t npenalties, rp_error *err)
{
    size_t D = mo->d->width, P = mo->d->labels, m = mo->set[0].m, held = largest_fold(mo);
    bool primal = D <= m;
    *k = (work){.mo = mo, .order = primal ? D : m};
    size_t wide = k->order > D ? k->order : D, o = k->order;
    k->a = rp_alloc(o * o, 8), k->l = rp_alloc(o * o, 8);
    k->w = rp_alloc(P * wide, 8), k->vw = rp_alloc(P * (wide > held ? wide : held), 8);
    k->sse = rp_alloc(mo->nsets * npenalties * P, 8);
    bool ok = k->a && k->l && k->w && k->vw && k->sse;
    if (primal) {
        k->total = rp_alloc(D * D, 8), k->gram = rp_alloc(D * D, 8);
        ok = ok && k->total && k->gram;
    } else {
        k->z = rp_alloc(m * D, 8), k->zv = rp_alloc(held * D, 8), k->kv = rp_alloc(held * m, 8);
        ok = ok && k->z && k->zv && k->kv;
    }
    return ok ? RP_OK : rp_fail_memory(err, 4 * o * o * 8);
}

double rp_ridge_memory(size_t rows, size_t width, size_t labels, size_t npenalties, size_t folds)
{
    double n = (double)rows, D = (double)width, o = D <= n ? D : n;
    double kernel = D <= n ? 2 * D * D : n * D + n * n;
    return 8 *
           (2 * o * o + kernel + (double)labels * (4 * fmax(D, n) + (double)(npenalties * folds)));
}

/* l <- factor of a + lambda I, lower triangles. */
static rp_status factor(work *k, size_t order, double lambda, rp_error *err)
{
    size_t n = order;
    for (size_t j = 0; j < n; j++) {
        memcpy(k->l + j * n + j, k->a + j * n + j, (n - j) * sizeof(double));
        k->l[j * n + j] += lambda;
    }
    lapack_int info = LAPACKE_dpotrf_work(LAPACK_COL_MAJOR, 'L', (int)n, k->l, (int)n);
    if (!info) return RP_OK;
    return rp_fail(err, RP_ECOMPUTE,
                   "ridge: the matrix is not positive definite at penalty %g (order %zu, pivot %d)",
                   lambda, n, (int)info);
}

static rp_status solve(work *k, size_t order, double *b, size_t nrhs, rp_error *err)
{
    lapack_int info = LAPACKE_dpotrs_work(LAPACK_COL_MAJOR, 'L', (int)order, (int)nrhs, k->l,
                                          (int)order, b, (int)order);
    return info ? rp_fail(err, RP_ECOMPUTE, "ridge: solver failed with code %d", (int)info) : RP_OK;
}

/* ---- primal ---- */

/* h <- Gram matrix (lower) of the training rows of a fold; fold -1: of all. */
static void gram_of(double *h, const rp_moments *mo, int fold)
{
    size_t D = mo->d->width;
    memset(h, 0, D * D * sizeof *h);
    for (size_t r = 0; r < mo->nranges; r++) {
        const rp_range *range = &mo->range[r];
        if (fold >= 0 && range->fold != fold) continue;
        cblas_dsyrk(CblasColMajor, CblasLower, CblasNoTrans, (int)D,
                    (int)(range->end - range->first), 1, mo->d->u + range->first * D, (int)D, 1, h,
                    (int)D);
    }
}

/* a <- mean of z z' over the set (lower); gram <- sum of z z' over the fold left out. */
static void standardise_gram(work *k, const rp_set *s)
{
    size_t D = k->mo->d->width;
    double m = (double)s->m, held = (double)s->held;
    for (size_t j = 0; j < D; j++)
        for (size_t i = j; i < D; i++) {
            size_t at = j * D + i;
            double out = s->fold >= 0 ? k->gram[at] : 0, scale = s->inv[i] * s->inv[j];
            k->a[at] = ((k->total[at] - out) / m - s->mu[i] * s->mu[j]) * scale;
            if (s->fold < 0) continue;
            /* sum (u - mu)(u - mu)' = H - mu S' - S mu' + m mu mu', S = vs / inv + held mu */
            k->gram[at] = (out - held * s->mu[i] * s->mu[j]) * scale -
                          s->mu[i] * s->inv[i] * s->vs[j] - s->vs[i] * s->mu[j] * s->inv[j];
        }
}

static rp_status primal_errors(work *k, size_t at, const rp_grid *grid, double divide,
                               rp_error *err)
{
    const rp_set *s = &k->mo->set[at];
    size_t D = k->mo->d->width, P = k->mo->d->labels;
    rp_status status;
    gram_of(k->gram, k->mo, s->fold);
    standardise_gram(k, s);
    for (size_t g = 0; g < grid->n; g++) {
        if ((status = factor(k, D, grid->value[g] / divide, err))) return status;
        memcpy(k->w, s->c, P * D * sizeof(double));
        if ((status = solve(k, D, k->w, P, err))) return status;
        cblas_dsymm(CblasColMajor, CblasLeft, CblasLower, (int)D, (int)P, 1, k->gram, (int)D, k->w,
                    (int)D, 0, k->vw, (int)D);
        for (size_t p = 0; p < P; p++) {
            const double *w = k->w + p * D;
            double e = s->vy[p] - 2 * cblas_ddot((int)D, w, 1, s->vc + p * D, 1) +
                       cblas_ddot((int)D, w, 1, k->vw + p * D, 1);
            k->sse[((at - 1) * grid->n + g) * P + p] = e;
        }
    }
    return RP_OK;
}

/* ---- kernel side ---- */

/* z <- standardised training rows of the set, zv <- the rows of the fold left out. */
static void standardise_rows(work *k, const rp_set *s)
{
    size_t D = k->mo->d->width, at = 0, atv = 0;
    for (size_t r = 0; r < k->mo->nranges; r++) {
        const rp_range *range = &k->mo->range[r];
        for (size_t i = range->first; i < range->end; i++) {
            const double *u = k->mo->d->u + i * D;
            double *z =
                s->fold >= 0 && range->fold == s->fold ? k->zv + atv++ * D : k->z + at++ * D;
            for (size_t j = 0; j < D; j++) z[j] = (u[j] - s->mu[j]) * s->inv[j];
        }
    }
}

/* t [P, rows] <- standardised labels of the set (held: of the fold left out). */
static void standardise_labels(double *t, const work *k, const rp_set *s, bool held)
{
    const rp_design *d = k->mo->d;
    size_t at = 0;
    for (size_t p = 0; p < d->labels; p++)
        for (size_t r = 0; r < k->mo->nranges; r++) {
            const rp_range *range = &k->mo->range[r];
            if ((s->fold >= 0 && range->fold == s->fold) != held) continue;
            for (size_t i = range->first; i < range->end; i++)
                t[at++] = (d->y[p * d->n + i] - s->ymu[p]) * s->yinv[p];
        }
}

static void kernel_matrix(work *k, const rp_set *s)
{
    size_t D = k->mo->d->width, m = s->m;
    standardise_rows(k, s);
    cblas_dsyrk(CblasColMajor, CblasLower, CblasTrans, (int)m, (int)D, 1 / (double)m, k->z, (int)D,
                0, k->a, (int)m);
}

static rp_status kernel_errors(work *k, size_t at, const rp_grid *grid, double divide,
                               rp_error *err)
{
    const rp_set *s = &k->mo->set[at];
    size_t D = k->mo->d->width, P = k->mo->d->labels, m = s->m, held = s->held;
    rp_status status;
    kernel_matrix(k, s);
    cblas_dgemm(CblasColMajor, CblasTrans, CblasNoTrans, (int)m, (int)held, (int)D, 1 / (double)m,
                k->z, (int)D, k->zv, (int)D, 0, k->kv, (int)m);
    for (size_t g = 0; g < grid->n; g++) {
        if ((status = factor(k, m, grid->value[g] / divide, err))) return status;
        standardise_labels(k->w, k, s, false);
        if ((status = solve(k, m, k->w, P, err))) return status;
        standardise_labels(k->vw, k, s, true);
        cblas_dgemm(CblasColMajor, CblasTrans, CblasNoTrans, (int)held, (int)P, (int)m, -1, k->kv,
                    (int)m, k->w, (int)m, 1, k->vw, (int)held);
        for (size_t p = 0; p < P; p++) {
            const double *e = k->vw + p * held;
            k->sse[((at - 1) * grid->n + g) * P + p] = cblas_ddot((int)held, e, 1, e, 1);
        }
    }
    return RP_OK;
}

/* ---- all training rows, at the chosen penalties ---- */

static rp_status refit(work *k, rp_fit *fit, const size_t *chosen, const rp_grid *grid,
                       double divide, rp_error *err)
{
    const rp_set *s = &k->mo->set[0];
    size_t D = k->mo->d->width, P = k->mo->d->labels, m = s->m;
    bool primal = D <= m;
    rp_status status;
    if (primal)
        standardise_gram(k, s);
    else
        kernel_matrix(k, s);
    for (size_t g = 0; g < grid->n; g++) {
        bool wanted = false;
        for (size_t p = 0; p < P; p++) wanted |= chosen[p] == g;
        if (!wanted) continue;
        if ((status = factor(k, k->order, grid->value[g] / divide, err))) return status;
        const double *w = k->w;
        if (primal)
            memcpy(k->w, s->c, P * D * sizeof(double));
        else
            standardise_labels(k->w, k, s, false);
        if ((status = solve(k, k->order, k->w, P, err))) return status;
        if (!primal) { /* w = z' alpha / m */
            cblas_dgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, (int)D, (int)P, (int)m,
                        1 / (double)m, k->z, (int)D, k->w, (int)m, 0, k->vw, (int)D);
            w = k->vw;
        }
        for (size_t p = 0; p < P; p++) {
            if (chosen[p] != g) continue;
            rp_fit_store(fit, k->mo, p, w + p * D);
            fit->penalty[p] = grid->value[g];
        }
    }
    return RP_OK;
}

rp_status rp_ridge_fit(rp_fit *fit, const rp_moments *mo, const rp_grid *grid, bool per_row,
                       rp_error *err)
{
    work k;
    size_t P = mo->d->labels, D = mo->d->width;
    size_t *chosen = rp_alloc(P, sizeof *chosen);
    rp_status status = work_init(&k, mo, grid->n, err);
    if (!status && !chosen) status = rp_fail_memory(err, P * sizeof *chosen);
    if (status) goto done;
    bool primal = D <= mo->set[0].m;
    if (primal) gram_of(k.total, mo, -1);
    for (size_t s = 1; s < mo->nsets; s++) {
        double divide = per_row ? (double)mo->set[s].m : 1;
        status = primal ? primal_errors(&k, s, grid, divide, err)
                        : kernel_errors(&k, s, grid, divide, err);
        if (status) goto done;
    }
    for (size_t p = 0; p < P; p++) {
        chosen[p] = rp_grid_choose(mo, k.sse, grid->n, p, &fit->cv[p]);
        fit->gap[p] = 0;
    }
    status = refit(&k, fit, chosen, grid, per_row ? (double)mo->set[0].m : 1, err);
done:
    work_release(&k);
    free(chosen);
    return status;
}
