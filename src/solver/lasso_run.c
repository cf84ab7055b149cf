#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "solver/lasso.h"

typedef struct job {
    rp_fit *fit;
    const rp_cells *cells;
    const rp_design *d;
    rp_panel x;
    size_t P, nouter, ninner, nsets, n;
    rp_set *set;         /* [nsets] outer folds, then inner sets, then all rows */
    rp_lasso_problem *p; /* [nsets, P] */
    double ratio;
    const rp_host *host;
} job;

static void job_release(job *k)
{
    for (size_t s = 0; k->set && s < k->nsets; s++) rp_set_release(&k->set[s]);
    for (size_t i = 0; k->p && i < k->nsets * k->P; i++) rp_lasso_problem_release(&k->p[i]);
    rp_panel_release(&k->x);
    free(k->set), free(k->p);
}

/* The inner sets only where they are solved for, at a given penalty. */
static rp_status job_init(job *k, bool inner, rp_error *err)
{
    size_t folds = inner ? k->ninner : 0;
    k->nsets = k->nouter + 1 + k->nouter * folds;
    k->set = rp_alloc(k->nsets, sizeof *k->set);
    k->p = rp_alloc(k->nsets * k->P, sizeof *k->p);
    if (!k->set || !k->p) return rp_fail_memory(err, k->nsets * k->P * sizeof *k->p);
    rp_status status = rp_panel_init(&k->x, k->d, err);
    for (size_t s = 0; s < k->nsets && !status; s++) {
        /* outer folds, then their inner ones, then all rows */
        bool inside = s >= k->nouter && s + 1 < k->nsets;
        int outer = s < k->nouter ? (int)s : k->nouter == 1 ? 0 : -1, fold = -1;
        if (inside) outer = (int)((s - k->nouter) / folds), fold = (int)((s - k->nouter) % folds);
        status = rp_set_init(&k->set[s], k->cells, outer, fold, err);
        for (size_t p = 0; p < k->P; p++)
            k->p[s * k->P + p] = (rp_lasso_problem){.label = p, .set = s};
    }
    return status;
}

/* cells: where they have Gram matrices, else NULL. */
static rp_status solve(job *k, const rp_cells *cells, size_t sets, rp_error *err)
{
    rp_lasso_rows rows;
    rp_status status = rp_lasso_rows_init(&rows, k->d, cells, k->set, k->nsets, err);
    if (status) return status;
    status = rp_lasso_solve(k->p, sets * k->P, &k->x, &rows, k->ratio, k->host, err);
    rp_lasso_rows_release(&rows);
    return status;
}

/* Fit o: of an outer fold, or of all rows. */
static rp_status store(job *k, size_t o, rp_error *err)
{
    size_t s = o < k->nouter ? o : k->nsets - 1;
    double *w = rp_alloc(k->d->width, sizeof *w);
    if (!w) return rp_fail_memory(err, k->d->width * sizeof *w);
    for (size_t i = 0; i < k->P && k->set[s].m; i++) {
        const rp_lasso_problem *p = &k->p[s * k->P + i];
        for (size_t h = 0; h < p->units; h++) w[p->unit[h]] = p->w[h];
        rp_fit_store(&k->fit[o], &k->set[s], i, w);
        for (size_t h = 0; h < p->units; h++) w[p->unit[h]] = 0;
        k->fit[o].penalty[i] = p->penalty, k->fit[o].gap[i] = p->gap;
    }
    free(w);
    return RP_OK;
}

/* ---- a given penalty ---- */

/* Mean over the inner folds of R2 on what they hold out. */
static rp_status cross_validate(const job *k, double *cv, size_t outer, size_t label, rp_error *err)
{
    double sum = 0;
    size_t n = 0;
    for (size_t f = 0; f < k->ninner; f++) {
        size_t s = k->nouter + outer * k->ninner + f;
        const rp_set *set = &k->set[s];
        double sse;
        if (!set->m || !set->held || !(set->yinv[label] > 0) || !(set->vy[label] > 0)) continue;
        rp_status status = rp_lasso_held(&sse, &k->p[s * k->P + label], set, &k->x, err);
        if (status) return status;
        sum += 1 - sse / set->vy[label], n++;
    }
    *cv = n ? sum / (double)n : NAN;
    return RP_OK;
}

static rp_status given(job *k, double penalty, bool all, rp_error *err)
{
    for (size_t i = 0; i < k->nsets * k->P; i++) k->p[i].penalty = penalty;
    rp_status status = solve(k, NULL, k->nsets - !all, err);
    for (size_t o = 0; o < k->nouter && !status; o++)
        for (size_t i = 0; i < k->P && !status; i++)
            status = cross_validate(k, &k->fit[o].cv[i], o, i, err);
    return status;
}

