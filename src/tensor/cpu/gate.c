#include "tensor/cpu/operators.h"

static rp_vec silu_mul(rp_vec gate, rp_vec up)
{
    return gate / (1.f + rp_vec_exp(-gate)) * up;
}

void rp_silu_mul_run(float *gate, const float *up, size_t n)
{
    size_t i = 0;
    for (; i + RP_LANES <= n; i += RP_LANES)
        rp_vec_store(gate + i, silu_mul(rp_vec_load(gate + i), rp_vec_load(up + i)));
    rp_vec g = rp_vec_load_part(gate + i, n - i), u = rp_vec_load_part(up + i, n - i);
    rp_vec_store_part(gate + i, silu_mul(g, u), n - i);
}
