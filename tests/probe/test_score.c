#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/number.h"
#include "base/table.h"
#include "probe/score.h"
#include "support/support.h"

static size_t numbers(double *out, const char *text)
{
    size_t n = 0;
    char *end;
    for (; *text; text = end) out[n++] = strtod(text, &end);
    return n;
}

static void tau_is_scipys(void **state)
{
    (void)state;
    rp_table *t;
    rp_error err;
    assert_ok(rp_table_read(&t, rp_test_golden("probe/tau.tsv"), &err), &err);
    for (size_t i = 0; i < rp_table_rows(t); i++) {
        double x[64], y[64], scratch[192], want;
        size_t n = numbers(x, rp_table_cell(t, i, 1));
        assert_int_equal(numbers(y, rp_table_cell(t, i, 2)), n);
        assert_ok(rp_table_number(t, i, 0, &want, &err), &err);
        double got = rp_tau(x, y, n, scratch);
        assert_close(&got, &want, 1, 1e-12, 1e-13);
        got = rp_tau(y, x, n, scratch); /* symmetric */
        assert_close(&got, &want, 1, 1e-12, 1e-13);
    }
    rp_table_free(t);
}

static void tau_of_a_constant_or_of_one_value_is_undefined(void **state)
{
    (void)state;
    double x[] = {1, 2, 3}, y[] = {4, 4, 4}, scratch[9];
    assert_true(isnan(rp_tau(x, y, 3, scratch)));
    assert_true(isnan(rp_tau(y, x, 3, scratch)));
    assert_true(isnan(rp_tau(x, x, 1, scratch)));
}

static void a_hand_computed_example(void **state)
{
    (void)state;
    /* Two queries of two; training mean 0. Errors 1, -1 | 2, 0. */
    const double y[] = {1, 3, 5, 9}, f[] = {0, 4, 3, 9}, base[4] = {0};
    const size_t first[] = {0, 2, 4};
    rp_scored in = {4, 2, first, y, f, base};
    double sums[2 * RP_SCORE_SUMS];
    rp_score_row s;
    rp_error err;
    assert_ok(rp_score_compute(&s, sums, &in, 0, 1, &err), &err);
    /* SSE 6 = within 2 + 2, between 0 + 2; SST 116 = within 2 + 8, between 8 + 98 */
    const double got[] = {s.r2, s.within, s.between, s.tau, s.mse};
    const double want[] = {1 - 6. / 116, 1 - 4. / 10, 1 - 2. / 106, 1, 1.5};
    assert_close(got, want, 5, 1e-14, 0);
    assert_true(isnan(s.r2_lo) && isnan(s.within_hi)); /* no draws */
    const double turned[] = {0, 4, 9, 3}, none = 0;
    in.f = turned; /* tau 1 and -1 */
    assert_ok(rp_score_tau(&s.tau, &in, &err), &err);
    assert_close(&s.tau, &none, 1, 0, 1e-14);
}

static void r2_is_the_weighted_mean_of_its_parts_and_zero_for_the_training_mean(void **state)
{
    (void)state;
    enum { Q = 7, M = 5, N = Q * M };
    double y[N], f[N], base[N];
    size_t first[Q + 1];
    rp_rng rng;
    rp_rng_init(&rng, 3, 0);
    for (size_t i = 0; i < N; i++) y[i] = rp_rng_normal(&rng), f[i] = base[i] = .25;
    for (size_t q = 0; q <= Q; q++) first[q] = q * M;
    rp_scored in = {N, Q, first, y, f, base};
    double sums[Q * RP_SCORE_SUMS];
    rp_score_row s;
    rp_error err;
    assert_ok(rp_score_compute(&s, sums, &in, 50, 1, &err), &err);
    const double got[] = {s.r2, s.within, s.between}, zero[3] = {0};
    assert_close(got, zero, 3, 0, 1e-14);
    for (size_t i = 0; i < N; i++) f[i] = y[i] + .5 * rp_rng_normal(&rng);
    assert_ok(rp_score_compute(&s, sums, &in, 50, 1, &err), &err);
    assert_true(s.r2 > fmin(s.within, s.between) && s.r2 < fmax(s.within, s.between));
    assert_true(s.r2_lo < s.r2 && s.r2 < s.r2_hi && s.within_lo < s.within_hi);
}

