/* The table: the published protocol and the sound one side by side. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "report/page.h"

static void put_head(rp_html *html, const char *class, const char *text, const char *title)
{
    rp_html_put(
        html,
        "<th scope=\"col\"%h title=\"%s\"><button class=\"sort\" type=\"button\">%s</button></th>",
        class, title, text);
}

/* The raw value goes beside the shown one, for sorting. */
static void put_key(rp_html *html, double value)
{
    char text[32] = "";
    if (!isnan(value)) snprintf(text, sizeof text, "%.6g", value);
    rp_html_put(html, "<td data-v=\"%h\">", text);
}

static void put_number(rp_html *html, double value)
{
    put_key(html, value);
    rp_html_put(html, "%n</td>", value);
}

static void put_p(rp_html *html, double p)
{
    char text[32];
    put_key(html, p);
    snprintf(text, sizeof text, "%.2g", p);
    rp_html_put(html, "%s</td>", isnan(p) ? "\u2013" : text);
}

static void put_interval(rp_html *html, double value, double lo, double hi)
{
    put_key(html, value);
    rp_html_put(html, "%n", value);
    if (!isnan(lo) && !isnan(hi)) rp_html_put(html, " <small>[%n, %n]</small>", lo, hi);
    rp_html_put(html, "</td>");
}

static void put_layer(rp_html *html, const rp_result *row)
{
    put_key(html, row ? (double)row->layer : NAN);
    if (row)
        rp_html_put(html, "%z</td>", row->layer);
    else
        rp_html_put(html, "\u2013</td>");
}

static void put_kind(rp_html *html, const rp_verdict *verdict)
{
    const char *name = rp_verdict_name(verdict->kind);
    rp_html_put(html, "<td data-v=\"%z\"><span class=\"pill %h\">%h</span></td>",
                (size_t)verdict->kind, name, name);
}

/* Layer, R2 there, R2 in the last layer, verdict. */
static void put_verdict(rp_html *html, const rp_verdict *verdict, bool interval)
{
    const rp_result *best = verdict->best, *last = verdict->last;
    put_layer(html, best);
    put_interval(html, best ? best->r2 : NAN, best && interval ? best->r2_lo : NAN,
                 best && interval ? best->r2_hi : NAN);
    put_number(html, last ? last->r2 : NAN);
    put_kind(html, verdict);
}

static void put_verdict_heads(rp_html *html)
{
    put_head(html, "", "layer", "the layer with the highest R\u00b2");
    put_head(html, "", "R\u00b2", "R\u00b2 in the best layer, 95 % interval over queries");
    put_head(html, "", "last", "R\u00b2 in the last layer");
    put_head(html, "", "verdict",
             "strong: above .85 somewhere; absent: below .1 in the last layer");
}

/* A protocol that is neither the sound one nor the published one beside it: R2 and verdict. */
static bool is_other(const rp_page *page, size_t protocol)
{
    return protocol != page->sound && protocol != page->published;
}

static void put_groups(rp_page *page)
{
    rp_html *html = &page->html;
    const rp_names *protocols = &page->results->protocols;
    rp_html_put(html, "<tr class=\"group\"><th></th><th></th>");
    if (page->published != SIZE_MAX)
        rp_html_put(html, "<th colspan=\"4\" class=\"published\">%s</th>",
                    protocols->name[page->published]);
    rp_html_put(
        html,
        "<th colspan=\"4\" class=\"sound\">%s</th><th colspan=\"%z\" class=\"within\">%s, within "
        "queries</th><th colspan=\"2\">%s, beyond</th>",
        protocols->name[page->sound], (size_t)(page->results->tested ? 3 : 2),
        protocols->name[page->sound], protocols->name[page->sound]);
    for (size_t p = 0; p < protocols->n; p++)
        if (is_other(page, p))
            rp_html_put(html, "<th colspan=\"2\" class=\"published\">%s</th>", protocols->name[p]);
    rp_html_put(html, "<th></th></tr>");
}

