#include "probe/null.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "probe/orbit.h"
#include "probe/outcome.h"
#include "probe/quantile.h"

enum { OPTIONS = 16, BLOCKS = 5 }; /* of a block; blocks at least */

/* From a probe of few directions to one of many: half decades 4 and 8 of the grid. */
const double rp_null_penalty[RP_NULL_PENALTIES] = {100, 1};

struct rp_null {
    const rp_cells *cells;
    const rp_rows *rows;
    bool primal;
    size_t T, *label, ndraws, npenalties;
    double penalty[RP_NULL_PENALTIES];
    rp_orbit orbit[RP_NULLS];
    float *c[RP_NULLS];     /* [blocks, T, K, D] of y u under each option (primal) */
    double *ysum[RP_NULLS]; /* [blocks, T, K] of y */
    double *sums[RP_NULLS]; /* [nouter, T, npenalties, 3, ndraws] yf, yy, ff of the orbit */
};

void rp_null_free(rp_null *s)
{
    if (!s) return;
    for (int k = 0; k < RP_NULLS; k++) {
        rp_orbit_release(&s->orbit[k]);
        free(s->c[k]), free(s->ysum[k]), free(s->sums[k]);
    }
    free(s->label), free(s);
}

/* ---- cross products of every block and option ---- */

static rp_status block_products(rp_null *s, int kind, size_t block, rp_error *err)
{
    const rp_design *d = s->cells->d;
    const rp_orbit *o = &s->orbit[kind];
    size_t D = d->width, K = o->noptions, cols = s->T * K, m = 0, at[RP_TILE];
    double *u = rp_alloc(RP_TILE * D, sizeof *u), *ysum = s->ysum[kind] + block * cols;
    float *x = rp_alloc(RP_TILE * D, sizeof *x), *y = rp_alloc(cols * RP_TILE, sizeof *y);
    rp_status status = u && x && y ? RP_OK : rp_fail_memory(err, RP_TILE * (D + cols) * 8);
    for (size_t i = 0; i <= d->n && !status; i++) {
        if (i < d->n && o->block[i] == block) at[m++] = i;
        if (!m || (m < RP_TILE && i < d->n)) continue;
        for (size_t t = 0; t < s->T; t++)
            for (size_t k = 0; k < K; k++)
                for (size_t r = 0; r < m; r++) {
                    double v = d->y[s->label[t] * d->n + o->from[k * o->n + at[r]]];
                    y[(t * K + k) * m + r] = (float)v;
                    ysum[t * K + k] += v;
                }
        if (s->primal) {
            if ((status = rp_design_tile(d, u, x, at, 0, m, err))) break;
            for (size_t j = 0; j < m * D; j++) x[j] = (float)u[j];
            cblas_sgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, (int)D, (int)cols, (int)m, 1, x,
                        (int)D, y, (int)m, 1, s->c[kind] + block * cols * D, (int)D);
        }
        m = 0;
    }
    free(u), free(x), free(y);
    return status;
}

static rp_status make_products(rp_null *s, rp_error *err)
{
    long n = (long)(s->orbit[0].nblocks + s->orbit[1].nblocks);
    rp_status status = RP_OK;
#pragma omp parallel for schedule(dynamic, 1)
    for (long b = 0; b < n; b++) {
        rp_error error = {0};
        int kind = (size_t)b >= s->orbit[0].nblocks;
        rp_status made =
            block_products(s, kind, (size_t)b - (kind ? s->orbit[0].nblocks : 0), &error);
        if (!made) continue;
#pragma omp critical(rp_null_failed)
        if (!status) status = rp_fail(err, made, "%s", error.text);
    }
    return status;
}

