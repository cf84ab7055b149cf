/* The operators of the CPU back end, one file each; backend.h says what they do. */
#ifndef RP_TENSOR_CPU_OPERATORS_H
#define RP_TENSOR_CPU_OPERATORS_H

#include "tensor/backend.h"
#include "tensor/cpu/simd.h"

void rp_rmsnorm_run(float *y, const float *x, const float *weight, float eps, size_t T, size_t D);
void rp_layernorm_run(float *y, const float *x, const float *weight, const float *bias, float eps,
                      size_t T, size_t D);
void rp_rope_run(float *x, const float *cosine, const float *sine, size_t T, size_t H, size_t C,
                 size_t R);
void rp_attention_run(float *y, const float *q, const float *k, const float *v, float *work,
                      const rp_attention *a);
size_t rp_attention_work(size_t T, size_t C);
void rp_activate_run(float *x, const float *gated, rp_activation activation, size_t n);
void rp_add_run(float *y, const float *x, size_t n);
float rp_dot_run(const float *a, const float *b, size_t n);

#endif
