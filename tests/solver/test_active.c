#include <math.h>

#include "base/number.h"
#include "solver/active.h"
#include "support/support.h"

/* A = G G' / m of rank at most m, unit diagonal; c = G t / m. */
static void fill(rp_active *s, rp_rng *rng, size_t n, size_t m)
{
    double g[60][40], t[40];
    rp_error err;
    assert_true(n <= 60 && m <= 40);
    for (size_t i = 0; i < m; i++) t[i] = rp_rng_normal(rng);
    for (size_t j = 0; j < n; j++) {
        double square = 0;
        for (size_t i = 0; i < m; i++) {
            g[j][i] = .7 * t[i] * ((double)(j % 5) - 2) + rp_rng_normal(rng);
            if (j % 7 == 6) g[j][i] = (j % 2 ? -1 : 1) * g[j - 1][i]; /* twins */
            square += g[j][i] * g[j][i] / (double)m;
        }
        for (size_t i = 0; i < m; i++) g[j][i] /= sqrt(square);
    }
    assert_ok(rp_active_resize(s, n, &err), &err);
    for (size_t j = 0; j < n; j++) {
        s->c[j] = 0;
        for (size_t i = 0; i < m; i++) s->c[j] += g[j][i] * t[i] / (double)m;
        for (size_t k = 0; k < n; k++) {
            double *a = &s->a[j * s->cap + k];
            *a = 0;
            for (size_t i = 0; i < m; i++) *a += g[j][i] * g[k][i] / (double)m;
        }
    }
}

static double objective(const rp_active *s, double a, double b, double *violation)
{
    double value = 0;
    *violation = 0;
    for (size_t j = 0; j < s->n; j++) {
        double q = s->c[j] - b * s->w[j];
        for (size_t k = 0; k < s->n; k++) q -= s->a[j * s->cap + k] * s->w[k];
        value += a * fabs(s->w[j]) - .5 * s->w[j] * (q + s->c[j]);
        *violation = fmax(*violation, s->w[j] != 0 ? fabs(q - copysign(a, s->w[j])) : fabs(q) - a);
    }
    return value;
}

static void the_conditions_hold_down_a_path_whatever_the_rank(void **state)
{
    (void)state;
    static const size_t columns[] = {1, 12, 60}, rank[] = {3, 12, 40};
    rp_rng rng;
    rp_rng_init(&rng, 31, 0);
    for (size_t i = 0; i < 9; i++) {
        rp_active s = {.pivot = 1e-9};
        double violation;
        fill(&s, &rng, columns[i / 3], rank[i % 3]);
        for (double a = 2; a > 1e-3; a *= .7) {
            rp_active_solve(&s, a, 0);
            objective(&s, a, 0, &violation);
            assert_true(violation < 1e-8);
        }
        for (double b = 1e-3; b < 2; b *= 4) {
            rp_active_solve(&s, .01, b);
            objective(&s, .01, b, &violation);
            assert_true(violation < 1e-8);
        }
        rp_active_release(&s);
    }
}

static void coordinate_descent_comes_to_the_same_minimum(void **state)
{
    (void)state;
    rp_rng rng;
    rp_rng_init(&rng, 32, 0);
    for (int i = 0; i < 4; i++) {
        rp_active s = {.pivot = 1e-9};
        double violation, want, got;
        fill(&s, &rng, 20, i % 2 ? 10 : 40);
        rp_active_descend(&s, .05, .01, false);
        want = objective(&s, .05, .01, &violation);
        rp_active_solve(&s, .05, .01); /* exact steps go on from there */
        got = objective(&s, .05, .01, &violation);
        assert_true(violation < 1e-9);
        assert_true(fabs(got - want) <= 1e-9 * fabs(want));
        rp_active_clear(&s);
        fill(&s, &rng, 20, 30);
        for (size_t j = 0; j < 20; j++) s.w[j] = rp_rng_normal(&rng); /* a start that is far off */
        s.stale = true;
        rp_active_solve(&s, .05, 0);
        objective(&s, .05, 0, &violation);
        assert_true(violation < 1e-9);
        rp_active_release(&s);
    }
}

static void columns_that_join_leave_the_solution_warm(void **state)
{
    (void)state;
    rp_rng rng;
    rp_error err;
    rp_active all = {.pivot = 1e-9}, some = {.pivot = 1e-9};
    double violation;
    rp_rng_init(&rng, 33, 0);
    fill(&all, &rng, 60, 40);
    for (size_t n = 0; n <= 60; n += 15) {
        assert_ok(rp_active_resize(&some, n, &err), &err);
        for (size_t j = 0; j < n; j++) {
            some.c[j] = all.c[j];
            for (size_t k = 0; k < n; k++) some.a[j * some.cap + k] = all.a[j * all.cap + k];
        }
        rp_active_solve(&some, .03, 0);
        objective(&some, .03, 0, &violation);
        assert_true(violation < 1e-9);
    }
    rp_active_solve(&all, .03, 0);
    assert_true(fabs(objective(&all, .03, 0, &violation) - objective(&some, .03, 0, &violation)) <
                1e-12);
    rp_active_release(&all), rp_active_release(&some);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_conditions_hold_down_a_path_whatever_the_rank),
        cmocka_unit_test(coordinate_descent_comes_to_the_same_minimum),
        cmocka_unit_test(columns_that_join_leave_the_solution_warm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
