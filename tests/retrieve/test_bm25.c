#include "retrieve/bm25.h"

#include <math.h>

#include "support/support.h"

static void idf_variants_follow_their_formulas(void **state)
{
    (void)state;
    const double got[] = {rp_idf_value(RP_IDF_LUCENE, 100, 7),
                          rp_idf_value(RP_IDF_ROBERTSON, 100, 7),
                          rp_idf_value(RP_IDF_SMOOTH, 100, 7), rp_idf_value(RP_IDF_PLAIN, 100, 7)};
    const double want[] = {log(1 + 93.5 / 7.5), log(93.5 / 7.5), log(101.0 / 8) + 1,
                           log(100.0 / 7)};
    assert_close(got, want, 4, 1e-14, 0);
}

static void a_negative_okapi_idf_is_a_quarter_of_the_mean(void **state)
{
    (void)state;
    rp_bm25 okapi;
    rp_error err;
    assert_ok(rp_bm25_find(&okapi, "okapi", NAN, NAN, &err), &err);
    assert_true(rp_bm25_idf(&okapi, 10, 9, 2.0) == 0.5);
    assert_true(rp_bm25_idf(&okapi, 10, 2, 2.0) == rp_idf_value(RP_IDF_ROBERTSON, 10, 2));
    assert_true(rp_bm25_idf(&okapi, 10, 0, 2.0) == 0);
}

static void presets_differ_in_parameters_and_in_the_factor(void **state)
{
    (void)state;
    rp_bm25 anserini, msmarco, okapi;
    rp_error err;
    assert_ok(rp_bm25_find(&anserini, "anserini", NAN, NAN, &err), &err);
    assert_ok(rp_bm25_find(&msmarco, "msmarco", NAN, NAN, &err), &err);
    assert_ok(rp_bm25_find(&okapi, "okapi", NAN, NAN, &err), &err);
    const double got[] = {rp_bm25_weight(&anserini, 2, 3, 40, 50),
                          rp_bm25_weight(&msmarco, 2, 3, 40, 50),
                          rp_bm25_weight(&okapi, 2, 3, 40, 50)};
    const double want[] = {2 * 3 / (3 + .9 * (.6 + .4 * .8)), 2 * 3 / (3 + .82 * (.32 + .68 * .8)),
                           2 * 3 * 2.5 / (3 + 1.5 * (.25 + .75 * .8))};
    assert_close(got, want, 3, 1e-14, 0);
}

static void parameters_replace_the_presets(void **state)
{
    (void)state;
    rp_bm25 bm25;
    rp_error err;
    assert_ok(rp_bm25_find(&bm25, "anserini", 1.2, NAN, &err), &err);
    assert_true(bm25.k1 == 1.2 && bm25.b == .4);
    assert_ok(rp_bm25_find(&bm25, "anserini", NAN, 0, &err), &err);
    assert_true(bm25.k1 == .9 && bm25.b == 0);
}

static void bad_parameters_are_refused(void **state)
{
    (void)state;
    rp_bm25 bm25;
    rp_idf idf;
    rp_error err;
    assert_fails(rp_bm25_find(&bm25, "lucene", NAN, NAN, &err), &err, RP_EARG,
                 "no bm25 preset 'lucene'; there are anserini, msmarco, okapi");
    assert_fails(rp_bm25_find(&bm25, "anserini", -1, NAN, &err), &err, RP_EARG,
                 "k1 is not a number from 0: -1");
    assert_fails(rp_bm25_find(&bm25, "anserini", NAN, 1.5, &err), &err, RP_EARG,
                 "b is not between 0 and 1: 1.5");
    assert_fails(rp_idf_find(&idf, "log", &err), &err, RP_EARG,
                 "no idf 'log'; there are lucene, robertson, smooth, plain");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(idf_variants_follow_their_formulas),
        cmocka_unit_test(a_negative_okapi_idf_is_a_quarter_of_the_mean),
        cmocka_unit_test(presets_differ_in_parameters_and_in_the_factor),
        cmocka_unit_test(parameters_replace_the_presets),
        cmocka_unit_test(bad_parameters_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
