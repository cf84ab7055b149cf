/*
 * Layer-major execution: a chunk of packed sequences goes through one layer, micro-batch by
 * micro-batch, before the next layer. A micro-batch is a run of whole sequences, cut by the batch
 * alone; threads take micro-batches as they come, and then, where memory has room for two layers,
 * pieces of the next layer's weights.
 */
#include <limits.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>

#include "base/memory.h"
#include "model/forward.h"
#include "model/handle.h"
#include "model/rotary.h"

#define MICRO_TOKENS 512 /* a micro-batch ends with the sequence that reaches so many */

struct rp_session {
    const rp_model *model;
    const rp_backend *backend;
    int threads;
    size_t tokens; /* what one forward may take within the memory */

    size_t nblocks;   /* layers, where the converted weights are kept; else 2, or 1 */
    size_t *loaded;   /* [nblocks] the layer that is there, from 1; 0: none */
    rp_block *block;  /* [nblocks] */
    float **slab;     /* [nblocks] */
    float *fold;      /* [threads, fold_size] where adapters are folded in */
    size_t fold_size; /* 0: nothing to fold */
    bool share;
    rp_frame frame;
    float *frame_slab, *relative; /* relative: T5's table [buckets, H] */

    /* sized for the largest batch so far */
    rp_packing packing;
    rp_heads heads;
    size_t k_size, v_size, site_size[RP_SITES];
    float *hidden;   /* [hidden_size / D, D] */
    rp_micro *micro; /* [micro_size] */
    float **scratch; /* [threads] of scratch_size floats */
    float *angles;   /* cosine [longest, R/2], sine [longest, R/2] */
    float *bias;     /* [H, 2 longest - 1] of relative positions */
    size_t hidden_size, micro_size, scratch_size, longest;
};

/* ---- construction ---- */

/* What lies outside of the blocks. */
static rp_status load_frame(rp_session *s, rp_error *err)
{
    const rp_weights *w = &s->model->weights;
    const struct {
        rp_dense *to;
        const rp_part *from;
    } rows[] = {{&s->frame.embed_norm, &w->embed_norm},
                {&s->frame.projection, &w->projection},
                {&s->frame.final_norm, &w->final_norm},
                {&s->frame.dense, &w->dense},
                {&s->frame.score, &w->score}};
    size_t size = 0, n = sizeof rows / sizeof *rows;
    for (size_t i = 0; i < n; i++) size += rp_dense_place(NULL, NULL, rows[i].from, s->backend);
    s->frame_slab = rp_alloc(size, sizeof(float));
    if (w->relative) s->relative = rp_alloc(w->relative->count, sizeof(float));
    if (!s->frame_slab || (w->relative && !s->relative))
        return rp_fail_memory(err, size * sizeof(float));
    float *slab = s->frame_slab;
    for (size_t i = 0; i < n; i++) {
        slab += rp_dense_place(rows[i].to, slab, rows[i].from, s->backend);
        for (size_t t = 0; t < rp_dense_tasks(rows[i].from); t++)
            rp_dense_fill(rows[i].to, rows[i].from, t, s->fold, s->backend);
    }
    if (w->relative) rp_tensor_read(s->relative, w->relative, 0, w->relative->count);
    return RP_OK;
}

/* All layers have the same shapes; the head may have an adapter too. */
static rp_status make_fold(rp_session *s, rp_error *err)
{
    const rp_weights *w = &s->model->weights;
    const rp_part outside[] = {w->projection, w->dense, w->score};
    size_t layers = s->model->config.layers;
    size_t size = rp_fold_size(w->layer, layers * RP_WEIGHTS, s->backend);
    size_t other = rp_fold_size(outside, 3, s->backend);
    s->fold_size = size > other ? size : other;
    if (s->fold_size && !(s->fold = rp_alloc(s->fold_size * (size_t)s->threads, sizeof *s->fold)))
        return rp_fail_memory(err, s->fold_size * (size_t)s->threads * sizeof *s->fold);
    return RP_OK;
}

