#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/table.h"
#include "data/data.h"
#include "support/support.h"

static char warning[512];

static void keep_warning(void *arg, const char *text)
{
    (void)arg;
    snprintf(warning, sizeof warning, "%s", text);
}

static const rp_host host = {.warn = keep_warning};

static rp_search_options golden_options(const char *output)
{
    static char collection[512], queries[512];
    rp_search_options o;
    rp_search_options_init(&o);
    snprintf(collection, sizeof collection, "%s", rp_test_golden("feature/collection.tsv"));
    snprintf(queries, sizeof queries, "%s", rp_test_golden("feature/queries.tsv"));
    o.in.collection = collection;
    o.in.queries = queries;
    o.output = output;
    o.in.top = 0;
    return o;
}

/* Every hit of the run has the golden score; there are as many as golden rows. */
static void check_scores(const rp_run *run, const char *column, double rtol, double atol)
{
    rp_table *golden;
    rp_error err;
    size_t at, hits = 0;
    assert_ok(rp_table_read(&golden, rp_test_golden("feature/search.tsv"), &err), &err);
    assert_ok(rp_table_require(golden, column, &at, &err), &err);
    for (size_t q = 0; q < rp_run_queries(run); q++) {
        const rp_hit *hit;
        size_t n = rp_run_hits(run, q, &hit);
        hits += n;
        for (size_t i = 0; i < n; i++) {
            size_t r = 0;
            while (r < rp_table_rows(golden) &&
                   (strcmp(rp_table_cell(golden, r, 0), rp_run_qid(run, q)) ||
                    strcmp(rp_table_cell(golden, r, 1), hit[i].docid))) {
                r++;
            }
            assert_true(r < rp_table_rows(golden));
            double want;
            assert_ok(rp_table_number(golden, r, at, &want, &err), &err);
            assert_close(&hit[i].score, &want, 1, rtol, atol);
        }
    }
    assert_int_equal(hits, rp_table_rows(golden));
    rp_table_free(golden);
}

static void check_preset(const char *preset, const char *column, double rtol, double atol)
{
    rp_search_options o = golden_options(rp_test_path("run.trec"));
    rp_run *run;
    rp_error err;
    o.bm25 = preset;
    assert_ok(rp_search(&o, NULL, &err), &err);
    assert_ok(rp_run_load(&run, o.output, NULL, &err), &err);
    check_scores(run, column, rtol, atol);
    rp_run_free(run);
}

static void scores_are_those_of_bm25s(void **state)
{
    (void)state;
    check_preset("anserini", "lucene", 1e-6, 1e-7);
}

static void okapi_scores_are_those_of_rank_bm25(void **state)
{
    (void)state;
    check_preset("okapi", "okapi", 1e-7, 1e-9);
}

static void the_run_is_in_the_order_of_trec_eval(void **state)
{
    (void)state;
    rp_search_options o = golden_options(rp_test_path("run.trec"));
    rp_run *run;
    rp_error err;
    assert_ok(rp_search(&o, NULL, &err), &err);
    assert_ok(rp_run_load(&run, o.output, NULL, &err), &err);
    char *text = rp_test_read(o.output, NULL), *line = text;
    for (size_t q = 0; q < rp_run_queries(run); q++) {
        const rp_hit *hit;
        size_t n = rp_run_hits(run, q, &hit);
        for (size_t i = 0; i < n; i++, line = strchr(line, '\n') + 1) {
            char want[128];
            int len = snprintf(want, sizeof want, "%s Q0 %s %zu ", rp_run_qid(run, q), hit[i].docid,
                               i + 1);
            assert_memory_equal(line, want, (size_t)len);
        }
    }
    assert_int_equal(*line, '\0');
    free(text);
    rp_run_free(run);
}

static void equal_scores_are_ordered_by_docid_descending(void **state)
{
    (void)state;
    rp_search_options o;
    rp_error err;
    rp_search_options_init(&o);
    o.in.collection = rp_test_write_text(
        "ties.tsv", "9\tred fox\n10\tred fox\n2\tred fox\n5\tblue fox\nx\tred red fox\n");
    o.in.queries = rp_test_write_text("tie.tsv", "q\tred\n");
    o.in.top = 3;
    o.tag = "t";
    o.output = rp_test_path("ties.trec");
    assert_ok(rp_search(&o, NULL, &err), &err);
    char *text = rp_test_read(o.output, NULL);
    const char *const docids[] = {"q Q0 x 1 ", "\nq Q0 9 2 ", "\nq Q0 2 3 "};
    for (size_t i = 0; i < 3; i++) assert_non_null(strstr(text, docids[i]));
    assert_null(strstr(text, "Q0 10 "));
    free(text);
}

