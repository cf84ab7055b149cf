/*
 * A protocol, laid out over the rows: which rows a label is fitted on, in which order they stand so
 * that every training and test set is a few contiguous cells (solver/design.h), and how the penalty
 * is found. The paper's protocols have one outer fold, 0, their test rows; their training rows are
 * outer 1; outer -1 is never used.
 */
#ifndef RP_PROBE_PLAN_H
#define RP_PROBE_PLAN_H

#include "probe/rows.h"
#include "solver/design.h"

/* Labels with the same rows. */
typedef struct rp_group {
    size_t nlabels, *label; /* indices into rp_labels */
    size_t *row;            /* [folds.n] */
    rp_cell *cell;          /* [folds.ncells] */
    rp_folds folds;         /* over row and cell */
} rp_group;

typedef enum rp_method { RP_RIDGE, RP_LASSO } rp_method;

typedef struct rp_plan {
    const char *name; /* "sound", "paper-text", "paper-code" */
    rp_method method;
    bool standardise;
    double l1_ratio; /* of the lasso */
    double penalty;  /* NaN: chosen among `npenalties` by the inner folds */
    bool per_row;    /* the penalty is divided by the number of training rows (sklearn's alpha) */
    size_t outer;    /* outer folds */
    size_t inner;    /* inner folds; 0: none. With a fixed penalty they only give r2_cv */
    size_t ngroups;
    rp_group *group;
    bool *constant; /* [labels] not probed at all: no two values */
    char **balance; /* [labels] "drawn/available ..." a bin, NULL where nothing was left out */
    size_t nlabels;
} rp_plan;

/* name as in rp_probe_options.protocols; the options give method, penalty, folds and balance. */
rp_status rp_plan_init(rp_plan *plan, const char *name, const rp_probe_options *o,
                       const rp_rows *rows, const rp_labels *labels, rp_error *err);
void rp_plan_release(rp_plan *plan);

#endif