/* Half of the memory may go to weights; what is left after the scratch goes to hidden states. A
 * model whose layers, or whose threads, take more than that gets it, as long as the machine has it.
 */
static rp_status plan(rp_session *s, size_t memory, rp_error *err)
{
    const rp_config *c = &s->model->config;
    rp_scratch place;
    size_t block = rp_block_place(NULL, NULL, s->model->weights.layer, s->backend) * sizeof(float);
    size_t scratch = rp_scratch_place(&place, NULL, c, s->backend, 2 * MICRO_TOKENS, MICRO_TOKENS) *
                     sizeof(float);
    size_t used, least = (size_t)s->threads * 2 * MICRO_TOKENS, have = rp_memory_available();
    s->nblocks = block <= memory / 2 / c->layers ? c->layers : block <= memory / 4 ? 2 : 1;
    used = s->nblocks * block + (size_t)s->threads * scratch;
    s->tokens = used < memory ? (memory - used) / (c->width * sizeof(float)) : 0;
    if (s->tokens < least) s->tokens = least;
    double need = (double)used + (double)(least * c->width) * sizeof(float);
    if (need <= (double)have) return RP_OK;
    return rp_fail(
        err, RP_ENOMEM,
        "'%s' needs %.0f MiB of memory at least, %zu of %zu layers as they are multiplied "
        "(%zu MiB each) and %d threads (%zu MiB each); there are %zu MiB",
        s->model->info.path, need / 0x1p20, s->nblocks, c->layers, block >> 20, s->threads,
        scratch >> 20, have >> 20);
}

rp_status rp_session_new(rp_session **session, const rp_model *model, const rp_session_options *o,
                         rp_error *err)
{
    const rp_backend *backend = NULL;
    *session = NULL;
    if (o->threads < 0) return rp_fail(err, RP_EARG, "%d threads", o->threads);
    rp_status status = rp_backend_find(&backend, o->compute, err);
    if (status) return status;
    rp_session *s = calloc(1, sizeof *s);
    if (!s) return rp_fail_memory(err, sizeof *s);
    s->model = model;
    s->backend = backend;
    s->share = model->config.causal && !o->no_share;
    s->threads = o->threads ? o->threads : omp_get_max_threads();
    status = plan(s, o->memory, err);
    if (!status) {
        s->block = rp_alloc(s->nblocks, sizeof *s->block);
        s->loaded = rp_alloc(s->nblocks, sizeof *s->loaded);
        s->slab = rp_alloc(s->nblocks, sizeof *s->slab);
        s->scratch = rp_alloc((size_t)s->threads, sizeof *s->scratch);
        if (!s->block || !s->loaded || !s->slab || !s->scratch)
            status = rp_fail_memory(err, s->nblocks * sizeof *s->block);
    }
    if (!status) status = make_fold(s, err);
    if (!status) status = load_frame(s, err);
    if (status) {
        rp_session_free(s);
        return status;
    }
    *session = s;
    return RP_OK;
}

void rp_session_free(rp_session *s)
{
    if (!s) return;
    for (size_t i = 0; s->slab && i < s->nblocks; i++) free(s->slab[i]);
    for (int i = 0; s->scratch && i < s->threads; i++) free(s->scratch[i]);
    for (int i = 0; i < RP_SITES; i++) free(s->heads.site[i]);
    free(s->heads.k);
    free(s->heads.v);
    rp_packing_release(&s->packing);
    free(s->block);
    free(s->loaded);
    free(s->slab);
    free(s->scratch);
    free(s->fold);
    free(s->frame_slab);
    free(s->relative);
    free(s->bias);
    free(s->hidden);
    free(s->micro);
    free(s->angles);
    free(s);
}

size_t rp_session_tokens(const rp_session *session)
{
    return session->tokens;
}

/* ---- preparing a batch ---- */

