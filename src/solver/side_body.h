/* The code of side.h for one type: REAL, SIDE, NAME(x), BAND(x), BLAS(x) are the includer's, as is
 * take(), which makes the matrix of the side's own type. */
#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void NAME(release)(SIDE *s)
{
    BAND(release)(&s->band);
    free(s->z), free(s->rhs), free(s->l);
    *s = (SIDE){0};
}

static void convert(REAL *to, const double *from, size_t n)
{
    for (size_t i = 0; i < n; i++) to[i] = (REAL)from[i];
}

static void fill_primal(SIDE *s, rp_dband *full, const rp_cells *cells)
{
    size_t D = s->d->width, n = full->n, all = s->d->labels + s->d->extras;
    for (size_t j = 0; j < D; j++) rp_set_gram(full->a + j * n, NULL, s->set, cells, j);
    for (size_t p = 0; p < all; p++) convert(s->rhs + p * n, s->set->c + p * D, D);
}

/* Standardised rows at[m] of the design as REAL, a tile at a time. */
static rp_status rows(REAL *z, const SIDE *s, const size_t *at, size_t m, double *tile, float *x,
                      rp_error *err)
{
    rp_status status = RP_OK;
    size_t D = s->d->width;
    for (size_t i = 0; i < m && !status; i += RP_TILE) {
        size_t some = m - i < RP_TILE ? m - i : RP_TILE;
        status = rp_set_tile(s->set, s->d, tile, x, at + i, 0, some, err);
        if (!status) convert(z + i * D, tile, some * D);
    }
    return status;
}

/* Training rows, in the folds' order; returns their number. */
static size_t training_rows(size_t *at, const SIDE *s)
{
    size_t m = 0;
    for (size_t k = 0; k < s->d->folds->ncells; k++) {
        const rp_cell *cell = &s->d->folds->cell[k];
        if (!rp_cell_trains(cell, s->set->outer, s->set->inner)) continue;
        for (size_t i = cell->first; i < cell->end; i++) at[m++] = i;
    }
    return m;
}

static rp_status fill_kernel(SIDE *s, rp_dband *full, rp_error *err)
{
    size_t D = s->d->width, m = s->set->m, n = full->n, all = s->d->labels + s->d->extras;
    size_t *at = rp_alloc(m, sizeof *at);
    double *z = rp_alloc(m * D, sizeof *z);
    float *x = rp_alloc(RP_TILE * D, sizeof *x);
    s->z = rp_alloc(m * D, sizeof *s->z);
    rp_status status = at && z && x && s->z ? RP_OK : rp_fail_memory(err, m * D * sizeof *z);
    if (!status) training_rows(at, s);
    for (size_t i = 0; i < m && !status; i += RP_TILE)
        status = rp_set_tile(s->set, s->d, z + i * D, x, at + i, 0,
                             m - i < RP_TILE ? m - i : RP_TILE, err);
    if (!status) {
        convert(s->z, z, m * D);
        cblas_dsyrk(CblasColMajor, CblasLower, CblasTrans, (int)m, (int)D, 1 / (double)m, z, (int)D,
                    0, full->a, (int)n);
        for (size_t p = 0; p < all; p++)
            for (size_t i = 0; i < m; i++)
                s->rhs[p * n + i] =
                    (REAL)((s->d->y[p * s->d->n + at[i]] - s->set->ymu[p]) * s->set->yinv[p]);
    }
    free(at), free(z), free(x);
    return status;
}

rp_status NAME(init)(SIDE *s, const rp_set *set, const rp_cells *cells, bool primal, rp_error *err)
{
    const rp_design *d = cells->d;
    rp_dband full;
    size_t all = d->labels + d->extras;
    *s = (SIDE){.set = set, .d = d, .primal = primal};
    rp_status status = rp_dband_init(&full, primal ? d->width : set->m, err);
    if (status) return status;
    size_t n = full.n;
    s->rhs = rp_alloc(n * all, sizeof *s->rhs);
    s->l = rp_alloc(2 * n * RP_BAND, sizeof *s->l);
    REAL *scratch = rp_alloc(RP_BAND * all, sizeof *scratch);
    if (!s->rhs || !s->l || !scratch) status = rp_fail_memory(err, n * all * sizeof *s->rhs);
    if (!status && primal) fill_primal(s, &full, cells);
    if (!status && !primal) status = fill_kernel(s, &full, err);
    if (!status) status = take(s, &full, err);
    rp_dband_release(&full);
    if (!status) status = BAND(reduce)(&s->band, err);
    if (!status) BAND(rotate)(&s->band, s->rhs, all, true, scratch);
    free(scratch);
    if (status) NAME(release)(s);
    return status;
}

bool NAME(solve)(SIDE *s, REAL *x, double *cross, double lambda)
{
    size_t n = s->band.n, P = s->d->labels, E = s->d->extras;
    if (!BAND(factor)(s->l, &s->band, (REAL)lambda)) return false;
    memcpy(x, s->rhs, n * (P + E) * sizeof *x);
    BAND(solve)(s->l, &s->band, x, P + E);
    for (size_t p = 0; p < P + E; p++)
        for (size_t e = 0; e < E; e++) {
            double v = (double)BLAS(dot)((int)n, s->rhs + (P + e) * n, 1, x + p * n, 1);
            cross[p * E + e] =
                s->primal ? v : s->set->te[p * E + e] - lambda * v / (double)s->set->m;
        }
    return true;
}

