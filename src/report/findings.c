/* What the page says first: counts, the leak detector, and which features stand out. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "report/page.h"

#define CONSTANT_WITHIN (1 - 1e-6) /* eta2 from here on: nothing varies within a query */

bool rp_feature_is_finding(const char *name)
{
    return !rp_feature_is_control(name) && strncmp(name, "ranker.", 7) != 0 &&
           strcmp(name, "grade") != 0 && strcmp(name, "score") != 0;
}

bool rp_feature_is_constant(const rp_page *page, size_t feature)
{
    return rp_results_eta2(page->results, feature) >= CONSTANT_WITHIN;
}

size_t rp_findings_feature(const rp_page *page, const rp_verdict *verdict)
{
    size_t i = (size_t)(verdict - page->verdicts->verdict);
    return i / page->results->protocols.n / page->results->views.n;
}

bool rp_findings_is_repeated(const rp_page *page, const rp_verdict *verdict)
{
    static const char mark[] = "duplicate-of:";
    const rp_results *res = page->results;
    const char *name = res->features.name[rp_findings_feature(page, verdict)];
    const char *at = strstr(rp_results_label_text(res, name, "flags"), mark);
    if (!at) return false;
    at += sizeof mark - 1;
    size_t n = strcspn(at, ",");
    for (size_t f = 0; f < res->features.n; f++)
        if (!strncmp(res->features.name[f], at, n) && !res->features.name[f][n]) return true;
    return false;
}

static int by_best(const void *a, const void *b)
{
    const rp_verdict *x = *(const rp_verdict *const *)a, *y = *(const rp_verdict *const *)b;
    double p = x->best ? x->best->r2 : -INFINITY, q = y->best ? y->best->r2 : -INFINITY;
    if (p != q) return p > q ? -1 : 1;
    return x < y ? -1 : x > y;
}

/* The largest R2 of the query-id control over the layers of the view. */
static double leak(const rp_page *page, size_t protocol)
{
    size_t control = rp_names_find(&page->results->features, "control.query_id");
    if (control == SIZE_MAX || protocol == SIZE_MAX) return NAN;
    const rp_verdict *verdict = rp_verdicts_at(page->verdicts, control, page->view, protocol);
    return verdict->best ? verdict->best->r2 : NAN;
}

rp_status rp_findings_make(rp_findings *findings, const rp_page *page, rp_error *err)
{
    const rp_results *res = page->results;
    *findings = (rp_findings){.leak_other = NAN, .leak_sound = leak(page, page->sound)};
    for (size_t p = 0; p < res->protocols.n; p++)
        if (p != page->sound) findings->leak_other = fmax(findings->leak_other, leak(page, p));
    findings->sound = rp_alloc(res->features.n, sizeof *findings->sound);
    if (!findings->sound) return rp_fail_memory(err, res->features.n * sizeof *findings->sound);
    for (size_t f = 0; f < res->features.n; f++) {
        if (!rp_feature_is_finding(res->features.name[f])) continue;
        const rp_verdict *sound = rp_verdicts_at(page->verdicts, f, page->view, page->sound);
        if (page->published != SIZE_MAX)
            findings->strong_published +=
                rp_verdicts_at(page->verdicts, f, page->view, page->published)->kind ==
                RP_VERDICT_IS_STRONG;
        findings->strong_sound += sound->kind == RP_VERDICT_IS_STRONG;
        findings->surviving += sound->survives;
        findings->constant += rp_feature_is_constant(page, f);
        findings->sound[findings->features++] = sound;
    }
    qsort(findings->sound, findings->features, sizeof *findings->sound, by_best);
    return RP_OK;
}

void rp_findings_release(rp_findings *findings)
{
    free(findings->sound);
    *findings = (rp_findings){0};
}

static void put_tile(rp_html *html, const char *kind, size_t n, size_t of, const char *text)
{
    rp_html_put(html, "<div class=\"tile %h\"><b>%z</b><i> of %z</i><p>%h</p></div>", kind, n, of,
                text);
}

static void put_tiles(rp_page *page, const rp_findings *f)
{
    rp_html *html = &page->html;
    rp_html_put(html, "<div class=\"tiles\">");
    if (page->published != SIZE_MAX)
        put_tile(html, "published", f->strong_published, f->features,
                 "features look strongly encoded under the published protocol");
    put_tile(html, "sound", f->strong_sound, f->features,
             "still do when no query is on both sides of the split");
    put_tile(html, "within", f->surviving, f->features,
             "tell documents of one query apart better than chance");
    if (!isnan(f->leak_sound)) {
        rp_html_put(html, "<div class=\"tile\"><b>");
        if (!isnan(f->leak_other)) rp_html_put(html, "%n <small>\u2192</small> ", f->leak_other);
        rp_html_put(html,
                    "%n</b><p>R\u00b2 of a random number per query: the leak detector</p></div>",
                    f->leak_sound);
    }
    rp_html_put(html, "</div>");
}

