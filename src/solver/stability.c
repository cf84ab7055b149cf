#include "solver/stability.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/number.h"

enum { BLOCK = 64 };
static const double DOWN = .8, CLOSE = 1.02;

typedef struct job {
    rp_stability *out;
    const rp_cells *cells;
    const rp_design *d;
    const rp_stability_options *o;
    rp_panel x;
    size_t n, D, P, H;       /* H = 2 pairs halves */
    rp_set all;              /* all rows */
    rp_lasso_problem *begin; /* [P] solved on them */
    unsigned char *half;     /* [pairs, nqueries] 0, 1; 2: in neither */
    bool *used;              /* [n] */
    double *sum, *square;    /* [H, D] of u, u^2 */
    rp_lasso_problem *p;     /* [P, 2] of a pair */
    float *r, *q;            /* [2 P, n], [2 P, D] */
} job;

static void job_release(job *k)
{
    for (size_t i = 0; k->begin && i < k->P; i++) rp_lasso_problem_release(&k->begin[i]);
    for (size_t i = 0; k->p && i < 2 * k->P; i++) rp_lasso_problem_release(&k->p[i]);
    rp_panel_release(&k->x);
    rp_set_release(&k->all);
    free(k->begin), free(k->half), free(k->used), free(k->sum), free(k->square), free(k->p);
    free(k->r), free(k->q);
}

static rp_status job_init(job *k, rp_error *err)
{
    const rp_folds *folds = k->d->folds;
    k->begin = rp_alloc(k->P, sizeof *k->begin), k->p = rp_alloc(2 * k->P, sizeof *k->p);
    k->half = rp_alloc(k->o->pairs, k->o->nqueries), k->used = rp_alloc(k->n, 1);
    k->sum = rp_alloc(k->H * k->D, 8), k->square = rp_alloc(k->H * k->D, 8);
    k->r = rp_alloc(2 * k->P * k->n, 4), k->q = rp_alloc(2 * k->P * k->D, 4);
    if (!k->begin || !k->p || !k->half || !k->used || !k->sum || !k->square || !k->r || !k->q)
        return rp_fail_memory(err, k->H * k->D * 16 + 2 * k->P * (k->n + k->D) * 4);
    for (size_t c = 0; c < folds->ncells; c++)
        for (size_t i = folds->cell[c].first; i < folds->cell[c].end; i++)
            k->used[i] = folds->cell[c].outer >= 0;
    rp_status status = rp_set_init(&k->all, k->cells, -1, -1, err);
    return status ? status : rp_panel_init(&k->x, k->d, err);
}

/* Which half of pair `pair` row i is in. */
static int half_of(const job *k, size_t pair, size_t i)
{
    return k->used[i] ? k->half[pair * k->o->nqueries + k->o->query[i]] : 2;
}

static rp_status draw(job *k, rp_error *err)
{
    size_t nq = k->o->nqueries, *index = rp_alloc(nq, sizeof *index);
    if (!index) return rp_fail_memory(err, nq * sizeof *index);
    for (size_t pair = 0; pair < k->o->pairs; pair++) {
        rp_rng rng;
        rp_rng_init(&rng, k->o->seed, pair);
        for (size_t i = 0; i < nq; i++) index[i] = i;
        rp_rng_shuffle(&rng, index, nq);
        for (size_t i = 0; i < nq; i++)
            k->half[pair * nq + index[i]] = (unsigned char)(i / (nq / 2));
    }
    free(index);
    return RP_OK;
}

/* ---- moments of every half ---- */

static rp_status moments(job *k, rp_error *err)
{
    size_t n = k->n, D = k->D, H = k->H;
    double *in = rp_alloc(H * n, sizeof *in);
    rp_status status = in ? RP_OK : rp_fail_memory(err, H * n * sizeof *in);
    for (size_t h = 0; h < H && in; h++)
        for (size_t i = 0; i < n; i++) in[h * n + i] = half_of(k, h / 2, i) == (int)(h % 2);
#pragma omp parallel
    {
        double *u = rp_alloc(n, BLOCK * sizeof *u);
#pragma omp for schedule(dynamic, 1)
        for (long b = 0; b < (long)((D + BLOCK - 1) / BLOCK); b++) {
            size_t first = (size_t)b * BLOCK, some = D - first < BLOCK ? D - first : BLOCK;
            if (!in || !u) {
#pragma omp critical(rp_stability_failed)
                status = rp_fail_memory(err, n * (BLOCK + H) * sizeof *u);
                continue;
            }
            for (size_t j = 0; j < some; j++) rp_panel_get(u + j * n, &k->x, first + j, NULL, n);
            cblas_dgemm(CblasColMajor, CblasTrans, CblasNoTrans, (int)some, (int)H, (int)n, 1, u,
                        (int)n, in, (int)n, 0, k->sum + first, (int)D);
            for (size_t i = 0; i < some * n; i++) u[i] *= u[i];
            cblas_dgemm(CblasColMajor, CblasTrans, CblasNoTrans, (int)some, (int)H, (int)n, 1, u,
                        (int)n, in, (int)n, 0, k->square + first, (int)D);
        }
        free(u);
    }
    free(in);
    return status;
}

