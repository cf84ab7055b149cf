#include <math.h>
#include <stdio.h>

#include "base/number.h"
#include "feature/write.h"
#include "support/support.h"

static void check_number(double value)
{
    char got[RP_FEATURES_NUMBER + 1], want[RP_FEATURES_NUMBER + 1];
    got[rp_features_number(got, value)] = '\0';
    snprintf(want, sizeof want, "%.9g", value);
    assert_string_equal(got, want);
}

static void numbers_are_those_of_printf(void **state)
{
    (void)state;
    static const double special[] = {
        0,           -0.,         1,         -1,    .5,          1e-4,        9.99999999e-5,
        1e8,         99999999.95, 999999999, 1e9,   .1234567885, .9999999995, .99999999949999,
        12345678.25, 12345678.35, 1e-300,    1e300, -.1,         INFINITY};
    for (size_t i = 0; i < sizeof special / sizeof *special; i++) check_number(special[i]);
    rp_rng rng;
    rp_rng_init(&rng, 1, 0);
    for (size_t i = 0; i < 300000; i++) {
        double size = exp(50 * rp_rng_uniform(&rng) - 25), sign = i % 2 ? 1 : -1;
        check_number(sign * size);
        check_number(floor(1e5 * size) / 1e5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_those_of_printf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
