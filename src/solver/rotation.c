#include "solver/rotation.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/number.h"

enum { STREAM = 0x726f74 }; /* of the seed: no other draw is related */

void rp_rotation_release(rp_rotation *r)
{
    free(r->pair), free(r->turn);
    *r = (rp_rotation){0};
}

static size_t rounds_for(size_t width)
{
    size_t log = 0;
    while (log < 31 && ((size_t)1 << log) < width) log++;
    return log + 8;
}

rp_status rp_rotation_init(rp_rotation *r, size_t D, uint64_t seed, rp_error *err)
{
    const double eighth = acos(-1.0) / 4;
    rp_rng rng;
    size_t *order = rp_alloc(D, sizeof *order);
    *r = (rp_rotation){.width = D, .rounds = rounds_for(D)};
    r->pair = rp_alloc(r->rounds * D, sizeof *r->pair);
    r->turn = rp_alloc(r->rounds * (D / 2) * 2, sizeof *r->turn);
    if (!order || !r->pair || !r->turn) {
        free(order);
        rp_rotation_release(r);
        return rp_fail_memory(err, r->rounds * D * 12);
    }
    rp_rng_init(&rng, seed, STREAM);
    for (size_t j = 0; j < D; j++) order[j] = j;
    for (size_t k = 0; k < r->rounds; k++) {
        rp_rng_shuffle(&rng, order, D);
        for (size_t j = 0; j < D; j++) r->pair[k * D + j] = (unsigned)order[j];
        for (size_t i = 0; i < D / 2; i++) {
            double diagonal = eighth * (double)(1 + 2 * rp_rng_below(&rng, 4));
            double angle = diagonal + eighth * (rp_rng_uniform(&rng) - .5);
            double *turn = r->turn + (k * (D / 2) + i) * 2;
            turn[0] = cos(angle), turn[1] = sin(angle);
        }
    }
    free(order);
    return RP_OK;
}

void rp_rotation_panel(const rp_rotation *r, double *v)
{
    size_t D = r->width, half = D / 2;
    for (size_t k = 0; k < r->rounds; k++)
        for (size_t i = 0; i < half; i++) {
            const unsigned *pair = r->pair + k * D + 2 * i;
            const double *turn = r->turn + (k * half + i) * 2;
            double *restrict a = v + (size_t)pair[0] * RP_LANES;
            double *restrict b = v + (size_t)pair[1] * RP_LANES;
            for (size_t l = 0; l < RP_LANES; l++) {
                double x = a[l], y = b[l];
                a[l] = turn[0] * x - turn[1] * y;
                b[l] = turn[1] * x + turn[0] * y;
            }
        }
}

/* Up to RP_LANES rows of z, turned; panel [D, RP_LANES] is scratch. */
static void turn_rows(const rp_rotation *r, double *panel, double *z, size_t m)
{
    size_t D = r->width;
    for (size_t j = 0; j < D; j++)
        for (size_t l = 0; l < RP_LANES; l++) panel[j * RP_LANES + l] = l < m ? z[l * D + j] : 0;
    rp_rotation_panel(r, panel);
    for (size_t l = 0; l < m; l++)
        for (size_t j = 0; j < D; j++) z[l * D + j] = panel[j * RP_LANES + l];
}

/* a <- a', in squares that fit the first cache. */
static void transpose(double *a, size_t D)
{
    enum { SQUARE = 32 };
    size_t squares = (D + SQUARE - 1) / SQUARE;
#pragma omp parallel for schedule(dynamic, 4)
    for (long s = 0; s < (long)squares; s++)
        for (size_t j0 = (size_t)s * SQUARE, i0 = j0; i0 < D; i0 += SQUARE)
            for (size_t j = j0; j < j0 + SQUARE && j < D; j++)
                for (size_t i = i0 > j ? i0 : j + 1; i < i0 + SQUARE && i < D; i++) {
                    double keep = a[j * D + i];
                    a[j * D + i] = a[i * D + j];
                    a[i * D + j] = keep;
                }
}

rp_status rp_rotation_rows(const rp_rotation *r, double *z, size_t m, rp_error *err)
{
    size_t D = r->width;
    long panels = (long)((m + RP_LANES - 1) / RP_LANES);
    bool refused = false;
#pragma omp parallel
    {
        double *panel = rp_alloc(D * RP_LANES, sizeof *panel);
        if (!panel) {
#pragma omp atomic write
            refused = true;
        }
#pragma omp for schedule(static)
        for (long p = 0; p < panels; p++) {
            size_t at = (size_t)p * RP_LANES;
            if (panel) turn_rows(r, panel, z + at * D, m - at < RP_LANES ? m - at : RP_LANES);
        }
        free(panel);
    }
    return refused ? rp_fail_memory(err, D * RP_LANES * sizeof(double)) : RP_OK;
}

/* a R, its transpose R' a since a is symmetric, and R' a R. */
rp_status rp_rotation_gram(const rp_rotation *r, double *a, rp_error *err)
{
    rp_status status = rp_rotation_rows(r, a, r->width, err);
    if (status) return status;
    transpose(a, r->width);
    return rp_rotation_rows(r, a, r->width, err);
}
