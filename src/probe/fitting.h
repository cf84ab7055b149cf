/* A group of labels on one x while it is fitted: what unit.c and the files beside it share. */
#ifndef RP_PROBE_FITTING_H
#define RP_PROBE_FITTING_H

#include "probe/null.h"
#include "probe/outcome.h"

typedef struct rp_fitting {
    rp_unit_out *out;
    const rp_unit_in *in;
    const rp_group *group;
    rp_design d; /* its extras are the baselines' columns, for ridge */
    rp_cells cells;
    size_t njoints;                             /* narrow baselines that gains are wanted over */
    size_t gain[RP_GAINS], first[RP_GAINS + 1]; /* which; their columns among the extras */
    rp_outcome oc;
} rp_fitting;

/* Fills oc (whose design, group and number arrays [nouter, P] are there). */
rp_status rp_fitting_ridge(rp_fitting *k, rp_error *err);
rp_status rp_fitting_lasso(rp_fitting *k, rp_error *err);
/* The permutation tests: to be made while ridge runs (rp_ridge_options.after) and kept afterwards,
 * or by themselves. */
rp_status rp_fitting_null_new(rp_null **null, const rp_fitting *k, rp_error *err);
rp_status rp_fitting_null_keep(rp_fitting *k, const rp_null *null, rp_error *err);
rp_status rp_fitting_null_alone(rp_fitting *k, rp_error *err);
/* f [P, n] <- held-out predictions of the same labels from another x, by the plan's method. */
rp_status rp_fitting_predict(double *f, const rp_fitting *k, const rp_matrix *x, rp_error *err);
/* The same from the columns of x and the unit's own. */
rp_status rp_fitting_join(double *f, const rp_fitting *k, const rp_matrix *x, rp_error *err);

/* f [P, n] <- predictions of the fits [nouter], each on the rows that it did not see. */
rp_status rp_fits_predict(double *f, const rp_design *d, const rp_fit *fit, rp_error *err);
void rp_fits_release(rp_fit *fit, size_t n);

#endif
