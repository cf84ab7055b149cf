#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "probe/lasso.h"

enum { PENALTIES = 100, PATIENCE = 15 };

double rp_lasso_memory(size_t width, size_t folds)
{
    double D = (double)width, columns = fmin(D, 2000);
    return 8 * ((double)(2 * folds + 1) * D * columns + (double)(folds + 2) * D * RP_GRAM_BLOCK);
}

/* One label: its solvers, one a training set, and held-out errors sse[nsets - 1][npenalties][P]. */
typedef struct run {
    const rp_moments *mo;
    rp_lasso *lasso; /* [nsets] */
    size_t label, npenalties;
    double *sse;
} run;

static double pooled(const run *r, size_t k)
{
    double sum = 0;
    for (size_t s = 1; s < r->mo->nsets; s++) {
        double inv = r->mo->set[s].yinv[r->label];
        size_t at = ((s - 1) * r->npenalties + k) * r->mo->d->labels + r->label;
        if (inv > 0) sum += r->sse[at] / (inv * inv);
    }
    return sum;
}

static rp_status held_out(run *r, size_t k, double a, rp_error *err)
{
    for (size_t s = 1; s < r->mo->nsets; s++) {
        size_t at = ((s - 1) * r->npenalties + k) * r->mo->d->labels + r->label;
        rp_status status = rp_lasso_solve(&r->lasso[s], a, err);
        if (status) return status;
        r->sse[at] = rp_lasso_held(&r->lasso[s]);
    }
    return RP_OK;
}

static double on_path(double most, size_t k)
{
    return most * pow(1000, -(double)k / (PENALTIES - 1));
}

static rp_status follow(run *r, rp_fit *fit, rp_error *err)
{
    double most = rp_lasso_max(r->mo, 0, r->label), least = INFINITY;
    size_t best = 0, k = 0;
    rp_status status;
    for (; k < PENALTIES && k - best <= PATIENCE && most > 0; k++) {
        if ((status = held_out(r, k, on_path(most, k), err))) return status;
        double e = pooled(r, k);
        if (e < least) least = e, best = k;
    }
    for (; k < PENALTIES; k++) /* not visited */
        for (size_t s = 1; s < r->mo->nsets; s++)
            r->sse[((s - 1) * PENALTIES + k) * r->mo->d->labels + r->label] = INFINITY;
    for (k = 0; k <= best; k++)
        if ((status = rp_lasso_solve(&r->lasso[0], on_path(most, k), err))) return status;
    fit->penalty[r->label] = on_path(most, best);
    return RP_OK;
}

static rp_status fit_label(run *r, rp_fit *fit, rp_gram *cols, double penalty, rp_error *err)
{
    size_t nsets = r->mo->nsets, p = r->label;
    rp_status status = RP_OK;
    for (size_t s = 0; s < nsets && !status; s++)
        status = rp_lasso_init(&r->lasso[s], cols, s, p, err);
    if (!status && isnan(penalty)) {
        status = follow(r, fit, err);
    } else if (!status) {
        fit->penalty[p] = penalty;
        status = held_out(r, 0, penalty, err);
        if (!status) status = rp_lasso_solve(&r->lasso[0], penalty, err);
    }
    if (!status) {
        rp_grid_choose(r->mo, r->sse, r->npenalties, p, &fit->cv[p]);
        rp_fit_store(fit, r->mo, p, r->lasso[0].w);
        fit->gap[p] = r->lasso[0].gap;
    }
    for (size_t s = 0; s < nsets; s++) rp_lasso_release(&r->lasso[s]);
    return status;
}

rp_status rp_lasso_fit(rp_fit *fit, const rp_moments *mo, double penalty, rp_error *err)
{
    rp_gram cols;
    size_t P = mo->d->labels;
    run r = {.mo = mo, .npenalties = isnan(penalty) ? PENALTIES : 1};
    rp_status status = rp_gram_init(&cols, mo, err);
    if (status) return status;
    r.lasso = rp_alloc(mo->nsets, sizeof *r.lasso);
    r.sse = rp_alloc(mo->nsets * r.npenalties * P, sizeof *r.sse);
    if (!r.lasso || !r.sse) status = rp_fail_memory(err, mo->nsets * r.npenalties * P * 8);
    for (; r.label < P && !status; r.label++) status = fit_label(&r, fit, &cols, penalty, err);
    free(r.lasso), free(r.sse);
    rp_gram_release(&cols);
    return status;
}
