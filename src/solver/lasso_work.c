#include "solver/lasso_work.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { PASSES = 8 };
enum { KEPT = 384 }; /* Grams of wider working sets are made anew every time, not kept */
static const double EXACT = 1e-10; /* violation from the rows that is left, relative to a rho */

void rp_lasso_desk_release(rp_lasso_desk *k)
{
    rp_active_release(&k->active);
    free(k->z), free(k->e), free(k->r), free(k->v), free(k->g), free(k->c), free(k->q);
    *k = (rp_lasso_desk){0};
}

rp_status rp_lasso_work_init(rp_lasso_work *work, size_t width, rp_error *err)
{
    work->at = rp_alloc(width, sizeof *work->at);
    work->unsure = rp_alloc(width, sizeof *work->unsure);
    if (!work->at || !work->unsure) return rp_fail_memory(err, width * sizeof *work->unsure);
    for (size_t j = 0; j < width; j++) work->at[j] = -1;
    return RP_OK;
}

void rp_lasso_work_release(rp_lasso_work *work)
{
    free(work->col), free(work->at), free(work->gram), free(work->unsure);
    work->col = NULL, work->at = NULL, work->gram = NULL, work->unsure = NULL;
}

rp_status rp_lasso_work_join(rp_lasso_work *work, size_t j, rp_error *err)
{
    if (work->at[j] >= 0) return RP_OK;
    if (work->n % 64 == 0) {
        void *col = realloc(work->col, (work->n + 64) * sizeof *work->col);
        if (!col) return rp_fail_memory(err, (work->n + 64) * sizeof *work->col);
        work->col = col;
    }
    work->at[j] = (int)work->n;
    work->col[work->n++] = j;
    return RP_OK;
}

static rp_status make_room(rp_lasso_work *work, size_t parts, rp_error *err)
{
    if (work->n <= work->cap) return RP_OK;
    size_t cap = work->n, old = work->cap, bytes = parts * cap * cap * sizeof *work->gram;
    if (bytes > rp_memory_available()) /* before the kernel chooses whom to kill */
        return rp_fail(err, RP_ENOMEM,
                       "a lasso with a working set of %zu columns needs %zu MiB for their Gram "
                       "matrices; a larger penalty or fewer folds need less",
                       cap, bytes >> 20);
    double *gram = malloc(bytes); /* large, and filled at once */
    if (!gram) return rp_fail_memory(err, bytes);
    for (size_t k = 0; k < parts; k++)
        for (size_t j = 0; j < work->old; j++)
            memcpy(gram + (k * cap + j) * cap, work->gram + (k * old + j) * old,
                   work->old * sizeof *gram);
    free(work->gram);
    work->gram = gram, work->cap = cap;
    return RP_OK;
}

/* The Grams of the parts gain the columns that joined. */
static rp_status extend(rp_lasso_work *work, const double *z, const rp_lasso_rows *rows,
                        rp_error *err)
{
    size_t W = work->n, old = work->old, N = rows->first[rows->parts];
    rp_status status = make_room(work, rows->parts, err);
    if (status || old == W) return status;
    for (size_t k = 0; k < rows->parts; k++) {
        size_t cap = work->cap, at = rows->first[k], m = rows->first[k + 1] - at;
        double *g = work->gram + k * cap * cap;
        cblas_dgemm(CblasColMajor, CblasTrans, CblasNoTrans, (int)W, (int)(W - old), (int)m, 1,
                    z + at, (int)N, z + at + old * N, (int)N, 0, g + old * cap, (int)cap);
        for (size_t j = old; j < W; j++)
            for (size_t i = 0; i < old; i++) g[i * cap + j] = g[j * cap + i];
    }
    work->old = W;
    return RP_OK;
}

/* A of a training set, the mean of z z' over the working set, from the Grams of working sets. */
static void from_working_set(rp_active *act, const rp_lasso_work *work, const rp_set *set,
                             const unsigned char *use, size_t parts)
{
    size_t W = work->n, cap = work->cap;
    for (size_t j = 0; j < W; j++) {
        double *a = act->a + j * act->cap, m = (double)set->m;
        double mu = set->mu[work->col[j]], inv = set->inv[work->col[j]];
        memset(a, 0, W * sizeof *a);
        for (size_t k = 0; k < parts; k++)
            if (use[k]) cblas_daxpy((int)W, 1, work->gram + (k * cap + j) * cap, 1, a, 1);
        for (size_t i = 0; i < W; i++)
            a[i] = (a[i] / m - mu * set->mu[work->col[i]]) * inv * set->inv[work->col[i]];
    }
}

