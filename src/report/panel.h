/* Which features share a panel of small multiples: families, at most RP_PANEL_LINES lines each. */
#ifndef RP_REPORT_PANEL_H
#define RP_REPORT_PANEL_H

#include "report/palette.h"
#include "report/results.h"

#define RP_PANEL_LINES RP_SERIES_COLOURS

typedef struct rp_panel {
    char title[96];
    size_t feature[RP_PANEL_LINES];
    size_t n;
} rp_panel;

typedef struct rp_panels {
    rp_panel *panel; /* [n] in order of the features' first appearance */
    size_t n, cap;
} rp_panels;

/* Every feature that has a series in the view under the protocol; controls are in a panel of their
 * own, the last. */
rp_status rp_panels_make(rp_panels *panels, const rp_results *results, size_t view, size_t protocol,
                         rp_error *err);
void rp_panels_release(rp_panels *panels);

/* "mslr.mean_tf" -> "mean_tf": what is left where the panel's title names the rest. */
const char *rp_feature_short(const char *name);

#endif
