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

/* Room for the scoring of a label. */
typedef struct desk {
    bool *has;            /* [rows] */
    double *y, *f, *base; /* [rows] query by query */
    double *sums;         /* [queries, 4] */
} desk;

static void desk_release(desk *k)
{
    free(k->has), free(k->y), free(k->sums);
    *k = (desk){0};
}

static rp_status desk_init(desk *k, const rp_rows *rows, rp_error *err)
{
    size_t n = rows->n;
    *k = (desk){.has = rp_alloc(n, sizeof *k->has),
                .y = rp_alloc(3 * n, sizeof *k->y),
                .sums = rp_alloc(rows->nqueries * RP_SCORE_SUMS, sizeof *k->sums)};
    if (!k->has || !k->y || !k->sums) {
        desk_release(k);
        return rp_fail_memory(err, 3 * n * sizeof *k->y);
    }
    k->f = k->y + n, k->base = k->f + n;
    return RP_OK;
}

/* f [n, P] of all labels. */
static rp_status score_label(rp_unit_out *out, const rp_unit_out *fitted, desk *k,
                             const rp_by_query *v, const double *f, double base, size_t p,
                             const rp_unit_in *in, rp_error *err)
{
    const rp_scored rows = {v->n, v->queries, v->first, k->y, k->f, k->base};
    const rp_result *from = &fitted->result[p];
    const double *y = in->labels->y[p];
    rp_result *r = &out->result[p];
    double mean, sd, *to = out->sums ? out->sums + p * out->queries * RP_SCORE_SUMS : NULL;
    r->n = v->n, r->queries = v->queries;
    if (!v->n) return RP_OK;
    r->eta2 = rp_by_query_spread(v, y, &mean, &sd);
    if (!from->defined || rp_label_constant(mean, sd)) return RP_OK;
    for (size_t i = 0; i < v->n; i++) {
        size_t row = v->at[i];
        k->y[i] = y[row], k->f[i] = f[row * fitted->labels + p], k->base[i] = base;
        if (out->predictions) out->predictions[p * out->rows + row] = (float)k->f[i];
    }
    r->defined = true;
    rp_status status =
        rp_score_compute(&r->score, k->sums, &rows, in->options->bootstrap, in->rows->seed, err);
    r->penalty = from->penalty, r->units = from->units, r->dead = from->dead, r->gap = from->gap;
    for (size_t q = 0; q < v->queries && to; q++)
        memcpy(to + v->query[q] * RP_SCORE_SUMS, k->sums + q * RP_SCORE_SUMS,
               RP_SCORE_SUMS * sizeof *to);
    return status;
}

rp_status rp_unit_transfer(rp_unit_out *out, const rp_unit_out *fitted, const rp_plan *plan,
                           const rp_labels *trained, const rp_unit_in *in, rp_error *err)
{
    size_t P = fitted->labels, n = in->rows->n;
    double *f = rp_alloc(n * P, sizeof *f);
    desk k = {0};
    rp_status status = f ? RP_OK : rp_fail_memory(err, n * P * sizeof *f);
    if (!status) status = predict(f, fitted, in, err);
    if (!status) status = desk_init(&k, in->rows, err);
    for (size_t p = 0; p < P && !status; p++) {
        rp_by_query v;
        for (size_t i = 0; i < n; i++) k.has[i] = isfinite(in->labels->y[p][i]);
        if ((status = rp_by_query_init(&v, in->rows, NULL, n, k.has, err))) break;
        status = score_label(out, fitted, &k, &v, f, training_mean(plan, trained, p), p, in, err);
        rp_by_query_release(&v);
    }
    desk_release(&k);
    free(f);
    return status;
}
