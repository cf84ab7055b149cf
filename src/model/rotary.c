#include "model/rotary.h"

#include <math.h>

static double rescale_llama3(double f, const rp_config *c)
{
    double wavelength = 2 * M_PI / f, original = c->rope.first_positions;
    double low = c->rope.low, high = c->rope.high;
    if (wavelength < original / high) return f;
    if (wavelength > original / low) return f / c->rope.factor;
    double blend = (original / wavelength - low) / (high - low);
    return (1 - blend) * f / c->rope.factor + blend * f;
}

void rp_rotary_frequencies(float *frequency, const rp_config *c)
{
    for (size_t i = 0; i < c->rope.width / 2; i++) {
        double f = (float)(1. / pow(c->rope.theta, (double)(2 * i) / (double)c->rope.width));
        if (c->rope.kind == RP_ROPE_LINEAR) f /= c->rope.factor;
        if (c->rope.kind == RP_ROPE_LLAMA3) f = rescale_llama3(f, c);
        frequency[i] = (float)f;
    }
}

void rp_rotary_table(float *cosine, float *sine, const float *frequency, size_t n, size_t half)
{
    for (size_t t = 0; t < n; t++) {
        for (size_t i = 0; i < half; i++) {
            float angle = (float)t * frequency[i];
            cosine[t * half + i] = (float)cos((double)angle);
            sine[t * half + i] = (float)sin((double)angle);
        }
    }
}
