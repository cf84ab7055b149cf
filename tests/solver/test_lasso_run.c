#include "solver/problem.h"

enum { N = 150, D = 40, OUTER = 3, INNER = 3 };

/* Three labels: easy, weak, constant. */
static void make(problem *p, bool gram)
{
    rp_rng rng;
    rp_rng_init(&rng, 21, 0);
    problem_alloc(p, N, D, 3);
    for (size_t i = 0; i < N; i++) {
        double common = rp_rng_normal(&rng), *y = p->y + i;
        for (size_t j = 0; j < D; j++)
            p->x[i * D + j] = (float)(common + rp_rng_normal(&rng) * (1 + (double)j));
        const float *x = p->x + i * D;
        y[0] = (double)x[2] - .2 * (double)x[7] + .5 * rp_rng_normal(&rng);
        y[N] = .1 * common + rp_rng_normal(&rng);
        y[2 * N] = 4;
    }
    problem_ready(p, OUTER, INNER, gram);
}

static void release(rp_fit *fit)
{
    for (size_t o = 0; o <= OUTER; o++) rp_fit_release(&fit[o]);
}

/* The prediction of row i by a fit, in units of y. */
static double predicted(const problem *p, const rp_fit *fit, size_t label, size_t i)
{
    double f = fit->b[label];
    for (size_t j = 0; j < D; j++)
        f += fit->w[label * D + j] * ((double)p->x[i * D + j] - p->d.mean[j]) / p->d.scale[j];
    return f * p->d.yscale[label] + p->d.ymean[label];
}

static void a_given_penalty_gives_what_every_training_set_gives_by_itself(void **state)
{
    (void)state;
    problem p;
    rp_fit fit[OUTER + 1];
    rp_error err;
    make(&p, false);
    assert_ok(rp_lasso_run(fit, &p.cells, .05, .9, true, NULL, &err), &err);
    for (int o = 0; o <= OUTER; o++) {
        rp_set set;
        rp_lasso_problem l[3] = {0};
        assert_ok(rp_set_init(&set, &p.cells, o < OUTER ? o : -1, -1, &err), &err);
        problem_solve(&p, l, &set, .05, .9);
        for (size_t k = 0; k < 3; k++) {
            assert_int_equal(fit[o].units[k], l[k].units);
            assert_true(fit[o].penalty[k] == .05 && fit[o].gap[k] <= RP_LASSO_TARGET);
            for (size_t i = 0; i < N; i += 7) {
                double want = set.ymu[k];
                for (size_t h = 0; h < l[k].units; h++) {
                    size_t j = l[k].unit[h];
                    double u = ((double)p.x[i * D + j] - p.d.mean[j]) / p.d.scale[j];
                    want += l[k].w[h] * (u - set.mu[j]) * set.inv[j] / set.yinv[k];
                }
                want = want * p.d.yscale[k] + p.d.ymean[k];
                assert_true(fabs(predicted(&p, &fit[o], k, i) - want) < 1e-9);
            }
            rp_lasso_problem_release(&l[k]);
        }
        assert_int_equal(fit[o].units[2], 0); /* the constant */
        rp_set_release(&set);
    }
    for (size_t o = 0; o < OUTER; o++) {
        assert_true(fit[o].cv[0] > .8 && fit[o].cv[0] < 1);
        assert_true(fit[o].cv[1] < .3);
        assert_true(isnan(fit[o].cv[2]));
    }
    release(fit);
    problem_release(&p);
}

/* The penalty and cv by solving for every penalty of the path by itself. */
static double choose(problem *p, int outer, size_t label, double ratio, double *cv)
{
    rp_error err;
    rp_set set, inner[INNER];
    const rp_set *each[INNER];
    rp_lasso_problem l[3] = {0};
    double sse[INNER * RP_LASSO_PATH], most = 0, least = INFINITY;
    assert_ok(rp_set_init(&set, &p->cells, outer, -1, &err), &err);
    for (size_t j = 0; j < D; j++) most = fmax(most, fabs(set.c[label * D + j]) / ratio);
    for (int f = 0; f < INNER; f++) {
        assert_ok(rp_set_init(&inner[f], &p->cells, outer, f, &err), &err);
        each[f] = &inner[f];
    }
    for (size_t i = 0; i < INNER * RP_LASSO_PATH; i++) sse[i] = INFINITY;
    for (size_t k = 0, best = 0; k < RP_LASSO_PATH && k <= best + 15; k++) {
        double pooled = 0;
        for (size_t f = 0; f < INNER; f++) {
            double *to = &sse[f * RP_LASSO_PATH + k];
            problem_solve(p, l, &inner[f], most * pow(10, -3. * (double)k / 99), ratio);
            assert_ok(rp_lasso_held(to, &l[label], &inner[f], &p->panel, &err), &err);
            pooled += *to / (inner[f].yinv[label] * inner[f].yinv[label]);
        }
        if (pooled < least) least = pooled, best = k;
    }
    size_t best = rp_penalty_choose(cv, sse, RP_LASSO_PATH, each, INNER, label);
    for (size_t f = 0; f < INNER; f++) rp_set_release(&inner[f]), rp_lasso_problem_release(&l[f]);
    rp_set_release(&set);
    return most * pow(10, -3. * (double)best / 99);
}

