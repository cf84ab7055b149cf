#include "tensor/cpu/operators.h"

#include <math.h>

#include "tensor/cpu/panels.h"

#define BLOCK 48 /* queries at a time: a whole number of tiles */

/* work: for the product | scores [BLOCK, T rounded up] | keys and values of one head as panels */
static size_t row_size(size_t T)
{
    return (T + RP_PANEL - 1) / RP_PANEL * RP_PANEL;
}

size_t rp_attention_work(size_t T, size_t C)
{
    return RP_PANELS_WORK + BLOCK * row_size(T) + rp_panels_size(T, C) + rp_panels_size(C, T);
}

/* row [n] <- exp(scale * (row - max)), row [n .. end) <- 0; the sum of the former */
static float exponentiate(float *row, float scale, size_t n, size_t end)
{
    rp_vec top = rp_vec_all(row[0]), sum = {0};
    size_t i = 0;
    for (; i + RP_LANES <= n; i += RP_LANES) top = rp_vec_max(top, rp_vec_load(row + i));
    float max = rp_vec_highest(top);
    for (; i < n; i++) max = row[i] > max ? row[i] : max;
    for (i = 0; i + RP_LANES <= n; i += RP_LANES) {
        rp_vec e = rp_vec_exp((rp_vec_load(row + i) - max) * scale);
        rp_vec_store(row + i, e);
        sum += e;
    }
    if (i < n) {
        rp_vec e = rp_vec_exp((rp_vec_load_part(row + i, n - i) - max) * scale);
        rp_vec_store_part(row + i, e, n - i);
        sum += rp_vec_load_part(row + i, n - i);
    }
    memset(row + n, 0, (end - n) * sizeof *row);
    return rp_vec_sum(sum);
}

/* Queries [first, end) of one head; q, y are the head's columns, rows ld apart. */
static void attend_block(float *y, const float *q, size_t ld, const float *keys,
                         const float *values, float *scores, float *work, size_t first, size_t end,
                         size_t T, size_t C)
{
    size_t width = row_size(T);
    float sum[BLOCK], scale = 1.f / sqrtf((float)C);
    rp_product qk = {.y = scores,
                     .x = q + first * ld,
                     .panels = keys,
                     .work = work,
                     .ldy = width,
                     .ldx = ld,
                     .depth = C,
                     .T = end - first,
                     .N = end,
                     .K = C};
    rp_product pv = {.y = y + first * ld,
                     .x = scores,
                     .panels = values,
                     .work = work,
                     .ldy = ld,
                     .ldx = width,
                     .depth = T,
                     .T = end - first,
                     .N = C,
                     .K = end};
    rp_product_run(&qk);
    for (size_t i = first; i < end; i++)
        sum[i - first] = exponentiate(scores + (i - first) * width, scale, i + 1, end);
    rp_product_run(&pv);
    for (size_t i = first; i < end; i++) {
        float *out = y + i * ld, inverse = 1.f / sum[i - first];
        for (size_t c = 0; c < C; c++) out[c] *= inverse;
    }
}

void rp_attention_run(float *y, const float *q, const float *k, const float *v, float *work,
                      size_t T, size_t H, size_t G, size_t C)
{
    float *scores = work + RP_PANELS_WORK;
    float *keys = scores + BLOCK * row_size(T), *values = keys + rp_panels_size(T, C);
    for (size_t g = 0; g < G; g++) {
        rp_panels_pack_rows(keys, k + g * C, G * C, T, C);
        rp_panels_pack_transposed(values, v + g * C, G * C, C, T);
        for (size_t h = g * (H / G); h < (g + 1) * (H / G); h++)
            for (size_t i = 0; i < T; i += BLOCK)
                attend_block(y + h * C, q + h * C, H * C, keys, values, scores, work, i,
                             i + BLOCK < T ? i + BLOCK : T, T, C);
    }
}
