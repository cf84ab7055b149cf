#include <cblas.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "solver/active.h"
#include "solver/lasso.h"

enum { BLOCK = 64, PATIENCE = 15, REPAIRS = 20 };
static const double PIVOT = 2e-6;     /* correlations are f32 here */
static const double TOLERANCE = 1e-4; /* violation that counts, relative to the penalty */

typedef struct path {
    const rp_panel *x;
    const rp_set *outer;
    size_t n, D, folds;
    rp_set *inner; /* [folds] */
    float **a;     /* [folds] [D, D] correlations; NULL where an inner set is empty */
    size_t **held; /* [folds] [inner.held] rows of the design that are held out */
    double ratio;
} path;

/* ---- correlation matrices of the inner sets ---- */

/* Columns first..first+some-1, below the diagonal, of every inner set's matrix: of each cell only
 * once, since what an inner set leaves out is what no other leaves out. */
static void columns(const path *k, const rp_cells *cells, float *turned, double *sum, size_t first,
                    size_t some)
{
    size_t D = k->D, F = k->folds;
    const rp_folds *folds = cells->d->folds;
    for (size_t j = first; j < first + some; j++) {
        memset(sum, 0, (F + 1) * D * sizeof *sum);
        for (size_t c = 0; c < folds->ncells; c++) {
            const rp_cell *cell = &folds->cell[c];
            if (!rp_cell_trains(cell, k->outer->outer, -1)) continue;
            size_t f = cell->inner >= 0 && (size_t)cell->inner < F ? (size_t)cell->inner : F;
            const double *g = cells->cell[c].gram + j * D;
            double *to = sum + f * D;
            for (size_t i = j; i < D; i++) to[i] += g[i];
        }
        for (size_t f = 0; f < F; f++) /* rows without an inner fold train always: total last */
            for (size_t i = j; i < D; i++) sum[F * D + i] += sum[f * D + i];
        for (size_t f = 0; f < F; f++) {
            const rp_set *s = &k->inner[f];
            if (!k->a[f]) continue;
            float *to = turned + (f * BLOCK + j - first) * D;
            double m = (double)s->m, mu = s->mu[j], inv = s->inv[j];
            for (size_t i = j; i < D; i++)
                to[i] = (float)(((sum[F * D + i] - sum[f * D + i]) / m - s->mu[i] * mu) *
                                s->inv[i] * inv);
        }
    }
}

/* Both triangles: the columns as they are, and row by row what mirrors them. */
static void mirror(const path *k, const float *turned, size_t first, size_t some)
{
    size_t D = k->D;
    for (size_t f = 0; f < k->folds; f++) {
        float *a = k->a[f];
        const float *from = turned + f * BLOCK * D;
        if (!a) continue;
        for (size_t j = 0; j < some; j++)
            memcpy(a + (first + j) * D + first + j, from + j * D + first + j,
                   (D - first - j) * sizeof *a);
        for (size_t i = first; i < D; i++)
            for (size_t j = 0; j < some && first + j < i; j++)
                a[i * D + first + j] = from[j * D + i];
    }
}

static rp_status correlate(const path *k, const rp_cells *cells, rp_error *err)
{
    size_t D = k->D;
    rp_status status = RP_OK;
#pragma omp parallel
    {
        float *turned = rp_alloc(k->folds * BLOCK, D * sizeof *turned);
        double *sum = rp_alloc(k->folds + 1, D * sizeof *sum);
#pragma omp for schedule(dynamic, 1)
        for (long b = 0; b < (long)((D + BLOCK - 1) / BLOCK); b++) {
            size_t first = (size_t)b * BLOCK, some = D - first < BLOCK ? D - first : BLOCK;
            if (!turned || !sum) {
#pragma omp critical(rp_lasso_failed)
                status = rp_fail_memory(err, k->folds * BLOCK * D * sizeof *turned);
                continue;
            }
            columns(k, cells, turned, sum, first, some);
            mirror(k, turned, first, some);
        }
        free(turned), free(sum);
    }
    return status;
}

