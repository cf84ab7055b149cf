#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/number.h"
#include "probe/study.h"
#include "probe/tests.h"

enum { WIDTH = 8, ROUNDS = 500 };

static const rp_orbit_options document = {RP_ORBIT_DOCUMENT, 2, 32, 99};
static const rp_orbit_options query = {RP_ORBIT_QUERY, 2, 32, 99};

/* ---- a ridge for tests: w = (X'X + n I)^-1 X'y on training rows, centred ---- */

typedef struct ridge {
    size_t n, *train, *test, ntrain, ntest;
    double mean[WIDTH], hat[MOST_ROWS * MOST_ROWS]; /* [ntest, ntrain] prediction less base */
} ridge;

/* Solves a w = b in place, a [WIDTH, WIDTH] symmetric positive definite, by Gauss. */
static void solve(double *a, double *b)
{
    for (size_t j = 0; j < WIDTH; j++)
        for (size_t i = j + 1; i < WIDTH; i++) {
            double r = a[i * WIDTH + j] / a[j * WIDTH + j];
            for (size_t k = j; k < WIDTH; k++) a[i * WIDTH + k] -= r * a[j * WIDTH + k];
            b[i] -= r * b[j];
        }
    for (size_t j = WIDTH; j-- > 0;) {
        for (size_t k = j + 1; k < WIDTH; k++) b[j] -= a[j * WIDTH + k] * b[k];
        b[j] /= a[j * WIDTH + j];
    }
}

/* The rows of fold `fold` are held out. hat: since x is centred, y need not be. */
static void ridge_init(ridge *r, const study *s, const double *x, int fold)
{
    size_t n = r->n = s->rows.n, train[MOST_ROWS], test[MOST_ROWS];
    double gram[WIDTH * WIDTH] = {0};
    r->ntrain = r->ntest = 0;
    for (size_t i = 0; i < n; i++)
        if (s->outer[s->query[i]] == fold)
            test[r->ntest++] = i;
        else
            train[r->ntrain++] = i;
    r->train = rp_alloc(2 * n, sizeof *r->train), r->test = r->train + n;
    memcpy(r->train, train, r->ntrain * sizeof *train);
    memcpy(r->test, test, r->ntest * sizeof *test);
    for (size_t j = 0; j < WIDTH; j++) {
        r->mean[j] = 0;
        for (size_t i = 0; i < r->ntrain; i++) r->mean[j] += x[train[i] * WIDTH + j];
        r->mean[j] /= (double)r->ntrain;
    }
    for (size_t i = 0; i < r->ntrain; i++)
        for (size_t j = 0; j < WIDTH; j++)
            for (size_t k = 0; k < WIDTH; k++)
                gram[j * WIDTH + k] +=
                    (x[train[i] * WIDTH + j] - r->mean[j]) * (x[train[i] * WIDTH + k] - r->mean[k]);
    for (size_t j = 0; j < WIDTH; j++) gram[j * WIDTH + j] += .1 * (double)r->ntrain;
    for (size_t t = 0; t < r->ntest; t++) {
        double a[WIDTH * WIDTH], b[WIDTH];
        memcpy(a, gram, sizeof a);
        for (size_t j = 0; j < WIDTH; j++) b[j] = x[test[t] * WIDTH + j] - r->mean[j];
        solve(a, b);
        for (size_t i = 0; i < r->ntrain; i++) {
            double sum = 0;
            for (size_t j = 0; j < WIDTH; j++) sum += b[j] * (x[train[i] * WIDTH + j] - r->mean[j]);
            r->hat[t * r->ntrain + i] = sum;
        }
    }
}

/* Adds one fold to sse and sst by way of block columns. */
static void add_fold(rp_orbit_sums *sums, const rp_orbit *o, const ridge *r, const double *y,
                     int fold, const double *weight)
{
    size_t K = o->noptions, m = r->ntest, nt = 0, train[2 * FOLDS], place[2 * FOLDS] = {0};
    size_t block[MOST_ROWS];
    for (size_t g = 0; g < o->nblocks; g++)
        if (o->fold[g] != fold) place[g] = nt, train[nt++] = g;
    float *f = rp_alloc(nt * K * m, sizeof *f);
    double *base = rp_alloc(nt * K, sizeof *base), *held = rp_alloc(K * m, sizeof *held);
    double *column = rp_alloc(nt * m, sizeof *column), w[MOST_ROWS];
    for (size_t k = 0; k < K; k++) {
        memset(column, 0, nt * m * sizeof *column);
        for (size_t i = 0; i < r->ntrain; i++) {
            size_t g = place[o->block[r->train[i]]];
            double label = y[o->from[k * o->n + r->train[i]]];
            base[g * K + k] += label / (double)r->ntrain;
            for (size_t t = 0; t < m; t++) column[g * m + t] += r->hat[t * r->ntrain + i] * label;
        }
        for (size_t g = 0; g < nt; g++)
            for (size_t t = 0; t < m; t++) f[(g * K + k) * m + t] = (float)column[g * m + t];
        for (size_t t = 0; t < m; t++) held[k * m + t] = y[o->from[k * o->n + r->test[t]]];
    }
    for (size_t t = 0; t < m; t++) {
        block[t] = o->block[r->test[t]];
        if (weight) w[t] = weight[r->test[t]];
    }
    rp_error err;
    rp_orbit_part part = {m, block, held, weight ? w : NULL, nt, train, f, base};
    assert_ok(rp_orbit_add(sums, o, &part, &err), &err);
    free(f), free(base), free(held), free(column);
}

