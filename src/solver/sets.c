#include "solver/sets.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

bool rp_cell_trains(const rp_cell *cell, int outer, int inner)
{
    return cell->outer >= 0 && cell->outer != outer && (inner < 0 || cell->inner != inner);
}

bool rp_cell_held(const rp_cell *cell, int outer, int inner)
{
    return inner >= 0 && cell->outer >= 0 && cell->outer != outer && cell->inner == inner;
}

/* ---- cells ---- */

static void sums_release(rp_sums *f)
{
    free(f->s), free(f->sq), free(f->c), free(f->ys), free(f->yy), free(f->gram);
    *f = (rp_sums){0};
}

static rp_status sums_init(rp_sums *f, const rp_design *d, bool gram, rp_error *err)
{
    size_t D = d->width, all = d->labels + d->extras;
    *f = (rp_sums){.s = rp_alloc(D, 8),
                   .sq = rp_alloc(D, 8),
                   .c = rp_alloc(all * D, 8),
                   .ys = rp_alloc(all, 8),
                   .yy = rp_alloc(all * (d->extras + 1), 8),
                   .gram = gram ? rp_alloc(D * D, 8) : NULL};
    if (f->s && f->sq && f->c && f->ys && f->yy && (f->gram || !gram)) return RP_OK;
    return rp_fail_memory(err, (gram ? D : all) * D * 8);
}

static void add_tile(rp_sums *f, const rp_design *d, const double *u, size_t first, size_t m)
{
    size_t D = d->width, all = d->labels + d->extras, E = d->extras;
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < D; j++) {
            double v = u[i * D + j];
            f->s[j] += v, f->sq[j] += v * v;
        }
    cblas_dgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, (int)D, (int)all, (int)m, 1, u, (int)D,
                d->y + first, (int)d->n, 1, f->c, (int)D);
    for (size_t p = 0; p < all; p++) {
        const double *y = d->y + p * d->n + first;
        for (size_t i = 0; i < m; i++) f->ys[p] += y[i], f->yy[p * (E + 1) + E] += y[i] * y[i];
        for (size_t e = 0; e < E; e++)
            f->yy[p * (E + 1) + e] +=
                cblas_ddot((int)m, y, 1, d->y + (d->labels + e) * d->n + first, 1);
    }
    if (f->gram)
        cblas_dsyrk(CblasColMajor, CblasLower, CblasNoTrans, (int)D, (int)m, 1, u, (int)D, 1,
                    f->gram, (int)D);
    f->m += m;
}

static rp_status sum_cell(rp_sums *f, const rp_design *d, const rp_cell *cell, rp_error *err)
{
    size_t D = d->width;
    double *u = rp_alloc(RP_TILE * D, sizeof *u);
    float *x = rp_alloc(RP_TILE * D, sizeof *x);
    rp_status status = u && x ? RP_OK : rp_fail_memory(err, RP_TILE * D * sizeof *u);
    for (size_t at = cell->first; at < cell->end && !status; at += RP_TILE) {
        size_t m = cell->end - at < RP_TILE ? cell->end - at : RP_TILE;
        status = rp_design_tile(d, u, x, NULL, at, m, err);
        if (!status) add_tile(f, d, u, at, m);
    }
    free(u), free(x);
    return status;
}

/* A team's sums: each cell was summed by one process. */
static rp_status gather(rp_sums *f, const rp_design *d, size_t m, rp_error *err)
{
    size_t D = d->width, all = d->labels + d->extras;
    rp_status status = rp_design_gather(d, f->s, D, err);
    if (!status) status = rp_design_gather(d, f->sq, D, err);
    if (!status) status = rp_design_gather(d, f->c, all * D, err);
    if (!status) status = rp_design_gather(d, f->ys, all, err);
    if (!status) status = rp_design_gather(d, f->yy, all * (d->extras + 1), err);
    for (size_t j = 0; j < D && f->gram && !status; j++)
        status = rp_design_gather(d, f->gram + j * D, D, err);
    f->m = m;
    return status;
}

rp_status rp_cells_init(rp_cells *cells, const rp_design *d, bool gram, rp_error *err)
{
    long n = (long)d->folds->ncells;
    rp_status status = RP_OK;
    *cells = (rp_cells){d, rp_alloc((size_t)n, sizeof *cells->cell)};
    if (!cells->cell) return rp_fail_memory(err, (size_t)n * sizeof *cells->cell);
#pragma omp parallel for schedule(dynamic, 1)
    for (long k = 0; k < n; k++) {
        const rp_cell *cell = &d->folds->cell[k];
        rp_error error = {0};
        if (status || cell->outer < 0) continue;
        rp_status s = sums_init(&cells->cell[k], d, gram, &error);
        if (!s && rp_design_mine(d, (size_t)k)) s = sum_cell(&cells->cell[k], d, cell, &error);
        if (!s) continue;
#pragma omp critical(rp_cells_failed)
        if (!status) status = rp_fail(err, s, "%s", error.text);
    }
    status = rp_design_agree(d, status, err);
    for (long k = 0; k < n && d->team && !status; k++) {
        const rp_cell *cell = &d->folds->cell[k];
        if (cell->outer >= 0) status = gather(&cells->cell[k], d, cell->end - cell->first, err);
    }
    if (status) rp_cells_release(cells);
    return status;
}

