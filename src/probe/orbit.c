#include "probe/orbit.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "base/io.h"
#include "base/memory.h"
#include "base/number.h"
#include "probe/split.h"

enum { SALT_BLOCK = 0x626c6f63, SALT_PICK = 0x7069636b, SALT_DOCUMENT = 0x646f6375 };
enum { SALT_QUERY = 0x71756572 };
#define NONE SIZE_MAX

/* Something that is permuted (a row or a query) within its group (a query or a block). */
typedef struct member {
    size_t group, index;
    uint64_t key;
} member;

typedef struct work {
    const rp_rows *rows;
    const rp_orbit_options *options;
    size_t nfolds;
    size_t *dealt;  /* [nqueries] fold * per_fold + 0..per_fold-1 */
    size_t *number; /* [nfolds * per_fold] index of the block, NONE: no scored rows */
    size_t *at;     /* [rows->n] index among the scored rows, NONE: not scored */
    size_t *first;  /* [nqueries + 1] a query's range of `list` */
    size_t *list,
        *rank;      /* [n] scored rows, query by query in the order of the store; place there */
    member *member; /* [nmembers] group by group, in the order of their keys */
    size_t nmembers;
    size_t *shuffled, *next, *donor; /* [nmembers] */
} work;

static int compare(const void *a, const void *b)
{
    const member *p = a, *q = b;
    if (p->group != q->group) return p->group < q->group ? -1 : 1;
    if (p->key != q->key) return p->key < q->key ? -1 : 1;
    return p->index < q->index ? -1 : p->index > q->index; /* equal hashes: not in practice */
}

static uint64_t hash(uint64_t seed, uint64_t salt, uint64_t what)
{
    uint64_t word[3] = {seed, salt, what};
    return rp_checksum_bytes(word, sizeof word, 0);
}

/* Deals the queries of each outer fold into blocks. All queries of the study take part, so that a
 * query is in the same block for every label. */
static rp_status deal(work *w, rp_error *err)
{
    const rp_rows *rows = w->rows;
    size_t per_fold = w->options->per_fold;
    member *query = rp_alloc(rows->nqueries, sizeof *query);
    size_t *load = rp_alloc(w->nfolds * per_fold, sizeof *load);
    if (!query || !load) {
        free(query), free(load);
        return rp_fail_memory(err, rows->nqueries * sizeof *query);
    }
    for (size_t q = 0; q < rows->nqueries; q++)
        query[q] = (member){(size_t)rows->outer[q], q,
                            rp_split_query_key(rows->seed, rows->qid[q], SALT_BLOCK)};
    qsort(query, rows->nqueries, sizeof *query, compare);
    for (size_t i = 0; i < rows->nqueries; i++) {
        size_t to = query[i].group * per_fold, end = to + per_fold;
        for (size_t b = to + 1; b < end; b++)
            if (load[b] < load[to]) to = b;
        load[to] += rows->count[query[i].index];
        w->dealt[query[i].index] = to;
    }
    free(query), free(load);
    return RP_OK;
}

/* Lists the scored rows by query, in the order of the store. */
static void list_rows(work *w, const size_t *row, size_t n)
{
    const rp_rows *rows = w->rows;
    for (size_t i = 0; i < rows->n; i++) w->at[i] = NONE;
    for (size_t i = 0; i < n; i++) w->at[row[i]] = i, w->first[rows->query[row[i]] + 1]++;
    for (size_t q = 0; q < rows->nqueries; q++) w->first[q + 1] += w->first[q];
    size_t *filled = w->number; /* at least nqueries long, not in use yet */
    for (size_t q = 0; q < rows->nqueries; q++) filled[q] = 0;
    for (size_t r = 0; r < rows->n; r++) {
        if (w->at[r] == NONE) continue;
        size_t q = rows->query[r];
        w->rank[w->at[r]] = filled[q];
        w->list[w->first[q] + filled[q]++] = w->at[r];
    }
}

