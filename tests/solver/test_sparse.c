#include "solver/curves.h"

#include <omp.h>

#include "solver/rotation.h"

/* ---- the reference: explicit refits on rows ---- */

/* a [k, k] positive definite, b [k] <- a^-1 b, by elimination. */
static void eliminate(double *a, double *b, size_t k)
{
    for (size_t j = 0; j < k; j++)
        for (size_t i = j + 1; i < k; i++) {
            double factor = a[i * k + j] / a[j * k + j];
            for (size_t l = j; l < k; l++) a[i * k + l] -= factor * a[j * k + l];
            b[i] -= factor * b[j];
        }
    for (size_t j = k; j--;) {
        for (size_t l = j + 1; l < k; l++) b[j] -= a[j * k + l] * b[l];
        b[j] /= a[j * k + j];
    }
}

/* w [k] on the columns unit[] of z [m, D]: in k unknowns, or in m when those are fewer. */
static void ridge(double *w, const double *z, const double *t, size_t m, size_t D,
                  const size_t *unit, size_t k)
{
    bool primal = k <= m;
    size_t o = primal ? k : m;
    double *a = rp_alloc(o * o, sizeof *a), *b = rp_alloc(o, sizeof *b);
    assert_true(a && b);
    for (size_t i = 0; i < o; i++) {
        for (size_t j = 0; j < o; j++) {
            double sum = 0;
            for (size_t l = 0; l < (primal ? m : k); l++)
                sum += primal ? z[l * D + unit[i]] * z[l * D + unit[j]]
                              : z[i * D + unit[l]] * z[j * D + unit[l]];
            a[i * o + j] = sum / (double)m + (i == j ? .01 : 0);
        }
        for (size_t l = 0; l < m && primal; l++) b[i] += z[l * D + unit[i]] * t[l] / (double)m;
        if (!primal) b[i] = t[i] / (double)m;
    }
    eliminate(a, b, o);
    for (size_t i = 0; i < k; i++) {
        w[i] = primal ? b[i] : 0;
        for (size_t l = 0; l < m && !primal; l++) w[i] += z[l * D + unit[i]] * b[l];
    }
    free(a), free(b);
}

/* z [n, D] <- (x - mean) / sd over the training rows, which come first (m of them); dead: 0. */
static void standardise(double *z, size_t n, size_t D, size_t m)
{
    double largest = 0, *sd = rp_alloc(D, sizeof *sd);
    assert_non_null(sd);
    for (size_t j = 0; j < D; j++) {
        double mean = 0;
        for (size_t i = 0; i < m; i++) mean += z[i * D + j] / (double)m;
        for (size_t i = 0; i < n; i++) z[i * D + j] -= mean;
        for (size_t i = 0; i < m; i++) sd[j] += z[i * D + j] * z[i * D + j] / (double)m;
        sd[j] = sqrt(sd[j]), largest = fmax(largest, sd[j]);
    }
    for (size_t i = 0; i < n * D; i++) z[i] = sd[i % D] > 1e-6 * largest ? z[i] / sd[i % D] : 0;
    free(sd);
}

static void keep_best(size_t *unit, size_t n, size_t k, const double *key)
{
    double *of = rp_alloc(n, sizeof *of);
    assert_non_null(of);
    for (size_t i = 0; i < n; i++) of[i] = fabs(key[i]);
    for (size_t i = 0; i < k; i++) { /* selection; units need not be in order */
        size_t best = i;
        for (size_t j = i + 1; j < n; j++)
            if (of[j] > of[best]) best = j;
        size_t u = unit[i];
        double v = of[i];
        unit[i] = unit[best], of[i] = of[best];
        unit[best] = u, of[best] = v;
    }
    free(of);
}

typedef struct reference {
    size_t n, m;        /* training rows and those of the fold; training rows */
    double *z, *t, *w;  /* [n, D], [n], [D] */
    size_t *row, *unit; /* [n] in the folds' order, [D] */
    double mean, sd;    /* of y over the training rows */
} reference;

