#include "probe/outcome.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void rp_outcome_release(rp_outcome *oc)
{
    free(oc->f), free(oc->base), free(oc->scored), free(oc->bad);
    for (int g = 0; g < RP_GAINS; g++) free(oc->joint[g]), free(oc->alone[g]);
    free(oc->penalty), free(oc->cv), free(oc->units), free(oc->gap);
    rp_fit_release(&oc->all);
    *oc = (rp_outcome){0};
}

static bool constant(const double *y, const rp_by_query *v, double offset)
{
    double mean, sd;
    rp_by_query_spread(v, y, &mean, &sd);
    return sd < 1e-9 || rp_label_constant(mean + offset, sd);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Over the outer folds that were fitted: the median (of an even number the upper of the middle
 * two), the mean, the most. */
static double median(const double *v, size_t stride, size_t n, double *mean, double *most)
{
    double kept[1000], sum = 0, top = -INFINITY;
    size_t m = 0;
    for (size_t o = 0; o < n && m < 1000; o++)
        if (!isnan(v[o * stride])) kept[m++] = v[o * stride];
    for (size_t o = 0; o < m; o++) sum += kept[o], top = fmax(top, kept[o]);
    if (mean) *mean = m ? sum / (double)m : NAN;
    if (most) *most = m ? top : NAN;
    if (!m) return NAN;
    qsort(kept, m, sizeof *kept, ascending);
    return kept[m / 2]; /* one of the values: a penalty that some fold was fitted at */
}

static void summarise(rp_result *out, const rp_outcome *oc, size_t p, const rp_score_row *score)
{
    size_t P = oc->d->labels, n = oc->d->folds->nouter;
    double scale = oc->d->yscale[p];
    out->defined = true;
    out->score = *score;
    out->score.mse *= scale * scale;
    out->penalty = median(oc->penalty + p, P, n, NULL, NULL);
    out->units = median(oc->units + p, P, n, NULL, NULL);
    median(oc->cv + p, P, n, &out->cv, NULL);
    median(oc->gap + p, P, n, NULL, &out->gap);
    out->dead = oc->dead;
}

/* Rows of a label, query by query. */
static void gather(double *to, const double *from, const rp_by_query *v)
{
    for (size_t i = 0; i < v->n; i++) to[i] = from[v->at[i]];
}

/* Room for the scoring of a group: rows of one label at a time, sums of all. */
typedef struct desk {
    double *y, *f, *base, *sums, *other; /* [n] three times; [P, queries, 4] twice */
    bool *whole;                         /* [P] a baseline predicts all rows */
    rp_score_row *score;
    rp_difference *difference;
    rp_score_pair *pair;
    const double **set;
} desk;

static void desk_release(desk *k)
{
    free(k->y), free(k->sums), free(k->score), free(k->difference), free(k->pair), free(k->set);
    free(k->whole);
    *k = (desk){0};
}

static rp_status desk_init(desk *k, const rp_by_query *v, size_t P, rp_error *err)
{
    size_t sums = P * v->queries * RP_SCORE_SUMS;
    *k = (desk){.y = rp_alloc(3 * v->n, 8),
                .sums = rp_alloc(2 * sums, 8),
                .whole = rp_alloc(P, sizeof *k->whole),
                .score = rp_alloc(P, sizeof *k->score),
                .difference = rp_alloc(P, sizeof *k->difference),
                .pair = rp_alloc(P, sizeof *k->pair),
                .set = rp_alloc(2 * P, sizeof *k->set)};
    if (!k->y || !k->sums || !k->whole || !k->score || !k->difference || !k->pair || !k->set) {
        desk_release(k);
        return rp_fail_memory(err, (3 * v->n + 2 * sums) * 8);
    }
    k->f = k->y + v->n, k->base = k->f + v->n, k->other = k->sums + sums;
    for (size_t p = 0; p < P; p++) {
        k->pair[p] = (rp_score_pair){p, P + p};
        k->set[p] = k->sums + p * v->queries * RP_SCORE_SUMS;
        k->set[P + p] = k->other + p * v->queries * RP_SCORE_SUMS;
    }
    return RP_OK;
}

/* The rows on the desk. */
static rp_scored on_desk(const desk *k, const rp_by_query *v)
{
    return (rp_scored){v->n, v->queries, v->first, k->y, k->f, k->base};
}

/* Puts y, f and base of label p, each one of [P, n], on the desk. */
static void lay_out(desk *k, const rp_outcome *oc, const double *f, const double *base,
                    const rp_by_query *v, size_t p)
{
    size_t n = oc->d->n;
    gather(k->y, oc->d->y + p * n, v);
    gather(k->f, f + p * n, v);
    gather(k->base, base + p * n, v);
}

/* k->f <- what the baseline alone predicts of label p, 0 where it does not: it may be undefined
 * where x is not. A narrow one's predictions are kept as they were saved. */
static void lay_out_alone(desk *k, int g, const rp_outcome *oc, const rp_unit_in *in,
                          const rp_by_query *v, size_t p)
{
    const rp_design *d = oc->d;
    const float *saved = in->baseline[g].f;
    if (saved) saved += oc->group->label[p] * in->rows->n;
    k->whole[p] = true;
    for (size_t i = 0; i < v->n; i++) {
        size_t at = v->at[i];
        double f = saved ? ((double)saved[oc->group->row[at]] - d->ymean[p]) / d->yscale[p]
                         : oc->alone[g][p * d->n + at];
        if (isnan(f)) k->whole[p] = false;
        k->f[i] = isnan(f) ? 0 : f;
    }
}

/* R2 of [baseline, x] less R2 of the baseline, paired over queries. */
static rp_status score_gain(rp_unit_out *out, desk *k, int g, const rp_outcome *oc,
                            const rp_unit_in *in, const rp_by_query *v, rp_error *err)
{
    size_t P = oc->d->labels, sums = v->queries * RP_SCORE_SUMS;
    const rp_scored rows = on_desk(k, v);
    for (size_t p = 0; p < P; p++) {
        lay_out(k, oc, oc->joint[g], oc->base, v, p);
        rp_score_sums(k->sums + p * sums, &rows);
        lay_out_alone(k, g, oc, in, v, p);
        rp_score_sums(k->other + p * sums, &rows);
    }
    rp_status status = rp_score_differences(k->difference, k->pair, P, k->set, 2 * P, v->queries,
                                            in->options->bootstrap, in->rows->seed, err);
    for (size_t p = 0; p < P && !status; p++) {
        const rp_difference *d = &k->difference[p];
        rp_result *r = &out->result[oc->group->label[p]];
        if (r->defined && k->whole[p]) r->gain[g] = (rp_gain){d->r2, d->lo, d->hi};
    }
    return status;
}

static void keep_sums(rp_unit_out *out, const desk *k, const rp_outcome *oc, const rp_by_query *v)
{
    for (size_t p = 0; p < oc->d->labels; p++) {
        size_t label = oc->group->label[p];
        double *to = out->sums + label * out->queries * RP_SCORE_SUMS;
        for (size_t q = 0; q < v->queries && out->result[label].defined; q++)
            memcpy(to + v->query[q] * RP_SCORE_SUMS, k->set[p] + q * RP_SCORE_SUMS,
                   RP_SCORE_SUMS * sizeof *to);
    }
}

static void keep_predictions(float *predictions, const rp_outcome *oc, size_t nrows)
{
    const rp_design *d = oc->d;
    for (size_t p = 0; p < d->labels; p++) {
        float *to = predictions + oc->group->label[p] * nrows;
        for (size_t i = 0; i < d->n && !oc->bad[p]; i++)
            if (oc->scored[i])
                to[oc->group->row[i]] = (float)(oc->f[p * d->n + i] * d->yscale[p] + d->ymean[p]);
    }
}

/* From u and the design's y to x and y as they are stored. */
static void keep_coefficients(rp_unit_out *out, const rp_outcome *oc)
{
    const rp_design *d = oc->d;
    size_t D = d->width;
    for (size_t p = 0; p < d->labels; p++) {
        size_t label = oc->group->label[p];
        double *coef = out->coef + label * D, *beta = out->beta + label * D;
        const double *w = oc->all.w + p * D;
        double intercept = d->ymean[p] + d->yscale[p] * oc->all.b[p];
        if (!out->result[label].defined) continue;
        for (size_t j = 0; j < D; j++) {
            beta[j] = w[j];
            coef[j] = w[j] * d->yscale[p] / d->scale[j];
            intercept -= coef[j] * d->mean[j];
        }
        out->intercept[label] = intercept;
    }
}

/* k->score and k->sums of all labels, from f and base [P, n]. gaps: f of labels that are undefined,
 * and not kept, may be NaN. */
static rp_status score_labels(desk *k, const rp_outcome *oc, const double *f, const double *base,
                              bool gaps, const rp_unit_in *in, const rp_by_query *v, rp_error *err)
{
    size_t P = oc->d->labels;
    const rp_scored rows = on_desk(k, v);
    rp_status status = RP_OK;
    for (size_t p = 0; p < P && !status; p++) {
        lay_out(k, oc, f, base, v, p);
        for (size_t i = 0; i < v->n && gaps; i++)
            if (isnan(k->f[i])) k->f[i] = 0;
        rp_score_sums(k->sums + p * v->queries * RP_SCORE_SUMS, &rows);
        status = rp_score_tau(&k->score[p].tau, &rows, err);
    }
    if (status) return status;
    return rp_score_resample(k->score, k->set, P, v->n, v->queries, in->options->bootstrap,
                             in->rows->seed, err);
}

rp_status rp_outcome_score(rp_unit_out *out, const rp_outcome *oc, const rp_unit_in *in,
                           rp_error *err)
{
    const rp_design *d = oc->d;
    size_t P = d->labels;
    rp_by_query v;
    desk k = {0};
    rp_status status = rp_by_query_init(&v, in->rows, d->folds->row, d->n, NULL, err);
    for (size_t p = 0; p < P && !status; p++) {
        rp_result *r = &out->result[oc->group->label[p]];
        r->n = v.n, r->queries = v.queries;
        r->eta2 = rp_by_query_spread(&v, d->y + p * d->n, NULL, NULL);
    }
    rp_by_query_release(&v);
    if (!status) status = rp_by_query_init(&v, in->rows, d->folds->row, d->n, oc->scored, err);
    if (status || !v.n || !oc->fits) goto done;
    if ((status = desk_init(&k, &v, P, err))) goto done;
    status = score_labels(&k, oc, oc->f, oc->base, false, in, &v, err);
    for (size_t p = 0; p < P && !status; p++)
        if (!oc->bad[p] && !constant(d->y + p * d->n, &v, d->ymean[p] / d->yscale[p]))
            summarise(&out->result[oc->group->label[p]], oc, p, &k.score[p]);
    if (!status && out->sums) keep_sums(out, &k, oc, &v);
    if (!status && out->predictions) keep_predictions(out->predictions, oc, in->rows->n);
    if (!status && out->coef && oc->all.w) keep_coefficients(out, oc);
    for (int g = 0; g < RP_GAINS && !status; g++)
        if (oc->joint[g]) status = score_gain(out, &k, g, oc, in, &v, err);
done:
    desk_release(&k);
    rp_by_query_release(&v);
    return status;
}

rp_status rp_curve_score(void *scorer, const rp_curve_point *point, rp_error *err)
{
    const rp_curve_scorer *c = scorer;
    const rp_outcome *oc = c->oc;
    size_t P = oc->d->labels, n = oc->d->n, at = 0;
    rp_by_query v;
    desk k = {0};
    while (rp_curve_size[at] != point->k) at++;
    rp_status status = rp_by_query_init(&v, c->in->rows, oc->d->folds->row, n, oc->scored, err);
    if (status || !v.n) goto done;
    if ((status = desk_init(&k, &v, P, err))) goto done;
    status = score_labels(&k, oc, point->pred, point->base, true, c->in, &v, err);
    for (size_t p = 0; p < P && !status; p++) {
        size_t label = oc->group->label[p];
        const rp_score_row *s = &k.score[p];
        const double number[RP_CURVE_NUMBERS] = {s->r2,     s->r2_lo,     s->r2_hi,
                                                 s->within, s->within_lo, s->within_hi};
        double *to = c->out->curve +
                     ((label * RP_CURVES + point->curve) * RP_CURVE_SIZES + at) * RP_CURVE_NUMBERS;
        if (c->out->result[label].defined) memcpy(to, number, sizeof number);
    }
done:
    desk_release(&k);
    rp_by_query_release(&v);
    return status;
}
