/*
 * Products in bf16 with sums in f32 (AVX-512 BF16): both sides are rounded to 8 bits of mantissa. A
 * panel holds pairs of inputs, [K / 2][RP_PANEL][2], K padded to whole groups with zeros.
 */
#include "tensor/cpu/kernels.h"

#if defined(__AVX512BF16__)

enum { DEPTH = 2 * RP_DEPTH, GROUP = 2 * RP_LANES }; /* inputs of a register */

static size_t groups_of(size_t n)
{
    return (n + GROUP - 1) / GROUP;
}

static size_t tile_bytes(size_t n)
{
    return groups_of(n) * GROUP * RP_TILE * 2;
}

static size_t block_bytes(size_t n)
{
    return groups_of(n) * GROUP * RP_PANEL * 2;
}

/* 32 floats, the last ones of a row padded with zeros */
static inline __m512i round_group(const float *x, size_t n)
{
    rp_vec low = n < RP_LANES ? rp_vec_load_part(x, n) : rp_vec_load(x), high = {0};
    if (n > RP_LANES)
        high = n < GROUP ? rp_vec_load_part(x + RP_LANES, n - RP_LANES) : rp_vec_load(x + RP_LANES);
    return (__m512i)_mm512_cvtne2ps_pbh(high, low);
}

static void pack(void *tiles, const float *x, size_t ldx, size_t rows, size_t n)
{
    size_t groups = groups_of(n);
    __m512i *out = tiles;
    for (size_t i = 0; i < rows; i += RP_TILE, out += groups * RP_TILE)
        for (size_t r = 0; r < RP_TILE; r++) {
            const float *row = x + (i + r < rows ? i + r : rows - 1) * ldx;
            for (size_t g = 0; g < groups; g++)
                out[g * RP_TILE + r] = round_group(row + g * GROUP, n - g * GROUP);
        }
}

static void multiply(float *y, size_t ldy, const void *tile, const void *panel, const float *bias,
                     bool first, size_t n)
{
    const int32_t *a = tile; /* pairs */
    const __m512i *b = panel;
    __m512 sum[RP_TILE][2];
    for (size_t r = 0; r < RP_TILE; r++) sum[r][0] = sum[r][1] = _mm512_setzero_ps();
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
    for (size_t r = 0; r < RP_TILE; r++)
        for (size_t j = 0; j < 2; j++) {
            float *out = y + r * ldy + j * RP_LANES;
            __m512 start = _mm512_setzero_ps();
            if (!first || bias) start = _mm512_loadu_ps(first ? bias + j * RP_LANES : out);
            _mm512_storeu_ps(out, _mm512_add_ps(start, sum[r][j]));
        }
}

static const rp_kernel kernel = {DEPTH, tile_bytes, block_bytes, pack, multiply};

static size_t panels_size(size_t N, size_t K)
{
    return (N + RP_PANEL - 1) / RP_PANEL * (block_bytes(K) / sizeof(float));
}

static void panels_pack(float *panels, const void *rows, rp_dtype dtype, size_t first, size_t end,
                        size_t K)
{
    float x[GROUP];
    for (size_t p0 = first; p0 < end; p0 += RP_PANEL) {
        int32_t *panel = (int32_t *)(panels + panels_size(p0, K));
        for (size_t j = 0; j < RP_PANEL; j++)
            for (size_t k = 0; k < K; k += GROUP) {
                size_t n = K - k < GROUP ? K - k : GROUP;
                int32_t pair[RP_LANES] = {0};
                if (p0 + j < end) {
                    rp_panels_read(x, rows, dtype, (p0 + j - first) * K + k, n);
                    _mm512_storeu_si512(pair, round_group(x, n));
                }
                for (size_t i = 0; i < RP_LANES; i++) panel[(k / 2 + i) * RP_PANEL + j] = pair[i];
            }
    }
}

static void matmul(float *y, const float *x, const float *panels, const float *bias, float *work,
                   size_t T, size_t N, size_t K)
{
    rp_kernel_matmul(&kernel, y, x, panels, bias, work, T, N, K);
}

const rp_backend *rp_backend_bf16(void)
{
    static const rp_backend bf16 = {.name = "bf16",
                                    .panels_size = panels_size,
                                    .panels_pack = panels_pack,
                                    .matmul = matmul,
                                    RP_BACKEND_OPERATORS};
    return &bf16;
}

#else

const rp_backend *rp_backend_bf16(void)
{
    return NULL;
}

#endif
