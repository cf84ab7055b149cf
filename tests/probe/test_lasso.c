#include "probe/problem.h"

static const double penalties[] = {.5, .1, .02, .003};
static const char *const designs[] = {"plain", "wild", "twins", "ill", "wide"};

static void fixed(problem *p, double a)
{
    rp_error err;
    assert_ok(rp_lasso_fit(&p->fit, &p->mo, a, &err), &err);
}

static void the_objective_is_scikit_learns_at_its_tightest_tolerance(void **state)
{
    (void)state;
    rp_safetensors *st;
    rp_error err;
    assert_ok(rp_safetensors_open(&st, rp_test_golden("probe/solvers.safetensors"), &err), &err);
    for (size_t i = 0; i < 5; i++) {
        problem p;
        problem_golden(&p, st, designs[i]);
        problem_ready(&p, 1, true);
        for (size_t a = 0; a < 4; a++) {
            fixed(&p, penalties[a]);
            for (size_t k = 0; k < p.labels; k++) {
                double got, want = golden_at(st, designs[i], "objective", k * 4 + a);
                double violation = problem_violation(&p, k, penalties[a], &got);
                assert_true(violation < 1e-9);
                assert_true(got <= want * (1 + 1e-10) + 1e-13); /* never worse */
                assert_true(got >= want * (1 - 1e-6));
                assert_true(p.fit.gap[k] <= RP_LASSO_TARGET);
            }
        }
        problem_release(&p);
    }
    rp_safetensors_free(st);
}

static void coefficients_and_support_are_scikit_learns_where_they_are_unique(void **state)
{
    (void)state;
    rp_safetensors *st;
    rp_error err;
    assert_ok(rp_safetensors_open(&st, rp_test_golden("probe/solvers.safetensors"), &err), &err);
    for (size_t i = 0; i < 2; i++) {
        problem p;
        problem_golden(&p, st, designs[i]);
        problem_ready(&p, 1, true);
        for (size_t a = 0; a < 4; a++) {
            fixed(&p, penalties[a]);
            for (size_t k = 0; k < p.labels; k++)
                for (size_t j = 0; j < p.width; j++) {
                    size_t at = (k * 4 + a) * p.width + j;
                    double got = problem_standard(&p, k, j),
                           want = golden_at(st, designs[i], "lasso", at);
                    assert_true(fabs(got - want) < 1e-7);
                    assert_int_equal(got != 0, fabs(want) > 1e-9);
                }
        }
        problem_release(&p);
    }
    rp_safetensors_free(st);
}

/* Designs that solvers trip over. */
static void nasty(problem *p, rp_rng *rng, int kind, size_t n, size_t D)
{
    problem_alloc(p, n, D, 2);
    for (size_t i = 0; i < n; i++) {
        double common = rp_rng_normal(rng), other = rp_rng_normal(rng);
        for (size_t j = 0; j < D; j++) {
            double noise = kind == 0 ? 1e-4 : kind == 1 ? .05 : 1;
            double v = common + (j % 3 ? other * sin((double)j) : 0) + noise * rp_rng_normal(rng);
            if (kind == 2) v *= pow(10, (double)(j % 9) - 4);
            if (kind == 2 && j % 5 == 0) v += 1e3;
            if (kind == 3 && j >= D / 2) v = (j % 2 ? -1 : 1) * (double)p->x[i * D + j - D / 2];
            if (kind == 4) v = (double)(rp_rng_below(rng, 2)); /* many exact ties */
            if (j == D - 1) v = 17;                            /* constant */
            p->x[i * D + j] = (float)v;
        }
        for (size_t k = 0; k < 2; k++) {
            double y = (k ? 1e6 : 1) * (common + .3 * rp_rng_normal(rng));
            for (size_t j = 0; j < 3; j++) y += k ? 0 : (double)p->x[i * D + j];
            p->y[k * n + i] = y;
        }
    }
}

static void the_optimality_conditions_hold_on_nasty_designs(void **state)
{
    (void)state;
    rp_rng rng;
    rp_rng_init(&rng, 5, 0);
    for (int kind = 0; kind < 5; kind++)
        for (int size = 0; size < 3; size++) {
            problem p;
            nasty(&p, &rng, kind, size == 0 ? 25 : 90, size == 2 ? 30 : 60);
            problem_ready(&p, 1, true);
            for (size_t k = 0; k < 2; k++) {
                double most = rp_lasso_max(&p.mo, 0, k);
                for (double a = most; a > most * 5e-4; a *= .6) {
                    fixed(&p, a);
                    assert_true(p.fit.gap[k] <= RP_LASSO_TARGET);
                    assert_true(problem_violation(&p, k, a, NULL) < 1e-4 * a + 1e-9);
                    assert_true(p.fit.w[k * p.width + p.width - 1] == 0); /* the constant */
                }
            }
            problem_release(&p);
        }
}