static void reference_init(reference *f, const problem *q, size_t o, size_t p)
{
    size_t D = q->D;
    *f = (reference){0};
    f->z = rp_alloc(q->n * D, 8), f->t = rp_alloc(q->n, 8), f->w = rp_alloc(D, 8);
    f->row = rp_alloc(q->n, sizeof(size_t)), f->unit = rp_alloc(D, sizeof(size_t));
    assert_true(f->z && f->t && f->w && f->row && f->unit);
    for (int held = 0; held < 2; held++) {
        for (size_t i = 0; i < q->n; i++)
            if ((outer_of(q, i) == (int)o) == held) f->row[f->n++] = i;
        if (!held) f->m = f->n;
    }
    for (size_t i = 0; i < f->n; i++) {
        f->t[i] = q->y[p * q->n + q->row[f->row[i]]];
        for (size_t j = 0; j < D; j++) f->z[i * D + j] = (double)q->x[q->row[f->row[i]] * D + j];
    }
    for (size_t i = 0; i < f->m; i++) f->mean += f->t[i] / (double)f->m;
    for (size_t i = 0; i < f->m; i++) f->sd += pow(f->t[i] - f->mean, 2) / (double)f->m;
    f->sd = sqrt(f->sd);
    for (size_t i = 0; i < f->n; i++) f->t[i] = (f->t[i] - f->mean) / f->sd;
    standardise(f->z, f->n, D, f->m);
}

static void reference_release(reference *f)
{
    free(f->z), free(f->t), free(f->w), free(f->row), free(f->unit);
}

/* Fits the first k units and compares what it predicts. */
static void compare(reference *f, const problem *q, rp_curve curve, size_t point, size_t p)
{
    size_t k = rp_curve_size[point];
    for (size_t i = f->m; i < f->n; i++) {
        double want = 0, *got = q->pred[curve][point] + p * q->n + f->row[i];
        for (size_t j = 0; j < k; j++) want += f->w[j] * f->z[i * q->D + f->unit[j]];
        want = (f->mean + want * f->sd - q->d.ymean[p]) / q->d.yscale[p];
        assert_close(got, &want, 1, 1e-7, 1e-8);
        double base = (f->mean - q->d.ymean[p]) / q->d.yscale[p];
        assert_close(q->base + p * q->n + f->row[i], &base, 1, 1e-7, 1e-9);
    }
}

static void chain_is_refits(const problem *q, rp_curve curve, size_t o, size_t p,
                            const rp_rotation *turn)
{
    size_t D = q->D, point = rp_curve_count(D), k = D < 1024 ? D : 1024;
    reference f;
    rp_error err;
    reference_init(&f, q, o, p);
    if (turn) {
        assert_ok(rp_rotation_rows(turn, f.z, f.n, &err), &err);
        standardise(f.z, f.n, D, f.m);
    }
    for (size_t j = 0; j < D; j++) {
        f.unit[j] = j, f.w[j] = 0;
        for (size_t i = 0; i < f.m; i++) f.w[j] += f.z[i * D + j] * f.t[i];
    }
    keep_best(f.unit, D, k, f.w);
    while (point--) {
        if (k > rp_curve_size[point]) {
            ridge(f.w, f.z, f.t, f.m, D, f.unit, k);
            keep_best(f.unit, k, rp_curve_size[point], f.w);
            k = rp_curve_size[point];
        }
        ridge(f.w, f.z, f.t, f.m, D, f.unit, k);
        compare(&f, q, curve, point, p);
    }
    reference_release(&f);
}

static void random_is_refits(const problem *q, size_t o, size_t p)
{
    reference f;
    reference_init(&f, q, o, p);
    for (size_t point = 0; point < rp_curve_count(q->D); point++) {
        size_t k = rp_curve_size[point];
        const unsigned *unit = q->unit[RP_CURVE_RANDOM][point] + (o * q->P + p) * k;
        for (size_t i = 0; i < k; i++) f.unit[i] = unit[i];
        ridge(f.w, f.z, f.t, f.m, q->D, f.unit, k);
        compare(&f, q, RP_CURVE_RANDOM, point, p);
    }
    reference_release(&f);
}

static void all_are_refits(problem *q, uint64_t seed)
{
    rp_rotation turn;
    rp_error err;
    assert_ok(rp_rotation_init(&turn, q->D, seed, &err), &err);
    for (size_t o = 0; o < q->nouter; o++)
        for (size_t p = 0; p < q->P; p++) {
            chain_is_refits(q, RP_CURVE_UNITS, o, p, NULL);
            chain_is_refits(q, RP_CURVE_ROTATION, o, p, &turn);
            random_is_refits(q, o, p);
        }
    rp_rotation_release(&turn);
}

/* y_p = x_p + x_{p+5} / 2 - x_{p+9} / 3 + noise */
static void fill_labels(problem *q, double noise)
{
    static const double weight[] = {1, .5, -.33};
    static const size_t step[] = {0, 5, 9};
    rp_rng rng;
    rp_rng_init(&rng, 99, 1);
    for (size_t p = 0; p < q->P; p++)
        for (size_t i = 0; i < q->n; i++) {
            double y = 3 + noise * rp_rng_normal(&rng);
            for (size_t s = 0; s < 3; s++) {
                size_t j = (p + step[s]) % q->D;
                y += weight[s] * (double)q->x[i * q->D + j] / (double)(1 + j % 4);
            }
            q->y[p * q->n + i] = y;
        }
}

