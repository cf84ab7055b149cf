#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "probe/tests.h"
#include "support/support.h"

enum { MOST = 24, DRAWS = 100 };

static void compute(rp_tested *out, const double *t, size_t n, size_t ndraws)
{
    rp_error err;
    assert_ok(rp_tests_compute(out, t, n, ndraws, &err), &err);
}

static void q_is_scipys(void **state)
{
    (void)state;
    /* scipy.stats.false_discovery_control(p) */
    const double p[] = {.205, .001, .041, .074, .008, .060, .216, .039, .212, .042};
    const double q[] = {.216, .01, .084, 37. / 350, .04, .1, .216, .084, .216, .084};
    static double t[10 * 1000];
    for (size_t i = 0; i < 10; i++) {
        for (size_t b = 1; b < 1000; b++) t[i * 1000 + b] = (double)b;
        t[i * 1000] = 1000.5 - 1000 * p[i]; /* 1000 p - 1 draws are above */
    }
    rp_tested out[10];
    compute(out, t, 10, 1000);
    for (size_t i = 0; i < 10; i++) {
        assert_close(&out[i].p, &p[i], 1, 1e-12, 0);
        assert_close(&out[i].q, &q[i], 1, 1e-12, 0);
        assert_true(out[i].adjusted >= out[i].p);
    }
    const double null[] = {1 + .95 * 998, 1 + .975 * 998}; /* quantiles of 1 ... 999 */
    assert_close(&out[3].null95, &null[0], 1, 1e-12, 0);
    assert_close(&out[3].null97, &null[1], 1, 1e-12, 0);
}

/* Null statistics as R2 has them: correlated `rho` with each other, skewed, of different location
 * and spread; the observed ones of the first `nsignals` are 8 sd higher. */
static void simulate(double *t, size_t n, size_t nsignals, double rho, rp_rng *rng)
{
    for (size_t b = 0; b < DRAWS; b++) {
        double common = rp_rng_normal(rng);
        for (size_t h = 0; h < n; h++) {
            double z = sqrt(rho) * common + sqrt(1 - rho) * rp_rng_normal(rng);
            double scale = pow(2, (double)(h % 7) - 5), skewed = z + .3 * (z * z - 1);
            t[h * DRAWS + b] = -.1 * (double)h + scale * (skewed + (b || h >= nsignals ? 0 : 8));
        }
    }
}

/* Westfall and Young's adjusted p of hypotheses sorted by z[., 0], from the definition. */
static void from_definition(double *adjusted, const double *t, size_t n)
{
    static double z[MOST][DRAWS];
    size_t order[MOST];
    for (size_t h = 0; h < n; h++) {
        double mean = 0, square = 0;
        for (size_t b = 0; b < DRAWS; b++) mean += t[h * DRAWS + b] / DRAWS;
        for (size_t b = 0; b < DRAWS; b++) square += pow(t[h * DRAWS + b] - mean, 2) / DRAWS;
        for (size_t b = 0; b < DRAWS; b++) z[h][b] = (t[h * DRAWS + b] - mean) / sqrt(square);
        size_t at = h;
        for (; at && z[order[at - 1]][0] < z[h][0]; at--) order[at] = order[at - 1];
        order[at] = h;
    }
    for (size_t i = 0; i < n; i++) {
        size_t above = 0;
        for (size_t b = 0; b < DRAWS; b++) {
            double most = -INFINITY;
            for (size_t j = i; j < n; j++) most = fmax(most, z[order[j]][b]);
            above += most >= z[order[i]][0] - 1e-9;
        }
        double p = (double)above / DRAWS;
        adjusted[order[i]] = i ? fmax(p, adjusted[order[i - 1]]) : p;
    }
}

static void step_down_follows_its_definition(void **state)
{
    (void)state;
    static double t[MOST * DRAWS];
    double want[MOST], got[MOST];
    rp_tested out[MOST];
    rp_rng rng;
    rp_rng_init(&rng, 1, 0);
    for (size_t round = 0; round < 50; round++) {
        simulate(t, MOST, round % 5, .5, &rng);
        from_definition(want, t, MOST);
        compute(out, t, MOST, DRAWS);
        for (size_t h = 0; h < MOST; h++) {
            got[h] = out[h].adjusted;
            assert_true(out[h].adjusted >= out[h].p && out[h].q >= out[h].p);
        }
        assert_close(got, want, MOST, 1e-12, 0);
    }
}

