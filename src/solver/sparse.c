#include "solver/sparse.h"

#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/number.h"
#include "solver/rotation.h"

const size_t rp_curve_size[RP_CURVE_SIZES] = {1,  2,  3,  4,  5,   6,   7,   8,   10,
                                              12, 16, 32, 64, 128, 256, 512, 1024};

enum { STREAM = 0x756e6974 }; /* of the seed, for the random units */

size_t rp_curve_count(size_t width)
{
    size_t n = 0;
    while (n < RP_CURVE_SIZES && rp_curve_size[n] <= width) n++;
    return n;
}

/* Coefficients of all curves come first, one outer fold at a time; then x is read for predictions.
 * Points are [nouter, P, k], one after the other. */
typedef struct job {
    const rp_design *d;
    const rp_cells *cells;
    size_t P, nouter;
    size_t sizes, most;                /* points of a curve; units that its chain begins with */
    size_t offset[RP_CURVE_SIZES + 1]; /* sums of the sizes */
    size_t *order;                     /* [D] the random units */
    rp_rotation turn;
    rp_set *set;    /* [nouter] */
    unsigned *unit; /* [RP_CURVES][sizes][nouter, P, k] */
    double *weight; /* the same, on scaled columns for the design's y */
    double *scale;  /* [2][nouter, D] 1 / sd of the columns of z, of z R; 0 for dead ones */
    double *a;      /* [D, D] correlations of the present fold's z, then of its z R; symmetric */
    double *c;      /* [P, D] their correlations with t */
    double *pred;   /* [sizes][P, n] of one curve */
    double *base;   /* [P, n] */
} job;

static void job_release(job *s)
{
    for (size_t o = 0; s->set && o < s->nouter; o++) rp_set_release(&s->set[o]);
    rp_rotation_release(&s->turn);
    free(s->order), free(s->set), free(s->unit), free(s->weight);
    free(s->scale), free(s->a), free(s->c), free(s->pred), free(s->base);
}

/* Where a point's units and weights of a label begin. */
static size_t slot(const job *s, rp_curve curve, size_t point, size_t o, size_t p)
{
    return ((size_t)curve * s->offset[s->sizes] + s->offset[point]) * s->nouter * s->P +
           (o * s->P + p) * rp_curve_size[point];
}

static rp_status job_init(job *s, const rp_design *d, const rp_cells *cells, uint64_t seed,
                          rp_error *err)
{
    size_t D = d->width, P = d->labels, largest = rp_curve_size[RP_CURVE_SIZES - 1];
    rp_rng rng;
    *s = (job){.d = d, .cells = cells, .P = P, .nouter = d->folds->nouter};
    s->sizes = rp_curve_count(D);
    s->most = D < largest ? D : largest;
    for (size_t k = 0; k < s->sizes; k++) s->offset[k + 1] = s->offset[k] + rp_curve_size[k];
    size_t coefficients = RP_CURVES * s->offset[s->sizes] * s->nouter * P;
    s->order = rp_alloc(D, sizeof *s->order);
    s->set = rp_alloc(s->nouter, sizeof *s->set);
    s->unit = rp_alloc(coefficients, sizeof *s->unit);
    s->weight = rp_alloc(coefficients, sizeof *s->weight);
    s->a = rp_alloc(D * D, sizeof *s->a);
    s->c = rp_alloc(P * D, sizeof *s->c);
    s->scale = rp_alloc(2 * s->nouter * D, sizeof *s->scale);
    if (!s->order || !s->set || !s->unit || !s->weight || !s->scale || !s->a || !s->c)
        return rp_fail_memory(err, D * D * sizeof *s->a);
    for (size_t i = 0; i < coefficients; i++) s->unit[i] = (unsigned)D;
    for (size_t j = 0; j < D; j++) s->order[j] = j;
    rp_rng_init(&rng, seed, STREAM);
    rp_rng_shuffle(&rng, s->order, D);
    return rp_rotation_init(&s->turn, D, seed, err);
}