/* ---- a path ---- */

static int by_value(const void *a, const void *b)
{
    double p = *(const double *)a, q = *(const double *)b;
    return (p > q) - (p < q);
}

/* The median over the outer folds that chose one. */
static rp_status medians(job *k, rp_error *err)
{
    double *value = rp_alloc(k->nouter, sizeof *value);
    if (!value) return rp_fail_memory(err, k->nouter * sizeof *value);
    for (size_t i = 0; i < k->P; i++) {
        size_t n = 0;
        for (size_t o = 0; o < k->nouter; o++)
            if (isfinite(k->p[o * k->P + i].penalty)) value[n++] = k->p[o * k->P + i].penalty;
        qsort(value, n, sizeof *value, by_value);
        k->p[(k->nsets - 1) * k->P + i].penalty =
            n ? value[n / 2] : NAN; /* of two the larger, as ridge */
    }
    free(value);
    return RP_OK;
}

static rp_status chosen(job *k, bool all, rp_error *err)
{
    size_t cuts = 0, cut;
    rp_status status = RP_OK;
    for (size_t o = 0; o < k->nouter && !status; o++) {
        if (!k->set[o].m) continue;
        status = rp_lasso_path(k->p + o * k->P, k->fit[o].cv, &cut, &k->set[o], &k->x, k->cells,
                               k->ratio, err);
        cuts += cut;
        if (!status) status = rp_host_progress(k->host, "lasso path", o + 1, k->nouter, err);
    }
    if (cuts && !status)
        rp_host_note(k->host, "%s: %zu lasso paths end at half as many units as rows",
                     k->d->x->name, cuts);
    if (!status) status = medians(k, err);
    if (!status) status = solve(k, k->cells, k->nsets - !all, err);
    return status;
}

rp_status rp_lasso_run(rp_fit *fit, const rp_cells *cells, double penalty, double l1_ratio,
                       bool all, const rp_host *host, rp_error *err)
{
    const rp_design *d = cells->d;
    job k = {.fit = fit,
             .cells = cells,
             .d = d,
             .P = d->labels,
             .nouter = d->folds->nouter,
             .ninner = d->folds->ninner,
             .ratio = l1_ratio,
             .host = host};
    rp_status status = RP_OK;
    bool path = isnan(penalty);
    if (!(l1_ratio > 0 && l1_ratio <= 1))
        return rp_fail(err, RP_EARG, "l1_ratio is not above 0 and at most 1: %g", l1_ratio);
    if (!path && !(penalty > 0))
        return rp_fail(err, RP_EARG, "penalty of the lasso is not above 0: %g", penalty);
    if (path && !k.ninner)
        return rp_fail(err, RP_EARG, "a penalty is chosen by inner folds, of which there are none");
    for (size_t o = 0; o <= k.nouter; o++) fit[o] = (rp_fit){0};
    for (size_t o = 0; o <= k.nouter && !status; o++)
        if (o < k.nouter || all) status = rp_fit_init(&fit[o], k.P, d->width, err);
    if (!status) status = job_init(&k, !path, err);
    if (!status) status = path ? chosen(&k, all, err) : given(&k, penalty, all, err);
    for (size_t o = 0; o <= k.nouter && !status; o++)
        if (o < k.nouter || all) status = store(&k, o, err);
    job_release(&k);
    for (size_t o = 0; o <= k.nouter && status; o++) rp_fit_release(&fit[o]);
    return status;
}

/* Working sets are as wide as the data wants. What is assumed: at a given penalty 512 columns; on a
 * path three quarters of all, or half as many as rows (measured: up to .84 and .44). */
double rp_lasso_memory(size_t rows, size_t width, size_t labels, const rp_folds *folds, bool path,
                       int threads)
{
    double n = (double)rows, D = (double)width, P = (double)labels;
    double T = fmin(threads, P), outer = (double)folds->nouter, sets = outer + 1;
    double inner = (double)folds->ninner, cells = (double)folds->ncells;
    double problems = P * sets * (path ? 1 : 1 + inner);
    double W = path ? fmin(.75 * D, .5 * n) : fmin(D, 512), square = W * W * 8;
    double bytes = n * D * 4 + sets * P * D * 8 + cells * D * P * 8;
    double last = problems * (n + D) * 4 + T * (n * W * 8 + 1.5 * square);
    if (!path)
        return bytes + last + sets * inner * P * D * 16 + (P * .75 * .75 + T) * cells * square;
    double strand = 64 * D * 4 + 1.5 * square + D * 16 + 1.5 * W * n / fmax(inner, 1) * 8;
    return bytes + fmax(last + sets * D * D * 8, inner * (D * D * 4 + P * D * 16 + T * strand));
}
