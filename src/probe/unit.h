/*
 * One unit of probing - the x of a layer of a view - under one protocol, for every label at once.
 */
#ifndef RP_PROBE_UNIT_H
#define RP_PROBE_UNIT_H

#include "probe/design.h"
#include "probe/score.h"

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
} rp_result;

/* out [labels]; x [rows, width]; predictions (may be NULL) [labels, rows] <- held-out predictions,
 * NaN for rows that were not scored. `what` names x in errors. */
rp_status rp_unit_fit(rp_result *out, float *predictions, const rp_plan *plan, const rp_rows *rows,
                      const rp_labels *labels, const float *x, size_t width, const char *what,
                      size_t draws, rp_error *err);
/* Bytes rp_unit_fit needs, roughly, x included. */
double rp_unit_memory(const rp_plan *plan, size_t rows, size_t width, size_t labels);

#endif
