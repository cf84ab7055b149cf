/* The figures' places on the page, label diagnostics, and how well the model ranks. */
#include <math.h>
#include <string.h>

#include "base/io.h"
#include "base/number.h"
#include "report/page.h"

static void put_panel(rp_page *page, const rp_drawn *drawn, size_t panel, const char *label)
{
    char path[4096], file[300], id[300];
    if (page->html.status) return;
    snprintf(file, sizeof file, "%s.%zu.svg", drawn->name, panel);
    page->html.status = rp_path_join(path, sizeof path, page->figure_dir, file, page->html.err);
    if (page->html.status) return;
    snprintf(id, sizeof id, "%s-%zu", drawn->name, panel);
    for (char *c = id; *c; c++)
        if (*c == '.') *c = '-'; /* ids are quoted in style sheets and urls */
    rp_html_put_svg(&page->html, path, id, label);
}

static void put_downloads(rp_html *html, const rp_drawn *drawn)
{
    const char *name = drawn->name;
    rp_html_put(html,
                " Files: <a href=\"figures/%s.pdf\">PDF</a>, <a href=\"figures/%s.svg\">SVG</a>, "
                "<a href=\"figures/%s.png\">PNG</a>, <a href=\"figures/%s.gp\">script</a>, "
                "<a href=\"figures/%s.tsv\">data</a>.",
                name, name, name, name, name);
}

static void put_layers(rp_page *page, const rp_drawn *drawn, const char *protocol)
{
    rp_html *html = &page->html;
    rp_html_put(html, "<figure><div class=\"panels\">");
    for (size_t i = 1; i <= drawn->panels; i++) {
        rp_html_put(html, "<div class=\"card\">");
        put_panel(page, drawn, i, "R\u00b2 of linear probes over the layers");
        rp_html_put(html, "</div>");
    }
    rp_html_put(
        html,
        "</div><figcaption>R\u00b2 over the layers under <code>%s</code>; <i>emb</i> is the "
        "embedding "
        "output, before any block. Bands: 95 %% intervals over queries. Dotted lines: .85 (strong) "
        "and .1 (absent).",
        protocol);
    put_downloads(html, drawn);
    rp_html_put(html, "</figcaption></figure>");
}

static void put_heat(rp_page *page, const rp_drawn *drawn, const char *protocol)
{
    rp_html *html = &page->html;
    if (!drawn->panels) return;
    rp_html_put(html,
                "<details><summary>The same as a heat map</summary><figure><div class=\"card "
                "scroll\"><div style=\"min-width:360px;max-width:%zpx;margin:0 auto\">",
                (size_t)(280 + 48 * (page->results->layers + 1)));
    put_panel(page, drawn, 1, "R\u00b2 of each feature in each layer as a heat map");
    rp_html_put(
        html,
        "</div></div><figcaption>100 R\u00b2 under <code>%s</code>; the fuller the tile, the "
        "better the layer predicts the feature.",
        protocol);
    put_downloads(html, drawn);
    rp_html_put(html, "</figcaption></figure></details>");
}

static void put_compare(rp_page *page, const rp_drawn *drawn)
{
    rp_html *html = &page->html;
    const rp_names *protocols = &page->results->protocols;
    rp_html_put(html, "<figure><ul class=\"key\">");
    if (page->published != SIZE_MAX)
        rp_html_put(html, "<li style=\"--c:var(--published)\">%s, best layer</li>",
                    protocols->name[page->published]);
    rp_html_put(
        html,
        "<li style=\"--c:var(--sound)\">%s, best layer</li><li class=\"diamond\" "
        "style=\"--c:var(--within)\">within queries, 95 %% interval (filled: survives)</li></ul>"
        "<div class=\"card scroll\" style=\"max-width:820px\"><div style=\"min-width:540px\">",
        protocols->name[page->sound]);
    put_panel(page, drawn, 1,
              "best R\u00b2 of each feature as published, under a split by query, and "
              "within queries");
    rp_html_put(html, "</div></div><figcaption>The length of a grey bar is what a finding owes to "
                      "sharing queries "
                      "between training and test. Values below \u22120.15 stand at the left edge.");
    put_downloads(html, drawn);
    rp_html_put(html, "</figcaption></figure>");
}