/* And from those of all columns, their lower triangles from top to bottom. */
static void from_all(rp_active *act, const rp_lasso_work *work, const rp_set *set,
                     const rp_lasso_rows *rows, const unsigned char *use, const size_t *order,
                     size_t D)
{
    double m = (double)set->m;
    for (size_t h = 0; h < work->n; h++) {
        size_t j = order[h], top = work->col[j];
        double *a = act->a + j * act->cap, mu = set->mu[top], inv = set->inv[top];
        for (size_t l = h; l < work->n; l++) a[order[l]] = 0;
        for (size_t k = 0; k < rows->parts; k++) {
            const double *g = rows->gram[k] + top * D;
            for (size_t l = h; l < work->n && use[k]; l++) a[order[l]] += g[work->col[order[l]]];
        }
        for (size_t l = h; l < work->n; l++) {
            size_t i = order[l], c = work->col[i];
            a[i] = act->a[i * act->cap + j] = (a[i] / m - mu * set->mu[c]) * inv * set->inv[c];
        }
    }
}

static rp_status correlations(rp_active *act, const rp_lasso_work *work, const rp_set *set,
                              const rp_lasso_rows *rows, const unsigned char *use, size_t D,
                              rp_error *err)
{
    rp_active_clear(act);
    rp_status status = rp_active_resize(act, work->n, err);
    if (status) return status;
    if (!rows->gram) {
        from_working_set(act, work, set, use, rows->parts);
        return RP_OK;
    }
    size_t n = 0, *order = rp_alloc(work->n, sizeof *order);
    if (!order) return rp_fail_memory(err, work->n * sizeof *order);
    for (size_t j = 0; j < D; j++)
        if (work->at[j] >= 0) order[n++] = (size_t)work->at[j];
    from_all(act, work, set, rows, use, order, D);
    free(order);
    return RP_OK;
}

/* ---- from the rows ---- */

/* e = z w of problem i is there; r <- t - e on the rows of its set, zero elsewhere. */
static void residual(rp_lasso_state *s, double *r, const double *e, const double *v,
                     const rp_lasso_work *work, const rp_panel *x, const rp_lasso_rows *rows)
{
    const double *y = x->d->y + work->label * x->d->n;
    const unsigned char *use = rows->use + s->p->set * rows->parts;
    double b = s->set->ymu[work->label], by = s->set->yinv[work->label], shift = 0;
    for (size_t j = 0; j < work->n; j++) shift += v[j] * s->set->mu[work->col[j]];
    s->sum = s->rr = s->rt = 0;
    for (size_t k = 0; k < rows->parts; k++)
        for (size_t i = rows->first[k]; i < rows->first[k + 1]; i++) {
            double t = (y[rows->row[i]] - b) * by;
            r[i] = use[k] ? t - e[i] + shift : 0;
            s->sum += r[i], s->rr += r[i] * r[i], s->rt += r[i] * t;
        }
    s->rr /= (double)s->set->m, s->rt /= (double)s->set->m;
}

/* g <- z' r / m - l2 w, given u' r; returns the largest violation of the optimality conditions. */
static double violation(rp_lasso_state *s, double *g, const double *w, const rp_lasso_work *work)
{
    double worst = 0;
    s->most = 0;
    for (size_t j = 0; j < work->n; j++) {
        double inv = s->set->inv[work->col[j]], mu = s->set->mu[work->col[j]];
        g[j] = inv * (g[j] - mu * s->sum) / (double)s->set->m - s->l2 * w[j];
        double v = w[j] != 0 ? fabs(g[j] - copysign(s->l1, w[j])) : fabs(g[j]) - s->l1;
        worst = fmax(worst, v), s->most = fmax(s->most, fabs(g[j]));
    }
    return worst;
}

static rp_status keep(rp_lasso_problem *p, const double *w, const rp_lasso_work *work, size_t D,
                      rp_error *err)
{
    size_t units = 0, n = 0;
    for (size_t j = 0; j < work->n; j++) units += w[j] != 0;
    if (units > p->units) {
        size_t *unit = realloc(p->unit, units * sizeof *unit);
        if (unit) p->unit = unit;
        double *to = realloc(p->w, units * sizeof *to);
        if (to) p->w = to;
        if (!unit || !to) return rp_fail_memory(err, units * sizeof *to);
    }
    for (size_t j = 0; j < D && n < units; j++) {
        if (work->at[j] < 0 || w[work->at[j]] == 0) continue;
        p->unit[n] = j, p->w[n++] = w[work->at[j]];
    }
    p->units = units;
    return RP_OK;
}

/* ---- a label ---- */

static rp_status set_table(rp_lasso_desk *k, size_t N, size_t W, size_t n, rp_error *err)
{
    rp_status status = rp_grow(&k->z, &k->zcap, N * W, sizeof *k->z, err);
    if (!status) status = rp_grow(&k->e, &k->ecap, N * n, sizeof *k->e, err);
    if (!status) status = rp_grow(&k->r, &k->rcap, N * n, sizeof *k->r, err);
    if (!status) status = rp_grow(&k->v, &k->vcap, W * n, sizeof *k->v, err);
    if (!status) status = rp_grow(&k->g, &k->gcap, W * n, sizeof *k->g, err);
    if (!status) status = rp_grow(&k->c, &k->ccap, W * n, sizeof *k->c, err);
    if (!status) status = rp_grow(&k->q, &k->qcap, W * n, sizeof *k->q, err);
    return status;
}