double rp_sparse_memory(size_t n, size_t width, size_t labels, size_t nouter, size_t threads)
{
    double D = (double)width, P = (double)labels, sum = 0, most = fmin(D, 1024);
    size_t sizes = rp_curve_count(width);
    for (size_t k = 0; k < sizes; k++) sum += (double)rp_curve_size[k];
    double fits = 8 * (D * D + (double)threads * 2 * most * most);
    double predictions =
        8 * (double)(sizes + 1) * P * (double)n + (double)threads * 12 * RP_TILE * D;
    return RP_CURVES * sum * (double)nouter * P * 12 + fmax(fits, predictions) +
           (double)nouter * 8 * P * D;
}

/* ---- chains: one label, one fold ---- */

typedef struct ranked {
    double key;
    size_t unit, at; /* column of z; place among the present ones */
} ranked;

typedef struct chain {
    double *g, *f; /* [most, most] correlations of the present units; factor */
    double *w;     /* [most, P] */
    ranked *rank;  /* [D] the present units come first, ascending */
} chain;

static void chain_release(chain *h)
{
    free(h->g), free(h->f), free(h->w), free(h->rank);
}

static rp_status chain_init(chain *h, const job *s, rp_error *err)
{
    size_t most = s->most;
    *h = (chain){rp_alloc(most * most, sizeof *h->g), rp_alloc(most * most, sizeof *h->f),
                 rp_alloc(most * s->P, sizeof *h->w), rp_alloc(s->d->width, sizeof *h->rank)};
    if (h->g && h->f && h->w && h->rank) return RP_OK;
    chain_release(h);
    return rp_fail_memory(err, 2 * most * most * sizeof *h->g);
}

static int by_key(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? 1 : -1;
    return (x->unit > y->unit) - (x->unit < y->unit);
}

static int by_unit(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    return (x->unit > y->unit) - (x->unit < y->unit);
}

/* The k of n with the largest keys come first, by unit: so that a is read forwards. */
static void keep_largest(ranked *rank, size_t n, size_t k)
{
    qsort(rank, n, sizeof *rank, by_key);
    qsort(rank, k, sizeof *rank, by_unit);
}

/* g [k, k] (lower) <- correlations of the ranked units. */
static void gather(double *g, const job *s, const ranked *rank, size_t k)
{
    for (size_t b = 0; b < k; b++) {
        const double *a = s->a + rank[b].unit * s->d->width;
        for (size_t i = b; i < k; i++) g[b * k + i] = a[rank[i].unit];
    }
}

/* f <- factor of g + penalty, k x k, lower. */
static rp_status factor(double *f, const double *g, size_t k, rp_error *err)
{
    for (size_t b = 0; b < k; b++) {
        memcpy(f + b * k + b, g + b * k + b, (k - b) * sizeof *f);
        f[b * k + b] += RP_SPARSE_PENALTY;
    }
    lapack_int info = LAPACKE_dpotrf_work(LAPACK_COL_MAJOR, 'L', (int)k, f, (int)k);
    if (!info) return RP_OK;
    return rp_fail(err, RP_ECOMPUTE,
                   "k-sparse probe: the matrix is not positive definite (order %zu, pivot %d)", k,
                   (int)info);
}

/* The k largest coefficients of n stay. */
static void shrink(chain *h, size_t n, size_t k)
{
    for (size_t i = 0; i < n; i++) h->rank[i].key = fabs(h->w[i]), h->rank[i].at = i;
    keep_largest(h->rank, n, k);
    for (size_t b = 0; b < k; b++) /* in place: what is read lies never before what is written */
        for (size_t i = b; i < k; i++) h->g[b * k + i] = h->g[h->rank[b].at * n + h->rank[i].at];
}

static void store(job *s, rp_curve curve, size_t point, size_t o, size_t p, const double *w,
                  const ranked *rank)
{
    size_t at = slot(s, curve, point, o, p);
    for (size_t i = 0; i < rp_curve_size[point]; i++) {
        s->unit[at + i] = (unsigned)rank[i].unit;
        s->weight[at + i] = w[i] / s->set[o].yinv[p];
    }
}