static rp_status reserve(rp_null *s, size_t nouter, rp_error *err)
{
    size_t D = s->cells->d->width;
    for (int k = 0; k < RP_NULLS; k++) {
        size_t cols = s->orbit[k].nblocks * s->T * s->orbit[k].noptions;
        if (s->primal) s->c[k] = rp_alloc(cols * D, sizeof *s->c[k]);
        s->ysum[k] = rp_alloc(cols, 8);
        s->sums[k] = rp_alloc(nouter * s->T * s->npenalties * 3 * s->ndraws, 8);
        if ((s->primal && !s->c[k]) || !s->ysum[k] || !s->sums[k])
            return rp_fail_memory(err, cols * D * sizeof *s->c[k]);
    }
    return RP_OK;
}

rp_status rp_null_new(rp_null **null, const rp_cells *cells, const rp_rows *rows,
                      const bool *tested, size_t draws, double penalty, rp_error *err)
{
    const rp_design *d = cells->d;
    rp_null *s = rp_alloc(1, sizeof *s);
    *null = NULL;
    if (!s) return rp_fail_memory(err, sizeof *s);
    *s = (rp_null){.cells = cells, .rows = rows, .primal = rp_ridge_primal(d), .ndraws = draws + 1};
    s->npenalties = isnan(penalty) ? RP_NULL_PENALTIES : 1;
    for (size_t k = 0; k < s->npenalties; k++)
        s->penalty[k] = isnan(penalty) ? rp_null_penalty[k] : penalty;
    s->label = rp_alloc(d->labels, sizeof *s->label);
    rp_status status = s->label ? RP_OK : rp_fail_memory(err, d->labels * sizeof *s->label);
    for (size_t p = 0; p < d->labels && !status; p++)
        if (tested[p]) s->label[s->T++] = p;
    for (int k = 0; k < RP_NULLS && !status; k++) {
        rp_orbit_options o = {k ? RP_ORBIT_QUERY : RP_ORBIT_DOCUMENT,
                              (BLOCKS + d->folds->nouter - 1) / d->folds->nouter, OPTIONS, draws};
        status = rp_orbit_init(&s->orbit[k], rows, d->folds->row, d->n, &o, err);
    }
    if (!status) status = reserve(s, d->folds->nouter, err);
    if (!status) status = make_products(s, err);
    if (status)
        rp_null_free(s);
    else
        *null = s;
    return status;
}

double rp_null_memory(size_t rows, size_t width, size_t labels, size_t draws, size_t nouter,
                      int threads)
{
    double n = (double)rows, D = (double)width, T = (double)labels, K = OPTIONS;
    bool primal = rp_ridge_primal_at(rows, width, nouter);
    double order = primal ? D : n, folds = (double)nouter, B = (double)draws;
    double blocks = folds * (double)((BLOCKS + nouter - 1) / nouter);
    double shared = blocks * T * K * ((primal ? D * 4 : 0) + 8);           /* c, ysum */
    shared += T * B * 8 + folds * T * RP_NULL_PENALTIES * 3 * B * 8;       /* kept; sums */
    shared = RP_NULLS * (shared + n * (K * 4 + 8) + B * (blocks * 2 + 8)); /* orbits */
    double held = n / folds, band = 2 * RP_NULL_PENALTIES * RP_BAND + RP_BAND;
    double fold = order * (order + 2 * held + band) * 4;
    double label = blocks * K * (2 * order + RP_BAND + held) * 4 + K * held * 8;
    return shared + threads * (fold + label);
}

/* ---- an outer fold ---- */

/* What all labels share: the band in f32, and the held-out rows and query means, rotated. */
typedef struct fold {
    rp_null *s;
    const rp_ridge_outer *outer;
    const rp_set *set;
    rp_sband band;
    size_t first, n, queries;       /* held-out rows of the design; they are one range */
    size_t *start;                  /* [queries + 1] of a query's rows, from 0 */
    float *row, *mean;              /* [band.n, n], [band.n, queries] */
    float *l[RP_NULL_PENALTIES];    /* the band's factors */
    float *left[RP_NULL_PENALTIES]; /* [band.n, queries] (A + lambda)^-1 of the query means, where
                                     * they are fewer than the right-hand sides; not rotated */
} fold;