/* T [ndraws] of one label. */
static void statistics(double *t, const rp_orbit *o, const study *s, const double *x,
                       const double *y)
{
    static ridge r;
    double *sum = rp_alloc(o->ndraws, 3 * sizeof *sum);
    assert_non_null(sum);
    rp_orbit_sums sums = {sum, sum + o->ndraws, sum + 2 * o->ndraws};
    for (int fold = 0; fold < FOLDS; fold++) {
        ridge_init(&r, s, x, fold);
        add_fold(&sums, o, &r, y, fold, NULL);
        free(r.train);
    }
    rp_orbit_statistic(t, &sums, o->ndraws);
    free(sum);
}

static void sums_of_blocks_are_those_of_refitting_on_permuted_labels(void **state)
{
    (void)state;
    static study s;
    static ridge r;
    static const size_t sizes[] = {8, 11, 5, 16};
    static double x[MOST_ROWS * WIDTH], y[MOST_ROWS], weight[MOST_ROWS];
    study_init(&s, 40, sizes, 4, 11);
    rp_rng rng;
    rp_rng_init(&rng, 1, 1);
    for (size_t i = 0; i < s.rows.n * WIDTH; i++) x[i] = rp_rng_normal(&rng);
    for (size_t i = 0; i < s.rows.n; i++)
        y[i] = 40 + x[i * WIDTH] + rp_rng_normal(&rng), weight[i] = rp_rng_uniform(&rng);
    for (int kind = 0; kind < 2; kind++) {
        rp_orbit o;
        orbit_init(&o, &s, s.row, s.rows.n, kind ? &query : &document);
        double yf[100] = {0}, yy[100] = {0}, ff[100] = {0}, naive[3][100] = {{0}};
        rp_orbit_sums sums = {yf, yy, ff};
        for (int fold = 0; fold < FOLDS; fold++) {
            ridge_init(&r, &s, x, fold);
            add_fold(&sums, &o, &r, y, fold, kind ? weight : NULL);
            for (size_t b = 0; b < o.ndraws; b++) {
                double label[MOST_ROWS], base = 0;
                for (size_t i = 0; i < o.n; i++)
                    label[i] = y[o.from[o.pick[b * o.nblocks + o.block[i]] * o.n + i]];
                for (size_t i = 0; i < r.ntrain; i++) base += label[r.train[i]];
                base /= (double)r.ntrain;
                for (size_t t = 0; t < r.ntest; t++) {
                    double d = label[r.test[t]] - base, f = 0, w = kind ? weight[r.test[t]] : 1;
                    for (size_t i = 0; i < r.ntrain; i++)
                        f += r.hat[t * r.ntrain + i] * label[r.train[i]];
                    naive[0][b] += w * d * f, naive[1][b] += w * d * d, naive[2][b] += w * f * f;
                }
            }
            free(r.train);
        }
        assert_close(yf, naive[0], o.ndraws, 3e-6, 1e-4);
        assert_close(yy, naive[1], o.ndraws, 1e-12, 0);
        assert_close(ff, naive[2], o.ndraws, 3e-6, 0);
        rp_orbit_release(&o);
    }
}

static void a_statistic_without_variation_is_undefined(void **state)
{
    (void)state;
    double yf[] = {-1, 0, 0}, yy[] = {4, 0, 2}, ff[] = {1, 1, 0}, t[3];
    const double want[] = {-.5, NAN, 0};
    rp_orbit_statistic(t, &(rp_orbit_sums){yf, yy, ff}, 3);
    assert_close(t, want, 3, 0, 0);
}

/* ---- simulation ---- */

static double p_of(const double *t, size_t ndraws)
{
    rp_tested tested;
    rp_error err;
    assert_ok(rp_tests_compute(&tested, t, 1, ndraws, &err), &err);
    return tested.p;
}

static int ascending(const void *a, const void *b)
{
    double p = *(const double *)a, q = *(const double *)b;
    return p < q ? -1 : p > q;
}

/* Kolmogorov-Smirnov distance of p[n] from the uniform distribution on 1/m, 2/m, ... 1. */
static double distance(double *p, size_t n, size_t m)
{
    qsort(p, n, sizeof *p, ascending);
    double worst = 0;
    for (size_t i = 0, j; i < n; i = j) {
        for (j = i; j < n && p[j] == p[i]; j++) {
        }
        double before = p[i] - 1 / (double)m; /* the distribution just below p[i] */
        worst = fmax(worst, fabs((double)j / (double)n - p[i]));
        worst = fmax(worst, fabs((double)i / (double)n - before));
    }
    return worst;
}

