#include "probe/unit.h"

#include <cblas.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "probe/design.h"
#include "probe/lasso.h"
#include "probe/ridge.h"

enum { RIDGE_PENALTIES = 17, LEAST_TRAIN = 3 };

/* A group of labels on one x; every array in part order. */
typedef struct job {
    const rp_plan *plan;
    const rp_rows *rows;
    const rp_group *group;
    rp_design d;
    double *f, *base; /* [P, n] predictions, training means; units of the design's y */
    bool *scored;     /* [n] */
    bool *bad;        /* [P] undefined */
    double *penalty, *units, *cv, *gap; /* [P, outer] */
    size_t dead, fits;
} job;

static void job_release(job *j)
{
    rp_design_release(&j->d);
    free(j->f), free(j->base), free(j->scored), free(j->bad);
    free(j->penalty), free(j->units), free(j->cv), free(j->gap);
}

static rp_status job_init(job *j, const rp_labels *labels, const float *x, size_t width,
                          const char *what, rp_error *err)
{
    size_t P = j->group->nlabels, n = j->group->n, outer = j->plan->outer;
    rp_status status =
        rp_design_init(&j->d, j->group, labels, x, width, j->plan->standardise, what, err);
    if (status) return status;
    j->f = rp_alloc(P * n, 8), j->base = rp_alloc(P * n, 8);
    j->scored = rp_alloc(n, sizeof *j->scored), j->bad = rp_alloc(P, sizeof *j->bad);
    j->penalty = rp_alloc(P * outer, 8), j->units = rp_alloc(P * outer, 8);
    j->cv = rp_alloc(P * outer, 8), j->gap = rp_alloc(P * outer, 8);
    if (j->f && j->base && j->scored && j->bad && j->penalty && j->units && j->cv && j->gap)
        return RP_OK;
    job_release(j);
    return rp_fail_memory(err, 2 * P * n * 8);
}

static rp_status solve(rp_fit *fit, const job *j, const rp_moments *mo, rp_error *err)
{
    double value[RIDGE_PENALTIES] = {j->plan->penalty};
    rp_grid grid = {1, value};
    if (j->plan->method == RP_LASSO) return rp_lasso_fit(fit, mo, j->plan->penalty, err);
    if (isnan(j->plan->penalty)) /* trace(z'z / m) / D is 1: z is standardised */
        for (grid.n = 0; grid.n < RIDGE_PENALTIES; grid.n++)
            value[grid.n] = pow(10, 4 - .5 * (double)grid.n);
    return rp_ridge_fit(fit, mo, &grid, j->plan->per_row, err);
}

static void predict(job *j, const rp_fit *fit, const rp_moments *mo, int outer)
{
    size_t D = j->d.width, n = j->d.n, P = j->d.labels;
    for (size_t k = 0; k < j->group->nparts; k++) {
        const rp_part *part = &j->group->part[k];
        size_t first = part->first, m = part->end - first;
        if (part->outer != outer) continue;
        cblas_dgemm(CblasColMajor, CblasTrans, CblasNoTrans, (int)m, (int)P, (int)D, 1,
                    j->d.u + first * D, (int)D, fit->w, (int)D, 0, j->f + first, (int)n);
        for (size_t i = first; i < part->end; i++) {
            j->scored[i] = true;
            for (size_t p = 0; p < P; p++) {
                j->f[p * n + i] += fit->b[p];
                j->base[p * n + i] = mo->set[0].ymu[p];
            }
        }
    }
}

static rp_status fit_outer(job *j, int outer, rp_error *err)
{
    size_t P = j->d.labels, test = 0, train = 0;
    for (size_t k = 0; k < j->group->nparts; k++) {
        const rp_part *part = &j->group->part[k];
        if (part->outer == outer) test += part->end - part->first;
        if (part->outer >= 0 && part->outer != outer) train += part->end - part->first;
    }
    if (!test) return RP_OK;
    if (train < LEAST_TRAIN) {
        for (size_t p = 0; p < P; p++) j->bad[p] = true;
        return RP_OK;
    }
    rp_moments mo;
    rp_fit fit = {0};
    rp_status status = rp_moments_init(&mo, &j->d, outer, j->plan->inner, err);
    if (status) return status;
    if ((status = rp_fit_init(&fit, P, j->d.width, err))) goto done;
    if ((status = solve(&fit, j, &mo, err))) goto done;
    predict(j, &fit, &mo, outer);
    if (mo.set[0].dead > j->dead) j->dead = mo.set[0].dead;
    for (size_t p = 0; p < P; p++) {
        size_t at = p * j->plan->outer + j->fits;
        j->bad[p] |= mo.set[0].yinv[p] == 0;
        j->penalty[at] = fit.penalty[p], j->units[at] = (double)fit.units[p];
        j->cv[at] = fit.cv[p], j->gap[at] = fit.gap[p];
    }
    j->fits++;
done:
    rp_fit_release(&fit);
    rp_moments_release(&mo);
    return status;
}

/* ---- scores ---- */

