#include "probe/arrays.h"

enum { QUERIES = 30, EACH = 8, WIDTH = 6, N = QUERIES * EACH };

static const char *const methods[] = {"ridge", "lasso"}, *const one[2] = {"y", NULL};

/* x of nq queries of m pairs, of width columns, is normal. */
static void make_normal(arrays *a, rp_rng *rng, uint64_t seed, size_t nq, size_t m, size_t width)
{
    rp_rng_init(rng, seed, 0);
    arrays_make(a, nq, m, width);
    for (size_t i = 0; i < nq * m * width; i++) a->made[i] = (float)rp_rng_normal(rng);
}

/* To probe for one label, or (name[1] not NULL) two; y[k] is name[k]'s. */
static rp_probe_options options(const arrays *a, const char *method, const char *const name[2],
                                const double *const y[2])
{
    rp_probe_options o;
    rp_probe_options_init(&o);
    o.features = arrays_features(a, name, y, name[1] ? 2 : 1);
    o.output = rp_test_path("fitting.tsv"), o.method = method;
    return o;
}

/* Layer 0 and layer 1 of a view; the label needs a unit of each. */
static void make(arrays *a, double *y)
{
    rp_rng rng;
    make_normal(a, &rng, 3, QUERIES, EACH, 2 * WIDTH);
    a->view[0] = (rp_store_view){"made", WIDTH, 0, 1};
    a->x[0][0] = a->made, a->x[0][1] = a->made + N * WIDTH;
    for (size_t i = 0; i < N; i++)
        y[i] = (double)a->x[0][0][i * WIDTH] + (double)a->x[0][1][i * WIDTH + 1] +
               .3 * rp_rng_normal(&rng);
}

/* The same pairs in the opposite order; its layer 1 is the first's layer 0. */
static void mirror(arrays *b, const arrays *a)
{
    arrays_make(b, QUERIES, EACH, 2 * WIDTH);
    b->view[0] = (rp_store_view){"made", WIDTH, 0, 1};
    b->x[0][0] = b->made, b->x[0][1] = b->made + N * WIDTH;
    for (size_t i = 0; i < N; i++) {
        b->row[i] = a->row[N - 1 - i];
        memcpy(b->made + (N + i) * WIDTH, a->x[0][0] + (N - 1 - i) * WIDTH, WIDTH * sizeof(float));
    }
}

static void gains_are_of_a_probe_on_both_over_one_on_the_baseline(void **state)
{
    (void)state;
    static double y[N];
    const double *const column[2] = {y};
    arrays a, b;
    make(&a, y);
    mirror(&b, &a);
    for (size_t m = 0; m < 2; m++) {
        rp_job job;
        rp_error err;
        rp_probe_options o = options(&a, methods[m], one, column);
        o.select = "y", o.controls = false, o.permutations = 0, o.bootstrap = 100;
        o.gains = "length,input";
        assert_ok(rp_job_init(&job, &a.source, &o, NULL, &err), &err);
        assert_ok(rp_job_against(&job, &b.source, &err), &err);
        assert_ok(rp_job_run(&job, &err), &err);
        const rp_result *first = arrays_result(&job, 0, "made", 0, "y");
        const rp_result *second = arrays_result(&job, 0, "made", 1, "y");
        const rp_gain *g = second->gain;
        assert_true(isnan(first->gain[RP_GAIN_INPUT].value)); /* the input over itself */
        assert_true(isnan(second->gain[RP_GAIN_SCORE].value));
        assert_true(g[RP_GAIN_INPUT].value > .35 && g[RP_GAIN_INPUT].lo > .3);
        assert_true(first->score.r2 + g[RP_GAIN_INPUT].value > .9); /* R2 of both together */
        /* nothing is in the length: the gain is all of R2 */
        assert_true(fabs(g[RP_GAIN_LENGTH].value - second->score.r2) < .05);
        assert_close(&g[RP_GAIN_OTHER].value, &g[RP_GAIN_INPUT].value, 3, 1e-9, 1e-10);
        rp_job_release(&job);
    }
    arrays_release(&a), arrays_release(&b);
}