/* Numbers the blocks that have scored rows. */
static void number_blocks(rp_orbit *o, work *w, const size_t *row)
{
    const rp_rows *rows = w->rows;
    size_t most = w->nfolds * w->options->per_fold;
    for (size_t b = 0; b < most; b++) w->number[b] = NONE;
    for (size_t i = 0; i < o->n; i++) w->number[w->dealt[rows->query[row[i]]]] = 0;
    for (size_t b = 0; b < most; b++) {
        if (w->number[b] == NONE) continue;
        w->number[b] = o->nblocks;
        o->fold[o->nblocks++] = (int)(b / w->options->per_fold);
    }
    for (size_t i = 0; i < o->n; i++) o->block[i] = w->number[w->dealt[rows->query[row[i]]]];
}

/* A block's picks depend on its fold and number there alone, not on which others have rows. */
static void draw_picks(rp_orbit *o, const work *w)
{
    uint64_t seed = hash(w->rows->seed, SALT_PICK, w->options->kind);
    for (size_t b = 0; b < w->nfolds * w->options->per_fold; b++) {
        if (w->number[b] == NONE) continue;
        rp_rng rng;
        rp_rng_init(&rng, seed, b);
        for (size_t d = 1; d < o->ndraws; d++)
            o->pick[d * o->nblocks + w->number[b]] = (uint16_t)rp_rng_below(&rng, o->noptions);
    }
}

static void list_members(work *w)
{
    const rp_rows *rows = w->rows;
    bool document = w->options->kind == RP_ORBIT_DOCUMENT;
    for (size_t i = 0; i < w->nmembers; i++)
        w->member[i] = document
                           ? (member){rows->query[i], i, rows->key[i]}
                           : (member){w->dealt[i], i,
                                      rp_split_query_key(rows->seed, rows->qid[i], SALT_QUERY)};
    qsort(w->member, w->nmembers, sizeof *w->member, compare);
}

static uint64_t group_seed(const work *w, size_t group)
{
    if (w->options->kind == RP_ORBIT_QUERY) return hash(w->rows->seed, SALT_QUERY, group);
    return rp_split_query_key(w->rows->seed, w->rows->qid[group], SALT_DOCUMENT);
}

static bool is_scored(const work *w, size_t index)
{
    if (w->options->kind == RP_ORBIT_DOCUMENT) return w->at[index] != NONE;
    return w->first[index + 1] > w->first[index];
}

/* donor[member] <- whose labels it has under option k; of scored members alone. */
static void permute(work *w, size_t k)
{
    const member *v = w->member;
    for (size_t a = 0, end; a < w->nmembers; a = end) {
        for (end = a; end < w->nmembers && v[end].group == v[a].group; end++)
            w->shuffled[end] = v[end].index;
        rp_rng rng;
        rp_rng_init(&rng, group_seed(w, v[a].group), k);
        if (k) rp_rng_shuffle(&rng, w->shuffled + a, end - a);
        for (size_t i = a; i < end; i++) w->next[v[i].index] = w->shuffled[i];
    }
    for (size_t i = 0; i < w->nmembers; i++) {
        if (!is_scored(w, i)) continue;
        size_t d = w->next[i]; /* follows the cycle, which leads back to i itself at the latest */
        while (!is_scored(w, d)) d = w->next[d];
        w->donor[i] = d;
    }
}

static void fill_option(uint32_t *from, work *w, const size_t *row, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (w->options->kind == RP_ORBIT_DOCUMENT) {
            from[i] = (uint32_t)w->at[w->donor[row[i]]];
        } else {
            size_t d = w->donor[w->rows->query[row[i]]], m = w->first[d + 1] - w->first[d];
            from[i] = (uint32_t)w->list[w->first[d] + w->rank[i] % m];
        }
    }
}