/* Moves problem i's coefficients to the minimum for the c on the desk. `open` [n] states. */
static rp_status minimise(rp_lasso_work *work, rp_lasso_desk *k, rp_lasso_state *s, size_t i,
                          const rp_lasso_rows *rows, size_t D, rp_error *err)
{
    size_t W = work->n;
    const unsigned char *use = rows->use + s->p->set * rows->parts;
    rp_status status = correlations(&k->active, work, s->set, rows, use, D, err);
    if (status) return status;
    k->active.pivot = 1e-9;
    k->active.stale = true;
    memcpy(k->active.c, k->c + i * W, W * sizeof *k->c);
    for (size_t h = 0; h < s->p->units; h++) k->active.w[work->at[s->p->unit[h]]] = s->p->w[h];
    rp_active_solve(&k->active, s->l1, s->l2);
    memcpy(k->q + i * W, k->active.q, W * sizeof *k->q);
    memcpy(k->v + i * W, k->active.w, W * sizeof *k->v);
    return keep(s->p, k->active.w, work, D, err);
}

/* The change of the residual since the product, as a root mean square. */
static double hand_over(rp_lasso_state *s, const double *r, const rp_lasso_rows *rows)
{
    double moved = 0;
    for (size_t i = 0; i < rows->first[rows->parts]; i++) {
        float *to = &s->r[rows->row[i]];
        moved += (r[i] - (double)*to) * (r[i] - (double)*to);
        *to = (float)r[i];
    }
    return sqrt(moved / (double)s->set->m);
}

/* Passes until the optimality conditions hold on the working set as the rows themselves say: A is
 * exact but for rounding, and what the rows say goes into c. */
static rp_status passes(rp_lasso_work *work, rp_lasso_desk *k, rp_lasso_state **open, size_t n,
                        const rp_panel *x, const rp_lasso_rows *rows, rp_error *err)
{
    size_t W = work->n, N = rows->first[rows->parts], D = x->d->width, left = n;
    rp_status status = RP_OK;
    for (int pass = 0; pass < PASSES && left; pass++) {
        for (size_t i = 0; i < left && !status; i++)
            status = minimise(work, k, open[i], i, rows, D, err);
        if (status) return status;
        for (size_t i = 0; i < left; i++)
            for (size_t j = 0; j < W; j++) k->v[i * W + j] *= open[i]->set->inv[work->col[j]];
        cblas_dgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, (int)N, (int)left, (int)W, 1, k->z,
                    (int)N, k->v, (int)W, 0, k->e, (int)N);
        for (size_t i = 0; i < left; i++)
            residual(open[i], k->r + i * N, k->e + i * N, k->v + i * W, work, x, rows);
        cblas_dgemm(CblasColMajor, CblasTrans, CblasNoTrans, (int)W, (int)left, (int)N, 1, k->z,
                    (int)N, k->r, (int)N, 0, k->g, (int)W);
        size_t still = 0;
        for (size_t i = 0; i < left; i++) {
            rp_lasso_state *s = open[i];
            double *g = k->g + i * W, *w = k->v + i * W;
            memset(w, 0, W * sizeof *w);
            for (size_t h = 0; h < s->p->units; h++) w[work->at[s->p->unit[h]]] = s->p->w[h];
            if (violation(s, g, w, work) <= EXACT * s->l1 || pass == PASSES - 1) {
                double moved = hand_over(s, k->r + i * N, rows);
                s->drift += moved;
                s->done = s->verify && moved <= 1e-6 * sqrt(s->rr);
                continue;
            }
            for (size_t j = 0; j < W; j++)
                k->c[still * W + j] = k->c[i * W + j] + g[j] - k->q[i * W + j];
            open[still++] = s;
        }
        left = still;
    }
    return RP_OK;
}

rp_status rp_lasso_work_solve(rp_lasso_work *work, rp_lasso_desk *k, const rp_panel *x,
                              const rp_lasso_rows *rows, rp_error *err)
{
    size_t W = work->n, N = rows->first[rows->parts], n = 0;
    rp_lasso_state **open = rp_alloc(work->nproblems, sizeof *open);
    if (!open) return rp_fail_memory(err, work->nproblems * sizeof *open);
    for (size_t i = 0; i < work->nproblems; i++)
        if (!work->state[i].done) open[n++] = &work->state[i];
    rp_status status = n ? set_table(k, N, W, n, err) : RP_OK;
    if (n && !status) {
        for (size_t j = 0; j < W; j++) rp_panel_get(k->z + j * N, x, work->col[j], rows->row, N);
        if (!rows->gram) status = extend(work, k->z, rows, err);
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < W; j++)
                k->c[i * W + j] = open[i]->set->c[work->label * x->d->width + work->col[j]];
        if (!status) status = passes(work, k, open, n, x, rows, err);
        if (W > KEPT) free(work->gram), work->gram = NULL, work->old = work->cap = 0;
    }
    free(open);
    return status;
}
