#include <math.h>
#include <string.h>

#include "report/figures.h"
#include "report/gnuplot.h"
#include "report/panel.h"

/* A tile is one colour whose opacity is R2, so that the same figure reads on paper and on a dark
 * page. gnuplot wants 0xAARRGGBB with AA = 255 for invisible. */
static unsigned tile(double value, unsigned rgb)
{
    double shown = value < 0 || isnan(value) ? 0 : value > 1 ? 1 : value;
    return (unsigned)lround(255 * (1 - shown)) << 24 | rgb;
}

static void write_tile(FILE *f, size_t layer, size_t line, const rp_result *row, const char *name)
{
    char text[16] = "";
    double value = row->r2;
    if (isnan(value))
        snprintf(text, sizeof text, "\u2013");
    else if (value < 0.005)
        snprintf(text, sizeof text, value < -0.005 ? "<0" : "0");
    else
        snprintf(text, sizeof text, "%.0f", 100 * value);
    fprintf(f, "%zu\t%zu\t%u\t%s\t%u\t", layer, line, tile(value, rp_palette_sound.light), text,
            value > 0.55   ? rp_palette_on_tile.light
            : value > 0.25 ? 0
                           : rp_palette_muted.light);
    rp_figure_number(f, value);
    fprintf(f, "\t%s\n", name);
}

static size_t write_data(rp_figure *figure, const rp_results *res, const rp_panels *panels,
                         size_t view, size_t protocol)
{
    FILE *f = figure->data.file;
    size_t line = 0;
    fputs("# layer\tline\targb\ttext\ttext_rgb\tr2\tfeature\n", f);
    for (size_t i = 0; i < panels->n; i++)
        for (size_t k = 0; k < panels->panel[i].n; k++, line++) {
            size_t feature = panels->panel[i].feature[k];
            const rp_result *rows;
            size_t n = rp_results_series(res, &rows, feature, view, protocol);
            for (size_t l = 0; l < n; l++)
                write_tile(f, rows[l].layer, line, &rows[l], res->features.name[feature]);
        }
    return line;
}

static void write_names(FILE *f, const rp_results *res, const rp_panels *panels)
{
    const char *separator = "set ytics scale 0 (";
    size_t line = 0;
    for (size_t i = 0; i < panels->n; i++)
        for (size_t k = 0; k < panels->panel[i].n; k++, line++) {
            fputs(separator, f);
            rp_figure_quote_tic(f, res->features.name[panels->panel[i].feature[k]]);
            fprintf(f, " %zu", line);
            separator = ", \\\n  ";
        }
    fprintf(f, ")\nset yrange [%zu.5:-0.5]\n", line - 1);
}

rp_status rp_figure_heat(rp_drawn *drawn, const char *dir, const rp_results *res, size_t view,
                         size_t protocol, rp_error *err)
{
    rp_panels panels;
    rp_figure figure;
    size_t lines = 0, layers = res->layers + 1;
    *drawn = (rp_drawn){0};
    rp_status status = rp_panels_make(&panels, res, view, protocol, err);
    for (size_t i = 0; i < panels.n; i++) lines += panels.panel[i].n;
    if (status || !lines) goto done;
    unsigned width = 190 + (unsigned)(layers <= 16  ? layers * 30
                                      : layers < 80 ? layers * 15
                                                    : 1200);
    rp_figure_size size = {width, (unsigned)lines * 17 + 60, width, (unsigned)lines * 17 + 60};
    status = rp_figure_open(&figure, dir, "heat", res->views.name[view],
                            res->protocols.name[protocol], size, err);
    if (status) goto done;
    write_data(&figure, res, &panels, view, protocol);
    rp_figure_panel(&figure);
    FILE *f = figure.script.file;
    write_names(f, res, &panels);
    fprintf(
        f,
        "set lmargin 25\nset rmargin 2\nset tmargin 1\nset bmargin 3\nunset grid\nset border 0\n"
        "set xrange [-0.5:%zu.5]\nset xtics scale 0 %d\nset xtics add ('emb' 0)\n"
        "set xlabel 'layer' offset 0,0.6 textcolor rgb '#%06x'\nset style fill solid 1 noborder\n",
        layers - 1, layers <= 16 ? 1 : 4, rp_palette_muted.light);
    fprintf(f,
            "plot '%s.tsv' using 1:2:($1-0.48):($1+0.48):($2-0.46):($2+0.46):3 with boxxyerror "
            "linecolor rgb variable fillstyle solid 1 noborder notitle",
            figure.name);
    if (layers <= 16)
        fprintf(
            f, ", \\\n     '' using 1:2:4:5 with labels textcolor rgb variable font ',10' notitle");
    fputc('\n', f);
    status = rp_figure_draw(&figure, err);
    memcpy(drawn->name, figure.name, sizeof drawn->name);
    drawn->panels = 1;
    rp_figure_release(&figure);
done:
    rp_panels_release(&panels);
    return status;
}
