/* Activations as f16, bf16 and i8: how much is lost, and where. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "store/quant.h"
#include "support/support.h"

enum { ROWS = 300, WIDTH = 530 };

/* Columns of very different means and spreads; column 3 is a unit with massive activations. */
static float *make_values(void)
{
    float *x = calloc(ROWS * WIDTH, sizeof *x);
    rp_rng rng;

    assert_non_null(x);
    rp_rng_init(&rng, 5, 0);
    for (size_t r = 0; r < ROWS; r++)
        for (size_t c = 0; c < WIDTH; c++)
            x[r * WIDTH + c] =
                (float)(rp_rng_normal(&rng) * pow(10, (int)(c % 7) - 4) + (int)(c % 3));
    for (size_t r = 0; r < ROWS; r++) x[r * WIDTH + 3] = (float)(20000 + 50 * rp_rng_normal(&rng));
    for (size_t r = 0; r < ROWS; r++) x[r * WIDTH + 4] = 0.1f;
    return x;
}

/* The loss of the worst column, computed plainly. */
static double worst_error(const float *x, const float *back, size_t *column)
{
    double worst = 0;

    for (size_t c = 0; c < WIDTH; c++) {
        double mean = 0, noise = 0, signal = 0, range = 0;
        for (size_t r = 0; r < ROWS; r++) mean += (double)x[r * WIDTH + c] / ROWS;
        for (size_t r = 0; r < ROWS; r++) {
            noise += pow((double)x[r * WIDTH + c] - back[r * WIDTH + c], 2);
            signal += pow(x[r * WIDTH + c] - mean, 2);
            range = fmax(range, fabs((double)x[r * WIDTH + c] - x[c]));
        }
        if (range > 0 && sqrt(noise / signal) > worst) {
            worst = sqrt(noise / signal);
            *column = c;
        }
    }
    return worst;
}

static void round_trip(float *back, float *scale, rp_loss *loss, const float *x, rp_dtype dtype)
{
    rp_error err = {0};
    void *codes = calloc(ROWS * WIDTH, rp_dtype_size(dtype));
    float *zero = calloc(WIDTH, sizeof *zero);
    size_t row = 0, column = 0;

    assert_non_null(codes);
    assert_non_null(zero);
    assert_ok(rp_quant_encode(codes, scale, zero, loss, &row, &column, x, ROWS, WIDTH, dtype, &err),
              &err);
    rp_quant_decode(back, codes, scale, zero, ROWS, WIDTH, dtype);
    free(codes);
    free(zero);
}

static void check_dtype(rp_dtype dtype, double relative)
{
    float *x = make_values(), *back = calloc(ROWS * WIDTH, sizeof *back), scale[WIDTH] = {0};
    size_t column = 0;
    rp_loss loss;

    assert_non_null(back);
    round_trip(back, scale, &loss, x, dtype);
    for (size_t r = 0; r < ROWS; r++)
        for (size_t c = 0; c < WIDTH; c++) {
            double v = x[r * WIDTH + c], wrong = fabs(v - back[r * WIDTH + c]);
            double bound =
                dtype == RP_I8 ? 0.501 * scale[c] + 1.2e-7 * fabs(v) : relative * fabs(v) + 3e-8;
            if (wrong > bound) fail_msg("row %zu column %zu: %g is off by %g", r, c, v, wrong);
        }
    assert_true(fabs(loss.error - worst_error(x, back, &column)) <= 1e-6 * loss.error);
    assert_int_equal(loss.column, column);
    free(x);
    free(back);
}

static void i8_is_off_by_half_a_step_of_its_column_at_most(void **state)
{
    (void)state;
    check_dtype(RP_I8, 0);
}

static void f16_and_bf16_round_to_their_precision(void **state)
{
    (void)state;
    check_dtype(RP_F16, 0x1p-11);
    check_dtype(RP_BF16, 0x1p-8);
}

static void f32_is_exact(void **state)
{
    float *x = make_values(), *back = calloc(ROWS * WIDTH, sizeof *back);
    rp_loss loss;

    (void)state;
    assert_non_null(back);
    round_trip(back, NULL, &loss, x, RP_F32);
    assert_memory_equal(x, back, ROWS * WIDTH * sizeof *x);
    assert_true(loss.error == 0);
    free(x);
    free(back);
}

