/*
 * The figures of the report. Each function writes one figure into `dir` and draws it (gnuplot.h);
 * it returns the figure's name and number of panels in *drawn, with 0 panels when there is nothing
 * to draw.
 */
#ifndef RP_REPORT_FIGURES_H
#define RP_REPORT_FIGURES_H

#include "report/verdict.h"

typedef struct rp_drawn {
    char name[256];
    size_t panels;
} rp_drawn;

/* Figure 2 of the paper: R2 over layers, small multiples by family, every line labelled at its end,
 * its 95 % interval as a band. */
rp_status rp_figure_layers(rp_drawn *drawn, const char *dir, const rp_results *results, size_t view,
                           size_t protocol, rp_error *err);
/* The same as a heat map, feature x layer. */
rp_status rp_figure_heat(rp_drawn *drawn, const char *dir, const rp_results *results, size_t view,
                         size_t protocol, rp_error *err);
/* Best R2 of each feature as published, under a split by query, and within queries. */
rp_status rp_figure_compare(rp_drawn *drawn, const char *dir, const rp_verdicts *verdicts,
                            size_t view, rp_error *err);
/* Correlation of the labels with each other. */
rp_status rp_figure_labels(rp_drawn *drawn, const char *dir, const rp_results *results,
                           rp_error *err);

#endif