/* The set of half h, with cross products of a f32 product: the lasso makes them exact. */
static rp_status half_set(rp_set *set, const job *k, size_t h, rp_error *err)
{
    size_t n = k->n, D = k->D, all = k->P + k->d->extras, E = k->d->extras;
    rp_sums sums = {.s = k->sum + h * D,
                    .sq = k->square + h * D,
                    .c = rp_alloc(all * D, 8),
                    .ys = rp_alloc(all, 8),
                    .yy = rp_alloc(all * (E + 1), 8)};
    rp_status status =
        sums.c && sums.ys && sums.yy ? RP_OK : rp_fail_memory(err, all * D * sizeof *sums.c);
    for (size_t i = 0; i < n; i++) sums.m += half_of(k, h / 2, i) == (int)(h % 2);
    for (size_t p = 0; p < k->P && !status; p++) {
        const float *q = k->q + (2 * p + h % 2) * D;
        const double *y = k->d->y + p * n;
        for (size_t j = 0; j < D; j++) sums.c[p * D + j] = (double)q[j];
        for (size_t i = 0; i < n; i++) {
            if (half_of(k, h / 2, i) != (int)(h % 2)) continue;
            sums.ys[p] += y[i], sums.yy[p * (E + 1) + E] += y[i] * y[i];
        }
    }
    if (!status) status = rp_set_from_sums(set, k->d, &sums, err);
    free(sums.c), free(sums.ys), free(sums.yy);
    return status;
}

/* ---- penalties ---- */

/* The next penalty to try: down from a_max, then between the last one that selected too many and
 * the one before. NaN when it is found, or at a_max / 1000. */
static double next_penalty(double low, double high, double most)
{
    if (low > 0) return high / low < CLOSE ? NAN : sqrt(low * high);
    return high > most / 1000 ? high * DOWN : NAN;
}

/* The smallest penalty, nearly, at which no more than q units are selected on all rows. */
static rp_status find_penalties(job *k, double q, rp_error *err)
{
    size_t P = k->P, D = k->D;
    rp_lasso_rows rows;
    double *low = rp_alloc(P, 8), *high = rp_alloc(P, 8), *most = rp_alloc(P, 8);
    rp_status status = low && high && most ? RP_OK : rp_fail_memory(err, P * 24);
    if (!status) status = rp_lasso_rows_init(&rows, k->d, NULL, &k->all, 1, err);
    if (status) {
        free(low), free(high), free(most);
        return status;
    }
    for (size_t p = 0; p < P; p++) {
        for (size_t j = 0; j < D; j++) high[p] = fmax(high[p], fabs(k->all.c[p * D + j]));
        high[p] /= k->o->l1_ratio, most[p] = high[p];
        k->begin[p].label = p;
    }
    for (bool last = false; !last && !status;) { /* and once more at what was found */
        last = true;
        for (size_t p = 0; p < P; p++) {
            double a = next_penalty(low[p], high[p], most[p]);
            last &= isnan(a);
            k->begin[p].penalty = isnan(a) ? high[p] : a;
        }
        status = rp_lasso_solve(k->begin, P, &k->x, &rows, k->o->l1_ratio, NULL, err);
        if (!status) status = rp_host_progress(k->o->host, "stability", 0, k->o->pairs, err);
        for (size_t p = 0; p < P; p++)
            *((double)k->begin[p].units <= q ? &high[p] : &low[p]) = k->begin[p].penalty;
    }
    rp_lasso_rows_release(&rows);
    free(low), free(high), free(most);
    return status;
}

/* ---- a pair ---- */

static rp_status pair_rows(rp_lasso_rows *rows, const job *k, const rp_set *set, size_t pair,
                           rp_error *err)
{
    static const unsigned char use[4] = {1, 0, 0, 1};
    size_t *first = rp_alloc(3, sizeof *first), *row = rp_alloc(k->n, sizeof *row);
    *rows = (rp_lasso_rows){2, 2, set, use, first, row, NULL};
    if (!first || !row) return rp_fail_memory(err, k->n * sizeof *row);
    for (int h = 0; h < 2; h++) {
        first[h + 1] = first[h];
        for (size_t i = 0; i < k->n; i++)
            if (half_of(k, pair, i) == h) row[first[h + 1]++] = i;
    }
    return RP_OK;
}

static rp_status start(rp_lasso_problem *p, const rp_lasso_problem *from, size_t set, rp_error *err)
{
    rp_lasso_problem_release(p);
    *p = (rp_lasso_problem){.label = from->label, .set = set, .penalty = from->penalty};
    p->unit = rp_alloc(from->units, sizeof *p->unit), p->w = rp_alloc(from->units, 8);
    if (!p->unit || !p->w) return rp_fail_memory(err, from->units * 16);
    if (from->units) memcpy(p->unit, from->unit, from->units * sizeof *p->unit);
    if (from->units) memcpy(p->w, from->w, from->units * sizeof *p->w);
    p->units = from->units;
    return RP_OK;
}

