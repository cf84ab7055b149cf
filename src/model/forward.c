#include "model/forward.h"

#include <math.h>
#include <string.h>

size_t rp_scratch_place(rp_scratch *s, float *slab, const rp_config *c, const rp_backend *be,
                        size_t T, size_t longest)
{
    size_t queries = c->heads * c->head_dim, keys = c->kv_heads * c->head_dim;
    size_t widest = c->width > c->embedding_width ? c->width : c->embedding_width;
    struct {
        float **at;
        size_t floats;
    } part[] = {
        {&s->x, T * widest},
        {&s->q, T * queries},
        {&s->k, T * keys},
        {&s->v, T * keys},
        {&s->mixed, T * queries},
        {&s->out, T * c->width},
        {&s->gate, T * c->ffn},
        {&s->up, c->gated ? T * c->ffn : 0},
        {&s->work, be->work_size(longest, c->head_dim)},
    };
    size_t size = 0;
    for (size_t i = 0; i < sizeof part / sizeof *part; i++) {
        if (slab) *part[i].at = slab + size;
        size += (part[i].floats + 15) / 16 * 16;
    }
    return size;
}

static size_t micro_row(const rp_forward *f, const rp_micro *m)
{
    return f->packing->piece[m->first].row;
}

static size_t micro_rows(const rp_forward *f, const rp_micro *m)
{
    const rp_piece *last = &f->packing->piece[m->end - 1];
    return last->row + last->n - micro_row(f, m);
}

/* Hands values of the micro-batch to the observer if it wants the site; those of heads are kept for
 * their sequences. */
static void show(const rp_forward *f, rp_site site, size_t layer, const rp_micro *m,
                 const float *values, size_t width)
{
    size_t row = micro_row(f, m);
    if (!f->observer || !(f->observer->sites & 1u << site)) return;
    if (m->first < f->packing->nheads) {
        memcpy(f->heads.site[site] + row * width, values,
               micro_rows(f, m) * width * sizeof *values);
        return;
    }
    for (size_t i = m->first; i < m->end; i++) {
        const rp_piece *p = &f->packing->piece[i];
        const rp_values seen = {p->sequence,
                                width,
                                p->at,
                                p->n,
                                p->at ? f->heads.site[site] + p->head * width : NULL,
                                values + (p->row - row) * width};
        f->observer->see(f->observer->arg, site, layer, &seen);
    }
}

static void multiply(const rp_forward *f, const rp_dense *d, float *y, const float *x, float *work,
                     size_t T)
{
    f->backend->matmul(y, x, d->weight, d->bias, work, T, d->N, d->K);
}

static void norm(const rp_forward *f, const rp_dense *d, float *y, const float *x, size_t T)
{
    if (d->bias)
        f->backend->layernorm(y, x, d->weight, d->bias, f->config->norm_eps, T, d->N);
    else
        f->backend->rmsnorm(y, x, d->weight, f->config->norm_eps, T, d->N);
}

/* ---- embeddings ---- */

/* x [n] += row i of the table */
static void add_row(float *x, const rp_tensor *table, size_t i, size_t n)
{
    float row[256];
    for (size_t k = 0; k < n; k += 256) {
        size_t m = n - k < 256 ? n - k : 256;
        rp_tensor_read(row, table, i * n + k, m);
        for (size_t j = 0; j < m; j++) x[k + j] += row[j];
    }
}

/* Position in the table of token t of a sequence; *count is the tokens before it that count. */
static size_t position_of(const rp_config *c, size_t id, size_t t, size_t *count)
{
    if (!c->skips_pad) return t;
    return id == c->pad ? c->pad : c->pad + ++*count;
}

