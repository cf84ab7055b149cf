#include "tensor/cpu/operators.h"

void rp_rope_run(float *x, const float *cosine, const float *sine, size_t T, size_t H, size_t C,
                 size_t R)
{
    size_t half = R / 2;
    for (size_t t = 0; t < T; t++) {
        const float *restrict c = cosine + t * half, *restrict s = sine + t * half;
        for (size_t h = 0; h < H; h++) {
            float *restrict low = x + (t * H + h) * C, *restrict high = low + half;
            for (size_t i = 0; i < half; i++) {
                float a = low[i], b = high[i];
                low[i] = a * c[i] - b * s[i];
                high[i] = b * c[i] + a * s[i];
            }
        }
    }
}
