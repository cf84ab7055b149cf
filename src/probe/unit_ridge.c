/* Ridge of a group of labels, with its gains, as an outcome. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "probe/fitting.h"
#include "solver/ridge.h"

/* Takes what the solver found; the arrays change hands. */
static void take_ridge(rp_fitting *k, rp_ridge *r)
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

rp_status rp_fitting_ridge(rp_fitting *k, rp_error *err)
{
    const rp_plan *plan = k->in->plan;
    double value[RP_RIDGE_GRID];
    rp_joints joints = {k->njoints, k->first};
    rp_ridge_options o = {.npenalties = rp_ridge_grid(value, plan->penalty),
                          .penalty = value,
                          .per_row = plan->per_row,
                          .all = k->out->coef != NULL,
                          .joints = joints,
                          .host = k->in->host};
    rp_null *null = NULL;
    rp_ridge ridge = {0};
    rp_status status = RP_OK;
    /* nulls are in f32, which a penalty near nothing is beyond: no p then */
    if (k->out->null[0] && !(plan->penalty < 1e-3)) {
        status = rp_fitting_null_new(&null, k, err);
        o.after = rp_null_outer, o.arg = null;
    }
    status = rp_design_agree(&k->d, status, err);
    if (!status) status = rp_ridge_run(&ridge, &k->cells, &o, err);
    if (!status && null) status = rp_null_gather(null, err);
    if (!status) {
        take_ridge(k, &ridge);
        if (null) status = rp_fitting_null_keep(k, null, err);
    }
    rp_ridge_release(&ridge);
    rp_null_free(null);
    return status;
}