static rp_status check_batch(const rp_session *s, const rp_batch *batch, rp_error *err)
{
    const rp_config *c = &s->model->config;
    for (size_t i = 0; i < batch->nseq; i++) {
        size_t first = batch->start[i], end = batch->start[i + 1];
        if (end <= first) return rp_fail(err, RP_EFORMAT, "sequence %zu has no tokens", i);
        if (end - first > c->max_positions)
            return rp_fail(err, RP_EFORMAT,
                           "sequence %zu has %zu tokens, more than the model's %s %zu", i,
                           end - first, c->limit_key, c->max_positions);
        for (size_t t = first; t < end; t++)
            if (batch->ids[t] < 0 || (size_t)batch->ids[t] >= c->vocabulary)
                return rp_fail(
                    err, RP_EFORMAT,
                    "sequence %zu: token id %ld is outside the model's vocabulary of %zu", i,
                    (long)batch->ids[t], c->vocabulary);
        for (size_t t = first; batch->segment && c->segments > 1 && t < end; t++)
            if (batch->segment[t] < 0 || (size_t)batch->segment[t] >= c->segments)
                return rp_fail(err, RP_EFORMAT,
                               "sequence %zu: segment %ld is outside the model's %zu", i,
                               (long)batch->segment[t], c->segments);
    }
    return RP_OK;
}

/* Cuts the packing, *heads micro-batches of heads first; *largest is the rows of the largest. */
static size_t cut(rp_micro *micro, const rp_packing *p, size_t *heads, size_t *largest)
{
    size_t n = 0, first = 0;
    *largest = *heads = 0;
    for (size_t i = 0; i < p->n; i++) {
        size_t rows = p->piece[i].row + p->piece[i].n - p->piece[first].row;
        if (rows < MICRO_TOKENS && i + 1 < p->n && i + 1 != p->nheads) continue;
        if (rows > *largest) *largest = rows;
        micro[n++] = (rp_micro){first, i + 1};
        *heads += first < p->nheads;
        first = i + 1;
    }
    return n;
}

/* *array <- room for n elements, contents not kept. */
static rp_status renew(void *array, size_t *have, size_t n, size_t size, rp_error *err)
{
    void **at = array;
    if (n <= *have) return RP_OK;
    free(*at);
    *have = 0;
    *at = rp_alloc(n, size);
    if (!*at) return rp_fail_memory(err, n * size);
    *have = n;
    return RP_OK;
}

/* What depends on positions alone, for sequences of up to `longest` tokens. */
static rp_status renew_positions(rp_session *s, size_t longest, rp_error *err)
{
    const rp_config *c = &s->model->config;
    size_t half = c->rope.width / 2, floats = 2 * s->longest * half;
    size_t biases = s->longest ? (2 * s->longest - 1) * c->heads : 0;
    if (longest <= s->longest) return RP_OK;
    s->longest = 0;
    rp_status status = RP_OK;
    if (half) status = renew(&s->angles, &floats, 2 * longest * half, sizeof *s->angles, err);
    if (!status && s->relative)
        status = renew(&s->bias, &biases, (2 * longest - 1) * c->heads, sizeof *s->bias, err);
    if (status) return status;
    if (half) {
        float frequency[1 << 11]; /* half of the limit on head_dim */
        rp_rotary_frequencies(frequency, c);
        rp_rotary_table(s->angles, s->angles + longest * half, frequency, longest, half);
    }
    if (s->relative) rp_relative_bias(s->bias, s->relative, c, longest);
    s->longest = longest;
    return RP_OK;
}

static rp_status renew_scratch(rp_session *s, size_t largest, size_t longest, rp_error *err)
{
    rp_scratch place;
    size_t n = rp_scratch_place(&place, NULL, &s->model->config, s->backend, largest, longest);
    rp_status status = RP_OK;
    if (n <= s->scratch_size) return RP_OK;
    s->scratch_size = 0;
    for (int i = 0; !status && i < s->threads; i++) {
        size_t have = 0;
        status = renew(&s->scratch[i], &have, n, sizeof(float), err);
    }
    if (!status) s->scratch_size = n;
    return status;
}

/* ---- running ---- */