void rp_cells_release(rp_cells *cells)
{
    for (size_t k = 0; cells->cell && k < cells->d->folds->ncells; k++)
        sums_release(&cells->cell[k]);
    free(cells->cell);
    *cells = (rp_cells){0};
}

/* ---- sets ---- */

void rp_set_release(rp_set *s)
{
    free(s->mu), free(s->inv), free(s->ymu), free(s->yinv), free(s->c), free(s->te), free(s->yy);
    free(s->vs), free(s->vc), free(s->vy);
    *s = (rp_set){0};
}

static bool set_alloc(rp_set *s, size_t D, size_t all, size_t E)
{
    bool held = s->held > 0;
    s->mu = rp_alloc(D, 8), s->inv = rp_alloc(D, 8);
    s->ymu = rp_alloc(all, 8), s->yinv = rp_alloc(all, 8), s->yy = rp_alloc(all, 8);
    s->c = rp_alloc(all * D, 8), s->te = rp_alloc(all * E, 8);
    if (held) s->vs = rp_alloc(D, 8), s->vc = rp_alloc(all * D, 8), s->vy = rp_alloc(all, 8);
    return s->mu && s->inv && s->ymu && s->yinv && s->yy && s->c && s->te &&
           (!held || (s->vs && s->vc && s->vy));
}

static void accumulate(double *to, const double *from, size_t n)
{
    for (size_t i = 0; i < n; i++) to[i] += from[i];
}

static void sums_add(rp_sums *to, const rp_sums *from, const rp_design *d)
{
    size_t D = d->width, all = d->labels + d->extras;
    to->m += from->m;
    accumulate(to->s, from->s, D), accumulate(to->sq, from->sq, D);
    accumulate(to->c, from->c, all * D), accumulate(to->ys, from->ys, all);
    accumulate(to->yy, from->yy, all * (d->extras + 1));
}

/* What varies elsewhere only leaves a variance of rounding errors, and is dead even where every
 * other column is. */
static void set_columns(rp_set *s, const rp_design *d, const rp_sums *f)
{
    size_t D = d->width;
    double largest = 0, m = (double)s->m;
    for (size_t j = 0; j < D; j++) {
        s->mu[j] = f->s[j] / m;
        double var = f->sq[j] / m - s->mu[j] * s->mu[j];
        double noise = 1e-12 * (f->sq[j] / m + s->mu[j] * s->mu[j]);
        s->inv[j] = var > noise ? sqrt(var) : 0; /* the sd; inverted below */
        largest = fmax(largest, s->inv[j] * d->scale[j]);
    }
    for (size_t j = 0; j < D; j++) {
        bool dead = !(s->inv[j] * d->scale[j] > 1e-6 * largest);
        s->dead += dead;
        s->inv[j] = !d->standardise ? 1 : dead ? 0 : 1 / s->inv[j];
    }
}

static void set_labels(rp_set *s, const rp_design *d, const rp_sums *f)
{
    size_t D = d->width, E = d->extras, all = d->labels + E;
    double m = (double)s->m;
    for (size_t p = 0; p < all; p++) {
        double mean = f->ys[p] / m;
        double var = f->yy[p * (E + 1) + E] / m - mean * mean;
        double sd = var > 0 ? sqrt(var) : 0, offset = d->ymean[p] / d->yscale[p];
        bool dead = sd < 1e-7 || rp_label_constant(mean + offset, sd);
        s->ymu[p] = mean;
        s->yinv[p] = dead ? 0 : d->standardise ? 1 / sd : 1;
        s->yy[p] = dead ? 0 : var * s->yinv[p] * s->yinv[p];
        for (size_t j = 0; j < D; j++)
            s->c[p * D + j] = (f->c[p * D + j] / m - s->mu[j] * mean) * s->inv[j] * s->yinv[p];
    }
    for (size_t p = 0; p < all; p++)
        for (size_t e = 0; e < E; e++) {
            size_t q = d->labels + e;
            s->te[p * E + e] =
                (f->yy[p * (E + 1) + e] / m - s->ymu[p] * s->ymu[q]) * s->yinv[p] * s->yinv[q];
        }
}