rp_status NAME(weights)(REAL *w, const SIDE *s, REAL *x, size_t r, rp_error *err)
{
    size_t D = s->d->width, n = s->band.n, m = s->set->m;
    REAL *scratch = rp_alloc(RP_BAND * r, sizeof *scratch);
    if (!scratch) return rp_fail_memory(err, RP_BAND * r * sizeof *scratch);
    BAND(rotate)(&s->band, x, r, false, scratch);
    free(scratch);
    if (s->primal)
        for (size_t k = 0; k < r; k++) memcpy(w + k * D, x + k * n, D * sizeof *w);
    else /* w = z' alpha / m */
        BLAS(gemm)
    (CblasColMajor, CblasNoTrans, CblasNoTrans, (int)D, (int)r, (int)m, (REAL)(1 / (double)m), s->z,
     (int)D, x, (int)n, 0, w, (int)D);
    return RP_OK;
}

/* ---- held-out errors ---- */

typedef struct held {
    size_t solved;
    double *u; /* [npenalties, P + E, E] of every joint, side by side */
    REAL *w;   /* [D, solved (P + E)] */
} held;

static rp_status solve_grid(held *h, SIDE *s, const double *penalty, size_t npenalties,
                            const rp_joints *joints, rp_error *err)
{
    size_t P = s->d->labels, E = s->d->extras, all = P + E, n = s->band.n, D = s->d->width;
    REAL *x = rp_alloc(n * all * npenalties, sizeof *x);
    double *cross = rp_alloc(all * E, sizeof *cross);
    rp_status status = RP_OK;
    h->u = rp_alloc(npenalties * all * E, sizeof *h->u);
    h->w = rp_alloc(D * all * npenalties, sizeof *h->w);
    if (!x || !cross || !h->u || !h->w)
        status = rp_fail_memory(err, (n + D) * all * npenalties * 8);
    for (size_t k = 0; k < npenalties && !status; k++) {
        double *u = h->u + k * all * E;
        if (!NAME(solve)(s, x + k * n * all, cross, penalty[k])) break;
        for (size_t v = 0; v < joints->n && !status; v++)
            status = rp_joint_solve(u + P * joints->first[v], s->set, s->d, cross, joints, v,
                                    penalty[k], err);
        if (status == RP_ECOMPUTE && sizeof(REAL) < sizeof(double)) { /* f64 may do it */
            status = RP_OK;
            break;
        }
        h->solved = k + 1;
    }
    if (!status) status = NAME(weights)(h->w, s, x, h->solved * all, err);
    free(x), free(cross);
    return status;
}

/* Adds the squared errors of a tile: g [m, all] predictions at one penalty, t [all, m]. */
static void add_errors(double *sse, size_t stride, const SIDE *s, const REAL *g, const double *t,
                       const double *u, const rp_joints *joints, size_t m)
{
    size_t P = s->d->labels;
    for (size_t p = 0; p < P; p++) {
        for (size_t i = 0; i < m; i++) {
            double e = t[p * m + i] - (double)g[p * m + i];
            sse[p] += e * e;
            for (size_t v = 0; v < joints->n; v++) {
                size_t first = joints->first[v], wide = joints->first[v + 1] - first;
                const double *uv = u + P * first + p * wide;
                double f = e;
                for (size_t k = 0; k < wide; k++) {
                    size_t q = (P + first + k) * m + i;
                    f += uv[k] * ((double)g[q] - t[q]);
                }
                sse[(v + 1) * stride + p] += f * f;
            }
        }
    }
}

static rp_status stream(double *sse, const held *h, const SIDE *s, size_t npenalties,
                        const rp_joints *joints, const size_t *at, size_t n, rp_error *err)
{
    size_t P = s->d->labels, all = P + s->d->extras, D = s->d->width, cols = h->solved * all;
    double *tile = rp_alloc(RP_TILE * D, sizeof *tile), *t = rp_alloc(RP_TILE * all, sizeof *t);
    float *x = rp_alloc(RP_TILE * D, sizeof *x);
    REAL *z = rp_alloc(RP_TILE * D, sizeof *z), *g = rp_alloc(RP_TILE * cols, sizeof *g);
    rp_status status =
        tile && t && x && z && g ? RP_OK : rp_fail_memory(err, RP_TILE * (D + cols) * 8);
    for (size_t i = 0; i < n && !status; i += RP_TILE) {
        size_t m = n - i < RP_TILE ? n - i : RP_TILE;
        if ((status = rows(z, s, at + i, m, tile, x, err))) break;
        BLAS(gemm)
        (CblasColMajor, CblasTrans, CblasNoTrans, (int)m, (int)cols, (int)D, 1, z, (int)D, h->w,
         (int)D, 0, g, (int)m);
        for (size_t p = 0; p < all; p++)
            for (size_t r = 0; r < m; r++)
                t[p * m + r] =
                    (s->d->y[p * s->d->n + at[i + r]] - s->set->ymu[p]) * s->set->yinv[p];
        for (size_t k = 0; k < h->solved; k++)
            add_errors(sse + k * P, npenalties * P, s, g + k * all * m, t,
                       h->u + k * all * s->d->extras, joints, m);
    }
    free(tile), free(t), free(x), free(z), free(g);
    return status;
}

rp_status NAME(errors)(double *sse, size_t *solved, SIDE *s, const double *penalty,
                       size_t npenalties, const rp_joints *joints, const size_t *at, size_t n,
                       rp_error *err)
{
    held h = {0};
    size_t P = s->d->labels;
    for (size_t k = 0; k < (1 + joints->n) * npenalties * P; k++) sse[k] = 0;
    rp_status status = solve_grid(&h, s, penalty, npenalties, joints, err);
    if (!status && h.solved) status = stream(sse, &h, s, npenalties, joints, at, n, err);
    for (size_t v = 0; v <= joints->n; v++)
        for (size_t k = h.solved * P; k < npenalties * P; k++) sse[v * npenalties * P + k] = NAN;
    *solved = h.solved;
    free(h.u), free(h.w);
    return status;
}
