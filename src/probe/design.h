/*
 * x and y of a group of labels, and the moments of every training set of one outer fold.
 *
 * The one thing to know: x is centred and scaled once, over all rows of the group and in f64
 * (`u`); every training set then is a difference of fold sums of u, and its own standardisation a
 * shift `mu` and a factor `inv` a column. Nothing is computed twice for two labels or two folds.
 *
 * All matrices have D as the fast axis: u is [n, D] row-major, which BLAS reads as D x n
 * column-major; coefficients and cross products are [P, D], one label after the other.
 */
#ifndef RP_PROBE_DESIGN_H
#define RP_PROBE_DESIGN_H

#include "probe/plan.h"

typedef struct rp_design {
    const rp_group *group;
    size_t n, width, labels; /* rows, D, P */
    bool standardise;
    double *u;              /* [n, D] (x - mean) / scale, rows in part order */
    double *mean, *scale;   /* [D]; scale is 1 when x is not standardised */
    double *y;              /* [P, n] (y - ymean) / yscale, rows in part order */
    double *ymean, *yscale; /* [P] */
} rp_design;
/* x [rows of the store, D]. RP_EFORMAT names a value that is not finite: `what` is the view. */
rp_status rp_design_init(rp_design *d, const rp_group *group, const rp_labels *labels,
                         const float *x, size_t width, bool standardise, const char *what,
                         rp_error *err);
void rp_design_release(rp_design *d);

/* A training set: its standardisation, its cross products and - for the sets that leave a fold out
 * - the fold's own moments in the training set's standardisation. z = (u - mu) * inv, t = (y - ymu)
 * * yinv. */
typedef struct rp_set {
    size_t m;           /* training rows */
    int fold;           /* the fold left out, -1: none */
    double *mu, *inv;   /* [D]; inv is 0 for a dead column */
    double *ymu, *yinv; /* [P]; yinv is 0 for a label that is constant here */
    double *c;          /* [P, D] mean of z t */
    double *yy;         /* [P] mean of t^2: 1 when standardised */
    size_t dead;        /* columns whose sd in raw units is below 1e-6 of the largest */
    size_t held;        /* rows of the fold left out */
    double *vs;         /* [D] sum of z over the fold */
    double *vc;         /* [P, D] sum of z t over the fold */
    double *vy;         /* [P] sum of t^2 over the fold */
} rp_set;

typedef struct rp_range {
    size_t first, end; /* rows of the design */
    int fold;          /* 0..nfolds-1 */
} rp_range;

typedef struct rp_moments {
    const rp_design *d;
    size_t nranges, nfolds, nsets;
    rp_range *range; /* [nranges] the training rows */
    rp_set *set;     /* [nsets] 0: all training rows; then one for each fold that has rows */
} rp_moments;
/* The training sets of outer fold `outer`; inner 0: only set 0. */
rp_status rp_moments_init(rp_moments *mo, const rp_design *d, int outer, size_t inner,
                          rp_error *err);
void rp_moments_release(rp_moments *mo);

/* What a solver returns, in the coordinates of u and of the design's y: y = b + u w. */
typedef struct rp_fit {
    double *w;       /* [P, D] */
    double *b;       /* [P] */
    double *penalty; /* [P] chosen or given */
    double *cv;      /* [P] mean over the inner folds of R2; NaN without */
    double *gap;     /* [P] duality gap / mean of t^2 (lasso), 0 for ridge */
    size_t *units;   /* [P] non-zero coefficients */
} rp_fit;
rp_status rp_fit_init(rp_fit *fit, size_t labels, size_t width, rp_error *err);
void rp_fit_release(rp_fit *fit);
/* Turns label p's coefficients of set 0 (w_j on z, t) into the fit's. */
void rp_fit_store(rp_fit *fit, const rp_moments *mo, size_t p, const double *w);

/* Penalties and their choice. sse and the sets' vy give held-out errors: sse[set - 1][k][P]. */
typedef struct rp_grid {
    size_t n;
    const double *value; /* [n] */
} rp_grid;
/* Returns the penalty index with the smallest pooled held-out error of label p (the larger penalty
 * when equal; value[] must descend) and *cv <- its mean R2 over the folds. */
size_t rp_grid_choose(const rp_moments *mo, const double *sse, size_t npenalties, size_t p,
                      double *cv);

/* One BLAS thread: the probe is parallel over layers. */
void rp_probe_blas_init(void);

#endif
