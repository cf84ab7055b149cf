#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "probe/quantile.h"
#include "support/support.h"

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void quantiles_are_numpys(void **state)
{
    (void)state;
    /* numpy.quantile([4, 1, 3, 9, 7], [0, .1, .5, .95, 1]) */
    const double q[] = {0, .1, .5, .95, 1}, want[] = {1, 1.8, 4, 8.6, 9};
    for (size_t i = 0; i < 5; i++) {
        double v[] = {4, 1, 3, 9, 7}, got = rp_quantile(v, 5, q[i]);
        assert_close(&got, &want[i], 1, 1e-15, 0);
    }
    double one = 5;
    assert_true(rp_quantile(&one, 1, .3) == 5);
    assert_true(isnan(rp_quantile(&one, 0, .3)));
}

static void selecting_agrees_with_sorting(void **state)
{
    (void)state;
    double v[64], sorted[64];
    rp_rng rng;
    rp_rng_init(&rng, 1, 0);
    for (size_t round = 0; round < 2000; round++) {
        size_t n = 1 + rp_rng_below(&rng, 64), distinct = 1 + rp_rng_below(&rng, 100);
        for (size_t i = 0; i < n; i++) v[i] = (double)rp_rng_below(&rng, distinct);
        memcpy(sorted, v, n * sizeof *v);
        qsort(sorted, n, sizeof *v, ascending);
        size_t k = rp_rng_below(&rng, n);
        double got = rp_quantile(v, n, n > 1 ? (double)k / (double)(n - 1) : 0);
        assert_close(&got, &sorted[k], 1, 0, 1e-12);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_are_numpys),
        cmocka_unit_test(selecting_agrees_with_sorting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
