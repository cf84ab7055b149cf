/*
 * Permutation tests whose permutations share their parts.
 *
 * The one thing to know: a linear probe's predictions are linear in the labels. So the rows are cut
 * into blocks, each block gets K rearrangements of its labels ("options"; 0 is the labels as they
 * are), predictions are made for (block, option) columns alone, and any of the K^blocks ways of
 * picking an option in each block is a sum over blocks. B draws cost K columns a block, not B
 * right-hand sides.
 *
 * Why it is exact, whatever K. Under the null hypothesis the labels y of a block have, given x and
 * given the orbit of y under the group G of its rearrangements, the uniform distribution on the
 * orbit. Options 1..K-1 are y rearranged by uniform draws from G made without looking at y, hence
 * uniform on the orbit too and independent of y: the K options are i.i.d. given the orbit, in every
 * block, and the blocks are independent. Renaming the options of each block at random therefore
 * changes nothing about the data; but it turns the pick of draw 0 (option 0 everywhere) into one
 * that is uniform on {0..K-1}^blocks, and leaves those of draws 1..B, which were uniform and
 * independent already, what they were. So T_0, ..., T_B are exchangeable and
 *
 *     p = (1 + #{b >= 1: T_b >= T_0}) / (B + 1)
 *
 * has P(p <= a) <= a (cf. Hemerik & Goeman 2018, where draws share nothing). K and the number of
 * blocks only bound how many different draws there are, K^blocks.
 *
 * RP_ORBIT_DOCUMENT permutes labels within each query: does the probe know the documents of a query
 * apart? Exact when labels are exchangeable within queries. RP_ORBIT_QUERY exchanges the label
 * vectors of whole queries within a block: row j (in the order of the store) of a query takes the
 * label of row j mod m of another with m rows. What depends on the rank alone, and how the labels
 * of one query hang together, stays in the null. Exact when queries are exchangeable and have equal
 * numbers of rows; else rows of long queries repeat labels of short ones, and the test is an
 * approximation.
 *
 * All randomness comes from the seed and ids, over all rows of the store, so a draw is the same
 * permutation for every label and layer. A label with missing rows has the permutation that
 * follows the full one until it meets a row that is there: this too is uniform, since deleting
 * elements from the cycles of a uniform permutation leaves a uniform one.
 */
#ifndef RP_PROBE_ORBIT_H
#define RP_PROBE_ORBIT_H

#include "probe/rows.h"

typedef enum rp_orbit_kind { RP_ORBIT_DOCUMENT, RP_ORBIT_QUERY } rp_orbit_kind;

typedef struct rp_orbit_options {
    rp_orbit_kind kind;
    size_t per_fold; /* blocks an outer fold */
    size_t noptions; /* K, with the labels as they are: 2..65535; 16 is enough */
    size_t draws;    /* B */
} rp_orbit_options;

typedef struct rp_orbit {
    size_t n, nblocks, noptions, ndraws; /* ndraws = B + 1 */
    size_t *block;                       /* [n] of a row: whole queries */
    int *fold;                           /* [nblocks] the outer fold a block lies in, ascending */
    uint32_t *from; /* [noptions, n] under option k row i has the label of row from[k n + i] */
    uint16_t *pick; /* [ndraws, nblocks] the option; draw 0 is all zeros */
} rp_orbit;

/* For the scored rows row[n] (indices into rows, in any order; each at most once). rows needs n,
 * nqueries, query, qid, count, outer, key and seed. Each outer fold's queries are dealt into
 * `per_fold` blocks balanced by pairs, in the order of a hash; a block without scored rows is left
 * out. RP_EARG: options out of range, no rows. */
rp_status rp_orbit_init(rp_orbit *o, const rp_rows *rows, const size_t *row, size_t n,
                        const rp_orbit_options *options, rp_error *err);
void rp_orbit_release(rp_orbit *o);

/* What is held out in one fold: m items, which are rows, or queries with the means of their rows,
 * and what the nt training blocks contribute to their predictions. */
typedef struct rp_orbit_part {
    size_t m;
    const size_t *block;  /* [m] of an item */
    const double *y;      /* [noptions, m] labels under the options of the item's own block */
    const double *weight; /* [m], NULL: 1 */
    size_t nt;
    const size_t *train; /* [nt] the training blocks */
    const float *f;     /* [nt, noptions, m] predictions less base from each block's labels alone */
    const double *base; /* [nt, noptions] each block's share of the training mean, NULL: 0 */
} rp_orbit_part;

/* What the draws add up to over all folds. */
typedef struct rp_orbit_sums {
    double *yf, *yy, *ff; /* [ndraws] */
} rp_orbit_sums;

/* For every draw b, with k(g) = pick[b, g]:
 *
 *     f_i = sum_g f[g, k(train_g), i]   y_i = y[k(block_i), i] - sum_g base[g, k(train_g)]
 *     yf[b] += sum_i weight_i y_i f_i   yy[b] += sum_i weight_i y_i^2   ff[b] += sum_i weight_i
 * f_i^2
 *
 * f is summed in f32, the rest in f64, always in the same order. */
rp_status rp_orbit_add(rp_orbit_sums *to, const rp_orbit *o, const rp_orbit_part *part,
                       rp_error *err);
/* t [n] <- yf / sqrt(yy ff), the correlation of labels and held-out predictions: NaN where yy is 0,
 * 0 where the predictions do not vary. */
void rp_orbit_statistic(double *t, const rp_orbit_sums *sums, size_t n);

#endif
