/* The back ends that multiply in other numbers than floats; everything else they share with the
 * CPU's. */
#ifndef RP_TENSOR_CPU_KERNELS_H
#define RP_TENSOR_CPU_KERNELS_H

#include "tensor/cpu/operators.h"
#include "tensor/cpu/panels.h"

void rp_kernel_matmul(const rp_kernel *kernel, float *y, const float *x, const float *panels,
                      const float *bias, float *work, size_t T, size_t N, size_t K);

/* What all of them share, as members of a back end. */
#define RP_BACKEND_OPERATORS                                                                       \
    .panel_rows = RP_PANEL, .work_size = rp_attention_work, .rmsnorm = rp_rmsnorm_run,             \
    .layernorm = rp_layernorm_run, .rope = rp_rope_run, .attention = rp_attention_run,             \
    .activate = rp_activate_run, .add = rp_add_run, .dot = rp_dot_run

const rp_backend *rp_backend_bf16(void);
/* NULL: this build has no instructions for it. */
const rp_backend *rp_backend_int8(void);

/* The two ways of bf16, the second NULL where this build has no instruction for it; the one that
 * is faster on this machine. */
extern const rp_kernel rp_kernel_bf16_float;
extern const rp_kernel *const rp_kernel_bf16_pairs;
const rp_kernel *rp_kernel_bf16(void);
/* By one of them, with subnormal numbers as zeros. */
void rp_bf16_matmul(const rp_kernel *way, float *y, const float *x, const float *panels,
                    const float *bias, float *work, size_t T, size_t N, size_t K);

#endif
