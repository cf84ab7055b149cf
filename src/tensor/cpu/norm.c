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

void rp_rmsnorm_run(float *restrict y, const float *restrict x, const float *restrict weight,
                    float eps, size_t T, size_t D)
{
    for (size_t t = 0; t < T; t++) {
        const float *in = x + t * D;
        float *out = y + t * D;
        float scale = 1.f / sqrtf(rp_dot_run(in, in, D) / (float)D + eps);
        /* Hugging Face rounds x * scale before it multiplies by the weight. */
        for (size_t i = 0; i < D; i++) out[i] = in[i] * scale * weight[i];
    }
}

void rp_add_run(float *restrict y, const float *restrict x, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] += x[i];
}