/* x and y that have nothing to do with each other given what the null keeps. DOCUMENT: both have
 * effects of the query. QUERY: both have effects of the query and a trend along the rank. */
static void null_data(double *x, double *y, const study *s, bool query_kind, rp_rng *rng)
{
    double effect = 0, shared[WIDTH] = {0};
    for (size_t i = 0, rank = 0; i < s->rows.n; i++, rank++) {
        if (!i || s->query[i] != s->query[i - 1]) {
            rank = 0, effect = 2 * rp_rng_normal(rng);
            for (size_t j = 0; j < WIDTH; j++) shared[j] = rp_rng_normal(rng);
        }
        double trend = query_kind ? (double)rank : 0;
        y[i] = effect + trend + rp_rng_normal(rng);
        for (size_t j = 0; j < WIDTH; j++)
            x[i * WIDTH + j] = shared[j] + .5 * trend + rp_rng_normal(rng);
    }
}

/* How far the p-values of the tests of kind `test` are from uniform on data where `null` holds. */
static double distance_of(rp_orbit_kind test, rp_orbit_kind null)
{
    static study s;
    static double x[MOST_ROWS * WIDTH], y[MOST_ROWS], t[100], p[ROUNDS];
    static const size_t sizes[] = {3, 6, 4, 7}, equal[] = {4};
    bool whole = null == RP_ORBIT_QUERY;
    rp_rng rng;
    rp_rng_init(&rng, 2, 0);
    for (size_t round = 0; round < ROUNDS; round++) {
        study_init(&s, whole ? 20 : 16, whole ? equal : sizes, whole ? 1 : 4, round);
        rp_orbit o;
        orbit_init(&o, &s, s.row, s.rows.n, &(rp_orbit_options){test, 2, 8, 99});
        null_data(x, y, &s, whole, &rng);
        statistics(t, &o, &s, x, y);
        p[round] = p_of(t, o.ndraws);
        rp_orbit_release(&o);
    }
    return distance(p, ROUNDS, 100);
}

static void null_p_values_are_uniform(void **state)
{
    (void)state;
    double limit = 1.63 / sqrt(ROUNDS); /* 1 % */
    assert_true(distance_of(RP_ORBIT_DOCUMENT, RP_ORBIT_DOCUMENT) < limit);
    assert_true(distance_of(RP_ORBIT_QUERY, RP_ORBIT_QUERY) < limit);
}

static void a_test_that_keeps_less_than_the_null_does_is_found_out(void **state)
{
    (void)state; /* the trend along the rank is a signal to the document test */
    assert_true(distance_of(RP_ORBIT_DOCUMENT, RP_ORBIT_QUERY) > .5);
}

/* Documents are the wrong unit where what x and y share is the query, and the tests know it: a
 * label of the query alone gives the document test nothing, the query test everything. */
static void a_planted_signal_has_the_smallest_p(void **state)
{
    (void)state;
    static study s;
    static double x[MOST_ROWS * WIDTH], y[MOST_ROWS], of_query[MOST_ROWS], t[100];
    rp_rng rng;
    rp_rng_init(&rng, 3, 0);
    study_init(&s, 20, (const size_t[]){5}, 1, 12);
    null_data(x, y, &s, false, &rng);
    for (size_t i = 0; i < s.rows.n; i++) {
        y[i] = .7 * rp_rng_normal(&rng) + x[i * WIDTH + 2];
        of_query[i] = i % 5 ? of_query[i - 1] : 0;
        for (size_t j = 0; i % 5 == 0 && j < 5; j++) of_query[i] += x[(i + j) * WIDTH + 1] / 5;
    }
    for (int kind = 0; kind < 2; kind++) {
        rp_orbit o;
        orbit_init(&o, &s, s.row, s.rows.n, kind ? &query : &document);
        statistics(t, &o, &s, x, y);
        double p = p_of(t, o.ndraws), smallest = .01;
        assert_close(&p, &smallest, 1, 1e-12, 0);
        statistics(t, &o, &s, x, of_query);
        p = p_of(t, o.ndraws);
        if (kind)
            assert_close(&p, &smallest, 1, 1e-12, 0);
        else
            assert_true(fabs(t[1] - t[0]) < 1e-5 && p > .1); /* nothing was permuted */
        rp_orbit_release(&o);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_of_blocks_are_those_of_refitting_on_permuted_labels),
        cmocka_unit_test(a_statistic_without_variation_is_undefined),
        cmocka_unit_test(null_p_values_are_uniform),
        cmocka_unit_test(a_test_that_keeps_less_than_the_null_does_is_found_out),
        cmocka_unit_test(a_planted_signal_has_the_smallest_p),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
