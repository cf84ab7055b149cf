#include "probe/unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "probe/fitting.h"
#include "solver/lasso.h"
#include "solver/ridge.h"
#include "solver/stability.h"

static void fitting_release(rp_fitting *k)
{
    rp_outcome_release(&k->oc);
    rp_cells_release(&k->cells);
    rp_design_release(&k->d);
}

/* ---- set-up ---- */

/* y of the group's labels, then the columns of the baselines. */
static rp_status design(rp_fitting *k, rp_error *err)
{
    const rp_unit_in *in = k->in;
    size_t P = k->group->nlabels, extras = 0;
    bool ridge = in->plan->method == RP_RIDGE; /* the lasso joins matrices instead */
    for (size_t g = 0; g < RP_GAINS; g++) {
        if (!in->baseline[g].column) continue;
        k->gain[k->njoints] = g;
        k->first[k->njoints++] = extras;
        extras += ridge ? in->baseline[g].width : 0;
    }
    k->first[k->njoints] = extras;
    const double **y = rp_alloc(P + extras, sizeof *y);
    if (!y) return rp_fail_memory(err, (P + extras) * sizeof *y);
    for (size_t p = 0; p < P; p++) y[p] = in->labels->y[k->group->label[p]];
    for (size_t v = 0; v < k->njoints && ridge; v++)
        for (size_t c = k->first[v]; c < k->first[v + 1]; c++)
            y[P + c] = in->baseline[k->gain[v]].column[c - k->first[v]];
    rp_status status = rp_design_init(&k->d, in->x, &k->group->folds, y, P, extras,
                                      in->plan->standardise, in->team, err);
    free(y);
    return status;
}

static rp_status outcome_init(rp_outcome *oc, const rp_fitting *k, rp_error *err)
{
    size_t P = k->d.labels, n = k->d.n, cells = k->d.folds->nouter * P;
    *oc = (rp_outcome){.d = &k->d,
                       .group = k->group,
                       .penalty = rp_alloc(cells, 8),
                       .cv = rp_alloc(cells, 8),
                       .units = rp_alloc(cells, 8),
                       .gap = rp_alloc(cells, 8)};
    if (!oc->penalty || !oc->cv || !oc->units || !oc->gap) return rp_fail_memory(err, P * n * 8);
    return RP_OK;
}

/* ---- a group, a unit ---- */

static rp_status fit_curve(rp_fitting *k, rp_error *err)
{
    rp_curve_scorer scorer = {k->out, &k->oc, k->in};
    return rp_sparse_run(&k->d, &k->cells, k->in->rows->seed, rp_curve_score, &scorer, k->in->host,
                         err);
}

static rp_status fit_stability(rp_fitting *k, rp_error *err)
{
    const rp_design *d = &k->d;
    const rp_probe_options *o = k->in->options;
    size_t *query = rp_alloc(d->n, sizeof *query), D = d->width;
    rp_stability s;
    if (!query) return rp_fail_memory(err, d->n * sizeof *query);
    for (size_t i = 0; i < d->n; i++) query[i] = k->in->rows->query[k->group->row[i]];
    const rp_stability_options so = {
        query,   k->in->rows->nqueries, o->stability,      RP_UNIT_STABLE,
        o->pfer, k->in->plan->l1_ratio, k->in->rows->seed, k->in->host};
    rp_status status = rp_stability_run(&s, &k->cells, &so, err);
    free(query);
    if (status) return status;
    for (size_t p = 0; p < d->labels; p++) {
        size_t label = k->group->label[p];
        rp_result *r = &k->out->result[label];
        if (!r->defined) continue;
        memcpy(k->out->frequency + label * D, s.frequency + p * D, D * sizeof *s.frequency);
        r->bound = s.bound[p], r->q = s.selected[p];
    }
    rp_stability_release(&s);
    return RP_OK;
}

