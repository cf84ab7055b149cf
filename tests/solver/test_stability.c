#include "solver/problem.h"
#include "solver/stability.h"

enum { QUERIES = 60, EACH = 4, N = QUERIES * EACH, D = 80 };

/* Label 0: three units and noise; the other labels: nothing at all. Rows of a query are alike. */
static void make(problem *p, size_t *query, uint64_t seed, size_t labels)
{
    rp_rng rng;
    rp_rng_init(&rng, seed, 0);
    problem_alloc(p, N, D, labels);
    double base[D];
    for (size_t i = 0; i < N; i++) {
        query[i] = i / EACH;
        for (size_t j = 0; j < D; j++) {
            if (i % EACH == 0) base[j] = rp_rng_normal(&rng);
            p->x[i * D + j] = (float)(base[j] + rp_rng_normal(&rng));
        }
        const float *x = p->x + i * D;
        for (size_t k = 0; k < labels; k++) p->y[k * N + i] = rp_rng_normal(&rng);
        p->y[i] += (double)x[5] - (double)x[30] + (double)x[77];
    }
    problem_ready(p, 1, 0, false);
}

static rp_stability_options options(const size_t *query)
{
    return (rp_stability_options){.query = query,
                                  .nqueries = QUERIES,
                                  .pairs = 20,
                                  .threshold = .75,
                                  .pfer = 1,
                                  .l1_ratio = 1,
                                  .seed = 3};
}

static void planted_units_are_selected_almost_always(void **state)
{
    (void)state;
    problem p;
    size_t query[N];
    rp_stability s;
    rp_error err;
    make(&p, query, 1, 2);
    rp_stability_options o = options(query);
    assert_ok(rp_stability_run(&s, &p.cells, &o, &err), &err);
    size_t others = 0;
    assert_true(s.frequency[5] == 1 && s.frequency[30] == 1 && s.frequency[77] == 1);
    for (size_t j = 0; j < D; j++) others += s.frequency[j] >= .75F;
    assert_true((double)others - 3 <= s.bound[0]);
    double sum[2] = {0};
    for (size_t k = 0; k < 2; k++) {
        for (size_t j = 0; j < D; j++) sum[k] += (double)s.frequency[k * D + j];
        assert_true(fabs(sum[k] - s.selected[k]) < 1e-3);
        assert_true(fabs(s.bound[k] - s.selected[k] * s.selected[k] / (.5 * D)) < 1e-9);
        assert_true(s.selected[k] > 3 && s.selected[k] < 15); /* q is 6.3 */
        assert_true(s.penalty[k] > 0);
    }
    rp_stability_release(&s);
    problem_release(&p);
}

static void false_selections_stay_below_the_bound_where_there_is_nothing(void **state)
{
    (void)state;
    enum { LABELS = 32 };
    problem p;
    size_t query[N];
    rp_stability s;
    rp_error err;
    double false_ones = 0, bound = 0;
    make(&p, query, 2, LABELS);
    rp_stability_options o = options(query);
    o.pairs = 10;
    assert_ok(rp_stability_run(&s, &p.cells, &o, &err), &err);
    for (size_t k = 1; k < LABELS; k++) {
        bound += s.bound[k] / (LABELS - 1);
        for (size_t j = 0; j < D; j++)
            false_ones += s.frequency[k * D + j] >= .75F ? 1. / (LABELS - 1) : 0;
    }
    assert_true(false_ones <= bound + .3); /* three standard errors */
    rp_stability_release(&s);
    problem_release(&p);
}

static void same_seed_same_bytes_whatever_the_threads(void **state)
{
    (void)state;
    problem p;
    size_t query[N];
    rp_stability s[3];
    rp_error err;
    make(&p, query, 3, 3);
    rp_stability_options o = options(query);
    o.pairs = 3;
    for (int k = 0; k < 3; k++) {
        omp_set_num_threads(1 + 2 * (k % 2));
        o.seed = k < 2 ? 3 : 4;
        assert_ok(rp_stability_run(&s[k], &p.cells, &o, &err), &err);
    }
    omp_set_num_threads(1);
    assert_memory_equal(s[0].frequency, s[1].frequency, 3 * D * sizeof(float));
    assert_memory_not_equal(s[0].frequency, s[2].frequency, 3 * D * sizeof(float));
    for (int k = 0; k < 3; k++) rp_stability_release(&s[k]);
    problem_release(&p);
}

static void a_constant_label_has_no_frequencies(void **state)
{
    (void)state;
    problem p;
    size_t query[N];
    rp_stability s;
    rp_error err;
    make(&p, query, 4, 1);
    rp_design_release(&p.d);
    for (size_t i = 0; i < N; i++) p.y[i] = 2;
    assert_ok(rp_design_init(&p.d, &p.matrix, &p.folds, p.column, 1, 0, true, false, &err), &err);
    rp_cells_release(&p.cells);
    assert_ok(rp_cells_init(&p.cells, &p.d, false, &err), &err);
    rp_stability_options o = options(query);
    assert_ok(rp_stability_run(&s, &p.cells, &o, &err), &err);
    assert_true(isnan(s.penalty[0]) && s.selected[0] == 0 && s.frequency[0] == 0);
    rp_stability_release(&s);
    problem_release(&p);
}

static void what_cannot_be_halved_is_refused(void **state)
{
    (void)state;
    problem p;
    size_t query[N];
    rp_stability s;
    rp_error err;
    make(&p, query, 5, 1);
    rp_stability_options o = options(query);
    o.nqueries = 3;
    assert_fails(rp_stability_run(&s, &p.cells, &o, &err), &err, RP_EARG,
                 "x: 3 queries are too few to be halved");
    o = options(query), o.threshold = .5;
    assert_fails(rp_stability_run(&s, &p.cells, &o, &err), &err, RP_EARG,
                 "threshold is not above .5 and at most 1: 0.5");
    problem_release(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(planted_units_are_selected_almost_always),
        cmocka_unit_test(false_selections_stay_below_the_bound_where_there_is_nothing),
        cmocka_unit_test(same_seed_same_bytes_whatever_the_threads),
        cmocka_unit_test(a_constant_label_has_no_frequencies),
        cmocka_unit_test(what_cannot_be_halved_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
