/* What the files of ridge share: a run of it. */
#ifndef RP_SOLVER_RIDGE_JOB_H
#define RP_SOLVER_RIDGE_JOB_H

#include "solver/ridge.h"

typedef struct rp_ridge_job {
    rp_ridge *out;
    const rp_ridge_options *o;
    const rp_cells *cells;
    const rp_design *d;
    bool primal;
    size_t nouter, inner, P, K; /* inner folds; labels; penalties */
    rp_set *set;                /* [nouter + 1, 1 + inner]; the last row has one set: all rows */
    double *sse;                /* [nouter, inner, variants, K, P] */
    size_t *chosen;             /* [variants, nouter, P] */
    size_t done, total;
    rp_status status;
    rp_error error;
} rp_ridge_job;

static inline rp_set *rp_ridge_set(const rp_ridge_job *r, size_t outer, size_t inner)
{
    return &r->set[outer * (1 + r->inner) + inner];
}

/* Rows that an outer fold holds out. */
size_t rp_ridge_held(const rp_ridge_job *r, size_t outer);
/* An outer fold at the chosen penalties: predictions, training means, what `after` wants. */
rp_status rp_ridge_fit_outer(rp_ridge_job *r, size_t outer, rp_error *err);
/* All rows, at the median penalty (of two the larger). */
rp_status rp_ridge_fit_all(rp_ridge_job *r, rp_error *err);

#endif