static void top_k_is_the_head_of_all(void **state)
{
    (void)state;
    rp_search_options o = golden_options(rp_test_path("all.trec"));
    rp_run *all, *top;
    rp_error err;
    assert_ok(rp_search(&o, NULL, &err), &err);
    assert_ok(rp_run_load(&all, o.output, NULL, &err), &err);
    o.in.top = 7;
    assert_ok(rp_search(&o, NULL, &err), &err);
    assert_ok(rp_run_load(&top, o.output, NULL, &err), &err);
    assert_int_equal(rp_run_queries(all), rp_run_queries(top));
    for (size_t q = 0; q < rp_run_queries(top); q++) {
        const rp_hit *a, *b;
        size_t n = rp_run_hits(top, q, &b);
        assert_true(rp_run_hits(all, q, &a) >= n && n <= 7);
        for (size_t i = 0; i < n; i++) assert_string_equal(a[i].docid, b[i].docid);
    }
    rp_run_free(all);
    rp_run_free(top);
}

/* A collection of several blocks and windows. */
static const char *large_collection(void)
{
    size_t n = 40000, cap = n * 64, len = 0;
    char *text = malloc(cap);
    assert_non_null(text);
    for (size_t i = 0; i < n; i++) {
        len += (size_t)snprintf(text + len, cap - len, "d%zu\tword%zu common thing%zu other%zu\n",
                                i, i % 7, i % 1001, i % 13);
    }
    const char *path = rp_test_write("large.tsv", text, len);
    free(text);
    return path;
}

static void the_run_does_not_depend_on_the_number_of_threads(void **state)
{
    (void)state;
    rp_search_options o;
    rp_error err;
    rp_search_options_init(&o);
    o.in.collection = large_collection();
    o.in.queries =
        rp_test_write_text("many.tsv", "1\tword3 thing500\n2\tcommon other5\n3\tthing7\n");
    o.output = rp_test_path("many.trec");
    char *text[3];
    const int threads[] = {1, 2, 4};
    for (size_t i = 0; i < 3; i++) {
        o.threads = threads[i];
        o.bm25 = "okapi"; /* with the vocabulary's mean idf */
        assert_ok(rp_search(&o, NULL, &err), &err);
        text[i] = rp_test_read(o.output, NULL);
    }
    assert_string_equal(text[0], text[1]);
    assert_string_equal(text[0], text[2]);
    assert_non_null(strstr(text[0], "1 Q0 d"));
    for (size_t i = 0; i < 3; i++) free(text[i]);
}

static void a_query_without_hits_is_counted_in_a_warning(void **state)
{
    (void)state;
    rp_search_options o;
    rp_error err;
    rp_search_options_init(&o);
    o.in.collection = rp_test_write_text("c.tsv", "1\tred\n");
    o.in.queries = rp_test_write_text("q.tsv", "a\tred\nb\tgreen\nc\t...\n");
    o.output = rp_test_path("none.trec");
    warning[0] = '\0';
    assert_ok(rp_search(&o, &host, &err), &err);
    assert_string_equal(warning, "2 of 3 queries have no hits");
}

static void what_cannot_be_searched_is_said(void **state)
{
    (void)state;
    rp_search_options o;
    rp_error err;
    rp_search_options_init(&o);
    assert_fails(rp_search(&o, NULL, &err), &err, RP_EARG, "search needs a collection");
    o.in.collection = rp_test_write_text("c.tsv", "1\tred\n");
    assert_fails(rp_search(&o, NULL, &err), &err, RP_EARG, "search needs queries");
    o.in.queries = rp_test_write_text("q.tsv", "a\tred\n");
    o.tag = "my run";
    assert_fails(rp_search(&o, NULL, &err), &err, RP_EARG, "the tag has a space in it: 'my run'");
    o.tag = "t";
    o.analyzer = "french";
    assert_fails(rp_search(&o, NULL, &err), &err, RP_EARG,
                 "no analyzer 'french'; there are standard, english, sklearn");
}

static void a_full_disk_is_an_error(void **state)
{
    (void)state;
    rp_search_options o = golden_options("/dev/full");
    rp_error err;
    assert_int_equal(rp_search(&o, NULL, &err), RP_EIO);
}

static int stop_searching(void *arg, const char *what, size_t done, size_t total)
{
    (void)arg, (void)done, (void)total;
    return strcmp(what, "searching") == 0;
}

static void a_search_stops_between_queries_and_leaves_nothing(void **state)
{
    (void)state;
    rp_search_options o = golden_options(rp_test_path("stopped"));
    const rp_host stopping = {.progress = stop_searching};
    rp_error err;
    o.threads = 1;
    assert_int_equal(rp_search(&o, &stopping, &err), RP_ECANCEL);
    assert_string_equal(err.text, "interrupted");
    assert_false(rp_path_exists(o.output));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_are_those_of_bm25s),
        cmocka_unit_test(okapi_scores_are_those_of_rank_bm25),
        cmocka_unit_test(the_run_is_in_the_order_of_trec_eval),
        cmocka_unit_test(equal_scores_are_ordered_by_docid_descending),
        cmocka_unit_test(top_k_is_the_head_of_all),
        cmocka_unit_test(the_run_does_not_depend_on_the_number_of_threads),
        cmocka_unit_test(a_query_without_hits_is_counted_in_a_warning),
        cmocka_unit_test(what_cannot_be_searched_is_said),
        cmocka_unit_test(a_full_disk_is_an_error),
        cmocka_unit_test(a_search_stops_between_queries_and_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