static void a_massive_unit_does_not_flatten_the_others(void **state)
{
    float *x = make_values(), *back = calloc(ROWS * WIDTH, sizeof *back), scale[WIDTH];
    rp_loss loss;

    (void)state;
    assert_non_null(back);
    round_trip(back, scale, &loss, x, RP_I8);
    assert_true(loss.error < 0.01);
    free(x);
    free(back);
}

static void a_constant_column_is_kept_exactly_in_i8(void **state)
{
    float *x = make_values(), *back = calloc(ROWS * WIDTH, sizeof *back), scale[WIDTH];
    rp_loss loss;

    (void)state;
    assert_non_null(back);
    round_trip(back, scale, &loss, x, RP_I8);
    for (size_t r = 0; r < ROWS; r++) assert_true(back[r * WIDTH + 4] == 0.1f);
    free(x);
    free(back);
}

static void values_beyond_a_dtype_are_refused_with_their_place(void **state)
{
    const struct {
        float value;
        rp_dtype dtype;
        rp_status status;
    } cases[] = {{NAN, RP_F32, RP_ECOMPUTE},      {INFINITY, RP_F32, RP_ECOMPUTE},
                 {-INFINITY, RP_I8, RP_ECOMPUTE}, {65520, RP_F16, RP_ECOMPUTE},
                 {65504, RP_F16, RP_OK},          {3.4e38f, RP_BF16, RP_ECOMPUTE},
                 {70000, RP_BF16, RP_OK},         {3.4e38f, RP_I8, RP_OK}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float x[6] = {1, 2, 3, 4, cases[i].value, 6}, codes[6], scale[3], zero[3];
        size_t row = 9, column = 9;
        rp_error err = {0};
        rp_loss loss;
        assert_int_equal(rp_quant_encode(codes, scale, zero, &loss, &row, &column, x, 2, 3,
                                         cases[i].dtype, &err),
                         cases[i].status);
        assert_int_equal(row, cases[i].status ? 1 : 9);
        assert_int_equal(column, cases[i].status ? 1 : 9);
    }
}

static void codes_and_scales_may_lie_anywhere(void **state)
{
    enum { R = 3, W = 21 };
    static const rp_dtype dtypes[] = {RP_F32, RP_F16, RP_BF16, RP_I8};
    float x[R * W], scale[W] = {0}, zero[W] = {0}, want[R * W], got[R * W];
    char codes[R * W * 4], odd[R * W * 4 + 1], odd_scale[W * 4 + 1], odd_zero[W * 4 + 3];
    size_t row, column;
    rp_loss loss;
    rp_error err = {0};

    (void)state;
    for (size_t i = 0; i < R * W; i++) x[i] = (float)cos((double)i);
    for (size_t d = 0; d < sizeof dtypes / sizeof *dtypes; d++) {
        assert_ok(
            rp_quant_encode(codes, scale, zero, &loss, &row, &column, x, R, W, dtypes[d], &err),
            &err);
        memcpy(odd + 1, codes, sizeof codes);
        memcpy(odd_scale + 1, scale, sizeof scale);
        memcpy(odd_zero + 3, zero, sizeof zero);
        rp_quant_decode(want, codes, scale, zero, R, W, dtypes[d]);
        rp_quant_decode(got, odd + 1, odd_scale + 1, odd_zero + 3, R, W, dtypes[d]);
        assert_memory_equal(got, want, sizeof want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(i8_is_off_by_half_a_step_of_its_column_at_most),
        cmocka_unit_test(f16_and_bf16_round_to_their_precision),
        cmocka_unit_test(f32_is_exact),
        cmocka_unit_test(a_massive_unit_does_not_flatten_the_others),
        cmocka_unit_test(a_constant_column_is_kept_exactly_in_i8),
        cmocka_unit_test(values_beyond_a_dtype_are_refused_with_their_place),
        cmocka_unit_test(codes_and_scales_may_lie_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
