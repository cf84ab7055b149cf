#include <stdio.h>
#include <string.h>

#include "data/data.h"
#include "support/support.h"

/* "qid:docid=score,...;" in the order of the run. */
static void render(char *out, size_t cap, const rp_run *run)
{
    out[0] = '\0';
    for (size_t t = 0; t < rp_run_queries(run); t++) {
        const rp_hit *hits;
        size_t n = rp_run_hits(run, t, &hits), used = strlen(out);
        snprintf(out + used, cap - used, "%s:", rp_run_qid(run, t));
        for (size_t i = 0; i < n; i++) {
            used = strlen(out);
            snprintf(out + used, cap - used, "%s=%g%s", hits[i].docid, hits[i].score,
                     i + 1 < n ? "," : ";");
        }
    }
}

static void run_gives(const char *content, const char *want)
{
    char got[512];
    rp_error err = {0};
    rp_run *run;
    assert_ok(rp_run_load(&run, rp_test_write_text("r", content), "auto", &err), &err);
    render(got, sizeof got, run);
    assert_string_equal(got, want);
    rp_run_free(run);
}

static void recognises_the_three_runs(void **state)
{
    (void)state;
    run_gives("2 Q0 a 1 3.5 tag\n1\tQ0\tb\t1\t2\ttag\r\n2 Q0 c 2 4 tag\n\n", "2:c=4,a=3.5;1:b=2;");
    run_gives("1\tb\t2\n1\ta\t1\n", "1:a=-1,b=-2;");
    run_gives("1\tb\twhat is x\tpassage one\n1\ta\twhat is x\tp\n", "1:b=-1,a=-2;");
}

static void ties_go_by_docid_descending_and_scores_are_floats(void **state)
{
    (void)state;
    run_gives("1 Q0 a 1 1.00000002 t\n1 Q0 c 2 1.00000001 t\n1 Q0 b 3 1 t\n", "1:c=1,b=1,a=1;");
}

static void ties_go_by_rank_when_asked(void **state)
{
    (void)state;
    char got[512];
    rp_error err = {0};
    rp_run *run;
    const char *path = rp_test_write_text("r", "1 Q0 a 2 1 t\n1 Q0 c 3 1 t\n1 Q0 b 1 1 t\n");
    assert_ok(rp_run_load_ties(&run, path, "auto", RP_TIES_RANK, &err), &err);
    render(got, sizeof got, run);
    assert_string_equal(got, "1:b=1,a=1,c=1;");
    assert_int_equal(rp_run_contradictions(run), 0);
    rp_run_free(run);
    assert_ok(rp_run_load(&run, path, "auto", &err), &err);
    assert_int_equal(rp_run_contradictions(run), 1); /* c, b, a: only c before b contradicts */
    rp_run_free(run);
}

static void bad_run(const char *content, const char *message)
{
    rp_error err = {0};
    rp_run *run;
    char text[600];
    const char *path = rp_test_write_text("r", content);
    snprintf(text, sizeof text, "'%s'%s", path, message);
    assert_fails(rp_run_load(&run, path, "auto", &err), &err, RP_EFORMAT, text);
    assert_null(run);
}

static void a_bad_run_is_refused_with_its_line(void **state)
{
    (void)state;
    bad_run("", ": is empty");
    bad_run("\n\n", ": is empty");
    bad_run("1 Q0 a 1 3.5\n", " line 1: 5 columns: a run has 6 (TREC), 3 (MS MARCO) or 4 separated "
                              "by tabs (top1000)");
    bad_run("1 0 a 1\n", " line 1: 4 columns: these are qrels, not a run");
    bad_run("1 Q0 a 1 3.5 t\n1 Q0 b 2 t\n", " line 2: 5 columns, a TREC run has 6");
    bad_run("1 Q0 a one 3.5 t\n", " line 1: rank is not a number: 'one'");
    bad_run("1 Q0 a 1 high t\n", " line 1: score is not a number: 'high'");
    bad_run("1 Q0 a 1 nan t\n", " line 1: score is not a number: 'nan'");
    bad_run("1 Q0 a 1 1 t\n2 Q0 a 1 1 t\n1 Q0 a 2 0 t\n",
            " line 3: document 'a' of query '1' again");
    bad_run("1\ta\t1\n1\tb\tx\n", " line 2: rank is not a number: 'x'");
    bad_run("1\ta\tq\tp\n1\tb\tother\tp\n", " line 2: query '1' again, with another text");
    bad_run("1\ta\tq\tp\n1\tb\tq\n", " line 2: 3 columns, a top1000 file has 4");
    bad_run("1 Q0 a 1 3.5 t\n\n1 Q0 b 2 3 t\n", " line 2: blank line");
}

static void recognises_both_qrels(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_qrels *q;
    int grade;
    const char *const *docids;
    const int *grades;
    const char *path = rp_test_write_text("q", "1 0 b 2\n2 0 a 1\n1 0 a -1\n");
    assert_ok(rp_qrels_load(&q, path, "auto", &err), &err);
    assert_int_equal(rp_qrels_queries(q), 2);
    assert_true(rp_qrels_grade(q, "1", "a", &grade) && grade == -1);
    assert_false(rp_qrels_grade(q, "1", "c", &grade));
    assert_false(rp_qrels_grade(q, "3", "a", &grade));
    assert_int_equal(rp_qrels_grades(q, 0, &grades, &docids), 2);
    assert_string_equal(docids[0], "b");
    assert_int_equal(grades[0], 2);
    rp_qrels_free(q);
    path = rp_test_write_text("q", "query-id\tcorpus-id\tscore\r\nq\td\t1\r\n");
    assert_ok(rp_qrels_load(&q, path, "auto", &err), &err);
    assert_true(rp_qrels_grade(q, "q", "d", &grade) && grade == 1);
    rp_qrels_free(q);
}

static void bad_qrels(const char *content, const char *message)
{
    rp_error err = {0};
    rp_qrels *q;
    char text[600];
    const char *path = rp_test_write_text("q", content);
    snprintf(text, sizeof text, "'%s'%s", path, message);
    assert_fails(rp_qrels_load(&q, path, "auto", &err), &err, RP_EFORMAT, text);
    assert_null(q);
}

static void bad_qrels_are_refused_with_their_line(void **state)
{
    (void)state;
    bad_qrels("", ": is empty");
    bad_qrels("1 0 a\n", " line 1: 3 columns: qrels have 4 (TREC), or 3 under the header 'query-id "
                         "corpus-id score' (BEIR)");
    bad_qrels("1 Q0 a 1 2.5 t\n", " line 1: 6 columns: this is a run, not qrels");
    bad_qrels("1 0 a 1\n1 0 b\n", " line 2: 3 columns, qrels have 4");
    bad_qrels("1 0 a yes\n", " line 1: grade is not a whole number: 'yes'");
    bad_qrels("1 0 a 1.5\n", " line 1: grade is not a whole number: '1.5'");
    bad_qrels("1 0 a 99999999999\n", " line 1: grade is not a whole number: '99999999999'");
    bad_qrels("1 0 a 1\n1 0 a 1\n", " line 2: document 'a' of query '1' again");
    bad_qrels("query-id\tcorpus-id\tscore\n", ": no judgements");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recognises_the_three_runs),
        cmocka_unit_test(ties_go_by_docid_descending_and_scores_are_floats),
        cmocka_unit_test(ties_go_by_rank_when_asked),
        cmocka_unit_test(a_bad_run_is_refused_with_its_line),
        cmocka_unit_test(recognises_both_qrels),
        cmocka_unit_test(bad_qrels_are_refused_with_their_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
