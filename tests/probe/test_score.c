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
    rp_scored in = {4, 2, 1, first, y, f, base};
    rp_score_row s;
    rp_error err;
    assert_ok(rp_score_compute(&s, NULL, &in, 0, 1, &err), &err);
    /* SSE 6 = within 2 + 2, between 0 + 2; SST 116 = within 2 + 8, between 8 + 98 */
    const double got[] = {s.r2, s.within, s.between, s.tau, s.mse};
    const double want[] = {1 - 6. / 116, 1 - 4. / 10, 1 - 2. / 106, 1, 1.5};
    assert_close(got, want, 5, 1e-14, 0);
    assert_true(isnan(s.r2_lo) && isnan(s.within_hi)); /* no draws */
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
    rp_scored in = {N, Q, 1, first, y, f, base};
    rp_score_row s;
    rp_error err;
    assert_ok(rp_score_compute(&s, NULL, &in, 50, 1, &err), &err);
    const double got[] = {s.r2, s.within, s.between}, zero[3] = {0};
    assert_close(got, zero, 3, 0, 1e-14);
    for (size_t i = 0; i < N; i++) f[i] = y[i] + .5 * rp_rng_normal(&rng);
    assert_ok(rp_score_compute(&s, NULL, &in, 50, 1, &err), &err);
    assert_true(s.r2 > fmin(s.within, s.between) && s.r2 < fmax(s.within, s.between));
    assert_true(s.r2_lo < s.r2 && s.r2 < s.r2_hi && s.within_lo < s.within_hi);
}

static void a_label_without_variation_within_queries_has_no_r2_within(void **state)
{
    (void)state;
    const double y[] = {.1, .1, .1, .7, .7, .7}, f[] = {0, .1, .2, .5, .6, .9};
    const double base[] = {.4, .4, .4, .4, .4, .4};
    const size_t first[] = {0, 3, 6};
    rp_scored in = {6, 2, 1, first, y, f, base};
    rp_score_row s;
    rp_error err;
    assert_ok(rp_score_compute(&s, NULL, &in, 10, 1, &err), &err);
    assert_true(isnan(s.within) && isnan(s.within_lo) && isnan(s.tau));
    assert_false(isnan(s.r2));
    assert_false(isnan(s.between));
}

/* Predictions whose errors are correlated within a query: the population R2 is known, .75. */
static void the_interval_covers_the_truth_about_95_times_in_100(void **state)
{
    (void)state;
    enum { Q = 60, M = 8, N = Q * M, ROUNDS = 400 };
    static double y[N], f[N], base[N];
    size_t first[Q + 1], covered = 0;
    rp_rng rng;
    rp_error err;
    rp_rng_init(&rng, 4, 0);
    for (size_t q = 0; q <= Q; q++) first[q] = q * M;
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < N; i++) {
            static double shared;
            if (i % M == 0) shared = rp_rng_normal(&rng);
            double e = sqrt(.5) * shared + sqrt(.5) * rp_rng_normal(&rng);
            f[i] = sqrt(3) * rp_rng_normal(&rng);
            y[i] = f[i] + e; /* variance 4, error variance 1 */
        }
        rp_scored in = {N, Q, 1, first, y, f, base};
        rp_score_row s;
        assert_ok(rp_score_compute(&s, NULL, &in, 400, round, &err), &err);
        covered += s.r2_lo <= .75 && .75 <= s.r2_hi;
    }
    assert_in_range(covered, ROUNDS * 90 / 100, ROUNDS * 98 / 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tau_is_scipys),
        cmocka_unit_test(tau_of_a_constant_or_of_one_value_is_undefined),
        cmocka_unit_test(a_hand_computed_example),
        cmocka_unit_test(r2_is_the_weighted_mean_of_its_parts_and_zero_for_the_training_mean),
        cmocka_unit_test(a_label_without_variation_within_queries_has_no_r2_within),
        cmocka_unit_test(the_interval_covers_the_truth_about_95_times_in_100),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