static void a_path_chooses_what_the_penalties_one_by_one_choose(void **state)
{
    (void)state;
    problem p;
    rp_fit fit[OUTER + 1];
    rp_error err;
    make(&p, true);
    for (double ratio = 1; ratio > .3; ratio -= .6) {
        assert_ok(rp_lasso_run(fit, &p.cells, NAN, ratio, true, NULL, &err), &err);
        for (size_t k = 0; k < 2; k++)
            for (int o = 0; o < OUTER; o++) {
                double cv, want = choose(&p, o, k, ratio, &cv);
                assert_true(fabs(fit[o].penalty[k] - want) <= 1e-12 * want);
                assert_true(fabs(fit[o].cv[k] - cv) < 1e-5);
                assert_true(fit[o].gap[k] <= RP_LASSO_TARGET);
            }
        double a = fit[0].penalty[0], b = fit[1].penalty[0], c = fit[2].penalty[0];
        assert_true(fit[OUTER].penalty[0] == fmax(fmin(a, b), fmin(fmax(a, b), c)));
        assert_true(fit[OUTER].units[0] >= 2);
        release(fit);
    }
    problem_release(&p);
}

static void the_bytes_do_not_depend_on_the_number_of_threads(void **state)
{
    (void)state;
    problem p;
    rp_fit one[OUTER + 1], three[OUTER + 1];
    rp_error err;
    make(&p, true);
    for (int path = 0; path < 2; path++) {
        omp_set_num_threads(1);
        assert_ok(rp_lasso_run(one, &p.cells, path ? NAN : .03, 1, true, NULL, &err), &err);
        omp_set_num_threads(3);
        assert_ok(rp_lasso_run(three, &p.cells, path ? NAN : .03, 1, true, NULL, &err), &err);
        for (size_t o = 0; o <= OUTER; o++) {
            assert_memory_equal(one[o].w, three[o].w, 3 * D * sizeof(double));
            assert_memory_equal(one[o].b, three[o].b, 3 * sizeof(double));
            assert_memory_equal(one[o].cv, three[o].cv, 3 * sizeof(double));
            assert_memory_equal(one[o].gap, three[o].gap, 3 * sizeof(double));
        }
        release(one), release(three);
    }
    omp_set_num_threads(1);
    problem_release(&p);
}

static void what_cannot_be_asked_for_is_refused(void **state)
{
    (void)state;
    problem p;
    rp_fit fit[OUTER + 1];
    rp_error err;
    make(&p, false);
    assert_fails(rp_lasso_run(fit, &p.cells, 0, 1, false, NULL, &err), &err, RP_EARG,
                 "penalty of the lasso is not above 0: 0");
    assert_fails(rp_lasso_run(fit, &p.cells, .1, 0, false, NULL, &err), &err, RP_EARG,
                 "l1_ratio is not above 0 and at most 1: 0");
    p.folds.ninner = 0;
    assert_fails(rp_lasso_run(fit, &p.cells, NAN, 1, false, NULL, &err), &err, RP_EARG,
                 "a penalty is chosen by inner folds, of which there are none");
    problem_release(&p);
}

static int refuse(void *arg, const char *what, size_t done, size_t total)
{
    (void)what, (void)done, (void)total;
    return ++*(int *)arg > 0;
}

static void a_host_that_wants_to_stop_stops_it(void **state)
{
    (void)state;
    int calls = 0;
    problem p;
    rp_fit fit[OUTER + 1];
    rp_host host = {.arg = &calls, .progress = refuse};
    rp_error err;
    make(&p, true);
    assert_int_equal(rp_lasso_run(fit, &p.cells, NAN, 1, false, &host, &err), RP_ECANCEL);
    assert_int_equal(rp_lasso_run(fit, &p.cells, .1, 1, false, &host, &err), RP_ECANCEL);
    assert_int_equal(calls, 2);
    problem_release(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_given_penalty_gives_what_every_training_set_gives_by_itself),
        cmocka_unit_test(a_path_chooses_what_the_penalties_one_by_one_choose),
        cmocka_unit_test(the_bytes_do_not_depend_on_the_number_of_threads),
        cmocka_unit_test(what_cannot_be_asked_for_is_refused),
        cmocka_unit_test(a_host_that_wants_to_stop_stops_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
