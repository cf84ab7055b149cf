#include "tensor/cpu/panels.h"

#include "base/number.h"

size_t rp_panels_size(size_t N, size_t K)
{
    return (N + RP_PANEL - 1) / RP_PANEL * RP_PANEL * K;
}

/* out [n] <- elements at .. at + n - 1 of w */
static void read_floats(float *out, const void *w, rp_dtype dtype, size_t at, size_t n)
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
                    read_floats(row, rows, dtype, (p0 + j - first) * K + k0, n);
                else
                    memset(row, 0, n * sizeof *row);
                for (size_t k = 0; k < n; k++) panel[k * RP_PANEL + j] = row[k];
            }
        }
    }
}

void rp_panels_pack_rows(float *panels, const float *m, size_t ldm, size_t N, size_t K)
{
    for (size_t j = 0; j < rp_panels_size(N, 1); j++) {
        float *panel = panels + j / RP_PANEL * RP_PANEL * K + j % RP_PANEL;
        for (size_t k = 0; k < K; k++) panel[k * RP_PANEL] = j < N ? m[j * ldm + k] : 0;
    }
}

void rp_panels_pack_transposed(float *panels, const float *m, size_t ldm, size_t N, size_t K)
{
    for (size_t p0 = 0; p0 < N; p0 += RP_PANEL) {
        size_t n = N - p0 < RP_PANEL ? N - p0 : RP_PANEL;
        for (size_t k = 0; k < K; k++) {
            float *out = panels + p0 * K + k * RP_PANEL;
            memcpy(out, m + k * ldm + p0, n * sizeof *out);
            memset(out + n, 0, (RP_PANEL - n) * sizeof *out);
        }
    }
}

/* work <- rows [row, row + rows) x inputs [k0, k0 + n) of x, as tiles [n /
 * RP_LANES][RP_TILE][RP_LANES] whose last group may be part filled: copies, no transposition */
static void pack_rows(float *work, const rp_product *p, size_t row, size_t rows, size_t k0,
                      size_t n)
{
    size_t groups = (n + RP_LANES - 1) / RP_LANES, whole = n / RP_LANES;
    for (size_t i = 0; i < rows; i += RP_TILE) {
        float *tile = work + i * groups * RP_LANES;
        for (size_t r = 0; r < RP_TILE; r++) {
            float *out = tile + r * RP_LANES;
            /* rows beyond the last repeat it; what is made of them is dropped */
            const float *x = p->x + (row + (i + r < rows ? i + r : rows - 1)) * p->ldx + k0;
            for (size_t g = 0; g < whole; g++)
                rp_vec_store(out + g * RP_TILE * RP_LANES, rp_vec_load(x + g * RP_LANES));
            if (whole < groups)
                rp_vec_store(out + whole * RP_TILE * RP_LANES,
                             rp_vec_load_part(x + whole * RP_LANES, n % RP_LANES));
        }
    }
}

typedef rp_vec sums[RP_TILE][2];

/* sum += a b for one input: a [RP_TILE] elements RP_LANES apart, b [RP_PANEL] */
static inline void multiply_input(sums sum, const float *a, const float *b)
{
    rp_vec b0 = rp_vec_load(b), b1 = rp_vec_load(b + RP_LANES);
#pragma GCC unroll 12
    for (size_t r = 0; r < RP_TILE; r++) {
        rp_vec s = rp_vec_all(a[r * RP_LANES]);
        sum[r][0] = rp_vec_fma(s, b0, sum[r][0]);
        sum[r][1] = rp_vec_fma(s, b1, sum[r][1]);
    }
}

/* y [RP_TILE, RP_PANEL] = start + a' b, a as pack_rows() leaves it, b [n, RP_PANEL]; start is the
 * bias [RP_PANEL] (zero where NULL) for the first block of inputs, y itself after it. */
static void multiply_tile(float *y, size_t ldy, const float *a, const float *b, const float *bias,
                          bool first, size_t n)
{
    sums sum;
    for (size_t r = 0; r < RP_TILE; r++) sum[r][0] = sum[r][1] = (rp_vec){0};
    for (size_t g = 0; g < n / RP_LANES; g++) {
#pragma GCC unroll 16
        for (size_t k = 0; k < RP_LANES; k++) multiply_input(sum, a + k, b + k * RP_PANEL);
        a += RP_TILE * RP_LANES;
        b += RP_LANES * RP_PANEL;
    }
    for (size_t k = 0; k < n % RP_LANES; k++) multiply_input(sum, a + k, b + k * RP_PANEL);
    for (size_t r = 0; r < RP_TILE; r++) {
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

/* The tile at (row, column), where it may stick out of y: computed aside, copied in part. */
static void multiply_edge(const rp_product *p, const float *a, const float *b, size_t row,
                          size_t column, bool first, size_t n)
{
    float tile[RP_TILE * RP_PANEL] = {0}, bias[RP_PANEL] = {0};
    size_t rows = p->T - row < RP_TILE ? p->T - row : RP_TILE;
    size_t columns = p->N - column < RP_PANEL ? p->N - column : RP_PANEL;
    float *y = p->y + row * p->ldy + column;
    if (first && p->bias) memcpy(bias, p->bias + column, columns * sizeof *bias);
    for (size_t r = 0; r < rows && !first; r++)
        memcpy(tile + r * RP_PANEL, y + r * p->ldy, columns * sizeof *tile);
    multiply_tile(tile, RP_PANEL, a, b, first && p->bias ? bias : NULL, first, n);
    for (size_t r = 0; r < rows; r++)
        memcpy(y + r * p->ldy, tile + r * RP_PANEL, columns * sizeof *tile);
}

/* Rows [row, row + rows) against inputs [k0, k0 + n) of all panels. */
static void multiply_block(const rp_product *p, size_t row, size_t rows, size_t k0, size_t n)
{
    size_t depth = (n + RP_LANES - 1) / RP_LANES * RP_LANES;
    for (size_t column = 0; column < p->N; column += RP_PANEL) {
        const float *b = p->panels + column * p->depth + k0 * RP_PANEL;
        for (size_t i = 0; i < rows; i += RP_TILE) {
            const float *a = p->work + i * depth;
            if (i + RP_TILE > rows || column + RP_PANEL > p->N)
                multiply_edge(p, a, b, row + i, column, k0 == 0, n);
            else
                multiply_tile(p->y + (row + i) * p->ldy + column, p->ldy, a, b,
                              p->bias ? p->bias + column : NULL, k0 == 0, n);
        }
    }
}

void rp_product_run(const rp_product *p)
{
    for (size_t row = 0; row < p->T; row += RP_ROWS) {
        size_t rows = p->T - row < RP_ROWS ? p->T - row : RP_ROWS;
        for (size_t k0 = 0; k0 < p->K; k0 += RP_DEPTH) {
            size_t n = p->K - k0 < RP_DEPTH ? p->K - k0 : RP_DEPTH;
            pack_rows(p->work, p, row, rows, k0, n);
            multiply_block(p, row, rows, k0, n);
        }
    }
}
