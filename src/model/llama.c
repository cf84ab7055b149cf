#include "model/llama.h"

/* ---- weights ---- */

/* Sections of a slab begin at whole cache lines. */
static size_t padded(size_t floats)
{
    return (floats + 15) / 16 * 16;
}

static size_t weight_size(const rp_config *c, const rp_backend *be, rp_weight w, size_t *N,
                          size_t *K)
{
    rp_weight_shape(c, w, N, K);
    return padded(*K ? be->panels_size(*N, *K) : *N);
}

size_t rp_block_size(const rp_config *c, const rp_backend *be)
{
    size_t size = 0, N, K;
    for (rp_weight w = 0; w < RP_WEIGHTS; w++) {
        size += weight_size(c, be, w, &N, &K);
        if (rp_weight_has_bias(c, w)) size += padded(N);
    }
    return size;
}

static void pack(float *panels, const rp_tensor *t, const rp_backend *be, int threads)
{
    size_t N = t->shape[0], K = t->shape[1], step = be->panel_rows;
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t i = 0; i < N; i += step)
        be->panels_pack(panels, t->data, t->dtype, i, i + step < N ? i + step : N, N, K);
}

void rp_block_load(rp_block *block, float *slab, const rp_layer_tensors *tensors,
                   const rp_config *c, const rp_backend *be, int threads)
{
    for (rp_weight w = 0; w < RP_WEIGHTS; w++) {
        size_t N, K, size = weight_size(c, be, w, &N, &K);
        block->weight[w] = slab;
        block->bias[w] = NULL;
        slab += size;
        if (K)
            pack(block->weight[w], tensors->weight[w], be, threads);
        else
            rp_tensor_read(block->weight[w], tensors->weight[w], 0, N);
        rp_tensor_drop(tensors->weight[w]);
        if (!tensors->bias[w]) continue;
        block->bias[w] = slab;
        slab += padded(N);
        rp_tensor_read(block->bias[w], tensors->bias[w], 0, N);
    }
}

/* ---- activations ---- */

size_t rp_scratch_place(rp_scratch *s, float *slab, const rp_config *c, const rp_backend *be,
                        size_t T, size_t longest)
{
    size_t queries = c->heads * c->head_dim, keys = c->kv_heads * c->head_dim;
    struct {
        float **at;
        size_t floats;
    } part[] = {
        {&s->x, T * c->width},
        {&s->q, T * queries},
        {&s->k, T * keys},
        {&s->v, T * keys},
        {&s->mixed, T * queries},
        {&s->out, T * c->width},
        {&s->gate, T * c->ffn},
        {&s->up, T * c->ffn},
        {&s->work, be->work_size(longest, c->head_dim)},
    };
    size_t size = 0;
    for (size_t i = 0; i < sizeof part / sizeof *part; i++) {
        if (slab) *part[i].at = slab + size;
        size += padded(part[i].floats);
    }
    return size;
}

void rp_forward_show(const rp_forward *f, rp_site site, size_t layer, const rp_micro *m,
                     const float *values, size_t width)
{
    if (f->observer && f->observer->sites & 1u << site)
        f->observer->see(f->observer->arg, site, layer, m->first, m->end, values, width);
}

static void multiply(const rp_forward *f, const rp_block *b, rp_weight w, float *y, const float *x,
                     float *work, size_t T)
{
    size_t N, K;
    rp_weight_shape(f->config, w, &N, &K);
    f->backend->matmul(y, x, b->weight[w], b->bias[w], work, T, N, K);
}

/* s->mixed <- attention of every sequence over s->q, s->k, s->v */
static void attend(const rp_forward *f, const rp_scratch *s, const rp_micro *m)
{
    const rp_config *c = f->config;
    size_t H = c->heads, G = c->kv_heads, C = c->head_dim;
    for (size_t i = m->first; i < m->end; i++) {
        size_t at = f->batch->start[i] - f->batch->start[m->first];
        size_t n = f->batch->start[i + 1] - f->batch->start[i];
        float *q = s->q + at * H * C, *k = s->k + at * G * C;
        f->backend->rope(q, f->cosine, f->sine, n, H, C);
        f->backend->rope(k, f->cosine, f->sine, n, G, C);
        f->backend->attention(s->mixed + at * H * C, q, k, s->v + at * G * C, s->work, n, H, G, C);
    }
}

void rp_llama_forward(const rp_forward *f, const rp_block *b, const rp_scratch *s,
                      const rp_micro *m, size_t layer)
{
    const rp_config *c = f->config;
    const rp_backend *be = f->backend;
    size_t T = f->batch->start[m->end] - f->batch->start[m->first], D = c->width, F = c->ffn;
    float *h = f->hidden + f->batch->start[m->first] * D;

    be->rmsnorm(s->x, h, b->weight[RP_W_NORM_ATTN], c->norm_eps, T, D);
    multiply(f, b, RP_W_Q, s->q, s->x, s->work, T);
    multiply(f, b, RP_W_K, s->k, s->x, s->work, T);
    multiply(f, b, RP_W_V, s->v, s->x, s->work, T);
    attend(f, s, m);
    multiply(f, b, RP_W_O, s->out, s->mixed, s->work, T);
    rp_forward_show(f, RP_SITE_ATTN_OUT, layer, m, s->out, D);
    be->add(h, s->out, T * D);
    rp_forward_show(f, RP_SITE_RESID_MID, layer, m, h, D);

    be->rmsnorm(s->x, h, b->weight[RP_W_NORM_MLP], c->norm_eps, T, D);
    multiply(f, b, RP_W_GATE, s->gate, s->x, s->work, T);
    multiply(f, b, RP_W_UP, s->up, s->x, s->work, T);
    be->silu_mul(s->gate, s->up, T * F);
    rp_forward_show(f, RP_SITE_MLP_ACT, layer, m, s->gate, F);
    multiply(f, b, RP_W_DOWN, s->out, s->gate, s->work, T);
    rp_forward_show(f, RP_SITE_MLP_OUT, layer, m, s->out, D);
    be->add(h, s->out, T * D);
    rp_forward_show(f, RP_SITE_RESID_POST, layer, m, h, D);
}
