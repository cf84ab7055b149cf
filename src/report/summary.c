/* summary.txt: what a terminal can show of the page. */
#include <math.h>

#include "base/io.h"
#include "report/page.h"

enum { SHOWN = 5 };

/* No "-0.00". */
static double tidy(double value)
{
    return fabs(value) < 0.005 ? 0 : value;
}

static void put_feature(FILE *f, const rp_page *page, const rp_verdict *v)
{
    const char *name = page->results->features.name[rp_findings_feature(page, v)];
    if (!v->best) {
        fprintf(f, "  %-32s undefined\n", name);
        return;
    }
    fprintf(f, "  %-32s %6.2f  layer %-3zu %6.2f within queries", name, tidy(v->best->r2),
            v->best->layer, tidy(v->best->within));
    if (!isnan(v->best->within_lo))
        fprintf(f, " [%.2f, %.2f]", tidy(v->best->within_lo), tidy(v->best->within_hi));
    fprintf(f, "%s\n", !v->judged ? "" : v->survives ? "  survives" : "  does not survive");
}

static void put_features(FILE *f, const rp_page *page, const rp_findings *findings)
{
    size_t defined = 0;
    while (defined < findings->features && findings->sound[defined]->best) defined++;
    const char *protocol = page->results->protocols.name[page->sound];
    const rp_verdict *weakest[SHOWN];
    size_t i = 0, shown = 0;
    fprintf(f, "strongest (R2 of the best layer under '%s')\n", protocol);
    for (; i < defined && shown < SHOWN; i++) {
        if (rp_findings_is_repeated(page, findings->sound[i])) continue;
        put_feature(f, page, findings->sound[i]);
        shown++;
    }
    shown = 0;
    for (size_t k = defined; k-- > i && shown < SHOWN;)
        if (!rp_findings_is_repeated(page, findings->sound[k]))
            weakest[shown++] = findings->sound[k];
    if (shown) fprintf(f, "weakest\n");
    while (shown-- > 0) put_feature(f, page, weakest[shown]);
    if (defined < findings->features)
        fprintf(f, "undefined: %zu labels without variance\n", findings->features - defined);
}

rp_status rp_summary_write(const rp_page *page, const rp_findings *findings, rp_error *err)
{
    const rp_results *res = page->results;
    char path[4096];
    rp_out out;
    rp_status status = rp_path_join(path, sizeof path, page->options->output, "summary.txt", err);
    if (!status) status = rp_out_open(&out, path, err);
    if (status) return status;
    FILE *f = out.file;
    put_features(f, page, findings);
    if (page->published != SIZE_MAX)
        fprintf(
            f,
            "strong: %zu of %zu features under '%s', %zu under '%s'; %zu survive within queries\n",
            findings->strong_published, findings->features, res->protocols.name[page->published],
            findings->strong_sound, res->protocols.name[page->sound], findings->surviving);
    if (!isnan(findings->leak_other) && !isnan(findings->leak_sound))
        fprintf(f, "a random number per query has R2 %.2f under a random split, %.2f under '%s'\n",
                findings->leak_other, tidy(findings->leak_sound), res->protocols.name[page->sound]);
    fprintf(f, "page: %s/index.html\n", page->options->output);
    status = rp_out_commit(&out, err);
    rp_out_release(&out);
    return status;
}
