#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "report/figures.h"
#include "report/gnuplot.h"
#include "report/palette.h"

#define FLOOR (-0.15) /* what is below stands at the edge of the frame */

typedef struct line {
    const char *name;
    const rp_verdict *published, *sound; /* published may be NULL */
    double order;
} line;

static double best_r2(const rp_verdict *verdict)
{
    return verdict && verdict->best ? verdict->best->r2 : NAN;
}

/* Falling; features without a number last; then by name. */
static int by_order(const void *a, const void *b)
{
    const line *x = a, *y = b;
    if (isnan(x->order) != isnan(y->order)) return isnan(x->order) ? 1 : -1;
    if (x->order > y->order) return -1;
    if (x->order < y->order) return 1;
    return strcmp(x->name, y->name);
}

static size_t collect(line *lines, const rp_verdicts *verdicts, size_t view)
{
    const rp_results *res = verdicts->results;
    size_t sound = rp_results_sound(res), published = rp_results_published(res), n = 0;
    for (size_t f = 0; f < res->features.n; f++) {
        line l = {.name = res->features.name[f], .sound = rp_verdicts_at(verdicts, f, view, sound)};
        if (published != SIZE_MAX && published != sound)
            l.published = rp_verdicts_at(verdicts, f, view, published);
        if (!l.sound->last && !(l.published && l.published->last)) continue;
        l.order = l.published ? best_r2(l.published) : best_r2(l.sound);
        lines[n++] = l;
    }
    qsort(lines, n, sizeof *lines, by_order);
    return n;
}

static double framed(double value)
{
    return value < FLOOR ? FLOOR : value;
}

static void write_data(FILE *f, const line *lines, size_t n)
{
    fputs("# line\tpublished\tsound\twithin\twithin_lo\twithin_hi\tsurviving\tfeature\n", f);
    for (size_t i = 0; i < n; i++) {
        const rp_result *best = lines[i].sound->best;
        const double numbers[] = {framed(best_r2(lines[i].published)),
                                  framed(best_r2(lines[i].sound)),
                                  framed(best ? best->within : NAN),
                                  framed(best ? best->within_lo : NAN),
                                  framed(best ? best->within_hi : NAN),
                                  lines[i].sound->survives ? framed(best->within) : NAN};
        fprintf(f, "%zu", i);
        for (size_t k = 0; k < sizeof numbers / sizeof numbers[0]; k++) {
            fputc('\t', f);
            rp_figure_number(f, numbers[k]);
        }
        fprintf(f, "\t%s\n", lines[i].name);
    }
}

static void write_axes(FILE *f, const line *lines, size_t n)
{
    const char *separator = "set ytics scale 0 (";
    for (size_t i = 0; i < n; i++) {
        fputs(separator, f);
        rp_figure_quote_tic(f, lines[i].name);
        fprintf(f, " %zu", i);
        separator = ", \\\n  ";
    }
    fprintf(
        f,
        ")\nset yrange [%zu.6:-0.6]\nset xrange [%.2f:1.02]\nset xtics 0.25\nset mxtics 1\n"
        "set lmargin 25\nset rmargin 2\nset tmargin 1\nset bmargin 3\nset border 0\n"
        "set grid xtics ytics linetype 1 linewidth 0.5 linecolor rgb '#%06x'\n"
        "set xlabel 'R²' offset 0,0.5 textcolor rgb '#%06x'\n"
        "set arrow 1 from 0, graph 0 to 0, graph 1 nohead linewidth 1 linecolor rgb '#%06x' back\n",
        n - 1, FLOOR - 0.02, rp_palette_grid.light, rp_palette_muted.light, rp_palette_muted.light);
}

static void put_title(FILE *f, const char *title)
{
    fputs(" title ", f);
    rp_figure_quote(f, title);
}

/* The page has a key of its own. Below on the right the weakest features leave room. */
static void write_key(FILE *f)
{
    fprintf(
        f,
        "if (format ne 'page') { set key inside right bottom Left reverse samplen 1 spacing 1.2 "
        "opaque textcolor rgb '#%06x' }\n",
        rp_palette_muted.light);
}

static void write_plot(FILE *f, const char *name, const char *published, const char *sound)
{
    const char *separator = "plot ";
    if (published) {
        fprintf(
            f,
            "plot '%s.tsv' using 3:1:($2-$3):(0) with vectors nohead linewidth 2 linecolor rgb "
            "'#%06x' notitle, \\\n     '%s.tsv' using 2:1 with points pointtype 7 pointsize 0.75 "
            "linecolor rgb '#%06x'",
            name, rp_palette_grid.light, name, rp_palette_published.light);
        put_title(f, published);
        separator = ", \\\n     ";
    }
    fprintf(f, "%s'%s.tsv' using 3:1 with points pointtype 7 pointsize 0.75 linecolor rgb '#%06x'",
            separator, name, rp_palette_sound.light);
    put_title(f, sound);
    fprintf(
        f,
        ", \\\n     '%s.tsv' using 5:1:($6-$5):(0) with vectors nohead linewidth 1.2 linecolor rgb "
        "'#%06x' notitle, \\\n     '%s.tsv' using 4:1 with points pointtype 12 pointsize 0.65 "
        "linecolor rgb '#%06x' title 'within queries', \\\n     '%s.tsv' using 7:1 with points "
        "pointtype 13 pointsize 0.8 linecolor rgb '#%06x' title 'the same, survives'" RP_FIGURE_END,
        name, rp_palette_within.light, name, rp_palette_within.light, name,
        rp_palette_within.light);
}

rp_status rp_figure_compare(rp_drawn *drawn, const char *dir, const rp_verdicts *verdicts,
                            size_t view, rp_error *err)
{
    const rp_results *res = verdicts->results;
    rp_figure figure;
    *drawn = (rp_drawn){0};
    line *lines = rp_alloc(res->features.n, sizeof *lines);
    if (!lines) return rp_fail_memory(err, res->features.n * sizeof *lines);
    rp_status status = RP_OK;
    size_t n = collect(lines, verdicts, view);
    if (!n) goto done;
    rp_figure_size size = {640, (unsigned)n * 18 + 60, 640, (unsigned)n * 18 + 60};
    status = rp_figure_open(&figure, dir, "compare", res->views.name[view], "", size, err);
    if (status) goto done;
    write_data(figure.data.file, lines, n);
    rp_figure_panel(&figure);
    write_axes(figure.script.file, lines, n);
    write_key(figure.script.file);
    size_t published = rp_results_published(res);
    write_plot(figure.script.file, figure.name,
               lines[0].published ? res->protocols.name[published] : NULL,
               res->protocols.name[rp_results_sound(res)]);
    status = rp_figure_draw(&figure, err);
    memcpy(drawn->name, figure.name, sizeof drawn->name);
    drawn->panels = 1;
    rp_figure_release(&figure);
done:
    free(lines);
    return status;
}
