/*
 * The matrix product of the CPU's back ends beside OpenBLAS and, where they are installed, BLIS and
 * oneDNN with reordered weights: GFLOP/s of one thread at the shapes of a model's layers.
 *
 *     products            (bench/products.sh builds and runs it)
 *
 * y [T, N] = x [T, K] w' with T = 528 tokens, weights prepared beforehand by who prepares them.
 * Rounds in turn, the best of 7 of each; the median and the spread are of the ratio to our f32.
 */
#include <cblas.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/memory.h"
#include "base/number.h"
#include "tensor/backend.h"
#ifdef WITH_DNNL
#include <dnnl.h>
#endif

enum { T = 528, ROUNDS = 7 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

typedef struct shape {
    size_t N, K;
    float *x, *w, *y, *work;
} shape;

typedef void sgemm(int order, int ta, int tb, int m, int n, int k, float alpha, const float *a,
                   int lda, const float *b, int ldb, float beta, float *c, int ldc);

static double time_blas(const shape *s, sgemm *f)
{
    double t = now();
    f(CblasRowMajor, CblasNoTrans, CblasTrans, T, (int)s->N, (int)s->K, 1, s->x, (int)s->K, s->w,
      (int)s->K, 0, s->y, (int)s->N);
    return now() - t;
}

static double time_ours(const shape *s, const rp_backend *be, const float *panels)
{
    double t = now();
    be->matmul(s->y, s->x, panels, NULL, s->work, T, s->N, s->K);
    return now() - t;
}

#ifdef WITH_DNNL
typedef struct inner {
    dnnl_primitive_t primitive;
    dnnl_exec_arg_t arg[3];
    dnnl_stream_t stream;
} inner;

static dnnl_memory_t memory_of(const dnnl_memory_desc_t *md, dnnl_engine_t engine)
{
    dnnl_memory_t m;
    if (dnnl_memory_create(&m, md, engine, DNNL_MEMORY_ALLOCATE)) exit(1);
    return m;
}

/* An inner product of `type` with sums in f32 or s32, every layout as oneDNN likes it. */
static inner make_inner(const shape *s, dnnl_data_type_t type, dnnl_data_type_t out)
{
    inner in;
    dnnl_engine_t engine;
    dnnl_memory_desc_t x, w, y;
    dnnl_inner_product_desc_t d;
    dnnl_primitive_desc_t pd;
    dnnl_dims_t dx = {T, (dnnl_dim_t)s->K}, dw = {(dnnl_dim_t)s->N, (dnnl_dim_t)s->K};
    dnnl_dims_t dy = {T, (dnnl_dim_t)s->N};
    dnnl_data_type_t left = type == dnnl_s8 ? dnnl_u8 : type;
    if (dnnl_engine_create(&engine, dnnl_cpu, 0) ||
        dnnl_stream_create(&in.stream, engine, dnnl_stream_default_flags) ||
        dnnl_memory_desc_init_by_tag(&x, 2, dx, left, dnnl_ab) ||
        dnnl_memory_desc_init_by_tag(&w, 2, dw, type, dnnl_format_tag_any) ||
        dnnl_memory_desc_init_by_tag(&y, 2, dy, out, dnnl_ab) ||
        dnnl_inner_product_forward_desc_init(&d, dnnl_forward_inference, &x, &w, NULL, &y) ||
        dnnl_primitive_desc_create(&pd, &d, NULL, engine, NULL) ||
        dnnl_primitive_create(&in.primitive, pd))
        exit(1);
    in.arg[0] = (dnnl_exec_arg_t){DNNL_ARG_SRC, memory_of(&x, engine)};
    in.arg[1] = (dnnl_exec_arg_t){
        DNNL_ARG_WEIGHTS,
        memory_of(dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0), engine)};
    in.arg[2] = (dnnl_exec_arg_t){DNNL_ARG_DST, memory_of(&y, engine)};
    return in;
}

static double time_inner(const inner *in)
{
    double t = now();
    if (dnnl_primitive_execute(in->primitive, in->stream, 3, in->arg)) exit(1);
    dnnl_stream_wait(in->stream);
    return now() - t;
}
#endif

enum { F32, BF16, INT8, OPENBLAS, BLIS, DNNL, DNNL_BF16, DNNL_INT8, KINDS };

static void measure(double best[KINDS], const shape *s, sgemm *blis)
{
    static const char *const names[] = {"f32", "bf16", "int8"};
    const rp_backend *be[3] = {0};
    float *panels[3] = {0};
    for (int k = 0; k < 3; k++) {
        if (rp_backend_find(&be[k], names[k], NULL)) continue;
        panels[k] = rp_alloc(be[k]->panels_size(s->N, s->K), sizeof(float));
        be[k]->panels_pack(panels[k], s->w, RP_F32, 0, s->N, s->K);
    }
#ifdef WITH_DNNL
    inner in[3] = {make_inner(s, dnnl_f32, dnnl_f32), make_inner(s, dnnl_bf16, dnnl_f32),
                   make_inner(s, dnnl_s8, dnnl_s32)};
#endif
    for (int k = 0; k < KINDS; k++) best[k] = 1e30;
    for (int round = 0; round < ROUNDS; round++)
        for (int k = 0; k < KINDS; k++) {
            double t = 1e30;
            if (k <= INT8 && be[k]) t = time_ours(s, be[k], panels[k]);
            if (k == OPENBLAS) t = time_blas(s, (sgemm *)cblas_sgemm);
            if (k == BLIS && blis) t = time_blas(s, blis);
#ifdef WITH_DNNL
            if (k >= DNNL) t = time_inner(&in[k - DNNL]);
#endif
            if (t < best[k]) best[k] = t;
        }
    for (int k = 0; k < 3; k++) free(panels[k]);
}

int main(void)
{
    static const size_t shapes[][2] = {{768, 768},   {2048, 768},   {768, 2048},
                                       {4096, 4096}, {11008, 4096}, {4096, 11008}};
    void *library = dlopen("libblis.so.4", RTLD_NOW | RTLD_LOCAL);
    sgemm *blis = library ? (sgemm *)dlsym(library, "cblas_sgemm") : NULL;
    printf("%-12s%8s%8s%8s%10s%8s%8s%8s%8s\n", "N x K", "f32", "bf16", "int8", "OpenBLAS", "BLIS",
           "oneDNN", "bf16", "int8");
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        shape s = {.N = shapes[i][0], .K = shapes[i][1]};
        double best[KINDS];
        rp_rng rng;
        rp_rng_init(&rng, 1, 0);
        s.x = rp_alloc(T * s.K, 4), s.w = rp_alloc(s.N * s.K, 4), s.y = rp_alloc(T * s.N, 4);
        s.work = rp_alloc(rp_backend_cpu()->work_size(1, 2), 4);
        for (size_t k = 0; k < T * s.K; k++) s.x[k] = (float)rp_rng_uniform(&rng) - .5f;
        for (size_t k = 0; k < s.N * s.K; k++) s.w[k] = (float)rp_rng_uniform(&rng) - .5f;
        measure(best, &s, blis);
        printf("%5zu x%5zu", s.N, s.K);
        for (int k = 0; k < KINDS; k++)
            if (best[k] < 1e30)
                printf("%*.1f", k == OPENBLAS ? 10 : 8, 2e-9 * T * (double)(s.N * s.K) / best[k]);
            else
                printf("%*s", k == OPENBLAS ? 10 : 8, "-");
        printf("\n");
        free(s.x), free(s.w), free(s.y), free(s.work);
    }
    return 0;
}