static void set_held(rp_set *s, const rp_design *d, const rp_sums *f)
{
    size_t D = d->width, E = d->extras, all = d->labels + E;
    double m = (double)f->m;
    for (size_t j = 0; j < D; j++) s->vs[j] = (f->s[j] - m * s->mu[j]) * s->inv[j];
    for (size_t p = 0; p < all; p++) {
        double mean = s->ymu[p], k = s->yinv[p];
        s->vy[p] = (f->yy[p * (E + 1) + E] - 2 * mean * f->ys[p] + m * mean * mean) * k * k;
        for (size_t j = 0; j < D; j++)
            s->vc[p * D + j] =
                (f->c[p * D + j] - s->mu[j] * f->ys[p] - mean * f->s[j] + m * s->mu[j] * mean) *
                s->inv[j] * k;
    }
}

rp_status rp_set_from_sums(rp_set *s, const rp_design *d, const rp_sums *sums, rp_error *err)
{
    *s = (rp_set){.outer = -1, .inner = -1, .m = sums->m};
    if (!s->m) return RP_OK;
    if (!set_alloc(s, d->width, d->labels + d->extras, d->extras)) {
        rp_set_release(s);
        return rp_fail_memory(err, (d->labels + d->extras) * d->width * 8);
    }
    set_columns(s, d, sums);
    set_labels(s, d, sums);
    return RP_OK;
}

rp_status rp_set_init(rp_set *s, const rp_cells *cells, int outer, int inner, rp_error *err)
{
    const rp_design *d = cells->d;
    const rp_folds *folds = d->folds;
    rp_sums train = {0}, held = {0};
    *s = (rp_set){.outer = outer, .inner = inner};
    for (size_t k = 0; k < folds->ncells; k++) {
        size_t m = folds->cell[k].end - folds->cell[k].first;
        if (rp_cell_trains(&folds->cell[k], outer, inner)) s->m += m;
        if (rp_cell_held(&folds->cell[k], outer, inner)) s->held += m;
    }
    if (!s->m) return RP_OK;
    rp_status status = sums_init(&train, d, false, err);
    if (!status) status = sums_init(&held, d, false, err);
    if (!status && !set_alloc(s, d->width, d->labels + d->extras, d->extras))
        status = rp_fail_memory(err, (d->labels + d->extras) * d->width * 8);
    for (size_t k = 0; k < folds->ncells && !status; k++) {
        if (rp_cell_trains(&folds->cell[k], outer, inner)) sums_add(&train, &cells->cell[k], d);
        if (rp_cell_held(&folds->cell[k], outer, inner)) sums_add(&held, &cells->cell[k], d);
    }
    if (!status) {
        set_columns(s, d, &train);
        set_labels(s, d, &train);
        if (s->held) set_held(s, d, &held);
    }
    sums_release(&train), sums_release(&held);
    if (status) rp_set_release(s);
    return status;
}

void rp_set_gram(double *col, double *held, const rp_set *s, const rp_cells *cells, size_t j)
{
    const rp_folds *folds = cells->d->folds;
    size_t D = cells->d->width;
    double m = (double)s->m, mh = (double)s->held, mu = s->mu[j], inv = s->inv[j];
    memset(col + j, 0, (D - j) * sizeof *col);
    if (held) memset(held + j, 0, (D - j) * sizeof *held);
    for (size_t k = 0; k < folds->ncells; k++) {
        const double *g = cells->cell[k].gram;
        if (!g) continue; /* a cell that is never used */
        g += j * D;
        if (rp_cell_trains(&folds->cell[k], s->outer, s->inner))
            for (size_t i = j; i < D; i++) col[i] += g[i];
        else if (held && rp_cell_held(&folds->cell[k], s->outer, s->inner))
            for (size_t i = j; i < D; i++) held[i] += g[i];
    }
    for (size_t i = j; i < D; i++) col[i] = (col[i] / m - s->mu[i] * mu) * s->inv[i] * inv;
    /* sum (u - mu)(u - mu)' = H - mu S' - S mu' + m mu mu', S = vs / inv + m mu */
    for (size_t i = j; held && i < D; i++)
        held[i] = (held[i] - mh * s->mu[i] * mu) * s->inv[i] * inv -
                  s->mu[i] * s->inv[i] * s->vs[j] - s->vs[i] * mu * inv;
}

rp_status rp_set_tile(const rp_set *s, const rp_design *d, double *z, float *scratch,
                      const size_t *at, size_t first, size_t m, rp_error *err)
{
    rp_status status = rp_design_tile(d, z, scratch, at, first, m, err);
    for (size_t i = 0; i < m && !status; i++)
        for (size_t j = 0; j < d->width; j++)
            z[i * d->width + j] = (z[i * d->width + j] - s->mu[j]) * s->inv[j];
    return status;
}
