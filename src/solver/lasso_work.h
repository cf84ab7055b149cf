/* The working set of a label, and the state of its problems between two products with x. Private to
 * the lasso. */
#ifndef RP_SOLVER_LASSO_WORK_H
#define RP_SOLVER_LASSO_WORK_H

#include "solver/active.h"
#include "solver/lasso.h"

typedef struct rp_lasso_state {
    rp_lasso_problem *p;
    const rp_set *set;
    double l1, l2;      /* a rho, a (1 - rho) */
    bool done;          /* solved, and no column outside the working set violates */
    bool verify;        /* what joined was no violator for certain: if nothing moves it is done */
    float *r;           /* [n] residual, zero outside the set; NULL when done */
    float *q;           /* [D] u' r, of the last product with all of u or a later one */
    double drift;       /* how far r is from that product's at most, as a root mean square */
    double sum, rr, rt; /* of r; means of r^2 and r t */
    double most;        /* largest gradient in the working set */
    double outside;     /* and beyond it, where it is a violator */
} rp_lasso_state;

typedef struct rp_lasso_work {
    size_t label;
    size_t nproblems;
    rp_lasso_state *state; /* [nproblems] of this label */
    size_t n, old, cap;    /* columns; those whose Grams are made; room */
    size_t *col;           /* [n] in the order they joined */
    int *at;               /* [D] place in col, -1: not there */
    double *gram;          /* [parts, cap, cap] sums of u u' over a part */
    size_t nunsure;        /* columns outside it that may violate, as far as is known */
    size_t *unsure;        /* [D] ascending */
} rp_lasso_work;

/* Scratch of a thread, kept between labels. */
typedef struct rp_lasso_desk {
    rp_active active;
    size_t zcap, ecap, rcap, vcap, gcap, ccap, qcap;
    double *z;     /* [W, N] columns of u, rows part by part */
    double *e, *r; /* [k, N] z w, residuals */
    double *v, *g, *c,
        *q; /* [k, W] coefficients on z, gradients from the rows, c, gradients of it */
} rp_lasso_desk;
void rp_lasso_desk_release(rp_lasso_desk *desk);

rp_status rp_lasso_work_init(rp_lasso_work *work, size_t width, rp_error *err);
void rp_lasso_work_release(rp_lasso_work *work);
/* Adds a column unless it is there. */
rp_status rp_lasso_work_join(rp_lasso_work *work, size_t j, rp_error *err);
/* Solves all problems that are not done on the working set and fills their residuals. */
rp_status rp_lasso_work_solve(rp_lasso_work *work, rp_lasso_desk *desk, const rp_panel *x,
                              const rp_lasso_rows *rows, rp_error *err);

#endif
