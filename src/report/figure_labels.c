#include <math.h>
#include <string.h>

#include "base/number.h"
#include "report/figures.h"
#include "report/gnuplot.h"
#include "report/palette.h"

/* Column of the correlation with row i's label, SIZE_MAX when the report has none. */
static size_t correlation_column(const rp_table *labels, size_t i)
{
    char name[512];
    size_t label = rp_table_find(labels, "label");
    snprintf(name, sizeof name, "r.%s", rp_table_cell(labels, i, label));
    return rp_table_find(labels, name);
}

/* Blue for labels that rise together, red for those that part; opacity is |r|. */
static void write_data(FILE *f, const rp_table *labels, size_t n)
{
    size_t label = rp_table_find(labels, "label");
    fputs("# column\tline\targb\tr\tlabel\twith\n", f);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++) {
            size_t column = correlation_column(labels, k);
            double r;
            if (column == SIZE_MAX || !rp_number_double(rp_table_cell(labels, i, column), &r) ||
                isnan(r))
                continue;
            double shown = fabs(r) > 1 ? 1 : fabs(r);
            unsigned rgb = r < 0 ? rp_palette_series[1].light : rp_palette_sound.light;
            fprintf(f, "%zu\t%zu\t%u\t%.4f\t%s\t%s\n", k, i,
                    (unsigned)lround(255 * (1 - shown)) << 24 | rgb, r,
                    rp_table_cell(labels, i, label), rp_table_cell(labels, k, label));
        }
}

static void write_names(FILE *f, const rp_table *labels, size_t n, char axis)
{
    size_t label = rp_table_find(labels, "label");
    fprintf(f, "set %ctics scale 0 %s(", axis, axis == 'x' ? "rotate by 90 right " : "");
    for (size_t i = 0; i < n; i++) {
        if (i) fputs(", \\\n  ", f);
        rp_figure_quote_tic(f, rp_table_cell(labels, i, label));
        fprintf(f, " %zu", i);
    }
    fputs(")\n", f);
}

rp_status rp_figure_labels(rp_drawn *drawn, const char *dir, const rp_results *res, rp_error *err)
{
    const rp_table *labels = res->labels;
    rp_figure figure;
    size_t n = labels ? rp_table_rows(labels) : 0, known = 0;
    *drawn = (rp_drawn){0};
    for (size_t i = 0; i < n; i++) known += correlation_column(labels, i) != SIZE_MAX;
    if (known < 2) return RP_OK;
    unsigned side = (unsigned)n * 14 + 190;
    rp_figure_size size = {side, side, side, side};
    rp_status status = rp_figure_open(&figure, dir, "labels", "", "", size, err);
    if (status) return status;
    write_data(figure.data.file, labels, n);
    rp_figure_panel(&figure);
    FILE *f = figure.script.file;
    write_names(f, labels, n, 'x');
    write_names(f, labels, n, 'y');
    fprintf(f,
            "set xrange [-0.5:%zu.5]\nset yrange [%zu.5:-0.5]\nset lmargin 25\nset rmargin 1\n"
            "set tmargin 1\nset bmargin 12\nunset grid\nset border 0\nset tics font ',10'\n"
            "plot '%s.tsv' using 1:2:($1-0.46):($1+0.46):($2-0.46):($2+0.46):3 with boxxyerror "
            "linecolor rgb variable fillstyle solid 1 noborder notitle" RP_FIGURE_END,
            n - 1, n - 1, figure.name);
    status = rp_figure_draw(&figure, err);
    memcpy(drawn->name, figure.name, sizeof drawn->name);
    drawn->panels = 1;
    rp_figure_release(&figure);
    return status;
}
