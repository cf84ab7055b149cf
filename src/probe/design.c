#include "probe/design.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* OpenBLAS has it, other CBLAS libraries do not. */
extern void openblas_set_num_threads(int n) __attribute__((weak));

void rp_probe_blas_init(void)
{
    if (openblas_set_num_threads) openblas_set_num_threads(1);
}

void rp_design_release(rp_design *d)
{
    free(d->u), free(d->mean), free(d->scale);
    free(d->y), free(d->ymean), free(d->yscale);
    *d = (rp_design){0};
}

static void centre_label(rp_design *d, size_t p, const double *from)
{
    double *y = d->y + p * d->n, sum = 0, squares = 0;
    for (size_t i = 0; i < d->n; i++) sum += y[i] = from[d->group->row[i]];
    double mean = sum / (double)d->n;
    for (size_t i = 0; i < d->n; i++) y[i] -= mean, squares += y[i] * y[i];
    double sd = sqrt(squares / (double)d->n);
    d->ymean[p] = mean;
    d->yscale[p] = sd > 0 ? sd : 1;
    for (size_t i = 0; i < d->n; i++) y[i] /= d->yscale[p];
}

static rp_status column_sums(rp_design *d, const float *x, const char *what, rp_error *err)
{
    size_t D = d->width;
    for (size_t i = 0; i < d->n; i++) {
        const float *row = x + d->group->row[i] * D;
        double *u = d->u + i * D;
        for (size_t j = 0; j < D; j++) {
            u[j] = (double)row[j];
            d->mean[j] += u[j];
        }
    }
    for (size_t j = 0; j < D; j++) {
        if (isfinite(d->mean[j])) {
            d->mean[j] /= (double)d->n;
            continue;
        }
        size_t i = 0;
        while (i + 1 < d->n && isfinite(d->u[i * D + j])) i++;
        return rp_fail(err, RP_EFORMAT, "%s: row %zu unit %zu is not a finite number: %g", what,
                       d->group->row[i], j, d->u[i * D + j]);
    }
    return RP_OK;
}

static void standardise(rp_design *d)
{
    size_t D = d->width;
    double largest = 0;
    for (size_t i = 0; i < d->n; i++) {
        double *u = d->u + i * D;
        for (size_t j = 0; j < D; j++) {
            u[j] -= d->mean[j];
            d->scale[j] += u[j] * u[j];
        }
    }
    for (size_t j = 0; j < D; j++) {
        d->scale[j] = sqrt(d->scale[j] / (double)d->n);
        largest = fmax(largest, d->scale[j]);
    }
    for (size_t j = 0; j < D; j++) /* what is dead is left as it is */
        if (!d->standardise || !(d->scale[j] > 1e-7 * largest)) d->scale[j] = 1;
    if (!d->standardise) return;
    for (size_t i = 0; i < d->n; i++) {
        double *u = d->u + i * D;
        for (size_t j = 0; j < D; j++) u[j] /= d->scale[j];
    }
}

rp_status rp_design_init(rp_design *d, const rp_group *group, const rp_labels *labels,
                         const float *x, size_t width, bool standardised, const char *what,
                         rp_error *err)
{
    size_t n = group->n, P = group->nlabels;
    *d = (rp_design){group, n, width, P, standardised, 0, 0, 0, 0, 0, 0};
    if (width && n > SIZE_MAX / 8 / width) return rp_fail_memory(err, SIZE_MAX);
    d->u = rp_alloc(n * width, sizeof(double));
    d->mean = rp_alloc(width, sizeof(double));
    d->scale = rp_alloc(width, sizeof(double));
    d->y = rp_alloc(P * n, sizeof(double));
    d->ymean = rp_alloc(P, sizeof(double));
    d->yscale = rp_alloc(P, sizeof(double));
    rp_status status = RP_OK;
    if (!d->u || !d->mean || !d->scale || !d->y || !d->ymean || !d->yscale)
        status = rp_fail_memory(err, n * width * sizeof(double));
    if (!status) status = column_sums(d, x, what, err);
    if (status) {
        rp_design_release(d);
        return status;
    }
    standardise(d);
    for (size_t p = 0; p < P; p++) centre_label(d, p, labels->y[group->label[p]]);
    return RP_OK;
}

/* ---- moments ---- */

