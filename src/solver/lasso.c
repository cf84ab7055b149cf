#include "solver/lasso.h"

#include <cblas.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "solver/lasso_work.h"

enum { FIRST = 40, ROUNDS = 100 };
enum { WIDE = 1024 }; /* columns: one working set at a time has Grams of more */
/* Error of a gradient by an f32 product, relative to |r| |z_j|: a column within this of violating
 * joins, so that f64 decides. */
static const double BLUR = 2e-6;

/* The parts' Grams: sums of neighbouring cells'. */
static rp_status sum_grams(rp_lasso_rows *rows, const rp_cells *cells, const size_t *part,
                           rp_error *err)
{
    size_t D = cells->d->width;
    rows->gram = rp_alloc(rows->parts, sizeof *rows->gram);
    for (size_t k = 0; k < rows->parts && rows->gram; k++)
        if (!(rows->gram[k] = rp_alloc(D, D * sizeof(double))))
            return rp_fail_memory(err, rows->parts * D * D * sizeof(double));
    if (!rows->gram) return rp_fail_memory(err, rows->parts * sizeof *rows->gram);
#pragma omp parallel for schedule(dynamic, 16)
    for (long j = 0; j < (long)D; j++)
        for (size_t c = 0; c < cells->d->folds->ncells; c++) {
            const double *from = cells->cell[c].gram + (size_t)j * D;
            double *to = rows->gram[part[c]] + (size_t)j * D;
            for (size_t i = (size_t)j; i < D && cells->d->folds->cell[c].outer >= 0; i++)
                to[i] += from[i];
        }
    return RP_OK;
}

rp_status rp_lasso_rows_init(rp_lasso_rows *rows, const rp_design *d, const rp_cells *cells,
                             const rp_set *set, size_t nsets, rp_error *err)
{
    const rp_cell *cell = d->folds->cell;
    size_t ncells = d->folds->ncells, n = 0, parts = 0, *part = rp_alloc(ncells, sizeof *part);
    size_t *first = rp_alloc(ncells + 1, sizeof *first), *row = rp_alloc(d->n, sizeof *row);
    unsigned char *use = rp_alloc(nsets, ncells);
    bool inner = false;
    *rows = (rp_lasso_rows){nsets, 0, set, use, first, row, NULL};
    for (size_t s = 0; s < nsets; s++) inner |= set[s].inner >= 0;
    if (!part || !first || !row || !use) {
        free(part), rp_lasso_rows_release(rows);
        return rp_fail_memory(err, d->n * sizeof *row + nsets * ncells);
    }
    for (size_t k = 0; k < ncells; k++) {
        if (!k || inner || cell[k].outer != cell[k - 1].outer) parts++;
        part[k] = parts - 1;
        for (size_t i = cell[k].first; i < cell[k].end && cell[k].outer >= 0; i++) row[n++] = i;
        first[parts] = n;
    }
    for (size_t s = 0; s < nsets; s++)
        for (size_t k = 0; k < ncells; k++)
            use[s * parts + part[k]] = rp_cell_trains(&cell[k], set[s].outer, set[s].inner);
    rows->parts = parts;
    rp_status status = cells ? sum_grams(rows, cells, part, err) : RP_OK;
    if (status) rp_lasso_rows_release(rows);
    free(part);
    return status;
}

void rp_lasso_rows_release(rp_lasso_rows *rows)
{
    for (size_t k = 0; rows->gram && k < rows->parts; k++) free(rows->gram[k]);
    free(rows->gram);
    free((void *)rows->use), free((void *)rows->first), free((void *)rows->row);
    *rows = (rp_lasso_rows){0};
}

void rp_lasso_problem_release(rp_lasso_problem *p)
{
    free(p->unit), free(p->w);
    p->unit = NULL, p->w = NULL, p->units = 0;
}

rp_status rp_lasso_held(double *sse, const rp_lasso_problem *p, const rp_set *set,
                        const rp_panel *x, rp_error *err)
{
    const rp_design *d = x->d;
    size_t n = 0, *row = rp_alloc(set->held, sizeof *row);
    double *e = rp_alloc(set->held, sizeof *e), *u = rp_alloc(set->held, sizeof *u);
    *sse = 0;
    for (size_t k = 0; k < d->folds->ncells && row; k++) {
        const rp_cell *cell = &d->folds->cell[k];
        for (size_t i = cell->first; i < cell->end && rp_cell_held(cell, set->outer, set->inner);
             i++)
            row[n++] = i;
    }
    for (size_t i = 0; i < n && e; i++)
        e[i] = (d->y[p->label * d->n + row[i]] - set->ymu[p->label]) * set->yinv[p->label];
    for (size_t h = 0; h < p->units && e && u; h++) {
        size_t j = p->unit[h];
        double by = p->w[h] * set->inv[j];
        rp_panel_get(u, x, j, row, n);
        for (size_t i = 0; i < n; i++) e[i] -= (u[i] - set->mu[j]) * by;
    }
    for (size_t i = 0; i < n && e; i++) *sse += e[i] * e[i];
    rp_status status = row && e && u ? RP_OK : rp_fail_memory(err, set->held * 24);
    free(row), free(e), free(u);
    return status;
}

