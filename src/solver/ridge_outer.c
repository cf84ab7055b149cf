/* Ridge on the outer training sets, in f64. */
#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "solver/ridge_job.h"

/* The solutions of an outer set at the chosen penalties: x alone and joined. */
typedef struct solved {
    rp_dside side;
    size_t variants;
    double *x; /* [variants P, band.n], then destroyed */
    double *w; /* [variants P, D] on z */
    double *u; /* [P, extras of the joint], joints side by side */
} solved;

static void solved_release(solved *s)
{
    rp_dside_release(&s->side);
    free(s->x), free(s->w), free(s->u);
}

/* Takes label p of variant v from the solutions x of all labels and extras at one penalty. */
static void take(solved *s, const rp_ridge_job *r, size_t v, size_t p, const double *x,
                 const double *u)
{
    size_t n = s->side.band.n, P = r->P;
    double *to = s->x + (v * P + p) * n;
    memcpy(to, x + p * n, n * sizeof *to);
    if (!v) return;
    size_t first = r->o->joints.first[v - 1], wide = r->o->joints.first[v] - first;
    for (size_t k = 0; k < wide; k++) {
        s->u[P * first + p * wide + k] = u[p * wide + k];
        cblas_daxpy((int)n, -u[p * wide + k], x + (P + first + k) * n, 1, to, 1);
    }
}

static rp_status solve_at(solved *s, const rp_ridge_job *r, const size_t *chosen, size_t stride,
                          size_t k, double *x, double *cross, double *u, rp_error *err)
{
    size_t P = r->P;
    double lambda = r->o->penalty[k] / (r->o->per_row ? (double)s->side.set->m : 1);
    if (!rp_dside_solve(&s->side, x, cross, lambda))
        return rp_fail(err, RP_ECOMPUTE, "%s: ridge: not positive definite at penalty %g",
                       r->d->x->name, lambda);
    for (size_t v = 0; v < s->variants; v++) {
        rp_status status =
            v ? rp_joint_solve(u, s->side.set, r->d, cross, &r->o->joints, v - 1, lambda, err)
              : RP_OK;
        if (status) return status;
        for (size_t p = 0; p < P; p++)
            if (chosen[v * stride + p] == k) take(s, r, v, p, x, u);
    }
    return RP_OK;
}

/* chosen [variants, stride]: penalty indices. */
static rp_status solve_outer(solved *s, const rp_ridge_job *r, const rp_set *set, size_t variants,
                             const size_t *chosen, size_t stride, rp_error *err)
{
    size_t P = r->P, E = r->d->extras, D = r->d->width;
    *s = (solved){.variants = variants};
    rp_status status = rp_dside_init(&s->side, set, r->cells, r->primal, err);
    if (status) return status;
    size_t n = s->side.band.n;
    double *x = rp_alloc(n * (P + E), sizeof *x), *u = rp_alloc(P * (E + 1), sizeof *u);
    double *cross = rp_alloc((P + E) * E, sizeof *cross);
    s->x = rp_alloc(variants * P * n, sizeof *s->x);
    s->w = rp_alloc(variants * P * D, sizeof *s->w);
    s->u = rp_alloc(P * E, sizeof *s->u);
    if (!x || !u || !cross || !s->x || !s->w || !s->u)
        status = rp_fail_memory(err, variants * P * (n + D) * sizeof *x);
    for (size_t k = 0; k < r->K && !status; k++) {
        bool wanted = false;
        for (size_t v = 0; v < variants; v++)
            for (size_t p = 0; p < P; p++) wanted |= chosen[v * stride + p] == k;
        if (wanted) status = solve_at(s, r, chosen, stride, k, x, cross, u, err);
    }
    if (!status) status = rp_dside_weights(s->w, &s->side, s->x, variants * P, err);
    free(x), free(u), free(cross);
    return status;
}

/* Predictions of a tile: t-units to units of the design's y. g [variants P, m] = z'w. */
static void store_tile(const rp_ridge_job *r, const solved *s, const double *g, size_t first,
                       size_t m)
{
    const rp_set *set = s->side.set;
    size_t P = r->P, n = r->d->n;
    for (size_t v = 0; v < s->variants; v++)
        for (size_t p = 0; p < P; p++) {
            size_t from = v ? r->o->joints.first[v - 1] : 0;
            size_t wide = v ? r->o->joints.first[v] - from : 0;
            double back = set->yinv[p] > 0 ? 1 / set->yinv[p] : 0;
            double *f = r->out->variant[v].f + p * n + first;
            for (size_t i = 0; i < m; i++) {
                double t = g[(v * P + p) * m + i];
                for (size_t k = 0; k < wide; k++) {
                    size_t e = P + from + k;
                    t += s->u[P * from + p * wide + k] *
                         (r->d->y[e * n + first + i] - set->ymu[e]) * set->yinv[e];
                }
                f[i] = set->ymu[p] + t * back;
                if (!v) r->out->base[p * n + first + i] = set->ymu[p];
            }
        }
    for (size_t i = 0; i < m; i++) r->out->scored[first + i] = true;
}