/* 2,000 families of 20 nulls: 5 % of them may have a rejection, with a standard error of .5 %. And
 * it is 5 %, not less, for hypotheses that resemble each other: Bonferroni's would reject in 1 %.
 */
static void max_t_controls_the_family_wise_error_and_keeps_what_is_true(void **state)
{
    (void)state;
    enum { ROUNDS = 2000, NULLS = 20, SIGNALS = 4 };
    static double t[MOST * DRAWS];
    rp_tested out[MOST];
    rp_rng rng;
    for (size_t signals = 0; signals <= SIGNALS; signals += SIGNALS) {
        size_t wrong = 0, found = 0;
        rp_rng_init(&rng, 2, signals);
        for (size_t round = 0; round < ROUNDS; round++) {
            bool any = false;
            simulate(t, NULLS + signals, signals, .8, &rng);
            compute(out, t, NULLS + signals, DRAWS);
            for (size_t h = 0; h < signals; h++) found += out[h].adjusted <= .05;
            for (size_t h = signals; h < NULLS + signals; h++) any |= out[h].adjusted <= .05;
            wrong += any;
        }
        assert_in_range(wrong, ROUNDS * 35 / 1000, ROUNDS * 65 / 1000);
        assert_true(found >= ROUNDS * signals * 99 / 100);
    }
}

static void the_null_does_not_depend_on_units_or_on_wide_neighbours(void **state)
{
    (void)state;
    double t[3 * DRAWS], scaled[3 * DRAWS];
    rp_tested a[3], b[3];
    rp_rng rng;
    rp_rng_init(&rng, 3, 0);
    simulate(t, 3, 1, .2, &rng);
    for (size_t i = 0; i < 3 * DRAWS; i++) scaled[i] = i < DRAWS ? t[i] : 1000 * t[i] - 5;
    compute(a, t, 3, DRAWS);
    compute(b, scaled, 3, DRAWS);
    for (size_t h = 0; h < 3; h++) {
        assert_close(&a[h].p, &b[h].p, 1, 0, 0);
        assert_close(&a[h].adjusted, &b[h].adjusted, 1, 0, 0);
    }
    assert_close(&a[0].adjusted, &(double){.01}, 1, 1e-12, 0);
}

static void what_cannot_be_tested_is_no_part_of_the_family(void **state)
{
    (void)state;
    static double t[5 * DRAWS];
    rp_tested out[5], alone[2];
    rp_rng rng;
    rp_rng_init(&rng, 4, 0);
    simulate(t, 2, 1, 0, &rng);
    compute(alone, t, 2, DRAWS);
    memcpy(t + 3 * DRAWS, t + DRAWS, DRAWS * sizeof *t);
    for (size_t b = 0; b < DRAWS; b++) {
        t[DRAWS + b] = NAN;
        t[2 * DRAWS + b] = b == 7 ? -INFINITY : (double)b;
        t[4 * DRAWS + b] = .25 + 1e-9 * (double)(b % 3); /* rounding alone */
    }
    compute(out, t, 4, DRAWS);
    assert_true(isnan(out[1].p) && isnan(out[1].adjusted) && isnan(out[1].q));
    assert_true(isnan(out[2].p) && isnan(out[2].null95) && isnan(out[2].null97));
    assert_memory_equal(&out[0], &alone[0], sizeof out[0]);
    assert_memory_equal(&out[3], &alone[1], sizeof out[3]);
    compute(out, t, 5, DRAWS);
    assert_true(out[4].p == 1 && out[4].adjusted == 1 && out[4].q == 1);
}

static void without_permutations_there_is_no_test(void **state)
{
    (void)state;
    rp_error err;
    rp_tested out;
    double t = 1;
    assert_fails(rp_tests_compute(&out, &t, 1, 1, &err), &err, RP_EARG,
                 "a test needs 1 permutation or more");
    compute(&out, NULL, 0, 10); /* an empty family */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(q_is_scipys),
        cmocka_unit_test(step_down_follows_its_definition),
        cmocka_unit_test(max_t_controls_the_family_wise_error_and_keeps_what_is_true),
        cmocka_unit_test(the_null_does_not_depend_on_units_or_on_wide_neighbours),
        cmocka_unit_test(what_cannot_be_tested_is_no_part_of_the_family),
        cmocka_unit_test(without_permutations_there_is_no_test),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
