#include "tensor/cpu/operators.h"

typedef rp_vec function(rp_vec x);

static rp_vec silu(rp_vec x)
{
    return x / (1.f + rp_vec_exp(-x));
}

static rp_vec relu(rp_vec x)
{
    return rp_vec_max(x, rp_vec_all(0));
}

/* c[0] + c[1] x + ... */
static inline rp_vec polynomial(const float *c, size_t n, rp_vec x)
{
    rp_vec p = rp_vec_all(c[n - 1]);
    for (size_t i = n - 1; i-- > 0;) p = rp_vec_fma(p, x, rp_vec_all(c[i]));
    return p;
}

/* erf(x) = x P(x^2) below 1, 1 - exp(Q(|x|)) above it, with P and Q fitted to erf(x) / x and
 * log(1 - erf(x)) at the Chebyshev nodes of [0, 1] and [1, 4]; beyond 4 it is 1 to float rounding.
 */
static rp_vec error_function(rp_vec x)
{
    static const float below[] = {1.1283792f,    -0.37612638f,    0.11283783f,    -0.026865438f,
                                  0.0052210535f, -0.00084843964f, 0.00011268254f, -9.673591e-06f};
    static const float above[] = {0.00030321296f, -1.1301666f,     -0.6319371f,
                                  -0.10997824f,   0.026364718f,    -0.0047402224f,
                                  0.00059276953f, -4.5590623e-05f, 1.6140616e-06f};
    rp_vec t = rp_vec_min(rp_vec_max(x, -x), rp_vec_all(4));
    rp_vec near = x * polynomial(below, 8, t * t);
    rp_vec far = 1.f - rp_vec_exp(polynomial(above, 9, t));
    far = rp_vec_choose(x < 0, -far, far);
    return rp_vec_choose(t < 1.f, near, rp_vec_choose(x == x, far, x));
}

static rp_vec gelu(rp_vec x)
{
    return .5f * x * (1.f + error_function(x * 0.70710678f));
}

/* x/2 (1 + tanh(u)), u = sqrt(2/pi) (x + .044715 x^3), is x / (1 + e^-2u). */
static rp_vec gelu_tanh(rp_vec x)
{
    rp_vec u = 0.79788456f * (x + 0.044715f * x * x * x);
    return x / (1.f + rp_vec_exp(-2.f * u));
}

static inline void apply(function *f, float *x, const float *gated, size_t n)
{
    size_t i = 0;
    for (; i + RP_LANES <= n; i += RP_LANES) {
        rp_vec y = f(rp_vec_load(x + i));
        rp_vec_store(x + i, gated ? y * rp_vec_load(gated + i) : y);
    }
    if (i == n) return;
    rp_vec y = f(rp_vec_load_part(x + i, n - i));
    if (gated) y *= rp_vec_load_part(gated + i, n - i);
    rp_vec_store_part(x + i, y, n - i);
}

void rp_activate_run(float *x, const float *gated, rp_activation activation, size_t n)
{
    switch (activation) {
    case RP_SILU:
        apply(silu, x, gated, n);
        break;
    case RP_GELU:
        apply(gelu, x, gated, n);
        break;
    case RP_GELU_TANH:
        apply(gelu_tanh, x, gated, n);
        break;
    case RP_RELU:
        apply(relu, x, gated, n);
        break;
    }
}
