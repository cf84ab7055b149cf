#include "tensor/cpu/operators.h"
#include "tensor/cpu/panels.h"

static void matmul(float *y, const float *x, const float *panels, const float *bias, float *work,
                   size_t T, size_t N, size_t K)
{
    rp_product p = {.y = y,
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

const rp_backend *rp_backend_cpu(void)
{
    static const rp_backend cpu = {
        .name = "cpu",
        .panels_size = rp_panels_size,
        .panel_rows = RP_PANEL,
        .panels_pack = rp_panels_pack,
        .work_size = rp_attention_work,
        .matmul = matmul,
        .rmsnorm = rp_rmsnorm_run,
        .layernorm = rp_layernorm_run,
        .rope = rp_rope_run,
        .attention = rp_attention_run,
        .activate = rp_activate_run,
        .add = rp_add_run,
        .dot = rp_dot_run,
    };
    return &cpu;
}