typedef struct place {
    size_t query, at;
} place;

static int by_query(const void *a, const void *b)
{
    const place *p = a, *q = b;
    if (p->query != q->query) return p->query < q->query ? -1 : 1;
    return p->at < q->at ? -1 : p->at > q->at;
}

/* v [count] <- the rows (only the scored ones) query by query; first [count + 1]; returns queries.
 */
static size_t sort_rows(place *v, size_t *first, size_t *count, const job *j, bool only_scored)
{
    size_t n = 0, queries = 0;
    for (size_t i = 0; i < j->d.n; i++)
        if (!only_scored || j->scored[i]) v[n++] = (place){j->rows->query[j->group->row[i]], i};
    qsort(v, n, sizeof *v, by_query);
    for (size_t i = 0; i < n; i++)
        if (!i || v[i].query != v[i - 1].query) first[queries++] = i;
    first[queries] = n;
    *count = n;
    return queries;
}

static double between_share(const double *y, const place *v, const size_t *first, size_t queries)
{
    double mean = 0, total = 0, between = 0;
    size_t n = first[queries];
    for (size_t i = 0; i < n; i++) mean += y[v[i].at];
    mean /= (double)n;
    for (size_t q = 0; q < queries; q++) {
        double sum = 0, m = (double)(first[q + 1] - first[q]);
        for (size_t i = first[q]; i < first[q + 1]; i++) {
            double e = y[v[i].at] - mean;
            sum += e, total += e * e;
        }
        between += sum * sum / m;
    }
    return total > 0 ? between / total : NAN;
}

static bool constant(const double *y, size_t n, double offset)
{
    double mean = 0, squares = 0;
    for (size_t i = 0; i < n; i++) mean += y[i] / (double)n;
    for (size_t i = 0; i < n; i++) squares += (y[i] - mean) * (y[i] - mean);
    double sd = sqrt(squares / (double)n);
    return sd < 1e-9 || rp_label_constant(mean + offset, sd);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double *v, size_t n)
{
    if (!n) return NAN;
    qsort(v, n, sizeof *v, ascending);
    return n % 2 ? v[n / 2] : .5 * (v[n / 2 - 1] + v[n / 2]);
}

static void summarise(rp_result *out, const job *j, size_t p, const rp_score_row *score)
{
    double *penalty = j->penalty + p * j->plan->outer, *units = j->units + p * j->plan->outer;
    double scale = j->d.yscale[p], sum = 0;
    out->defined = true;
    out->score = *score;
    out->score.mse *= scale * scale;
    out->penalty = median(penalty, j->fits);
    out->units = median(units, j->fits);
    out->dead = j->dead;
    out->gap = 0;
    for (size_t k = 0; k < j->fits; k++) {
        sum += j->cv[p * j->plan->outer + k];
        out->gap = fmax(out->gap, j->gap[p * j->plan->outer + k]);
    }
    out->cv = sum / (double)j->fits;
}

/* Puts the sums [queries, 4] of a label, in units of the design's y, where its queries are. */
static void keep_sums(double *to, const double *sums, const place *v, const size_t *first,
                      size_t queries, const job *j, double scale)
{
    for (size_t q = 0; q < queries; q++) {
        size_t query = j->rows->query[j->group->row[v[first[q]].at]];
        for (size_t k = 0; k < RP_SCORE_SUMS; k++)
            to[query * RP_SCORE_SUMS + k] = sums[q * RP_SCORE_SUMS + k] * scale * scale;
    }
}

static rp_status score_group(rp_unit_out *to, job *j, size_t draws, rp_error *err)
{
    size_t P = j->d.labels, n = j->d.n, count;
    rp_result *out = to->result;
    rp_status status = RP_OK;
    place *v = rp_alloc(n, sizeof *v);
    size_t *first = rp_alloc(n + 1, sizeof *first);
    double *y = rp_alloc(3 * P * n, sizeof *y);
    rp_score_row *score = rp_alloc(P, sizeof *score);
    double *sums = rp_alloc(P * j->rows->nqueries, RP_SCORE_SUMS * sizeof *sums);
    if (!v || !first || !y || !score || !sums) {
        status = rp_fail_memory(err, 3 * P * n * sizeof *y);
        goto done;
    }
    size_t queries = sort_rows(v, first, &count, j, false);
    for (size_t p = 0; p < P; p++) {
        rp_result *r = &out[j->group->label[p]];
        r->n = n, r->queries = queries;
        r->eta2 = between_share(j->d.y + p * n, v, first, queries);
    }
    queries = sort_rows(v, first, &count, j, true);
    if (!count || !j->fits) goto done;
    double *f = y + P * count, *base = f + P * count;
    for (size_t p = 0; p < P; p++)
        for (size_t i = 0; i < count; i++) {
            y[p * count + i] = j->d.y[p * n + v[i].at];
            f[p * count + i] = j->f[p * n + v[i].at];
            base[p * count + i] = j->base[p * n + v[i].at];
        }
    rp_scored in = {count, queries, P, first, y, f, base};
    if ((status = rp_score_compute(score, sums, &in, draws, j->rows->seed, err))) goto done;
    for (size_t p = 0; p < P; p++) {
        double offset = j->d.ymean[p] / j->d.yscale[p];
        if (j->bad[p] || constant(y + p * count, count, offset)) continue;
        summarise(&out[j->group->label[p]], j, p, &score[p]);
        if (to->sums)
            keep_sums(to->sums + j->group->label[p] * to->queries * RP_SCORE_SUMS,
                      sums + p * queries * RP_SCORE_SUMS, v, first, queries, j, j->d.yscale[p]);
    }
done:
    free(v), free(first), free(y), free(score), free(sums);
    return status;
}