/* ---- all problems ---- */

typedef struct batch {
    const rp_panel *x;
    const rp_lasso_rows *rows;
    size_t n, nwork;
    rp_lasso_state *state; /* [n] label by label */
    rp_lasso_work *work;   /* [nwork] a label each */
    size_t open;           /* problems that are not done */
    float *r, *q;          /* [open, n], [open, D] */
    rp_lasso_desk *desk;   /* [threads] */
    size_t threads;
} batch;

static void run_release(batch *run)
{
    for (size_t k = 0; run->work && k < run->nwork; k++) rp_lasso_work_release(&run->work[k]);
    for (size_t k = 0; run->desk && k < run->threads; k++) rp_lasso_desk_release(&run->desk[k]);
    free(run->state), free(run->work), free(run->r), free(run->q), free(run->desk);
}

static rp_status run_init(batch *run, rp_lasso_problem *p, double l1_ratio, rp_error *err)
{
    size_t n = run->n, filled = 0, labels = run->x->d->labels + run->x->d->extras;
    rp_status status = RP_OK;
    run->threads = (size_t)omp_get_max_threads();
    run->state = rp_alloc(n, sizeof *run->state);
    run->work = rp_alloc(labels, sizeof *run->work);
    run->desk = rp_alloc(run->threads, sizeof *run->desk);
    if (!run->state || !run->work || !run->desk) return rp_fail_memory(err, n * sizeof *run->state);
    for (size_t label = 0; label < labels && !status; label++) {
        rp_lasso_work *work = &run->work[run->nwork];
        *work = (rp_lasso_work){.label = label, .state = run->state + filled};
        for (size_t i = 0; i < n; i++) {
            const rp_set *set = &run->rows->set[p[i].set];
            if (p[i].label != label) continue;
            p[i].gap = 0;
            if (!set->m || !(set->yinv[label] > 0) || !(p[i].penalty > 0)) {
                p[i].units = 0;
                continue;
            }
            work->state[work->nproblems++] = (rp_lasso_state){.p = &p[i],
                                                              .set = set,
                                                              .l1 = p[i].penalty * l1_ratio,
                                                              .l2 = p[i].penalty * (1 - l1_ratio)};
        }
        filled += work->nproblems;
        if (!work->nproblems) continue;
        run->nwork++;
        status = rp_lasso_work_init(work, run->x->d->width, err);
    }
    run->n = run->open = filled;
    return status;
}

/* The residuals of problems that are not done, side by side. */
static rp_status line_up(batch *run, rp_error *err)
{
    size_t n = run->x->d->n, D = run->x->d->width, open = 0;
    if (!run->r) {
        run->r = rp_alloc(run->n, n * sizeof *run->r);
        run->q = rp_alloc(run->n, D * sizeof *run->q);
        if (!run->r || !run->q) return rp_fail_memory(err, run->n * (n + D) * sizeof *run->r);
        for (size_t i = 0; i < run->n; i++) run->state[i].r = run->r + i * n;
    }
    for (size_t i = 0; i < run->n; i++) {
        rp_lasso_state *s = &run->state[i];
        if (!s->done) {
            float *to = run->r + open++ * n;
            if (s->r != to) memcpy(to, s->r, n * sizeof *to);
            s->r = to;
        } else {
            s->r = NULL;
        }
    }
    run->open = open;
    return RP_OK;
}

typedef struct candidate {
    size_t column;
    double score;
} candidate;

static int by_score(const void *a, const void *b)
{
    const candidate *p = a, *q = b;
    if (p->score != q->score) return p->score < q->score ? 1 : -1;
    return (p->column > q->column) - (p->column < q->column);
}

/* The `most` best of n candidates join, and it is said whether that was all of them. */
static rp_status join(rp_lasso_work *work, candidate *best, size_t n, size_t most, bool *all,
                      rp_error *err)
{
    rp_status status = RP_OK;
    qsort(best, n, sizeof *best, by_score);
    *all = n <= most;
    for (size_t i = 0; i < n && i < most && !status; i++)
        status = rp_lasso_work_join(work, best[i].column, err);
    return status;
}

