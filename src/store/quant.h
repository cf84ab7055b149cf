/*
 * Activations as f32, f16, bf16 or i8, and what that loses. i8 is affine per column and shard,
 * x = zero + scale * code with code in -127..127: a scale per row would let the few units with
 * massive activations flatten all the others.
 */
#ifndef RP_STORE_QUANT_H
#define RP_STORE_QUANT_H

#include "base/safetensors.h"

typedef struct rp_loss {
    double error; /* worst column: |x - stored| / |x - mean|, 2-norms over the shard's rows */
    size_t layer, column; /* where (layer is the caller's) */
} rp_loss;

/* codes [rows, width] of `dtype`, scale and zero [width] (RP_I8 only) <- x [rows, width].
 * For f32 codes may be NULL: x is only checked.
 * RP_ECOMPUTE with *row and *column at a value that is not finite, or beyond the range of dtype.
 * Columns that are constant in the shard do not count for the loss. */
rp_status rp_quant_encode(void *codes, float *scale, float *zero, rp_loss *loss, size_t *row,
                          size_t *column, const float *x, size_t rows, size_t width, rp_dtype dtype,
                          rp_error *err);
/* x [rows, width] <- codes; they may be unaligned, and so may the floats of scale and zero. */
void rp_quant_decode(float *x, const void *codes, const void *scale, const void *zero, size_t rows,
                     size_t width, rp_dtype dtype);

#endif
