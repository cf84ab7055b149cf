/*
 * The page: one HTML file with everything in it. page.c orders the sections, page_*.c write them.
 */
#ifndef RP_REPORT_PAGE_H
#define RP_REPORT_PAGE_H

#include "report/figures.h"
#include "report/html.h"

/* The figures of a view, by protocol where they have one. */
typedef struct rp_view_figures {
    rp_drawn compare;
    rp_drawn *layers, *heat; /* [protocols] */
} rp_view_figures;

typedef struct rp_page {
    rp_html html;
    const rp_report_options *options;
    const rp_results *results;
    const rp_verdicts *verdicts;
    rp_table *eval;           /* NULL: none */
    rp_view_figures *figures; /* [views] */
    rp_drawn labels;
    char figure_dir[4096];
    size_t sound, published; /* protocols; published is SIZE_MAX when there is none */
    size_t view;             /* the one that the findings speak of: the first with layers */
} rp_page;

/* What the findings count, over features that are neither controls nor the ranker's own output. */
typedef struct rp_findings {
    size_t features, strong_published, strong_sound, surviving, constant;
    const rp_verdict **sound; /* [features] by R2 in the best layer, falling; undefined ones last */
    /* R2 of control.query_id in its best layer: under the sound protocol, and the largest under any
     * other. NaN: no control. */
    double leak_sound, leak_other;
} rp_findings;
rp_status rp_findings_make(rp_findings *findings, const rp_page *page, rp_error *err);
void rp_findings_release(rp_findings *findings);
/* The feature that a verdict is about. */
size_t rp_findings_feature(const rp_page *page, const rp_verdict *verdict);
/* Is it an affine image of a feature before it that was probed too? Lists of a few leave it out. */
bool rp_findings_is_repeated(const rp_page *page, const rp_verdict *verdict);

/* Is it a feature of the text, as opposed to a control or the ranker's score? */
bool rp_feature_is_finding(const char *name);
/* Is the label the same for all documents of a query (eta2 of 1)? */
bool rp_feature_is_constant(const rp_page *page, size_t feature);

void rp_page_put_style(rp_html *html);
void rp_page_put_script(rp_html *html);
void rp_page_put_findings(rp_page *page, const rp_findings *findings);
void rp_page_put_table(rp_page *page, size_t view);
void rp_page_put_figures(rp_page *page, size_t view);
void rp_page_put_labels(rp_page *page);
void rp_page_put_effect(rp_page *page);
void rp_page_put_reading(rp_page *page);
void rp_page_put_provenance(rp_page *page);

/* index.html, whole. */
rp_status rp_page_write(rp_page *page, const rp_findings *findings, rp_error *err);
/* summary.txt: the five strongest and weakest features, and where the page lies. */
rp_status rp_summary_write(const rp_page *page, const rp_findings *findings, rp_error *err);

#endif
