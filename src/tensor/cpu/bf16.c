/*
 * Products in bf16 with sums in f32: both sides are rounded to 8 bits of mantissa. A panel holds
 * pairs of inputs, [K / 2][RP_PANEL][2], K padded to whole groups with zeros.
 *
 * There are two ways to multiply: by the instruction of AVX-512 BF16, and in floats, made of the
 * pairs on the way. Which is faster depends on the machine: the instruction does twice the
 * arithmetic of a fused multiply-add on Zen 4 and Zen 5, and less than half of it on an Emerald
 * Rapids (measured). They have the same bits, so that a store does not depend on the choice: a
 * product of two such numbers is exact in f32, the instruction adds that of the odd inputs first
 * (on the Emerald Rapids no sum of twenty million differed), and both take subnormal numbers for
 * zero. Where a trial shows other bits the instruction is kept.
 */
#include <time.h>

#include "base/number.h"
#include "tensor/cpu/kernels.h"
#include "tensor/cpu/tile.h"

enum { DEPTH = 384, GROUP = 2 * RP_LANES }; /* inputs of a register */

static size_t groups_of(size_t n)
{
    return (n + GROUP - 1) / GROUP;
}

static size_t block_bytes(size_t n)
{
    return groups_of(n) * GROUP * RP_PANEL * 2;
}

/* To the nearest bf16, as floats; subnormal numbers become zero. */
static inline rp_vec round_lanes(rp_vec x)
{
    rp_bits bits = (rp_bits)x, magnitude = bits & 0x7fffffff;
    rp_bits near = bits + 0x7fff + (bits >> 16 & 1);
    near = rp_bits_choose(magnitude > 0x7f800000, bits | 0x400000, near); /* NaN */
    near = rp_bits_choose(magnitude < 0x800000, bits & 0x80000000, near);
    return (rp_vec)(near & 0xffff0000);
}

/* Vector i of a group whose first n inputs are at x; zeros after them. */
static inline rp_vec load_half(const float *x, size_t i, size_t n)
{
    if (n >= (i + 1) * RP_LANES) return rp_vec_load(x + i * RP_LANES);
    if (n <= i * RP_LANES) return (rp_vec){0};
    return rp_vec_load_part(x + i * RP_LANES, n - i * RP_LANES);
}

static inline void round_group(float out[GROUP], const float *x, size_t n)
{
    for (size_t i = 0; i < 2; i++)
        rp_vec_store(out + i * RP_LANES, round_lanes(load_half(x, i, n)));
}

/* ---- in floats ---- */

static size_t float_tile_bytes(size_t n)
{
    return groups_of(n) * GROUP * RP_TILE * sizeof(float);
}

/* Tiles [groups][RP_TILE][GROUP] */
static void float_pack(void *tiles, const float *x, size_t ldx, size_t rows, size_t n)
{
    size_t groups = groups_of(n);
    float *out = tiles;
    for (size_t i = 0; i < rows; i += RP_TILE, out += groups * GROUP * RP_TILE)
        for (size_t r = 0; r < RP_TILE; r++) {
            const float *row = x + (i + r < rows ? i + r : rows - 1) * ldx;
            for (size_t g = 0; g < groups; g++)
                round_group(out + (g * RP_TILE + r) * GROUP, row + g * GROUP, n - g * GROUP);
        }
}

static void float_multiply(float *y, size_t ldy, const void *tile, const void *panel,
                           const float *bias, bool first, size_t n)
{
    const float *a = tile;
    const rp_bits *b = panel;
    rp_sums sum;
    rp_sums_clear(sum);
    for (size_t g = 0; g < groups_of(n); g++, a += RP_TILE * GROUP)
#pragma GCC unroll 16
        for (size_t k = 0; k < RP_LANES; k++, b += 2) {
            rp_bits b0 = b[0], b1 = b[1];
            rp_sums_add(sum, a + 2 * k + 1, GROUP, (rp_vec)(b0 & 0xffff0000),
                        (rp_vec)(b1 & 0xffff0000));
            rp_sums_add(sum, a + 2 * k, GROUP, (rp_vec)(b0 << 16), (rp_vec)(b1 << 16));
        }
    rp_sums_store(y, ldy, sum, bias, first);
}

const rp_kernel rp_kernel_bf16_float = {DEPTH, float_tile_bytes, block_bytes, float_pack,
                                        float_multiply};

/* ---- by the instruction ---- */

#if defined(__AVX512BF16__)

static size_t pair_tile_bytes(size_t n)
{
    return groups_of(n) * GROUP * RP_TILE * 2;
}

static void pair_pack(void *tiles, const float *x, size_t ldx, size_t rows, size_t n)
{
    size_t groups = groups_of(n);
    __m512i *out = tiles;
    for (size_t i = 0; i < rows; i += RP_TILE, out += groups * RP_TILE)
        for (size_t r = 0; r < RP_TILE; r++) {
            const float *row = x + (i + r < rows ? i + r : rows - 1) * ldx;
            for (size_t g = 0; g < groups; g++) {
                size_t left = n - g * GROUP;
                out[g * RP_TILE + r] = (__m512i)_mm512_cvtne2ps_pbh(
                    load_half(row + g * GROUP, 1, left), load_half(row + g * GROUP, 0, left));
            }
        }
}

