#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/verdict.h"
#include "support/support.h"

#define HEAD                                                                                       \
    "# rankprobe: 0.1.0\nfeature\tview\tlayer\tprotocol\tn\tqueries\tr2\tr2_within\tr2_within_lo"  \
    "\tr2_within_hi\teta2\n"
#define ROW(feature, layer, protocol, r2, within)                                                  \
    feature "\tv\t" layer "\t" protocol "\t10\t2\t" r2 "\t" within "\t0.5\n"
#define PAIR(layer) ROW("control.pair", layer, "sound", "0", "0\t-0.1\t0.05")

static const struct {
    const char *rows;
    rp_verdict_kind kind;
    size_t best, last;
    bool survives;
} table[] = {
    /* strong in some layer, whatever the last one says */
    {ROW("f", "1", "sound", "0.86", "0.5\t0.4\t0.6") ROW("f", "2", "sound", "0.05", "0\t0\t0"),
     RP_VERDICT_IS_STRONG, 1, 2, true},
    {ROW("f", "1", "sound", "0.85", "0.5\t0.4\t0.6"), RP_VERDICT_IS_INTERMEDIATE, 1, 1, true},
    {ROW("f", "1", "sound", "0.5", "0.5\t0.4\t0.6") ROW("f", "2", "sound", "0.09", "0\t0\t0"),
     RP_VERDICT_IS_ABSENT, 1, 2, true},
    {ROW("f", "1", "sound", "0.5", "0.5\t0.4\t0.6") ROW("f", "2", "sound", "0.1", "0\t0\t0"),
     RP_VERDICT_IS_INTERMEDIATE, 1, 2, true},
    /* the embedding output is not a layer of the model, unless there is no other */
    {ROW("f", "0", "sound", "0.99", "0.9\t0.8\t0.95") ROW("f", "1", "sound", "0.3", "0\t0\t0"),
     RP_VERDICT_IS_INTERMEDIATE, 1, 1, false},
    {ROW("f", "0", "sound", "0.99", "0.9\t0.8\t0.95"), RP_VERDICT_IS_STRONG, 0, 0, true},
    /* the interval must clear 0, and the random number's upper end of .05 */
    {ROW("f", "1", "sound", "0.5", "0.1\t-0.01\t0.2"), RP_VERDICT_IS_INTERMEDIATE, 1, 1, false},
    {ROW("f", "1", "sound", "0.5", "0.1\t0.04\t0.2") PAIR("1"), RP_VERDICT_IS_INTERMEDIATE, 1, 1,
     false},
    {ROW("f", "1", "sound", "0.5", "0.1\t0.06\t0.2") PAIR("1"), RP_VERDICT_IS_INTERMEDIATE, 1, 1,
     true},
    {ROW("f", "1", "sound", "0.5", "nan\tnan\tnan") PAIR("1"), RP_VERDICT_IS_INTERMEDIATE, 1, 1,
     false},
    /* layers that could not be scored */
    {ROW("f", "1", "sound", "nan", "nan\tnan\tnan") ROW("f", "2", "sound", "0.2", "0\t0\t0"),
     RP_VERDICT_IS_INTERMEDIATE, 2, 2, false},
    {ROW("f", "2", "sound", "0.2", "0\t0\t0") ROW("f", "10", "sound", "0.4", "0\t0\t0"),
     RP_VERDICT_IS_INTERMEDIATE, 10, 10, false},
};

static void the_rule_of_the_paper_and_what_survives(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        rp_error err = {0};
        rp_results results;
        rp_verdicts verdicts;
        char text[4096];
        snprintf(text, sizeof text, HEAD "%s", table[i].rows);
        assert_ok(rp_results_read(&results, rp_test_write_text("p.tsv", text), NULL, &err), &err);
        assert_ok(rp_verdicts_make(&verdicts, &results, &err), &err);
        const rp_verdict *v = rp_verdicts_at(&verdicts, 0, 0, 0);
        if (v->kind != table[i].kind || v->survives != table[i].survives)
            fail_msg("row %zu: %s, survives %d", i, rp_verdict_name(v->kind), v->survives);
        assert_int_equal(v->best->layer, table[i].best);
        assert_int_equal(v->last->layer, table[i].last);
        assert_true(v->judged);
        rp_verdicts_release(&verdicts);
        rp_results_release(&results);
    }
}

static void permutations_are_the_null_where_the_table_has_them(void **state)
{
    (void)state;
    static const char *const null[] = {"0.03\t0.001", "0.05\t0.2", "nan\tnan"};
    static const bool survives[] = {true, false, false};
    for (size_t i = 0; i < 3; i++) {
        rp_error err = {0};
        rp_results results;
        rp_verdicts verdicts;
        char text[4096];
        snprintf(text, sizeof text,
                 "feature\tview\tlayer\tprotocol\tn\tqueries\tr2\tr2_within\tr2_within_lo\t"
                 "r2_within_hi\teta2\tnull_within\tp_document_maxt\n"
                 "f\tv\t1\tsound\t9\t2\t.5\t.1\t.04\t.2\t.5\t%s\n"
                 "control.pair\tv\t1\tsound\t9\t2\t0\t0\t-.1\t.06\t0\t.01\tnan\n",
                 null[i]);
        assert_ok(rp_results_read(&results, rp_test_write_text("n.tsv", text), NULL, &err), &err);
        assert_ok(rp_verdicts_make(&verdicts, &results, &err), &err);
        assert_true(results.tested == (i < 2));
        assert_int_equal(rp_verdicts_at(&verdicts, 0, 0, 0)->survives, survives[i]);
        rp_verdicts_release(&verdicts);
        rp_results_release(&results);
    }
}

