#include "solver/ridge.h"

#include <cblas.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { LEAST_ROWS = 3, SINGLE = 1024 }; /* order beyond which inner sets are reduced in f32 */

typedef struct run {
    rp_ridge *out;
    const rp_ridge_options *o;
    const rp_cells *cells;
    const rp_design *d;
    bool primal;
    size_t nouter, inner, P, K; /* inner folds; labels; penalties */
    rp_set *set;                /* [nouter + 1, 1 + inner]; the last row has one set: all rows */
    double *sse;                /* [nouter, inner, variants, K, P] */
    size_t *chosen;             /* [variants, nouter, P] */
    size_t done, total;
    rp_status status;
    rp_error error;
} run;

static rp_set *set_at(const run *r, size_t outer, size_t inner)
{
    return &r->set[outer * (1 + r->inner) + inner];
}

size_t rp_ridge_grid(double value[RP_RIDGE_GRID], double given)
{
    value[0] = given;
    if (!isnan(given)) return 1;
    for (int k = 0; k < RP_RIDGE_GRID; k++) value[k] = pow(10, 4 - .5 * k);
    return RP_RIDGE_GRID;
}

bool rp_ridge_primal(const rp_design *d)
{
    size_t least = SIZE_MAX;
    for (size_t o = 0; o < d->folds->nouter; o++) {
        size_t m = 0;
        for (size_t k = 0; k < d->folds->ncells; k++)
            if (rp_cell_trains(&d->folds->cell[k], (int)o, -1))
                m += d->folds->cell[k].end - d->folds->cell[k].first;
        if (m < least) least = m;
    }
    /* beside the reduction the kernel side pays for a product of its own, every set anew */
    return d->width <= least + least / 2;
}

double rp_ridge_memory(size_t rows, size_t width, size_t labels, size_t cells, size_t npenalties,
                       int threads)
{
    double n = (double)rows, D = (double)width, P = (double)labels, K = (double)npenalties;
    bool primal = D <= 1.2 * n;
    double order = primal ? D : n, gram = primal ? 8 * (double)cells * D * D : 12 * n * D;
    double task = 8 * order * order + (order > SINGLE ? 4 * order * order : 0);
    return gram + (double)threads * (task + 16 * (order + D) * P * K) +
           8 * P * (6 * n + 2 * D * (double)(cells + 6));
}

/* ---- sharing the work ---- */

static void fail(run *r, rp_status status, const rp_error *error)
{
#pragma omp critical(rp_ridge_failed)
    if (!r->status) r->status = status, r->error = *error;
}

static bool stopped(run *r)
{
    rp_status status;
#pragma omp atomic read
    status = r->status;
    return status != RP_OK;
}

static void advance(run *r, size_t cost)
{
    size_t done;
    rp_error error = {0};
#pragma omp atomic capture
    done = r->done += cost;
    if (omp_get_thread_num()) return; /* the host is called from its own thread */
    rp_status status = rp_host_progress(r->o->host, "ridge", done, r->total, &error);
    if (status) fail(r, status, &error);
}

/* ---- sets ---- */

static void make_set(run *r, size_t outer, size_t inner)
{
    rp_error error = {0};
    int o = outer < r->nouter ? (int)outer : -1;
    rp_set *set = set_at(r, outer, inner);
    rp_status status = rp_set_init(set, r->cells, o, (int)inner - 1, &error);
    if (status) fail(r, status, &error);
    if (!status && set->m < (inner ? 2 : LEAST_ROWS)) rp_set_release(set);
}

/* ---- inner folds ---- */

static double *errors_at(const run *r, size_t outer, size_t inner)
{
    return r->sse + ((outer * r->inner + inner) * r->out->nvariants) * r->K * r->P;
}

