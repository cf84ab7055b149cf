#include "probe/transfer.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { BLOCK = 64 };

/* f [n, P] <- intercept + x coef. */
static rp_status predict(double *f, const rp_unit_out *fitted, const rp_unit_in *in, rp_error *err)
{
    size_t n = in->rows->n, D = in->x->width, P = fitted->labels, row[BLOCK] = {0};
    double *x = rp_alloc(BLOCK * D, sizeof *x);
    float *raw = rp_alloc(BLOCK * D, sizeof *raw);
    rp_status status = x && raw ? RP_OK : rp_fail_memory(err, BLOCK * D * sizeof *x);
    for (size_t first = 0; first < n && !status; first += BLOCK) {
        size_t m = n - first < BLOCK ? n - first : BLOCK;
        for (size_t i = 0; i < m; i++) row[i] = first + i;
        if ((status = in->x->read(in->x->arg, raw, row, m, err))) break;
        for (size_t i = 0; i < m * D; i++) x[i] = (double)raw[i];
        for (size_t i = 0; i < m * P; i++) f[first * P + i] = fitted->intercept[i % P];
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)m, (int)P, (int)D, 1, x, (int)D,
                    fitted->coef, (int)D, 1, f + first * P, (int)P);
    }
    free(x), free(raw);
    return status;
}

static double training_mean(const rp_plan *plan, const rp_labels *trained, size_t p)
{
    double sum = 0;
    for (size_t g = 0; g < plan->ngroups; g++) {
        const rp_group *group = &plan->group[g];
        size_t k = 0;
        while (k < group->nlabels && group->label[k] != p) k++;
        if (k == group->nlabels) continue;
        for (size_t i = 0; i < group->folds.n; i++) sum += trained->y[p][group->row[i]];
        return sum / (double)group->folds.n;
    }
    return NAN;
}

/* The rows of a label, query by query. */
typedef struct scored {
    size_t n, queries, *row, *first, *slot;
    double *y, *f, *base, *sums; /* sums [queries, 4] */
} scored;

static void scored_release(scored *s)
{
    free(s->row), free(s->first), free(s->slot), free(s->y);
    free(s->sums);
}

static rp_status scored_init(scored *s, const rp_rows *rows, rp_error *err)
{
    size_t n = rows->n, Q = rows->nqueries;
    *s = (scored){.row = rp_alloc(n, sizeof *s->row),
                  .first = rp_alloc(Q + 1, sizeof *s->first),
                  .slot = rp_alloc(Q + 1, sizeof *s->slot),
                  .y = rp_alloc(3 * n, sizeof *s->y),
                  .sums = rp_alloc(Q * RP_SCORE_SUMS, sizeof *s->sums)};
    if (s->row && s->first && s->slot && s->y && s->sums) return RP_OK;
    scored_release(s);
    return rp_fail_memory(err, 3 * n * sizeof *s->y);
}

/* Counting sort of the rows with a label by query; queries without any are left out. */
static void scored_fill(scored *s, const rp_rows *rows, const double *y, const double *f, size_t P,
                        double base)
{
    size_t Q = rows->nqueries, at = 0;
    s->n = s->queries = 0;
    for (size_t q = 0; q <= Q; q++) s->slot[q] = 0;
    for (size_t i = 0; i < rows->n; i++) s->slot[rows->query[i]] += isfinite(y[i]) ? 1 : 0;
    for (size_t q = 0; q < Q; q++) {
        size_t m = s->slot[q];
        s->slot[q] = at;
        if (m) s->first[s->queries++] = at;
        at += m;
    }
    s->first[s->queries] = s->n = at;
    s->f = s->y + at, s->base = s->f + at;
    for (size_t i = 0; i < rows->n; i++) {
        if (!isfinite(y[i])) continue;
        size_t k = s->slot[rows->query[i]]++;
        s->row[k] = i, s->y[k] = y[i], s->f[k] = f[i * P], s->base[k] = base;
    }
}

/* *sd <- deviation; returns the share of the variance that is between queries. */
static double spread(const scored *s, double *mean, double *sd)
{
    double all = 0, total = 0, between = 0;
    for (size_t i = 0; i < s->n; i++) all += s->y[i] / (double)s->n;
    for (size_t q = 0; q < s->queries; q++) {
        double sum = 0;
        for (size_t i = s->first[q]; i < s->first[q + 1]; i++) {
            double e = s->y[i] - all;
            sum += e, total += e * e;
        }
        between += sum * sum / (double)(s->first[q + 1] - s->first[q]);
    }
    *mean = all;
    *sd = sqrt(total / (double)s->n);
    return total > 0 ? between / total : NAN;
}

static rp_status score_label(rp_unit_out *out, const rp_unit_out *fitted, const scored *s, size_t p,
                             const rp_unit_in *in, rp_error *err)
{
    const rp_scored rows = {s->n, s->queries, 1, s->first, s->y, s->f, s->base};
    const rp_result *from = &fitted->result[p];
    rp_result *r = &out->result[p];
    double mean = 0, sd = 0, *to = out->sums ? out->sums + p * out->queries * RP_SCORE_SUMS : NULL;
    r->n = s->n, r->queries = s->queries;
    if (s->n) r->eta2 = spread(s, &mean, &sd);
    if (!from->defined || !s->n || rp_label_constant(mean, sd)) return RP_OK;
    for (size_t i = 0; i < s->n && out->predictions; i++)
        out->predictions[p * out->rows + s->row[i]] = (float)s->f[i];
    r->defined = true;
    rp_status status =
        rp_score_compute(&r->score, s->sums, &rows, in->options->bootstrap, in->rows->seed, err);
    r->penalty = from->penalty, r->units = from->units, r->dead = from->dead, r->gap = from->gap;
    for (size_t q = 0; q < s->queries && out->sums; q++)
        memcpy(to + in->rows->query[s->row[s->first[q]]] * RP_SCORE_SUMS,
               s->sums + q * RP_SCORE_SUMS, RP_SCORE_SUMS * sizeof *to);
    return status;
}

rp_status rp_unit_transfer(rp_unit_out *out, const rp_unit_out *fitted, const rp_plan *plan,
                           const rp_labels *trained, const rp_unit_in *in, rp_error *err)
{
    size_t P = fitted->labels, n = in->rows->n;
    double *f = rp_alloc(n * P, sizeof *f);
    scored s = {0};
    rp_status status = f ? RP_OK : rp_fail_memory(err, n * P * sizeof *f);
    if (!status) status = predict(f, fitted, in, err);
    if (!status) status = scored_init(&s, in->rows, err);
    for (size_t p = 0; p < P && !status; p++) {
        double base = training_mean(plan, trained, p);
        scored_fill(&s, in->rows, in->labels->y[p], f + p, P, base);
        status = score_label(out, fitted, &s, p, in, err);
    }
    scored_release(&s);
    free(f);
    return status;
}
