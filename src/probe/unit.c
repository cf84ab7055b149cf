#include "probe/unit.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "probe/null.h"
#include "probe/outcome.h"
#include "solver/ridge.h"

enum { RIDGE_PENALTIES = 17 };

/* A group of labels on one x. */
typedef struct work {
    rp_unit_out *out;
    const rp_unit_in *in;
    const rp_group *group;
    rp_design d;
    rp_cells cells;
    size_t njoints, first[RP_GAINS + 1], gain[RP_GAINS]; /* extras of the baselines to be joined */
    rp_outcome oc;
} work;

static void work_release(work *k)
{
    rp_outcome_release(&k->oc);
    rp_cells_release(&k->cells);
    rp_design_release(&k->d);
}

/* ---- set-up ---- */

/* y of the group's labels, then the columns of the baselines. */
static rp_status design(work *k, rp_error *err)
{
    const rp_unit_in *in = k->in;
    size_t P = k->group->nlabels, extras = 0;
    for (size_t g = 0; g < RP_GAINS; g++) {
        if (!in->baseline[g].f) continue;
        k->gain[k->njoints] = g;
        k->first[k->njoints++] = extras;
        extras += in->baseline[g].width;
    }
    k->first[k->njoints] = extras;
    const double **y = rp_alloc(P + extras, sizeof *y);
    if (!y) return rp_fail_memory(err, (P + extras) * sizeof *y);
    for (size_t p = 0; p < P; p++) y[p] = in->labels->y[k->group->label[p]];
    for (size_t v = 0; v < k->njoints; v++)
        for (size_t c = k->first[v]; c < k->first[v + 1]; c++)
            y[P + c] = in->baseline[k->gain[v]].column[c - k->first[v]];
    rp_status status =
        rp_design_init(&k->d, in->x, &k->group->folds, y, P, extras, in->plan->standardise, err);
    free(y);
    return status;
}

static rp_status outcome_init(rp_outcome *oc, const work *k, rp_error *err)
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

/* ---- ridge ---- */

static bool *tested_labels(const work *k)
{
    size_t P = k->d.labels;
    bool *tested = rp_alloc(P, sizeof *tested);
    for (size_t p = 0; tested && p < P; p++)
        tested[p] = !rp_label_is_control(k->in->labels->name[k->group->label[p]]);
    return tested;
}

static rp_status start_null(rp_null **null, const work *k, rp_error *err)
{
    bool *tested = tested_labels(k);
    if (!tested) return rp_fail_memory(err, k->d.labels);
    rp_status status = rp_null_new(null, &k->cells, k->in->rows, tested, k->out->draws - 1,
                                   k->in->plan->penalty, err);
    free(tested);
    return status;
}

static void keep_null(work *k, const rp_null *null)
{
    for (size_t p = 0; p < k->d.labels; p++)
        for (int kind = 0; kind < RP_NULLS && !k->oc.bad[p]; kind++) {
            double *t = k->out->null[kind] + k->group->label[p] * k->out->draws;
            rp_null_statistic(t, null, kind, p);
        }
}

/* Takes what the solver found; the arrays change hands. */
static void take_ridge(work *k, rp_ridge *r)
{
    rp_outcome *oc = &k->oc;
    size_t P = k->d.labels, cells = k->d.folds->nouter * P, D = k->d.width;
    oc->f = r->variant[0].f, r->variant[0].f = NULL;
    for (size_t v = 0; v < k->njoints; v++)
        oc->joint[k->gain[v]] = r->variant[v + 1].f, r->variant[v + 1].f = NULL;
    oc->base = r->base, r->base = NULL;
    oc->scored = r->scored, r->scored = NULL;
    oc->bad = r->bad, r->bad = NULL;
    memcpy(oc->penalty, r->variant[0].penalty, cells * sizeof(double));
    memcpy(oc->cv, r->variant[0].cv, cells * sizeof(double));
    for (size_t i = 0; i < cells; i++) oc->units[i] = (double)(D - r->dead);
    oc->fits = r->fits, oc->dead = r->dead;
    oc->all = r->fit, r->fit = (rp_fit){0};
}

static rp_status fit_ridge(work *k, rp_error *err)
{
    const rp_plan *plan = k->in->plan;
    double value[RIDGE_PENALTIES] = {plan->penalty};
    rp_joints joints = {k->njoints, k->first};
    rp_ridge_options o = {.npenalties = 1,
                          .penalty = value,
                          .per_row = plan->per_row,
                          .all = k->out->coef != NULL,
                          .joints = joints,
                          .host = k->in->host};
    rp_null *null = NULL;
    rp_ridge ridge = {0};
    rp_status status = RP_OK;
    if (isnan(plan->penalty)) /* trace(z'z / m) / D is 1: z is standardised */
        for (o.npenalties = 0; o.npenalties < RIDGE_PENALTIES; o.npenalties++)
            value[o.npenalties] = pow(10, 4 - .5 * (double)o.npenalties);
    if (k->out->null[0]) {
        status = start_null(&null, k, err);
        o.after = rp_null_outer, o.arg = null;
    }
    if (!status) status = rp_ridge_run(&ridge, &k->cells, &o, err);
    if (!status) {
        take_ridge(k, &ridge);
        if (null) keep_null(k, null);
    }
    rp_ridge_release(&ridge);
    rp_null_free(null);
    return status;
}

/* ---- a group, a unit ---- */

static rp_status fit_curve(work *k, rp_error *err)
{
    rp_curve_scorer scorer = {k->out, &k->oc, k->in};
    return rp_sparse_run(&k->d, &k->cells, k->in->rows->seed, rp_curve_score, &scorer, k->in->host,
                         err);
}

static rp_status fit_group(work *k, rp_error *err)
{
    rp_status status = design(k, err);
    if (status) return status;
    bool gram = rp_ridge_primal(&k->d) || k->out->curve;
    if ((status = outcome_init(&k->oc, k, err))) return status;
    if ((status = rp_cells_init(&k->cells, &k->d, gram, err))) return status;
    if ((status = fit_ridge(k, err))) return status;
    if ((status = rp_outcome_score(k->out, &k->oc, k->in, err))) return status;
    return k->out->curve ? fit_curve(k, err) : RP_OK;
}

rp_status rp_unit_fit(rp_unit_out *out, const rp_unit_in *in, rp_error *err)
{
    const rp_plan *plan = in->plan;
    rp_status status = RP_OK;
    for (size_t p = 0; p < in->labels->n; p++)
        for (size_t i = 0; i < in->rows->n && plan->constant[p]; i++)
            out->result[p].n += isfinite(in->labels->y[p][i]) ? 1 : 0;
    for (size_t g = 0; g < plan->ngroups && !status; g++) {
        work k = {.out = out, .in = in, .group = &plan->group[g]};
        status = fit_group(&k, err);
        work_release(&k);
    }
    return status;
}

double rp_unit_memory(const rp_plan *plan, size_t rows, size_t width, size_t labels)
{
    size_t cells = plan->outer * (plan->inner ? plan->inner : 1);
    return rp_ridge_memory(rows, width, labels, cells, RIDGE_PENALTIES, omp_get_max_threads());
}
