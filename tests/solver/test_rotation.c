#include "support/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/number.h"
#include "solver/rotation.h"

/* R [D, D] row-major: the rows of the identity, turned. */
static double *explicit_rotation(rp_rotation *r, size_t D, uint64_t seed)
{
    rp_error err;
    double *R = rp_alloc(D * D, sizeof *R);
    assert_true(R);
    for (size_t j = 0; j < D; j++) R[j * D + j] = 1;
    assert_ok(rp_rotation_init(r, D, seed, &err), &err);
    assert_ok(rp_rotation_rows(r, R, D, &err), &err);
    return R;
}

static const size_t widths[] = {2, 3, 5, 64, 100};

static void a_rotation_is_orthogonal(void **state)
{
    (void)state;
    for (size_t k = 0; k < 5; k++) {
        size_t D = widths[k];
        rp_rotation r;
        double *R = explicit_rotation(&r, D, 1);
        for (size_t a = 0; a < D; a++)
            for (size_t b = 0; b < D; b++) {
                double dot = 0, want = a == b;
                for (size_t j = 0; j < D; j++) dot += R[a * D + j] * R[b * D + j];
                assert_close(&dot, &want, 1, 0, 1e-13);
            }
        free(R);
        rp_rotation_release(&r);
    }
}

static void a_unit_is_spread_over_all_as_by_a_uniform_rotation(void **state)
{
    (void)state;
    for (size_t D = 64; D <= 300; D += 118) {
        rp_rotation r;
        double *R = explicit_rotation(&r, D, 7), fourth = 0, largest = 0;
        for (size_t i = 0; i < D * D; i++) {
            fourth += pow(R[i], 4), largest = fmax(largest, fabs(R[i]));
        }
        double ratio = fourth / (double)D / (3 / (double)(D + 2)); /* O(D): E R_ij^4 = 3 / D(D+2) */
        assert_true(ratio > .8 && ratio < 1.2);
        assert_true(largest < .9);
        free(R);
        rp_rotation_release(&r);
    }
}

static void both_sides_of_a_gram_matrix_are_turned(void **state)
{
    (void)state;
    for (size_t k = 0; k < 5; k++) {
        size_t D = widths[k];
        rp_rotation r;
        rp_rng rng;
        rp_error err;
        double *R = explicit_rotation(&r, D, 3), *a = rp_alloc(D * D, sizeof *a);
        double *want = rp_alloc(D * D, sizeof *want), *half = rp_alloc(D * D, sizeof *half);
        assert_true(a && want && half);
        rp_rng_init(&rng, 5, 0);
        for (size_t i = 0; i < D; i++)
            for (size_t j = 0; j <= i; j++) a[i * D + j] = a[j * D + i] = rp_rng_normal(&rng);
        for (size_t i = 0; i < D; i++)
            for (size_t j = 0; j < D; j++)
                for (size_t l = 0; l < D; l++) half[i * D + j] += a[i * D + l] * R[l * D + j];
        for (size_t i = 0; i < D; i++)
            for (size_t j = 0; j < D; j++)
                for (size_t l = 0; l < D; l++) want[i * D + j] += R[l * D + i] * half[l * D + j];
        assert_ok(rp_rotation_gram(&r, a, &err), &err);
        assert_close(a, want, D * D, 1e-12, 1e-12);
        free(R), free(a), free(want), free(half);
        rp_rotation_release(&r);
    }
}

static void the_seed_decides_the_rotation(void **state)
{
    (void)state;
    rp_rotation r, s, t;
    double *R = explicit_rotation(&r, 20, 1), *S = explicit_rotation(&s, 20, 1);
    double *T = explicit_rotation(&t, 20, 2);
    assert_memory_equal(R, S, 400 * sizeof *R);
    assert_memory_not_equal(R, T, 400 * sizeof *R);
    free(R), free(S), free(T);
    rp_rotation_release(&r), rp_rotation_release(&s), rp_rotation_release(&t);
}

static void one_unit_cannot_be_turned(void **state)
{
    (void)state;
    rp_rotation r;
    double *R = explicit_rotation(&r, 1, 1);
    assert_true(R[0] == 1);
    free(R);
    rp_rotation_release(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rotation_is_orthogonal),
        cmocka_unit_test(a_unit_is_spread_over_all_as_by_a_uniform_rotation),
        cmocka_unit_test(both_sides_of_a_gram_matrix_are_turned),
        cmocka_unit_test(the_seed_decides_the_rotation),
        cmocka_unit_test(one_unit_cannot_be_turned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
