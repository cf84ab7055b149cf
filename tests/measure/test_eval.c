#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "measure/measure.h"
#include "support/support.h"

static void collect(void *arg, const char *text)
{
    char *all = arg;
    size_t used = strlen(all);
    snprintf(all + used, 2048 - used, "%s\n", text);
}

/* The columns of a golden table as a list of measures. */
static void measure_list(char *list, size_t cap, const rp_table *golden)
{
    list[0] = '\0';
    for (size_t c = 1; c < rp_table_columns(golden); c++) {
        size_t used = strlen(list);
        snprintf(list + used, cap - used, "%s%s", c > 1 ? "," : "", rp_table_name(golden, c));
    }
}

static void compare(const rp_table *got, size_t row, const rp_table *golden, size_t golden_row)
{
    for (size_t c = 1; c < rp_table_columns(golden); c++) {
        const char *name = rp_table_name(golden, c);
        size_t at = rp_table_find(got, name);
        assert_true(at != SIZE_MAX);
        const char *value = rp_table_cell(got, row, at);
        const char *want = rp_table_cell(golden, golden_row, c);
        if (strcmp(value, want) != 0) {
            fail_msg("%s of %s: %s, trec_eval says %s", name, rp_table_cell(golden, golden_row, 0),
                     value, want);
        }
    }
}

static void check_level(int level)
{
    char name[64], list[512], warnings[2048] = "";
    rp_error err = {0};
    rp_table *golden, *got;
    snprintf(name, sizeof name, "measure/expected-l%d.tsv", level);
    assert_ok(rp_table_read(&golden, rp_test_golden(name), &err), &err);
    measure_list(list, sizeof list, golden);
    const rp_host host = {.arg = warnings, .warn = collect};
    const char *run = "tests/golden/measure/run.trec";
    rp_eval_options o;
    rp_eval_options_init(&o);
    o.qrels = "tests/golden/measure/qrels.txt";
    o.runs = &run;
    o.nruns = 1;
    o.relevance = level;
    o.measures = list;
    o.per_query = true;
    o.output = rp_test_path("eval.tsv");
    assert_ok(rp_eval(&o, &host, &err), &err);
    assert_ok(rp_table_read(&got, o.output, &err), &err);
    size_t n = rp_table_rows(got);
    assert_int_equal(n, rp_table_rows(golden) - 1);
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(rp_table_cell(got, i, 1), rp_table_cell(golden, i, 0));
        compare(got, i, golden, i);
    }
    assert_string_equal(rp_table_cell(got, n - 1, 2), "23");
    assert_non_null(strstr(warnings, "1 query is not in the qrels"));
    assert_non_null(strstr(warnings, "1 of the 24 queries of the qrels is missing"));
    rp_table_free(got);
    o.complete = true;
    o.per_query = false;
    assert_ok(rp_eval(&o, NULL, &err), &err);
    assert_ok(rp_table_read(&got, o.output, &err), &err);
    assert_string_equal(rp_table_cell(got, 0, 2), "24");
    compare(got, 0, golden, rp_table_rows(golden) - 1);
    rp_table_free(got);
    rp_table_free(golden);
}

static void prints_what_trec_eval_prints(void **state)
{
    (void)state;
    check_level(1);
}

static void prints_what_trec_eval_prints_with_a_higher_relevance_level(void **state)
{
    (void)state;
    check_level(2);
}