static size_t rows_where(size_t *at, const run *r, bool (*wanted)(const rp_cell *, int, int),
                         int outer, int inner)
{
    size_t n = 0;
    for (size_t k = 0; k < r->d->folds->ncells; k++) {
        const rp_cell *cell = &r->d->folds->cell[k];
        if (!wanted(cell, outer, inner)) continue;
        for (size_t i = cell->first; i < cell->end; i++) at[n++] = i;
    }
    return n;
}

static rp_status inner_errors(run *r, size_t outer, size_t inner, rp_error *err)
{
    const rp_set *set = set_at(r, outer, inner + 1);
    double *sse = errors_at(r, outer, inner), value[64];
    size_t solved = 0, order = r->primal ? r->d->width : set->m;
    size_t *at = rp_alloc(set->held, sizeof *at);
    if (!at) return rp_fail_memory(err, set->held * sizeof *at);
    size_t n = rows_where(at, r, rp_cell_held, (int)outer, (int)inner);
    rp_status status = RP_OK;
    for (size_t k = 0; k < r->K; k++)
        value[k] = r->o->penalty[k] / (r->o->per_row ? (double)set->m : 1);
    if (order > SINGLE) {
        rp_sside side;
        status = rp_sside_init(&side, set, r->cells, r->primal, err);
        if (!status)
            status = rp_sside_errors(sse, &solved, &side, value, r->K, &r->o->joints, at, n, err);
        rp_sside_release(&side);
    }
    if (!status && solved < r->K) { /* small, or too near singular for f32 */
        rp_dside side;
        status = rp_dside_init(&side, set, r->cells, r->primal, err);
        if (!status)
            status = rp_dside_errors(sse, &solved, &side, value, r->K, &r->o->joints, at, n, err);
        rp_dside_release(&side);
        if (!status && solved < r->K)
            status = rp_fail(err, RP_ECOMPUTE, "%s: ridge: not positive definite at penalty %g",
                             r->d->x->name, value[solved]);
    }
    free(at);
    return status;
}

static rp_status choose(run *r, size_t outer, rp_error *err)
{
    size_t P = r->P, K = r->K, folds = r->inner;
    double *e = rp_alloc(folds * K, sizeof *e);
    const rp_set **set = rp_alloc(folds, sizeof *set);
    if (!e || !set) {
        free(e), free(set);
        return rp_fail_memory(err, folds * K * sizeof *e);
    }
    for (size_t i = 0; i < folds; i++) set[i] = set_at(r, outer, i + 1);
    for (size_t v = 0; v < r->out->nvariants; v++)
        for (size_t p = 0; p < P; p++) {
            for (size_t i = 0; i < folds; i++)
                for (size_t k = 0; k < K; k++)
                    e[i * K + k] = errors_at(r, outer, i)[(v * K + k) * P + p];
            size_t at = outer * P + p;
            size_t best = rp_penalty_choose(&r->out->variant[v].cv[at], e, K, set, folds, p);
            r->chosen[v * r->nouter * P + at] = best;
            r->out->variant[v].penalty[at] = r->o->penalty[best];
        }
    free(e), free(set);
    return RP_OK;
}

/* ---- outer folds ---- */

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
static void take(solved *s, const run *r, size_t v, size_t p, const double *x, const double *u)
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