static void put_feature(rp_page *page, const rp_verdict *verdict)
{
    rp_html_put(&page->html, "<code>%s</code>",
                page->results->features.name[rp_findings_feature(page, verdict)]);
}

static void put_strongest(rp_page *page, const rp_findings *findings)
{
    rp_html *html = &page->html;
    size_t shown = 0;
    for (size_t i = 0; i < findings->features && shown < 3; i++) {
        const rp_verdict *v = findings->sound[i];
        if (!v->survives || rp_findings_is_repeated(page, v)) continue;
        rp_html_put(html, shown ? ", " : "<li><b>Encoded, and it holds:</b> ");
        put_feature(page, v);
        rp_html_put(html, " (layer %z, R\u00b2 %n, within queries %n)", v->best->layer, v->best->r2,
                    v->best->within);
        shown++;
    }
    if (shown)
        rp_html_put(html, " lead the %z features that survive.</li>", findings->surviving);
    else
        rp_html_put(html,
                    "<li><b>Nothing survives:</b> under a split by query no feature of the text "
                    "can be read off the activations within a query better than chance.</li>");
}

/* The features that lose the most when the split is by query. */
static void put_losses(rp_page *page, const rp_findings *findings)
{
    rp_html *html = &page->html;
    if (page->published == SIZE_MAX) return;
    double floor = INFINITY;
    const char *opening = "<li><b>Does not hold:</b> ";
    size_t shown = 0;
    for (; shown < 3; shown++) {
        const rp_verdict *worst = NULL, *before = NULL;
        double most = 0.2;
        for (size_t i = 0; i < findings->features; i++) {
            const rp_verdict *v = findings->sound[i];
            const rp_verdict *p = rp_verdicts_at(page->verdicts, rp_findings_feature(page, v),
                                                 page->view, page->published);
            if (!v->best || !p->best || p->best->r2 <= 0) continue;
            double drop = p->best->r2 - fmax(v->best->r2, 0);
            if (drop > most && drop < floor) {
                most = drop;
                worst = v;
                before = p;
            }
        }
        if (!worst) break;
        floor = most;
        rp_html_put(html, "%h", opening);
        put_feature(page, worst);
        rp_html_put(html, " falls from R\u00b2 %n to %n", before->best->r2, worst->best->r2);
        opening = ", ";
    }
    if (shown) rp_html_put(html, " once queries are not shared between training and test.</li>");
}

static void put_constants(rp_page *page, const rp_findings *findings)
{
    rp_html *html = &page->html;
    const rp_results *res = page->results;
    if (!findings->constant) return;
    rp_html_put(html, "<li><b>Constant within every query:</b> ");
    size_t shown = 0;
    for (size_t f = 0; f < res->features.n; f++) {
        if (!rp_feature_is_finding(res->features.name[f]) || !rp_feature_is_constant(page, f))
            continue;
        if (shown == 4) {
            rp_html_put(html, " and %z more", findings->constant - shown);
            break;
        }
        rp_html_put(html, shown++ ? ", <code>%s</code>" : "<code>%s</code>", res->features.name[f]);
    }
    rp_html_put(html, ". Such a label names the query and cannot order its documents, whatever its "
                      "R\u00b2.</li>");
}

static void put_leak(rp_page *page, const rp_findings *findings)
{
    rp_html *html = &page->html;
    if (isnan(findings->leak_sound)) return;
    rp_html_put(html, "<li><b>Leak detector:</b> a number drawn at random for each query, which no "
                      "model can know, is \u201cencoded\u201d with R\u00b2 ");
    for (size_t p = 0; p < page->results->protocols.n; p++)
        if (p != page->sound && !isnan(leak(page, p)))
            rp_html_put(html, "%n under <code>%s</code>, ", leak(page, p),
                        page->results->protocols.name[p]);
    rp_html_put(html, "%n under <code>%s</code>.%h</li>", findings->leak_sound,
                page->results->protocols.name[page->sound],
                findings->leak_other > 0.1
                    ? " Pairs of one query on both sides of a random split are enough for that."
                    : "");
}

void rp_page_put_findings(rp_page *page, const rp_findings *findings)
{
    rp_html *html = &page->html;
    rp_html_put(html, "<section id=\"findings\"><h2>What the numbers say</h2>");
    put_tiles(page, findings);
    rp_html_put(html, "<ul class=\"says\">");
    put_strongest(page, findings);
    put_losses(page, findings);
    put_constants(page, findings);
    put_leak(page, findings);
    rp_html_put(html, "</ul></section>\n");
}
