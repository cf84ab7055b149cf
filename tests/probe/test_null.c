#include "probe/arrays.h"

enum { QUERIES = 24, EACH = 6, LABELS = 40, DRAWS = 99 };

static double uniform_distance(double *p, size_t n) /* Kolmogorov-Smirnov, of sorted copies */
{
    double worst = 0;
    for (size_t i = 1; i < n; i++)
        for (size_t j = i; j > 0 && p[j] < p[j - 1]; j--) {
            double t = p[j];
            p[j] = p[j - 1], p[j - 1] = t;
        }
    for (size_t i = 0; i < n; i++) {
        worst = fmax(worst, fabs(p[i] - (double)i / (double)n));
        worst = fmax(worst, fabs((double)(i + 1) / (double)n - p[i]));
    }
    return worst;
}

typedef struct study {
    arrays a;
    double *y[LABELS];
    char name[LABELS][16];
} study;

/* x and labels with query effects of their own, unrelated to each other; the first `signal` labels
 * are unit 0 of x within queries, with noise. */
static void study_make(study *s, uint64_t seed, size_t signal, size_t width)
{
    rp_rng rng;
    rp_rng_init(&rng, seed, 0);
    arrays_make(&s->a, QUERIES, EACH, width);
    size_t n = s->a.source.n;
    double *effect = rp_alloc(QUERIES * width, 8);
    assert_non_null(effect);
    for (size_t i = 0; i < QUERIES * width; i++) effect[i] = rp_rng_normal(&rng);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < width; j++)
            s->a.made[i * width + j] = (float)(effect[i / EACH * width + j] + rp_rng_normal(&rng));
    for (size_t k = 0; k < LABELS; k++) {
        s->y[k] = rp_alloc(n, 8);
        assert_non_null(s->y[k]);
        snprintf(s->name[k], sizeof s->name[k], "y%zu", k);
        for (size_t i = 0; i < n; i++) {
            if (i % EACH == 0) effect[0] = 2 * rp_rng_normal(&rng);
            s->y[k][i] = effect[0] + rp_rng_normal(&rng);
            if (k < signal) s->y[k][i] = (double)s->a.made[i * width] + .5 * rp_rng_normal(&rng);
        }
    }
    free(effect);
}

static void study_release(study *s)
{
    for (size_t k = 0; k < LABELS; k++) free(s->y[k]);
    arrays_release(&s->a);
}

static void study_options(rp_probe_options *o, const study *s)
{
    const char *name[LABELS];
    for (size_t k = 0; k < LABELS; k++) name[k] = s->name[k];
    rp_probe_options_init(o);
    o->features = arrays_features(&s->a, name, (const double *const *)s->y, LABELS);
    o->output = rp_test_path("null.tsv");
    o->select = "y*", o->views = "made", o->gains = "";
    o->permutations = DRAWS, o->bootstrap = 0, o->controls = false;
}

static void study_run(rp_job *job, study *s, rp_probe_options *o)
{
    study_options(o, s);
    arrays_run(job, &s->a, o);
}

/* Of a method that is tested; and how far its own R2 within queries gets on such data. */
static void assert_uniform(const char *method, double penalty, size_t width)
{
    enum { STUDIES = 8, N = STUDIES * LABELS };
    static double p[RP_NULLS][N];
    size_t above = 0;
    for (size_t t = 0; t < STUDIES; t++) {
        study s;
        rp_job job;
        rp_probe_options o;
        study_make(&s, 100 + t, 0, width);
        study_options(&o, &s);
        o.method = method, o.penalty = penalty;
        arrays_run(&job, &s.a, &o);
        for (size_t k = 0; k < LABELS; k++) {
            const rp_result *r = rp_job_result(&job, 0, 0, k);
            above += r->score.within > r->chance[RP_DOCUMENT];
            for (size_t kind = 0; kind < RP_NULLS; kind++)
                p[kind][t * LABELS + k] = rp_job_tested(&job, 0, kind, 0, k)->p;
        }
        rp_job_release(&job);
        study_release(&s);
    }
    assert_true(above <= N / 40); /* null_within is the 97.5 % quantile, or beyond */
    for (size_t kind = 0; kind < RP_NULLS; kind++) /* 1 % bound, and the steps of 1 / 100 */
        assert_true(uniform_distance(p[kind], N) < 1.63 / sqrt(N) + 1. / (DRAWS + 1));
}

static void p_values_of_labels_that_x_knows_nothing_of_are_uniform(void **state)
{
    (void)state;
    assert_uniform("ridge", NAN, 8);
    assert_uniform("lasso", .02, 8);
    assert_uniform("lasso", NAN, 20);
}

/* The better of two fixed penalties of ridge whatever the lasso's: by Gram matrices (8 columns) and
 * on the kernel side (300). A given penalty has no inner folds, and sums over larger cells. */