static void fold_release(fold *f)
{
    rp_sband_release(&f->band);
    free(f->start), free(f->row), free(f->mean);
    for (int k = 0; k < RP_NULL_PENALTIES; k++) free(f->l[k]), free(f->left[k]);
}

static void find_rows(fold *f)
{
    const rp_folds *folds = f->s->cells->d->folds;
    const size_t *query = f->s->rows->query;
    f->first = f->n = 0;
    for (size_t k = 0; k < folds->ncells; k++) {
        const rp_cell *cell = &folds->cell[k];
        if (cell->outer != f->outer->outer) continue;
        if (!f->n) f->first = cell->first;
        f->n += cell->end - cell->first;
    }
    for (size_t i = 0; i < f->n; i++) {
        size_t row = folds->row[f->first + i];
        if (!i || query[row] != query[folds->row[f->first + i - 1]]) f->start[f->queries++] = i;
    }
    f->start[f->queries] = f->n;
}

/* row <- what multiplies a solution to predict a held-out row: z, or Z z / m on the kernel side. */
static rp_status fill_rows(fold *f, rp_error *err)
{
    const rp_dside *side = f->outer->side;
    size_t D = side->d->width, n = f->band.n, m = f->set->m;
    double *z = rp_alloc(RP_TILE * D, sizeof *z), *k = rp_alloc(RP_TILE * m, sizeof *k);
    float *x = rp_alloc(RP_TILE * D, sizeof *x);
    rp_status status = z && k && x ? RP_OK : rp_fail_memory(err, RP_TILE * (D + m) * sizeof *z);
    for (size_t i = 0; i < f->n && !status; i += RP_TILE) {
        size_t some = f->n - i < RP_TILE ? f->n - i : RP_TILE, wide = side->primal ? D : m;
        if ((status = rp_set_tile(f->set, side->d, z, x, NULL, f->first + i, some, err))) break;
        if (!side->primal)
            cblas_dgemm(CblasColMajor, CblasTrans, CblasNoTrans, (int)m, (int)some, (int)D,
                        1 / (double)m, side->z, (int)D, z, (int)D, 0, k, (int)m);
        const double *from = side->primal ? z : k;
        for (size_t r = 0; r < some; r++)
            for (size_t j = 0; j < wide; j++) f->row[(i + r) * n + j] = (float)from[r * wide + j];
    }
    free(z), free(k), free(x);
    return status;
}

/* What all labels have in common at a penalty. */
static rp_status prepare(fold *f, rp_error *err)
{
    const rp_null *s = f->s;
    size_t n = f->band.n, Q = f->queries, cols = s->orbit[RP_QUERY].nblocks * OPTIONS;
    float *scratch = rp_alloc(RP_BAND * Q, sizeof *scratch);
    rp_status status = scratch ? RP_OK : rp_fail_memory(err, RP_BAND * Q * sizeof *scratch);
    for (size_t k = 0; k < s->npenalties && !status; k++) {
        f->l[k] = rp_alloc(2 * n * RP_BAND, sizeof *f->l[k]);
        if (Q < cols) f->left[k] = rp_alloc(n * Q, sizeof *f->left[k]);
        if (!f->l[k] || (Q < cols && !f->left[k]))
            status = rp_fail_memory(err, n * (2 * RP_BAND + Q) * sizeof *f->l[k]);
        else if (!rp_sband_factor(f->l[k], &f->band, (float)s->penalty[k]))
            status = rp_fail(err, RP_ECOMPUTE, "permutations: not positive definite at penalty %g",
                             s->penalty[k]);
        if (status || !f->left[k]) continue;
        memcpy(f->left[k], f->mean, n * Q * sizeof *f->mean);
        rp_sband_solve(f->l[k], &f->band, f->left[k], Q);
        rp_sband_rotate(&f->band, f->left[k], Q, false, scratch);
    }
    free(scratch);
    return status;
}

