/*
 * What is probed: the rows (pairs) of a store with their queries, and the labels of those rows, one
 * y a feature. A label's missing values are NaN; its probe simply has fewer rows.
 */
#ifndef RP_PROBE_ROWS_H
#define RP_PROBE_ROWS_H

#include "base/error.h"

/* Where x comes from. In the product a store; in tests an array. read() decodes rows that are asked
 * for and is called by several threads at a time. */
typedef struct rp_source {
    size_t n;                /* rows */
    const rp_store_row *row; /* [n] */
    size_t nviews;
    const rp_store_view *view; /* [nviews] */
    void *arg;
    /* x [m, width] <- the rows row[m] */
    rp_status (*read)(void *arg, float *x, size_t view, size_t layer, const size_t *row, size_t m,
                      rp_error *err);
    void (*forget)(void *arg, size_t view,
                   size_t layer); /* it is no longer wanted; NULL: nothing */
} rp_source;

typedef struct rp_rows {
    size_t n, nqueries;
    const rp_store_row *row; /* [n], the source's */
    size_t *query;           /* [n] query of a row */
    const char **qid;        /* [nqueries] in order of first appearance, the source's strings */
    size_t *count;           /* [nqueries] rows of a query */
    int *outer, *inner;      /* [nqueries] folds (split.h) */
    uint64_t *key;           /* [n] random key of a pair (split.h) */
    uint64_t seed;
} rp_rows;
rp_status rp_rows_init(rp_rows *rows, const rp_source *source, uint64_t seed, rp_error *err);
/* Fills outer and inner. */
rp_status rp_rows_split(rp_rows *rows, size_t folds, size_t inner, rp_error *err);
void rp_rows_release(rp_rows *rows);

/* Some of the rows, query by query, in their order within one; queries without any are left out. */
typedef struct rp_by_query {
    size_t n, queries;
    size_t *at, *first, *query; /* [n] into row, [queries + 1], [queries] of rp_rows */
} rp_by_query;
/* Of row[n] (NULL: row i is i) those with use[n] (NULL: all). */
rp_status rp_by_query_init(rp_by_query *v, const rp_rows *rows, const size_t *row, size_t n,
                           const bool *use, rp_error *err);
void rp_by_query_release(rp_by_query *v);
/* The share of the variance of y[v->at[.]] that is between queries; NaN where there is none. *mean
 * and *sd (may be NULL) <- of the same values. */
double rp_by_query_spread(const rp_by_query *v, const double *y, double *mean, double *sd);

typedef struct rp_labels {
    size_t n, rows;
    char **name; /* [n] */
    double **y;  /* [n][rows] */
} rp_labels;
/* The columns of features.tsv that `select` names, joined with the rows on (qid, docid); then
 * `ranker.score` (the rows' own scores) when they are finite and selected; then the controls:
 * `control.query_id`, a random normal a query, `control.pair`, one a pair, and `control.token`, the
 * rows' token controls, when all have one. A row without features is RP_EFORMAT; features of other
 * pairs are ignored with a warning; an empty, "nan" or (for `grade`) negative cell is a missing
 * value. */
rp_status rp_labels_load(rp_labels *labels, const rp_rows *rows, const char *path,
                         const char *select, bool controls, const rp_host *host, rp_error *err);
void rp_labels_release(rp_labels *labels);
bool rp_label_is_control(const char *name); /* control.*: a yardstick, no finding */

/* Draws evenly from a label's range: keep[rows] <- which rows (among those with a finite y[rows])
 * are kept. Bins of equal width between the 1st and the 99th percentile, values beyond in the
 * outermost; one bin a value when there are fewer than 10 of them (or fewer than `bins`). From each
 * bin the same number, the smallest bin's count or as many more as it takes to keep `least` rows
 * (then bins that have fewer give all). Which rows: those with the smallest hash of (seed, pair).
 * *nbins, available and kept [max(bins, 10)] (may be NULL) report. */
rp_status rp_balance(bool *keep, size_t *nbins, size_t *available, size_t *kept, const double *y,
                     const rp_rows *rows, size_t bins, size_t least, rp_error *err);
#define RP_BALANCE_BINS 100 /* most bins */

#endif