/* Memory for layer l (from 0); *todo <- the tasks that fill it: 0 where it is there. */
static rp_status place(rp_session *s, size_t l, size_t *todo, rp_error *err)
{
    const rp_part *layer = s->model->weights.layer + l * RP_WEIGHTS;
    size_t at = l % s->nblocks, size = rp_block_place(NULL, NULL, layer, s->backend);
    *todo = 0;
    if (s->loaded[at] == l + 1) return RP_OK;
    if (!s->slab[at] && !(s->slab[at] = rp_alloc(size, sizeof(float))))
        return rp_fail_memory(err, size * sizeof(float));
    rp_block_place(&s->block[at], s->slab[at], layer, s->backend);
    s->loaded[at] = l + 1;
    *todo = rp_block_tasks(layer);
    return RP_OK;
}

/* What happens between two barriers: micro-batches through a layer, then pieces of another. */
typedef struct stage {
    const rp_forward *f;
    size_t heads, n, largest; /* micro-batches, of heads first; rows of the largest */
    size_t layer;             /* from 1; 0: the embeddings; SIZE_MAX: nothing is computed */
    size_t next, todo;        /* layer to be loaded, from 0, and its tasks */
} stage;

static void run_micro(const rp_session *s, const stage *g, size_t i, const rp_scratch *scratch)
{
    if (g->layer)
        rp_forward_block(g->f, &s->block[(g->layer - 1) % s->nblocks], scratch, &s->micro[i],
                         g->layer);
    else
        rp_forward_embed(g->f, scratch, &s->micro[i]);
}

static void run_stage(const rp_session *s, const stage *g)
{
    const rp_part *layer = s->model->weights.layer + g->next * RP_WEIGHTS;
    const rp_block *next = &s->block[g->next % s->nblocks];
    size_t n = g->layer == SIZE_MAX ? 0 : g->n, heads = n ? g->heads : 0;
    if (g->todo) rp_block_expect(layer);
#pragma omp parallel num_threads(s->threads)
    {
        size_t thread = (size_t)omp_get_thread_num();
        float *fold = s->fold ? s->fold + thread * s->fold_size : NULL;
        rp_scratch scratch;
        rp_scratch_place(&scratch, s->scratch[thread], g->f->config, g->f->backend, g->largest,
                         s->longest);
#pragma omp for schedule(dynamic, 1)
        for (size_t i = 0; i < heads; i++) run_micro(s, g, i, &scratch);
#pragma omp for schedule(dynamic, 1) nowait
        for (size_t i = heads; i < n; i++) run_micro(s, g, i, &scratch);
#pragma omp for schedule(dynamic, 1)
        for (size_t t = 0; t < g->todo; t++) rp_block_fill(next, layer, t, fold, s->backend);
    }
    if (g->todo) rp_block_drop(layer);
}

static rp_status run_layers(rp_session *s, stage *g, const rp_host *host, rp_error *err)
{
    size_t layers = g->f->config->layers;
    rp_status status = place(s, g->next = 0, &g->todo, err);
    if (!status) run_stage(s, g); /* the embeddings */
    for (size_t l = 0; !status && l < layers; l++) {
        status = rp_host_progress(host, "layers", l, layers, err);
        if (status) break;
        bool ahead = s->nblocks > 1 && l + 1 < layers;
        g->layer = l + 1, g->next = l + 1, g->todo = 0;
        if (ahead) status = place(s, l + 1, &g->todo, err);
        if (!status) run_stage(s, g);
        if (status || ahead || l + 1 == layers) continue;
        g->layer = SIZE_MAX;
        status = place(s, l + 1, &g->todo, err);
        if (!status) run_stage(s, g);
    }
    return status ? status : rp_host_progress(host, "layers", layers, layers, err);
}

static rp_status score(const rp_session *s, const rp_forward *f, float *scores, rp_error *err)
{
    rp_scratch scratch;
    rp_scratch_place(&scratch, s->scratch[0], f->config, f->backend, 1, s->longest);
    for (size_t i = 0; i < f->batch->nseq; i++) {
        scores[i] = rp_forward_score(f, i, &scratch);
        if (!isfinite(scores[i]))
            return rp_fail(err, RP_ECOMPUTE, "'%s': the score of sequence %zu is not finite",
                           s->model->path, i);
    }
    return RP_OK;
}

