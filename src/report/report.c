/* rp_report: tables, figures, page. The page is written last, over figures that are complete. */
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/memory.h"
#include "report/page.h"

void rp_report_options_init(rp_report_options *o)
{
    *o = (rp_report_options){.title = "What the ranker knows"};
}

static void release_figures(rp_view_figures *figures, size_t views)
{
    for (size_t v = 0; figures && v < views; v++) {
        free(figures[v].layers);
        free(figures[v].heat);
    }
    free(figures);
}

/* The first view with layers; a file of nothing but baselines still has a first view. */
static size_t main_view(const rp_results *res)
{
    for (size_t v = 0; v < res->views.n; v++)
        if (!rp_view_is_baseline(res->views.name[v])) return v;
    return 0;
}

static rp_status draw_view(rp_page *page, size_t view, const rp_host *host, size_t *done,
                           size_t total, rp_error *err)
{
    const rp_results *res = page->results;
    const char *dir = page->figure_dir;
    rp_view_figures *figures = &page->figures[view];
    size_t bytes = res->protocols.n * sizeof *figures->layers;
    figures->layers = rp_alloc(res->protocols.n, sizeof *figures->layers);
    figures->heat = rp_alloc(res->protocols.n, sizeof *figures->heat);
    if (!figures->layers || !figures->heat) return rp_fail_memory(err, bytes);
    if (rp_view_is_baseline(res->views.name[view]) && view != page->view) return RP_OK;
    rp_status status = rp_figure_compare(&figures->compare, dir, page->verdicts, view, err);
    for (size_t p = 0; !status && p < res->protocols.n; p++) {
        status = rp_host_progress(host, "figures", (*done)++, total, err);
        if (!status) status = rp_figure_layers(&figures->layers[p], dir, res, view, p, err);
        if (!status) status = rp_figure_heat(&figures->heat[p], dir, res, view, p, err);
    }
    return status;
}

static rp_status draw(rp_page *page, const rp_host *host, rp_error *err)
{
    const rp_results *res = page->results;
    size_t done = 0, total = res->views.n * res->protocols.n;
    rp_status status = rp_path_join(page->figure_dir, sizeof page->figure_dir,
                                    page->options->output, "figures", err);
    if (!status) status = rp_path_make_dirs(page->figure_dir, err);
    if (!status && !(page->figures = rp_alloc(res->views.n, sizeof *page->figures)))
        status = rp_fail_memory(err, res->views.n * sizeof *page->figures);
    for (size_t v = 0; !status && v < res->views.n; v++)
        status = draw_view(page, v, host, &done, total, err);
    if (!status) status = rp_figure_labels(&page->labels, page->figure_dir, res, err);
    /* Ctrl-C reaches gnuplot too; that it died of it is not what went wrong. */
    if (status == RP_EIO && rp_host_progress(host, "figures", done, total, err))
        status = RP_ECANCEL;
    return status;
}

static rp_status write_tables(const rp_page *page, const rp_host *host, rp_error *err)
{
    char path[4096];
    const char *inputs[] = {page->options->probes, page->options->labels};
    rp_status status = rp_path_make_dirs(page->options->output, err);
    if (!status)
        status = rp_path_join(path, sizeof path, page->options->output, "verdicts.tsv", err);
    if (!status) status = rp_verdicts_write(page->verdicts, path, host, inputs, 2, err);
    return status;
}

/* Any TSV would make a table of the page; this one is to be a table of eval. */
static rp_status read_eval(rp_table **table, const char *path, rp_error *err)
{
    size_t column;
    rp_status status = rp_table_read(table, path, err);
    return status ? status : rp_table_require(*table, "run", &column, err);
}

rp_status rp_report(const rp_report_options *o, const rp_host *host, rp_error *err)
{
    if (!o->probes) return rp_fail(err, RP_EARG, "report: no probes.tsv given");
    if (!o->output || !strcmp(o->output, "-"))
        return rp_fail(err, RP_EARG, "report: no output directory given");
    rp_results results;
    rp_verdicts verdicts = {0};
    rp_findings findings = {0};
    rp_page page = {.options = o, .results = &results, .verdicts = &verdicts};
    rp_status status = rp_results_read(&results, o->probes, o->labels, err);
    if (status) return status;
    page.sound = rp_results_sound(&results);
    page.published = rp_results_published(&results);
    if (page.published == page.sound) page.published = SIZE_MAX; /* nothing to set beside it */
    page.view = main_view(&results);
    if ((status = rp_verdicts_make(&verdicts, &results, err))) goto done;
    if (o->eval && (status = read_eval(&page.eval, o->eval, err))) goto done;
    if ((status = rp_findings_make(&findings, &page, err))) goto done;
    if ((status = write_tables(&page, host, err))) goto done;
    if ((status = draw(&page, host, err))) goto done;
    if ((status = rp_page_write(&page, &findings, err))) goto done;
    status = rp_summary_write(&page, &findings, err);
done:
    rp_findings_release(&findings);
    release_figures(page.figures, results.views.n);
    rp_table_free(page.eval);
    rp_verdicts_release(&verdicts);
    rp_results_release(&results);
    return status;
}
