/* A regression problem in memory, and the curves that rp_sparse_run gives of it. */
#ifndef RP_TESTS_CURVES_H
#define RP_TESTS_CURVES_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/number.h"
#include "solver/sparse.h"
#include "support/support.h"

typedef struct problem {
    size_t n, D, P, nouter;
    float *x;         /* [n, D] rows of the matrix */
    double *y;        /* [P, n] */
    size_t *row;      /* [n] of the matrix, in the folds' order */
    rp_cell cell[20]; /* of which the last may be never held out */
    const double *column[8];
    rp_matrix matrix;
    rp_folds folds;
    rp_design d;
    rp_cells cells;
    double *pred[RP_CURVES][RP_CURVE_SIZES];   /* [P, n] */
    unsigned *unit[RP_CURVES][RP_CURVE_SIZES]; /* [nouter, P, k] */
    double *base;                              /* [P, n] */
} problem;

static inline rp_status read_rows(void *arg, float *x, const size_t *row, size_t m, rp_error *err)
{
    const problem *q = arg;
    (void)err;
    for (size_t i = 0; i < m; i++) memcpy(x + i * q->D, q->x + row[i] * q->D, q->D * sizeof *x);
    return RP_OK;
}

/* x normal with columns of different scale and mean; labels are left to the test. */
static inline void problem_init(problem *q, size_t n, size_t D, size_t P, size_t nouter)
{
    rp_rng rng;
    *q = (problem){.n = n, .D = D, .P = P, .nouter = nouter};
    q->x = rp_alloc(n * D, sizeof *q->x), q->y = rp_alloc(P * n, sizeof *q->y);
    q->row = rp_alloc(n, sizeof *q->row);
    assert_true(q->x && q->y && q->row);
    rp_rng_init(&rng, 17, 0);
    for (size_t i = 0; i < n * D; i++) {
        size_t j = i % D;
        q->x[i] = (float)((double)(1 + j % 4) * rp_rng_normal(&rng) + (double)(j % 7));
    }
    for (size_t i = 0; i < n; i++) q->row[i] = i;
    rp_rng_shuffle(&rng, q->row, n);
}

/* Outer folds of two cells each, then, with `rest`, a cell that is never held out. */
static inline void problem_solve(problem *q, bool standardise, bool rest)
{
    size_t cells = 2 * q->nouter + (rest ? 1 : 0);
    rp_error err;
    for (size_t k = 0; k < cells; k++) {
        q->cell[k] =
            (rp_cell){k * q->n / cells, (k + 1) * q->n / cells, (int)(k / 2), (int)(k % 2)};
    }
    q->matrix = (rp_matrix){q->n, q->D, "'test'", q, read_rows};
    q->folds = (rp_folds){q->n, q->row, cells, q->cell, q->nouter, 2};
    for (size_t p = 0; p < q->P; p++) q->column[p] = q->y + p * q->n;
    rp_solver_blas_init();
    assert_ok(
        rp_design_init(&q->d, &q->matrix, &q->folds, q->column, q->P, 0, standardise, false, &err),
        &err);
    assert_ok(rp_cells_init(&q->cells, &q->d, true, &err), &err);
}

static inline void forget(problem *q)
{
    for (size_t c = 0; c < RP_CURVES; c++)
        for (size_t k = 0; k < RP_CURVE_SIZES; k++) {
            free(q->pred[c][k]), free(q->unit[c][k]);
            q->pred[c][k] = NULL, q->unit[c][k] = NULL;
        }
    free(q->base);
    q->base = NULL;
}

static inline void problem_release(problem *q)
{
    forget(q);
    rp_cells_release(&q->cells);
    rp_design_release(&q->d);
    free(q->x), free(q->y), free(q->row);
}

static inline rp_status keep(void *arg, const rp_curve_point *point, rp_error *err)
{
    problem *q = arg;
    size_t values = q->P * q->n, units = q->nouter * q->P * point->k, at = 0;
    (void)err;
    while (rp_curve_size[at] != point->k) at++;
    double *pred = rp_alloc(values, sizeof *pred);
    unsigned *unit = rp_alloc(units, sizeof *unit);
    assert_true(pred && unit && !q->pred[point->curve][at]);
    if (!q->base) q->base = rp_alloc(values, sizeof *q->base);
    assert_non_null(q->base);
    q->pred[point->curve][at] = memcpy(pred, point->pred, values * sizeof *pred);
    q->unit[point->curve][at] = memcpy(unit, point->unit, units * sizeof *unit);
    memcpy(q->base, point->base, values * sizeof *q->base);
    return RP_OK;
}

static inline void run(problem *q, uint64_t seed)
{
    rp_error err;
    assert_ok(rp_sparse_run(&q->d, &q->cells, seed, keep, q, NULL, &err), &err);
}

static inline int outer_of(const problem *q, size_t i)
{
    size_t k = 0;
    while (q->cell[k].end <= i) k++;
    return q->cell[k].outer;
}

/* Of all held-out rows, against the training means. */
static inline double r2(const problem *q, rp_curve curve, size_t point, size_t p)
{
    double sse = 0, sst = 0;
    for (size_t i = p * q->n; i < (p + 1) * q->n; i++) {
        if (isnan(q->pred[curve][point][i])) continue;
        sse += pow(q->d.y[i] - q->pred[curve][point][i], 2);
        sst += pow(q->d.y[i] - q->base[i], 2);
    }
    return 1 - sse / sst;
}

#endif