static void a_store_that_lacks_a_pair_or_a_layer_is_no_baseline(void **state)
{
    (void)state;
    static double y[N];
    const double *const column[2] = {y};
    arrays a, b;
    rp_job job;
    rp_error err;
    make(&a, y);
    mirror(&b, &a);
    rp_probe_options o = options(&a, "ridge", one, column);
    o.select = "y", o.controls = false;
    assert_ok(rp_job_init(&job, &a.source, &o, NULL, &err), &err);
    b.row[3].docid = "another";
    assert_int_equal(rp_job_against(&job, &b.source, &err), RP_EARG);
    assert_non_null(strstr(err.text, "document 'd236'"));
    b.view[0].layer_last = 0;
    assert_int_equal(rp_job_against(&job, &b.source, &err), RP_EARG);
    assert_string_equal(err.text, "against: the other store has no layer 1 of view 'made'");
    rp_job_release(&job);
    arrays_release(&a), arrays_release(&b);
}

/* y = unit 0 + noise of known variance: the R2 that can be had is known. */
static void a_planted_label_is_found_with_the_r2_that_was_planted(void **state)
{
    (void)state;
    enum { MANY = 200, ROWS = MANY * 10 };
    static double strong[ROWS], weak[ROWS];
    const double *const column[] = {strong, weak};
    static const char *const name[] = {"strong", "weak"};
    static const double r2[] = {.8, .2};
    arrays a;
    rp_rng rng;
    make_normal(&a, &rng, 8, MANY, 10, 20);
    for (size_t i = 0; i < ROWS; i++) {
        double x = (double)a.made[i * 20];
        strong[i] = x + .5 * rp_rng_normal(&rng), weak[i] = x + 2 * rp_rng_normal(&rng);
    }
    for (size_t m = 0; m < 2; m++) {
        rp_job job;
        rp_probe_options o = options(&a, methods[m], name, column);
        o.gains = "", o.bootstrap = 500, o.permutations = 99;
        arrays_run(&job, &a, &o);
        for (size_t k = 0; k < 2; k++) {
            const rp_result *r = arrays_result(&job, 0, "made", 0, name[k]);
            assert_true(fabs(r->score.r2 - r2[k]) < .03);
            assert_true(r->score.r2_lo < r2[k] && r2[k] < r->score.r2_hi);
            assert_true(fabs(r->score.within - r2[k]) < .03);
        }
        const rp_result *r = arrays_result(&job, 0, "made", 0, "control.query_id");
        assert_true(r->score.r2 < .02);
        rp_job_release(&job);
    }
    arrays_release(&a);
}

static void a_layer_that_does_not_fit_is_refused_with_the_memory_that_it_needs(void **state)
{
    (void)state;
    static double y[N];
    const double *const column[2] = {y};
    arrays a;
    make(&a, y);
    for (size_t m = 0; m < 2; m++) {
        rp_job job;
        rp_error err;
        rp_probe_options o = options(&a, methods[m], one, column);
        o.memory = 1000;
        assert_ok(rp_job_init(&job, &a.source, &o, NULL, &err), &err);
        assert_int_equal(rp_job_run(&job, &err), RP_ENOMEM);
        assert_non_null(strstr(err.text, "a layer of 240 rows needs about 0.0"));
        assert_non_null(strstr(err.text, "(--memory)"));
        rp_job_release(&job);
    }
    arrays_release(&a);
}

/* The estimate follows what is held at once; sizes as of a large model's layer. */
static void the_estimate_counts_matrices_draws_and_curves_where_there_are_any(void **state)
{
    (void)state;
    rp_plan fixed = {.method = RP_LASSO, .penalty = .1, .outer = 5}, path = fixed, ridge = fixed;
    path.penalty = ridge.penalty = NAN, path.inner = ridge.inner = 5, ridge.method = RP_RIDGE;
    const rp_unit_shape plain = {0, 10, 10000, 100, 4096, 1001};
    rp_unit_shape tested = plain, curve = plain, wide = plain, many = plain;
    const double matrix = 8. * 4096 * 4096;
    tested.want = RP_WANT_NULL, curve.want = RP_WANT_CURVE;
    double none = rp_unit_memory(&fixed, &plain, 1);
    assert_true(none < rp_unit_memory(&path, &plain, 1) - 25 * matrix);
    /* the tests beside a fixed penalty: a matrix an outer fold */
    double held = rp_unit_memory(&fixed, &tested, 1);
    assert_true(held > 5 * matrix && held < none + 10 * matrix);
    assert_true(rp_unit_memory(&ridge, &tested, 1) > rp_unit_memory(&ridge, &plain, 1));
    assert_true(rp_unit_memory(&ridge, &curve, 1) >= 25 * matrix);
    assert_true(rp_unit_memory(&fixed, &curve, 1) >= none + 5 * matrix);
    /* none on the kernel side, which begins with more columns where folds are many */
    wide.want = RP_WANT_NULL, wide.rows = 3200;
    assert_true(rp_unit_memory(&fixed, &wide, 1) < 5 * matrix);
    wide.want = 0, ridge.outer = 10;
    assert_true(rp_unit_memory(&ridge, &wide, 1) > 50 * matrix);
    /* a million draws: six numbers a fold and label, of either kind */
    many.want = RP_WANT_NULL, many.draws = 1000001;
    assert_true(rp_unit_memory(&fixed, &many, 1) > 2 * 5. * 10 * 6 * 8 * 1000001);
}

