/*
 * Figures by gnuplot. A figure is three files of the same name that stay: NAME.gp (the script),
 * NAME.tsv (its data) and what they become: NAME.svg, NAME.pdf, NAME.png, and one NAME.N.svg for
 * each panel, which the page shows. `gnuplot NAME.gp` in that folder draws it again, so it can be
 * restyled without us.
 *
 * The one thing to know: strings go into scripts in single quotes (rp_figure_quote), where gnuplot
 * expands nothing.
 */
#ifndef RP_REPORT_GNUPLOT_H
#define RP_REPORT_GNUPLOT_H

#include "base/io.h"

typedef struct rp_figure {
    char name[256];
    char script_path[4096], data_path[4096];
    const char *dir;
    size_t panels;
    rp_out script, data;
} rp_figure;

/* Sizes in pixels of 1/96 inch: of the whole figure, and of a panel on the page. */
typedef struct rp_figure_size {
    unsigned width, height, panel_width, panel_height;
} rp_figure_size;

/* Opens both files and writes the script's head: formats, terminals, the look that all figures
 * share. `kind` and `what` ("" or a view, a protocol) make the name. */
rp_status rp_figure_open(rp_figure *figure, const char *dir, const char *kind, const char *view,
                         const char *protocol, rp_figure_size size, rp_error *err);
/* Before the commands of each panel. */
void rp_figure_panel(rp_figure *figure);
/* Commits both and runs gnuplot on the script. gnuplot missing or failing is RP_EIO. */
rp_status rp_figure_draw(rp_figure *figure, rp_error *err);
void rp_figure_release(rp_figure *figure);

/* Ends a plot command. gnuplot fails where no point at all is defined, so the last thing plotted is
 * a line outside of the frame. */
#define RP_FIGURE_END ", \\\n     -9 with lines notitle\n"

/* A single-quoted gnuplot string. */
void rp_figure_quote(FILE *file, const char *text);
/* The same as the name of a tic, which gnuplot takes for a format. */
void rp_figure_quote_tic(FILE *file, const char *text);
/* A number, or `nan`, which the scripts declare as missing. */
void rp_figure_number(FILE *file, double value);

#endif
