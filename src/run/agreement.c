#include "run/agreement.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const rp_site rp_site_order[RP_SITES] = {RP_SITE_ATTN_OUT, RP_SITE_RESID_MID, RP_SITE_MLP_ACT,
                                         RP_SITE_MLP_OUT, RP_SITE_RESID_POST};

/* ---- tallies ---- */

/* Is a difference worse than the worst so far? NaN is the worst there is. */
static bool is_worse(double diff, double worst)
{
    return !isnan(worst) && !(diff <= worst);
}

void rp_tally_add(rp_tally *t, const float *got, const void *want, size_t n, size_t first)
{
    for (size_t i = 0; i < n; i++) {
        float w;
        memcpy(&w, (const char *)want + i * sizeof w, sizeof w);
        double g = (double)got[i], v = (double)w, diff = fabs(g - v);
        t->sum_diff += diff;
        t->dot += g * v;
        t->got += g * g;
        t->want += v * v;
        if (fabs(v) > t->max_want) t->max_want = fabs(v);
        if (!is_worse(diff, t->max_diff)) continue;
        t->max_diff = diff;
        t->at = first + i;
        t->got_at = g;
        t->want_at = v;
    }
    t->n += n;
}

void rp_tally_merge(rp_tally *t, const rp_tally *other)
{
    t->n += other->n;
    t->sum_diff += other->sum_diff;
    t->dot += other->dot;
    t->got += other->got;
    t->want += other->want;
    if (other->max_want > t->max_want) t->max_want = other->max_want;
    if (!is_worse(other->max_diff, t->max_diff)) return;
    t->max_diff = other->max_diff;
    t->at = other->at;
    t->got_at = other->got_at;
    t->want_at = other->want_at;
}

double rp_tally_relative(const rp_tally *t)
{
    return t->max_diff == 0 ? 0 : t->max_diff / t->max_want;
}

double rp_tally_cosine(const rp_tally *t)
{
    double cosine = t->got == 0 && t->want == 0 ? 1 : t->dot / (sqrt(t->got) * sqrt(t->want));
    return isnan(cosine) ? (double)NAN : cosine; /* without a sign, which would be printed */
}

bool rp_tally_agrees(const rp_tally *t)
{
    return rp_tally_relative(t) <= RP_AGREEMENT_BAR;
}

/* ---- running ---- */

typedef struct watch {
    const rp_reference *reference;
    size_t first;    /* the sequence that the session calls 0 */
    rp_tally *tally; /* [layers + 1, RP_SITES, n]: by sequence, so that threads share nothing */
} watch;

static void see(void *arg, rp_site site, size_t layer, const rp_values *values)
{
    const watch *w = arg;
    const rp_sequences *s = &w->reference->sequences;
    size_t i = w->first + values->sequence, at = s->start[i] * values->width;
    size_t head = values->nhead * values->width, tail = values->ntail * values->width;
    const char *want = rp_reference_values(w->reference, site, layer);
    rp_tally *tally = &w->tally[(layer * RP_SITES + site) * s->n + i];

    if (!want) return;
    if (head) rp_tally_add(tally, values->head, want + at * sizeof(float), head, at);
    rp_tally_add(tally, values->tail, want + (at + head) * sizeof(float), tail, at + head);
}

static rp_status run_sites(rp_agreement *a, rp_drive *drive, rp_error *err)
{
    const rp_reference *r = a->reference;
    size_t layers = rp_model_about(a->model)->layers, n = r->sequences.n;
    watch w = {.reference = r};
    rp_observer observer = {.arg = &w, .see = see};
    rp_status status;

    for (rp_site s = 0; s < RP_SITES; s++)
        if (rp_reference_values(r, s, layers)) observer.sites |= 1u << s;
    w.tally = rp_alloc((layers + 1) * RP_SITES * n, sizeof *w.tally);
    if (!w.tally) return rp_fail_memory(err, (layers + 1) * RP_SITES * n * sizeof *w.tally);
    status = rp_drive_forward(drive, &r->sequences, &observer, &w.first, a->scores, err);
    if (status == RP_ECOMPUTE && a->scores) {
        /* A score is not finite: that is for the table, and so are the sites. */
        for (size_t i = 0; i < n; i++) a->scores[i] = NAN;
        memset(w.tally, 0, (layers + 1) * RP_SITES * n * sizeof *w.tally);
        status = rp_drive_forward(drive, &r->sequences, &observer, &w.first, NULL, err);
    }
    for (size_t i = 0; status == RP_OK && i < (layers + 1) * RP_SITES; i++)
        for (size_t k = 0; k < n; k++) rp_tally_merge(&a->tally[i], &w.tally[i * n + k]);
    free(w.tally);
    return status;
}

/* One sequence at a time: there are few, and their means are small. */
static rp_status run_embed(rp_agreement *a, rp_session *session, const rp_host *host, rp_error *err)
{
    const rp_sequences *s = &a->reference->sequences;
    size_t width = rp_model_about(a->model)->width;
    const char *want = a->reference->embed->data;
    float *got = rp_alloc(width, sizeof *got);
    rp_status status = got ? RP_OK : rp_fail_memory(err, width * sizeof *got);

    for (size_t i = 0; status == RP_OK && i < s->n; i++) {
        size_t start[2] = {0, s->start[i + 1] - s->start[i]};
        rp_batch batch = {1, start, s->id + s->start[i], s->segment + s->start[i]};
        status = rp_session_embed(session, got, &batch, host, err);
        if (status == RP_OK)
            rp_tally_add(&a->embed, got, want + i * width * sizeof *got, width, i * width);
    }
    free(got);
    return status;
}

