/*
 * Products in int8 with sums in int32 (AVX-512 VNNI). Weights have a scale for each output and
 * block of DEPTH inputs, rows of x one for each block, from the row itself; the inputs of a row
 * that stick out of its block stay floats, since one of them would cost all others their digits. A
 * block of a panel: codes [DEPTH / 4][RP_PANEL][4], then scales [RP_PANEL] and sums of codes
 * [RP_PANEL].
 */
#include <math.h>

#include "tensor/cpu/kernels.h"

#if defined(__AVX512VNNI__) && defined(__AVX512BW__)

enum { DEPTH = 512, GROUP = 4 * RP_LANES, OUTLIERS = 8 };
static const float STICKS_OUT = 6; /* root mean squares of the block */

/* What a tile holds beside its codes. */
typedef struct header {
    float scale[RP_TILE];
    uint32_t n[RP_TILE]; /* outliers */
    uint32_t at[RP_TILE][OUTLIERS];
    float value[RP_TILE][OUTLIERS];
} header;

static size_t groups_of(size_t n)
{
    return (n + GROUP - 1) / GROUP;
}

static size_t tile_bytes(size_t n)
{
    return groups_of(n) * GROUP * RP_TILE + (sizeof(header) + 63) / 64 * 64;
}

static size_t block_bytes(size_t n)
{
    return groups_of(n) * GROUP * RP_PANEL + 2 * RP_PANEL * 4;
}

static float largest(const float *x, size_t n)
{
    rp_vec most = {0};
    size_t i = 0;
    for (; i + RP_LANES <= n; i += RP_LANES) {
        rp_vec v = rp_vec_load(x + i);
        most = rp_vec_max(most, rp_vec_max(v, -v));
    }
    float all = rp_vec_highest(most);
    for (; i < n; i++) all = fabsf(x[i]) > all ? fabsf(x[i]) : all;
    return all;
}

/* Takes the outliers of x [n] (at most OUTLIERS, the first ones) out into row r of the header. */
static void take_outliers(header *h, size_t r, float *x, size_t n)
{
    float limit = STICKS_OUT * sqrtf(rp_dot_run(x, x, n) / (float)n);
    h->n[r] = 0;
    if (!(largest(x, n) > limit)) return;
    for (size_t k = 0; k < n && h->n[r] < OUTLIERS; k++) {
        if (!(fabsf(x[k]) > limit)) continue;
        h->at[r][h->n[r]] = (uint32_t)k;
        h->value[r][h->n[r]++] = x[k];
        x[k] = 0;
    }
}

/* code [groups GROUP] <- x [n] / scale, zeros after it; returns the scale. NaN and infinity make
 * the scale so, and with it the products. */
static float quantise(int8_t *code, const float *x, size_t n)
{
    float scale = largest(x, n) / 127, by = scale > 0 ? 1 / scale : 0;
    size_t k = 0;
    if (!(scale - scale == 0)) by = 0;
    for (; k + RP_LANES <= n; k += RP_LANES) {
        __m512i q = _mm512_cvtps_epi32((__m512)(rp_vec_load(x + k) * by));
        _mm_storeu_si128((__m128i *)(code + k), _mm512_cvtsepi32_epi8(q));
    }
    for (; k < n; k++) code[k] = (int8_t)lrintf(x[k] * by);
    for (; k < groups_of(n) * GROUP; k++) code[k] = 0;
    bool broken = false;
    for (size_t i = 0; i < n; i++) broken |= x[i] != x[i];
    return broken ? NAN : scale;
}

static void pack(void *tiles, const float *x, size_t ldx, size_t rows, size_t n)
{
    size_t groups = groups_of(n);
    float row[DEPTH];
    int8_t code[DEPTH];
    for (size_t i = 0; i < rows; i += RP_TILE) {
        char *tile = (char *)tiles + i / RP_TILE * tile_bytes(n);
        header *h = (header *)(tile + groups * GROUP * RP_TILE);
        for (size_t r = 0; r < RP_TILE; r++) {
            memcpy(row, x + (i + r < rows ? i + r : rows - 1) * ldx, n * sizeof *row);
            take_outliers(h, r, row, n);
            h->scale[r] = quantise(code, row, n);
            for (size_t g = 0; g < groups; g++) /* unsigned: 128 more */
                _mm512_storeu_si512(tile + (g * RP_TILE + r) * GROUP,
                                    _mm512_xor_si512(_mm512_loadu_si512(code + g * GROUP),
                                                     _mm512_set1_epi8((char)0x80)));
        }
    }
}

/* value times the codes of input k, as floats, for 16 outputs. */
static inline __m512 outlier(const int8_t *codes, size_t k, size_t j, float value)
{
    __m512i four = _mm512_loadu_si512(codes + (k / 4 * RP_PANEL + j * RP_LANES) * 4);
    __m512i one =
        _mm512_srai_epi32(_mm512_sllv_epi32(four, _mm512_set1_epi32(24 - 8 * (int)(k % 4))), 24);
    return _mm512_mul_ps(_mm512_cvtepi32_ps(one), _mm512_set1_ps(value));
}