static void draws_beside_a_lasso_are_those_of_ridge_to_the_last_bit(void **state)
{
    (void)state;
    static const struct {
        const char *method;
        double penalty, l1_ratio;
        size_t like;
    } as[] = {{"ridge", NAN, 1, 0},
              {"lasso", NAN, 1, 0},
              {"lasso", NAN, .5, 0},
              {"lasso", .1, 1, 3},
              {"lasso", .02, .5, 3}};
    enum { AS = sizeof as / sizeof *as };
    for (size_t width = 8; width <= 300; width += 292) {
        study s;
        rp_job job[AS];
        rp_probe_options o[AS];
        study_make(&s, 9, 2, width);
        for (size_t m = 0; m < AS; m++) {
            char name[16];
            snprintf(name, sizeof name, "bits.%zu", m);
            study_options(&o[m], &s);
            o[m].method = as[m].method, o[m].penalty = as[m].penalty;
            o[m].l1_ratio = as[m].l1_ratio, o[m].select = "y?", o[m].output = rp_test_path(name);
            arrays_run(&job[m], &s.a, &o[m]);
            const rp_unit_out *got = rp_job_out(&job[m], 0, 0);
            const rp_unit_out *want = rp_job_out(&job[as[m].like], 0, 0);
            size_t n = got->labels * got->draws;
            assert_int_equal(n, 10 * (DRAWS + 1));
            for (int kind = 0; kind < RP_NULLS; kind++) {
                assert_true(isfinite(got->null[kind][0]));
                assert_memory_equal(got->null[kind], want->null[kind], n * sizeof(double));
            }
        }
        for (size_t m = 0; m < AS; m++) rp_job_release(&job[m]);
        study_release(&s);
    }
}

static void planted_labels_have_the_smallest_p_and_survive_the_correction(void **state)
{
    (void)state;
    study s;
    rp_job job;
    rp_probe_options o;
    study_make(&s, 7, 3, 8);
    study_run(&job, &s, &o);
    for (size_t k = 0; k < 3; k++) {
        const rp_tested *t = rp_job_tested(&job, 0, RP_DOCUMENT, 0, k);
        assert_true(t->p == 1. / (DRAWS + 1));
        assert_true(t->adjusted <= .02);
        assert_true(rp_job_result(&job, 0, 0, k)->score.within > t->null97 * t->null97);
    }
    size_t found = 0;
    for (size_t k = 3; k < LABELS; k++)
        found += rp_job_tested(&job, 0, RP_DOCUMENT, 0, k)->adjusted <= .05;
    assert_true(found <= 1);
    rp_job_release(&job);
    study_release(&s);
}

/* Correlations of a label with held-out predictions, within queries and of query means (weighted by
 * rows, all queries alike). The fixed penalty's training means are those of the folds. */
static void correlate(double got[2], const rp_job *job, const double *y)
{
    const float *f = rp_job_out(job, 0, 0)->predictions;
    double yf[2] = {0}, yy[2] = {0}, ff[2] = {0}, sum[5] = {0}, all = 0;
    const int *fold = job->rows.outer;
    for (size_t i = 0; i < QUERIES * EACH; i++) sum[fold[i / EACH]] += y[i], all += y[i];
    for (size_t q = 0; q < QUERIES; q++) {
        double my = 0, mf = 0;
        size_t held = 0;
        for (size_t k = 0; k < QUERIES; k++) held += fold[k] == fold[q];
        double base = (all - sum[fold[q]]) / (double)((QUERIES - held) * EACH);
        for (size_t i = q * EACH; i < (q + 1) * EACH; i++)
            my += y[i] / EACH, mf += (double)f[i] / EACH;
        for (size_t i = q * EACH; i < (q + 1) * EACH; i++) {
            double a = y[i] - my, b = (double)f[i] - mf;
            yf[0] += a * b, yy[0] += a * a, ff[0] += b * b;
        }
        my -= base, mf -= base;
        yf[1] += my * mf, yy[1] += my * my, ff[1] += mf * mf;
    }
    for (int k = 0; k < 2; k++) got[k] = yf[k] / sqrt(yy[k] * ff[k]);
}

/* The observed statistic is the better of two fixed penalties', each a job of its own. */
static void compare_first_draw(size_t width)
{
    study s;
    rp_job job;
    rp_probe_options o;
    double best[2] = {-1, -1}, got[2];
    static const double penalty[] = {100, 1};
    study_make(&s, 9, 1, width);
    study_run(&job, &s, &o);
    for (size_t kind = 0; kind < 2; kind++) got[kind] = rp_job_out(&job, 0, 0)->null[kind][0];
    rp_job_release(&job);
    o.predictions = rp_test_path("null.safetensors");
    for (size_t i = 0; i < 2; i++) {
        rp_error err;
        double want[2], own[2];
        o.penalty = penalty[i];
        assert_ok(rp_job_init(&job, &s.a.source, &o, NULL, &err), &err);
        assert_ok(rp_job_run(&job, &err), &err);
        correlate(want, &job, s.y[0]);
        for (int k = 0; k < 2; k++) {
            own[k] = rp_job_out(&job, 0, 0)->null[k][0];
            best[k] = fmax(best[k], want[k]);
        }
        assert_close(own, want, 2, 1e-4, 1e-5);
        rp_job_release(&job);
    }
    assert_close(got, best, 2, 1e-4, 1e-5);
    study_release(&s);
}

static void the_first_draw_is_the_probe_itself(void **state)
{
    (void)state;
    compare_first_draw(8);
    compare_first_draw(300); /* on the kernel side */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(p_values_of_labels_that_x_knows_nothing_of_are_uniform),
        cmocka_unit_test(draws_beside_a_lasso_are_those_of_ridge_to_the_last_bit),
        cmocka_unit_test(planted_labels_have_the_smallest_p_and_survive_the_correction),
        cmocka_unit_test(the_first_draw_is_the_probe_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