static void a_label_without_variance_is_undefined_not_absent(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_results results;
    rp_verdicts verdicts;
    const char *path =
        rp_test_write_text("u.tsv", HEAD ROW("f", "1", "sound", "nan", "nan\tnan\tnan"));
    assert_ok(rp_results_read(&results, path, NULL, &err), &err);
    assert_ok(rp_verdicts_make(&verdicts, &results, &err), &err);
    const rp_verdict *v = rp_verdicts_at(&verdicts, 0, 0, 0);
    assert_int_equal(v->kind, RP_VERDICT_UNDEFINED);
    assert_null(v->best);
    assert_false(v->survives);
    rp_verdicts_release(&verdicts);
    rp_results_release(&results);
}

static void only_a_sound_protocol_is_judged(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_results results;
    rp_verdicts verdicts;
    const char *path =
        rp_test_write_text("j.tsv", HEAD ROW("f", "1", "paper-text", "0.9", "0.9\t0.8\t1")
                                        ROW("f", "1", "sound", "0.9", "0.9\t0.8\t1"));
    assert_ok(rp_results_read(&results, path, NULL, &err), &err);
    assert_ok(rp_verdicts_make(&verdicts, &results, &err), &err);
    assert_int_equal(rp_results_published(&results), 0);
    assert_int_equal(rp_results_sound(&results), 1);
    assert_false(rp_verdicts_at(&verdicts, 0, 0, 0)->judged);
    assert_true(rp_verdicts_at(&verdicts, 0, 0, 1)->survives);
    rp_verdicts_release(&verdicts);
    rp_results_release(&results);
}

static const struct {
    const char *text, *error; /* after "'path'" */
} bad[] = {
    {HEAD, ": no probes in it"},
    {"feature\tview\tlayer\n", ": no column 'protocol'"},
    {HEAD ROW("f", "x", "sound", "0", "0\t0\t0"), " line 3: layer is not a number: 'x'"},
    {HEAD ROW("f", "-1", "sound", "0", "0\t0\t0"), " line 3: layer is not a number: '-1'"},
    {HEAD ROW("f", "9999999", "sound", "0", "0\t0\t0"),
     " line 3: layer is not a number: '9999999'"},
    {HEAD ROW("f", "1", "sound", "0", "0\t0\t0") ROW("f", "1", "sound", "1", "0\t0\t0"),
     ": two rows for feature 'f', view 'v', protocol 'sound', layer 1"},
};

static void bad_probes_are_refused_with_file_line_and_value(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        rp_error err = {0};
        rp_results results;
        char want[700];
        const char *path = rp_test_write_text("bad.tsv", bad[i].text);
        snprintf(want, sizeof want, "'%s'%s", path, bad[i].error);
        assert_fails(rp_results_read(&results, path, NULL, &err), &err, RP_EFORMAT, want);
    }
}

static void the_table_of_verdicts_has_a_row_for_each_feature_view_and_protocol(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_results results;
    rp_verdicts verdicts;
    rp_table *t;
    size_t column;
    char probes[512], path[512];
    snprintf(probes, sizeof probes, "%s", rp_test_golden("report/probes.tsv"));
    snprintf(path, sizeof path, "%s", rp_test_path("verdicts.tsv"));
    assert_ok(rp_results_read(&results, probes, rp_test_golden("report/labels.tsv"), &err), &err);
    assert_ok(rp_verdicts_make(&verdicts, &results, &err), &err);
    assert_ok(rp_verdicts_write(&verdicts, path, NULL, NULL, 0, &err), &err);
    assert_ok(rp_table_read(&t, path, &err), &err);
    assert_int_equal(rp_table_rows(t), results.features.n * results.views.n * results.protocols.n);
    assert_ok(rp_table_require(t, "flags", &column, &err), &err);
    assert_ok(rp_table_require(t, "survives", &column, &err), &err);
    assert_string_equal(rp_table_cell(t, 1, column), "-"); /* paper-text */
    rp_table_free(t);
    rp_verdicts_release(&verdicts);
    rp_results_release(&results);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rule_of_the_paper_and_what_survives),
        cmocka_unit_test(permutations_are_the_null_where_the_table_has_them),
        cmocka_unit_test(a_label_without_variance_is_undefined_not_absent),
        cmocka_unit_test(only_a_sound_protocol_is_judged),
        cmocka_unit_test(bad_probes_are_refused_with_file_line_and_value),
        cmocka_unit_test(the_table_of_verdicts_has_a_row_for_each_feature_view_and_protocol),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
