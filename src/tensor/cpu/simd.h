/*
 * Vectors of the widest kind that the compiler was told of (AVX-512, AVX, else 128 bits), as GCC
 * and Clang vector extensions. Everything is lane by lane and in a fixed order, so results do not
 * depend on alignment.
 */
#ifndef RP_TENSOR_CPU_SIMD_H
#define RP_TENSOR_CPU_SIMD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
#define RP_LANES 16
#elif defined(__AVX__)
#define RP_LANES 8
#else
#define RP_LANES 4
#endif

typedef float rp_vec __attribute__((vector_size(RP_LANES * 4)));
typedef float rp_vec_unaligned __attribute__((vector_size(RP_LANES * 4), aligned(4), may_alias));
typedef int32_t rp_lanes __attribute__((vector_size(RP_LANES * 4)));
typedef uint32_t rp_bits __attribute__((vector_size(RP_LANES * 4)));

static inline rp_vec rp_vec_load(const float *p)
{
    return (rp_vec)(*(const rp_vec_unaligned *)p);
}

static inline void rp_vec_store(float *p, rp_vec v)
{
    *(rp_vec_unaligned *)p = (rp_vec_unaligned)v;
}

/* The first n < RP_LANES elements; the other lanes are 0. */
static inline rp_vec rp_vec_load_part(const float *p, size_t n)
{
    rp_vec v = {0};
    memcpy(&v, p, n * sizeof *p);
    return v;
}

static inline void rp_vec_store_part(float *p, rp_vec v, size_t n)
{
    memcpy(p, &v, n * sizeof *p);
}

static inline rp_vec rp_vec_all(float a)
{
    rp_vec zero = {0};
    return a - zero;
}

/* a * b + c, in one rounding where the machine has it. */
static inline rp_vec rp_vec_fma(rp_vec a, rp_vec b, rp_vec c)
{
#if defined(__AVX512F__)
    return _mm512_fmadd_ps(a, b, c);
#elif defined(__AVX__) && defined(__FMA__)
    return _mm256_fmadd_ps(a, b, c);
#else
    return a * b + c;
#endif
}

static inline rp_bits rp_bits_choose(rp_lanes mask, rp_bits a, rp_bits b)
{
    return ((rp_bits)mask & a) | (~(rp_bits)mask & b);
}

static inline rp_vec rp_vec_choose(rp_lanes mask, rp_vec a, rp_vec b)
{
    return (rp_vec)rp_bits_choose(mask, (rp_bits)a, (rp_bits)b);
}

static inline rp_vec rp_vec_max(rp_vec a, rp_vec b)
{
    return rp_vec_choose(a > b, a, b);
}

static inline rp_vec rp_vec_min(rp_vec a, rp_vec b)
{
    return rp_vec_choose(a < b, a, b);
}

static inline float rp_vec_sum(rp_vec v)
{
    float s[RP_LANES];
    memcpy(s, &v, sizeof s);
    for (size_t n = RP_LANES / 2; n > 0; n /= 2)
        for (size_t i = 0; i < n; i++) s[i] += s[i + n];
    return s[0];
}

static inline float rp_vec_highest(rp_vec v)
{
    float s[RP_LANES];
    memcpy(s, &v, sizeof s);
    for (size_t i = 1; i < RP_LANES; i++) s[0] = s[i] > s[0] ? s[i] : s[0];
    return s[0];
}

/* e^x for x in [-87.3, 88.3], clamped outside; NaN stays NaN. x = n ln 2 + r with |r| <= ln 2 / 2
 * (two-part ln 2, Cody and Waite), e^r by its Taylor polynomial of degree 7 (remainder 5e-9). */
static inline rp_vec rp_vec_exp(rp_vec x)
{
    rp_vec magic = rp_vec_all(12582912.f); /* 1.5 * 2^23: adding it rounds to an integer */
    rp_vec y = rp_vec_min(rp_vec_max(x, rp_vec_all(-87.3f)), rp_vec_all(88.3f));
    rp_vec shifted = rp_vec_fma(y, rp_vec_all(1.44269504f), magic);
    rp_vec n = shifted - magic;
    rp_vec r = rp_vec_fma(n, rp_vec_all(-0.693359375f), y);
    r = rp_vec_fma(n, rp_vec_all(2.12194440e-4f), r);
    rp_vec p = rp_vec_all(1.f / 5040);
    p = rp_vec_fma(p, r, rp_vec_all(1.f / 720));
    p = rp_vec_fma(p, r, rp_vec_all(1.f / 120));
    p = rp_vec_fma(p, r, rp_vec_all(1.f / 24));
    p = rp_vec_fma(p, r, rp_vec_all(1.f / 6));
    p = rp_vec_fma(p, r, rp_vec_all(.5f));
    p = rp_vec_fma(p, r, rp_vec_all(1.f));
    p = rp_vec_fma(p, r, rp_vec_all(1.f));
    rp_vec power = (rp_vec)(((rp_lanes)shifted + 127) << 23);
    return rp_vec_choose(x == x, p * power, x);
}

#endif
