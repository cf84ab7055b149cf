/* The permutation tests of a group of labels (null.h), whatever its method. */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "probe/fitting.h"

static bool *tested_labels(const rp_fitting *k)
{
    size_t P = k->d.labels;
    bool *tested = rp_alloc(P, sizeof *tested);
    for (size_t p = 0; tested && p < P; p++)
        tested[p] = !rp_label_is_control(k->in->labels->name[k->group->label[p]]);
    return tested;
}

rp_status rp_fitting_null_new(rp_null **null, const rp_fitting *k, rp_error *err)
{
    bool *tested = tested_labels(k);
    if (!tested) return rp_fail_memory(err, k->d.labels);
    const rp_plan *plan = k->in->plan; /* a penalty of the lasso is none of ridge */
    rp_status status = rp_null_new(null, &k->cells, k->in->rows, tested, k->out->draws - 1,
                                   plan->method == RP_RIDGE ? plan->penalty : NAN, err);
    free(tested);
    return status;
}

rp_status rp_fitting_null_keep(rp_fitting *k, const rp_null *null, rp_error *err)
{
    rp_status status = RP_OK;
    for (size_t p = 0; p < k->d.labels; p++)
        for (int kind = 0; kind < RP_NULLS && !k->oc.bad[p] && !status; kind++) {
            size_t label = k->group->label[p];
            status = rp_null_statistic(k->out->null[kind] + label * k->out->draws,
                                       &k->out->result[label].chance[kind], null, kind, p, err);
        }
    return status;
}

/* What is tested - whether labels are exchangeable, given x - has nothing to do with the method,
 * and thousands of lassos are out of reach: beside a lasso the statistic is ridge's, from the outer
 * training sets alone. */
rp_status rp_fitting_null_alone(rp_fitting *k, rp_error *err)
{
    rp_ridge_options o = {.npenalties = 1,
                          .penalty = rp_null_penalty,
                          .outer_only = true,
                          .after = rp_null_outer,
                          .host = k->in->host};
    rp_null *null = NULL;
    rp_ridge ridge = {0};
    rp_status status = rp_design_agree(&k->d, rp_fitting_null_new(&null, k, err), err);
    o.arg = null;
    if (!status) status = rp_ridge_run(&ridge, &k->cells, &o, err);
    if (!status) status = rp_null_gather(null, err);
    if (!status) status = rp_fitting_null_keep(k, null, err);
    rp_ridge_release(&ridge);
    rp_null_free(null);
    return status;
}
