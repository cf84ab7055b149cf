/* A group of labels on one x while it is fitted: what unit.c and the files beside it share. */
#ifndef RP_PROBE_FITTING_H
#define RP_PROBE_FITTING_H

#include "probe/outcome.h"

typedef struct rp_fitting {
    rp_unit_out *out;
    const rp_unit_in *in;
    const rp_group *group;
    rp_design d; /* its extras are the baselines' columns, for ridge */
    rp_cells cells;
    size_t njoints;                             /* baselines that gains are wanted over */
    size_t gain[RP_GAINS], first[RP_GAINS + 1]; /* which; their columns among the extras */
    rp_outcome oc;
} rp_fitting;

/* Fills oc (whose design, group and number arrays [nouter, P] are there). */
rp_status rp_fitting_ridge(rp_fitting *k, rp_error *err);
rp_status rp_fitting_lasso(rp_fitting *k, rp_error *err);

#endif
