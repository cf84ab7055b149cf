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

/* glmnet's coefficients as a solution of ours, for its objective. */
static void of_glmnet(rp_lasso_problem *g, const rp_safetensors *st, const char *design, size_t at,
                      size_t label, size_t width, double penalty)
{
    *g = (rp_lasso_problem){.label = label, .penalty = penalty};
    g->unit = rp_alloc(width, sizeof *g->unit), g->w = rp_alloc(width, sizeof *g->w);
    assert_true(g->unit && g->w);
    for (size_t j = 0; j < width; j++) {
        double w = golden_at(st, design, "w", (label * 12 + at) * width + j);
        if (w != 0) g->unit[g->units] = j, g->w[g->units++] = w;
    }
}

static void objective_and_support_are_glmnets(void **state)
{
    (void)state;
    static const char *const made[] = {"plain", "wild", "wide", "twins"};
    rp_safetensors *st, *glmnet;
    rp_error err;
    assert_ok(rp_safetensors_open(&st, rp_test_golden("solver/lasso.safetensors"), &err), &err);
    assert_ok(rp_safetensors_open(&glmnet, rp_test_golden("solver/lasso_glmnet.safetensors"), &err),
              &err);
    for (size_t i = 0; i < 4; i++) {
        problem p;
        rp_set set;
        rp_lasso_problem l[3] = {0}, g;
        problem_golden(&p, st, made[i]);
        problem_ready(&p, 1, 0, false);
        assert_ok(rp_set_init(&set, &p.cells, -1, -1, &err), &err);
        for (size_t at = 0; at < 12; at++) {
            double ratio = ratios[at / 4], ours, theirs;
            problem_solve(&p, l, &set, penalties[at % 4], ratio);
            for (size_t k = 0; k < 3; k++) {
                of_glmnet(&g, glmnet, made[i], at, k, p.width, penalties[at % 4]);
                problem_violation(&p, &l[k], &set, ratio, &ours);
                problem_violation(&p, &g, &set, ratio, &theirs);
                assert_true(ours <= theirs * (1 + 1e-12));
                assert_true(ours >= theirs * (1 - 1e-6));
                if (i < 3) { /* of twins any is right */
                    assert_int_equal(l[k].units, g.units);
                    assert_memory_equal(l[k].unit, g.unit, g.units * sizeof *g.unit);
                    assert_close(l[k].w, g.w, g.units, 1e-6, 1e-7);
                }
                rp_lasso_problem_release(&g);
            }
        }
        for (size_t k = 0; k < 3; k++) rp_lasso_problem_release(&l[k]);
        rp_set_release(&set);
        problem_release(&p);
    }
    rp_safetensors_free(st), rp_safetensors_free(glmnet);
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

static void at_the_largest_penalty_every_coefficient_is_exactly_zero(void **state)
{
    (void)state;
    rp_rng rng;
    rp_error err;
    problem p;
    rp_set set;
    rp_lasso_problem l[2] = {0};
    double most = 0;
    rp_rng_init(&rng, 6, 0);
    problem_nasty(&p, &rng, 1, 50, 20);
    problem_ready(&p, 1, 0, false);
    assert_ok(rp_set_init(&set, &p.cells, -1, -1, &err), &err);
    for (size_t j = 0; j < p.width; j++) most = fmax(most, fabs(set.c[j]));
    for (size_t r = 0; r < 3; r++) {
        problem_solve(&p, l, &set, most * (1 + 1e-12) / ratios[r], ratios[r]);
        assert_int_equal(l[0].units, 0);
        assert_true(l[0].gap <= RP_LASSO_TARGET);
        problem_solve(&p, l, &set, .999 * most / ratios[r], ratios[r]);
        assert_true(l[0].units > 0);
    }
    rp_lasso_problem_release(&l[0]), rp_lasso_problem_release(&l[1]);
    rp_set_release(&set);
    problem_release(&p);
}

static void a_planted_support_is_found_among_noise(void **state)
{
    (void)state;
    rp_rng rng;
    rp_error err;
    problem p;
    rp_set set;
    rp_lasso_problem l[1] = {0};
    rp_rng_init(&rng, 7, 0);
    problem_alloc(&p, 400, 200, 1);
    for (size_t i = 0; i < p.n; i++) {
        for (size_t j = 0; j < p.width; j++) p.x[i * p.width + j] = (float)rp_rng_normal(&rng);
        const float *x = p.x + i * p.width;
        p.y[i] = 2 * (double)x[3] - (double)x[70] + (double)x[199] + .3 * rp_rng_normal(&rng);
    }
    problem_ready(&p, 1, 0, false);
    assert_ok(rp_set_init(&set, &p.cells, -1, -1, &err), &err);
    problem_solve(&p, l, &set, .1, 1);
    assert_int_equal(l[0].units, 3);
    assert_true(l[0].unit[0] == 3 && l[0].unit[1] == 70 && l[0].unit[2] == 199);
    assert_true(l[0].w[0] > 0 && l[0].w[1] < 0 && l[0].w[2] > 0);
    rp_lasso_problem_release(&l[0]);
    rp_set_release(&set);
    problem_release(&p);
}

static void rows_that_are_masked_count_as_little_as_rows_that_are_not_there(void **state)
{
    (void)state;
    rp_rng rng;
    rp_error err;
    for (int kind = 1; kind < 6; kind++) {
        problem p, q;
        rp_set masked, whole;
        rp_lasso_problem l[2] = {0}, k[2] = {0};
        rp_rng_init(&rng, 9, 0);
        problem_nasty(&p, &rng, kind, 90, 40);
        problem_alloc(&q, 60, 40, 2);
        for (size_t i = 0, to = 0; i < 90; i++) {
            if (i >= 30 && i < 60) continue;
            memcpy(q.x + to * 40, p.x + i * 40, 40 * sizeof *p.x);
            q.y[to] = p.y[i], q.y[60 + to++] = p.y[90 + i];
        }
        problem_ready(&p, 3, 0, false), problem_ready(&q, 1, 0, false);
        assert_ok(rp_set_init(&masked, &p.cells, 1, -1, &err), &err);
        assert_ok(rp_set_init(&whole, &q.cells, -1, -1, &err), &err);
        problem_solve(&p, l, &masked, .02, 1), problem_solve(&q, k, &whole, .02, 1);
        for (size_t y = 0; y < 2; y++) {
            double got, want;
            assert_true(problem_violation(&p, &l[y], &masked, 1, &got) < 1e-9);
            assert_true(problem_violation(&q, &k[y], &whole, 1, &want) < 1e-9);
            assert_true(fabs(got - want) <= 1e-12 * want);
            rp_lasso_problem_release(&l[y]), rp_lasso_problem_release(&k[y]);
        }
        rp_set_release(&masked), rp_set_release(&whole);
        problem_release(&p), problem_release(&q);
    }
}

static void the_order_of_rows_and_columns_does_not_matter(void **state)
{
    (void)state;
    enum { N = 70, D = 90 };
    rp_rng rng;
    rp_error err;
    problem p, q;
    rp_set set[2];
    rp_lasso_problem l[2] = {0}, k[2] = {0};
    size_t row[N], col[D];
    rp_rng_init(&rng, 10, 0);
    problem_nasty(&p, &rng, 1, N, D);
    problem_alloc(&q, N, D, 2);
    for (size_t i = 0; i < N; i++) row[i] = i;
    for (size_t j = 0; j < D; j++) col[j] = j;
    rp_rng_shuffle(&rng, row, N), rp_rng_shuffle(&rng, col, D);
    for (size_t i = 0; i < N; i++) {
        for (size_t j = 0; j < D; j++) q.x[i * D + j] = p.x[row[i] * D + col[j]];
        for (size_t y = 0; y < 2; y++) q.y[y * N + i] = p.y[y * N + row[i]];
    }
    problem_ready(&p, 1, 0, false), problem_ready(&q, 1, 0, false);
    assert_ok(rp_set_init(&set[0], &p.cells, -1, -1, &err), &err);
    assert_ok(rp_set_init(&set[1], &q.cells, -1, -1, &err), &err);
    problem_solve(&p, l, &set[0], .01, .8), problem_solve(&q, k, &set[1], .01, .8);
    for (size_t y = 0; y < 2; y++) {
        double got, want;
        problem_violation(&p, &l[y], &set[0], .8, &got);
        problem_violation(&q, &k[y], &set[1], .8, &want);
        assert_true(fabs(got - want) <= 1e-12 * want);
        rp_lasso_problem_release(&l[y]), rp_lasso_problem_release(&k[y]);
    }
    rp_set_release(&set[0]), rp_set_release(&set[1]);
    problem_release(&p), problem_release(&q);
}

/* So dense that Grams of working sets are not kept; from the cells' Grams it is the same minimum.
 */
static void working_sets_as_wide_as_x_end_at_the_same_minimum(void **state)
{
    (void)state;
    problem p;
    rp_set set[2];
    rp_rng rng;
    rp_error err;
    rp_lasso_problem l[2][2] = {{{0}}};
    rp_rng_init(&rng, 8, 0);
    problem_alloc(&p, 1600, 1060, 1);
    for (size_t i = 0; i < p.n * p.width; i++) p.x[i] = (float)rp_rng_normal(&rng);
    for (size_t i = 0; i < p.n; i++) p.y[i] = rp_rng_normal(&rng);
    problem_ready(&p, 4, 2, true);
    for (int s = 0; s < 2; s++) assert_ok(rp_set_init(&set[s], &p.cells, s - 1, -1, &err), &err);
    for (int grams = 0; grams < 2; grams++) {
        rp_lasso_rows rows;
        assert_ok(rp_lasso_rows_init(&rows, &p.d, grams ? &p.cells : NULL, set, 2, &err), &err);
        assert_int_equal(rows.parts, 4);
        for (size_t s = 0; s < 2; s++)
            l[grams][s] = (rp_lasso_problem){.set = s, .penalty = s ? 1e-4 : 1e-6};
        assert_ok(rp_lasso_solve(l[grams], 2, &p.panel, &rows, 1, NULL, &err), &err);
        rp_lasso_rows_release(&rows);
    }
    assert_true(l[0][0].units > 1024);
    for (size_t s = 0; s < 2; s++) {
        const rp_lasso_problem *a = &l[0][s], *b = &l[1][s];
        assert_true(a->gap <= RP_LASSO_TARGET && b->gap <= RP_LASSO_TARGET);
        assert_int_equal(a->units, b->units);
        assert_memory_equal(a->unit, b->unit, a->units * sizeof *a->unit);
        assert_close(a->w, b->w, a->units, 1e-7, 1e-9);
        assert_true(problem_violation(&p, a, &set[s], 1, NULL) < 1e-9);
        rp_lasso_problem_release(&l[0][s]), rp_lasso_problem_release(&l[1][s]);
        rp_set_release(&set[s]);
    }
    problem_release(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_objective_is_scikit_learns_at_its_tightest_tolerance),
        cmocka_unit_test(coefficients_and_support_are_scikit_learns_where_they_are_unique),
        cmocka_unit_test(objective_and_support_are_glmnets),
        cmocka_unit_test(the_optimality_conditions_hold_on_nasty_designs),
        cmocka_unit_test(at_the_largest_penalty_every_coefficient_is_exactly_zero),
        cmocka_unit_test(a_planted_support_is_found_among_noise),
        cmocka_unit_test(rows_that_are_masked_count_as_little_as_rows_that_are_not_there),
        cmocka_unit_test(the_order_of_rows_and_columns_does_not_matter),
        cmocka_unit_test(working_sets_as_wide_as_x_end_at_the_same_minimum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