static rp_status work_init(work *w, rp_orbit *o, rp_error *err)
{
    const rp_rows *rows = w->rows;
    size_t n = o->n, Q = rows->nqueries, blocks = w->nfolds * w->options->per_fold;
    w->nmembers = w->options->kind == RP_ORBIT_DOCUMENT ? rows->n : Q;
    w->dealt = rp_alloc(Q, sizeof *w->dealt);
    w->number = rp_alloc(blocks > Q ? blocks : Q, sizeof *w->number);
    w->at = rp_alloc(rows->n, sizeof *w->at);
    w->first = rp_alloc(Q + 1, sizeof *w->first);
    w->list = rp_alloc(n, sizeof *w->list);
    w->rank = rp_alloc(n, sizeof *w->rank);
    w->member = rp_alloc(w->nmembers, sizeof *w->member);
    w->shuffled = rp_alloc(w->nmembers, sizeof *w->shuffled);
    w->next = rp_alloc(w->nmembers, sizeof *w->next);
    w->donor = rp_alloc(w->nmembers, sizeof *w->donor);
    o->block = rp_alloc(n, sizeof *o->block);
    o->fold = rp_alloc(blocks, sizeof *o->fold);
    o->from = rp_alloc(o->noptions * n, sizeof *o->from);
    if (!w->dealt || !w->number || !w->at || !w->first || !w->list || !w->rank || !w->member ||
        !w->shuffled || !w->next || !w->donor || !o->block || !o->fold || !o->from)
        return rp_fail_memory(err, o->noptions * n * sizeof *o->from);
    return RP_OK;
}

static void work_release(work *w)
{
    free(w->dealt), free(w->number), free(w->at), free(w->first), free(w->list), free(w->rank);
    free(w->member), free(w->shuffled), free(w->next), free(w->donor);
}

static rp_status check(const rp_orbit_options *options, size_t n, rp_error *err)
{
    if (!n || n > UINT32_MAX) return rp_fail(err, RP_EARG, "no permutations of %zu rows", n);
    if (options->noptions < 2 || options->noptions > UINT16_MAX)
        return rp_fail(err, RP_EARG, "permutations need 2 to %d options a block, not %zu",
                       UINT16_MAX, options->noptions);
    if (!options->draws || !options->per_fold || options->draws > UINT32_MAX ||
        options->per_fold > UINT16_MAX)
        return rp_fail(err, RP_EARG, "permutations: %zu draws, %zu blocks a fold", options->draws,
                       options->per_fold);
    return RP_OK;
}

rp_status rp_orbit_init(rp_orbit *o, const rp_rows *rows, const size_t *row, size_t n,
                        const rp_orbit_options *options, rp_error *err)
{
    *o = (rp_orbit){.n = n, .noptions = options->noptions, .ndraws = options->draws + 1};
    rp_status status = check(options, n, err);
    if (status) return status;
    work w = {.rows = rows, .options = options};
    for (size_t q = 0; q < rows->nqueries; q++) {
        assert(rows->outer[q] >= 0);
        if ((size_t)rows->outer[q] >= w.nfolds) w.nfolds = (size_t)rows->outer[q] + 1;
    }
    if ((status = work_init(&w, o, err)) || (status = deal(&w, err))) goto done;
    list_rows(&w, row, n);
    number_blocks(o, &w, row);
    o->pick = rp_alloc(o->ndraws * o->nblocks, sizeof *o->pick);
    if (!o->pick) {
        status = rp_fail_memory(err, o->ndraws * o->nblocks * sizeof *o->pick);
        goto done;
    }
    draw_picks(o, &w);
    list_members(&w);
    for (size_t k = 0; k < o->noptions; k++) {
        permute(&w, k);
        fill_option(o->from + k * n, &w, row, n);
    }
done:
    work_release(&w);
    if (status) rp_orbit_release(o);
    return status;
}

void rp_orbit_release(rp_orbit *o)
{
    free(o->block), free(o->fold), free(o->from), free(o->pick);
    *o = (rp_orbit){0};
}

void rp_orbit_statistic(double *t, const rp_orbit_sums *sums, size_t n)
{
    for (size_t b = 0; b < n; b++) {
        double yy = sums->yy[b], ff = sums->ff[b];
        t[b] = !(yy > 0) ? NAN : ff > 0 ? sums->yf[b] / sqrt(yy * ff) : 0;
    }
}
