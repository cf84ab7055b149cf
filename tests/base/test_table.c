#include <stdio.h>
#include <string.h>

#include "base/table.h"
#include "support/support.h"

static void reads_comments_header_and_rows(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_table *t;
    double v;
    const char *path =
        rp_test_write_text("t.tsv", "# rankprobe: 0.1.0\n#seed:7\nqid\tx\n#1\t2.5\nb\t\n\n\n");
    assert_ok(rp_table_read(&t, path, &err), &err);
    assert_int_equal(rp_table_rows(t), 2);
    assert_int_equal(rp_table_columns(t), 2);
    assert_string_equal(rp_table_name(t, 1), "x");
    assert_string_equal(rp_table_cell(t, 0, 0), "#1");
    assert_string_equal(rp_table_cell(t, 1, 1), "");
    assert_int_equal(rp_table_line(t, 1), 5);
    assert_string_equal(rp_table_comment(t, "rankprobe"), "0.1.0");
    assert_string_equal(rp_table_comment(t, "seed"), "7");
    assert_null(rp_table_comment(t, "see"));
    assert_ok(rp_table_number(t, 0, 1, &v, &err), &err);
    assert_true(v == 2.5);
    char text[600];
    snprintf(text, sizeof text, "'%s' line 5: x is not a number: ''", path);
    assert_fails(rp_table_number(t, 1, 1, &v, &err), &err, RP_EFORMAT, text);
    size_t column;
    snprintf(text, sizeof text, "'%s': no column 'y'", path);
    assert_fails(rp_table_require(t, "y", &column, &err), &err, RP_EFORMAT, text);
    rp_table_free(t);
}

static void bad(const char *content, const char *message)
{
    rp_error err = {0};
    rp_table *t;
    char text[600];
    const char *path = rp_test_write_text("t.tsv", content);
    snprintf(text, sizeof text, "'%s'%s", path, message);
    assert_fails(rp_table_read(&t, path, &err), &err, RP_EFORMAT, text);
    assert_null(t);
}

static void a_bad_table_is_refused_with_its_line(void **state)
{
    (void)state;
    bad("", ": is empty: no header line");
    bad("# only: comments\n", ": is empty: no header line");
    bad("a\tb\n1\n", " line 2: 1 columns, the header has 2");
    bad("a\tb\n1\t2\t3\n", " line 2: 3 columns, the header has 2");
    bad("a\tb\ta\n", " line 1: column 'a' appears twice");
    bad("a\t\tb\n", " line 1: column 2 has no name");
    bad("a\n1\n\n2\n", " line 3: blank line");
}

static void globs_pick_names(void **state)
{
    (void)state;
    assert_true(rp_globs_match("mslr.*,sim.*", "sim.kl"));
    assert_true(rp_globs_match(" a , b ", "b"));
    assert_false(rp_globs_match("mslr.*", "sim.kl"));
    assert_false(rp_globs_match("", "x"));
    static const char *const names[] = {"mslr.bm25", "sim.kl"};
    rp_error err = {0};
    assert_ok(rp_globs_check("*.kl,mslr.*", names, 2, "feature", &err), &err);
    assert_fails(rp_globs_check("sim.*,paper.*", names, 2, "feature", &err), &err, RP_EARG,
                 "no feature matches 'paper.*'");
    assert_fails(rp_globs_check(" , ", names, 2, "feature", &err), &err, RP_EARG,
                 "no feature was named");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_comments_header_and_rows),
        cmocka_unit_test(a_bad_table_is_refused_with_its_line),
        cmocka_unit_test(globs_pick_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
