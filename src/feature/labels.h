/*
 * The label report: what a column is worth as a label before anything is fitted to it. Its share of
 * variance between queries (eta2), whether it is constant, constant within every query, a duplicate
 * of another column, and the correlations of all.
 */
#ifndef RP_FEATURE_LABELS_H
#define RP_FEATURE_LABELS_H

#include <stdio.h>

#include "feature/columns.h"

#define RP_LABEL_FEW 10 /* fewer distinct values are flagged: bins by value, not by width */

typedef struct rp_label {
    size_t n, distinct;
    double mean, sd; /* population */
    double min, max;
    double eta2; /* SS between queries / SS total; NaN for a constant */
    bool constant, constant_within, few;
    size_t duplicate_of; /* column of which this is an affine image; SIZE_MAX: none before it */
} rp_label;

/* label [columns], r [columns x columns] Pearson correlations (NaN with a constant). constant:
 * sd <= 1e-9 |mean|; constant within queries: the within-query sd is at most 1e-9 times
 * max(|mean|, sd); duplicate: a standardised column differs by at most 1e-6 from another, signs
 * apart. */
rp_status rp_labels_measure(rp_label *label, double *r, const double *const *column,
                            size_t ncolumns, const size_t *first, size_t nqueries, rp_error *err);

/* A row a visible column: label n distinct mean sd min max eta2 flags r.<label>... */
rp_status rp_labels_write(FILE *file, const rp_columns *columns, const rp_pairs *pairs,
                          rp_error *err);

#endif
