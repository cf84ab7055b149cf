#include "model/block.h"

#include <omp.h>

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

size_t rp_fold_size(const rp_part *parts, size_t n, const rp_backend *be, int threads)
{
    size_t most = 0;
    for (size_t i = 0; i < n; i++) {
        size_t K = parts[i].place.K, r = rank_of(&parts[i]);
        if (!parts[i].weight || is_plain(&parts[i], be)) continue;
        size_t size = r * K + (size_t)threads * (be->panel_rows * K + padded(r));
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

static void pack(float *panels, const rp_part *part, float *fold, const rp_backend *be, int threads)
{
    size_t N = part->place.N, K = part->place.K, r = rank_of(part), step = be->panel_rows;
    bool plain = is_plain(part, be);
    const unsigned char *bytes = part->weight->data;
    size_t row = K * rp_dtype_size(part->weight->dtype);
    if (r) rp_tensor_read(fold, part->lora.a, 0, r * K);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t i = 0; i < N; i += step) {
        size_t end = i + step < N ? i + step : N;
        if (plain) {
            be->panels_pack(panels, bytes + tensor_row(&part->place, i) * row, part->weight->dtype,
                            i, end, K);
            continue;
        }
        float *rows = fold + r * K + (size_t)omp_get_thread_num() * (step * K + padded(r));
        for (size_t j = i; j < end; j++)
            fold_row(rows + (j - i) * K, part, j, fold, rows + step * K);
        be->panels_pack(panels, rows, RP_F32, i, end, K);
    }
}

size_t rp_dense_size(const rp_part *part, const rp_backend *be)
{
    const rp_place *p = &part->place;
    if (!part->weight) return 0;
    return padded(p->K ? be->panels_size(p->N, p->K) : p->N) + (part->bias ? padded(p->N) : 0);
}

size_t rp_dense_load(rp_dense *dense, float *slab, const rp_part *part, float *fold,
                     const rp_backend *be, int threads)
{
    const rp_place *p = &part->place;
    *dense = (rp_dense){.N = p->N, .K = p->K};
    if (!part->weight) return 0;
    size_t size = padded(p->K ? be->panels_size(p->N, p->K) : p->N);
    dense->weight = slab;
    if (p->K)
        pack(slab, part, fold, be, threads);
    else
        read_vector(slab, part->weight, p);
    rp_tensor_drop(part->weight);
    if (!part->bias) return size;
    dense->bias = slab + size;
    read_vector(slab + size, part->bias, p);
    return size + padded(p->N);
}

/* ---- blocks ---- */

size_t rp_block_size(const rp_part *layer, const rp_backend *be)
{
    size_t size = 0;
    for (rp_weight w = 0; w < RP_WEIGHTS; w++) size += rp_dense_size(&layer[w], be);
    return size;
}

void rp_block_load(rp_block *block, float *slab, const rp_part *layer, float *fold,
                   const rp_backend *be, int threads)
{
    for (rp_weight w = 0; w < RP_WEIGHTS; w++)
        slab += rp_dense_load(&block->part[w], slab, &layer[w], fold, be, threads);
}
