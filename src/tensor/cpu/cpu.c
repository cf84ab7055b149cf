#include "tensor/cpu/kernels.h"

void rp_kernel_matmul(const rp_kernel *kernel, float *y, const float *x, const float *panels,
                      const float *bias, float *work, size_t T, size_t N, size_t K)
{
    rp_product p = {.kernel = kernel,
                    .y = y,
                    .x = x,
                    .panels = panels,
                    .bias = bias,
                    .work = work,
                    .ldy = N,
                    .ldx = K,
                    .depth = K,
                    .T = T,
                    .N = N,
                    .K = K};
    rp_product_run(&p);
}

static void matmul(float *y, const float *x, const float *panels, const float *bias, float *work,
                   size_t T, size_t N, size_t K)
{
    rp_kernel_matmul(&rp_kernel_float, y, x, panels, bias, work, T, N, K);
}

const rp_backend *rp_backend_cpu(void)
{
    static const rp_backend cpu = {.name = "f32",
                                   .panels_size = rp_panels_size,
                                   .panels_pack = rp_panels_pack,
                                   .matmul = matmul,
                                   RP_BACKEND_OPERATORS};
    return &cpu;
}

rp_status rp_backend_find(const rp_backend **backend, const char *name, rp_error *err)
{
    *backend = NULL;
    if (!name || !strcmp(name, "f32"))
        *backend = rp_backend_cpu();
    else if (!strcmp(name, "bf16"))
        *backend = rp_backend_bf16();
    else if (!strcmp(name, "int8"))
        *backend = rp_backend_int8();
    else
        return rp_fail(err, RP_EARG, "unknown compute '%.40s': it must be f32, bf16 or int8", name);
    if (*backend) return RP_OK;
    return rp_fail(err, RP_EARG,
                   "compute '%s' needs AVX-512 VNNI instructions, for which this build is not made",
                   name);
}
