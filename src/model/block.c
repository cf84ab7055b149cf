#include "model/block.h"

enum { TASK_ROWS = 512 }; /* a whole number of panels */

/* Sections of a slab begin at whole cache lines. */
static size_t padded(size_t floats)
{
    return (floats + 15) / 16 * 16;
}

/* The row of the tensor that is row i of the part. */
static size_t tensor_row(const rp_place *p, size_t i)
{
    return p->first + i / p->group * p->stride + i % p->group;
}

/* out [n] <- elements of a vector, or of a matrix's bias, that belong to the part. */
static void read_vector(float *out, const rp_tensor *t, const rp_place *p)
{
    for (size_t i = 0; i < p->N; i += p->group)
        rp_tensor_read(out + i, t, tensor_row(p, i), p->N - i < p->group ? p->N - i : p->group);
}

/* ---- matrices ---- */

static size_t rank_of(const rp_part *part)
{
    return part->lora.a ? part->lora.a->shape[0] : 0;
}

/* Whether the rows of a panel lie one after the other and are final: else they are put together
 * first. */
static bool is_plain(const rp_part *part, const rp_backend *be)
{
    const rp_place *p = &part->place;
    return (p->group == p->N || p->group % be->panel_rows == 0) && !part->lora.a;
}

size_t rp_fold_size(const rp_part *parts, size_t n, const rp_backend *be)
{
    size_t most = 0;
    for (size_t i = 0; i < n; i++) {
        size_t K = parts[i].place.K, r = rank_of(&parts[i]);
        if (!parts[i].weight || is_plain(&parts[i], be)) continue;
        size_t size = padded(r * K + be->panel_rows * K + r);
        if (size > most) most = size;
    }
    return most;
}

/* row [K] <- row i of the part; a [r, K] is the adapter's A in f32, b [r] scratch. */
static void fold_row(float *row, const rp_part *part, size_t i, const float *a, float *b)
{
    size_t K = part->place.K, r = rank_of(part), at = tensor_row(&part->place, i);
    rp_tensor_read(row, part->weight, at * K, K);
    if (!r) return;
    rp_tensor_read(b, part->lora.b, at * r, r);
    for (size_t j = 0; j < r; j++) {
        const float *restrict from = a + j * K, s = part->lora.scale * b[j];
        float *restrict to = row;
        for (size_t k = 0; k < K; k++) to[k] += s * from[k];
    }
}

/* Rows [first, end) of the part as panels. */
static void pack(float *panels, const rp_part *part, size_t first, size_t end, float *fold,
                 const rp_backend *be)
{
    size_t K = part->place.K, r = rank_of(part), step = be->panel_rows;
    bool plain = is_plain(part, be);
    const unsigned char *bytes = part->weight->data;
    size_t row = K * rp_dtype_size(part->weight->dtype);
    if (r) rp_tensor_read(fold, part->lora.a, 0, r * K);
    for (size_t i = first; i < end; i += step) {
        size_t to = i + step < end ? i + step : end;
        if (plain) {
            be->panels_pack(panels, bytes + tensor_row(&part->place, i) * row, part->weight->dtype,
                            i, to, K);
            continue;
        }
        float *rows = fold + r * K;
        for (size_t j = i; j < to; j++)
            fold_row(rows + (j - i) * K, part, j, fold, rows + step * K);
        be->panels_pack(panels, rows, RP_F32, i, to, K);
    }
}

size_t rp_dense_place(rp_dense *dense, float *slab, const rp_part *part, const rp_backend *be)
{
    const rp_place *p = &part->place;
    rp_dense d = {.N = p->N, .K = p->K};
    size_t size = padded(p->K ? be->panels_size(p->N, p->K) : p->N), floats = 0;
    if (part->weight) floats = size + (part->bias ? padded(p->N) : 0);
    if (part->weight && slab) d.weight = slab;
    if (part->weight && part->bias && slab) d.bias = slab + size;
    if (dense) *dense = d;
    return floats;
}

size_t rp_dense_tasks(const rp_part *part)
{
    size_t rows = part->place.K ? part->place.N : 1;
    return part->weight ? (rows + TASK_ROWS - 1) / TASK_ROWS : 0;
}

void rp_dense_fill(const rp_dense *dense, const rp_part *part, size_t task, float *fold,
                   const rp_backend *be)
{
    const rp_place *p = &part->place;
    size_t first = task * TASK_ROWS, end = first + TASK_ROWS < p->N ? first + TASK_ROWS : p->N;
    if (p->K)
        pack((float *)dense->weight, part, first, end, fold, be);
    else
        read_vector((float *)dense->weight, part->weight, p);
    if (part->bias && !task) read_vector((float *)dense->bias, part->bias, p);
}

/* ---- blocks ---- */

size_t rp_block_place(rp_block *block, float *slab, const rp_part *layer, const rp_backend *be)
{
    size_t size = 0;
    for (rp_weight w = 0; w < RP_WEIGHTS; w++)
        size += rp_dense_place(block ? &block->part[w] : NULL, slab ? slab + size : NULL, &layer[w],
                               be);
    return size;
}

size_t rp_block_tasks(const rp_part *layer)
{
    size_t n = 0;
    for (rp_weight w = 0; w < RP_WEIGHTS; w++) n += rp_dense_tasks(&layer[w]);
    return n;
}

void rp_block_fill(const rp_block *block, const rp_part *layer, size_t task, float *fold,
                   const rp_backend *be)
{
    rp_weight w = 0;
    while (task >= rp_dense_tasks(&layer[w])) task -= rp_dense_tasks(&layer[w++]);
    rp_dense_fill(&block->part[w], &layer[w], task, fold, be);
}

void rp_block_expect(const rp_part *layer)
{
    for (rp_weight w = 0; w < RP_WEIGHTS; w++)
        if (layer[w].weight) rp_tensor_expect(layer[w].weight);
}

void rp_block_drop(const rp_part *layer)
{
    for (rp_weight w = 0; w < RP_WEIGHTS; w++)
        if (layer[w].weight) rp_tensor_drop(layer[w].weight);
}