static void put_heads(rp_page *page)
{
    rp_html *html = &page->html;
    rp_html_put(html, "<thead>");
    put_groups(page);
    rp_html_put(html, "<tr>");
    put_head(html, "", "feature", "click a heading to sort");
    put_head(html, "", "\u03b7\u00b2", "share of the label's variance that lies between queries");
    if (page->published != SIZE_MAX) put_verdict_heads(html);
    put_verdict_heads(html);
    put_head(html, "", "R\u00b2",
             "R\u00b2 after the query means are removed, in the best layer of the sound protocol");
    put_head(html, "", "survives",
             "the interval within queries lies above 0 and above what permuted labels, or a random "
             "number, give");
    if (page->results->tested)
        put_head(html, "", "p",
                 "permutations within queries, corrected for all features and layers (max-T)");
    put_head(html, "", "input",
             "gain: R\u00b2 in the best layer minus R\u00b2 of the embedding output (layer 0)");
    put_head(html, "", "length",
             "gain: R\u00b2 in the best layer minus R\u00b2 of a probe that sees only the lengths");
    for (size_t p = 0; p < page->results->protocols.n; p++)
        if (is_other(page, p)) {
            put_head(html, "", "R\u00b2", "R\u00b2 in the best layer");
            put_head(html, "", "verdict", "by the published rule");
        }
    put_head(html, " class=\"text\"", "label", "what the label report says");
    rp_html_put(html, "</tr></thead>");
}

static void put_others(rp_page *page, size_t feature, size_t view)
{
    for (size_t p = 0; p < page->results->protocols.n; p++) {
        if (!is_other(page, p)) continue;
        const rp_verdict *verdict = rp_verdicts_at(page->verdicts, feature, view, p);
        put_number(&page->html, verdict->best ? verdict->best->r2 : NAN);
        put_kind(&page->html, verdict);
    }
}

static void put_row(rp_page *page, const rp_verdict *sound, size_t view)
{
    rp_html *html = &page->html;
    const rp_results *res = page->results;
    size_t feature = rp_findings_feature(page, sound);
    const char *name = res->features.name[feature];
    const rp_result *best = sound->best;
    rp_html_put(html, "<tr><th scope=\"row\" data-v=\"%s\" title=\"%s\">%s</th>", name, name, name);
    put_number(html, rp_results_eta2(res, feature));
    if (page->published != SIZE_MAX)
        put_verdict(html, rp_verdicts_at(page->verdicts, feature, view, page->published), false);
    put_verdict(html, sound, true);
    put_interval(html, best ? best->within : NAN, best ? best->within_lo : NAN,
                 best ? best->within_hi : NAN);
    if (sound->judged)
        rp_html_put(html, "<td data-v=\"%z\"><span class=\"pill %h\">%h</span></td>",
                    (size_t)sound->survives, sound->survives ? "yes" : "no",
                    sound->survives ? "yes" : "no");
    else
        rp_html_put(html, "<td data-v=\"\">\u2013</td>");
    if (page->results->tested) put_p(html, best ? best->p_maxt : NAN);
    put_number(html, best && sound->input ? best->r2 - sound->input->r2 : NAN);
    put_number(html,
               best ? best->r2 - rp_results_baseline(res, feature, page->sound, "baseline.length")
                    : NAN);
    put_others(page, feature, view);
    const char *flags = rp_results_label_text(res, name, "flags");
    bool plain = !*flags || !strcmp(flags, "-");
    rp_html_put(html, "<td class=\"text\" data-v=\"%s\"><small>%s</small></td></tr>\n",
                plain ? "" : flags, plain ? "" : flags);
}

static int by_best(const void *a, const void *b)
{
    const rp_verdict *x = *(const rp_verdict *const *)a, *y = *(const rp_verdict *const *)b;
    double p = x->best ? x->best->r2 : -INFINITY, q = y->best ? y->best->r2 : -INFINITY;
    if (p != q) return p > q ? -1 : 1;
    return x < y ? -1 : x > y;
}

void rp_page_put_table(rp_page *page, size_t view)
{
    rp_html *html = &page->html;
    size_t n = page->results->features.n;
    const rp_verdict **order = rp_alloc(n, sizeof *order);
    if (html->status || !order) {
        if (!html->status) html->status = rp_fail_memory(html->err, n * sizeof *order);
        free(order);
        return;
    }
    for (size_t f = 0; f < n; f++) order[f] = rp_verdicts_at(page->verdicts, f, view, page->sound);
    qsort(order, n, sizeof *order, by_best);
    rp_html_put(
        html,
        "<div class=\"wide bleed\" tabindex=\"0\" role=\"region\" aria-label=\"verdicts\"><table>");
    put_heads(page);
    rp_html_put(html, "<tbody>");
    for (size_t f = 0; f < n; f++) put_row(page, order[f], view);
    rp_html_put(html, "</tbody></table></div>\n");
    free(order);
}