/* What wide baselines predict by themselves, and joined; narrow ones were fitted before. */
static rp_status fit_baselines(rp_fitting *k, rp_error *err)
{
    const rp_design *d = &k->d;
    rp_status status = RP_OK;
    for (size_t g = 0; g < RP_GAINS && !status; g++) {
        const rp_baseline *b = &k->in->baseline[g];
        if (!b->x) continue;
        double *alone = k->oc.alone[g] = rp_alloc(d->labels * d->n, sizeof *alone);
        k->oc.joint[g] = rp_alloc(d->labels * d->n, sizeof *alone);
        if (!alone || !k->oc.joint[g]) return rp_fail_memory(err, d->labels * d->n * sizeof *alone);
        status = rp_fitting_predict(alone, k, b->x, err);
        if (!status) status = rp_fitting_join(k->oc.joint[g], k, b->x, err);
    }
    return status;
}

static rp_status finish(rp_fitting *k, rp_error *err)
{
    rp_status status = rp_outcome_score(k->out, &k->oc, k->in, err);
    if (!status && k->out->frequency) status = fit_stability(k, err);
    if (!status && k->out->curve) status = fit_curve(k, err);
    return status;
}

/* Do the cells hold Gram matrices? */
static bool wants_grams(const rp_plan *plan, bool tested, bool curve, bool primal)
{
    bool ridge = plan->method == RP_RIDGE;
    return curve || (!ridge && isnan(plan->penalty)) || ((ridge || tested) && primal);
}

/* In a team every step ends with an agreement: a process that fails alone, or is told to stop, must
 * not leave the others waiting for it. */
static rp_status fit_group(rp_fitting *k, rp_error *err)
{
    const rp_design *d = &k->d;
    rp_status status = rp_design_agree(d, design(k, err), err);
    if (status) return status;
    bool ridge = k->in->plan->method == RP_RIDGE;
    bool tested = k->out->null[0] != NULL;
    bool gram = wants_grams(k->in->plan, tested, k->out->curve != NULL, rp_ridge_primal(d));
    status = rp_design_agree(d, outcome_init(&k->oc, k, err), err);
    if (!status) status = rp_design_agree(d, rp_cells_init(&k->cells, &k->d, gram, err), err);
    if (!status)
        status =
            rp_design_agree(d, ridge ? rp_fitting_ridge(k, err) : rp_fitting_lasso(k, err), err);
    if (!status && tested && !ridge)
        status = rp_design_agree(d, rp_fitting_null_alone(k, err), err);
    if (!status) status = rp_design_agree(d, fit_baselines(k, err), err);
    return status ? status : rp_design_agree(d, finish(k, err), err);
}

rp_status rp_unit_fit(rp_unit_out *out, const rp_unit_in *in, rp_error *err)
{
    const rp_plan *plan = in->plan;
    rp_status status = RP_OK;
    for (size_t p = 0; p < in->labels->n; p++)
        for (size_t i = 0; i < in->rows->n && plan->constant[p]; i++)
            out->result[p].n += isfinite(in->labels->y[p][i]) ? 1 : 0;
    for (size_t g = 0; g < plan->ngroups && !status; g++) {
        rp_fitting k = {.d.team = in->team, .out = out, .in = in, .group = &plan->group[g]};
        status = fit_group(&k, err);
        fitting_release(&k);
    }
    return status;
}

/* Ridge, with the tests in it, the lasso and the curves come one after the other. */
double rp_unit_memory(const rp_plan *plan, const rp_unit_shape *shape, int threads)
{
    size_t cells = plan->outer * (plan->inner ? plan->inner : 1), P = shape->labels;
    size_t n = shape->rows, width = shape->width;
    rp_folds folds = {.n = n, .ncells = cells, .nouter = plan->outer, .ninner = plan->inner};
    bool ridge = plan->method == RP_RIDGE, tested = shape->want & RP_WANT_NULL;
    bool curve = shape->want & RP_WANT_CURVE, primal = rp_ridge_primal_at(n, width, plan->outer);
    double need = 0, D = (double)width;
    if (ridge || tested) need = rp_ridge_memory(n, width, P, &folds, RP_RIDGE_GRID, threads);
    if (tested) need += rp_null_memory(n, width, P, shape->draws, plan->outer, threads);
    if (!ridge)
        need = fmax(need, rp_lasso_memory(n, width, P, &folds, isnan(plan->penalty), threads));
    if (curve) need = fmax(need, rp_sparse_memory(n, width, P, plan->outer, (size_t)threads));
    return need + (wants_grams(plan, tested, curve, primal) ? 8 * (double)cells * D * D : 0);
}
