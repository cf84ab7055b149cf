#include <math.h>
#include <string.h>

#include "base/number.h"
#include "support/support.h"

static void reads_numbers_strictly(void **state)
{
    (void)state;
    static const char *const good[] = {"0", "-1", "+2.5", ".5", "5.", "1e3", "1E-3", "nan", "-inf"};
    static const char *const bad[] = {"",      " 1",       "1 ",     "0x10",  "1,5",
                                      "1e",    "e1",       "--1",    "1e999", "abc",
                                      "1.2.3", "infinity", "nan(3)", "+",     "."};
    double v;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(rp_number_double(good[i], &v));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (rp_number_double(bad[i], &v)) fail_msg("'%s' was read as %g", bad[i], v);
    }
    assert_true(rp_number_double("15.780599594116211", &v) && v == 15.780599594116211);
}

static void reads_whole_numbers_strictly(void **state)
{
    (void)state;
    long i;
    size_t n;
    assert_true(rp_number_int("-7", &i) && i == -7);
    assert_false(rp_number_int("7.0", &i));
    assert_false(rp_number_int("99999999999999999999", &i));
    assert_false(rp_number_int(" 7", &i));
    assert_true(rp_number_size("18446744073709551615", &n) && n == SIZE_MAX);
    assert_false(rp_number_size("18446744073709551616", &n));
    assert_false(rp_number_size("-1", &n));
    assert_false(rp_number_size("+1", &n));
    assert_false(rp_number_size("", &n));
}

static void every_half_survives_the_way_through_float(void **state)
{
    static uint16_t all[65536];
    static float many[65536];

    (void)state;
    for (uint32_t h = 0; h < 65536; h++) all[h] = (uint16_t)h;
    rp_floats_from_half(many, all, 65536);
    for (uint32_t h = 0; h < 65536; h++) {
        float f = rp_float_from_half((uint16_t)h);
        assert_memory_equal(&f, &many[h], sizeof f);
        if (isnan(f)) continue;
        if (rp_half_from_float(f) != h) fail_msg("%04x became %04x", h, rp_half_from_float(f));
    }
    assert_true(isnan(rp_float_from_half(0x7e00)));
    assert_true(rp_float_from_half(0x3c00) == 1.0f);
    assert_true(rp_float_from_half(0x0001) == 0x1p-24f);
    assert_true(rp_float_from_half(0x7bff) == 65504.0f);
    assert_true(isinf(rp_float_from_half(0x7c00)));
}

static void rounds_halves_to_nearest_even(void **state)
{
    (void)state;
    assert_int_equal(rp_half_from_float(1.0f + 0x1p-11f), 0x3c00);            /* a tie, down */
    assert_int_equal(rp_half_from_float(1.0f + 3 * 0x1p-11f), 0x3c02);        /* a tie, up */
    assert_int_equal(rp_half_from_float(1.0f + 0x1p-11f + 0x1p-20f), 0x3c01); /* above the tie */
    assert_int_equal(rp_half_from_float(65520.0f), 0x7c00);
    assert_int_equal(rp_half_from_float(65519.0f), 0x7bff);
    assert_int_equal(rp_half_from_float(-1e-9f), 0x8000);
    assert_int_equal(rp_half_from_float(NAN) & 0x7e00, 0x7e00);
}

static void rounds_bfloats_to_nearest_even(void **state)
{
    (void)state;
    for (uint32_t b = 0; b < 65536; b++) {
        float f = rp_float_from_bfloat((uint16_t)b);
        if (!isnan(f) && rp_bfloat_from_float(f) != b) fail_msg("%04x", b);
    }
    assert_int_equal(rp_bfloat_from_float(1.0f + 0x1p-8f), 0x3f80);
    assert_int_equal(rp_bfloat_from_float(1.0f + 3 * 0x1p-8f), 0x3f82);
    assert_true(isnan(rp_float_from_bfloat(rp_bfloat_from_float(NAN))));
}

static void arrays_convert_as_single_values_do(void **state)
{
    (void)state;
    uint16_t in[1000];
    float half[1000], bfloat[1000];
    for (size_t i = 0; i < 1000; i++) in[i] = (uint16_t)(i * 31);
    rp_floats_from_half(half, in, 1000);
    rp_floats_from_bfloat(bfloat, in, 1000);
    for (size_t i = 0; i < 1000; i++) {
        float h = rp_float_from_half(in[i]), b = rp_float_from_bfloat(in[i]);
        assert_memory_equal(&half[i], &h, sizeof h);
        assert_memory_equal(&bfloat[i], &b, sizeof b);
    }
}

/* xoshiro256** from the state 1, 2, 3, 4: the reference implementation's first outputs. */
static void follows_the_reference_generator(void **state)
{
    (void)state;
    rp_rng rng = {{1, 2, 3, 4}};
    assert_true(rp_rng_next(&rng) == 11520u);
    assert_true(rp_rng_next(&rng) == 0u);
    assert_true(rp_rng_next(&rng) == 1509978240u);
    assert_true(rp_rng_next(&rng) == 1215971899390074240u);
}

static void streams_differ_and_repeat(void **state)
{
    (void)state;
    rp_rng a, b, c;
    rp_rng_init(&a, 1, 0);
    rp_rng_init(&b, 1, 1);
    rp_rng_init(&c, 1, 0);
    assert_true(rp_rng_next(&a) != rp_rng_next(&b));
    rp_rng_next(&c);
    assert_true(rp_rng_next(&a) == rp_rng_next(&c));
}

static void draws_have_the_moments_they_should(void **state)
{
    (void)state;
    enum { N = 200000 };
    rp_rng rng;
    rp_rng_init(&rng, 42, 0);
    double sum = 0, square = 0, uniform = 0, below[7] = {0};
    for (size_t i = 0; i < N; i++) {
        double z = rp_rng_normal(&rng), u = rp_rng_uniform(&rng);
        sum += z;
        square += z * z;
        uniform += u;
        assert_true(u >= 0 && u < 1);
        below[rp_rng_below(&rng, 7)] += 7.0 / N;
    }
    const double one[7] = {1, 1, 1, 1, 1, 1, 1};
    double got[] = {sum / N, square / N, uniform / N}, want[] = {0, 1, .5};
    assert_close(got, want, 3, 0, .01);
    assert_close(below, one, 7, 0, .03);
}

static void a_shuffle_is_a_permutation(void **state)
{
    (void)state;
    size_t index[100], seen[100] = {0};
    for (size_t i = 0; i < 100; i++) index[i] = i;
    rp_rng rng;
    rp_rng_init(&rng, 3, 0);
    rp_rng_shuffle(&rng, index, 100);
    size_t moved = 0;
    for (size_t i = 0; i < 100; i++) {
        seen[index[i]]++;
        moved += index[i] != i;
    }
    for (size_t i = 0; i < 100; i++) assert_int_equal(seen[i], 1);
    assert_true(moved > 80);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_numbers_strictly),
        cmocka_unit_test(reads_whole_numbers_strictly),
        cmocka_unit_test(every_half_survives_the_way_through_float),
        cmocka_unit_test(rounds_halves_to_nearest_even),
        cmocka_unit_test(rounds_bfloats_to_nearest_even),
        cmocka_unit_test(arrays_convert_as_single_values_do),
        cmocka_unit_test(follows_the_reference_generator),
        cmocka_unit_test(streams_differ_and_repeat),
        cmocka_unit_test(draws_have_the_moments_they_should),
        cmocka_unit_test(a_shuffle_is_a_permutation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
