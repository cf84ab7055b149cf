/* What a solver found for a group of labels on one x, whichever solver it was; and its scores. */
#ifndef RP_PROBE_OUTCOME_H
#define RP_PROBE_OUTCOME_H

#include "probe/unit.h"
#include "solver/sets.h"

/* Every row array is in the folds' order, in units of the design's y. */
typedef struct rp_outcome {
    const rp_design *d;
    const rp_group *group;
    double *f;                          /* [P, n] held-out predictions */
    double *joint[RP_GAINS];            /* [P, n] of x with a baseline's columns, or NULL */
    double *alone[RP_GAINS];            /* [P, n] of a wide baseline; NaN where there are none */
    double *base;                       /* [P, n] training means */
    bool *scored;                       /* [n] */
    bool *bad;                          /* [P] undefined */
    double *penalty, *cv, *units, *gap; /* [nouter, P]; folds that were not fitted are NaN */
    size_t fits, dead;
    rp_fit all; /* on all rows; empty when not wanted */
} rp_outcome;
void rp_outcome_release(rp_outcome *oc);

/* Fills result, sums, predictions, coefficients and gains of the group's labels. */
rp_status rp_outcome_score(rp_unit_out *out, const rp_outcome *oc, const rp_unit_in *in,
                           rp_error *err);

/* A rp_curve_take that scores the points of k-sparse curves. */
typedef struct rp_curve_scorer {
    rp_unit_out *out; /* fills curve */
    const rp_outcome *oc;
    const rp_unit_in *in;
} rp_curve_scorer;
rp_status rp_curve_score(void *scorer, const rp_curve_point *point, rp_error *err);

#endif