static void multiply(float *y, size_t ldy, const void *tile, const void *panel, const float *bias,
                     bool first, size_t n)
{
    size_t groups = groups_of(n);
    const int32_t *a = tile; /* fours */
    const __m512i *b = panel;
    const header *h = (const header *)((const char *)tile + groups * GROUP * RP_TILE);
    const float *scale = (const float *)((const char *)panel + groups * GROUP * RP_PANEL);
    const int32_t *sums = (const int32_t *)(scale + RP_PANEL);
    __m512i sum[RP_TILE][2], kept[RP_TILE][2];
#pragma GCC unroll 12
    for (size_t r = 0; r < RP_TILE; r++) sum[r][0] = sum[r][1] = _mm512_setzero_si512();
    for (size_t g = 0; g < groups; g++, a += RP_TILE * RP_LANES)
        for (size_t k = 0; k < RP_LANES; k++, b += 2) {
            __m512i b0 = b[0], b1 = b[1];
#pragma GCC unroll 12
            for (size_t r = 0; r < RP_TILE; r++) {
                __m512i s = _mm512_set1_epi32(a[r * RP_LANES + k]);
                sum[r][0] = _mm512_dpbusd_epi32(sum[r][0], s, b0);
                sum[r][1] = _mm512_dpbusd_epi32(sum[r][1], s, b1);
            }
        }
#pragma GCC unroll 12
    for (size_t r = 0; r < RP_TILE; r++) /* so that the sums stay in registers until here */
        kept[r][0] = sum[r][0], kept[r][1] = sum[r][1];
    for (size_t j = 0; j < 2; j++) {
        __m512i shift = _mm512_slli_epi32(_mm512_loadu_si512(sums + j * RP_LANES), 7);
        __m512 by = _mm512_loadu_ps(scale + j * RP_LANES);
        for (size_t r = 0; r < RP_TILE; r++) {
            float *out = y + r * ldy + j * RP_LANES;
            __m512 start = _mm512_setzero_ps();
            if (!first || bias) start = _mm512_loadu_ps(first ? bias + j * RP_LANES : out);
            __m512 v = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_sub_epi32(kept[r][j], shift)),
                                     _mm512_set1_ps(h->scale[r]));
            for (size_t i = 0; i < h->n[r]; i++)
                v = _mm512_add_ps(v, outlier(panel, h->at[r][i], j, h->value[r][i]));
            _mm512_storeu_ps(out, _mm512_fmadd_ps(v, by, start));
        }
    }
}

static const rp_kernel kernel = {DEPTH, tile_bytes, block_bytes, pack, multiply};

static size_t panel_bytes(size_t K)
{
    return K / DEPTH * block_bytes(DEPTH) + (K % DEPTH ? block_bytes(K % DEPTH) : 0);
}

static size_t panels_size(size_t N, size_t K)
{
    return (N + RP_PANEL - 1) / RP_PANEL * (panel_bytes(K) / sizeof(float));
}

/* Output j of a block: n inputs. */
static void pack_output(char *block, size_t j, const float *x, size_t n)
{
    size_t groups = groups_of(n);
    int8_t code[DEPTH];
    float *scale = (float *)(block + groups * GROUP * RP_PANEL);
    int32_t *sums = (int32_t *)(scale + RP_PANEL), sum = 0;
    scale[j] = quantise(code, x, n);
    for (size_t k = 0; k < groups * GROUP; k += 4)
        memcpy(block + (k / 4 * RP_PANEL + j) * 4, code + k, 4);
    for (size_t k = 0; k < n; k++) sum += code[k];
    sums[j] = sum;
}

static void panels_pack(float *panels, const void *rows, rp_dtype dtype, size_t first, size_t end,
                        size_t K)
{
    float x[DEPTH];
    for (size_t p0 = first; p0 < end; p0 += RP_PANEL) {
        char *block = (char *)(panels + panels_size(p0, K));
        for (size_t k = 0; k < K; k += DEPTH) {
            size_t n = K - k < DEPTH ? K - k : DEPTH;
            for (size_t j = 0; j < RP_PANEL; j++) {
                memset(x, 0, sizeof x);
                for (size_t i = 0; i < n && p0 + j < end; i += RP_DEPTH)
                    rp_panels_read(x + i, rows, dtype, (p0 + j - first) * K + k + i,
                                   n - i < RP_DEPTH ? n - i : RP_DEPTH);
                pack_output(block, j, x, n);
            }
            block += block_bytes(n);
        }
    }
}

static void matmul(float *y, const float *x, const float *panels, const float *bias, float *work,
                   size_t T, size_t N, size_t K)
{
    rp_kernel_matmul(&kernel, y, x, panels, bias, work, T, N, K);
}

const rp_backend *rp_backend_int8(void)
{
    static const rp_backend int8 = {.name = "int8",
                                    .panels_size = panels_size,
                                    .panels_pack = panels_pack,
                                    .matmul = matmul,
                                    RP_BACKEND_OPERATORS};
    return &int8;
}

#else

const rp_backend *rp_backend_int8(void)
{
    return NULL;
}

#endif
