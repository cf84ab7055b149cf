/* A design that lives in memory, its cells and training sets, and the lasso on it. */
#ifndef RP_TESTS_SOLVER_PROBLEM_H
#define RP_TESTS_SOLVER_PROBLEM_H

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/number.h"
#include "base/safetensors.h"
#include "solver/lasso.h"
#include "support/support.h"

typedef struct problem {
    size_t n, width, labels;
    float *x;  /* [n, width] */
    double *y; /* [labels, n] */
    size_t *row;
    const double *column[64];
    rp_matrix matrix;
    rp_cell cell[64];
    rp_folds folds;
    rp_design d;
    rp_cells cells;
    rp_panel panel;
} problem;

static inline rp_status problem_read(void *arg, float *x, const size_t *row, size_t m,
                                     rp_error *err)
{
    const problem *p = arg;
    (void)err;
    for (size_t i = 0; i < m; i++)
        memcpy(x + i * p->width, p->x + row[i] * p->width, p->width * sizeof *x);
    return RP_OK;
}

static inline void problem_alloc(problem *p, size_t n, size_t width, size_t labels)
{
    *p = (problem){.n = n, .width = width, .labels = labels};
    assert_true(labels <= 64);
    p->x = rp_alloc(n * width, sizeof *p->x);
    p->y = rp_alloc(labels * n, sizeof *p->y);
    p->row = rp_alloc(n, sizeof *p->row);
    assert_true(p->x && p->y && p->row);
    for (size_t k = 0; k < labels; k++) p->column[k] = p->y + k * n;
    for (size_t i = 0; i < n; i++) p->row[i] = i;
}

/* nouter x ninner contiguous cells of rows; call when x and y are filled. */
static inline void problem_ready(problem *p, size_t nouter, size_t ninner, bool gram)
{
    rp_error err;
    size_t inner = ninner ? ninner : 1, cells = nouter * inner;
    assert_true(cells <= 64);
    rp_solver_blas_init();
    omp_set_num_threads(1); /* problems this small only wait for each other's threads */
    p->matrix = (rp_matrix){p->n, p->width, "x", p, problem_read};
    for (size_t k = 0; k < cells; k++)
        p->cell[k] =
            (rp_cell){k * p->n / cells, (k + 1) * p->n / cells, (int)(k / inner), (int)(k % inner)};
    p->folds = (rp_folds){p->n, p->row, cells, p->cell, nouter, ninner};
    assert_ok(
        rp_design_init(&p->d, &p->matrix, &p->folds, p->column, p->labels, 0, true, false, &err),
        &err);
    assert_ok(rp_cells_init(&p->cells, &p->d, gram, &err), &err);
    assert_ok(rp_panel_init(&p->panel, &p->d, &err), &err);
}

static inline void problem_release(problem *p)
{
    rp_panel_release(&p->panel);
    rp_cells_release(&p->cells);
    rp_design_release(&p->d);
    free(p->x), free(p->y), free(p->row);
}

/* Every label at one penalty on one training set; lasso [labels] is to be released. */
static inline void problem_solve(problem *p, rp_lasso_problem *lasso, const rp_set *set, double a,
                                 double ratio)
{
    rp_error err;
    rp_lasso_rows rows;
    assert_ok(rp_lasso_rows_init(&rows, &p->d, NULL, set, 1, &err), &err);
    for (size_t k = 0; k < p->labels; k++) {
        rp_lasso_problem_release(&lasso[k]);
        lasso[k] = (rp_lasso_problem){.label = k, .penalty = a};
    }
    assert_ok(rp_lasso_solve(lasso, p->labels, &p->panel, &rows, ratio, NULL, &err), &err);
    rp_lasso_rows_release(&rows);
}

static inline bool problem_trains(const problem *p, const rp_set *set, size_t i)
{
    for (size_t k = 0; k < p->folds.ncells; k++)
        if (i >= p->cell[k].first && i < p->cell[k].end)
            return rp_cell_trains(&p->cell[k], set->outer, set->inner);
    return false;
}

/* Largest violation of the optimality conditions, from the rows in f64 and with means and
 * deviations of their own; *objective (may be NULL) <- its value. */
