/*
 * Numbers: strict parsing, half-precision floats, a counter-based random generator (same seed, same
 * bytes, whatever the number of threads).
 */
#ifndef RP_BASE_NUMBER_H
#define RP_BASE_NUMBER_H

#include "base/error.h"

/* The whole of `text` must be the number; false otherwise. Locale-independent. */
bool rp_number_double(const char *text, double *value); /* finite, or nan/inf spelled out */
bool rp_number_int(const char *text, long *value);
bool rp_number_size(const char *text, size_t *value);

float rp_float_from_half(uint16_t h);
uint16_t rp_half_from_float(float f); /* round to nearest even, overflow to infinity */
float rp_float_from_bfloat(uint16_t b);
uint16_t rp_bfloat_from_float(float f);
void rp_floats_from_half(float *out, const uint16_t *in, size_t n);
void rp_floats_from_bfloat(float *out, const uint16_t *in, size_t n);

typedef struct rp_rng {
    uint64_t state[4]; /* xoshiro256** seeded by splitmix64 */
} rp_rng;
void rp_rng_init(rp_rng *rng, uint64_t seed, uint64_t stream);
uint64_t rp_rng_next(rp_rng *rng);
double rp_rng_uniform(rp_rng *rng);         /* [0, 1) */
double rp_rng_normal(rp_rng *rng);          /* Box-Muller, one value a call */
size_t rp_rng_below(rp_rng *rng, size_t n); /* [0, n), unbiased */
void rp_rng_shuffle(rp_rng *rng, size_t *index, size_t n);

#endif