static void path_release(path *k)
{
    for (size_t f = 0; f < k->folds; f++) {
        if (k->inner) rp_set_release(&k->inner[f]);
        if (k->a) free(k->a[f]);
        if (k->held) free(k->held[f]);
    }
    free(k->inner), free(k->a), free(k->held);
}

static rp_status held_rows(path *k, size_t f, rp_error *err)
{
    const rp_folds *folds = k->x->d->folds;
    size_t n = 0, *row = k->held[f] = rp_alloc(k->inner[f].held, sizeof *row);
    if (!row) return rp_fail_memory(err, k->inner[f].held * sizeof *row);
    for (size_t c = 0; c < folds->ncells; c++) {
        const rp_cell *cell = &folds->cell[c];
        if (!rp_cell_held(cell, k->outer->outer, (int)f)) continue;
        for (size_t i = cell->first; i < cell->end; i++) row[n++] = i;
    }
    return RP_OK;
}

static rp_status path_init(path *k, const rp_cells *cells, rp_error *err)
{
    rp_status status = RP_OK;
    k->inner = rp_alloc(k->folds, sizeof *k->inner);
    k->a = rp_alloc(k->folds, sizeof *k->a);
    k->held = rp_alloc(k->folds, sizeof *k->held);
    if (!k->inner || !k->a || !k->held) return rp_fail_memory(err, k->folds * sizeof *k->inner);
    for (size_t f = 0; f < k->folds && !status; f++) {
        status = rp_set_init(&k->inner[f], cells, k->outer->outer, (int)f, err);
        if (status || !k->inner[f].m || !k->inner[f].held) continue;
        status = held_rows(k, f, err);
        if (!status && !(k->a[f] = malloc(k->D * k->D * sizeof(float)))) /* filled at once */
            status = rp_fail_memory(err, k->D * k->D * sizeof(float));
    }
    return status ? status : correlate(k, cells, err);
}

/* ---- one label on one inner set ---- */

typedef struct strand {
    const path *path;
    const rp_set *set;
    const float *a; /* NULL: this set does not take part */
    const size_t *row;
    size_t label;
    rp_active active;
    size_t *col;        /* [D] columns of the active problem */
    int *at;            /* [D] place in col, -1: not there */
    float *q;           /* [D] gradient of all columns */
    size_t n, *support; /* [n] places of the non-zero coefficients */
    size_t zcap;
    double *z; /* [W, held] */
    double *e; /* [held] */
} strand;

static void strand_release(strand *s)
{
    rp_active_release(&s->active);
    free(s->col), free(s->at), free(s->q), free(s->support), free(s->z), free(s->e);
}

/* A strand keeps its memory from label to label. */
static rp_status strand_start(strand *s, const path *k, size_t f, size_t label, rp_error *err)
{
    size_t D = k->D;
    s->path = k, s->set = &k->inner[f], s->label = label, s->row = k->held[f];
    s->a = k->a[f] && s->set->yinv[label] > 0 ? k->a[f] : NULL;
    s->n = 0;
    rp_active_clear(&s->active);
    if (!s->a) return RP_OK;
    if (!s->col) {
        s->col = rp_alloc(D, sizeof *s->col), s->at = rp_alloc(D, sizeof *s->at);
        s->q = rp_alloc(D, sizeof *s->q), s->e = rp_alloc(s->set->held, sizeof *s->e);
        s->support = rp_alloc(D, sizeof *s->support);
        if (!s->at || !s->q || !s->e || !s->support || !s->col) return rp_fail_memory(err, D * 24);
    }
    for (size_t j = 0; j < D; j++) s->at[j] = -1, s->q[j] = (float)s->set->c[label * D + j];
    s->active.pivot = PIVOT;
    return RP_OK;
}

