/*
 * One unit of probing - the x of a layer of a view - under one protocol, for every label at once.
 * The one thing to know: rp_unit_out holds everything that is kept of it, so that it can be written
 * to a part (parts.h) and read back; whoever fits only fills what the job made room for.
 */
#ifndef RP_PROBE_UNIT_H
#define RP_PROBE_UNIT_H

#include "probe/plan.h"
#include "probe/score.h"
#include "solver/sparse.h"

/* Over which baseline: the two that are made of the rows, the view's first layer, the same layer of
 * another store. */
enum { RP_GAIN_LENGTH, RP_GAIN_SCORE, RP_GAIN_INPUT, RP_GAIN_OTHER, RP_GAINS };
enum { RP_DOCUMENT, RP_QUERY, RP_NULLS }; /* how labels are permuted */
#define RP_CURVE_NUMBERS 6                /* r2, its interval, r2_within, its interval */

#define RP_UNIT_STABLE .75 /* selection frequency from which a unit is called stable */

typedef struct rp_gain {
    double value, lo, hi; /* R2 of [baseline, layer] minus R2 of the baseline; NaN: not asked for */
} rp_gain;

typedef struct rp_result {
    bool defined; /* false: the label is constant where it is fitted or scored, or has too few
                   * rows; every number below but n, queries and eta2 is then NaN or 0 */
    rp_score_row score;
    double penalty; /* median over the outer folds */
    double cv;      /* mean R2 over the inner folds at the chosen penalty, mean over outer folds */
    double gap;     /* largest duality gap of the fits, relative */
    double eta2;    /* share of the label's variance that lies between queries */
    double units;   /* non-zero coefficients, median over the outer folds */
    size_t n, queries; /* pairs fitted or scored, and their queries */
    size_t dead;       /* columns that hardly vary, the most of any outer fold */
    rp_gain gain[RP_GAINS];
    double
        chance[RP_NULLS]; /* 97.5 % quantile of the null's correlations (null.h); NaN: not tested */
    double bound; /* of expected false selections (stability selection); NaN: not asked for */
    double q;     /* units that a half-sample selects, on average */
} rp_result;

/* What is kept of a unit under one protocol; arrays that were not asked for are NULL. */
typedef struct rp_unit_out {
    size_t labels, rows, queries, width; /* P, N, Q, D */
    size_t draws;                        /* B + 1 */
    rp_result *result;                   /* [P] */
    double *sums;                        /* [P, Q, 4] of every query (score.h); NaN: not scored */
    double *null[RP_NULLS]; /* [P, draws] correlations of labels and held-out predictions: within
                             * queries, labels permuted within them; of query means, whole queries
                             * permuted. Draw 0: the observed. NaN: not tested */
    float *predictions;     /* [P, N] held-out; NaN: not scored */
    double *coef;           /* [P, D] y = intercept + x coef, x as stored; fitted on all rows of */
    double *intercept;      /* [P]    the label at the median penalty */
    double *beta;           /* [P, D] coef on standardised x and y */
    float *frequency;       /* [P, D] how often a half-sample selects the unit */
    double *curve;          /* [P, RP_CURVES, RP_CURVE_SIZES, RP_CURVE_NUMBERS] k-sparse; NaN: the
                             * layer has fewer units */
} rp_unit_out;

/* Which arrays. */
typedef enum rp_unit_want {
    RP_WANT_SUMS = 1,
    RP_WANT_NULL = 2, /* both, the document level first */
    RP_WANT_PREDICTIONS = 4,
    RP_WANT_COEFFICIENTS = 8, /* coef, intercept, beta */
    RP_WANT_FREQUENCY = 16,
    RP_WANT_CURVE = 32
} rp_unit_want;

typedef struct rp_unit_shape {
    unsigned want;
    size_t labels, rows, queries, width, draws;
} rp_unit_shape;

/* Room for the arrays that are wanted, every number NaN and no label defined. */
rp_status rp_unit_out_init(rp_unit_out *out, const rp_unit_shape *shape, rp_error *err);
void rp_unit_out_release(rp_unit_out *out);

/* A baseline that gains are wanted over; all NULL: not. A narrow one was fitted before; a wide one
 * is fitted together with the unit. */
typedef struct rp_baseline {
    const float *f;              /* [P, N] its held-out predictions under the same protocol */
    size_t width;                /* columns of its x */
    const double *const *column; /* [width] [N] */
    const rp_matrix *x;          /* wide */
} rp_baseline;

typedef struct rp_unit_in {
    const rp_plan *plan;
    const rp_rows *rows;
    const rp_labels *labels;
    const rp_matrix *x;              /* [rows, width] */
    const rp_probe_options *options; /* method, permutations, stability ... */
    rp_baseline baseline[RP_GAINS];
    bool team;           /* all processes fit this unit together */
    const rp_host *host; /* told how far the unit is; NULL: nobody */
} rp_unit_in;

/* Fills every array of *out (from rp_unit_out_init) that is there. */
rp_status rp_unit_fit(rp_unit_out *out, const rp_unit_in *in, rp_error *err);
/* Bytes rp_unit_fit needs with so many threads, roughly, for arrays of this shape. */
double rp_unit_memory(const rp_plan *plan, const rp_unit_shape *shape, int threads);

#endif