/* ---- tests ---- */

static void every_point_of_every_curve_is_a_ridge_refitted_on_rows(void **state)
{
    (void)state;
    for (int standardised = 0; standardised < 2; standardised++) {
        problem q;
        problem_init(&q, 150, 30, 2, 3);
        fill_labels(&q, 2);
        problem_solve(&q, standardised, true);
        run(&q, 5);
        all_are_refits(&q, 5);
        for (size_t i = 0; i < q.n; i++) { /* rows that are never held out */
            bool held = outer_of(&q, i) < 3;
            assert_true(held != isnan(q.pred[RP_CURVE_UNITS][0][i]));
            assert_true(held != isnan(q.base[i]));
        }
        problem_release(&q);
    }
}

static void fewer_rows_than_units_are_enough(void **state)
{
    (void)state;
    problem q;
    problem_init(&q, 40, 1040, 1, 2);
    fill_labels(&q, 1);
    problem_solve(&q, true, false);
    run(&q, 6);
    assert_non_null(q.pred[RP_CURVE_UNITS][RP_CURVE_SIZES - 1]);
    all_are_refits(&q, 6);
    problem_release(&q);
}

static void dead_columns_are_never_used(void **state)
{
    (void)state;
    problem q;
    problem_init(&q, 90, 20, 1, 3);
    fill_labels(&q, 1);
    for (size_t i = 0; i < q.n; i++)
        for (size_t j = 4; j < 20; j++) q.x[i * 20 + j] = j < 12 ? 3 : q.x[i * 20 + j];
    problem_solve(&q, true, false);
    run(&q, 7);
    all_are_refits(&q, 7);
    for (size_t o = 0; o < 3; o++)
        for (size_t i = 0; i < 12; i++) { /* 12 of the 20 units are alive */
            unsigned unit = q.unit[RP_CURVE_UNITS][9][o * 12 + i];
            assert_true(unit < 4 || unit >= 12);
        }
    problem_release(&q);
}

static void a_label_of_three_units_shows_against_its_controls(void **state)
{
    (void)state;
    static const size_t want[] = {3, 17, 40};
    problem q;
    rp_rng rng;
    problem_init(&q, 800, 64, 1, 4);
    rp_rng_init(&rng, 3, 0);
    for (size_t i = 0; i < q.n; i++) { /* R2 .9 */
        q.y[i] = rp_rng_normal(&rng) * sqrt(3. / 9);
        for (size_t s = 0; s < 3; s++) {
            size_t j = want[s];
            q.y[i] += ((double)q.x[i * 64 + j] - (double)(j % 7)) / (double)(1 + j % 4);
        }
    }
    problem_solve(&q, true, false);
    run(&q, 8);
    for (size_t i = 0; i < 12; i++) assert_int_equal(q.unit[RP_CURVE_UNITS][2][i], want[i % 3]);
    assert_true(r2(&q, RP_CURVE_UNITS, 1, 0) < .7);
    assert_true(fabs(r2(&q, RP_CURVE_UNITS, 2, 0) - .9) < .02);
    assert_true(fabs(r2(&q, RP_CURVE_UNITS, 12, 0) - .9) < .02); /* k = 64: all units */
    assert_true(r2(&q, RP_CURVE_RANDOM, 2, 0) < .4);
    assert_true(r2(&q, RP_CURVE_ROTATION, 2, 0) < .5);
    assert_true(r2(&q, RP_CURVE_ROTATION, 10, 0) < .7); /* k = 16 */
    assert_true(fabs(r2(&q, RP_CURVE_ROTATION, 12, 0) - .9) < .02);
    problem_release(&q);
}

static void random_units_are_nested_and_the_same_for_all_labels_and_folds(void **state)
{
    (void)state;
    problem q;
    problem_init(&q, 60, 20, 3, 3);
    fill_labels(&q, 1);
    problem_solve(&q, true, false);
    run(&q, 9);
    size_t sizes = rp_curve_count(20);
    const unsigned *most = q.unit[RP_CURVE_RANDOM][sizes - 1];
    for (size_t s = 0; s < sizes; s++)
        for (size_t i = 0; i < 9 * rp_curve_size[s]; i++)
            assert_int_equal(q.unit[RP_CURVE_RANDOM][s][i], most[i % rp_curve_size[s]]);
    for (size_t i = 0; i < 16; i++)
        for (size_t j = 0; j < i; j++) assert_int_not_equal(most[i], most[j]);
    problem_release(&q);
}