/* What a label begins with: columns that are known to matter, and the largest correlations. */
static rp_status begin(rp_lasso_work *work, const batch *run, rp_error *err)
{
    size_t D = run->x->d->width;
    bool all;
    candidate *best = rp_alloc(D, sizeof *best);
    rp_status status = best ? RP_OK : rp_fail_memory(err, D * sizeof *best);
    for (size_t j = 0; j < D && !status; j++) best[j].column = j;
    for (size_t i = 0; i < work->nproblems && !status; i++) {
        const rp_lasso_state *s = &work->state[i];
        const double *c = s->set->c + work->label * D;
        for (size_t j = 0; j < D; j++) best[j].score = fmax(best[j].score, fabs(c[j]) / s->l1);
        for (size_t h = 0; h < s->p->units && !status; h++)
            status = rp_lasso_work_join(work, s->p->unit[h], err);
    }
    if (!status) status = join(work, best, D, FIRST, &all, err);
    free(best);
    return status;
}

/* |z_j' r| / m as the last product that had column j says. */
static double gradient(const rp_lasso_state *s, size_t j)
{
    return fabs(((double)s->q[j] - s->set->mu[j] * s->sum) * s->set->inv[j] / (double)s->set->m);
}

/* Columns outside the working set that may violate: a gradient has moved by |z_j' dr| / m since, at
 * most the product of the root mean squares of both (gap-safe screening has the same idea). */
static void doubt(rp_lasso_work *work, const batch *run)
{
    const rp_design *d = run->x->d;
    work->nunsure = 0;
    for (size_t j = 0; j < d->width; j++) {
        bool unsure = false;
        for (size_t i = 0; i < work->nproblems && !unsure && work->at[j] < 0; i++) {
            const rp_lasso_state *s = &work->state[i];
            double wide = sqrt((double)d->n / (double)s->set->m);
            double norm = wide * s->set->inv[j] * run->x->norm[j];
            double most = s->drift * (d->standardise ? 1 : norm) + BLUR * sqrt(s->rr) * norm;
            unsure = !s->done && !(s->q && gradient(s, j) + most <= s->l1);
        }
        if (unsure) work->unsure[work->nunsure++] = j;
    }
}

/* The gradients of those. */
static rp_status settle(rp_lasso_work *work, const batch *run, rp_error *err)
{
    size_t n = 0;
    float **q = rp_alloc(work->nproblems, sizeof *q);
    const float **r = rp_alloc(work->nproblems, sizeof *r);
    rp_status status = q && r ? RP_OK : rp_fail_memory(err, work->nproblems * sizeof *q);
    for (size_t i = 0; i < work->nproblems && !status; i++)
        if (!work->state[i].done) r[n] = work->state[i].r, q[n++] = work->state[i].q;
    if (!status && n)
        status = rp_panel_product_some(q, run->x, r, n, work->unsure, work->nunsure, err);
    free(q), free(r);
    return status;
}

/* Which of the doubtful columns join, which problems are done. */
static rp_status check(rp_lasso_work *work, const batch *run, rp_error *err)
{
    size_t D = run->x->d->width, found = 0;
    candidate *best = rp_alloc(D, sizeof *best);
    double *score = rp_alloc(D, sizeof *score);
    rp_status status = best && score ? RP_OK : rp_fail_memory(err, D * sizeof *best);
    for (size_t i = 0; i < work->nproblems && !status; i++) {
        rp_lasso_state *s = &work->state[i];
        if (s->done) continue;
        double m = (double)s->set->m, blur = BLUR * sqrt(s->rr * (double)run->x->d->n / m);
        s->done = s->verify = true, s->outside = 0;
        for (size_t k = 0; k < work->nunsure; k++) {
            size_t j = work->unsure[k];
            double inv = s->set->inv[j], unsure = blur * inv * run->x->norm[j];
            double g = gradient(s, j);
            if (!(g > s->l1 - unsure)) continue;
            s->done = false, s->verify &= g <= s->l1 + unsure;
            s->outside = fmax(s->outside, g);
            score[j] = fmax(score[j], (g + unsure) / s->l1);
        }
    }
    for (size_t k = 0; k < work->nunsure && !status; k++)
        if (score[work->unsure[k]] > 0)
            best[found++] = (candidate){work->unsure[k], score[work->unsure[k]]};
    if (found && !status) { /* as many as are there already: a cold start must not flood it */
        bool all;
        status = join(work, best, found, work->n > FIRST ? work->n : FIRST, &all, err);
        for (size_t i = 0; i < work->nproblems; i++) work->state[i].verify &= all;
    }
    free(best), free(score);
    return status;
}