static rp_status fold_init(fold *f, rp_null *s, const rp_ridge_outer *outer, rp_error *err)
{
    *f = (fold){.s = s, .outer = outer, .set = outer->side->set};
    rp_status status = rp_sband_copy(&f->band, &outer->side->band, err);
    if (status) return status;
    size_t n = f->band.n;
    f->start = rp_alloc(s->cells->d->n + 1, sizeof *f->start);
    if (!f->start) return rp_fail_memory(err, s->cells->d->n * sizeof *f->start);
    find_rows(f);
    f->row = rp_alloc(n * f->n, sizeof *f->row);
    f->mean = rp_alloc(n * f->queries, sizeof *f->mean);
    float *scratch = rp_alloc(RP_BAND * f->n, sizeof *scratch);
    if (!f->row || !f->mean || !scratch) status = rp_fail_memory(err, n * f->n * sizeof *f->row);
    if (!status) status = fill_rows(f, err);
    if (!status) {
        rp_sband_rotate(&f->band, f->row, f->n, true, scratch);
        for (size_t q = 0; q < f->queries; q++) {
            float share = 1 / (float)(f->start[q + 1] - f->start[q]);
            for (size_t i = f->start[q]; i < f->start[q + 1]; i++)
                cblas_saxpy((int)n, share, f->row + i * n, 1, f->mean + q * n, 1);
        }
    }
    free(scratch);
    return status ? status : prepare(f, err);
}

/* One label under one kind of rearrangement. */
typedef struct trial {
    size_t m, nt, cols, *block, *train;
    double *y, *weight, *base;
    float *r, *f, *scratch, *x;
} trial;

static void trial_release(trial *v)
{
    free(v->block), free(v->train), free(v->y), free(v->weight), free(v->base);
    free(v->r), free(v->f), free(v->scratch), free(v->x);
}

static rp_status trial_init(trial *v, const fold *f, int kind, rp_error *err)
{
    const rp_orbit *o = &f->s->orbit[kind];
    size_t K = o->noptions, n = f->band.n, m = kind ? f->queries : f->n;
    *v = (trial){.m = m};
    v->train = rp_alloc(o->nblocks, sizeof *v->train);
    for (size_t g = 0; v->train && g < o->nblocks; g++)
        if (o->fold[g] != f->outer->outer) v->train[v->nt++] = g;
    v->cols = v->nt * K;
    v->block = rp_alloc(m, sizeof *v->block);
    v->y = rp_alloc(K * m, 8), v->weight = rp_alloc(m, 8), v->base = rp_alloc(v->cols, 8);
    v->r = rp_alloc(n * v->cols, 4), v->f = rp_alloc(m * v->cols, 4);
    v->x = rp_alloc(n * v->cols, 4), v->scratch = rp_alloc(RP_BAND * v->cols, 4);
    if (v->train && v->block && v->y && v->weight && v->base && v->r && v->f && v->x && v->scratch)
        return RP_OK;
    return rp_fail_memory(err, n * v->cols * 4);
}

/* Right-hand sides of every training block and option, in units of the design's y: what the
 * standardisation of y multiplies cancels. */
static void fill_sides(trial *v, const fold *f, int kind, size_t t)
{
    const rp_null *s = f->s;
    const rp_orbit *o = &s->orbit[kind];
    const rp_set *set = f->set;
    const double *y = s->cells->d->y + s->label[t] * o->n;
    size_t D = s->cells->d->width, K = o->noptions, n = f->band.n;
    double m = (double)set->m;
    memset(v->r, 0, n * v->cols * sizeof *v->r);
    for (size_t g = 0; g < v->nt; g++)
        for (size_t k = 0; k < K; k++) {
            size_t at = (v->train[g] * s->T + t) * K + k;
            double sum = s->ysum[kind][at];
            float *r = v->r + (g * K + k) * n;
            v->base[g * K + k] = sum / m;
            for (size_t j = 0; j < D && s->primal; j++)
                r[j] =
                    (float)(((double)s->c[kind][at * D + j] - set->mu[j] * sum) * set->inv[j] / m);
        }
    for (size_t i = 0; i < o->n && !s->primal; i++) {
        size_t g = 0, row = i < f->first ? i : i - f->n;
        if (o->fold[o->block[i]] == f->outer->outer) continue;
        while (v->train[g] != o->block[i]) g++;
        for (size_t k = 0; k < K; k++)
            v->r[(g * K + k) * n + row] = (float)y[o->from[k * o->n + i]];
    }
}