static rp_status enter(strand *s, size_t j, rp_error *err)
{
    size_t D = s->path->D, W = s->active.n, m = s->set->held;
    rp_status status = rp_active_resize(&s->active, W + 1, err);
    if (!status) status = rp_grow(&s->z, &s->zcap, (W + 1) * m, sizeof *s->z, err);
    if (status) return status;
    s->col[W] = j, s->at[j] = (int)W;
    for (size_t i = 0; i <= W; i++) {
        double v = (double)s->a[j * D + s->col[i]];
        s->active.a[W * s->active.cap + i] = s->active.a[i * s->active.cap + W] = v;
    }
    s->active.c[W] = s->set->c[s->label * D + j];
    double *z = s->z + W * m, mu = s->set->mu[j], inv = s->set->inv[j];
    rp_panel_get(z, s->path->x, j, s->row, m);
    for (size_t i = 0; i < m; i++) z[i] = (z[i] - mu) * inv;
    return RP_OK;
}

/* q <- c - A w, four columns of the support at a time. */
static void gradient(strand *s)
{
    size_t D = s->path->D, n = 0;
    float *restrict q = s->q;
    const double *c = s->set->c + s->label * D;
    for (size_t j = 0; j < D; j++) q[j] = (float)c[j];
    for (size_t k = 0; k < s->active.n; k++)
        if (s->active.w[k] != 0) s->support[n++] = k;
    s->n = n;
    for (size_t h = 0; h < n; h += 4) {
        const float *a[4];
        float w[4] = {0};
        for (size_t i = 0; i < 4; i++) {
            size_t k = s->support[h + i < n ? h + i : h];
            a[i] = s->a + s->col[k] * D;
            if (h + i < n) w[i] = (float)s->active.w[k];
        }
        for (size_t j = 0; j < D; j++)
            q[j] -= (w[0] * a[0][j] + w[1] * a[1][j]) + (w[2] * a[2][j] + w[3] * a[3][j]);
    }
}

static rp_status enter_above(strand *s, double limit, size_t *entered, rp_error *err)
{
    rp_status status = RP_OK;
    *entered = 0;
    for (size_t j = 0; j < s->path->D && !status; j++) {
        if (!(fabs((double)s->q[j]) >= limit) || s->at[j] >= 0 || s->set->inv[j] == 0) continue;
        status = enter(s, j, err);
        ++*entered;
    }
    return status;
}

/* To the next penalty: the strong rule (Tibshirani et al. 2012) says which columns may be wanted,
 * the gradient afterwards whether it was right. *sse <- squared held-out error. */
static rp_status advance(strand *s, double *sse, double a, double before, rp_error *err)
{
    double l1 = a * s->path->ratio, l2 = a - l1, m = 0;
    size_t entered;
    rp_status status =
        enter_above(s, fmax(2 * l1 - before * s->path->ratio, .2 * l1), &entered, err);
    for (int repair = 0; repair < REPAIRS && !status; repair++) {
        rp_active_solve(&s->active, l1, l2);
        gradient(s);
        status = enter_above(s, l1 * (1 + TOLERANCE), &entered, err);
        if (!entered) break;
    }
    if (status) return status;
    const double *y = s->path->x->d->y + s->label * s->path->n;
    double mean = s->set->ymu[s->label], by = s->set->yinv[s->label];
    size_t held = s->set->held;
    for (size_t i = 0; i < held; i++) s->e[i] = (y[s->row[i]] - mean) * by;
    for (size_t h = 0; h < s->n; h++) {
        size_t k = s->support[h];
        cblas_daxpy((int)held, -s->active.w[k], s->z + k * held, 1, s->e, 1);
    }
    for (size_t i = 0; i < held; i++) m += s->e[i] * s->e[i];
    *sse = m;
    return RP_OK;
}

/* ---- one label ---- */

/* Columns of all strands' supports, with the coefficients of the first. */
static rp_status remember(rp_lasso_problem *p, const strand *s, size_t folds, rp_error *err)
{
    size_t D = s->path->D, n = 0, most = 0;
    for (size_t f = 0; f < folds; f++) most += s[f].a ? s[f].n : 0;
    rp_lasso_problem_release(p);
    p->unit = rp_alloc(most, sizeof *p->unit), p->w = rp_alloc(most, sizeof *p->w);
    if (!p->unit || !p->w) return rp_fail_memory(err, most * 16);
    for (size_t j = 0; j < D; j++) {
        double w = 0;
        bool in = false;
        for (size_t f = folds; f-- > 0;)
            if (s[f].a && s[f].at[j] >= 0 && s[f].active.w[s[f].at[j]] != 0)
                in = true, w = s[f].active.w[s[f].at[j]];
        if (in) p->unit[n] = j, p->w[n++] = w;
    }
    p->units = n;
    return RP_OK;
}

