#include "feature/labels.h"

#include <math.h>
#include <string.h>

#include "base/table.h"
#include "support/support.h"

enum { N = 6, P = 6 };
static const size_t first[] = {0, 3, 6};
static const double within_only[] = {1, 2, 3, 3, 2, 1};
static const double between_only[] = {1, 1, 1, 4, 4, 4};
static const double mixed[] = {0, 1, 2, 4, 5, 9};
static const double flat[] = {.1, .1, .1, .1, .1, .1};
static const double image[] = {5, 3, 1, -3, -5, -13}; /* 5 - 2 mixed */
static const double rounded[] = {1, 1 + 1e-14, 1, 1 - 1e-14, 1, 1};
static const double *const columns[] = {within_only, between_only, mixed, flat, image, rounded};

static void measure(rp_label *label, double *r)
{
    rp_error err;
    assert_ok(rp_labels_measure(label, r, columns, P, first, 2, &err), &err);
}

static void eta2_is_the_share_of_variance_between_queries(void **state)
{
    (void)state;
    rp_label label[P];
    double r[P * P];
    measure(label, r);
    /* mixed: mean 3.5, SS 53.5; query means 1 and 6, within 2 + 14 */
    const double got[] = {label[0].eta2, label[1].eta2, label[2].eta2, label[4].eta2};
    const double want[] = {0, 1, 1 - 16 / 53.5, 1 - 16 / 53.5};
    assert_close(got, want, 4, 1e-14, 1e-14);
    assert_true(isnan(label[3].eta2) && isnan(label[5].eta2));
}

static void moments_are_those_of_the_population(void **state)
{
    (void)state;
    rp_label label[P];
    double r[P * P];
    measure(label, r);
    const double got[] = {label[2].mean, label[2].sd, label[2].min, label[2].max};
    const double want[] = {3.5, sqrt(53.5 / 6), 0, 9};
    assert_close(got, want, 4, 1e-14, 0);
    assert_int_equal(label[2].n, 6);
    assert_int_equal(label[2].distinct, 6);
    assert_int_equal(label[1].distinct, 2);
}

static void constants_are_found(void **state)
{
    (void)state;
    rp_label label[P];
    double r[P * P];
    const bool constant[] = {false, false, false, true, false, true};
    const bool within[] = {false, true, false, false, false, false};
    measure(label, r);
    for (size_t i = 0; i < P; i++) {
        assert_int_equal(label[i].constant, constant[i]);
        assert_int_equal(label[i].constant_within, within[i]);
        assert_true(label[i].few);
    }
    assert_int_equal(label[5].distinct, 1); /* beyond the digits that are written */
}

static void an_affine_image_is_a_duplicate(void **state)
{
    (void)state;
    rp_label label[P];
    double r[P * P];
    measure(label, r);
    assert_int_equal(label[4].duplicate_of, 2);
    assert_int_equal(label[2].duplicate_of, SIZE_MAX);
    assert_int_equal(label[5].duplicate_of, SIZE_MAX);
}

static void correlations_are_symmetric_and_undefined_with_a_constant(void **state)
{
    (void)state;
    rp_label label[P];
    double r[P * P];
    measure(label, r);
    const double got[] = {r[0 * P + 0], r[2 * P + 4], r[4 * P + 2], r[0 * P + 1], r[1 * P + 2]};
    const double want[] = {1, -1, -1, 0, 22.5 / sqrt(13.5 * 53.5)};
    assert_close(got, want, 5, 1e-14, 1e-14);
    for (size_t i = 0; i < P; i++) assert_true(isnan(r[3 * P + i]) && isnan(r[i * P + 3]));
}

static void the_report_has_a_row_and_a_correlation_for_every_column(void **state)
{
    (void)state;
    static char collection[512], queries[512], run[512];
    rp_features_options o;
    rp_table *table;
    rp_error err;
    rp_features_options_init(&o);
    strcpy(collection, rp_test_golden("feature/collection.tsv"));
    strcpy(queries, rp_test_golden("feature/queries.tsv"));
    strcpy(run, rp_test_golden("feature/run.trec"));
    o.in.collection = collection;
    o.in.queries = queries;
    o.in.run = run;
    o.select = "mslr.bm25,mslr.stream_length,paper.covered*,paper.min_tf";
    const char *const derive[] = {"same = 3 - mslr.stream_length / 7"};
    o.derive = derive;
    o.nderive = 1;
    o.output = rp_test_path("features.tsv");
    o.labels = rp_test_path("labels.tsv");
    assert_ok(rp_features(&o, NULL, &err), &err);
    assert_ok(rp_table_read(&table, o.labels, &err), &err);
    static const char *const names[] = {
        "mslr.stream_length",     "mslr.bm25",    "paper.covered_qt_number",
        "paper.covered_qt_ratio", "paper.min_tf", "same"};
    static const char *const flags[] = {"",
                                        "",
                                        "constant-within-query,few-distinct",
                                        "constant-within-query,few-distinct",
                                        "constant,few-distinct",
                                        "duplicate-of:mslr.stream_length"};
    assert_int_equal(rp_table_rows(table), 6);
    assert_int_equal(rp_table_columns(table), 9 + 6);
    size_t flag = rp_table_find(table, "flags");
    for (size_t i = 0; i < 6; i++) {
        char header[64] = "r.";
        strcat(header, names[i]);
        assert_string_equal(rp_table_cell(table, i, 0), names[i]);
        assert_string_equal(rp_table_cell(table, i, flag), flags[i]);
        assert_string_equal(rp_table_name(table, 9 + i), header);
    }
    assert_string_equal(rp_table_cell(table, 0, 9 + 5), "-1.000000");
    assert_string_equal(rp_table_cell(table, 4, 9), "nan");
    assert_string_equal(rp_table_comment(table, "queries"), "6");
    rp_table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eta2_is_the_share_of_variance_between_queries),
        cmocka_unit_test(moments_are_those_of_the_population),
        cmocka_unit_test(constants_are_found),
        cmocka_unit_test(an_affine_image_is_a_duplicate),
        cmocka_unit_test(correlations_are_symmetric_and_undefined_with_a_constant),
        cmocka_unit_test(the_report_has_a_row_and_a_correlation_for_every_column),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
