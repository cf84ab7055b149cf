/*
 * The matrix product of the CPU back end: y = x w', w packed into panels of RP_PANEL outputs,
 * panel p holding w[p * RP_PANEL + j][k] at [p][k][j], zero-padded to whole panels. A tile of
 * RP_TILE rows by one panel stays in registers while the inputs are added up in ascending order, in
 * blocks of RP_DEPTH: every element of y is made by the same operations in the same order, whatever
 * its row.
 */
#ifndef RP_TENSOR_CPU_PANELS_H
#define RP_TENSOR_CPU_PANELS_H

#include "base/safetensors.h"
#include "tensor/cpu/simd.h"

#define RP_PANEL (2 * RP_LANES)
#if RP_LANES == 16
#define RP_TILE 12 /* 24 of 32 registers hold sums */
#else
#define RP_TILE 6 /* 12 of 16 */
#endif
/* Inputs at a time: RP_DEPTH x RP_PANEL floats lie in the first-level cache. Rows at a time: as
 * many as the second-level cache has room for (product.c). */
#define RP_DEPTH 256
#define RP_PANELS_WORK (768 * RP_DEPTH) /* floats of `work`, for any kernel */

size_t rp_panels_size(size_t N, size_t K);
void rp_panels_pack(float *panels, const void *rows, rp_dtype dtype, size_t first, size_t end,
                    size_t K);
/* Rows [first, end) of panels [N, K] <- m [end - first, K] with rows ldm apart, in f32; with the
 * last row the padding. */
void rp_panels_pack_rows(float *panels, const float *m, size_t ldm, size_t first, size_t end,
                         size_t N, size_t K);
/* Inputs [first, end) of panels [N, K] <- m [end - first, N] with rows ldm apart, in f32. */
void rp_panels_pack_transposed(float *panels, const float *m, size_t ldm, size_t first, size_t end,
                               size_t N, size_t K);

/* How tiles are multiplied in some kind of numbers. Everything of x is turned into that kind for
 * some rows and `depth` inputs at a time, as tiles of RP_TILE rows; a panel is cut into blocks of
 * `depth` inputs, too. */
typedef struct rp_kernel {
    size_t depth;
    /* Bytes of a tile, and of a panel's block, of n <= depth inputs. */
    size_t (*tile_bytes)(size_t n), (*block_bytes)(size_t n);
    /* tiles <- x [rows, n], rows ldx apart; rows that are missing in the last tile repeat the last.
     */
    void (*pack)(void *tiles, const float *x, size_t ldx, size_t rows, size_t n);
    /* y [RP_TILE, RP_PANEL] = start + a' b; start is the bias [RP_PANEL] (zero where NULL) for the
     * first block of inputs, y itself after it. */
    void (*multiply)(float *y, size_t ldy, const void *a, const void *b, const float *bias,
                     bool first, size_t n);
} rp_kernel;
extern const rp_kernel rp_kernel_float;

/* y [T, N] (rows ldy apart) = x [T, K] (rows ldx apart) w' + bias; panels are `depth` >= K inputs
 * deep, of which the first K are used. */
typedef struct rp_product {
    const rp_kernel *kernel;
    float *y;
    const float *x, *panels, *bias; /* bias may be NULL */
    float *work;                    /* [RP_PANELS_WORK] */
    size_t ldy, ldx, depth;
    size_t T, N, K;
} rp_product;
void rp_product_run(const rp_product *p);

/* out [n] <- elements at .. at + n - 1 of w, f32, f16 or bf16, any alignment; n <= RP_DEPTH. */
void rp_panels_read(float *out, const void *w, rp_dtype dtype, size_t at, size_t n);

#endif
