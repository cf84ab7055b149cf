#include "solver/design.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/comm.h"
#include "base/memory.h"

/* OpenBLAS has it, other CBLAS libraries do not. */
extern void openblas_set_num_threads(int n) __attribute__((weak));

void rp_solver_blas_init(void)
{
    if (openblas_set_num_threads) openblas_set_num_threads(1);
}

bool rp_design_mine(const rp_design *d, size_t k)
{
    const rp_comm *world = rp_comm_world();
    return !d->team || k % (size_t)world->size == (size_t)world->rank;
}

rp_status rp_design_gather(const rp_design *d, double *v, size_t n, rp_error *err)
{
    return d->team ? rp_comm_sum(v, n, err) : RP_OK;
}

rp_status rp_design_agree(const rp_design *d, rp_status status, rp_error *err)
{
    return d->team ? rp_comm_agree(status, err) : status;
}

bool rp_label_constant(double mean, double sd)
{
    return !(sd > 0) || sd < 1e-9 * fabs(mean);
}

void rp_design_release(rp_design *d)
{
    free(d->mean), free(d->scale);
    free(d->y), free(d->ymean), free(d->yscale);
    *d = (rp_design){0};
}

/* What is too large to be summed is left as a constant: undefined, not an error for the others. */
static void centre_label(rp_design *d, size_t p, const double *from)
{
    double *y = d->y + p * d->n, sum = 0, squares = 0;
    for (size_t i = 0; i < d->n; i++) sum += y[i] = from[d->folds->row[i]];
    double mean = sum / (double)d->n;
    for (size_t i = 0; i < d->n; i++) y[i] -= mean, squares += y[i] * y[i];
    double sd = sqrt(squares / (double)d->n);
    bool scaled = sd > 0 && (d->standardise || p < d->labels);
    if (!isfinite(mean) || !isfinite(sd)) {
        memset(y, 0, d->n * sizeof *y);
        mean = 0, scaled = false;
    }
    d->ymean[p] = mean;
    d->yscale[p] = scaled ? sd : 1;
    for (size_t i = 0; i < d->n; i++) y[i] /= d->yscale[p];
}

static rp_status not_finite(const rp_design *d, const float *x, const size_t *row, size_t m,
                            rp_error *err)
{
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < d->width; j++)
            if (!isfinite(x[i * d->width + j]))
                return rp_fail(err, RP_EFORMAT, "%s: row %zu unit %zu is not a finite number: %g",
                               d->x->name, row[i], j, (double)x[i * d->width + j]);
    return rp_fail(err, RP_EFORMAT, "%s: values too large to be summed", d->x->name);
}

/* A block of rows: sums of the deviations from `about`, and of their squares. */
static rp_status block_sums(const rp_design *d, double *sum, double *squares, const double *about,
                            float *x, size_t first, size_t m, rp_error *err)
{
    size_t D = d->width;
    const size_t *row = d->folds->row + first;
    rp_status status = d->x->read(d->x->arg, x, row, m, err);
    if (status) return status;
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < D; j++) {
            double v = (double)x[i * D + j] - about[j];
            sum[j] += v, squares[j] += v * v;
        }
    double check = 0;
    for (size_t j = 0; j < D; j++) check += squares[j];
    return isfinite(check) ? RP_OK : not_finite(d, x, row, m, err);
}

enum { BLOCK = 1024 }; /* rows of a partial sum: sums do not depend on the number of threads */

/* total [2, D] <- sums over all rows of the deviations from `about`, then of their squares. */
static rp_status column_sums(const rp_design *d, double *total, const double *about, rp_error *err)
{
    size_t D = d->width, n = d->n, blocks = (n + BLOCK - 1) / BLOCK, wide = 64;
    rp_status status = RP_OK;
    double *part = rp_alloc(wide * D, 2 * sizeof *part);
    if (!part) return rp_fail_memory(err, 2 * wide * D * sizeof *part);
    memset(total, 0, 2 * D * sizeof *total);
    for (size_t b0 = 0; b0 < blocks && !status; b0 += wide) { /* 64 partial sums at a time */
        long some = (long)(blocks - b0 < wide ? blocks - b0 : wide);
        memset(part, 0, 2 * wide * D * sizeof *part);
#pragma omp parallel for schedule(dynamic, 1)
        for (long b = 0; b < some; b++) {
            rp_error error = {0};
            if (!rp_design_mine(d, b0 + (size_t)b)) continue;
            float *x = rp_alloc(RP_TILE * D, sizeof *x);
            size_t at = (b0 + (size_t)b) * BLOCK, end = at + BLOCK < n ? at + BLOCK : n;
            rp_status s = x ? RP_OK : rp_fail_memory(&error, RP_TILE * D * sizeof *x);
            for (double *to = part + (size_t)b * 2 * D; at < end && !s; at += RP_TILE)
                s = block_sums(d, to, to + D, about, x, at, end - at < RP_TILE ? end - at : RP_TILE,
                               &error);
            free(x);
            if (!s) continue;
#pragma omp critical(rp_design_failed)
            if (!status) status = rp_fail(err, s, "%s", error.text);
        }
        status = rp_design_agree(d, status, err);
        if (!status) status = rp_design_gather(d, part, 2 * (size_t)some * D, err);
        for (long b = 0; b < some && !status; b++)
            for (size_t j = 0; j < 2 * D; j++) total[j] += part[(size_t)b * 2 * D + j];
    }
    free(part);
    return status;
}