static rp_status solve(rp_lasso_work *work, const batch *run, rp_error *err)
{
    rp_lasso_desk *desk = &run->desk[omp_get_thread_num()];
    rp_status status;
    if (run->rows->gram || work->n <= WIDE)
        return rp_lasso_work_solve(work, desk, run->x, run->rows, err);
#pragma omp critical(rp_lasso_wide)
    status = rp_lasso_work_solve(work, desk, run->x, run->rows, err);
    return status;
}

enum { BEGIN, SOLVE, DOUBT, SETTLE, CHECK };

/* What happens to every label between two products. */
static rp_status each_label(batch *run, int what, rp_error *err)
{
    rp_status status = RP_OK;
#pragma omp parallel for schedule(dynamic, 1)
    for (long k = 0; k < (long)run->nwork; k++) {
        rp_lasso_work *work = &run->work[k];
        rp_error error = {0};
        rp_status s = status;
        if (s) continue;
        if (what == BEGIN) s = begin(work, run, &error);
        if (what == DOUBT) doubt(work, run);
        if (what == SETTLE) s = settle(work, run, &error);
        if (what == CHECK) s = check(work, run, &error);
        if (what == SOLVE) s = solve(work, run, &error);
        if (!s) continue;
#pragma omp critical(rp_lasso_failed)
        if (!status) status = rp_fail(err, s, "%s", error.text);
    }
    return status;
}

/* From residuals and gradients: the elastic net is the lasso on rows z, sqrt(m l2) I. */
static void certify(rp_lasso_state *s, size_t label)
{
    double one = 0, two = 0, yy = s->set->yy[label];
    for (size_t h = 0; h < s->p->units; h++) {
        double w = s->p->w[h];
        one += fabs(w), two += w * w;
    }
    double rr = s->rr + s->l2 * two, ry = s->rt; /* with the ridge's rows, where t is 0 */
    double most = fmax(s->most, s->done ? 0 : s->outside), k = most > s->l1 ? s->l1 / most : 1;
    double gap = .5 * rr + s->l1 * one - (k * ry - .5 * k * k * rr);
    s->p->gap = yy > 0 ? fmax(gap, 0) / yy : 0;
}

/* The gradients of what is in doubt: with all of x the first time, and where it is much of x. */
static rp_status product(batch *run, rp_error *err)
{
    size_t doubtful = 0, D = run->x->d->width;
    rp_status status = each_label(run, DOUBT, err);
    for (size_t k = 0; k < run->nwork; k++)
        for (size_t i = 0; i < run->work[k].nproblems; i++) {
            const rp_lasso_state *s = &run->work[k].state[i];
            if (!s->done) doubtful += s->q ? run->work[k].nunsure : D;
        }
    if (status || doubtful < run->open * D / 4)
        return status ? status : each_label(run, SETTLE, err);
    for (size_t i = 0; i < run->n; i++) {
        rp_lasso_state *s = &run->state[i];
        if (!s->done) s->q = run->q + (size_t)(s->r - run->r) / run->x->d->n * D, s->drift = 0;
    }
    return rp_panel_product(run->q, run->x, run->r, run->open, err);
}

static rp_status rounds(batch *run, const rp_host *host, rp_error *err)
{
    rp_status status = line_up(run, err);
    for (int round = 0; round < ROUNDS && run->open && !status; round++) {
        status = each_label(run, round ? CHECK : BEGIN, err);
        if (!status) status = each_label(run, SOLVE, err);
        if (!status) status = line_up(run, err);
        if (!status && run->open) status = product(run, err);
        if (!status) status = rp_host_progress(host, "lasso", run->n - run->open, run->n, err);
    }
    return status;
}

rp_status rp_lasso_solve(rp_lasso_problem *p, size_t n, const rp_panel *x,
                         const rp_lasso_rows *rows, double l1_ratio, const rp_host *host,
                         rp_error *err)
{
    batch run = {.x = x, .rows = rows, .n = n};
    rp_status status = run_init(&run, p, l1_ratio, err);
    if (!status) status = rounds(&run, host, err);
    for (size_t k = 0; k < run.nwork && !status; k++)
        for (size_t i = 0; i < run.work[k].nproblems; i++)
            certify(&run.work[k].state[i], run.work[k].label);
    run_release(&run);
    return status;
}
