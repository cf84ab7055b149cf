#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "probe/orbit.h"

/* Items are worked on in tiles of one block each: all columns of a tile (128 KiB of predictions
 * with 8 blocks of 32 options) stay in the second-level cache while every draw passes over them. */
enum { TILE = 64, WIDE = 8, LANES = 4 };
typedef double lanes __attribute__((vector_size(LANES * sizeof(double)), may_alias));
typedef float vector __attribute__((vector_size(WIDE * sizeof(float)), may_alias));
typedef float floats __attribute__((vector_size(LANES * sizeof(float)), may_alias));

typedef struct tile {
    size_t block;
    float *f;       /* [nt noptions, TILE] */
    double *y;      /* [noptions, TILE] */
    double *weight; /* [TILE], 0 beyond the last item */
} tile;

/* base[b] <- the training mean of each draw. */
static void sum_base(double *base, const rp_orbit *o, const rp_orbit_part *part)
{
    for (size_t b = 0; b < o->ndraws; b++) {
        const uint16_t *pick = o->pick + b * o->nblocks;
        base[b] = 0;
        for (size_t g = 0; g < part->nt && part->base; g++)
            base[b] += part->base[g * o->noptions + pick[part->train[g]]];
    }
}

/* Items item[count], all of one block. What is beyond them stays what it was, finite and without
 * weight. */
static void load_tile(tile *t, const rp_orbit *o, const rp_orbit_part *part, const size_t *item,
                      size_t count)
{
    t->block = part->block[item[0]];
    for (size_t i = 0; i < TILE; i++)
        t->weight[i] = i >= count ? 0 : part->weight ? part->weight[item[i]] : 1;
    for (size_t k = 0; k < o->noptions; k++)
        for (size_t i = 0; i < count; i++) t->y[k * TILE + i] = part->y[k * part->m + item[i]];
    for (size_t c = 0; c < part->nt * o->noptions; c++)
        for (size_t i = 0; i < count; i++) t->f[c * TILE + i] = part->f[c * part->m + item[i]];
}

static void add_products(rp_orbit_sums *to, size_t b, const double *weight, const double *y,
                         double base, const float *f)
{
    lanes yf = {0}, yy = {0}, ff = {0};
    for (size_t i = 0; i < TILE; i += LANES) {
        lanes w = *(const lanes *)(weight + i), d = *(const lanes *)(y + i) - base;
        lanes g = __builtin_convertvector(*(const floats *)(f + i), lanes), wg = w * g;
        yf += wg * d, yy += w * d * d, ff += wg * g;
    }
    for (size_t l = 0; l < LANES; l++) to->yf[b] += yf[l], to->yy[b] += yy[l], to->ff[b] += ff[l];
}

static void add_tile(rp_orbit_sums *to, const tile *t, const double *base, const rp_orbit *o,
                     const rp_orbit_part *part)
{
    for (size_t b = 0; b < o->ndraws; b++) {
        const uint16_t *pick = o->pick + b * o->nblocks;
        vector f[TILE / WIDE] = {{0}};
        for (size_t g = 0; g < part->nt; g++) {
            size_t column = g * o->noptions + pick[part->train[g]];
            const vector *add = (const vector *)(t->f + column * TILE);
            for (size_t i = 0; i < TILE / WIDE; i++) f[i] += add[i];
        }
        add_products(to, b, t->weight, t->y + pick[t->block] * TILE, base[b], (const float *)f);
    }
}

/* order[m] <- the items, block by block; end[nblocks] <- where each block's stop. */
static void sort_items(size_t *order, size_t *end, const rp_orbit *o, const rp_orbit_part *part)
{
    memset(end, 0, o->nblocks * sizeof *end);
    for (size_t i = 0; i < part->m; i++) end[part->block[i]]++;
    for (size_t g = 0, sum = 0; g < o->nblocks; g++) {
        size_t count = end[g];
        end[g] = sum, sum += count;
    }
    for (size_t i = 0; i < part->m; i++) order[end[part->block[i]]++] = i;
}

rp_status rp_orbit_add(rp_orbit_sums *to, const rp_orbit *o, const rp_orbit_part *part,
                       rp_error *err)
{
    rp_status status = RP_OK;
    size_t columns = part->nt * o->noptions;
    tile t = {.f = rp_alloc(columns ? columns : 1, TILE * sizeof *t.f),
              .y = rp_alloc(o->noptions, TILE * sizeof *t.y),
              .weight = rp_alloc(TILE, sizeof *t.weight)};
    double *base = rp_alloc(o->ndraws, sizeof *base);
    size_t *order = rp_alloc(part->m + o->nblocks, sizeof *order), *end = order + part->m;
    if (!t.f || !t.y || !t.weight || !base || !order) {
        status = rp_fail_memory(err, columns * TILE * sizeof *t.f);
        goto done;
    }
    sum_base(base, o, part);
    sort_items(order, end, o, part);
    for (size_t g = 0, i = 0; g < o->nblocks; g++)
        while (i < end[g]) {
            size_t count = end[g] - i < TILE ? end[g] - i : TILE;
            load_tile(&t, o, part, order + i, count);
            add_tile(to, &t, base, o, part);
            i += count;
        }
done:
    free(t.f), free(t.y), free(t.weight), free(base), free(order);
    return status;
}
