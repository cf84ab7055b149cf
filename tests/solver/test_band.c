#include "solver/band.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/number.h"
#include "solver/design.h"
#include "support/support.h"

/* full [n, n] symmetric: a few strong directions over many weak ones, as activations have. */
static double *matrix(size_t n, double strength)
{
    double *full = rp_alloc(n * n, sizeof *full), *v = rp_alloc(3 * n, sizeof *v);
    rp_rng rng;
    assert_true(full && v);
    rp_rng_init(&rng, 5, n);
    for (size_t i = 0; i < 3 * n; i++) v[i] = rp_rng_normal(&rng);
    for (size_t j = 0; j < n; j++)
        for (size_t i = j; i < n; i++) {
            double a = .1 * rp_rng_normal(&rng) / sqrt((double)n) + (i == j);
            for (size_t k = 0; k < 3; k++) a += strength / (double)n * v[k * n + i] * v[k * n + j];
            full[j * n + i] = full[i * n + j] = a;
        }
    free(v);
    return full;
}

static void lower(double *to, size_t order, const double *full, size_t n)
{
    for (size_t j = 0; j < n; j++)
        for (size_t i = j; i < n; i++) to[j * order + i] = full[j * n + i];
}

/* Largest residual of (A + lambda I) x = b, relative to b. */
static double residual(const double *full, size_t n, double lambda, const double *x,
                       const double *b)
{
    double worst = 0, most = 0;
    for (size_t i = 0; i < n; i++) {
        double r = b[i] - lambda * x[i];
        for (size_t j = 0; j < n; j++) r -= full[i * n + j] * x[j];
        worst = fmax(worst, fabs(r)), most = fmax(most, fabs(b[i]));
    }
    return worst / most;
}

static void one_reduction_solves_for_every_penalty(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 5, 64, 65, 150, 200};
    rp_error err;
    rp_solver_blas_init();
    for (size_t s = 0; s < 6; s++) {
        size_t n = sizes[s];
        double *full = matrix(n, 30);
        rp_dband band;
        assert_ok(rp_dband_init(&band, n, &err), &err);
        lower(band.a, band.n, full, n);
        assert_ok(rp_dband_reduce(&band, &err), &err);
        double *x = rp_alloc(2 * band.n, 8), *b = rp_alloc(band.n, 8);
        double *l = rp_alloc(2 * band.n * RP_BAND, 8), scratch[2 * RP_BAND];
        assert_true(x && b && l);
        for (double lambda = 1e-4; lambda < 1e5; lambda *= 100) {
            for (size_t i = 0; i < 2 * band.n; i++)
                x[i] = i % band.n < n ? sin((double)(i * i + 1)) : 0;
            for (size_t i = 0; i < n; i++) b[i] = x[i];
            rp_dband_rotate(&band, x, 2, true, scratch);
            assert_true(rp_dband_factor(l, &band, lambda));
            rp_dband_solve(l, &band, x, 2);
            rp_dband_rotate(&band, x, 2, false, scratch);
            assert_true(residual(full, n, lambda, x, b) < 1e-12);
        }
        free(full), free(x), free(b), free(l);
        rp_dband_release(&band);
    }
}

static void a_matrix_that_is_not_positive_definite_is_noticed(void **state)
{
    (void)state;
    rp_error err;
    rp_dband band;
    double *full = matrix(100, 30), *l;
    assert_ok(rp_dband_init(&band, 100, &err), &err);
    lower(band.a, band.n, full, 100);
    assert_ok(rp_dband_reduce(&band, &err), &err);
    assert_non_null(l = rp_alloc(2 * band.n * RP_BAND, 8));
    assert_false(rp_dband_factor(l, &band, -2));
    free(full), free(l);
    rp_dband_release(&band);
}

/* x [n] <- the solution in f64; its norm is returned. */
static double solution(double *x, const double *full, size_t n, double lambda)
{
    rp_error err;
    rp_dband band;
    double scratch[RP_BAND], norm = 0;
    assert_ok(rp_dband_init(&band, n, &err), &err);
    lower(band.a, band.n, full, n);
    assert_ok(rp_dband_reduce(&band, &err), &err);
    double *v = rp_alloc(band.n, 8), *l = rp_alloc(2 * band.n * RP_BAND, 8);
    assert_true(v && l);
    for (size_t i = 0; i < n; i++) v[i] = (double)(float)sin((double)(i * i + 1));
    rp_dband_rotate(&band, v, 1, true, scratch);
    assert_true(rp_dband_factor(l, &band, lambda));
    rp_dband_solve(l, &band, v, 1);
    rp_dband_rotate(&band, v, 1, false, scratch);
    for (size_t i = 0; i < n; i++) x[i] = v[i], norm += v[i] * v[i];
    free(v), free(l);
    rp_dband_release(&band);
    return sqrt(norm);
}

/* Relative error in f32 with or without splitting off the strong directions in f64 first. */
static double single(const double *full, size_t n, bool deflate, double lambda)
{
    rp_error err;
    rp_dband wide;
    rp_sband band;
    assert_ok(rp_dband_init(&wide, n, &err), &err);
    lower(wide.a, wide.n, full, n);
    if (deflate) assert_ok(rp_dband_deflate(&wide, &err), &err);
    assert_ok(rp_sband_copy(&band, &wide, &err), &err);
    assert_ok(rp_sband_reduce(&band, &err), &err);
    float *x = rp_alloc(band.n, 4), *l = rp_alloc(2 * band.n * RP_BAND, 4), scratch[RP_BAND];
    double *want = rp_alloc(n, 8), error = 0;
    assert_true(x && l && want);
    for (size_t i = 0; i < n; i++) x[i] = (float)sin((double)(i * i + 1));
    rp_sband_rotate(&band, x, 1, true, scratch);
    assert_true(rp_sband_factor(l, &band, (float)lambda));
    rp_sband_solve(l, &band, x, 1);
    rp_sband_rotate(&band, x, 1, false, scratch);
    double norm = solution(want, full, n, lambda);
    for (size_t i = 0; i < n; i++) error += pow((double)x[i] - want[i], 2);
    free(x), free(l), free(want);
    rp_dband_release(&wide);
    rp_sband_release(&band);
    return sqrt(error) / norm;
}

static void strong_directions_split_off_in_f64_leave_f32_its_digits(void **state)
{
    (void)state;
    double *full = matrix(300, 30000);
    double plain = single(full, 300, false, .01), split = single(full, 300, true, .01);
    assert_true(split < 5e-6);
    assert_true(split < .1 * plain);
    free(full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_reduction_solves_for_every_penalty),
        cmocka_unit_test(a_matrix_that_is_not_positive_definite_is_noticed),
        cmocka_unit_test(strong_directions_split_off_in_f64_leave_f32_its_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