rp_status rp_agreement_run(rp_agreement *a, const rp_model *model, const rp_reference *reference,
                           size_t memory, int threads, const rp_host *host, rp_error *err)
{
    const rp_model_info *m = rp_model_about(model);
    size_t n = reference->sequences.n;
    rp_drive drive = {.what = "comparing sequences", .total = n, .host = host};
    rp_status status = rp_session_new(
        &drive.session, model, &(rp_session_options){.memory = memory, .threads = threads}, err);

    *a = (rp_agreement){.model = model, .reference = reference};
    if (status != RP_OK) return status;
    a->tally = rp_alloc((m->layers + 1) * RP_SITES, sizeof *a->tally);
    if (m->has_score && reference->scores) a->scores = rp_alloc(n, sizeof *a->scores);
    if (!a->tally || (m->has_score && reference->scores && !a->scores))
        status = rp_fail_memory(err, (m->layers + 1) * RP_SITES * sizeof *a->tally);
    if (status == RP_OK) status = run_sites(a, &drive, err);
    if (status == RP_OK && reference->embed) status = run_embed(a, drive.session, host, err);
    rp_session_free(drive.session);
    if (status != RP_OK) rp_agreement_release(a);
    return status;
}

void rp_agreement_release(rp_agreement *a)
{
    free(a->tally);
    free(a->scores);
    *a = (rp_agreement){0};
}

/* ---- what came out ---- */

static double wanted_score(const rp_agreement *a, size_t i)
{
    float score;
    memcpy(&score, (const char *)a->reference->scores->data + i * sizeof score, sizeof score);
    return (double)score;
}

static bool score_agrees(const rp_agreement *a, size_t i)
{
    double want = wanted_score(a, i), diff = fabs((double)a->scores[i] - want);
    /* of an infinite score everything would be a small part */
    return isfinite(diff) && diff <= RP_AGREEMENT_BAR * fmax(1, fabs(want));
}

static void print_tally(FILE *file, const char *name, const rp_tally *t)
{
    fprintf(file, "%-18s %-11.3g %-11.3g %-11.3g %.8f%s\n", name, t->max_diff,
            t->sum_diff / (double)t->n, rp_tally_relative(t), rp_tally_cosine(t),
            rp_tally_agrees(t) ? "" : "  differs");
}

void rp_agreement_print(const rp_agreement *a, FILE *file)
{
    size_t layers = rp_model_about(a->model)->layers;

    fprintf(file, "%-18s %-11s %-11s %-11s %s\n", "site.layer", "max|diff|", "mean|diff|",
            "max/max|h|", "cosine");
    for (size_t l = 0; l <= layers; l++)
        for (size_t k = 0; k < RP_SITES; k++) {
            const rp_tally *t = &a->tally[l * RP_SITES + rp_site_order[k]];
            char name[64];
            snprintf(name, sizeof name, "%s.%zu", rp_site_name(rp_site_order[k]), l);
            if (t->n > 0) print_tally(file, name, t);
        }
    if (a->embed.n > 0) print_tally(file, "embed", &a->embed);
    for (size_t i = 0; a->scores && i < a->reference->sequences.n; i++) {
        char name[64];
        snprintf(name, sizeof name, "score.%zu", i);
        fprintf(file, "%-18s %.9g, the reference has %.9g%s\n", name, (double)a->scores[i],
                wanted_score(a, i), score_agrees(a, i) ? "" : "  differs");
    }
}

/* "mlp_out.3 at pair 2 token 5 unit 17: 0.25, the reference has 0.5" */
static void tell(char *text, size_t cap, const rp_agreement *a, const char *name, const rp_tally *t,
                 size_t width)
{
    const rp_sequences *s = &a->reference->sequences;
    size_t row = t->at / width, i = 0;

    while (s->start[i + 1] <= row) i++;
    snprintf(text, cap, "%s at pair %zu token %zu unit %zu: %.6g, the reference has %.6g", name, i,
             row - s->start[i], t->at % width, t->got_at, t->want_at);
}

bool rp_agreement_holds(const rp_agreement *a, char *text, size_t cap)
{
    const rp_model_info *m = rp_model_about(a->model);
    char name[64];

    for (size_t l = 0; l <= m->layers; l++)
        for (size_t k = 0; k < RP_SITES; k++) {
            const rp_tally *t = &a->tally[l * RP_SITES + rp_site_order[k]];
            if (t->n == 0 || rp_tally_agrees(t)) continue;
            snprintf(name, sizeof name, "%s.%zu", rp_site_name(rp_site_order[k]), l);
            tell(text, cap, a, name, t, rp_model_site_width(a->model, rp_site_order[k]));
            return false;
        }
    if (a->embed.n > 0 && !rp_tally_agrees(&a->embed)) {
        snprintf(text, cap, "embed of pair %zu: %.6g, the reference has %.6g",
                 a->embed.at / m->width, a->embed.got_at, a->embed.want_at);
        return false;
    }
    if (a->reference->scores && !a->scores) {
        snprintf(text, cap, "score: no score head, tensor '%s' is missing", m->score_tensor);
        return false;
    }
    for (size_t i = 0; a->scores && i < a->reference->sequences.n; i++) {
        if (score_agrees(a, i)) continue;
        snprintf(text, cap, "score of pair %zu: %.9g, the reference has %.9g", i,
                 (double)a->scores[i], wanted_score(a, i));
        return false;
    }
    return true;
}