/* f [cols, m] <- predictions held' (A + lambda)^-1 r; r is rotated where `left` is not there. */
static void fill_predictions(trial *v, const fold *f, int kind, size_t k)
{
    int n = (int)f->band.n, m = (int)v->m, cols = (int)v->cols;
    const float *held = kind ? f->left[k] : NULL, *x = v->r;
    if (!held) {
        held = kind ? f->mean : f->row, x = v->x;
        memcpy(v->x, v->r, f->band.n * v->cols * sizeof *v->x);
        rp_sband_solve(f->l[k], &f->band, v->x, v->cols);
    }
    cblas_sgemm(CblasColMajor, CblasTrans, CblasNoTrans, m, cols, n, 1, held, n, x, n, 0, v->f, m);
}

/* Predictions of rows, centred within their query. */
static void centre_predictions(trial *v, const fold *f)
{
    for (size_t q = 0; q < f->queries; q++)
        for (size_t c = 0; c < v->cols; c++) {
            size_t a = f->start[q], b = f->start[q + 1];
            float mean = 0, *at = v->f + c * v->m;
            for (size_t i = a; i < b; i++) mean += at[i];
            mean /= (float)(b - a);
            for (size_t i = a; i < b; i++) at[i] -= mean;
        }
}

/* Documents: rows, centred within their query. */
static void fill_rows_of(trial *v, const fold *f, size_t t)
{
    const rp_orbit *o = &f->s->orbit[RP_DOCUMENT];
    const double *y = f->s->cells->d->y + f->s->label[t] * o->n;
    for (size_t i = 0; i < v->m; i++) {
        v->block[i] = o->block[f->first + i], v->weight[i] = 1;
        for (size_t k = 0; k < o->noptions; k++)
            v->y[k * v->m + i] = y[o->from[k * o->n + f->first + i]];
    }
    for (size_t q = 0; q < f->queries; q++) {
        size_t a = f->start[q], b = f->start[q + 1];
        for (size_t k = 0; k < o->noptions; k++) {
            double mean = 0, *at = v->y + k * v->m;
            for (size_t i = a; i < b; i++) mean += at[i] / (double)(b - a);
            for (size_t i = a; i < b; i++) at[i] -= mean;
        }
    }
}

/* Queries: the means of their rows. */
static void fill_queries(trial *v, const fold *f, size_t t)
{
    const rp_orbit *o = &f->s->orbit[RP_QUERY];
    const double *y = f->s->cells->d->y + f->s->label[t] * o->n;
    for (size_t q = 0; q < v->m; q++) {
        size_t a = f->start[q], b = f->start[q + 1];
        v->block[q] = o->block[f->first + a], v->weight[q] = (double)(b - a);
        for (size_t k = 0; k < o->noptions; k++) {
            double mean = 0;
            for (size_t i = a; i < b; i++) mean += y[o->from[k * o->n + f->first + i]];
            v->y[k * v->m + q] = mean / (double)(b - a);
        }
    }
}

