#include <math.h>

#include "model/forward.h"

/* The bucket of the key that stands `distance` behind (before: negative) the query. Logarithms in
 * float32, because transformers takes them so. */
static size_t bucket_of(const rp_config *c, long distance)
{
    size_t half = c->buckets / 2, exact = half / 2, base = distance > 0 ? half : 0;
    size_t n = (size_t)(distance < 0 ? -distance : distance);
    if (n < exact) return base + n;
    float share = logf((float)n / (float)exact) / (float)log((double)c->distance / (double)exact);
    size_t large = exact + (size_t)(share * (float)(half - exact));
    return base + (large < half - 1 ? large : half - 1);
}

void rp_relative_bias(float *bias, const float *table, const rp_config *c, size_t reach)
{
    for (size_t i = 0; i < 2 * reach - 1; i++) {
        size_t bucket = bucket_of(c, (long)i - (long)(reach - 1));
        for (size_t h = 0; h < c->heads; h++)
            bias[h * (2 * reach - 1) + i] = table[bucket * c->heads + h];
    }
}