static void at_the_largest_penalty_every_coefficient_is_exactly_zero(void **state)
{
    (void)state;
    rp_rng rng;
    rp_rng_init(&rng, 6, 0);
    problem p;
    nasty(&p, &rng, 1, 50, 20);
    problem_ready(&p, 1, true);
    double most = rp_lasso_max(&p.mo, 0, 0);
    fixed(&p, most);
    assert_int_equal(p.fit.units[0], 0);
    fixed(&p, 2 * most);
    assert_int_equal(p.fit.units[0], 0);
    fixed(&p, .999 * most);
    assert_true(p.fit.units[0] > 0);
    problem_release(&p);
}

static void a_planted_support_is_found_among_noise(void **state)
{
    (void)state;
    rp_rng rng;
    rp_rng_init(&rng, 7, 0);
    problem p;
    problem_alloc(&p, 400, 200, 1);
    for (size_t i = 0; i < p.n; i++) {
        for (size_t j = 0; j < p.width; j++) p.x[i * p.width + j] = (float)rp_rng_normal(&rng);
        const float *x = p.x + i * p.width;
        p.y[i] = 2 * (double)x[3] - (double)x[70] + (double)x[199] + .3 * rp_rng_normal(&rng);
    }
    problem_ready(&p, 1, true);
    fixed(&p, .1);
    assert_int_equal(p.fit.units[0], 3);
    assert_true(p.fit.w[3] > 0 && p.fit.w[70] < 0 && p.fit.w[199] > 0);
    problem_release(&p);
}

static void the_path_ends_where_the_fixed_penalty_is(void **state)
{
    (void)state;
    rp_rng rng;
    rp_rng_init(&rng, 8, 0);
    problem p;
    nasty(&p, &rng, 1, 120, 40);
    problem_ready(&p, 5, true);
    fixed(&p, NAN);
    double *w = rp_alloc(p.width, sizeof *w), a = p.fit.penalty[0], objective, again;
    assert_non_null(w);
    assert_true(p.fit.cv[0] > .5);
    memcpy(w, p.fit.w, p.width * sizeof *w);
    assert_true(problem_violation(&p, 0, a, &objective) < 1e-8);
    fixed(&p, a);
    assert_true(problem_violation(&p, 0, a, &again) < 1e-8);
    assert_true(fabs(objective - again) <= 1e-12 * objective);
    assert_close(p.fit.w, w, p.width, 1e-6, 1e-8);
    free(w);
    problem_release(&p);
}

static void coordinate_descent_agrees_with_exact_steps(void **state)
{
    (void)state;
    rp_rng rng;
    rp_rng_init(&rng, 9, 0);
    problem p;
    rp_gram cols;
    rp_lasso exact, cd;
    rp_error err;
    nasty(&p, &rng, 2, 80, 25);
    problem_ready(&p, 1, true);
    assert_ok(rp_gram_init(&cols, &p.mo, &err), &err);
    assert_ok(rp_lasso_init(&exact, &cols, 0, 0, &err), &err);
    assert_ok(rp_lasso_init(&cd, &cols, 0, 0, &err), &err);
    assert_ok(rp_lasso_solve(&exact, .05, &err), &err);
    assert_ok(rp_lasso_descend(&cd, .05, &err), &err);
    assert_true(cd.gap <= RP_LASSO_TARGET);
    assert_close(cd.w, exact.w, p.width, 0, 1e-3);
    assert_ok(rp_lasso_solve(&cd, .04, &err), &err); /* and exact steps go on from there */
    assert_true(cd.gap <= RP_LASSO_TARGET);
    rp_lasso_release(&exact), rp_lasso_release(&cd);
    rp_gram_release(&cols);
    problem_release(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_objective_is_scikit_learns_at_its_tightest_tolerance),
        cmocka_unit_test(coefficients_and_support_are_scikit_learns_where_they_are_unique),
        cmocka_unit_test(the_optimality_conditions_hold_on_nasty_designs),
        cmocka_unit_test(at_the_largest_penalty_every_coefficient_is_exactly_zero),
        cmocka_unit_test(a_planted_support_is_found_among_noise),
        cmocka_unit_test(the_path_ends_where_the_fixed_penalty_is),
        cmocka_unit_test(coordinate_descent_agrees_with_exact_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
