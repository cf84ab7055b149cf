#include "report/verdict.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/memory.h"

const char *rp_verdict_name(rp_verdict_kind kind)
{
    static const char *const names[] = {"undefined", "absent", "intermediate", "strong"};
    return names[kind];
}

static size_t first_protocol(const rp_results *res, const char *const *wanted)
{
    for (; *wanted; wanted++) {
        size_t found = rp_names_find(&res->protocols, *wanted);
        if (found != SIZE_MAX) return found;
    }
    return SIZE_MAX;
}

size_t rp_results_sound(const rp_results *res)
{
    size_t found = first_protocol(res, (const char *[]){"sound", NULL});
    return found != SIZE_MAX ? found : 0;
}

size_t rp_results_published(const rp_results *res)
{
    return first_protocol(res, (const char *[]){"paper-text", "paper-code", NULL});
}

double rp_results_baseline(const rp_results *res, size_t feature, size_t protocol, const char *view)
{
    size_t v = rp_names_find(&res->views, view);
    const rp_result *row = v == SIZE_MAX ? NULL : rp_results_at(res, feature, v, protocol, 0);
    return row ? row->r2 : NAN;
}

/* NaN compares false, so a NaN interval never survives. */
static void judge(rp_verdict *verdict, const rp_results *res, size_t view, size_t protocol)
{
    const rp_result *best = verdict->best;
    size_t control = rp_names_find(&res->features, "control.pair");
    const char *name = res->protocols.name[protocol];
    verdict->null_hi = best->null_within;
    if (isnan(verdict->null_hi) && control != SIZE_MAX) {
        const rp_result *null = rp_results_at(res, control, view, protocol, best->layer);
        if (null) verdict->null_hi = null->within_hi;
    }
    verdict->judged = !strncmp(name, "sound", 5) || !strcmp(name, "refit");
    double floor = verdict->null_hi > 0 ? verdict->null_hi : 0;
    verdict->survives = verdict->judged && best->within_lo > floor;
}

static void decide(rp_verdict *verdict, const rp_results *res, size_t f, size_t v, size_t p)
{
    const rp_result *rows;
    size_t n = rp_results_series(res, &rows, f, v, p);
    *verdict = (rp_verdict){.null_hi = NAN};
    for (size_t i = 0; i < n; i++) {
        const rp_result *row = &rows[i];
        if (row->layer == 0) verdict->input = row;
        if (row->layer == 0 && n > 1) continue;
        verdict->last = row;
        if (isnan(row->r2)) continue;
        if (!verdict->best || row->r2 > verdict->best->r2) verdict->best = row;
    }
    if (!verdict->best) return;
    /* A last layer that could not be scored shows nothing either way. */
    if (verdict->best->r2 > RP_VERDICT_STRONG)
        verdict->kind = RP_VERDICT_IS_STRONG;
    else if (verdict->last->r2 < RP_VERDICT_ABSENT)
        verdict->kind = RP_VERDICT_IS_ABSENT;
    else
        verdict->kind = RP_VERDICT_IS_INTERMEDIATE;
    judge(verdict, res, v, p);
}

rp_status rp_verdicts_make(rp_verdicts *verdicts, const rp_results *res, rp_error *err)
{
    size_t n = res->features.n * res->views.n * res->protocols.n;
    *verdicts = (rp_verdicts){.results = res, .verdict = rp_alloc(n, sizeof *verdicts->verdict)};
    if (!verdicts->verdict) return rp_fail_memory(err, n * sizeof *verdicts->verdict);
    rp_verdict *verdict = verdicts->verdict;
    for (size_t f = 0; f < res->features.n; f++)
        for (size_t v = 0; v < res->views.n; v++)
            for (size_t p = 0; p < res->protocols.n; p++) decide(verdict++, res, f, v, p);
    return RP_OK;
}

void rp_verdicts_release(rp_verdicts *verdicts)
{
    free(verdicts->verdict);
    *verdicts = (rp_verdicts){0};
}

const rp_verdict *rp_verdicts_at(const rp_verdicts *verdicts, size_t f, size_t v, size_t p)
{
    const rp_results *res = verdicts->results;
    return &verdicts->verdict[(f * res->views.n + v) * res->protocols.n + p];
}

static void write_number(FILE *file, double value)
{
    if (isnan(value))
        fputs("\tnan", file);
    else
        fprintf(file, "\t%.6g", value);
}

static void write_row(FILE *file, const rp_verdicts *verdicts, size_t f, size_t v, size_t p)
{
    const rp_results *res = verdicts->results;
    const rp_verdict *verdict = rp_verdicts_at(verdicts, f, v, p);
    const rp_result *best = verdict->best, *last = verdict->last;
    if (!last) return; /* no such series */
    fprintf(file, "%s\t%s\t%s\t%s", res->features.name[f], res->views.name[v],
            res->protocols.name[p], rp_verdict_name(verdict->kind));
    fprintf(file, "\t%s", !verdict->judged ? "-" : verdict->survives ? "yes" : "no");
    if (best)
        fprintf(file, "\t%zu", best->layer);
    else
        fputs("\t-", file);
    const double numbers[] = {best ? best->r2 : NAN,
                              best ? best->r2_lo : NAN,
                              best ? best->r2_hi : NAN,
                              best ? best->within : NAN,
                              best ? best->within_lo : NAN,
                              best ? best->within_hi : NAN,
                              verdict->null_hi,
                              best ? best->p_maxt : NAN,
                              last->r2,
                              verdict->input ? verdict->input->r2 : NAN,
                              rp_results_baseline(res, f, p, "baseline.length"),
                              rp_results_eta2(res, f)};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) write_number(file, numbers[i]);
    const char *flags = rp_results_label_text(res, res->features.name[f], "flags");
    fprintf(file, "\t%s\n", *flags ? flags : "-");
}

rp_status rp_verdicts_write(const rp_verdicts *verdicts, const char *path, const rp_host *host,
                            const char *const *inputs, size_t ninputs, rp_error *err)
{
    const rp_results *res = verdicts->results;
    rp_out out;
    rp_status status = rp_out_open(&out, path, err);
    if (status) return status;
    rp_provenance provenance = {.host = host, .inputs = inputs, .ninputs = ninputs};
    if ((status = rp_provenance_write(out.file, &provenance, err))) goto done;
    fputs(
        "feature\tview\tprotocol\tverdict\tsurvives\tbest_layer\tr2_best\tr2_best_lo\tr2_best_hi\t"
        "r2_within\tr2_within_lo\tr2_within_hi\tnull_within_hi\tp_document_maxt\tr2_last\tr2_"
        "input\tr2_"
        "length\teta2\t"
        "flags\n",
        out.file);
    for (size_t f = 0; f < res->features.n; f++)
        for (size_t v = 0; v < res->views.n; v++)
            for (size_t p = 0; p < res->protocols.n; p++) write_row(out.file, verdicts, f, v, p);
    status = rp_out_commit(&out, err);
done:
    rp_out_release(&out);
    return status;
}
