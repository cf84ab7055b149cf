/* The lasso and the elastic net of a group of labels, as an outcome. */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "probe/fitting.h"
#include "solver/lasso.h"

/* A baseline's columns as a matrix. */
static rp_status read_columns(void *arg, float *x, const size_t *row, size_t m, rp_error *err)
{
    const rp_baseline *b = arg;
    (void)err;
    for (size_t i = 0; i < m; i++)
        for (size_t c = 0; c < b->width; c++) x[i * b->width + c] = (float)b->column[c][row[i]];
    return RP_OK;
}

static rp_status fit_joints(rp_fitting *k, rp_error *err)
{
    rp_status status = RP_OK;
    for (size_t v = 0; v < k->njoints && !status; v++) {
        rp_baseline b = k->in->baseline[k->gain[v]];
        rp_matrix columns = {k->in->x->n, b.width, "a baseline", &b, read_columns};
        double *f = rp_alloc(k->d.labels * k->d.n, sizeof *f);
        if (!f) return rp_fail_memory(err, k->d.labels * k->d.n * sizeof *f);
        k->oc.joint[k->gain[v]] = f;
        status = rp_fitting_join(f, k, &columns, err);
    }
    return status;
}

/* What the fits do not tell: training means, labels that are constant, dead columns. */
static rp_status describe(rp_outcome *oc, const rp_cells *cells, int outer, rp_error *err)
{
    const rp_design *d = oc->d;
    rp_set set;
    rp_status status = rp_set_init(&set, cells, outer, -1, err);
    if (status) return status;
    for (size_t k = 0; k < d->folds->ncells; k++) {
        const rp_cell *cell = &d->folds->cell[k];
        if (cell->outer != outer) continue;
        for (size_t i = cell->first; i < cell->end; i++) {
            oc->scored[i] = set.m > 0;
            for (size_t p = 0; p < d->labels && set.m; p++) oc->base[p * d->n + i] = set.ymu[p];
        }
    }
    if (set.m && set.dead > oc->dead) oc->dead = set.dead;
    for (size_t p = 0; p < d->labels; p++) oc->bad[p] |= !set.m || set.yinv[p] == 0;
    rp_set_release(&set);
    return RP_OK;
}

static void keep_numbers(rp_outcome *oc, const rp_fit *fit, size_t outer)
{
    size_t P = oc->d->labels;
    for (size_t p = 0; p < P; p++) {
        size_t at = outer * P + p;
        bool there = fit->w != NULL;
        oc->penalty[at] = there ? fit->penalty[p] : NAN;
        oc->cv[at] = there ? fit->cv[p] : NAN;
        oc->units[at] = there ? (double)fit->units[p] : NAN;
        oc->gap[at] = there ? fit->gap[p] : NAN;
    }
    oc->fits += fit->w != NULL;
}

rp_status rp_fitting_lasso(rp_fitting *k, rp_error *err)
{
    const rp_plan *plan = k->in->plan;
    rp_outcome *oc = &k->oc;
    size_t P = k->d.labels, n = k->d.n, nouter = k->d.folds->nouter;
    rp_fit *fit = rp_alloc(nouter + 1, sizeof *fit);
    oc->f = rp_alloc(P * n, 8), oc->base = rp_alloc(P * n, 8);
    oc->scored = rp_alloc(n, 1), oc->bad = rp_alloc(P, 1);
    rp_status status = fit && oc->f && oc->base && oc->scored && oc->bad
                           ? RP_OK
                           : rp_fail_memory(err, 2 * P * n * 8);
    if (!status)
        status = rp_lasso_run(fit, &k->cells, plan->penalty, plan->l1_ratio, k->out->coef != NULL,
                              k->in->host, err);
    if (!status) status = rp_fits_predict(oc->f, &k->d, fit, err);
    for (size_t o = 0; o < nouter && !status; o++) {
        keep_numbers(oc, &fit[o], o);
        status = describe(oc, &k->cells, (int)o, err);
    }
    if (!status) {
        oc->all = fit[nouter], fit[nouter] = (rp_fit){0};
        status = fit_joints(k, err);
    }
    rp_fits_release(fit, nouter + 1);
    return status;
}