static void check_dl(const char *run_name, const char *year, const char *ties, const char *want)
{
    char name[96];
    rp_error err = {0};
    rp_table *got;
    rp_eval_options o;
    rp_eval_options_init(&o);
    snprintf(name, sizeof name, "data/msmarco-dl/qrels.%s.txt", year);
    o.qrels = rp_test_shared(name);
    if (!o.qrels) skip();
    snprintf(name, sizeof name, "data/msmarco-dl/run.%s.%s.trec", run_name, year);
    const char *run = rp_test_shared(name);
    o.runs = &run;
    o.nruns = 1;
    o.measures = "ndcg@10";
    o.ties = ties;
    o.output = rp_test_path("dl.tsv");
    assert_ok(rp_eval(&o, NULL, &err), &err);
    assert_ok(rp_table_read(&got, o.output, &err), &err);
    if (strcmp(rp_table_cell(got, 0, 3), want) != 0) {
        fail_msg("%s: %s, wanted %s", run, rp_table_cell(got, 0, 3), want);
    }
    rp_table_free(got);
}

static void gives_the_known_values_of_the_deep_learning_tracks(void **state)
{
    (void)state;
    check_dl("bm25", "dl19", "docid", "0.5058");
    check_dl("bm25", "dl20", "docid", "0.4796");
    check_dl("splade", "dl19", "docid", "0.7308");
    check_dl("splade", "dl20", "docid", "0.7197");
}

/* Its scores have three digits and tie in the thousands: the published values follow the ranks. */
static void breaks_ties_by_rank_when_asked(void **state)
{
    (void)state;
    check_dl("repllama", "dl19", "rank", "0.7439");
    check_dl("repllama", "dl20", "rank", "0.7205");
    check_dl("repllama", "dl19", "docid", "0.7384");
    check_dl("repllama", "dl20", "docid", "0.7195");
}

static void takes_trec_evals_names(void **state)
{
    (void)state;
    rp_measure m[8];
    size_t n;
    rp_error err = {0};
    assert_ok(
        rp_measures_parse(m, 8, &n, "ndcg_cut_10, ndcg_cut.20,P_5,recip_rank,nDCG,Rprec", &err),
        &err);
    assert_int_equal(n, 6);
    assert_string_equal(m[0].name, "ndcg@10");
    assert_string_equal(m[1].name, "ndcg@20");
    assert_string_equal(m[2].name, "p@5");
    assert_string_equal(m[3].name, "mrr");
    assert_string_equal(m[4].name, "ndcg");
    assert_string_equal(m[5].name, "rprec");
}

static void refuses_what_is_not_a_measure(void **state)
{
    (void)state;
    rp_measure m[2];
    size_t n;
    rp_error err = {0};
    assert_fails(
        rp_measures_parse(m, 2, &n, "ndgc@10", &err), &err, RP_EARG,
        "unknown measure 'ndgc@10': there are ndcg[@k], mrr[@k], map[@k], p@k, recall[@k], "
        "success[@k], rprec");
    assert_fails(rp_measures_parse(m, 2, &n, "p", &err), &err, RP_EARG,
                 "measure 'p' needs a cut-off, such as p@10");
    assert_fails(rp_measures_parse(m, 2, &n, "rprec@3", &err), &err, RP_EARG,
                 "measure 'rprec@3': rprec takes no cut-off");
    assert_fails(rp_measures_parse(m, 2, &n, "ndcg@0", &err), &err, RP_EARG,
                 "measure 'ndcg@0': the cut-off is not a positive number");
    assert_fails(rp_measures_parse(m, 2, &n, "map,MAP", &err), &err, RP_EARG,
                 "measure 'MAP' is named twice");
    assert_fails(rp_measures_parse(m, 2, &n, " ,", &err), &err, RP_EARG, "no measure was named");
    assert_fails(rp_measures_parse(m, 2, &n, "map,mrr,ndcg", &err), &err, RP_EARG,
                 "more than 2 measures");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prints_what_trec_eval_prints),
        cmocka_unit_test(prints_what_trec_eval_prints_with_a_higher_relevance_level),
        cmocka_unit_test(gives_the_known_values_of_the_deep_learning_tracks),
        cmocka_unit_test(breaks_ties_by_rank_when_asked),
        cmocka_unit_test(takes_trec_evals_names),
        cmocka_unit_test(refuses_what_is_not_a_measure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
