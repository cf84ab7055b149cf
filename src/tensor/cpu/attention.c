#include "tensor/cpu/operators.h"

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

/* row [n] <- scale * row + bias */
static void shift(float *row, float scale, const float *bias, size_t n)
{
    for (size_t j = 0; j < n; j++) row[j] = scale * row[j] + bias[j];
}

/* Queries [first, end) of one head; q, y are the head's columns, rows H * C apart, from the first
 * query on; bias is the head's. */
static void attend_block(float *y, const float *q, const float *keys, const float *values,
                         const float *bias, float *scores, float *work, size_t first, size_t end,
                         const rp_attention *a)
{
    size_t T = a->T, C = a->C, ld = a->H * C, width = row_size(T), seen = a->causal ? end : T;
    size_t at = first - a->head;
    float sum[BLOCK];
    rp_product qk = {.kernel = &rp_kernel_float,
                     .y = scores,
                     .x = q + at * ld,
                     .panels = keys,
                     .work = work,
                     .ldy = width,
                     .ldx = ld,
                     .depth = C,
                     .T = end - first,
                     .N = seen,
                     .K = C};
    rp_product pv = {.kernel = &rp_kernel_float,
                     .y = y + at * ld,
                     .x = scores,
                     .panels = values,
                     .work = work,
                     .ldy = ld,
                     .ldx = width,
                     .depth = T,
                     .T = end - first,
                     .N = C,
                     .K = seen};
    rp_product_run(&qk);
    for (size_t i = first; i < end; i++) {
        float *row = scores + (i - first) * width;
        size_t n = a->causal ? i + 1 : T;
        if (bias) shift(row, a->scale, bias + a->reach - 1 - i, n);
        sum[i - first] = exponentiate(row, bias ? 1 : a->scale, n, seen);
    }
    rp_product_run(&pv);
    for (size_t i = first; i < end; i++) {
        float *out = y + (i - a->head) * ld, inverse = 1.f / sum[i - first];
        for (size_t c = 0; c < C; c++) out[c] *= inverse;
    }
}

void rp_attention_run(float *y, const float *q, const float *k, const float *v, float *work,
                      const rp_attention *a)
{
    size_t T = a->T, P = a->head, C = a->C, heads = a->H / a->G, ld = a->G * C;
    float *scores = work + RP_PANELS_WORK;
    float *keys = scores + BLOCK * row_size(T), *values = keys + rp_panels_size(T, C);
    for (size_t g = 0; g < a->G; g++) {
        if (P) rp_panels_pack_rows(keys, a->k + g * C, ld, 0, P, T, C);
        if (P) rp_panels_pack_transposed(values, a->v + g * C, ld, 0, P, C, T);
        rp_panels_pack_rows(keys, k + g * C, ld, P, T, T, C);
        rp_panels_pack_transposed(values, v + g * C, ld, P, T, C, T);
        for (size_t h = g * heads; h < (g + 1) * heads; h++) {
            const float *bias = a->bias ? a->bias + h * (2 * a->reach - 1) : NULL;
            for (size_t i = P; i < T; i += BLOCK)
                attend_block(y + h * C, q + h * C, keys, values, bias, scores, work, i,
                             i + BLOCK < T ? i + BLOCK : T, a);
        }
    }
}