static void embed_piece(const rp_forward *f, float *x, const rp_piece *p)
{
    const rp_weights *w = f->weights;
    size_t E = f->config->embedding_width, count = 0;
    const int32_t *segment = f->config->segments > 1 ? f->batch->segment : NULL;
    for (size_t i = 0; i < p->n; i++) {
        size_t t = p->token + i, id = (size_t)f->batch->ids[t];
        float *row = x + i * E;
        rp_tensor_read(row, w->embedding, id * E, E);
        if (w->segment) add_row(row, w->segment, segment ? (size_t)segment[t] : 0, E);
        if (w->position)
            add_row(row, w->position, position_of(f->config, id, p->at + i, &count), E);
    }
}

void rp_forward_embed(const rp_forward *f, const rp_scratch *s, const rp_micro *m)
{
    size_t D = f->config->width, E = f->config->embedding_width;
    size_t T = micro_rows(f, m), first = micro_row(f, m);
    float *h = f->hidden + first * D, *x = f->frame->projection.weight ? s->x : h;
    for (size_t i = m->first; i < m->end; i++) {
        const rp_piece *p = &f->packing->piece[i];
        embed_piece(f, x + (p->row - first) * E, p);
    }
    if (f->frame->embed_norm.weight) norm(f, &f->frame->embed_norm, x, x, T);
    if (x != h) multiply(f, &f->frame->projection, h, x, s->work, T);
    show(f, RP_SITE_RESID_POST, 0, m, h, D);
}

/* ---- blocks ---- */

/* s->mixed <- attention of every sequence over the projections of x */
static void attend(const rp_forward *f, const rp_block *b, const rp_scratch *s, const float *x,
                   const rp_micro *m, size_t T)
{
    const rp_config *c = f->config;
    const rp_backend *be = f->backend;
    size_t H = c->heads, G = c->kv_heads, C = c->head_dim, R = c->rope.width;
    multiply(f, &b->part[RP_W_Q], s->q, x, s->work, T);
    multiply(f, &b->part[RP_W_K], s->k, x, s->work, T);
    multiply(f, &b->part[RP_W_V], s->v, x, s->work, T);
    if (c->qk_norm) {
        norm(f, &b->part[RP_W_Q_NORM], s->q, s->q, T * H);
        norm(f, &b->part[RP_W_K_NORM], s->k, s->k, T * G);
    }
    for (size_t i = m->first; i < m->end; i++) {
        const rp_piece *p = &f->packing->piece[i];
        size_t at = p->row - micro_row(f, m), n = p->n, half = R / 2;
        float *q = s->q + at * H * C, *k = s->k + at * G * C, *v = s->v + at * G * C;
        const float *head_k = p->at ? f->heads.k + p->head * G * C : NULL;
        const float *head_v = p->at ? f->heads.v + p->head * G * C : NULL;
        const rp_attention a = {p->at + n, H,        G,         C,       p->at,   head_k,
                                head_v,    c->scale, c->causal, f->bias, f->reach};
        if (R) be->rope(q, f->cosine + p->at * half, f->sine + p->at * half, n, H, C, R);
        if (R) be->rope(k, f->cosine + p->at * half, f->sine + p->at * half, n, G, C, R);
        be->attention(s->mixed + at * H * C, q, k, v, s->work, &a);
        if (i >= f->packing->nheads) continue;
        memcpy(f->heads.k + p->row * G * C, k, n * G * C * sizeof *k);
        memcpy(f->heads.v + p->row * G * C, v, n * G * C * sizeof *v);
    }
}

/* s->out <- mlp(x) */
static void feed_forward(const rp_forward *f, const rp_block *b, const rp_scratch *s,
                         const float *x, const rp_micro *m, size_t layer, size_t T)
{
    const rp_config *c = f->config;
    multiply(f, &b->part[c->gated ? RP_W_GATE : RP_W_UP], s->gate, x, s->work, T);
    if (c->gated) multiply(f, &b->part[RP_W_UP], s->up, x, s->work, T);
    f->backend->activate(s->gate, c->gated ? s->up : NULL, c->activation, T * c->ffn);
    show(f, RP_SITE_MLP_ACT, layer, m, s->gate, c->ffn);
    multiply(f, &b->part[RP_W_DOWN], s->out, s->gate, s->work, T);
    show(f, RP_SITE_MLP_OUT, layer, m, s->out, c->width);
}

