/*
 * A tile of a product in registers: RP_TILE rows by a panel's RP_PANEL outputs, in floats. What the
 * kernels that sum in floats share. Every loop over a tile is unrolled: an index that is not a
 * constant would put the sums into memory.
 */
#ifndef RP_TENSOR_CPU_TILE_H
#define RP_TENSOR_CPU_TILE_H

#include "tensor/cpu/panels.h"

typedef rp_vec rp_sums[RP_TILE][2];

static inline void rp_sums_clear(rp_sums sum)
{
#pragma GCC unroll 12
    for (size_t r = 0; r < RP_TILE; r++) sum[r][0] = sum[r][1] = (rp_vec){0};
}

/* sum += a b for one input: a [RP_TILE], lda apart, b [RP_PANEL]. */
static inline void rp_sums_add(rp_sums sum, const float *a, size_t lda, rp_vec b0, rp_vec b1)
{
#pragma GCC unroll 12
    for (size_t r = 0; r < RP_TILE; r++) {
        rp_vec s = rp_vec_all(a[r * lda]);
        sum[r][0] = rp_vec_fma(s, b0, sum[r][0]);
        sum[r][1] = rp_vec_fma(s, b1, sum[r][1]);
    }
}

/* y [RP_TILE, RP_PANEL], rows ldy apart, as a kernel's `multiply` does. */
static inline void rp_sums_store(float *y, size_t ldy, rp_sums sum, const float *bias, bool first)
{
#pragma GCC unroll 12
    for (size_t r = 0; r < RP_TILE; r++) {
#pragma GCC unroll 2
        for (size_t j = 0; j < 2; j++) {
            float *out = y + r * ldy + j * RP_LANES;
            if (!first)
                sum[r][j] += rp_vec_load(out);
            else if (bias)
                sum[r][j] += rp_vec_load(bias + j * RP_LANES);
            rp_vec_store(out, sum[r][j]);
        }
    }
}

#endif