static void a_label_without_variation_within_queries_has_no_r2_within(void **state)
{
    (void)state;
    const double y[] = {.1, .1, .1, .7, .7, .7}, f[] = {0, .1, .2, .5, .6, .9};
    const double base[] = {.4, .4, .4, .4, .4, .4};
    const size_t first[] = {0, 3, 6};
    rp_scored in = {6, 2, first, y, f, base};
    double sums[2 * RP_SCORE_SUMS];
    rp_score_row s;
    rp_error err;
    assert_ok(rp_score_compute(&s, sums, &in, 10, 1, &err), &err);
    assert_true(isnan(s.within) && isnan(s.within_lo) && isnan(s.tau));
    assert_false(isnan(s.r2));
    assert_false(isnan(s.between));
}

static void a_hand_computed_difference(void **state)
{
    (void)state;
    /* SSE within, SSE between, SST within, SST between of two queries */
    const double a[] = {2, 0, 2, 8, 2, 2, 8, 98}, b[] = {1, 0, 2, 8, 2, 1, 8, 98};
    rp_difference d;
    rp_error err;
    assert_ok(rp_score_difference(&d, a, b, 2, 200, 1, &err), &err);
    const double got[] = {d.r2, d.within}, want[] = {-2. / 116, -1. / 10};
    assert_close(got, want, 2, 1e-13, 0);
    /* the first query alone, twice: -1/10 and -1/2; the second: -1/106 and 0; in a draw of four
     * each happens, so the interval goes from end to end */
    const double ends[] = {d.lo, d.hi, d.within_lo, d.within_hi};
    const double extremes[] = {-1. / 10, -1. / 106, -1. / 2, 0};
    assert_close(ends, extremes, 4, 1e-13, 1e-15);
    assert_ok(rp_score_difference(&d, a, b, 2, 0, 1, &err), &err);
    assert_true(isnan(d.lo) && isnan(d.within_hi)); /* no draws */
}

/* Sums of Q queries as a probe of m rows each might have them. */
static void random_sums(double *sums, size_t Q, rp_rng *rng)
{
    for (size_t i = 0; i < Q * RP_SCORE_SUMS; i++)
        sums[i] = (i % 4 < 2 ? .5 : 1) * (1 + rp_rng_uniform(rng));
}

static void many_differences_are_those_of_each_pair_and_share_the_draws_of_scores(void **state)
{
    (void)state;
    enum { Q = 31, SETS = 70, M = 3, DRAWS = 300 };
    static double sums[SETS][Q * RP_SCORE_SUMS], y[Q * M], f[Q * M], base[Q * M];
    const double *set[SETS];
    rp_score_pair pair[SETS];
    rp_difference many[SETS], one;
    rp_score_row score;
    rp_error err;
    rp_rng rng;
    size_t first[Q + 1];
    rp_rng_init(&rng, 7, 0);
    for (size_t s = 0; s < SETS; s++) {
        random_sums(sums[s], Q, &rng);
        set[s] = sums[s], pair[s] = (rp_score_pair){s, 69 - s};
    }
    for (size_t i = 0; i < Q * M; i++)
        f[i] = rp_rng_normal(&rng), y[i] = f[i] + rp_rng_normal(&rng);
    for (size_t q = 0; q <= Q; q++) first[q] = q * M;
    rp_scored in = {Q * M, Q, first, y, f, base};
    assert_ok(rp_score_compute(&score, sums[33], &in, DRAWS, 5, &err), &err);
    memcpy(sums[36], sums[33], sizeof sums[36]);
    for (size_t q = 0; q < Q; q++) sums[36][q * 4] = sums[36][q * 4 + 1] = 0; /* R2 of 1 */
    assert_ok(rp_score_differences(many, pair, SETS, set, SETS, Q, DRAWS, 5, &err), &err);
    for (size_t s = 0; s < SETS; s += 9) {
        assert_ok(rp_score_difference(&one, set[s], set[69 - s], Q, DRAWS, 5, &err), &err);
        assert_close(&many[s].r2, &one.r2, sizeof one / sizeof(double), 1e-10, 1e-12);
    }
    const double got[] = {many[33].lo + 1, many[33].hi + 1, many[33].within_lo + 1,
                          many[33].within_hi + 1};
    const double want[] = {score.r2_lo, score.r2_hi, score.within_lo, score.within_hi};
    assert_close(got, want, 4, 1e-10, 1e-12);
    assert_close(&many[36].lo, &(double){-many[33].hi}, 1, 1e-10, 0);
}