static void a_constant_label_is_not_predicted(void **state)
{
    (void)state;
    problem q;
    problem_init(&q, 80, 12, 3, 4);
    fill_labels(&q, 1);
    for (size_t i = 0; i < q.n; i++) { /* label 1: always; label 2: where fold 0 is held out */
        q.y[80 + i] = 4;
        if (i >= 20) q.y[160 + q.row[i]] = 7; /* the folds are of 20 rows */
    }
    problem_solve(&q, true, false);
    run(&q, 10);
    for (int curve = 0; curve < RP_CURVES; curve++)
        for (size_t s = 0; s < rp_curve_count(12); s++) {
            const double *pred = q.pred[curve][s];
            for (size_t i = 0; i < 80; i++) {
                assert_false(isnan(pred[i]));
                assert_true(isnan(pred[80 + i]));
                assert_true(isnan(pred[160 + i]) == (i < 20));
                assert_false(isnan(q.base[80 + i]));
            }
            assert_int_equal(q.unit[curve][s][rp_curve_size[s]], 12);
            assert_in_range(q.unit[curve][s][0], 0, 11);
        }
    problem_release(&q);
}

static void a_fold_without_training_rows_is_not_predicted(void **state)
{
    (void)state;
    problem q;
    problem_init(&q, 30, 5, 1, 1);
    fill_labels(&q, 1);
    problem_solve(&q, true, false);
    run(&q, 11);
    for (size_t i = 0; i < 30; i++) {
        assert_true(isnan(q.pred[RP_CURVE_UNITS][0][i]));
        assert_true(isnan(q.base[i]));
    }
    problem_release(&q);
}

static void one_unit_gives_curves_of_one_point(void **state)
{
    (void)state;
    problem q;
    problem_init(&q, 40, 1, 1, 2);
    fill_labels(&q, .1);
    problem_solve(&q, true, false);
    run(&q, 12);
    all_are_refits(&q, 12);
    assert_null(q.pred[RP_CURVE_UNITS][1]);
    problem_release(&q);
}

static void the_number_of_threads_does_not_change_a_byte(void **state)
{
    (void)state;
    problem q;
    double *first[RP_CURVES][RP_CURVE_SIZES];
    int before = omp_get_max_threads();
    problem_init(&q, 300, 70, 3, 2);
    fill_labels(&q, 1);
    problem_solve(&q, true, false);
    omp_set_num_threads(1);
    run(&q, 13);
    memcpy(first, q.pred, sizeof first);
    memset(q.pred, 0, sizeof q.pred);
    forget(&q);
    omp_set_num_threads(4);
    run(&q, 13);
    omp_set_num_threads(before);
    for (size_t c = 0; c < RP_CURVES; c++)
        for (size_t s = 0; s < rp_curve_count(70); s++) {
            assert_memory_equal(first[c][s], q.pred[c][s], 900 * sizeof(double));
            free(first[c][s]);
        }
    problem_release(&q);
}

static rp_status refuse(void *arg, const rp_curve_point *point, rp_error *err)
{
    size_t *calls = arg;
    return ++*calls < 3 ? RP_OK : rp_fail(err, RP_EIO, "disk full at k = %zu", point->k);
}

static int stop(void *arg, const char *what, size_t done, size_t total)
{
    (void)arg, (void)what;
    return done + 1 == total;
}

static void a_run_ends_where_its_caller_says_so(void **state)
{
    (void)state;
    problem q;
    rp_error err;
    size_t calls = 0;
    rp_host host = {.progress = stop};
    problem_init(&q, 30, 6, 1, 2);
    fill_labels(&q, 1);
    problem_solve(&q, true, false);
    assert_fails(rp_sparse_run(&q.d, &q.cells, 1, refuse, &calls, NULL, &err), &err, RP_EIO,
                 "disk full at k = 3");
    assert_int_equal(calls, 3);
    assert_int_equal(rp_sparse_run(&q.d, &q.cells, 1, keep, &q, &host, &err), RP_ECANCEL);
    problem_release(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_point_of_every_curve_is_a_ridge_refitted_on_rows),
        cmocka_unit_test(fewer_rows_than_units_are_enough),
        cmocka_unit_test(dead_columns_are_never_used),
        cmocka_unit_test(a_label_of_three_units_shows_against_its_controls),
        cmocka_unit_test(random_units_are_nested_and_the_same_for_all_labels_and_folds),
        cmocka_unit_test(a_constant_label_is_not_predicted),
        cmocka_unit_test(a_fold_without_training_rows_is_not_predicted),
        cmocka_unit_test(one_unit_gives_curves_of_one_point),
        cmocka_unit_test(the_number_of_threads_does_not_change_a_byte),
        cmocka_unit_test(a_run_ends_where_its_caller_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
