#include "report/page.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"

#define MANIFEST_LIMIT ((size_t)256 << 20)

static void put_header(rp_page *page)
{
    rp_html *html = &page->html;
    const rp_results *res = page->results;
    double pairs = NAN, queries = NAN; /* of the label that has the most rows */
    for (size_t i = 0; i < res->rows; i++)
        if (res->row[i].view == page->view && res->row[i].protocol == page->sound) {
            pairs = fmax(pairs, res->row[i].n);
            queries = fmax(queries, res->row[i].queries);
        }
    rp_html_put(html, "<header><div><h1>%s</h1><p class=\"sub\">Linear probes of a ranking model: ",
                page->options->title);
    if (!isnan(pairs)) rp_html_put(html, "%z query-document pairs of ", (size_t)pairs);
    if (!isnan(queries)) rp_html_put(html, "%z queries, ", (size_t)queries);
    rp_html_put(html, "%z layers, view <code>%s</code>.</p><nav>", res->layers,
                res->views.name[page->view]);
    rp_html_put(html, "<a href=\"#findings\">Findings</a><a href=\"#features\">Features</a>");
    if (res->labels) rp_html_put(html, "<a href=\"#labels\">Labels</a>");
    if (page->eval) rp_html_put(html, "<a href=\"#ranking\">Ranking</a>");
    rp_html_put(html,
                "<a href=\"#reading\">How to read this</a><a href=\"#provenance\">Provenance</a>"
                "</nav></div></header>\n<main>\n");
}

static bool has_layers(const rp_page *page, size_t view)
{
    const rp_view_figures *figures = &page->figures[view];
    for (size_t p = 0; p < page->results->protocols.n; p++)
        if (figures->layers[p].panels) return true;
    return figures->compare.panels > 0;
}

static void put_features(rp_page *page)
{
    rp_html *html = &page->html;
    const rp_names *views = &page->results->views;
    rp_html_put(
        html,
        "<section id=\"features\"><h2>As published, and under a split by query</h2><p>Every "
        "feature in the layer where it is read off best. The published protocol splits pairs at "
        "random, so documents of one query are in training and in test; the sound one keeps each "
        "query on one side.</p>");
    rp_page_put_figures(page, page->view);
    for (size_t v = 0; v < views->n; v++) {
        if (v == page->view || rp_view_is_baseline(views->name[v]) || !has_layers(page, v))
            continue;
        rp_html_put(html, "<details><summary>View <code>%s</code></summary>", views->name[v]);
        rp_page_put_figures(page, v);
        rp_html_put(html, "</details>");
    }
    rp_html_put(html, "</section>\n");
}

void rp_page_put_reading(rp_page *page)
{
    static const char text[] =
        "<section id=\"reading\"><h2>How to read this</h2><ul>"
        "<li><b>R\u00b2</b> is 1 minus the probe's squared error over that of the training mean, "
        "on rows the "
        "probe has not seen. Below 0 it is worse than that mean; that is not a negative "
        "correlation. "
        "A dash is undefined: a label without variance is never scored as 1.</li>"
        "<li><b>Within queries</b> removes each query's mean from label and prediction first. "
        "Ranking "
        "happens within a query, so this is the number that matters for ranking.</li>"
        "<li><b>Survives</b> asks that the 95 % interval within queries, in the best layer of the "
        "sound "
        "protocol, lies above 0 and above what permuted labels (without them: a random number for "
        "each pair) give. Best layers are picked on the same rows that they are scored on, so the "
        "R\u00b2 of a best layer is "
        "slightly "
        "optimistic, the more so the more layers there are.</li>"
        "<li><b>Verdicts</b> follow the published rule: strong above .85 in some layer, absent "
        "below .1 in the last layer, else intermediate. Layer 0, the embedding output, does not "
        "count "
        "as a layer of the model.</li>"
        "<li><b>Beyond</b> is what the best layer adds to a probe of the embedding output (input) "
        "and to "
        "one that sees nothing but the lengths (length). Where it is about 0, the model's blocks "
        "need "
        "not have computed anything. A mean over tokens makes counts easy to read off at layer "
        "0.</li>"
        "<li>A probe shows that something <b>can be read off</b> the activations, not that the "
        "model uses "
        "it. That takes an intervention.</li>"
        "</ul></section>\n";
    rp_html_put(&page->html, "%h", text);
}

