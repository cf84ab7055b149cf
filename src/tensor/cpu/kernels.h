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

/* NULL: this build has no instructions for it. */
const rp_backend *rp_backend_bf16(void);
const rp_backend *rp_backend_int8(void);

#endif