static void keep_predictions(float *predictions, const job *j, size_t nrows)
{
    for (size_t p = 0; p < j->d.labels; p++) {
        float *to = predictions + j->group->label[p] * nrows;
        for (size_t i = 0; i < j->d.n && !j->bad[p]; i++)
            if (j->scored[i])
                to[j->group->row[i]] =
                    (float)(j->f[p * j->d.n + i] * j->d.yscale[p] + j->d.ymean[p]);
    }
}

/* Coefficients of the labels `only` (those with j's penalty at `penalty`), on all rows. */
static void keep_coefficients(rp_unit_out *out, const job *j, const rp_fit *fit,
                              const rp_moments *mo, const bool *only)
{
    size_t D = j->d.width;
    const rp_set *all = &mo->set[0];
    for (size_t p = 0; p < j->d.labels; p++) {
        size_t label = j->group->label[p];
        double *coef = out->coef + label * D, *beta = out->beta + label * D;
        double scale = j->d.yscale[p], intercept = fit->b[p] * scale + j->d.ymean[p];
        if (!only[p]) continue;
        for (size_t k = 0; k < D; k++) {
            double w = fit->w[p * D + k];
            beta[k] = all->inv[k] > 0 ? w / all->inv[k] * all->yinv[p] : 0;
            coef[k] = w * scale / j->d.scale[k];
            intercept -= coef[k] * j->d.mean[k];
        }
        out->intercept[label] = intercept;
    }
}

static rp_status fit_all(rp_unit_out *out, const job *j, rp_error *err)
{
    size_t P = j->d.labels;
    rp_moments mo = {0};
    rp_fit fit = {0};
    bool *only = rp_alloc(2 * P, sizeof *only), *ready = only ? only + P : NULL;
    if (!only) return rp_fail_memory(err, 2 * P);
    rp_status status = rp_moments_init(&mo, &j->d, INT_MAX, 0, err);
    if (status) goto done;
    if ((status = rp_fit_init(&fit, P, j->d.width, err))) goto done;
    for (size_t p = 0; p < P && !status; p++) {
        double penalty = out->result[j->group->label[p]].penalty;
        rp_grid grid = {1, &penalty};
        if (ready[p] || isnan(penalty)) continue;
        for (size_t k = 0; k < P; k++)
            ready[k] |= only[k] = out->result[j->group->label[k]].penalty == penalty;
        status = j->plan->method == RP_LASSO
                     ? rp_lasso_fit(&fit, &mo, penalty, err)
                     : rp_ridge_fit(&fit, &mo, &grid, j->plan->per_row, err);
        if (!status) keep_coefficients(out, j, &fit, &mo, only);
    }
done:
    rp_fit_release(&fit);
    rp_moments_release(&mo);
    free(only);
    return status;
}

rp_status rp_unit_fit(rp_unit_out *out, const rp_unit_in *in, rp_error *err)
{
    rp_status status = RP_OK;
    const rp_plan *plan = in->plan;
    size_t draws = in->options->bootstrap;
    for (size_t p = 0; p < in->labels->n; p++)
        for (size_t i = 0; i < in->rows->n && plan->constant[p]; i++)
            out->result[p].n += isfinite(in->labels->y[p][i]) ? 1 : 0;
    for (size_t g = 0; g < plan->ngroups && !status; g++) {
        job j = {.plan = plan, .rows = in->rows, .group = &plan->group[g]};
        if ((status = job_init(&j, in->labels, in->x, in->width, in->what, err))) return status;
        for (size_t o = 0; o < plan->outer && !status; o++) status = fit_outer(&j, (int)o, err);
        if (!status) status = score_group(out, &j, draws, err);
        if (!status && out->predictions) keep_predictions(out->predictions, &j, in->rows->n);
        if (!status && out->coef) status = fit_all(out, &j, err);
        job_release(&j);
    }
    return status;
}

double rp_unit_memory(const rp_plan *plan, size_t rows, size_t width, size_t labels)
{
    double n = (double)rows, D = (double)width, P = (double)labels;
    double solver = plan->method == RP_LASSO
                        ? rp_lasso_memory(width, plan->inner)
                        : rp_ridge_memory(rows, width, labels, RIDGE_PENALTIES, plan->inner);
    return 12 * n * D + 48 * n * P + 8 * (double)(4 * (plan->inner + 2)) * P * D + solver;
}
