/*
 * The null distributions of a layer's probes: every label rearranged within queries, and by whole
 * queries, refitted on the outer training sets and scored on the held-out folds. By blocks and
 * options (orbit.h): a linear probe needs predictions of (block, option) columns only, and shares
 * the factorisations of the fit. In f32: a null needs no more.
 *
 * The statistic of a draw is the correlation of the rearranged labels with the held-out predictions
 * - within queries, or of the query means - at the better of two penalties. The penalties do not
 * depend on the labels: one chosen for the observed labels is not the one that a rearrangement
 * would have chosen, and the test conservative; choosing anew for every draw would cost the inner
 * folds again. So it is the same function of every draw, hence exact. Correlation and not R2:
 * shrinkage and the scale of a penalty cancel, the null is nearly normal for every label, and
 * maxima over labels and layers compare like with like. A penalty that the user fixed for ridge is
 * the only one. The lasso is tested by the same statistic.
 */
#ifndef RP_PROBE_NULL_H
#define RP_PROBE_NULL_H

#include "probe/rows.h"
#include "solver/ridge.h"

typedef struct rp_null rp_null;
/* tested [P] which labels. cells: of a design whose folds hold out every query once (`sound`).
 * penalty: the fixed one, NaN: RP_NULL_PENALTIES. */
#define RP_NULL_PENALTIES 2
extern const double rp_null_penalty[RP_NULL_PENALTIES];
rp_status rp_null_new(rp_null **null, const rp_cells *cells, const rp_rows *rows,
                      const bool *tested, size_t draws, double penalty, rp_error *err);
/* The hook of rp_ridge_options: arg is the rp_null. */
rp_status rp_null_outer(void *arg, const rp_ridge_outer *outer, rp_error *err);
/* After the last outer fold: a team's parts become everybody's. */
rp_status rp_null_gather(rp_null *null, rp_error *err);
/* t [draws + 1] <- the statistics of label p, draw 0 the observed: within queries for kind 0
 * (labels rearranged within queries), of query means for kind 1 (whole queries); *upper <- the
 * 97.5 % quantile of the draws. Both stay as they are where p is not tested. */
rp_status rp_null_statistic(double *t, double *upper, const rp_null *null, int kind, size_t p,
                            rp_error *err);
void rp_null_free(rp_null *null);
/* Bytes beside ridge's own, at most. */
double rp_null_memory(size_t rows, size_t width, size_t labels, size_t draws, size_t nouter,
                      int threads);

#endif
