/*
 * What `probe` and `features` found, in memory: the rows of probes.tsv as series over layers, and
 * the label report. Feature names come from files and may be anything.
 */
#ifndef RP_REPORT_RESULTS_H
#define RP_REPORT_RESULTS_H

#include "base/table.h"

/* One row of probes.tsv. Numbers are NaN where the file says so. */
typedef struct rp_result {
    size_t feature, view, protocol; /* indices into the names of rp_results */
    size_t layer;
    double n, queries, width;
    double r2, r2_lo, r2_hi;
    double within, within_lo, within_hi, between, tau, eta2;
    double null_within, p_maxt; /* permutations within queries: 97.5 % quantile, max-T p value */
    const char *method, *status;
} rp_result;

typedef struct rp_names {
    const char **name; /* [n] in order of first appearance; they live in the table */
    size_t n, cap;
} rp_names;

typedef struct rp_results {
    rp_table *probes, *labels; /* labels may be NULL */
    rp_names features, views, protocols;
    rp_result *row; /* [rows] sorted by feature, view, protocol, layer */
    size_t rows;
    size_t *series; /* [features * views * protocols + 1] offsets into row */
    bool tested;    /* the table has p values of permutations */
    size_t layers;  /* largest layer of any view that is not a baseline */
} rp_results;

/* A second row for the same feature, view, protocol and layer is RP_EFORMAT. */
rp_status rp_results_read(rp_results *results, const char *probes, const char *labels,
                          rp_error *err);
void rp_results_release(rp_results *results);

/* Rows of one series, by layer; their number is returned (0: none). */
size_t rp_results_series(const rp_results *results, const rp_result **rows, size_t feature,
                         size_t view, size_t protocol);
/* The row of a layer, or NULL. */
const rp_result *rp_results_at(const rp_results *results, size_t feature, size_t view,
                               size_t protocol, size_t layer);
size_t rp_names_find(const rp_names *names, const char *name); /* SIZE_MAX: none */

bool rp_feature_is_control(const char *name); /* control.* : not a finding but a yardstick */
bool rp_view_is_baseline(const char *name);   /* baseline.* : a probe without the model */

/* The row of a label in the label report, SIZE_MAX: none. */
size_t rp_results_label(const rp_results *results, const char *feature);
/* Its cell as text, "" when there is no such column or label. */
const char *rp_results_label_text(const rp_results *results, const char *feature,
                                  const char *column);
/* eta2 of a feature: the label report's, else the probes'. NaN: unknown. */
double rp_results_eta2(const rp_results *results, size_t feature);

#endif