/* out [D] <- the mean over sequence i's tokens of the last hidden state; x [D] is scratch. */
static void mean_final(const rp_forward *f, float *out, float *x, double *sum, size_t i)
{
    size_t D = f->config->width, n = f->batch->start[i + 1] - f->batch->start[i];
    for (size_t d = 0; d < D; d++) sum[d] = 0;
    for (size_t t = 0; t < n; t++) {
        rp_forward_final(f, x, f->hidden + rp_packing_row(f->packing, i, t) * D, 1);
        for (size_t d = 0; d < D; d++) sum[d] += (double)x[d];
    }
    for (size_t d = 0; d < D; d++) out[d] = (float)(sum[d] / (double)n);
}

/* Room for what is kept of heads. */
static rp_status renew_heads(rp_session *s, const rp_observer *observer, rp_error *err)
{
    size_t rows = s->packing.head_rows;
    size_t keys = rows * s->model->config.kv_heads * s->model->config.head_dim;
    rp_status status = renew(&s->heads.k, &s->k_size, keys, sizeof(float), err);
    if (!status) status = renew(&s->heads.v, &s->v_size, keys, sizeof(float), err);
    for (int i = 0; i < RP_SITES && !status; i++)
        if (observer && observer->sites & 1u << i)
            status = renew(&s->heads.site[i], &s->site_size[i],
                           rows * rp_model_site_width(s->model, (rp_site)i), sizeof(float), err);
    return status;
}

/* Checks the batch, makes room and runs the layers; *f is what the residual stream is left in. */
static rp_status run(rp_session *s, rp_forward *f, const rp_batch *batch,
                     const rp_observer *observer, const rp_host *host, rp_error *err)
{
    const rp_config *c = &s->model->config;
    stage g = {.f = f};
    rp_status status = check_batch(s, batch, err);
    if (status || batch->nseq == 0) return status;
    status = rp_packing_make(&s->packing, batch, s->share, err);
    if (!status) status = renew(&s->micro, &s->micro_size, s->packing.n, sizeof *s->micro, err);
    if (status) return status;
    g.n = cut(s->micro, &s->packing, &g.heads, &g.largest);
    status = renew(&s->hidden, &s->hidden_size, s->packing.rows * c->width, sizeof *s->hidden, err);
    if (!status) status = renew_positions(s, s->packing.longest, err);
    if (!status) status = renew_scratch(s, g.largest, s->longest, err);
    if (!status) status = renew_heads(s, observer, err);
    if (status) return status;
    *f = (rp_forward){.config = c,
                      .weights = &s->model->weights,
                      .frame = &s->frame,
                      .backend = s->backend,
                      .batch = batch,
                      .packing = &s->packing,
                      .observer = observer,
                      .heads = s->heads,
                      .hidden = s->hidden,
                      .cosine = s->angles,
                      .sine = s->angles ? s->angles + s->longest * (c->rope.width / 2) : NULL,
                      .bias = s->bias,
                      .reach = s->longest};
    return run_layers(s, &g, host, err);
}

rp_status rp_session_forward(rp_session *session, const rp_batch *batch,
                             const rp_observer *observer, float *scores, const rp_host *host,
                             rp_error *err)
{
    rp_forward f;
    rp_status status = scores ? rp_model_require_score(session->model, err) : RP_OK;
    if (!status) status = run(session, &f, batch, observer, host, err);
    return !status && scores && batch->nseq ? score(session, &f, scores, err) : status;
}

rp_status rp_session_embed(rp_session *session, float *out, const rp_batch *batch,
                           const rp_host *host, rp_error *err)
{
    rp_forward f;
    size_t D = session->model->config.width;
    double *sum = rp_alloc(D, sizeof *sum);
    rp_status status =
        sum ? run(session, &f, batch, NULL, host, err) : rp_fail_memory(err, D * sizeof *sum);
    for (size_t i = 0; !status && i < batch->nseq; i++)
        mean_final(&f, out + i * D, session->scratch[0], sum, i);
    free(sum);
    return status;
}
