/* A single regression problem as src/probe sees it: rows, labels, one training set. */
#ifndef RP_TESTS_PROBLEM_H
#define RP_TESTS_PROBLEM_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/number.h"
#include "base/safetensors.h"
#include "probe/lasso.h"
#include "probe/ridge.h"
#include "support/support.h"

typedef struct problem {
    size_t n, width, labels;
    float *x;  /* [n, width] */
    double *y; /* [labels, n] */
    size_t *index, *row;
    double **column;
    rp_part part[8];
    rp_group group;
    rp_labels table;
    rp_design d;
    rp_moments mo;
    rp_fit fit;
} problem;

static inline void problem_alloc(problem *p, size_t n, size_t width, size_t labels)
{
    *p = (problem){.n = n, .width = width, .labels = labels};
    p->x = rp_alloc(n * width, sizeof *p->x);
    p->y = rp_alloc(labels * n, sizeof *p->y);
    p->index = rp_alloc(labels, sizeof *p->index);
    p->row = rp_alloc(n, sizeof *p->row);
    p->column = rp_alloc(labels, sizeof *p->column);
    assert_true(p->x && p->y && p->index && p->row && p->column);
    for (size_t k = 0; k < labels; k++) p->index[k] = k, p->column[k] = p->y + k * n;
    for (size_t i = 0; i < n; i++) p->row[i] = i;
}

/* folds > 1: as many contiguous inner folds. Call when x and y are filled. */
static inline void problem_ready(problem *p, size_t folds, bool standardise)
{
    rp_error err;
    rp_probe_blas_init();
    if (folds < 1) folds = 1;
    for (size_t f = 0; f < folds; f++)
        p->part[f] = (rp_part){f * p->n / folds, (f + 1) * p->n / folds, 1, (int)f};
    p->group = (rp_group){p->labels, p->index, p->n, p->row, folds, p->part};
    p->table = (rp_labels){p->labels, p->n, NULL, p->column};
    assert_ok(rp_design_init(&p->d, &p->group, &p->table, p->x, p->width, standardise, "x", &err),
              &err);
    assert_ok(rp_moments_init(&p->mo, &p->d, 0, folds > 1 ? folds : 0, &err), &err);
    assert_ok(rp_fit_init(&p->fit, p->labels, p->width, &err), &err);
}

static inline void problem_release(problem *p)
{
    rp_fit_release(&p->fit);
    rp_moments_release(&p->mo);
    rp_design_release(&p->d);
    free(p->x), free(p->y), free(p->index), free(p->row), free(p->column);
}

/* Coefficient j of label k on standardised x and y. */
static inline double problem_standard(const problem *p, size_t k, size_t j)
{
    const rp_set *s = &p->mo.set[0];
    return s->inv[j] > 0 ? p->fit.w[k * p->width + j] / s->inv[j] * s->yinv[k] : 0;
}

/* Largest violation of the lasso's optimality conditions, from the rows themselves, in f64, on
 * standardised x and y; *objective (may be NULL) <- 1/2 |t - z w|^2 / n + a |w|_1. */
static inline double problem_violation(const problem *p, size_t k, double a, double *objective)
{
    const rp_set *s = &p->mo.set[0];
    size_t n = p->n, D = p->width;
    double worst = 0, value = 0, *e = rp_alloc(n, sizeof *e);
    assert_non_null(e);
    for (size_t i = 0; i < n; i++) {
        e[i] = (p->d.y[k * n + i] - s->ymu[k]) * s->yinv[k];
        for (size_t j = 0; j < D; j++)
            e[i] -= (p->d.u[i * D + j] - s->mu[j]) * s->inv[j] * problem_standard(p, k, j);
        value += .5 * e[i] * e[i] / (double)n;
    }
    for (size_t j = 0; j < D; j++) {
        double g = 0, w = problem_standard(p, k, j), v;
        for (size_t i = 0; i < n; i++)
            g += (p->d.u[i * D + j] - s->mu[j]) * s->inv[j] * e[i] / (double)n;
        v = w != 0 ? fabs(g - copysign(a, w)) : fmax(fabs(g) - a, 0);
        worst = fmax(worst, v), value += a * fabs(w);
    }
    if (objective) *objective = value;
    free(e);
    return worst;
}

/* x and y of one of the designs in solvers.safetensors. */
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

#endif
