#include "probe/fitting.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>

#include "base/comm.h"
#include "base/memory.h"
#include "solver/lasso.h"
#include "solver/ridge.h"

/* f [P, n] <- predictions of the fits [nouter], each on the rows that it did not see. */
rp_status rp_fits_predict(double *f, const rp_design *d, const rp_fit *fit, rp_error *err)
{
    size_t D = d->width, P = d->labels;
    long ncells = (long)d->folds->ncells;
    rp_status status = RP_OK;
#pragma omp parallel for schedule(dynamic, 1)
    for (long k = 0; k < ncells; k++) {
        const rp_cell *cell = &d->folds->cell[k];
        rp_error error = {0};
        if (cell->outer < 0 || cell->outer >= (int)d->folds->nouter || !fit[cell->outer].w)
            continue;
        const rp_fit *of = &fit[cell->outer];
        double *u = rp_alloc(RP_TILE * D, sizeof *u);
        float *x = rp_alloc(RP_TILE * D, sizeof *x);
        rp_status s = u && x ? RP_OK : rp_fail_memory(&error, RP_TILE * D * sizeof *u);
        for (size_t at = cell->first; at < cell->end && !s; at += RP_TILE) {
            size_t m = cell->end - at < RP_TILE ? cell->end - at : RP_TILE;
            if ((s = rp_design_tile(d, u, x, NULL, at, m, &error))) break;
            for (size_t p = 0; p < P; p++)
                for (size_t i = 0; i < m; i++) f[p * d->n + at + i] = of->b[p];
            cblas_dgemm(CblasColMajor, CblasTrans, CblasNoTrans, (int)m, (int)P, (int)D, 1, u,
                        (int)D, of->w, (int)D, 1, f + at, (int)d->n);
        }
        free(u), free(x);
        if (!s) continue;
#pragma omp critical(rp_predict_failed)
        if (!status) status = rp_fail(err, s, "%s", error.text);
    }
    return status;
}

void rp_fits_release(rp_fit *fit, size_t n)
{
    for (size_t o = 0; fit && o < n; o++) rp_fit_release(&fit[o]);
    free(fit);
}

static rp_status lasso(double *f, const rp_fitting *k, const rp_cells *cells, rp_error *err)
{
    const rp_plan *plan = k->in->plan;
    size_t n = k->d.folds->nouter + 1;
    rp_fit *fit = rp_alloc(n, sizeof *fit);
    if (!fit) return rp_fail_memory(err, n * sizeof *fit);
    rp_status status =
        rp_lasso_run(fit, cells, plan->penalty, plan->l1_ratio, false, k->in->host, err);
    if (!status) status = rp_fits_predict(f, cells->d, fit, err);
    rp_fits_release(fit, n);
    return status;
}

static rp_status ridge(double *f, const rp_fitting *k, const rp_cells *cells, rp_error *err)
{
    double value[RP_RIDGE_GRID];
    rp_ridge_options o = {.penalty = value, .host = k->in->host};
    rp_ridge found;
    o.npenalties = rp_ridge_grid(value, k->in->plan->penalty);
    o.per_row = k->in->plan->per_row;
    rp_status status = rp_ridge_run(&found, cells, &o, err);
    if (status) return status;
    for (size_t i = 0; i < k->d.labels * k->d.n; i++) f[i] = found.variant[0].f[i];
    rp_ridge_release(&found);
    return RP_OK;
}

rp_status rp_fitting_predict(double *f, const rp_fitting *k, const rp_matrix *x, rp_error *err)
{
    size_t P = k->d.labels;
    const rp_plan *plan = k->in->plan;
    const double **y = rp_alloc(P, sizeof *y);
    rp_design d = {.team = k->in->team};
    rp_cells cells = {0};
    if (!y) return rp_fail_memory(err, P * sizeof *y);
    for (size_t p = 0; p < P; p++) y[p] = k->in->labels->y[k->group->label[p]];
    rp_status status =
        rp_design_init(&d, x, &k->group->folds, y, P, 0, plan->standardise, k->in->team, err);
    bool by_ridge = plan->method == RP_RIDGE;
    if (!status)
        status =
            rp_cells_init(&cells, &d, by_ridge ? rp_ridge_primal(&d) : isnan(plan->penalty), err);
    if (!status) status = by_ridge ? ridge(f, k, &cells, err) : lasso(f, k, &cells, err);
    if (k->in->team) status = rp_comm_agree(status, err);
    rp_cells_release(&cells);
    rp_design_release(&d);
    free(y);
    return status;
}

rp_status rp_fitting_join(double *f, const rp_fitting *k, const rp_matrix *x, rp_error *err)
{
    rp_matrix both;
    rp_status status = rp_matrix_join(&both, x, k->in->x, err);
    if (status) return status;
    status = rp_fitting_predict(f, k, &both, err);
    rp_matrix_join_release(&both);
    return status;
}