/* Sums over the rows of one fold, or of all training rows. */
typedef struct sums {
    size_t m;
    double *s, *sq;  /* [D] */
    double *c;       /* [P, D] */
    double *ys, *yy; /* [P] */
} sums;

static void sums_release(sums *f)
{
    free(f->s), free(f->sq), free(f->c), free(f->ys), free(f->yy);
}

static bool sums_init(sums *f, size_t D, size_t P)
{
    *f = (sums){
        0, rp_alloc(D, 8), rp_alloc(D, 8), rp_alloc(P * D, 8), rp_alloc(P, 8), rp_alloc(P, 8)};
    return f->s && f->sq && f->c && f->ys && f->yy;
}

static void sums_add_range(sums *f, const rp_design *d, const rp_range *r)
{
    size_t D = d->width, m = r->end - r->first;
    const double *u = d->u + r->first * D;
    f->m += m;
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < D; j++) {
            double v = u[i * D + j];
            f->s[j] += v, f->sq[j] += v * v;
        }
    cblas_dgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, (int)D, (int)d->labels, (int)m, 1, u,
                (int)D, d->y + r->first, (int)d->n, 1, f->c, (int)D);
    for (size_t p = 0; p < d->labels; p++) {
        const double *y = d->y + p * d->n + r->first;
        for (size_t i = 0; i < m; i++) f->ys[p] += y[i], f->yy[p] += y[i] * y[i];
    }
}

static void accumulate(double *to, const double *from, size_t n)
{
    for (size_t i = 0; i < n; i++) to[i] += from[i];
}

static void set_release(rp_set *s)
{
    free(s->mu), free(s->inv), free(s->ymu), free(s->yinv), free(s->c), free(s->yy);
    free(s->vs), free(s->vc), free(s->vy);
}

static bool set_alloc(rp_set *s, size_t D, size_t P, bool held)
{
    s->mu = rp_alloc(D, 8), s->inv = rp_alloc(D, 8);
    s->ymu = rp_alloc(P, 8), s->yinv = rp_alloc(P, 8), s->yy = rp_alloc(P, 8);
    s->c = rp_alloc(P * D, 8);
    if (held) s->vs = rp_alloc(D, 8), s->vc = rp_alloc(P * D, 8), s->vy = rp_alloc(P, 8);
    return s->mu && s->inv && s->ymu && s->yinv && s->yy && s->c &&
           (!held || (s->vs && s->vc && s->vy));
}

/* The columns of a training set: all sums less those of the fold left out. What varies in that fold
 * only leaves a variance of rounding errors, and is dead even where every other column is. */
static void set_columns(rp_set *s, const rp_design *d, const sums *all, const sums *out)
{
    size_t D = d->width;
    double largest = 0;
    for (size_t j = 0; j < D; j++) {
        s->mu[j] = (all->s[j] - (out ? out->s[j] : 0)) / (double)s->m;
        double var = (all->sq[j] - (out ? out->sq[j] : 0)) / (double)s->m - s->mu[j] * s->mu[j];
        double noise = 1e-12 * (all->sq[j] / (double)s->m + s->mu[j] * s->mu[j]);
        s->inv[j] = var > noise ? sqrt(var) : 0; /* the sd; inverted below */
        largest = fmax(largest, s->inv[j] * d->scale[j]);
    }
    for (size_t j = 0; j < D; j++) {
        bool dead = !(s->inv[j] * d->scale[j] > 1e-6 * largest);
        s->dead += dead;
        s->inv[j] = !d->standardise ? 1 : dead ? 0 : 1 / s->inv[j];
    }
}

static void set_labels(rp_set *s, const rp_design *d, const sums *all, const sums *out)
{
    size_t D = d->width;
    double m = (double)s->m;
    for (size_t p = 0; p < d->labels; p++) {
        double mean = (all->ys[p] - (out ? out->ys[p] : 0)) / m;
        double var = (all->yy[p] - (out ? out->yy[p] : 0)) / m - mean * mean;
        double sd = var > 0 ? sqrt(var) : 0, offset = d->ymean[p] / d->yscale[p];
        bool dead = sd < 1e-7 || rp_label_constant(mean + offset, sd);
        s->ymu[p] = mean;
        s->yinv[p] = dead ? 0 : d->standardise ? 1 / sd : 1;
        s->yy[p] = dead ? 0 : var * s->yinv[p] * s->yinv[p];
        for (size_t j = 0; j < D; j++) {
            double c = (all->c[p * D + j] - (out ? out->c[p * D + j] : 0)) / m;
            s->c[p * D + j] = (c - s->mu[j] * mean) * s->inv[j] * s->yinv[p];
        }
    }
}