static rp_status run_chain(job *s, chain *h, rp_curve curve, size_t o, size_t p, rp_error *err)
{
    const double *c = s->c + p * s->d->width;
    size_t D = s->d->width, n = s->most, left = s->sizes;
    for (size_t j = 0; j < D; j++) h->rank[j] = (ranked){fabs(c[j]), j, j};
    keep_largest(h->rank, D, n);
    gather(h->g, s, h->rank, n);
    for (;;) {
        rp_status status = factor(h->f, h->g, n, err);
        if (status) return status;
        for (size_t i = 0; i < n; i++) h->w[i] = c[h->rank[i].unit];
        LAPACKE_dpotrs_work(LAPACK_COL_MAJOR, 'L', (int)n, 1, h->f, (int)n, h->w, (int)n);
        if (n == rp_curve_size[left - 1]) store(s, curve, --left, o, p, h->w, h->rank);
        if (!left) return RP_OK;
        shrink(h, n, rp_curve_size[left - 1]);
        n = rp_curve_size[left - 1];
    }
}

static rp_status run_chains(job *s, rp_curve curve, size_t o, rp_error *err)
{
    rp_status status = RP_OK;
#pragma omp parallel
    {
        chain h = {0};
        rp_error error = {0};
        rp_status mine = chain_init(&h, s, &error);
#pragma omp for schedule(dynamic, 1)
        for (long p = 0; p < (long)s->P; p++)
            if (!mine && s->set[o].yinv[p] > 0)
                mine = run_chain(s, &h, curve, o, (size_t)p, &error);
        chain_release(&h);
        if (mine) {
#pragma omp critical(rp_sparse_failed)
            if (!status) status = rp_fail(err, mine, "%s", error.text);
        }
    }
    return status;
}

/* The units are nested, so the factor of the first k is the beginning of the factor of all. */
static rp_status run_random(job *s, size_t o, rp_error *err)
{
    size_t D = s->d->width;
    const rp_set *set = &s->set[o];
    chain h;
    rp_status status = chain_init(&h, s, err);
    if (status) return status;
    for (size_t i = 0; i < s->most; i++) h.rank[i].unit = s->order[i];
    gather(h.g, s, h.rank, s->most);
    status = factor(h.f, h.g, s->most, err);
    for (size_t point = 0; point < s->sizes && !status; point++) {
        size_t k = rp_curve_size[point];
        for (size_t p = 0; p < s->P; p++)
            for (size_t i = 0; i < k; i++) h.w[p * k + i] = s->c[p * D + s->order[i]];
        LAPACKE_dpotrs_work(LAPACK_COL_MAJOR, 'L', (int)k, (int)s->P, h.f, (int)s->most, h.w,
                            (int)k);
        for (size_t p = 0; p < s->P; p++)
            if (set->yinv[p] > 0) store(s, RP_CURVE_RANDOM, point, o, p, h.w + p * k, h.rank);
    }
    chain_release(&h);
    return status;
}

/* ---- an outer fold ---- */

static void fill_gram(job *s, size_t o)
{
    enum { SQUARE = 32 };
    size_t D = s->d->width;
#pragma omp parallel for schedule(dynamic, 16)
    for (long j = 0; j < (long)D; j++)
        rp_set_gram(s->a + (size_t)j * D, NULL, &s->set[o], s->cells, (size_t)j);
    for (size_t j0 = 0; j0 < D; j0 += SQUARE) /* the upper triangle, in squares for the cache */
        for (size_t i0 = j0; i0 < D; i0 += SQUARE)
            for (size_t j = j0; j < j0 + SQUARE && j < D; j++)
                for (size_t i = i0 > j ? i0 : j; i < i0 + SQUARE && i < D; i++)
                    s->a[i * D + j] = s->a[j * D + i];
}

