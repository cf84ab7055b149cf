#include "base/number.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- parsing ---- */

static locale_t c_locale;
static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;

static void make_c_locale(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

bool rp_number_double(const char *text, double *value)
{
    const char *p = text + (*text == '-' || *text == '+');
    bool spelled = strcasecmp(p, "nan") == 0 || strcasecmp(p, "inf") == 0;
    /* strtod alone would also accept leading blanks, hexadecimal and "infinity" */
    if (!spelled && p[strspn(p, "0123456789.eE+-")] != '\0') return false;
    if (!spelled && (*p < '0' || *p > '9') && *p != '.') return false;
    pthread_once(&c_locale_once, make_c_locale);
    char *end;
    double v = c_locale ? strtod_l(text, &end, c_locale) : strtod(text, &end);
    if (end == text || *end != '\0') return false;
    if (!spelled && !isfinite(v)) return false;
    *value = v;
    return true;
}

bool rp_number_int(const char *text, long *value)
{
    const char *p = text + (*text == '-' || *text == '+');
    if (*p < '0' || *p > '9') return false;
    char *end;
    errno = 0;
    long v = strtol(text, &end, 10);
    if (*end != '\0' || errno) return false;
    *value = v;
    return true;
}

bool rp_number_size(const char *text, size_t *value)
{
    if (*text < '0' || *text > '9') return false;
    char *end;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    if (*end != '\0' || errno || v > SIZE_MAX) return false;
    *value = (size_t)v;
    return true;
}

/* ---- half floats (branch-free, after Maratyszcza's FP16) ---- */

static inline float float_of(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static inline uint32_t bits_of(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

static inline float from_half(uint16_t h)
{
    uint32_t w = (uint32_t)h << 16, sign = w & 0x80000000u, twice = w + w;
    float normal = float_of((twice >> 4) + (0xE0u << 23)) * 0x1.0p-112f;
    float subnormal = float_of((twice >> 17) | (126u << 23)) - 0.5f;
    /* A mask, not ?:, which gcc makes a branch of, and then no vectors: a sixth of the speed. */
    uint32_t small = 0u - (uint32_t)(twice < (1u << 27));
    return float_of(sign | (bits_of(subnormal) & small) | (bits_of(normal) & ~small));
}

float rp_float_from_half(uint16_t h)
{
    return from_half(h);
}

uint16_t rp_half_from_float(float f)
{
    float base = fabsf(f) * 0x1.0p+112f; /* overflows to infinity where half does */
    base *= 0x1.0p-110f;
    uint32_t w = bits_of(f), twice = w + w, sign = w & 0x80000000u, bias = twice & 0xFF000000u;
    if (bias < 0x71000000u) bias = 0x71000000u;
    base += float_of((bias >> 1) + 0x07800000u); /* rounds to nearest even */
    uint32_t bits = bits_of(base);
    uint32_t magnitude = ((bits >> 13) & 0x7C00u) + (bits & 0x0FFFu);
    return (uint16_t)((sign >> 16) | (twice > 0xFF000000u ? 0x7E00u : magnitude));
}

float rp_float_from_bfloat(uint16_t b)
{
    return float_of((uint32_t)b << 16);
}

uint16_t rp_bfloat_from_float(float f)
{
    uint32_t w = bits_of(f);
    if ((w & 0x7FFFFFFFu) > 0x7F800000u) return (uint16_t)((w >> 16) | 0x40u); /* quiet NaN */
    return (uint16_t)((w + 0x7FFFu + ((w >> 16) & 1u)) >> 16);
}

void rp_floats_from_half(float *out, const uint16_t *in, size_t n)
{
    for (size_t i = 0; i < n; i++) out[i] = from_half(in[i]);
}

void rp_floats_from_bfloat(float *out, const uint16_t *in, size_t n)
{
    for (size_t i = 0; i < n; i++) out[i] = float_of((uint32_t)in[i] << 16);
}

/* ---- random numbers: xoshiro256** 1.0, splitmix64 (Blackman and Vigna) ---- */

static uint64_t splitmix(uint64_t *x)
{
    uint64_t z = *x += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void rp_rng_init(rp_rng *rng, uint64_t seed, uint64_t stream)
{
    uint64_t x = seed, y = stream;
    x = splitmix(&x) + splitmix(&y) * 0xd1342543de82ef95u; /* no two streams share a sequence */
    for (int i = 0; i < 4; i++) rng->state[i] = splitmix(&x);
}

static uint64_t rotate(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

uint64_t rp_rng_next(rp_rng *rng)
{
    uint64_t *s = rng->state, result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

double rp_rng_uniform(rp_rng *rng)
{
    return (double)(rp_rng_next(rng) >> 11) * 0x1.0p-53;
}

double rp_rng_normal(rp_rng *rng)
{
    double u = 1.0 - rp_rng_uniform(rng), v = rp_rng_uniform(rng);
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}

size_t rp_rng_below(rp_rng *rng, size_t n)
{
    if (n < 2) return 0;
    uint64_t limit = UINT64_MAX - UINT64_MAX % n, r; /* rejects the incomplete last interval */
    do {
        r = rp_rng_next(rng);
    } while (r >= limit);
    return (size_t)(r % n);
}

void rp_rng_shuffle(rp_rng *rng, size_t *index, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        size_t j = rp_rng_below(rng, i), t = index[i - 1];
        index[i - 1] = index[j];
        index[j] = t;
    }
}
