#include "solver/panel.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { BLOCK = 64 }; /* columns of a product at a time */

/* Rows first..first+m-1, turned in blocks of 8 rows and a cache line: rows are a power of two
 * apart as often as not, and more of them would evict each other. */
static rp_status read_tile(const rp_panel *c, float *tile, size_t first, size_t m, rp_error *err)
{
    const rp_design *d = c->d;
    size_t n = d->n, D = d->width;
    rp_status status = d->x->read(d->x->arg, tile, d->folds->row + first, m, err);
    if (status) return status;
    for (size_t j0 = 0; j0 < D; j0 += 16)
        for (size_t i0 = 0; i0 < m; i0 += 8)
            for (size_t j = j0; j < j0 + 16 && j < D; j++)
                for (size_t i = i0; i < i0 + 8 && i < m; i++)
                    c->x[j * n + first + i] = tile[i * D + j];
    return RP_OK;
}

static double root_mean_square(const rp_panel *c, size_t j)
{
    const float *x = c->x + j * c->d->n;
    double sum = 0, mean = c->d->mean[j];
    if (c->d->standardise) return 1;
    for (size_t i = 0; i < c->d->n; i++) sum += ((double)x[i] - mean) * ((double)x[i] - mean);
    return sqrt(sum / (double)c->d->n);
}

rp_status rp_panel_init(rp_panel *c, const rp_design *d, rp_error *err)
{
    long tiles = (long)((d->n + RP_TILE - 1) / RP_TILE);
    rp_status status = RP_OK;
    *c = (rp_panel){d, rp_alloc(d->n, d->width * sizeof *c->x), rp_alloc(d->width, 8)};
    if (!c->x || !c->norm) {
        rp_panel_release(c);
        return rp_fail_memory(err, d->n * d->width * sizeof *c->x);
    }
#pragma omp parallel
    {
        float *tile = rp_alloc(RP_TILE * d->width, sizeof *tile);
#pragma omp for schedule(dynamic, 1)
        for (long t = 0; t < tiles; t++) {
            size_t first = (size_t)t * RP_TILE, m = d->n - first;
            rp_error error = {0};
            rp_status s = tile ? read_tile(c, tile, first, m < RP_TILE ? m : RP_TILE, &error)
                               : rp_fail_memory(&error, RP_TILE * d->width * sizeof *tile);
            if (!s) continue;
#pragma omp critical(rp_panel_failed)
            if (!status) status = rp_fail(err, s, "%s", error.text);
        }
        free(tile);
#pragma omp for
        for (long j = 0; j < (long)d->width; j++) c->norm[j] = root_mean_square(c, (size_t)j);
    }
    if (status) rp_panel_release(c);
    return status;
}

void rp_panel_release(rp_panel *c)
{
    free(c->x), free(c->norm);
    *c = (rp_panel){0};
}

void rp_panel_get(double *u, const rp_panel *c, size_t j, const size_t *row, size_t m)
{
    const float *restrict x = c->x + j * c->d->n;
    double mean = c->d->mean[j], by = 1 / c->d->scale[j];
    if (row)
        for (size_t i = 0; i < m; i++) u[i] = ((double)x[row[i]] - mean) * by;
    else
        for (size_t i = 0; i < m; i++) u[i] = ((double)x[i] - mean) * by;
}

/* u [n] <- column j, in f32 */
static void centre(float *restrict u, const rp_panel *c, size_t j)
{
    const float *restrict x = c->x + j * c->d->n;
    float mean = (float)c->d->mean[j], by = (float)(1 / c->d->scale[j]);
    for (size_t i = 0; i < c->d->n; i++) u[i] = (x[i] - mean) * by;
}

rp_status rp_panel_product(float *q, const rp_panel *c, const float *r, size_t k, rp_error *err)
{
    const rp_design *d = c->d;
    size_t n = d->n, D = d->width;
    long blocks = (long)((D + BLOCK - 1) / BLOCK);
    rp_status status = RP_OK;
#pragma omp parallel
    {
        float *u = rp_alloc(n, BLOCK * sizeof *u);
#pragma omp for schedule(dynamic, 1)
        for (long b = 0; b < blocks; b++) {
            size_t first = (size_t)b * BLOCK, some = D - first < BLOCK ? D - first : BLOCK;
            if (!u) {
#pragma omp critical(rp_panel_failed)
                status = rp_fail_memory(err, n * BLOCK * sizeof *u);
                continue;
            }
            for (size_t j = 0; j < some; j++) centre(u + j * n, c, first + j);
            cblas_sgemm(CblasColMajor, CblasTrans, CblasNoTrans, (int)some, (int)k, (int)n, 1, u,
                        (int)n, r, (int)n, 0, q + first, (int)D);
        }
        free(u);
    }
    return status;
}

rp_status rp_panel_product_some(float *const *q, const rp_panel *c, const float *const *r, size_t k,
                                const size_t *column, size_t columns, rp_error *err)
{
    size_t n = c->d->n;
    float *u = rp_alloc(n, BLOCK * sizeof *u), *some = rp_alloc(k, BLOCK * sizeof *some);
    float *rows = rp_alloc(k, n * sizeof *rows);
    rp_status status = u && some && rows ? RP_OK : rp_fail_memory(err, n * (BLOCK + k) * sizeof *u);
    for (size_t i = 0; i < k && !status; i++) memcpy(rows + i * n, r[i], n * sizeof *rows);
    for (size_t first = 0; first < columns && !status; first += BLOCK) {
        size_t m = columns - first < BLOCK ? columns - first : BLOCK;
        for (size_t j = 0; j < m; j++) centre(u + j * n, c, column[first + j]);
        cblas_sgemm(CblasColMajor, CblasTrans, CblasNoTrans, (int)m, (int)k, (int)n, 1, u, (int)n,
                    rows, (int)n, 0, some, (int)m);
        for (size_t i = 0; i < k; i++)
            for (size_t j = 0; j < m; j++) q[i][column[first + j]] = some[i * m + j];
    }
    free(u), free(some), free(rows);
    return status;
}
