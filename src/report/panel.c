#include "report/panel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

const char *rp_feature_short(const char *name)
{
    const char *dot = strchr(name, '.');
    if (!strncmp(name, "group.z.", 8)) dot = name + 7;
    return dot && dot[1] ? dot + 1 : name;
}

static bool ends(const char *text, const char *with)
{
    size_t n = strlen(text), m = strlen(with);
    return n >= m && !strcmp(text + n - m, with);
}

static const char *family(const char *name)
{
    static const struct {
        const char *suffix, *title;
    } known[] = {
        {"_tf", "term frequency"}, {"_tfl", "term frequency / length"}, {"_tfidf", "tf\u00b7idf"}};
    if (!strncmp(name, "mslr.", 5) || !strncmp(name, "paper.", 6)) {
        for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
            if (ends(name, known[i].suffix)) return known[i].title;
        return "coverage, length, bm25";
    }
    if (!strncmp(name, "sim.", 4)) return "similarity";
    if (!strncmp(name, "ranker.", 7)) return "its own output";
    if (rp_feature_is_control(name)) return "random numbers";
    if (!strcmp(name, "score") || !strcmp(name, "grade")) return "first stage, judgement";
    if (!strncmp(name, "group.", 6)) return strncmp(name, "group.z.", 8) ? "raw" : "standardised";
    return "";
}

static void make_title(char *title, size_t cap, const char *name)
{
    const char *dot = strchr(name, '.'), *kin = family(name);
    int space = dot ? (int)(dot - name) : 0;
    if (space > 40) space = 40;
    if (dot)
        snprintf(title, cap, *kin ? "%.*s: %s" : "%.*s", space, name, kin);
    else
        snprintf(title, cap, "%s", *kin ? kin : "derived");
}

static rp_status place(rp_panels *panels, size_t feature, const char *name, rp_error *err)
{
    char title[96];
    make_title(title, sizeof title, name);
    for (size_t i = 0; i < panels->n; i++) {
        rp_panel *panel = &panels->panel[i];
        if (panel->n < RP_PANEL_LINES && !strcmp(panel->title, title)) {
            panel->feature[panel->n++] = feature;
            return RP_OK;
        }
    }
    rp_status status =
        rp_grow(&panels->panel, &panels->cap, panels->n + 1, sizeof *panels->panel, err);
    if (status) return status;
    rp_panel *panel = &panels->panel[panels->n++];
    *panel = (rp_panel){.feature = {feature}, .n = 1};
    snprintf(panel->title, sizeof panel->title, "%s", title);
    return RP_OK;
}

rp_status rp_panels_make(rp_panels *panels, const rp_results *res, size_t view, size_t protocol,
                         rp_error *err)
{
    *panels = (rp_panels){0};
    for (int controls = 0; controls < 2; controls++)
        for (size_t f = 0; f < res->features.n; f++) {
            const rp_result *rows;
            const char *name = res->features.name[f];
            if (rp_feature_is_control(name) != (controls == 1)) continue;
            if (!rp_results_series(res, &rows, f, view, protocol)) continue;
            rp_status status = place(panels, f, name, err);
            if (status) {
                rp_panels_release(panels);
                return status;
            }
        }
    return RP_OK;
}

void rp_panels_release(rp_panels *panels)
{
    free(panels->panel);
    *panels = (rp_panels){0};
}
