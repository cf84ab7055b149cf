#include "tensor/cpu/panels.h"

#include "base/number.h"
#include "tensor/cpu/tile.h"

size_t rp_panels_size(size_t N, size_t K)
{
    return (N + RP_PANEL - 1) / RP_PANEL * RP_PANEL * K;
}

void rp_panels_read(float *out, const void *w, rp_dtype dtype, size_t at, size_t n)
{
    const unsigned char *bytes = (const unsigned char *)w + at * rp_dtype_size(dtype);
    uint16_t half[RP_DEPTH]; /* bytes may be at an odd address */
    if (dtype == RP_F32) {
        memcpy(out, bytes, n * sizeof *out);
        return;
    }
    memcpy(half, bytes, n * sizeof *half);
    if (dtype == RP_F16)
        rp_floats_from_half(out, half, n);
    else
        rp_floats_from_bfloat(out, half, n);
}

void rp_panels_pack(float *panels, const void *rows, rp_dtype dtype, size_t first, size_t end,
                    size_t K)
{
    float row[RP_DEPTH];
    for (size_t p0 = first; p0 < end; p0 += RP_PANEL) {
        for (size_t k0 = 0; k0 < K; k0 += RP_DEPTH) {
            size_t n = K - k0 < RP_DEPTH ? K - k0 : RP_DEPTH;
            float *panel = panels + p0 * K + k0 * RP_PANEL;
            for (size_t j = 0; j < RP_PANEL; j++) {
                if (p0 + j < end)
                    rp_panels_read(row, rows, dtype, (p0 + j - first) * K + k0, n);
                else
                    memset(row, 0, n * sizeof *row);
                for (size_t k = 0; k < n; k++) panel[k * RP_PANEL + j] = row[k];
            }
        }
    }
}

void rp_panels_pack_rows(float *panels, const float *m, size_t ldm, size_t first, size_t end,
                         size_t N, size_t K)
{
    size_t last = end == N ? rp_panels_size(N, 1) : end;
    for (size_t j = first; j < last; j++) {
        float *panel = panels + j / RP_PANEL * RP_PANEL * K + j % RP_PANEL;
        const float *row = m + (j - first) * ldm;
        for (size_t k = 0; k < K; k++) panel[k * RP_PANEL] = j < N ? row[k] : 0;
    }
}

void rp_panels_pack_transposed(float *panels, const float *m, size_t ldm, size_t first, size_t end,
                               size_t N, size_t K)
{
    for (size_t p0 = 0; p0 < N; p0 += RP_PANEL) {
        size_t n = N - p0 < RP_PANEL ? N - p0 : RP_PANEL;
        for (size_t k = first; k < end; k++) {
            float *out = panels + p0 * K + k * RP_PANEL;
            memcpy(out, m + (k - first) * ldm + p0, n * sizeof *out);
            memset(out + n, 0, (RP_PANEL - n) * sizeof *out);
        }
    }
}

/* ---- the kernel in f32 ---- */

/* Tiles [n / RP_LANES][RP_TILE][RP_LANES] whose last group may be part filled: copies, no
 * transposition */
static void pack_rows(void *tiles, const float *x, size_t ldx, size_t rows, size_t n)
{
    size_t groups = (n + RP_LANES - 1) / RP_LANES, whole = n / RP_LANES;
    for (size_t i = 0; i < rows; i += RP_TILE) {
        float *tile = (float *)tiles + i * groups * RP_LANES;
        for (size_t r = 0; r < RP_TILE; r++) {
            float *out = tile + r * RP_LANES;
            /* rows beyond the last repeat it; what is made of them is dropped */
            const float *row = x + (i + r < rows ? i + r : rows - 1) * ldx;
            for (size_t g = 0; g < whole; g++)
                rp_vec_store(out + g * RP_TILE * RP_LANES, rp_vec_load(row + g * RP_LANES));
            if (whole < groups)
                rp_vec_store(out + whole * RP_TILE * RP_LANES,
                             rp_vec_load_part(row + whole * RP_LANES, n % RP_LANES));
        }
    }
}

static void multiply_tile(float *y, size_t ldy, const void *tile, const void *panel,
                          const float *bias, bool first, size_t n)
{
    const float *a = tile, *b = panel;
    rp_sums sum;
    rp_sums_clear(sum);
    for (size_t g = 0; g < n / RP_LANES; g++) {
#pragma GCC unroll 16
        for (size_t k = 0; k < RP_LANES; k++, b += RP_PANEL)
            rp_sums_add(sum, a + k, RP_LANES, rp_vec_load(b), rp_vec_load(b + RP_LANES));
        a += RP_TILE * RP_LANES;
    }
    for (size_t k = 0; k < n % RP_LANES; k++, b += RP_PANEL)
        rp_sums_add(sum, a + k, RP_LANES, rp_vec_load(b), rp_vec_load(b + RP_LANES));
    rp_sums_store(y, ldy, sum, bias, first);
}

static size_t tile_bytes(size_t n)
{
    return (n + RP_LANES - 1) / RP_LANES * RP_LANES * RP_TILE * sizeof(float);
}

static size_t block_bytes(size_t n)
{
    return n * RP_PANEL * sizeof(float);
}

const rp_kernel rp_kernel_float = {RP_DEPTH, tile_bytes, block_bytes, pack_rows, multiply_tile};