/* The norms precede the sublayers: Llama and its kin, GPT-NeoX, T5. A parallel block's MLP reads
 * what its attention reads. */
static void pre_norm_block(const rp_forward *f, const rp_block *b, const rp_scratch *s,
                           const rp_micro *m, size_t layer, float *h, size_t T)
{
    const rp_config *c = f->config;
    const rp_backend *be = f->backend;
    size_t D = c->width;
    norm(f, &b->part[RP_W_NORM_ATTN], s->x, h, T);
    attend(f, b, s, s->x, m, T);
    multiply(f, &b->part[RP_W_O], s->out, s->mixed, s->work, T);
    show(f, RP_SITE_ATTN_OUT, layer, m, s->out, D);
    if (c->parallel) norm(f, &b->part[RP_W_NORM_MLP], s->x, h, T);
    be->add(h, s->out, T * D);
    if (!c->parallel) {
        show(f, RP_SITE_RESID_MID, layer, m, h, D);
        norm(f, &b->part[RP_W_NORM_MLP], s->x, h, T);
    }
    feed_forward(f, b, s, s->x, m, layer, T);
    be->add(h, s->out, T * D);
}

/* The norms follow the sums: BERT and its kin. */
static void post_norm_block(const rp_forward *f, const rp_block *b, const rp_scratch *s,
                            const rp_micro *m, size_t layer, float *h, size_t T)
{
    const rp_backend *be = f->backend;
    size_t D = f->config->width;
    attend(f, b, s, h, m, T);
    multiply(f, &b->part[RP_W_O], s->out, s->mixed, s->work, T);
    show(f, RP_SITE_ATTN_OUT, layer, m, s->out, D);
    be->add(h, s->out, T * D);
    norm(f, &b->part[RP_W_NORM_ATTN], h, h, T);
    show(f, RP_SITE_RESID_MID, layer, m, h, D);
    feed_forward(f, b, s, h, m, layer, T);
    be->add(h, s->out, T * D);
    norm(f, &b->part[RP_W_NORM_MLP], h, h, T);
}

void rp_forward_block(const rp_forward *f, const rp_block *b, const rp_scratch *s,
                      const rp_micro *m, size_t layer)
{
    size_t T = micro_rows(f, m), D = f->config->width;
    float *h = f->hidden + micro_row(f, m) * D;
    (f->config->post_norm ? post_norm_block : pre_norm_block)(f, b, s, m, layer, h, T);
    show(f, RP_SITE_RESID_POST, layer, m, h, D);
}

/* ---- after the last block ---- */

void rp_forward_final(const rp_forward *f, float *y, const float *x, size_t T)
{
    if (f->frame->final_norm.weight)
        norm(f, &f->frame->final_norm, y, x, T);
    else if (y != x)
        memcpy(y, x, T * f->config->width * sizeof *y);
}

float rp_forward_score(const rp_forward *f, size_t i, const rp_scratch *s)
{
    const rp_frame *frame = f->frame;
    size_t D = f->config->width, tokens = f->batch->start[i + 1] - f->batch->start[i];
    bool last = f->config->head == RP_HEAD_LAST;
    size_t row = rp_packing_row(f->packing, i, last ? tokens - 1 : 0);
    float score;
    rp_forward_final(f, s->x, f->hidden + row * D, 1);
    if (!last) {
        multiply(f, &frame->dense, s->out, s->x, s->work, 1);
        if (f->config->head == RP_HEAD_DENSE_GELU)
            f->backend->activate(s->out, NULL, RP_GELU, D);
        else
            for (size_t d = 0; d < D; d++) s->out[d] = tanhf(s->out[d]);
    }
    multiply(f, &frame->score, &score, last ? s->x : s->out, s->work, 1);
    return score;
}