/* The `#` lines of a table that a job wrote: version, command, seed, inputs with checksums. */
static void put_comments(rp_html *html, const char *path)
{
    rp_lines *lines = NULL;
    char *line;
    size_t n;
    if (html->status || !path) return;
    if ((html->status = rp_lines_open(&lines, path, html->err))) return;
    rp_html_put(html, "<h3>%s</h3><dl>", strrchr(path, '/') ? strrchr(path, '/') + 1 : path);
    while (!(html->status = rp_lines_next(lines, &line, &n, html->err)) && line && line[0] == '#') {
        line += strspn(line, "# ");
        char *colon = strstr(line, ": ");
        if (!colon) continue;
        *colon = 0;
        rp_html_put(html, "<dt>%s</dt><dd class=\"mono\">%s</dd>", line, colon + 2);
    }
    rp_html_put(html, "</dl>");
    rp_lines_free(lines);
}

static void put_member(rp_html *html, const char *key, const json_t *value)
{
    char *text = json_is_string(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    const char *shown = json_is_string(value) ? json_string_value(value) : text ? text : "";
    char brief[700];
    snprintf(brief, sizeof brief, "%s", shown);
    /* Not in the middle of a character. */
    for (size_t n = strlen(brief); strlen(shown) > n && n && (brief[n - 1] & 0x80); n--)
        brief[n - 1] = 0;
    rp_html_put(html, "<dt>%s</dt><dd class=\"mono\">%s%h</dd>", key, brief,
                strlen(shown) > strlen(brief) ? "\u2026" : "");
    free(text);
}

/* What store.json says of model, template and first pair, without its list of shards. */
static void put_store(rp_page *page)
{
    rp_html *html = &page->html;
    char path[4096], *text = NULL;
    size_t size;
    if (html->status || !page->options->store) return;
    html->status = rp_path_join(path, sizeof path, page->options->store, "store.json", html->err);
    if (!html->status) html->status = rp_file_read(&text, &size, path, MANIFEST_LIMIT, html->err);
    if (html->status) return;
    json_t *store = json_loadb(text, size, 0, NULL), *settings = json_object_get(store, "settings"),
           *value;
    const char *key;
    free(text);
    if (!json_is_object(store)) {
        html->status = rp_fail(html->err, RP_EFORMAT, "'%s': not a JSON object", path);
        json_decref(store);
        return;
    }
    rp_html_put(html, "<h3>Activations: model, template, a pair as the model saw it</h3><dl>");
    json_object_foreach(store, key, value) if (!json_is_array(value) && !json_is_object(value))
        put_member(html, key, value);
    json_object_foreach(settings, key, value) if (strcmp(key, "shards") != 0)
        put_member(html, key, value);
    rp_html_put(html, "</dl>");
    json_decref(store);
}

void rp_page_put_provenance(rp_page *page)
{
    rp_html *html = &page->html;
    rp_html_put(
        html, "<section id=\"provenance\"><h2>Provenance</h2><details><summary>Versions, commands, "
              "seeds, checksums, template</summary>");
    put_store(page);
    put_comments(html, page->options->probes);
    put_comments(html, page->options->labels);
    put_comments(html, page->options->eval);
    rp_html_put(html, "</details></section>\n");
}

static void put_page(rp_page *page, const rp_findings *findings)
{
    rp_html *html = &page->html;
    rp_html_put(
        html,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>%s</title><meta "
        "name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta "
        "name=\"generator\" "
        "content=\"rankprobe %s\">\n",
        page->options->title, rp_version());
    rp_page_put_style(html);
    rp_html_put(html, "</head><body>\n");
    put_header(page);
    rp_page_put_findings(page, findings);
    put_features(page);
    rp_page_put_effect(page);
    rp_page_put_labels(page);
    rp_page_put_reading(page);
    rp_page_put_provenance(page);
    rp_html_put(
        html,
        "</main>\n<footer>Made by rankprobe %s. Tables: <a href=\"verdicts.tsv\">verdicts.tsv</a>."
        "</footer>\n",
        rp_version());
    rp_page_put_script(html);
    rp_html_put(html, "</body></html>\n");
}

rp_status rp_page_write(rp_page *page, const rp_findings *findings, rp_error *err)
{
    char path[4096];
    rp_out out;
    rp_html_init(&page->html, err);
    put_page(page, findings);
    rp_status status = page->html.status;
    if (!status) status = rp_path_join(path, sizeof path, page->options->output, "index.html", err);
    if (!status) status = rp_out_open(&out, path, err);
    if (!status) {
        fwrite(page->html.text.data, 1, page->html.text.len, out.file);
        status = rp_out_commit(&out, err);
        rp_out_release(&out);
    }
    rp_html_release(&page->html);
    return status;
}