void rp_page_put_figures(rp_page *page, size_t view)
{
    rp_html *html = &page->html;
    const rp_results *res = page->results;
    const rp_view_figures *figures = &page->figures[view];
    if (figures->compare.panels) put_compare(page, &figures->compare);
    rp_page_put_table(page, view);
    rp_html_put(html, "<h3>Layer by layer</h3><div class=\"tabs\">");
    size_t shown = 0;
    for (size_t turn = 0; turn < 2; turn++)
        for (size_t p = 0; p < res->protocols.n; p++)
            if ((p == page->sound) == (turn == 0) && figures->layers[p].panels && shown < 8)
                rp_html_put(html,
                            "<input type=\"radio\" name=\"tab-%z\" id=\"tab-%z-%z\"%h><label "
                            "for=\"tab-%z-%z\">%s</label>",
                            view, view, p, shown++ ? "" : " checked", view, p,
                            res->protocols.name[p]);
    shown = 0;
    for (size_t turn = 0; turn < 2; turn++)
        for (size_t p = 0; p < res->protocols.n; p++) {
            if ((p == page->sound) != (turn == 0) || !figures->layers[p].panels || shown++ >= 8)
                continue;
            rp_html_put(html, "<div>");
            put_layers(page, &figures->layers[p], res->protocols.name[p]);
            put_heat(page, &figures->heat[p], res->protocols.name[p]);
            rp_html_put(html, "</div>");
        }
    rp_html_put(html, "</div>\n");
}

/* Numbers short enough to compare, file names without their folders, all else as it is. */
static void put_cell(rp_html *html, const char *cell, bool head)
{
    double value;
    char text[32];
    if (head) {
        const char *slash = strrchr(cell, '/');
        rp_html_put(html, "<th scope=\"row\" title=\"%s\">%s</th>", cell,
                    slash && slash[1] ? slash + 1 : cell);
    } else if (!rp_number_double(cell, &value)) {
        rp_html_put(html, "<td class=\"text\">%s</td>", strcmp(cell, "-") ? cell : "");
    } else {
        snprintf(text, sizeof text, "%.4g", value);
        rp_html_put(html, "<td title=\"%s\">%s</td>", cell, strlen(cell) > 7 ? text : cell);
    }
}

/* Columns whose name starts with `skip` are left out. */
static void put_table(rp_html *html, const rp_table *table, const char *skip, const char *label)
{
    rp_html_put(
        html,
        "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"%s\"><table><thead><tr>",
        label);
    for (size_t c = 0; c < rp_table_columns(table); c++)
        if (strncmp(rp_table_name(table, c), skip, strlen(skip)) != 0)
            rp_html_put(html, "<th scope=\"col\">%s</th>", rp_table_name(table, c));
    rp_html_put(html, "</tr></thead><tbody>");
    for (size_t r = 0; r < rp_table_rows(table); r++) {
        rp_html_put(html, "<tr>");
        for (size_t c = 0; c < rp_table_columns(table); c++)
            if (strncmp(rp_table_name(table, c), skip, strlen(skip)) != 0)
                put_cell(html, rp_table_cell(table, r, c), c == 0);
        rp_html_put(html, "</tr>\n");
    }
    rp_html_put(html, "</tbody></table></div>\n");
}

void rp_page_put_labels(rp_page *page)
{
    rp_html *html = &page->html;
    const rp_table *labels = page->results->labels;
    if (!labels) return;
    rp_html_put(
        html, "<section id=\"labels\"><h2>The labels themselves</h2><p>Before a probe is read, its "
              "label should be. \u03b7\u00b2 is the share of a label's variance that lies between "
              "queries: "
              "near 1, the label says which query it is and little else. Labels that rise and fall "
              "together are one finding, not two.</p>");
    put_table(html, labels, "r.", "labels");
    if (page->labels.panels) {
        rp_html_put(
            html, "<details><summary>Correlation of the labels</summary><figure><div class=\"card "
                  "scroll\"><div style=\"min-width:480px;max-width:860px;margin:0 auto\">");
        put_panel(page, &page->labels, 1, "correlation of the labels with each other");
        rp_html_put(
            html,
            "</div></div><figcaption>Blue: together; red: against each other; the fuller, the "
            "stronger.");
        put_downloads(html, &page->labels);
        rp_html_put(html, "</figcaption></figure></details>");
    }
    rp_html_put(html, "</section>\n");
}

void rp_page_put_effect(rp_page *page)
{
    rp_html *html = &page->html;
    if (!page->eval) return;
    rp_html_put(
        html,
        "<section id=\"ranking\"><h2>How well it ranks</h2><p>What is encoded matters where the "
        "ranking is good. The first-stage run and the model's reranking of it, with "
        "trec_eval's measures.</p>");
    put_table(html, page->eval, "qid", "effectiveness");
    rp_html_put(html, "</section>\n");
}