/* Means and deviations from one pass, about the first row; from one more, about these means, where
 * the first row is so far from the mean of a column that its deviation has lost digits. */
static rp_status moments(rp_design *d, double *total, rp_error *err)
{
    size_t D = d->width;
    float *first = rp_alloc(D, sizeof *first);
    rp_status status = first ? RP_OK : rp_fail_memory(err, D * sizeof *first);
    if (!status && d->n) status = d->x->read(d->x->arg, first, d->folds->row, 1, err);
    for (size_t j = 0; j < D && !status; j++) d->mean[j] = (double)first[j];
    free(first);
    status = rp_design_agree(d, status, err);
    bool far = true;
    for (int pass = 0; pass < 2 && far && !status; pass++) {
        status = column_sums(d, total, d->mean, err);
        far = false;
        for (size_t j = 0; j < D && !status; j++) {
            double shift = total[j] / (double)d->n, square = total[D + j] / (double)d->n;
            double var = square - shift * shift;
            far |= var < 1e-6 * square;
            d->mean[j] += shift;
            d->scale[j] = var > 0 ? sqrt(var) : 0;
        }
    }
    return status;
}

static rp_status standardise(rp_design *d, rp_error *err)
{
    size_t D = d->width;
    double largest = 0, *total = rp_alloc(2 * D, sizeof *total);
    rp_status status = total ? RP_OK : rp_fail_memory(err, 2 * D * sizeof *total);
    status = rp_design_agree(d, status, err);
    if (!status) status = moments(d, total, err);
    free(total);
    for (size_t j = 0; j < D; j++) largest = fmax(largest, d->scale[j]);
    for (size_t j = 0; j < D; j++) /* what is dead is left as it is */
        if (!d->standardise || !(d->scale[j] > 1e-7 * largest)) d->scale[j] = 1;
    return status;
}

rp_status rp_design_init(rp_design *d, const rp_matrix *x, const rp_folds *folds,
                         const double *const *y, size_t labels, size_t extras, bool standardised,
                         bool team, rp_error *err)
{
    size_t n = folds->n, D = x->width, all = labels + extras;
    *d = (rp_design){.x = x,
                     .folds = folds,
                     .n = n,
                     .width = D,
                     .labels = labels,
                     .extras = extras,
                     .standardise = standardised,
                     .team = team};
    d->mean = rp_alloc(D, sizeof(double));
    d->scale = rp_alloc(D, sizeof(double));
    d->y = rp_alloc(all * n, sizeof(double));
    d->ymean = rp_alloc(all, sizeof(double));
    d->yscale = rp_alloc(all, sizeof(double));
    rp_status status = RP_OK;
    if (!d->mean || !d->scale || !d->y || !d->ymean || !d->yscale)
        status = rp_fail_memory(err, all * n * sizeof(double));
    status = rp_design_agree(d, status, err);
    if (!status) status = standardise(d, err);
    if (status) {
        rp_design_release(d);
        return status;
    }
    for (size_t p = 0; p < all; p++) centre_label(d, p, y[p]);
    return RP_OK;
}

rp_status rp_design_tile(const rp_design *d, double *u, float *scratch, const size_t *at,
                         size_t first, size_t m, rp_error *err)
{
    size_t D = d->width, row[RP_TILE] = {0};
    for (size_t i = 0; i < m; i++) row[i] = d->folds->row[at ? at[i] : first + i];
    rp_status status = d->x->read(d->x->arg, scratch, row, m, err);
    if (status) return status;
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < D; j++)
            u[i * D + j] = ((double)scratch[i * D + j] - d->mean[j]) / d->scale[j];
    return RP_OK;
}