/* Few queries leave inner folds without rows; a label may be constant in one training set. */
static void few_queries_and_labels_that_are_rare_spoil_nothing(void **state)
{
    (void)state;
    enum { FEW = 6, LONG = 60, ROWS = FEW * LONG };
    static double y[ROWS], rare[ROWS];
    const double *const column[] = {y, rare};
    static const char *const name[] = {"y", "rare"};
    arrays a;
    rp_rng rng;
    make_normal(&a, &rng, 4, FEW, LONG, 8);
    for (size_t i = 0; i < ROWS; i++) {
        y[i] = (double)a.made[i * 8] + .2 * rp_rng_normal(&rng);
        rare[i] = i < 3;
    }
    for (size_t m = 0; m < 2; m++) {
        rp_job job;
        rp_probe_options o = options(&a, methods[m], name, column);
        o.gains = "length", o.bootstrap = 10, o.permutations = 9;
        arrays_run(&job, &a, &o);
        const rp_result *r = arrays_result(&job, 0, "made", 0, "y");
        assert_true(r->score.r2 > .9);
        assert_true(r->gain[RP_GAIN_LENGTH].value > .9);
        assert_false(arrays_result(&job, 0, "made", 0, "rare")->defined);
        rp_job_release(&job);
    }
    arrays_release(&a);
}

static void one_pair_a_query_has_no_within_and_all_the_rest(void **state)
{
    (void)state;
    enum { MANY = 80 };
    static double y[MANY];
    const double *const column[2] = {y};
    arrays a;
    rp_rng rng;
    make_normal(&a, &rng, 6, MANY, 1, 10);
    for (size_t i = 0; i < MANY; i++) y[i] = (double)a.made[i * 10] + .3 * rp_rng_normal(&rng);
    for (size_t m = 0; m < 2; m++) {
        rp_job job;
        rp_probe_options o = options(&a, methods[m], one, column);
        o.permutations = 99;
        arrays_run(&job, &a, &o);
        const rp_result *r = arrays_result(&job, 0, "made", 0, "y");
        assert_true(r->score.r2 > .8 && r->score.r2 == r->score.between);
        assert_true(isnan(r->score.within) && isnan(r->score.tau));
        assert_true(isnan(rp_job_tested(&job, 0, RP_DOCUMENT, 0, 0)->p));
        assert_true(rp_job_tested(&job, 0, RP_QUERY, 0, 0)->p <= .02);
        rp_job_release(&job);
    }
    arrays_release(&a);
}