static void pair_multiply(float *y, size_t ldy, const void *tile, const void *panel,
                          const float *bias, bool first, size_t n)
{
    const int32_t *a = tile; /* pairs */
    const __m512i *b = panel;
    rp_sums sum;
    rp_sums_clear(sum);
    for (size_t g = 0; g < groups_of(n); g++, a += RP_TILE * RP_LANES)
        for (size_t k = 0; k < RP_LANES; k++, b += 2) {
            __m512bh b0 = (__m512bh)b[0], b1 = (__m512bh)b[1];
#pragma GCC unroll 12
            for (size_t r = 0; r < RP_TILE; r++) {
                __m512bh s = (__m512bh)_mm512_set1_epi32(a[r * RP_LANES + k]);
                sum[r][0] = _mm512_dpbf16_ps(sum[r][0], s, b0);
                sum[r][1] = _mm512_dpbf16_ps(sum[r][1], s, b1);
            }
        }
    rp_sums_store(y, ldy, sum, bias, first);
}

static const rp_kernel by_pairs = {DEPTH, pair_tile_bytes, block_bytes, pair_pack, pair_multiply};
const rp_kernel *const rp_kernel_bf16_pairs = &by_pairs;

#else

const rp_kernel *const rp_kernel_bf16_pairs = NULL;

#endif

/* ---- which of them ---- */

typedef struct trial {
    float x[RP_TILE * DEPTH], tile[RP_TILE * DEPTH];
    uint32_t panel[RP_PANEL * DEPTH / 2];
    float y[RP_TILE * RP_PANEL];
    double seconds; /* of a few tiles, the best of a few times */
} __attribute__((aligned(64))) trial;

static void measure(trial *t, const rp_kernel *kernel)
{
    rp_rng rng;
    rp_rng_init(&rng, 1, 0);
    for (size_t i = 0; i < RP_TILE * DEPTH; i++) t->x[i] = (float)rp_rng_normal(&rng);
    for (size_t i = 0; i < RP_PANEL * DEPTH / 2; i++) /* both of a pair in [1/8, 2), any sign */
        t->panel[i] = ((uint32_t)rp_rng_next(&rng) & 0x81ff81ff) | 0x3e003e00;
    kernel->pack(t->tile, t->x, DEPTH, RP_TILE, DEPTH);
    t->seconds = 1;
    for (size_t i = 0; i < 20; i++) {
        struct timespec from, to;
        clock_gettime(CLOCK_MONOTONIC, &from);
        for (size_t k = 0; k < 4; k++)
            kernel->multiply(t->y, RP_PANEL, t->tile, t->panel, NULL, true, DEPTH);
        clock_gettime(CLOCK_MONOTONIC, &to);
        double s = (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec);
        if (s < t->seconds) t->seconds = s;
    }
}

static const rp_kernel *faster(void)
{
    trial pairs, floats;
    if (!rp_kernel_bf16_pairs) return &rp_kernel_bf16_float;
    measure(&pairs, rp_kernel_bf16_pairs);
    measure(&floats, &rp_kernel_bf16_float);
    bool same = !memcmp(pairs.y, floats.y, sizeof pairs.y);
    return same && floats.seconds < pairs.seconds ? &rp_kernel_bf16_float : rp_kernel_bf16_pairs;
}

const rp_kernel *rp_kernel_bf16(void)
{
    static const rp_kernel *_Atomic chosen;
    const rp_kernel *kernel = chosen;
    if (!kernel) chosen = kernel = faster();
    return kernel;
}

/* ---- the back end ---- */

static size_t panels_size(size_t N, size_t K)
{
    return (N + RP_PANEL - 1) / RP_PANEL * (block_bytes(K) / sizeof(float));
}

static void panels_pack(float *panels, const void *rows, rp_dtype dtype, size_t first, size_t end,
                        size_t K)
{
    float x[GROUP];
    uint32_t bits[GROUP];
    for (size_t p0 = first; p0 < end; p0 += RP_PANEL) {
        uint32_t *panel = (uint32_t *)(panels + panels_size(p0, K));
        for (size_t j = 0; j < RP_PANEL; j++)
            for (size_t k = 0; k < K; k += GROUP) {
                size_t n = K - k < GROUP ? K - k : GROUP;
                memset(bits, 0, sizeof bits);
                if (p0 + j < end) {
                    rp_panels_read(x, rows, dtype, (p0 + j - first) * K + k, n);
                    round_group((float *)bits, x, n);
                }
                for (size_t i = 0; i < RP_LANES; i++)
                    panel[(k / 2 + i) * RP_PANEL + j] = bits[2 * i + 1] | bits[2 * i] >> 16;
            }
    }
}

void rp_bf16_matmul(const rp_kernel *way, float *y, const float *x, const float *panels,
                    const float *bias, float *work, size_t T, size_t N, size_t K)
{
#if defined(__SSE__)
    unsigned before = _mm_getcsr();
    _mm_setcsr(before | _MM_FLUSH_ZERO_ON | _MM_DENORMALS_ZERO_ON); /* as the instruction has it */
#endif
    rp_kernel_matmul(way, y, x, panels, bias, work, T, N, K);
#if defined(__SSE__)
    _mm_setcsr(before);
#endif
}

static void matmul(float *y, const float *x, const float *panels, const float *bias, float *work,
                   size_t T, size_t N, size_t K)
{
    rp_bf16_matmul(rp_kernel_bf16(), y, x, panels, bias, work, T, N, K);
}

const rp_backend *rp_backend_bf16(void)
{
    static const rp_backend bf16 = {.name = "bf16",
                                    .panels_size = panels_size,
                                    .panels_pack = panels_pack,
                                    .matmul = matmul,
                                    RP_BACKEND_OPERATORS};
    rp_kernel_bf16(); /* chosen before there is other work */
    return &bf16;
}
