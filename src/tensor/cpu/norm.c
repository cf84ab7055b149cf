#include "tensor/cpu/operators.h"

#include <math.h>

/* Sum of a[i] * b[i]: two vectors of partial sums, in one order whatever the address. */
float rp_dot_run(const float *a, const float *b, size_t n)
{
    rp_vec even = {0}, odd = {0};
    size_t i = 0;
    for (; i + 2 * RP_LANES <= n; i += 2 * RP_LANES) {
        even = rp_vec_fma(rp_vec_load(a + i), rp_vec_load(b + i), even);
        odd = rp_vec_fma(rp_vec_load(a + i + RP_LANES), rp_vec_load(b + i + RP_LANES), odd);
    }
    if (i + RP_LANES <= n) {
        even = rp_vec_fma(rp_vec_load(a + i), rp_vec_load(b + i), even);
        i += RP_LANES;
    }
    odd = rp_vec_fma(rp_vec_load_part(a + i, n - i), rp_vec_load_part(b + i, n - i), odd);
    return rp_vec_sum(even + odd);
}

void rp_rmsnorm_run(float *y, const float *x, const float *restrict weight, float eps, size_t T,
                    size_t D)
{
    for (size_t t = 0; t < T; t++) {
        const float *in = x + t * D;
        float *out = y + t * D;
        float scale = 1.f / sqrtf(rp_dot_run(in, in, D) / (float)D + eps);
        /* Hugging Face rounds x * scale before it multiplies by the weight. */
        for (size_t i = 0; i < D; i++) out[i] = in[i] * scale * weight[i];
    }
}

static float sum(const float *x, size_t n)
{
    rp_vec even = {0}, odd = {0};
    size_t i = 0;
    for (; i + 2 * RP_LANES <= n; i += 2 * RP_LANES) {
        even += rp_vec_load(x + i);
        odd += rp_vec_load(x + i + RP_LANES);
    }
    for (; i < n; i += RP_LANES)
        even += rp_vec_load_part(x + i, n - i < RP_LANES ? n - i : RP_LANES);
    return rp_vec_sum(even + odd);
}

/* The deviations are squared after the mean was taken off: the mean of squares minus the square of
 * the mean loses all digits where a few units are hundreds of times larger than the others. */
void rp_layernorm_run(float *y, const float *x, const float *restrict weight,
                      const float *restrict bias, float eps, size_t T, size_t D)
{
    for (size_t t = 0; t < T; t++) {
        const float *in = x + t * D;
        float *out = y + t * D, mean = sum(in, D) / (float)D;
        for (size_t i = 0; i < D; i++) out[i] = in[i] - mean;
        float scale = 1.f / sqrtf(rp_dot_run(out, out, D) / (float)D + eps);
        for (size_t i = 0; i < D; i++) out[i] = out[i] * scale * weight[i] + bias[i];
    }
}

void rp_add_run(float *restrict y, const float *restrict x, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] += x[i];
}