/* Labels of a layer that is noise but for a unit, and of one that is all noise. */
static void a_layer_is_tested_alike_whatever_the_method(void **state)
{
    (void)state;
    static double y[N], noise[N];
    const double *const column[] = {y, noise};
    static const char *const name[] = {"y", "noise"};
    static const struct {
        const char *method;
        double penalty;
    } as[] = {{"ridge", NAN}, {"lasso", NAN}, {"lasso", .1}};
    arrays a;
    rp_job job[3];
    rp_rng rng;
    make(&a, y);
    rp_rng_init(&rng, 4, 0);
    for (size_t i = 0; i < N; i++) noise[i] = rp_rng_normal(&rng);
    for (size_t m = 0; m < 3; m++) {
        rp_probe_options o = options(&a, as[m].method, name, column);
        static const char *const output[] = {"alike.0", "alike.1", "alike.2"};
        o.output = rp_test_path(output[m]), o.gains = "", o.bootstrap = 50;
        o.penalty = as[m].penalty, o.permutations = 199;
        arrays_run(&job[m], &a, &o);
    }
    for (size_t kind = 0; kind < RP_NULLS; kind++)
        for (size_t u = 0; u < job[0].nunits; u++)
            for (size_t p = 0; p < job[0].labels.n; p++) {
                const double *want = &rp_job_tested(&job[0], 0, kind, u, p)->p;
                bool control = rp_label_is_control(job[0].labels.name[p]);
                assert_true(isnan(*want) == control);
                for (size_t m = 0; m < 3; m++)
                    assert_true(isnan(rp_job_result(&job[m], 0, u, p)->chance[kind]) == control);
                assert_memory_equal(&rp_job_tested(&job[1], 0, kind, u, p)->p, want,
                                    sizeof(rp_tested));
                if (control) continue;
                /* a fixed penalty has no inner folds: its sums are of larger cells */
                const rp_tested *fixed = rp_job_tested(&job[2], 0, kind, u, p);
                assert_true(fabs(fixed->p - want[0]) < 1.5 / 200);
                assert_close(&fixed->null95, want + 3, 2, 1e-4, 1e-6);
                assert_close(&rp_job_result(&job[2], 0, u, p)->chance[kind],
                             &rp_job_result(&job[0], 0, u, p)->chance[kind], 1, 1e-4, 1e-6);
            }
    for (size_t u = 0; u < job[1].nunits; u++)
        for (size_t p = 0; p < job[1].labels.n; p++) {
            const rp_tested *t = rp_job_tested(&job[1], 0, RP_DOCUMENT, u, p);
            if (strcmp(job[1].unit[u].name, "made")) continue;
            if (!strcmp(job[1].labels.name[p], "y")) assert_true(t->p == 1. / 200);
            if (!strcmp(job[1].labels.name[p], "noise")) assert_true(t->p > .01);
        }
    for (size_t m = 0; m < 3; m++) rp_job_release(&job[m]);
    arrays_release(&a);
}

/* Labels far from 0, in other units each: their predictions are saved so, and scored standardised.
 */
static void what_a_baseline_explains_and_the_gain_make_the_r2_of_both(void **state)
{
    (void)state;
    static double y[2][N];
    static const char *const name[] = {"near", "far"};
    const double *const column[] = {y[0], y[1]};
    arrays a;
    rp_rng rng;
    make_normal(&a, &rng, 8, QUERIES, EACH, WIDTH);
    for (size_t i = 0; i < N; i++) {
        double length = ((double)a.row[i].tokens - 65) / 26;
        y[0][i] = 50 + length + (double)a.made[i * WIDTH];
        y[1][i] = -3000 + 100 * (2 * length - (double)a.made[i * WIDTH + 1]);
    }
    for (size_t m = 0; m < 2; m++) {
        rp_job job;
        rp_probe_options o = options(&a, methods[m], name, column);
        o.controls = false, o.permutations = 0, o.bootstrap = 10, o.gains = "length";
        arrays_run(&job, &a, &o);
        for (size_t k = 0; k < 2; k++) {
            double alone = arrays_result(&job, 0, RP_BASELINE_LENGTH, 0, name[k])->score.r2;
            double gain = arrays_result(&job, 0, "made", 0, name[k])->gain[RP_GAIN_LENGTH].value;
            assert_true(fabs(alone - (k ? .8 : .5)) < .08);
            assert_true(fabs(alone + gain - 1) < 1e-3); /* nothing is noise */
        }
        rp_job_release(&job);
    }
    arrays_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gains_are_of_a_probe_on_both_over_one_on_the_baseline),
        cmocka_unit_test(what_a_baseline_explains_and_the_gain_make_the_r2_of_both),
        cmocka_unit_test(a_store_that_lacks_a_pair_or_a_layer_is_no_baseline),
        cmocka_unit_test(few_queries_and_labels_that_are_rare_spoil_nothing),
        cmocka_unit_test(one_pair_a_query_has_no_within_and_all_the_rest),
        cmocka_unit_test(a_layer_is_tested_alike_whatever_the_method),
        cmocka_unit_test(a_planted_label_is_found_with_the_r2_that_was_planted),
        cmocka_unit_test(a_layer_that_does_not_fit_is_refused_with_the_memory_that_it_needs),
        cmocka_unit_test(the_estimate_counts_matrices_draws_and_curves_where_there_are_any),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