static rp_status solve_at(solved *s, const run *r, const size_t *chosen, size_t stride, size_t k,
                          double *x, double *cross, double *u, rp_error *err)
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
static rp_status solve_outer(solved *s, const run *r, const rp_set *set, size_t variants,
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
static void store_tile(const run *r, const solved *s, const double *g, size_t first, size_t m)
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

static rp_status predict(const run *r, const solved *s, size_t outer, rp_error *err)
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

static size_t held_rows(const run *r, size_t outer)
{
    size_t n = 0;
    for (size_t k = 0; k < r->d->folds->ncells; k++) {
        const rp_cell *cell = &r->d->folds->cell[k];
        if (cell->outer == (int)outer) n += cell->end - cell->first;
    }
    return n;
}

static rp_status fit_outer(run *r, size_t outer, rp_error *err)
{
    const rp_set *set = set_at(r, outer, 0);
    if (!held_rows(r, outer)) return RP_OK;
    if (!set->m) { /* too few training rows */
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

/* All rows, at the median penalty (of two the larger). */
static rp_status fit_all(run *r, rp_error *err)
{
    const rp_set *set = set_at(r, r->nouter, 0);
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

/* ---- the run ---- */

static void task(run *r, size_t outer, size_t inner)
{
    rp_error error = {0};
    rp_status status = RP_OK;
    size_t number = inner ? outer * r->inner + inner - 1 : outer;
    if (stopped(r) || !rp_design_mine(r->d, number)) return;
    if (inner)
        status = set_at(r, outer, inner)->m ? inner_errors(r, outer, inner - 1, &error) : RP_OK;
    else if (outer < r->nouter)
        status = fit_outer(r, outer, &error);
    else
        status = fit_all(r, &error);
    if (status) fail(r, status, &error);
    advance(r, inner ? 1 : 3);
}

static void make_sets(run *r)
{
#pragma omp parallel for collapse(2) schedule(dynamic, 1)
    for (size_t o = 0; o <= r->nouter; o++)
        for (size_t i = 0; i <= r->inner; i++)
            if (o < r->nouter || (r->o->all && !i)) make_set(r, o, i);
}

/* Every outer set, or every inner one, as a task; tasks may make more of them. */
static void work(run *r, bool inner)
{
    size_t rows = r->nouter + (!inner && r->o->all ? 1 : 0);
#pragma omp parallel
#pragma omp master
    for (size_t o = 0; o < rows; o++)
        for (size_t i = inner ? 1 : 0; i <= (inner ? r->inner : 0); i++)
#pragma omp task
            task(r, o, i);
}

static rp_status verdict(const run *r, rp_error *err)
{
    rp_status status = r->status ? rp_fail(err, r->status, "%s", r->error.text) : RP_OK;
    return rp_design_agree(r->d, status, err);
}

/* A team: what the outer folds' processes found becomes everybody's. */
static rp_status gather(run *r, rp_error *err)
{
    rp_ridge *out = r->out;
    size_t P = r->P, n = r->d->n, at = 0, marks = n + P + 2 * r->nouter;
    double *mark = rp_alloc(marks, sizeof *mark);
    rp_status status = mark ? RP_OK : rp_fail_memory(err, marks * sizeof *mark);
    status = rp_design_agree(r->d, status, err);
    for (size_t v = 0; v < out->nvariants && !status; v++)
        status = rp_design_gather(r->d, out->variant[v].f, P * n, err);
    if (!status) status = rp_design_gather(r->d, out->base, P * n, err);
    for (size_t i = 0; i < n && !status; i++) mark[at++] = out->scored[i];
    for (size_t p = 0; p < P && !status; p++) mark[at++] = out->bad[p];
    for (size_t o = 0; o < r->nouter && !status; o++) {
        bool mine = rp_design_mine(r->d, o) && held_rows(r, o);
        mark[at++] = mine && set_at(r, o, 0)->m;
        mark[at++] = mine ? (double)set_at(r, o, 0)->dead : 0;
    }
    if (!status) status = rp_design_gather(r->d, mark, marks, err);
    for (size_t i = 0; i < n && !status; i++) out->scored[i] = mark[i] > 0;
    for (size_t p = 0; p < P && !status; p++) out->bad[p] = mark[n + p] > 0;
    for (size_t o = out->fits = 0; o < r->nouter && !status; o++) {
        out->fits += mark[n + P + 2 * o] > 0;
        size_t dead = (size_t)mark[n + P + 2 * o + 1];
        if (dead > out->dead) out->dead = dead;
    }
    free(mark);
    if (status || !r->o->all) return status;
    if (!out->fit.w) status = rp_fit_init(&out->fit, P, r->d->width, err);
    status = rp_design_agree(r->d, status, err);
    if (!status) status = rp_design_gather(r->d, out->fit.w, P * r->d->width, err);
    if (!status) status = rp_design_gather(r->d, out->fit.b, P, err);
    if (!status) status = rp_design_gather(r->d, out->fit.penalty, P, err);
    if (!status) status = rp_design_gather(r->d, out->fit.cv, P, err);
    return status;
}

static rp_status run_all(run *r, rp_error *err)
{
    make_sets(r);
    rp_status status = verdict(r, err);
    if (!status && r->inner) {
        work(r, true);
        status = verdict(r, err);
        if (!status)
            status = rp_design_gather(r->d, r->sse,
                                      r->nouter * r->inner * r->out->nvariants * r->K * r->P, err);
    }
    for (size_t o = 0; o < r->nouter && !status; o++) status = choose(r, o, err);
    status = rp_design_agree(r->d, status, err);
    if (status) return status;
    work(r, false);
    status = verdict(r, err);
    return status || !r->d->team ? status : gather(r, err);
}

void rp_ridge_release(rp_ridge *ridge)
{
    for (size_t v = 0; ridge->variant && v < ridge->nvariants; v++)
        free(ridge->variant[v].f), free(ridge->variant[v].penalty), free(ridge->variant[v].cv);
    free(ridge->variant), free(ridge->base), free(ridge->scored), free(ridge->bad);
    rp_fit_release(&ridge->fit);
    *ridge = (rp_ridge){0};
}

static rp_status reserve(run *r, rp_error *err)
{
    rp_ridge *out = r->out;
    size_t n = r->d->n, P = r->P, sets = (r->nouter + 1) * (1 + r->inner);
    *out = (rp_ridge){.nvariants = 1 + r->o->joints.n};
    out->variant = rp_alloc(out->nvariants, sizeof *out->variant);
    bool ok = out->variant != NULL;
    for (size_t v = 0; v < out->nvariants && ok; v++) {
        rp_ridge_variant *variant = &out->variant[v];
        variant->f = rp_alloc(P * n, 8);
        variant->penalty = rp_alloc(r->nouter * P, 8), variant->cv = rp_alloc(r->nouter * P, 8);
        ok = variant->f && variant->penalty && variant->cv;
    }
    out->base = rp_alloc(P * n, 8), out->scored = rp_alloc(n, 1), out->bad = rp_alloc(P, 1);
    r->set = rp_alloc(sets, sizeof *r->set);
    r->sse = rp_alloc(r->nouter * r->inner * out->nvariants * r->K * P, 8);
    r->chosen = rp_alloc(out->nvariants * r->nouter * P, sizeof *r->chosen);
    ok = ok && out->base && out->scored && out->bad && r->set && r->sse && r->chosen;
    return ok ? RP_OK : rp_fail_memory(err, (out->nvariants + 1) * P * n * 8);
}

rp_status rp_ridge_run(rp_ridge *ridge, const rp_cells *cells, const rp_ridge_options *o,
                       rp_error *err)
{
    const rp_design *d = cells->d;
    run r = {.out = ridge,
             .o = o,
             .cells = cells,
             .d = d,
             .primal = rp_ridge_primal(d),
             .nouter = d->folds->nouter,
             .inner = d->folds->ninner,
             .P = d->labels,
             .K = o->npenalties};
    if (o->npenalties < 1 || o->npenalties > 64)
        return rp_fail(err, RP_EARG, "ridge: 1 to 64 penalties, not %zu", o->npenalties);
    r.total = r.nouter * (r.inner + 3) + (o->all ? 3 : 0);
    rp_status status = rp_design_agree(d, reserve(&r, err), err);
    if (!status) status = run_all(&r, err);
    for (size_t k = 0; r.set && k < (r.nouter + 1) * (1 + r.inner); k++) rp_set_release(&r.set[k]);
    free(r.set), free(r.sse), free(r.chosen);
    if (status) rp_ridge_release(ridge);
    return status;
}