/* Columns are given unit variance: z R has none, nor has z when the design is not standardised.
 * scale [D] <- the factors. */
static void scale_columns(job *s, double *scale)
{
    size_t D = s->d->width;
    double largest = 0;
    for (size_t j = 0; j < D; j++) {
        double var = s->a[j * D + j];
        scale[j] = var > 0 ? sqrt(var) : 0;
        largest = fmax(largest, scale[j]);
    }
    for (size_t j = 0; j < D; j++) scale[j] = scale[j] > 1e-6 * largest ? 1 / scale[j] : 0;
#pragma omp parallel for schedule(static)
    for (long j = 0; j < (long)D; j++)
        for (size_t i = 0; i < D; i++) s->a[(size_t)j * D + i] *= scale[j] * scale[i];
    for (size_t p = 0; p < s->P; p++)
        for (size_t j = 0; j < D; j++) s->c[p * D + j] *= scale[j];
}

static rp_status run_fold(job *s, size_t o, rp_error *err)
{
    size_t D = s->d->width;
    rp_status status = rp_set_init(&s->set[o], s->cells, (int)o, -1, err);
    if (status || !s->set[o].m) return status;
    fill_gram(s, o);
    memcpy(s->c, s->set[o].c, s->P * D * sizeof *s->c);
    scale_columns(s, s->scale + o * D);
    status = run_chains(s, RP_CURVE_UNITS, o, err);
    if (!status) status = run_random(s, o, err);
    if (!status) status = rp_rotation_gram(&s->turn, s->a, err);
    if (!status) status = rp_rotation_rows(&s->turn, s->c, s->P, err);
    if (status) return status;
    scale_columns(s, s->scale + (s->nouter + o) * D);
    return run_chains(s, RP_CURVE_ROTATION, o, err);
}

/* ---- predictions ---- */

/* v [D, RP_LANES] <- m rows of z [m, D] in the coordinates of the curve. */
static void fill_panel(double *v, const job *s, rp_curve curve, size_t o, const double *z, size_t m)
{
    size_t D = s->d->width;
    const double *scale = s->scale + o * D, *turned = scale + s->nouter * D;
    for (size_t j = 0; j < D; j++)
        for (size_t l = 0; l < m; l++) v[j * RP_LANES + l] = z[l * D + j] * scale[j];
    if (curve != RP_CURVE_ROTATION) return;
    rp_rotation_panel(&s->turn, v);
    for (size_t j = 0; j < D; j++)
        for (size_t l = 0; l < RP_LANES; l++) v[j * RP_LANES + l] *= turned[j];
}

/* Rows row..row+m-1 of the design, m <= RP_LANES, from their panel. */
static void predict_panel(job *s, rp_curve curve, size_t o, const double *v, size_t row, size_t m)
{
    const rp_set *set = &s->set[o];
    for (size_t point = 0; point < s->sizes; point++)
        for (size_t p = 0; p < s->P; p++) {
            if (!(set->yinv[p] > 0)) continue;
            size_t at = slot(s, curve, point, o, p);
            double sum[RP_LANES];
            for (size_t l = 0; l < RP_LANES; l++) sum[l] = set->ymu[p];
            for (size_t i = 0; i < rp_curve_size[point]; i++) {
                const double *z = v + (size_t)s->unit[at + i] * RP_LANES, w = s->weight[at + i];
                for (size_t l = 0; l < RP_LANES; l++) sum[l] += w * z[l];
            }
            memcpy(s->pred + (point * s->P + p) * s->d->n + row, sum, m * sizeof *sum);
        }
}

