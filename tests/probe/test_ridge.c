#include "probe/problem.h"

static const double penalties[] = {.5, .1, .02, .003};

static void ridge(problem *p, const double *value, size_t n)
{
    rp_error err;
    rp_grid grid = {n, value};
    assert_ok(rp_ridge_fit(&p->fit, &p->mo, &grid, false, &err), &err);
}

static void coefficients_are_scikit_learns(void **state)
{
    (void)state;
    static const char *const designs[] = {"plain", "wild", "twins", "ill", "wide"};
    rp_safetensors *st;
    rp_error err;
    assert_ok(rp_safetensors_open(&st, rp_test_golden("probe/solvers.safetensors"), &err), &err);
    for (size_t i = 0; i < 5; i++) {
        problem p;
        problem_golden(&p, st, designs[i]);
        problem_ready(&p, 1, true);
        double *got = rp_alloc(p.width, sizeof *got), *want = rp_alloc(p.width, sizeof *want);
        assert_true(got && want);
        for (size_t a = 0; a < 4; a++) {
            ridge(&p, &penalties[a], 1);
            for (size_t k = 0; k < p.labels; k++) {
                for (size_t j = 0; j < p.width; j++) {
                    size_t at = (k * 4 + a) * p.width + j;
                    got[j] = problem_standard(&p, k, j);
                    want[j] = golden_at(st, designs[i], "ridge", at);
                }
                assert_close(got, want, p.width, 1e-8, 1e-10);
            }
        }
        free(got), free(want);
        problem_release(&p);
    }
    rp_safetensors_free(st);
}

static void fill(problem *p, size_t n, size_t D)
{
    rp_rng rng;
    rp_rng_init(&rng, 11, 0);
    problem_alloc(p, n, D, 2);
    for (size_t i = 0; i < n; i++) {
        double common = rp_rng_normal(&rng);
        for (size_t j = 0; j < D; j++)
            p->x[i * D + j] =
                (float)((common + rp_rng_normal(&rng)) * (double)(1 + j % 4) + (double)j);
        p->y[i] = common + .5 * rp_rng_normal(&rng);
        p->y[n + i] = rp_rng_normal(&rng);
    }
}

/* The held-out errors of the downdated fold sums against folds that are refitted from rows. */
static void leaving_a_fold_out_of_the_sums_is_refitting_without_its_rows(void **state)
{
    (void)state;
    for (size_t D = 12; D <= 150; D += 138) { /* primal and kernel side */
        problem all;
        double lambda = .05, mean = 0;
        fill(&all, 100, D);
        problem_ready(&all, 5, true);
        ridge(&all, &lambda, 1);
        for (size_t f = 0; f < 5; f++) {
            problem part;
            size_t at = 0;
            double sse = 0, sst = 0;
            problem_alloc(&part, 80, D, 1);
            for (size_t i = 0; i < 100; i++) {
                if (i / 20 == f) continue;
                memcpy(part.x + at * D, all.x + i * D, D * sizeof *part.x);
                part.y[at++] = all.y[i];
            }
            problem_ready(&part, 1, true);
            ridge(&part, &lambda, 1);
            double base = part.d.ymean[0];
            for (size_t i = f * 20; i < f * 20 + 20; i++) {
                double guess = part.fit.b[0];
                for (size_t j = 0; j < D; j++)
                    guess += part.fit.w[j] * ((double)all.x[i * D + j] - part.d.mean[j]) /
                             part.d.scale[j];
                guess = guess * part.d.yscale[0] + base;
                sse += pow(all.y[i] - guess, 2), sst += pow(all.y[i] - base, 2);
            }
            mean += (1 - sse / sst) / 5;
            problem_release(&part);
        }
        assert_close(&all.fit.cv[0], &mean, 1, 1e-9, 0);
        problem_release(&all);
    }
}

static void the_kernel_side_gives_the_primal_coefficients(void **state)
{
    (void)state;
    problem wide, tall;
    double lambda = .1;
    fill(&wide, 40, 60);
    /* The same problem, every row twice: now there are more rows than columns. */
    problem_alloc(&tall, 80, 60, 2);
    for (size_t i = 0; i < 80; i++) {
        memcpy(tall.x + i * 60, wide.x + (i / 2) * 60, 60 * sizeof *tall.x);
        for (size_t k = 0; k < 2; k++) tall.y[k * 80 + i] = wide.y[k * 40 + i / 2];
    }
    problem_ready(&wide, 1, true);
    problem_ready(&tall, 1, true);
    ridge(&wide, &lambda, 1);
    ridge(&tall, &lambda, 1);
    assert_close(wide.fit.w, tall.fit.w, 120, 1e-9, 1e-12);
    problem_release(&wide);
    problem_release(&tall);
}

static void among_penalties_the_one_with_the_smallest_held_out_error_is_chosen(void **state)
{
    (void)state;
    static const double grid[] = {1e4, 1, 1e-4};
    problem p;
    fill(&p, 100, 12);
    problem_ready(&p, 5, true);
    double best = -INFINITY;
    for (size_t g = 0; g < 3; g++) {
        ridge(&p, &grid[g], 1);
        best = fmax(best, p.fit.cv[0]);
    }
    ridge(&p, grid, 3);
    assert_close(&p.fit.cv[0], &best, 1, 1e-12, 0);
    assert_true(p.fit.penalty[1] == 1e4); /* noise wants to be shrunk away */
    problem_release(&p);
}

static void columns_that_vary_only_in_the_fold_left_out_are_dead(void **state)
{
    (void)state;
    static const double grid[] = {1, 1e-4};
    problem p;
    rp_error err;
    for (int lengths = 0; lengths < 2; lengths++) { /* all lengths equal; two in fold 0 differ */
        problem_alloc(&p, 50, 3, 1);
        for (size_t i = 0; i < p.n; i++) {
            float t = lengths && i < 2 ? 194 : 198;
            p.x[i * 3] = t, p.x[i * 3 + 1] = 1 / t, p.x[i * 3 + 2] = logf(t);
            p.y[i] = sin((double)(i * i));
        }
        problem_ready(&p, 5, true);
        assert_int_equal(p.mo.set[0].dead, lengths ? 0 : 3);
        assert_int_equal(p.mo.set[1].dead, 3);
        ridge(&p, grid, 2);
        assert_ok(rp_lasso_fit(&p.fit, &p.mo, .1, &err), &err);
        problem_release(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(coefficients_are_scikit_learns),
        cmocka_unit_test(leaving_a_fold_out_of_the_sums_is_refitting_without_its_rows),
        cmocka_unit_test(the_kernel_side_gives_the_primal_coefficients),
        cmocka_unit_test(among_penalties_the_one_with_the_smallest_held_out_error_is_chosen),
        cmocka_unit_test(columns_that_vary_only_in_the_fold_left_out_are_dead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
