#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/figures.h"
#include "report/gnuplot.h"
#include "report/panel.h"

enum { PANEL_WIDTH = 430, PANEL_HEIGHT = 270 };
#define FLOOR (-0.3)    /* an R2 below leaves the frame: how bad a useless probe is says nothing */
#define LABEL_STEP 15.0 /* pixels between two labels at the lines' ends */

typedef struct canvas {
    const rp_results *res;
    size_t view, protocol;
    double low;         /* of the axis, the same in every panel */
    size_t first, last; /* layers */
    rp_figure figure;
    size_t blocks; /* data blocks written so far */
} canvas;

/* The common axes: down to the lowest value that still is in the frame. */
static void measure(canvas *c, const rp_panels *panels)
{
    c->low = 0;
    c->first = SIZE_MAX;
    for (size_t i = 0; i < panels->n; i++)
        for (size_t k = 0; k < panels->panel[i].n; k++) {
            const rp_result *rows;
            size_t feature = panels->panel[i].feature[k];
            size_t n = rp_results_series(c->res, &rows, feature, c->view, c->protocol);
            for (size_t l = 0; l < n; l++) {
                if (rows[l].r2 < c->low) c->low = rows[l].r2;
                if (rows[l].layer < c->first) c->first = rows[l].layer;
                if (rows[l].layer > c->last) c->last = rows[l].layer;
            }
        }
    c->low = c->low < FLOOR ? FLOOR : floor(c->low * 10) / 10;
    if (c->low > -0.05) c->low = -0.05;
}

typedef struct end_label {
    double y;
    size_t line;
} end_label;

static int by_height(const void *a, const void *b)
{
    const end_label *x = a, *y = b;
    if (x->y != y->y) return x->y < y->y ? -1 : 1;
    return x->line < y->line ? -1 : 1;
}

/* Where each line's label stands: at its end, moved apart so that none covers another. */
static void spread(end_label *labels, size_t n, double low, double high, double step)
{
    qsort(labels, n, sizeof *labels, by_height);
    for (size_t i = 0; i < n; i++) {
        double least = i ? labels[i - 1].y + step : low;
        if (labels[i].y < least) labels[i].y = least;
    }
    for (size_t i = n; i-- > 0;) {
        double most = i + 1 < n ? labels[i + 1].y - step : high;
        if (labels[i].y > most) labels[i].y = most;
    }
}

static void write_series(canvas *c, size_t feature)
{
    FILE *f = c->figure.data.file;
    const rp_result *rows;
    size_t n = rp_results_series(c->res, &rows, feature, c->view, c->protocol);
    if (c->blocks++) fputs("\n\n", f);
    fprintf(f, "# %s\n# layer\tr2\tr2_lo\tr2_hi\n", c->res->features.name[feature]);
    for (size_t i = 0; i < n; i++) {
        const double numbers[] = {rows[i].r2, rows[i].r2_lo, rows[i].r2_hi};
        fprintf(f, "%zu", rows[i].layer);
        for (size_t k = 0; k < 3; k++) {
            fputc('\t', f);
            rp_figure_number(f, numbers[k]);
        }
        fputc('\n', f);
    }
}

/* Where the line ends: its last defined value, moved into the frame; NaN for none. */
static double end_of(const canvas *c, size_t feature)
{
    const rp_result *rows;
    size_t n = rp_results_series(c->res, &rows, feature, c->view, c->protocol);
    while (n-- > 0)
        if (!isnan(rows[n].r2)) return rows[n].r2 < c->low ? c->low : rows[n].r2;
    return NAN;
}

static void write_labels(canvas *c, const rp_panel *panel)
{
    FILE *f = c->figure.script.file;
    end_label labels[RP_PANEL_LINES];
    double pixel = (1.02 - c->low) / (PANEL_HEIGHT - 75); /* of the plot's inner height */
    size_t widest = 7;
    for (size_t k = 0; k < panel->n; k++) {
        size_t letters = strlen(rp_feature_short(c->res->features.name[panel->feature[k]]));
        double end = end_of(c, panel->feature[k]);
        if (isnan(end)) letters += strlen(": undefined");
        if (letters > widest) widest = letters;
        labels[k] = (end_label){isnan(end) ? c->low : end, k};
    }
    spread(labels, panel->n, c->low, 1, LABEL_STEP * pixel);
    /* in letters of average width, and 2 for the gap of 3 % before them */
    fprintf(f, "set rmargin %zu\n", (widest > 24 ? 24 : widest) + 2);
    for (size_t k = 0; k < panel->n; k++) {
        size_t line = labels[k].line, feature = panel->feature[line];
        char text[256];
        snprintf(text, sizeof text, isnan(end_of(c, feature)) ? "%s: undefined" : "%s",
                 rp_feature_short(c->res->features.name[feature]));
        fprintf(f, "set label %zu ", k + 2);
        rp_figure_quote(f, text);
        fprintf(f, " at graph 1.03, first %.4f left textcolor rgb '#%06x'\n", labels[k].y,
                rp_palette_series[line].light);
    }
}