static inline double problem_violation(const problem *p, const rp_lasso_problem *l,
                                       const rp_set *set, double ratio, double *objective)
{
    size_t n = p->n, D = p->width, m = 0;
    double worst = 0, value = 0, l1 = l->penalty * ratio, l2 = l->penalty - l1;
    double *r = rp_alloc(n, 8), *z = rp_alloc(D * n, 8), *w = rp_alloc(D, 8), *sd = rp_alloc(D, 8);
    assert_true(r && z && w && sd);
    for (size_t h = 0; h < l->units; h++) w[l->unit[h]] = l->w[h];
    for (size_t i = 0; i < n; i++) {
        if (!problem_trains(p, set, i)) continue;
        for (size_t j = 0; j < D; j++) z[j * n + m] = (double)p->x[i * D + j];
        r[m++] = p->y[l->label * n + i];
    }
    for (size_t j = 0; j <= D; j++) { /* the label last */
        double *v = j < D ? z + j * n : r, mean = 0, square = 0, dev;
        for (size_t i = 0; i < m; i++) mean += v[i] / (double)m;
        for (size_t i = 0; i < m; i++) v[i] -= mean, square += v[i] * v[i] / (double)m;
        dev = sqrt(square);
        if (j < D) sd[j] = set->inv[j] > 0 ? dev : 0;
        for (size_t i = 0; i < m; i++) v[i] = (j == D || sd[j] > 0) && dev > 0 ? v[i] / dev : 0;
    }
    for (size_t j = 0; j < D; j++)
        for (size_t i = 0; i < m && w[j] != 0; i++) r[i] -= w[j] * z[j * n + i];
    for (size_t i = 0; i < m; i++) value += .5 * r[i] * r[i] / (double)m;
    for (size_t j = 0; j < D; j++) {
        double g = -l2 * w[j];
        for (size_t i = 0; i < m; i++) g += z[j * n + i] * r[i] / (double)m;
        worst = fmax(worst, w[j] != 0 ? fabs(g - copysign(l1, w[j])) : fabs(g) - l1);
        value += l1 * fabs(w[j]) + .5 * l2 * w[j] * w[j];
    }
    if (objective) *objective = value;
    free(r), free(z), free(w), free(sd);
    return worst;
}

/* x and y of a design of a golden file. */
static inline void problem_golden(problem *p, const rp_safetensors *st, const char *name)
{
    char key[64];
    snprintf(key, sizeof key, "%s.x", name);
    const rp_tensor *x = rp_safetensors_find(st, key);
    snprintf(key, sizeof key, "%s.y", name);
    const rp_tensor *y = rp_safetensors_find(st, key);
    assert_non_null(x);
    assert_non_null(y);
    problem_alloc(p, x->shape[0], x->shape[1], y->shape[0]);
    memcpy(p->x, x->data, x->count * sizeof *p->x);
    memcpy(p->y, y->data, y->count * sizeof *p->y);
}

static inline double golden_at(const rp_safetensors *st, const char *name, const char *what,
                               size_t i)
{
    char key[64];
    double v;
    snprintf(key, sizeof key, "%s.%s", name, what);
    const rp_tensor *t = rp_safetensors_find(st, key);
    assert_non_null(t);
    assert_true(i < t->count);
    memcpy(&v, (const char *)t->data + i * sizeof v, sizeof v);
    return v;
}

/* Designs that solvers trip over. */
static inline void problem_nasty(problem *p, rp_rng *rng, int kind, size_t n, size_t D)
{
    problem_alloc(p, n, D, 2);
    for (size_t i = 0; i < n; i++) {
        double common = rp_rng_normal(rng), other = rp_rng_normal(rng);
        for (size_t j = 0; j < D; j++) {
            double noise = kind == 0 ? 1e-4 : kind == 1 ? .05 : 1;
            double v = common + (j % 3 ? other * sin((double)j) : 0) + noise * rp_rng_normal(rng);
            if (kind == 2) v *= pow(10, (double)(j % 9) - 4);
            if (kind == 2 && j % 5 == 0) v += 1e3;
            if (kind == 3 && j >= D / 2) v = (j % 2 ? -1 : 1) * (double)p->x[i * D + j - D / 2];
            if (kind == 4) v = (double)(rp_rng_below(rng, 2)); /* many exact ties */
            if (kind == 5 && j % 4 == 0) v *= 1e6;
            if (j == D - 1) v = 17; /* constant */
            p->x[i * D + j] = (float)v;
        }
        for (size_t k = 0; k < 2; k++) {
            double y = (k ? 1e6 : 1) * (common + .3 * rp_rng_normal(rng));
            for (size_t j = 0; j < 3; j++) y += k ? 0 : (double)p->x[i * D + j];
            p->y[k * n + i] = k ? y : rint(y); /* with ties */
        }
    }
}

#endif
