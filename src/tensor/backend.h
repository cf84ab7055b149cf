/*
 * What any back end must provide: the operators of a transformer block, on packed sequences. The
 * one thing to know: row t of every output depends on row t of its inputs only (attention: on the
 * rows of its sequence), to the last bit, wherever the row stands and however many rows there are.
 * That is what makes a sequence's numbers independent of its neighbours.
 *
 * Weights are multiplied in "panels", a form of the back end's choice made once per layer from the
 * bytes on disk. On the CPU the product is ours and not BLAS's for this reason: OpenBLAS's Zen
 * kernel adds up a row in an order that depends on the row's place (measured; half of the rows of
 * every dozen differ from the other half), and a BLAS packs the weights again for every
 * micro-batch. Ours runs at OpenBLAS's rate or above it (bench/RESULTS.md).
 *
 * Operators allocate nothing, cannot fail, use one thread, and may be called from many threads at
 * once. Outputs come first, then inputs, then sizes. `work` is the caller's memory, one per thread,
 * 64-byte aligned. Shapes: T tokens, D width, F feed-forward width, H query heads, G key-value
 * heads (H a multiple of G), C head width (even), N outputs and K inputs of a product.
 */
#ifndef RP_TENSOR_BACKEND_H
#define RP_TENSOR_BACKEND_H

#include "base/safetensors.h"

/* What a feed-forward layer applies between its projections. */
typedef enum rp_activation { RP_SILU, RP_GELU, RP_GELU_TANH, RP_RELU } rp_activation;

/* How the tokens of one sequence attend to each other. Keys and values of its first `head` tokens
 * may stand elsewhere, and are then not among the queries. */
typedef struct rp_attention {
    size_t T, H, G, C; /* T: all tokens, the head's included */
    size_t head;
    const float *k, *v; /* [head, G * C] of the head */
    float scale;        /* of q k' */
    bool causal;        /* else every token sees all of its sequence */
    /* [H, 2 reach - 1]: for query i and key j element h, j - i + reach - 1 is added to the scaled
     * product; reach >= T. NULL: none. */
    const float *bias;
    size_t reach;
} rp_attention;

typedef struct rp_backend {
    const char *name;

    /* Floats of w [N, K] as panels, and rows that are packed together: pack() may be called for
     * disjoint row ranges at once when the ranges begin at multiples of panel_rows. */
    size_t (*panels_size)(size_t N, size_t K);
    size_t panel_rows;
    /* panels <- rows [first, end) of w [N, K] (F32, F16 or BF16, any alignment); `rows` is where
     * row `first` lies, its successors after it. */
    void (*panels_pack)(float *panels, const void *rows, rp_dtype dtype, size_t first, size_t end,
                        size_t K);

    /* Floats of `work` for every operator below, for sequences of at most T tokens. */
    size_t (*work_size)(size_t T, size_t C);

    /* y [T, N] = x [T, K] w' + bias [N] (NULL: none), w [N, K] as panels. */
    void (*matmul)(float *y, const float *x, const float *panels, const float *bias, float *work,
                   size_t T, size_t N, size_t K);
    /* y [T, D] = x / sqrt(mean(x^2) + eps) * weight [D]; y may be x. */
    void (*rmsnorm)(float *y, const float *x, const float *weight, float eps, size_t T, size_t D);
    /* y [T, D] = (x - mean(x)) / sqrt(var(x) + eps) * weight [D] + bias [D]; y may be x. */
    void (*layernorm)(float *y, const float *x, const float *weight, const float *bias, float eps,
                      size_t T, size_t D);
    /* In place, x [T, H * C] are tokens of one sequence; of the first R elements of a head element
     * i turns with element i + R/2 (Hugging Face's layout) by the angle whose cosine and sine stand
     * in cosine, sine [T, R/2]; the others stay. */
    void (*rope)(float *x, const float *cosine, const float *sine, size_t T, size_t H, size_t C,
                 size_t R);
    /* y [T - head, H * C] = softmax(scale q k' + bias) v of one sequence, q [T - head, H * C], k, v
     * [T - head, G * C]; query head h reads key-value head h / (H / G). */
    void (*attention)(float *y, const float *q, const float *k, const float *v, float *work,
                      const rp_attention *a);
    /* x <- activation(x) * gated (NULL: 1), n elements each. exp is within 2e-7 relative, erf
     * within 2e-7 absolute. */
    void (*activate)(float *x, const float *gated, rp_activation activation, size_t n);
    /* y += x, n elements. */
    void (*add)(float *y, const float *x, size_t n);
    /* a [n] . b [n] */
    float (*dot)(const float *a, const float *b, size_t n);
} rp_backend;

const rp_backend *rp_backend_cpu(void);
/* By name: "f32" (also NULL), "bf16", "int8". RP_EARG names the choices, or the instructions that
 * this machine or this build lacks. */
rp_status rp_backend_find(const rp_backend **backend, const char *name, rp_error *err);

#endif