static rp_status fit_pair(job *k, size_t pair, rp_error *err)
{
    size_t n = k->n;
    rp_set set[2] = {{0}, {0}};
    rp_lasso_rows rows = {0};
    memset(k->r, 0, 2 * k->P * n * sizeof *k->r);
    for (size_t p = 0; p < k->P; p++)
        for (size_t i = 0; i < n; i++) {
            int h = half_of(k, pair, i);
            if (h < 2) k->r[(2 * p + (size_t)h) * n + i] = (float)k->d->y[p * n + i];
        }
    rp_status status = rp_panel_product(k->q, &k->x, k->r, 2 * k->P, err);
    for (size_t h = 0; h < 2 && !status; h++) status = half_set(&set[h], k, 2 * pair + h, err);
    for (size_t i = 0; i < 2 * k->P && !status; i++)
        status = start(&k->p[i], &k->begin[i / 2], i % 2, err);
    if (!status) status = pair_rows(&rows, k, set, pair, err);
    if (!status) status = rp_lasso_solve(k->p, 2 * k->P, &k->x, &rows, k->o->l1_ratio, NULL, err);
    for (size_t i = 0; i < 2 * k->P && !status; i++) {
        for (size_t h = 0; h < k->p[i].units; h++)
            k->out->frequency[i / 2 * k->D + k->p[i].unit[h]] += 1;
        k->out->selected[i / 2] += (double)k->p[i].units / (double)k->H;
    }
    free((void *)rows.first), free((void *)rows.row);
    rp_set_release(&set[0]), rp_set_release(&set[1]);
    return status;
}

static rp_status work(job *k, rp_error *err)
{
    const rp_stability_options *o = k->o;
    double share = 2 * o->threshold - 1, D = (double)k->D;
    rp_status status = job_init(k, err);
    if (!status) status = draw(k, err);
    if (!status) status = moments(k, err);
    if (!status) status = find_penalties(k, sqrt(share * D * o->pfer), err);
    for (size_t pair = 0; pair < o->pairs && !status; pair++) {
        status = fit_pair(k, pair, err);
        if (!status) status = rp_host_progress(o->host, "stability", pair + 1, o->pairs, err);
    }
    if (status) return status;
    for (size_t i = 0; i < k->P * k->D; i++) k->out->frequency[i] /= (float)k->H;
    for (size_t p = 0; p < k->P; p++) {
        k->out->penalty[p] = k->all.yinv[p] > 0 ? k->begin[p].penalty : NAN;
        k->out->bound[p] = k->out->selected[p] * k->out->selected[p] / (share * D);
    }
    return RP_OK;
}

void rp_stability_release(rp_stability *s)
{
    free(s->frequency), free(s->penalty), free(s->selected), free(s->bound);
    *s = (rp_stability){0};
}

rp_status rp_stability_run(rp_stability *s, const rp_cells *cells, const rp_stability_options *o,
                           rp_error *err)
{
    const rp_design *d = cells->d;
    size_t P = d->labels, D = d->width;
    *s = (rp_stability){.labels = P, .width = D};
    if (o->nqueries < 4)
        return rp_fail(err, RP_EARG, "%s: %zu queries are too few to be halved", d->x->name,
                       o->nqueries);
    if (o->pairs < 1) return rp_fail(err, RP_EARG, "stability selection: no pairs of halves");
    if (!(o->threshold > .5 && o->threshold <= 1))
        return rp_fail(err, RP_EARG, "threshold is not above .5 and at most 1: %g", o->threshold);
    if (!(o->pfer > 0))
        return rp_fail(err, RP_EARG, "expected false selections are not above 0: %g", o->pfer);
    s->frequency = rp_alloc(P * D, sizeof *s->frequency);
    s->penalty = rp_alloc(P, 8), s->selected = rp_alloc(P, 8), s->bound = rp_alloc(P, 8);
    job k = {
        .out = s, .cells = cells, .d = d, .o = o, .n = d->n, .D = D, .P = P, .H = 2 * o->pairs};
    rp_status status = s->frequency && s->penalty && s->selected && s->bound
                           ? RP_OK
                           : rp_fail_memory(err, P * D * sizeof *s->frequency);
    if (!status) status = work(&k, err);
    job_release(&k);
    if (status) rp_stability_release(s);
    return status;
}

double rp_stability_memory(size_t rows, size_t width, size_t labels, size_t pairs, int threads)
{
    double n = (double)rows, D = (double)width, P = (double)labels, H = 2 * (double)pairs;
    return n * D * 4 + H * (n + 2 * D) * 8 + 4 * P * (n + D) * 4 + 3 * P * D * 8 + P * D * 4 +
           threads * n * BLOCK * 16;
}
