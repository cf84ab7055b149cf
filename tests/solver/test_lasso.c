#include "solver/problem.h"

static const double penalties[] = {.5, .1, .02, .003}, ratios[] = {1, .5, .1};
static const char *const designs[] = {"plain", "wild", "twins", "ill", "wide"};

static void the_objective_is_scikit_learns_at_its_tightest_tolerance(void **state)
{
    (void)state;
    rp_safetensors *st;
    rp_error err;
    assert_ok(rp_safetensors_open(&st, rp_test_golden("solver/lasso.safetensors"), &err), &err);
    for (size_t i = 0; i < 5; i++) {
        problem p;
        rp_set set;
        rp_lasso_problem l[3] = {0};
        problem_golden(&p, st, designs[i]);
        problem_ready(&p, 1, 0, false);
        assert_ok(rp_set_init(&set, &p.cells, -1, -1, &err), &err);
        for (size_t at = 0; at < 12; at++) {
            double ratio = ratios[at / 4], a = penalties[at % 4];
            problem_solve(&p, l, &set, a, ratio);
            for (size_t k = 0; k < 3; k++) {
                double got, want = golden_at(st, designs[i], "objective", k * 12 + at);
                assert_true(problem_violation(&p, &l[k], &set, ratio, &got) < 1e-9);
                assert_true(got <= want * (1 + 1e-10) + 1e-13); /* never worse */
                assert_true(got >= want * (1 - 1e-6));
                assert_true(l[k].gap <= RP_LASSO_TARGET);
            }
        }
        for (size_t k = 0; k < 3; k++) rp_lasso_problem_release(&l[k]);
        rp_set_release(&set);
        problem_release(&p);
    }
    rp_safetensors_free(st);
}

static void coefficients_and_support_are_scikit_learns_where_they_are_unique(void **state)
{
    (void)state;
    rp_safetensors *st;
    rp_error err;
    assert_ok(rp_safetensors_open(&st, rp_test_golden("solver/lasso.safetensors"), &err), &err);
    for (size_t i = 0; i < 2; i++) {
        problem p;
        rp_set set;
        rp_lasso_problem l[3] = {0};
        problem_golden(&p, st, designs[i]);
        problem_ready(&p, 1, 0, false);
        assert_ok(rp_set_init(&set, &p.cells, -1, -1, &err), &err);
        for (size_t at = 0; at < 12; at++) {
            problem_solve(&p, l, &set, penalties[at % 4], ratios[at / 4]);
            for (size_t k = 0; k < 3; k++)
                for (size_t j = 0, h = 0; j < p.width; j++) {
                    bool in = h < l[k].units && l[k].unit[h] == j;
                    double want = golden_at(st, designs[i], "w", (k * 12 + at) * p.width + j);
                    assert_true(fabs((in ? l[k].w[h] : 0) - want) < 1e-7);
                    assert_int_equal(in, fabs(want) > 1e-9);
                    h += in;
                }
        }
        for (size_t k = 0; k < 3; k++) rp_lasso_problem_release(&l[k]);
        rp_set_release(&set);
        problem_release(&p);
    }
    rp_safetensors_free(st);
}

static void the_optimality_conditions_hold_on_nasty_designs(void **state)
{
    (void)state;
    rp_rng rng;
    rp_error err;
    rp_rng_init(&rng, 5, 0);
    for (int kind = 0; kind < 6; kind++)
        for (int size = 0; size < 3; size++) {
            problem p;
            rp_set set;
            rp_lasso_problem l[2] = {0};
            problem_nasty(&p, &rng, kind, size == 0 ? 25 : 90, size == 2 ? 30 : 160);
            problem_ready(&p, 1, 0, false);
            assert_ok(rp_set_init(&set, &p.cells, -1, -1, &err), &err);
            for (double a = 1; a > 5e-4; a *= .6) {
                double ratio = size == 1 ? .7 : 1;
                problem_solve(&p, l, &set, a, ratio);
                for (size_t k = 0; k < 2; k++) {
                    assert_true(l[k].gap <= RP_LASSO_TARGET);
                    assert_true(problem_violation(&p, &l[k], &set, ratio, NULL) < 1e-4 * a + 1e-9);
                    for (size_t h = 0; h < l[k].units; h++)
                        assert_true(l[k].unit[h] != p.width - 1); /* the constant */
                }
            }
            for (size_t k = 0; k < 2; k++) rp_lasso_problem_release(&l[k]);
            rp_set_release(&set);
            problem_release(&p);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_objective_is_scikit_learns_at_its_tightest_tolerance),
        cmocka_unit_test(coefficients_and_support_are_scikit_learns_where_they_are_unique),
        cmocka_unit_test(the_optimality_conditions_hold_on_nasty_designs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