static void write_plot(canvas *c, const rp_panel *panel, size_t block)
{
    FILE *f = c->figure.script.file;
    static const int points[RP_PANEL_LINES] = {7, 5, 9, 13, 11, 15, 6};
    const char *separator = "plot ";
    for (size_t k = 0; k < panel->n; k++, separator = ", \\\n     ") {
        fprintf(f,
                "%s'%s.tsv' index %zu using 1:3:4 with filledcurves linecolor rgb '#%06x' notitle",
                separator, c->figure.name, block + k, rp_palette_series[k].light);
        separator = ", \\\n     ";
    }
    for (size_t k = 0; k < panel->n; k++)
        fprintf(
            f,
            "%s'%s.tsv' index %zu using 1:2 with linespoints linecolor rgb '#%06x' linewidth 1.8 "
            "pointtype %d pointsize 0.45 notitle",
            separator, c->figure.name, block + k, rp_palette_series[k].light, points[k]);
    fputs(RP_FIGURE_END, f);
}

static void write_panel(canvas *c, const rp_panel *panel)
{
    FILE *f = c->figure.script.file;
    size_t block = c->blocks;
    for (size_t k = 0; k < panel->n; k++) write_series(c, panel->feature[k]);
    rp_figure_panel(&c->figure);
    fputs("unset label\nset label 1 ", f);
    rp_figure_quote(f, panel->title);
    fprintf(f, " at graph 0, graph 1.1 left textcolor rgb '#%06x'\n", rp_palette_muted.light);
    write_labels(c, panel);
    write_plot(c, panel, block);
}

static void write_axes(canvas *c, size_t panels)
{
    FILE *f = c->figure.script.file;
    size_t span = c->last - c->first, step = span <= 8 ? 1 : span <= 16 ? 2 : span <= 32 ? 4 : 8;
    fprintf(f, "set lmargin 6\nset tmargin 2\nset bmargin 3\n");
    if (span)
        fprintf(f, "set xrange [%zu:%zu]\n", c->first, c->last);
    else
        fprintf(f, "set xrange [%g:%g]\n", (double)c->first - 1, (double)c->first + 1);
    fprintf(f, "set yrange [%.2f:1.02]\nset xtics %zu\nset ytics 0.25 format '%%.2f'\n", c->low,
            step);
    if (c->first == 0) fprintf(f, "set xtics add ('emb' 0)\n");
    fprintf(f, "set xlabel 'layer' offset 0,0.6 textcolor rgb '#%06x'\n", rp_palette_muted.light);
    for (int i = 0; i < 2; i++)
        fprintf(f,
                "set arrow %d from graph 0, first %.2f to graph 1, first %.2f nohead dashtype 3 "
                "linewidth 1 "
                "linecolor rgb '#%06x' back\n",
                i + 1, i ? RP_VERDICT_ABSENT : RP_VERDICT_STRONG,
                i ? RP_VERDICT_ABSENT : RP_VERDICT_STRONG, rp_palette_muted.light);
    size_t columns = panels < 3 ? panels : 3;
    fprintf(f, "if (format ne 'page') { set multiplot layout %zu,%zu }\n",
            (panels + columns - 1) / columns, columns);
}

static rp_status draw(canvas *c, const char *dir, const rp_panels *panels, rp_error *err)
{
    unsigned columns = panels->n < 3 ? (unsigned)panels->n : 3;
    unsigned lines = (unsigned)((panels->n + columns - 1) / columns);
    rp_figure_size size = {PANEL_WIDTH * columns, PANEL_HEIGHT * lines, PANEL_WIDTH, PANEL_HEIGHT};
    rp_status status = rp_figure_open(&c->figure, dir, "layers", c->res->views.name[c->view],
                                      c->res->protocols.name[c->protocol], size, err);
    if (status) return status;
    write_axes(c, panels->n);
    for (size_t i = 0; i < panels->n; i++) write_panel(c, &panels->panel[i]);
    fputs("if (format ne 'page') { unset multiplot }\n", c->figure.script.file);
    status = rp_figure_draw(&c->figure, err);
    rp_figure_release(&c->figure);
    return status;
}

rp_status rp_figure_layers(rp_drawn *drawn, const char *dir, const rp_results *res, size_t view,
                           size_t protocol, rp_error *err)
{
    canvas c = {.res = res, .view = view, .protocol = protocol};
    rp_panels panels;
    *drawn = (rp_drawn){0};
    rp_status status = rp_panels_make(&panels, res, view, protocol, err);
    if (!status && panels.n) {
        measure(&c, &panels);
        status = draw(&c, dir, &panels, err);
        memcpy(drawn->name, c.figure.name, sizeof drawn->name);
        drawn->panels = c.figure.panels;
    }
    rp_panels_release(&panels);
    return status;
}