static void a_difference_from_an_undefined_score_is_undefined(void **state)
{
    (void)state;
    const double a[] = {1, 1, 0, 3, 1, 1, 0, 5}, b[] = {1, 1, 2, 3, 1, 1, 2, 5};
    rp_difference d;
    rp_error err;
    assert_ok(rp_score_difference(&d, a, b, 2, 50, 1, &err), &err);
    assert_true(isnan(d.within) && isnan(d.within_lo) && isnan(d.within_hi));
    assert_false(isnan(d.r2) || isnan(d.lo));
    assert_ok(rp_score_difference(&d, b, b, 2, 50, 1, &err), &err);
    assert_true(d.r2 == 0 && d.lo == 0 && d.hi == 0 && d.within == 0);
}

enum { QUERIES = 100, ROWS = 4, ROUNDS = 4000 };

/* Two probes of one label: y has variance 4; a predicts all but an error of variance 1, half of
 * which is the query's; b sees less by a further error of variance .5. */
static void simulate(double *y, double *a, double *b, rp_rng *rng)
{
    for (size_t q = 0; q < QUERIES; q++) {
        double shared = sqrt(.5) * rp_rng_normal(rng);
        for (size_t i = q * ROWS; i < (q + 1) * ROWS; i++) {
            a[i] = sqrt(3) * rp_rng_normal(rng);
            y[i] = a[i] + shared + sqrt(.5) * rp_rng_normal(rng);
            b[i] = a[i] + sqrt(.5) * rp_rng_normal(rng);
        }
    }
}

/* The truth: R2 is 1 - 1/4 for a and 1 - 1.5/4 for b; within queries the expected sums of squares
 * are of 3.5 and errors of .5 and 1, times rows less one, on both sides. */
static void intervals_cover_the_truth_95_times_in_100(void **state)
{
    (void)state;
    static double y[QUERIES * ROWS], f[2][QUERIES * ROWS], base[QUERIES * ROWS];
    static double sums[2][QUERIES * RP_SCORE_SUMS];
    const double truth[] = {.75, 1 - .5 / 3.5, .5 / 4, .5 / 3.5};
    size_t first[QUERIES + 1], covered[4] = {0};
    rp_rng rng;
    rp_error err;
    rp_rng_init(&rng, 4, 0);
    for (size_t q = 0; q <= QUERIES; q++) first[q] = q * ROWS;
    for (size_t round = 0; round < ROUNDS; round++) {
        simulate(y, f[0], f[1], &rng);
        rp_scored in = {QUERIES * ROWS, QUERIES, first, y, f[0], base};
        rp_score_row s;
        rp_difference d;
        assert_ok(rp_score_compute(&s, sums[0], &in, 300, round, &err), &err);
        in.f = f[1];
        rp_score_sums(sums[1], &in);
        assert_ok(rp_score_difference(&d, sums[0], sums[1], QUERIES, 300, round, &err), &err);
        covered[0] += s.r2_lo <= truth[0] && truth[0] <= s.r2_hi;
        covered[1] += s.within_lo <= truth[1] && truth[1] <= s.within_hi;
        covered[2] += d.lo <= truth[2] && truth[2] <= d.hi;
        covered[3] += d.within_lo <= truth[3] && truth[3] <= d.within_hi;
    }
    for (size_t i = 0; i < 4; i++)
        assert_in_range(covered[i], ROUNDS * 93 / 100, ROUNDS * 97 / 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tau_is_scipys),
        cmocka_unit_test(tau_of_a_constant_or_of_one_value_is_undefined),
        cmocka_unit_test(a_hand_computed_example),
        cmocka_unit_test(r2_is_the_weighted_mean_of_its_parts_and_zero_for_the_training_mean),
        cmocka_unit_test(a_label_without_variation_within_queries_has_no_r2_within),
        cmocka_unit_test(a_hand_computed_difference),
        cmocka_unit_test(many_differences_are_those_of_each_pair_and_share_the_draws_of_scores),
        cmocka_unit_test(a_difference_from_an_undefined_score_is_undefined),
        cmocka_unit_test(intervals_cover_the_truth_95_times_in_100),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