static rp_status predict_tile(job *s, rp_curve curve, size_t o, size_t first, size_t m,
                              rp_error *err)
{
    size_t D = s->d->width;
    double *z = rp_alloc(m * D, sizeof *z), *v = rp_alloc(RP_LANES * D, sizeof *v);
    float *scratch = rp_alloc(m * D, sizeof *scratch);
    rp_status status = RP_OK;
    if (!z || !v || !scratch) status = rp_fail_memory(err, m * D * sizeof *z);
    if (!status) status = rp_set_tile(&s->set[o], s->d, z, scratch, NULL, first, m, err);
    for (size_t i = 0; i < m && !status; i += RP_LANES) {
        size_t rows = m - i < RP_LANES ? m - i : RP_LANES;
        fill_panel(v, s, curve, o, z + i * D, rows);
        predict_panel(s, curve, o, v, first + i, rows);
    }
    free(z), free(v), free(scratch);
    return status;
}

static rp_status predict_cell(job *s, rp_curve curve, const rp_cell *cell, rp_error *err)
{
    size_t o = (size_t)cell->outer;
    long tiles = (long)((cell->end - cell->first + RP_TILE - 1) / RP_TILE);
    rp_status status = RP_OK;
    if (!s->set[o].m) return RP_OK;
    for (size_t p = 0; p < s->P; p++)
        for (size_t i = cell->first; i < cell->end; i++)
            s->base[p * s->d->n + i] = s->set[o].ymu[p];
#pragma omp parallel for schedule(dynamic, 1)
    for (long t = 0; t < tiles; t++) {
        size_t at = cell->first + (size_t)t * RP_TILE, left = cell->end - at;
        rp_error error = {0};
        rp_status mine = predict_tile(s, curve, o, at, left < RP_TILE ? left : RP_TILE, &error);
        if (!mine) continue;
#pragma omp critical(rp_sparse_failed)
        if (!status) status = rp_fail(err, mine, "%s", error.text);
    }
    return status;
}

static rp_status predict(job *s, rp_curve curve, rp_curve_take *take, void *arg, rp_error *err)
{
    const rp_folds *folds = s->d->folds;
    rp_status status = RP_OK;
    for (size_t k = 0; k < folds->ncells && !status; k++)
        if (folds->cell[k].outer >= 0 && folds->cell[k].outer < (int)s->nouter)
            status = predict_cell(s, curve, &folds->cell[k], err);
    for (size_t point = 0; point < s->sizes && !status; point++) {
        rp_curve_point out = {curve, rp_curve_size[point], s->pred + point * s->P * s->d->n,
                              s->base, s->unit + slot(s, curve, point, 0, 0)};
        status = take(arg, &out, err);
    }
    return status;
}

/* The Gram matrix makes room for the predictions. */
static rp_status predictions_init(job *s, rp_error *err)
{
    size_t values = s->P * s->d->n;
    free(s->a);
    s->a = NULL;
    s->pred = rp_alloc(s->sizes * values, sizeof *s->pred);
    s->base = rp_alloc(values, sizeof *s->base);
    if (!s->pred || !s->base) return rp_fail_memory(err, s->sizes * values * sizeof *s->pred);
    for (size_t i = 0; i < s->sizes * values; i++) s->pred[i] = NAN;
    for (size_t i = 0; i < values; i++) s->base[i] = NAN;
    return RP_OK;
}

rp_status rp_sparse_run(const rp_design *d, const rp_cells *cells, uint64_t seed,
                        rp_curve_take *take, void *arg, const rp_host *host, rp_error *err)
{
    job s;
    size_t total = d->folds->nouter + RP_CURVES;
    rp_status status = job_init(&s, d, cells, seed, err);
    for (size_t o = 0; o < s.nouter && !status; o++) {
        status = rp_host_progress(host, "k-sparse probes", o, total, err);
        if (!status) status = run_fold(&s, o, err);
    }
    if (!status) status = predictions_init(&s, err);
    for (int curve = 0; curve < RP_CURVES && !status; curve++) {
        status = rp_host_progress(host, "k-sparse probes", s.nouter + (size_t)curve, total, err);
        if (!status) status = predict(&s, (rp_curve)curve, take, arg, err);
    }
    if (!status) status = rp_host_progress(host, "k-sparse probes", total, total, err);
    job_release(&s);
    return status;
}