static rp_status predict(const rp_ridge_job *r, const solved *s, size_t outer, rp_error *err)
{
    size_t D = r->d->width, cols = s->variants * r->P;
    double *z = rp_alloc(RP_TILE * D, sizeof *z), *g = rp_alloc(RP_TILE * cols, sizeof *g);
    float *x = rp_alloc(RP_TILE * D, sizeof *x);
    rp_status status = z && g && x ? RP_OK : rp_fail_memory(err, RP_TILE * (D + cols) * sizeof *z);
    for (size_t k = 0; k < r->d->folds->ncells && !status; k++) {
        const rp_cell *cell = &r->d->folds->cell[k];
        if (cell->outer != (int)outer) continue;
        for (size_t at = cell->first; at < cell->end && !status; at += RP_TILE) {
            size_t m = cell->end - at < RP_TILE ? cell->end - at : RP_TILE;
            if ((status = rp_set_tile(s->side.set, r->d, z, x, NULL, at, m, err))) break;
            cblas_dgemm(CblasColMajor, CblasTrans, CblasNoTrans, (int)m, (int)cols, (int)D, 1, z,
                        (int)D, s->w, (int)D, 0, g, (int)m);
            store_tile(r, s, g, at, m);
        }
    }
    free(z), free(g), free(x);
    return status;
}

size_t rp_ridge_held(const rp_ridge_job *r, size_t outer)
{
    size_t n = 0;
    for (size_t k = 0; k < r->d->folds->ncells; k++) {
        const rp_cell *cell = &r->d->folds->cell[k];
        if (cell->outer == (int)outer) n += cell->end - cell->first;
    }
    return n;
}

rp_status rp_ridge_fit_outer(rp_ridge_job *r, size_t outer, rp_error *err)
{
    const rp_set *set = rp_ridge_set(r, outer, 0);
    if (!rp_ridge_held(r, outer)) return RP_OK;
    if (!set->m) { /* too few training rows */
#pragma omp critical(rp_ridge_outer)
        for (size_t p = 0; p < r->P; p++) r->out->bad[p] = true;
        return RP_OK;
    }
    solved s;
    rp_status status =
        solve_outer(&s, r, set, r->out->nvariants, r->chosen + outer * r->P, r->nouter * r->P, err);
    if (!status) status = predict(r, &s, outer, err);
    if (!status && r->o->after)
        status = r->o->after(
            r->o->arg,
            &(rp_ridge_outer){(int)outer, &s.side, r->out->variant[0].penalty + outer * r->P}, err);
#pragma omp critical(rp_ridge_outer)
    {
        r->out->fits++;
        if (set->dead > r->out->dead) r->out->dead = set->dead;
        for (size_t p = 0; p < r->P; p++) r->out->bad[p] |= set->yinv[p] == 0;
    }
    solved_release(&s);
    return status;
}

static int ascending(const void *a, const void *b)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return x < y ? -1 : x > y;
}

rp_status rp_ridge_fit_all(rp_ridge_job *r, rp_error *err)
{
    const rp_set *set = rp_ridge_set(r, r->nouter, 0);
    size_t P = r->P, D = r->d->width, *k = rp_alloc(P + r->nouter, sizeof *k), *v = k + P;
    rp_status status = k ? rp_fit_init(&r->out->fit, P, D, err) : rp_fail_memory(err, P * 8);
    if (status || !set->m) {
        free(k);
        return status;
    }
    for (size_t p = 0; p < P; p++) {
        for (size_t o = 0; o < r->nouter; o++) v[o] = r->chosen[o * P + p];
        qsort(v, r->nouter, sizeof *v, ascending);
        k[p] = v[(r->nouter - 1) / 2];
        r->out->fit.penalty[p] = r->o->penalty[k[p]];
        r->out->fit.cv[p] = NAN;
    }
    solved s;
    status = solve_outer(&s, r, set, 1, k, P, err);
    for (size_t p = 0; p < P && !status; p++) rp_fit_store(&r->out->fit, set, p, s.w + p * D);
    solved_release(&s);
    free(k);
    return status;
}