static void set_held(rp_set *s, const rp_design *d, const sums *f)
{
    size_t D = d->width;
    double m = (double)f->m;
    s->held = f->m;
    for (size_t j = 0; j < D; j++) s->vs[j] = (f->s[j] - m * s->mu[j]) * s->inv[j];
    for (size_t p = 0; p < d->labels; p++) {
        double mean = s->ymu[p], k = s->yinv[p];
        s->vy[p] = (f->yy[p] - 2 * mean * f->ys[p] + m * mean * mean) * k * k;
        for (size_t j = 0; j < D; j++)
            s->vc[p * D + j] =
                (f->c[p * D + j] - s->mu[j] * f->ys[p] - mean * f->s[j] + m * s->mu[j] * mean) *
                s->inv[j] * k;
    }
}

static rp_status make_sets(rp_moments *mo, const sums *all, const sums *fold, rp_error *err)
{
    const rp_design *d = mo->d;
    for (int f = -1; f < (int)mo->nfolds; f++) {
        const sums *out = f < 0 ? NULL : &fold[f];
        if (out && (!out->m || all->m - out->m < 2)) continue;
        rp_set *s = &mo->set[mo->nsets++];
        *s = (rp_set){.m = all->m - (out ? out->m : 0), .fold = f};
        if (!set_alloc(s, d->width, d->labels, out))
            return rp_fail_memory(err, 2 * d->labels * d->width * 8);
        set_columns(s, d, all, out);
        set_labels(s, d, all, out);
        if (out) set_held(s, d, out);
    }
    return RP_OK;
}

/* The training rows, neighbouring parts of the same fold merged. */
static void find_ranges(rp_moments *mo, int outer, size_t inner)
{
    const rp_group *g = mo->d->group;
    for (size_t k = 0; k < g->nparts; k++) {
        const rp_part *part = &g->part[k];
        if (part->outer < 0 || part->outer == outer) continue;
        int fold = inner ? part->inner : 0;
        rp_range *last = mo->nranges ? &mo->range[mo->nranges - 1] : NULL;
        if (last && last->end == part->first && last->fold == fold)
            last->end = part->end;
        else
            mo->range[mo->nranges++] = (rp_range){part->first, part->end, fold};
    }
}

rp_status rp_moments_init(rp_moments *mo, const rp_design *d, int outer, size_t inner,
                          rp_error *err)
{
    size_t D = d->width, P = d->labels, folds = inner ? inner : 1;
    rp_status status = RP_OK;
    *mo = (rp_moments){.d = d, .nfolds = inner};
    mo->range = rp_alloc(d->group->nparts, sizeof *mo->range);
    mo->set = rp_alloc(folds + 1, sizeof *mo->set);
    sums *fold = rp_alloc(folds + 1, sizeof *fold);
    bool ok = mo->range && mo->set && fold;
    for (size_t f = 0; f <= folds && ok; f++) ok = sums_init(&fold[f], D, P);
    if (!ok) {
        status = rp_fail_memory(err, (folds + 1) * P * D * 8);
        goto done;
    }
    find_ranges(mo, outer, inner);
    for (size_t r = 0; r < mo->nranges; r++)
        sums_add_range(&fold[mo->range[r].fold], d, &mo->range[r]);
    sums *all = &fold[folds];
    for (size_t f = 0; f < folds; f++) {
        all->m += fold[f].m;
        accumulate(all->s, fold[f].s, D), accumulate(all->sq, fold[f].sq, D);
        accumulate(all->c, fold[f].c, P * D);
        accumulate(all->ys, fold[f].ys, P), accumulate(all->yy, fold[f].yy, P);
    }
    if (all->m) status = make_sets(mo, all, fold, err);
done:
    for (size_t f = 0; fold && f <= folds; f++) sums_release(&fold[f]);
    free(fold);
    if (status) rp_moments_release(mo);
    return status;
}

void rp_moments_release(rp_moments *mo)
{
    for (size_t k = 0; mo->set && k < mo->nsets; k++) set_release(&mo->set[k]);
    free(mo->range), free(mo->set);
    *mo = (rp_moments){0};
}