static rp_status walk(rp_lasso_problem *p, double *sse, bool *cut, strand *s, size_t folds,
                      double most, rp_error *err)
{
    double least = INFINITY, before = most;
    size_t best = 0;
    rp_status status = RP_OK;
    for (size_t i = 0; i < folds * RP_LASSO_PATH; i++) sse[i] = INFINITY;
    for (size_t k = 0; k < RP_LASSO_PATH && k <= best + PATIENCE && !*cut && !status; k++) {
        double a = most * pow(10, -3. * (double)k / (RP_LASSO_PATH - 1)), pooled = 0;
        for (size_t f = 0; f < folds && !status; f++) {
            if (!s[f].a) continue;
            double *to = &sse[f * RP_LASSO_PATH + k], inv = s[f].set->yinv[s[f].label];
            status = advance(&s[f], to, a, before, err);
            pooled += *to / (inv * inv);
            *cut |= 2 * s[f].n >= s[f].set->m;
        }
        if (pooled < least && !status) {
            least = pooled, best = k;
            status = remember(p, s, folds, err);
        }
        before = a;
    }
    return status;
}

static rp_status choose(rp_lasso_problem *p, double *cv, bool *cut, strand *s, const path *k,
                        rp_error *err)
{
    size_t F = k->folds, D = k->D;
    double *sse = rp_alloc(F * RP_LASSO_PATH, sizeof *sse), most = 0;
    const rp_set **set = rp_alloc(F, sizeof *set);
    rp_status status = sse && set ? RP_OK : rp_fail_memory(err, F * RP_LASSO_PATH * 8);
    for (size_t j = 0; j < D; j++) most = fmax(most, fabs(k->outer->c[p->label * D + j]));
    most /= k->ratio;
    for (size_t f = 0; f < F && !status; f++) {
        set[f] = &k->inner[f];
        status = strand_start(&s[f], k, f, p->label, err);
    }
    if (!status) status = walk(p, sse, cut, s, F, most, err);
    if (!status) {
        size_t best = rp_penalty_choose(cv, sse, RP_LASSO_PATH, set, F, p->label);
        p->penalty = most * pow(10, -3. * (double)best / (RP_LASSO_PATH - 1));
    }
    free(sse), free(set);
    return status;
}

rp_status rp_lasso_path(rp_lasso_problem *p, double *cv, size_t *cut, const rp_set *set,
                        const rp_panel *x, const rp_cells *cells, double l1_ratio, rp_error *err)
{
    path k = {.x = x,
              .outer = set,
              .n = x->d->n,
              .D = x->d->width,
              .folds = x->d->folds->ninner,
              .ratio = l1_ratio};
    size_t cuts = 0, strands = k.folds * (size_t)omp_get_max_threads();
    strand *s = rp_alloc(strands, sizeof *s);
    rp_status status = s ? path_init(&k, cells, err) : rp_fail_memory(err, strands * sizeof *s);
#pragma omp parallel for schedule(dynamic, 1) reduction(+ : cuts)
    for (long i = 0; i < (long)x->d->labels; i++) {
        rp_error error = {0};
        bool early = false;
        p[i].label = (size_t)i, p[i].penalty = cv[i] = NAN;
        if (status || !(set->yinv[i] > 0)) continue;
        rp_status failed =
            choose(&p[i], &cv[i], &early, s + (size_t)omp_get_thread_num() * k.folds, &k, &error);
        cuts += early;
        if (!failed) continue;
#pragma omp critical(rp_lasso_failed)
        if (!status) status = rp_fail(err, failed, "%s", error.text);
    }
    if (cut) *cut = cuts;
    for (size_t i = 0; s && i < strands; i++) strand_release(&s[i]);
    free(s);
    path_release(&k);
    return status;
}