static rp_status try_penalties(trial *v, const fold *f, int kind, size_t t, rp_error *err)
{
    rp_null *s = f->s;
    size_t at = ((size_t)f->outer->outer * s->T + t) * s->npenalties;
    rp_orbit_part part = {v->m,  v->block, v->y, v->weight,
                          v->nt, v->train, v->f, kind ? v->base : NULL};
    if (!kind || !f->left[0]) rp_sband_rotate(&f->band, v->r, v->cols, true, v->scratch);
    for (size_t k = 0; k < s->npenalties; k++) {
        double *sum = s->sums[kind] + (at + k) * 3 * s->ndraws;
        rp_orbit_sums to = {sum, sum + s->ndraws, sum + 2 * s->ndraws};
        fill_predictions(v, f, kind, k);
        if (!kind) centre_predictions(v, f);
        rp_status status = rp_orbit_add(&to, &s->orbit[kind], &part, err);
        if (status) return status;
    }
    return RP_OK;
}

static rp_status try_label(const fold *f, int kind, size_t t, rp_error *err)
{
    trial v;
    if (!(f->set->yinv[f->s->label[t]] > 0)) return RP_OK; /* constant here: not tested */
    rp_status status = trial_init(&v, f, kind, err);
    if (!status) {
        fill_sides(&v, f, kind, t);
        if (kind)
            fill_queries(&v, f, t);
        else
            fill_rows_of(&v, f, t);
        status = try_penalties(&v, f, kind, t, err);
    }
    trial_release(&v);
    return status;
}

rp_status rp_null_outer(void *arg, const rp_ridge_outer *outer, rp_error *err)
{
    rp_null *s = arg;
    fold f;
    rp_status status = fold_init(&f, s, outer, err);
    if (!status) {
        size_t n = RP_NULLS * s->T;
#pragma omp taskloop grainsize(1) shared(status)
        for (size_t k = 0; k < n; k++) {
            rp_error error = {0};
            rp_status done = try_label(&f, (int)(k % RP_NULLS), k / RP_NULLS, &error);
            if (!done) continue;
#pragma omp critical(rp_null_failed)
            if (!status) status = rp_fail(err, done, "%s", error.text);
        }
    }
    fold_release(&f);
    return status;
}

rp_status rp_null_gather(rp_null *s, rp_error *err)
{
    const rp_design *d = s->cells->d;
    size_t n = d->folds->nouter * s->T * s->npenalties * 3 * s->ndraws;
    rp_status status = RP_OK;
    for (int k = 0; k < RP_NULLS && !status; k++) status = rp_design_gather(d, s->sums[k], n, err);
    return status;
}

/* Does a draw leave some block as it was observed? Where there is a signal it has a part of it. */
static bool mixed(const rp_orbit *o, size_t b)
{
    for (size_t g = 0; g < o->nblocks; g++)
        if (!o->pick[b * o->nblocks + g]) return true;
    return false;
}

rp_status rp_null_statistic(double *t, double *upper, const rp_null *s, int kind, size_t p,
                            rp_error *err)
{
    size_t at = 0, B = s->ndraws, nouter = s->cells->d->folds->nouter, pure = 0;
    while (at < s->T && s->label[at] != p) at++;
    if (at == s->T) return RP_OK;
    double *sum = rp_alloc(4 * B, sizeof *sum);
    if (!sum) return rp_fail_memory(err, 4 * B * sizeof *sum);
    double *one = sum + 3 * B;
    for (size_t k = 0; k < s->npenalties; k++) {
        memset(sum, 0, 3 * B * sizeof *sum);
        for (size_t o = 0; o < nouter; o++) {
            const double *e = s->sums[kind] + ((o * s->T + at) * s->npenalties + k) * 3 * B;
            for (size_t b = 0; b < 3 * B; b++) sum[b] += e[b];
        }
        rp_orbit_statistic(one, &(rp_orbit_sums){sum, sum + B, sum + 2 * B}, B);
        for (size_t b = 0; b < B; b++)
            if (!k || one[b] > t[b]) t[b] = one[b];
    }
    for (size_t b = 1; b < B; b++)
        if (!mixed(&s->orbit[kind], b) && isfinite(t[b])) one[pure++] = t[b];
    *upper = pure ? rp_quantile(one, pure, .975) : NAN;
    free(sum);
    return RP_OK;
}
