#include "solver/ridge_job.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { LEAST_ROWS = 3, SINGLE = 1024 }; /* order beyond which inner sets are reduced in f32 */

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

bool rp_ridge_primal_at(size_t rows, size_t width, size_t nouter)
{
    /* the largest of some folds holds out its share of the rows at least; one fold is a quarter */
    double share = nouter > 1 ? 1 / (double)nouter : .25;
    return (double)width <= 1.5 * ((1 - share) * (double)rows + 1);
}

double rp_ridge_memory(size_t rows, size_t width, size_t labels, const rp_folds *folds,
                       size_t npenalties, int threads)
{
    double n = (double)rows, D = (double)width, P = (double)labels, K = (double)npenalties;
    bool primal = rp_ridge_primal_at(rows, width, folds->nouter);
    double order = primal ? D : n;
    double task =
        8 * order * order + (order > SINGLE ? 4 * order * order : 0) + (primal ? 0 : 16 * n * D);
    return (double)threads * (task + 16 * (order + D) * P * K) +
           8 * P * (6 * n + 2 * D * (double)(folds->ncells + 6));
}

/* ---- sharing the work ---- */

static void fail(rp_ridge_job *r, rp_status status, const rp_error *error)
{
#pragma omp critical(rp_ridge_failed)
    if (!r->status) r->status = status, r->error = *error;
}

static bool stopped(rp_ridge_job *r)
{
    rp_status status;
#pragma omp atomic read
    status = r->status;
    return status != RP_OK;
}

static void advance(rp_ridge_job *r, size_t cost)
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

static void make_set(rp_ridge_job *r, size_t outer, size_t inner)
{
    rp_error error = {0};
    /* all rows; where there is one outer fold (the paper's) its training rows */
    int o = outer < r->nouter ? (int)outer : r->nouter == 1 ? 0 : -1;
    rp_set *set = rp_ridge_set(r, outer, inner);
    rp_status status = rp_set_init(set, r->cells, o, (int)inner - 1, &error);
    if (status) fail(r, status, &error);
    if (!status && set->m < (inner ? 2 : LEAST_ROWS)) rp_set_release(set);
}

/* ---- inner folds ---- */

static double *errors_at(const rp_ridge_job *r, size_t outer, size_t inner)
{
    return r->sse + ((outer * r->inner + inner) * r->out->nvariants) * r->K * r->P;
}

static size_t rows_where(size_t *at, const rp_ridge_job *r,
                         bool (*wanted)(const rp_cell *, int, int), int outer, int inner)
{
    size_t n = 0;
    for (size_t k = 0; k < r->d->folds->ncells; k++) {
        const rp_cell *cell = &r->d->folds->cell[k];
        if (!wanted(cell, outer, inner)) continue;
        for (size_t i = cell->first; i < cell->end; i++) at[n++] = i;
    }
    return n;
}

static rp_status inner_errors(rp_ridge_job *r, size_t outer, size_t inner, rp_error *err)
{
    const rp_set *set = rp_ridge_set(r, outer, inner + 1);
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

static rp_status choose(rp_ridge_job *r, size_t outer, rp_error *err)
{
    size_t P = r->P, K = r->K, folds = r->inner;
    double *e = rp_alloc(folds * K, sizeof *e);
    const rp_set **set = rp_alloc(folds, sizeof *set);
    if (!e || !set) {
        free(e), free(set);
        return rp_fail_memory(err, folds * K * sizeof *e);
    }
    for (size_t i = 0; i < folds; i++) set[i] = rp_ridge_set(r, outer, i + 1);
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

/* ---- the run ---- */

static void task(rp_ridge_job *r, size_t outer, size_t inner)
{
    rp_error error = {0};
    rp_status status = RP_OK;
    size_t number = inner ? outer * r->inner + inner - 1 : outer;
    if (stopped(r) || !rp_design_mine(r->d, number)) return;
    if (inner)
        status =
            rp_ridge_set(r, outer, inner)->held ? inner_errors(r, outer, inner - 1, &error) : RP_OK;
    else if (outer < r->nouter)
        status = rp_ridge_fit_outer(r, outer, &error);
    else
        status = rp_ridge_fit_all(r, &error);
    if (status) fail(r, status, &error);
    advance(r, inner ? 1 : 3);
}

static void make_sets(rp_ridge_job *r)
{
#pragma omp parallel for collapse(2) schedule(dynamic, 1)
    for (size_t o = 0; o <= r->nouter; o++)
        for (size_t i = 0; i <= r->inner; i++)
            if (o < r->nouter || (r->o->all && !i)) make_set(r, o, i);
}

/* Every outer set, or every inner one, as a task; tasks may make more of them. */
static void work(rp_ridge_job *r, bool inner)
{
    size_t rows = r->nouter + (!inner && r->o->all ? 1 : 0);
#pragma omp parallel
#pragma omp master
    for (size_t o = 0; o < rows; o++)
        for (size_t i = inner ? 1 : 0; i <= (inner ? r->inner : 0); i++)
#pragma omp task
            task(r, o, i);
}

static rp_status verdict(const rp_ridge_job *r, rp_error *err)
{
    rp_status status = r->status ? rp_fail(err, r->status, "%s", r->error.text) : RP_OK;
    return rp_design_agree(r->d, status, err);
}

/* A team: what the outer folds' processes found becomes everybody's. */
static rp_status gather(rp_ridge_job *r, rp_error *err)
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
        bool mine = rp_design_mine(r->d, o) && rp_ridge_held(r, o);
        mark[at++] = mine && rp_ridge_set(r, o, 0)->m;
        mark[at++] = mine ? (double)rp_ridge_set(r, o, 0)->dead : 0;
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

static rp_status run_all(rp_ridge_job *r, rp_error *err)
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

static rp_status reserve(rp_ridge_job *r, rp_error *err)
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
    rp_ridge_job r = {.out = ridge,
                      .o = o,
                      .cells = cells,
                      .d = d,
                      .primal = rp_ridge_primal(d),
                      .nouter = d->folds->nouter,
                      .inner = o->outer_only ? 0 : d->folds->ninner,
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
