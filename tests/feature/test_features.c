#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "feature/feature.h"
#include "fixture.h"
#include "support/support.h"

static char warning[512];

static void keep_warning(void *arg, const char *text)
{
    (void)arg;
    snprintf(warning, sizeof warning, "%s", text);
}

static const rp_host host = {.warn = keep_warning};

static rp_features_options golden_options(const char *output)
{
    static char collection[512], queries[512], run[512];
    rp_features_options o;
    rp_features_options_init(&o);
    snprintf(collection, sizeof collection, "%s", rp_test_golden("feature/collection.tsv"));
    snprintf(queries, sizeof queries, "%s", rp_test_golden("feature/queries.tsv"));
    snprintf(run, sizeof run, "%s", rp_test_golden("feature/run.trec"));
    o.in.collection = collection;
    o.in.queries = queries;
    o.in.run = run;
    o.output = output;
    return o;
}

/* Every column of the golden file but qid and docid, row by row. */
static void check_golden(const rp_table *got, const char *file)
{
    rp_table *want;
    rp_error err;
    assert_ok(rp_table_read(&want, rp_test_golden(file), &err), &err);
    assert_int_equal(rp_table_rows(got), rp_table_rows(want));
    for (size_t r = 0; r < rp_table_rows(want); r++) {
        assert_string_equal(rp_table_cell(got, r, 0), rp_table_cell(want, r, 0));
        assert_string_equal(rp_table_cell(got, r, 1), rp_table_cell(want, r, 1));
    }
    for (size_t c = 2; c < rp_table_columns(want); c++) {
        double *a = rp_column_of(got, rp_table_name(want, c));
        double *b = rp_column_of(want, rp_table_name(want, c));
        assert_close(a, b, rp_table_rows(want), 1e-8, 1e-9);
        free(a);
        free(b);
    }
    rp_table_free(want);
}

static void mslr_and_similarities_follow_the_definitions(void **state)
{
    (void)state;
    rp_features_options o = golden_options(rp_test_path("features.tsv"));
    rp_table *got = rp_table_of(&o, &host);
    assert_int_equal(rp_table_columns(got), 4 + 19 + 5);
    check_golden(got, "feature/standard.tsv");
    rp_table_free(got);
}

static void paper_features_equal_sklearn_and_rank_bm25(void **state)
{
    (void)state;
    rp_features_options o = golden_options(rp_test_path("features.tsv"));
    o.select = "paper.*";
    rp_table *got = rp_table_of(&o, &host);
    assert_int_equal(rp_table_columns(got), 4 + 20);
    check_golden(got, "feature/paper.tsv");
    rp_table_free(got);
}

/* ---- the identities of the definitions ---- */

typedef struct mslr {
    rp_table *table;
    size_t n;
    double *number, *ratio, *length, *sum[3], *min[3], *max[3], *mean[3], *var[3];
} mslr;

static void load_mslr(mslr *m, const char *analyzer)
{
    static const char *const of[] = {"tf", "tfl", "tfidf"};
    rp_features_options o = golden_options(rp_test_path("features.tsv"));
    o.analyzer = analyzer;
    m->table = rp_table_of(&o, &host);
    m->n = rp_table_rows(m->table);
    m->number = rp_column_of(m->table, "mslr.covered_qt_number");
    m->ratio = rp_column_of(m->table, "mslr.covered_qt_ratio");
    m->length = rp_column_of(m->table, "mslr.stream_length");
    for (size_t i = 0; i < 3; i++) {
        const char *const what[] = {"sum", "min", "max", "mean", "var"};
        double **to[] = {&m->sum[i], &m->min[i], &m->max[i], &m->mean[i], &m->var[i]};
        for (size_t j = 0; j < 5; j++) {
            char name[64];
            snprintf(name, sizeof name, "mslr.%s_%s", what[j], of[i]);
            *to[j] = rp_column_of(m->table, name);
        }
    }
}

static void free_mslr(mslr *m)
{
    for (size_t i = 0; i < 3; i++) {
        free(m->sum[i]);
        free(m->min[i]);
        free(m->max[i]);
        free(m->mean[i]);
        free(m->var[i]);
    }
    free(m->number);
    free(m->ratio);
    free(m->length);
    rp_table_free(m->table);
}

/* M of the golden queries, under `standard`. */
static double query_terms(const char *qid)
{
    static const double M[] = {3, 5, 4, 1, 2, 2};
    return M[qid[1] - '1'];
}

static void a_mean_is_the_sum_over_the_number_of_query_terms(void **state)
{
    (void)state;
    mslr m;
    load_mslr(&m, "standard");
    for (size_t i = 0; i < 3; i++) {
        for (size_t r = 0; r < m.n; r++) {
            if (m.length[r] <= 0) continue;
            double want = m.sum[i][r] / query_terms(rp_table_cell(m.table, r, 0));
            assert_close(&m.mean[i][r], &want, 1, 1e-8, 1e-12);
        }
    }
    free_mslr(&m);
}

static void sum_tfl_is_sum_tf_over_the_length(void **state)
{
    (void)state;
    mslr m;
    load_mslr(&m, "standard");
    for (size_t r = 0; r < m.n; r++) {
        double want = m.length[r] > 0 ? m.sum[0][r] / m.length[r] : 0;
        assert_close(&m.sum[1][r], &want, 1, 1e-8, 1e-12);
    }
    free_mslr(&m);
}

static void the_ratio_times_the_query_terms_is_the_number(void **state)
{
    (void)state;
    mslr m;
    load_mslr(&m, "standard");
    for (size_t r = 0; r < m.n; r++) {
        double got = m.ratio[r] * query_terms(rp_table_cell(m.table, r, 0));
        assert_close(&got, &m.number[r], 1, 1e-8, 1e-12);
    }
    free_mslr(&m);
}

static void the_least_tf_is_positive_when_all_terms_are_covered(void **state)
{
    (void)state;
    mslr m;
    size_t covered = 0;
    load_mslr(&m, "standard");
    for (size_t r = 0; r < m.n; r++) {
        assert_int_equal(m.min[0][r] > 0, m.ratio[r] == 1);
        covered += m.ratio[r] == 1;
    }
    assert_true(covered > 0 && covered < m.n);
    free_mslr(&m);
}

static void one_query_term_has_no_variance(void **state)
{
    (void)state;
    mslr m;
    size_t rows = 0;
    load_mslr(&m, "standard");
    for (size_t r = 0; r < m.n; r++) {
        if (strcmp(rp_table_cell(m.table, r, 0), "q4")) continue; /* energy */
        rows++;
        for (size_t i = 0; i < 3; i++) {
            assert_true(m.var[i][r] == 0);
            assert_true(m.sum[i][r] == m.min[i][r] && m.sum[i][r] == m.max[i][r]);
            assert_true(m.sum[i][r] == m.mean[i][r]);
        }
    }
    assert_true(rows > 20);
    free_mslr(&m);
}

/* ---- the artefacts of the published code ---- */

static void published_features_show_their_artefacts(void **state)
{
    (void)state;
    rp_features_options o = golden_options(rp_test_path("features.tsv"));
    o.select = "paper.*";
    rp_table *table = rp_table_of(&o, &host);
    double *min = rp_column_of(table, "paper.min_tf"), *sum = rp_column_of(table, "paper.sum_tf");
    double *sum_tfl = rp_column_of(table, "paper.sum_tfl");
    double *length = rp_column_of(table, "paper.stream_length");
    double *ratio = rp_column_of(table, "paper.covered_qt_ratio");
    for (size_t r = 0; r < rp_table_rows(table); r++) {
        assert_true(min[r] == 0);
        assert_true(sum[r] == length[r]);
        double want = length[r] > 0;
        assert_close(&sum_tfl[r], &want, 1, 1e-12, 0);
        bool same_query = r && !strcmp(rp_table_cell(table, r, 0), rp_table_cell(table, r - 1, 0));
        if (same_query) assert_true(ratio[r] == ratio[r - 1]);
    }
    free(min);
    free(sum);
    free(sum_tfl);
    free(length);
    free(ratio);
    rp_table_free(table);
}

/* ---- options ---- */

static void empty_pairs_are_zero_and_counted(void **state)
{
    (void)state;
    rp_features_options o;
    rp_features_options_init(&o);
    o.in.collection = rp_test_write_text("c.tsv", "1\tred fox\n2\t...\n3\tfox\n");
    o.in.queries = rp_test_write_text("q.tsv", "a\tfox\nb\t?!\n");
    o.in.run = rp_test_write_text("r.trec", "a Q0 1 1 3 t\na Q0 2 2 2 t\nb Q0 3 1 1 t\n");
    o.output = rp_test_path("empty.tsv");
    warning[0] = '\0';
    rp_table *table = rp_table_of(&o, &host);
    assert_string_equal(warning, "2 of 3 pairs have no query terms or no passage terms: their "
                                 "features of terms are 0");
    for (size_t c = 4; c < rp_table_columns(table); c++) {
        assert_string_equal(rp_table_cell(table, 1, c), "0");
        assert_string_equal(rp_table_cell(table, 2, c), "0");
    }
    rp_table_free(table);
}

static void pool_statistics_look_at_the_candidates_only(void **state)
{
    (void)state;
    rp_features_options o;
    rp_features_options_init(&o);
    o.in.collection = rp_test_write_text("c.tsv", "1\tred fox\n2\tblue\n3\tfox\n4\tfox\n");
    o.in.queries = rp_test_write_text("q.tsv", "a\tfox\n");
    o.in.run = rp_test_write_text("r.trec", "a Q0 1 1 3 t\na Q0 2 2 2 t\n");
    o.output = rp_test_path("pool.tsv");
    o.select = "mslr.sum_tfidf,sim.kl";
    rp_table *table = rp_table_of(&o, &host);
    double *tfidf = rp_column_of(table, "mslr.sum_tfidf"), *kl = rp_column_of(table, "sim.kl");
    double want = log(1 + 1.5 / 3.5), want_kl = log(2002. / (1 + 2000 * 3 / 5.));
    assert_close(tfidf, &want, 1, 1e-8, 0);
    assert_close(kl, &want_kl, 1, 1e-8, 0);
    free(tfidf);
    free(kl);
    rp_table_free(table);
    o.stats = "pool";
    table = rp_table_of(&o, &host);
    tfidf = rp_column_of(table, "mslr.sum_tfidf");
    kl = rp_column_of(table, "sim.kl");
    want = log(1 + 1.5 / 1.5);
    want_kl = log(2002. / (1 + 2000 / 3.));
    assert_close(tfidf, &want, 1, 1e-8, 0);
    assert_close(kl, &want_kl, 1, 1e-8, 0);
    free(tfidf);
    free(kl);
    rp_table_free(table);
}

static void similarities_can_use_the_collections_idf(void **state)
{
    (void)state;
    rp_features_options o;
    rp_features_options_init(&o);
    o.in.collection = rp_test_write_text("c.tsv", "1\tred fox\n2\tblue\n3\tfox\n4\tfox\n");
    o.in.queries = rp_test_write_text("q.tsv", "a\tfox\n");
    o.in.run = rp_test_write_text("r.trec", "a Q0 1 1 3 t\n");
    o.output = rp_test_path("sim.tsv");
    o.select = "sim.tfidf_cosine";
    double red[] = {log(3 / 2.) + 1, log(5 / 2.) + 1}, fox[] = {1, log(5 / 4.) + 1};
    const char *const stats[] = {"pool", "collection"};
    for (size_t i = 0; i < 2; i++) {
        o.sim_stats = stats[i];
        rp_table *table = rp_table_of(&o, &host);
        double *got = rp_column_of(table, "sim.tfidf_cosine");
        double want = fox[i] / sqrt(fox[i] * fox[i] + red[i] * red[i]);
        assert_close(got, &want, 1, 1e-8, 0);
        free(got);
        rp_table_free(table);
    }
}

static void okapi_takes_its_floor_from_the_collection(void **state)
{
    (void)state;
    rp_features_options o;
    rp_features_options_init(&o);
    o.in.collection = rp_test_write_text("c.tsv", "1\tred fox\n2\tblue\n3\tfox\n4\tfox\n");
    o.in.queries = rp_test_write_text("q.tsv", "a\tfox\n");
    o.in.run = rp_test_write_text("r.trec", "a Q0 3 1 3 t\n");
    o.output = rp_test_path("okapi.tsv");
    o.select = "mslr.bm25";
    o.bm25 = "okapi";
    rp_table *table = rp_table_of(&o, &host);
    double *got = rp_column_of(table, "mslr.bm25");
    double mean = (2 * log(3.5 / 1.5) + log(1.5 / 3.5)) / 3;
    double want = .25 * mean * 2.5 / (1 + 1.5 * (.25 + .75 * 1 / 1.25));
    assert_close(got, &want, 1, 1e-8, 0);
    free(got);
    rp_table_free(table);
}

static void derived_columns_follow_the_features(void **state)
{
    (void)state;
    rp_features_options o = golden_options(rp_test_path("derived.tsv"));
    const char *const derive[] = {"twice = 2 * mslr.stream_length", "four = twice * 2",
                                  "paper-groups"};
    o.select = "mslr.bm25";
    o.derive = derive;
    o.nderive = 3;
    rp_table *table = rp_table_of(&o, &host);
    assert_int_equal(rp_table_columns(table), 4 + 1 + 2 + 20);
    assert_int_equal(rp_table_find(table, "mslr.stream_length"), SIZE_MAX);
    double *two = rp_column_of(table, "twice"), *four = rp_column_of(table, "four");
    for (size_t r = 0; r < rp_table_rows(table); r++) assert_true(four[r] == 2 * two[r]);
    assert_string_equal(rp_table_name(table, 7), "group.sum.qtr_stf");
    free(two);
    free(four);
    rp_table_free(table);
}

static void letor_lines_are_svmlight(void **state)
{
    (void)state;
    rp_features_options o;
    rp_features_options_init(&o);
    o.in.collection = rp_test_write_text("c.tsv", "1\tred fox\n2\tblue\n");
    o.in.queries = rp_test_write_text("q.tsv", "7\tfox\n");
    o.in.run = rp_test_write_text("r.trec", "7 Q0 1 1 3 t\n7 Q0 2 2 2 t\n");
    o.in.qrels = rp_test_write_text("qrels.txt", "7 0 1 2\n");
    o.output = rp_test_path("letor.txt");
    o.select = "mslr.stream_length,mslr.sum_tf";
    o.format = "letor";
    rp_error err;
    assert_ok(rp_features(&o, NULL, &err), &err);
    char *text = rp_test_read(o.output, NULL);
    assert_non_null(strstr(text, "\n# 2: mslr.sum_tf : "));
    const char *lines = strstr(text, "\n2 qid:7");
    assert_non_null(lines);
    assert_string_equal(lines, "\n2 qid:7 1:2 2:1 # 1\n0 qid:7 1:1 2:0 # 2\n");
    free(text);
}

static void unjudged_pairs_have_grade_minus_one(void **state)
{
    (void)state;
    rp_features_options o;
    rp_features_options_init(&o);
    o.in.collection = rp_test_write_text("c.tsv", "1\tred fox\n2\tblue\n");
    o.in.queries = rp_test_write_text("q.tsv", "7\tfox\n");
    o.in.run = rp_test_write_text("r.trec", "7 Q0 1 1 3.5 t\n7 Q0 2 2 2 t\n");
    o.in.qrels = rp_test_write_text("qrels.txt", "7 0 1 2\n");
    o.output = rp_test_path("graded.tsv");
    rp_table *table = rp_table_of(&o, &host);
    assert_string_equal(rp_table_cell(table, 0, 2), "2");
    assert_string_equal(rp_table_cell(table, 0, 3), "3.5");
    assert_string_equal(rp_table_cell(table, 1, 2), "-1");
    rp_table_free(table);
}

static void the_table_does_not_depend_on_the_number_of_threads(void **state)
{
    (void)state;
    rp_features_options o = golden_options(rp_test_path("threads.tsv"));
    rp_error err;
    o.select = "*";
    o.bm25 = "okapi";
    o.sim_stats = "collection";
    o.labels = rp_test_path("threads.labels.tsv");
    char *text[4];
    for (size_t i = 0; i < 2; i++) {
        o.threads = i ? 3 : 1;
        assert_ok(rp_features(&o, NULL, &err), &err);
        text[2 * i] = rp_test_read(o.output, NULL);
        text[2 * i + 1] = rp_test_read(o.labels, NULL);
    }
    assert_string_equal(text[0], text[2]);
    assert_string_equal(text[1], text[3]);
    for (size_t i = 0; i < 4; i++) free(text[i]);
}

static void wrong_options_are_named(void **state)
{
    (void)state;
    rp_features_options o;
    rp_error err;
    rp_features_options_init(&o);
    assert_fails(rp_features(&o, NULL, &err), &err, RP_EARG, "features needs a run");
    o = golden_options(rp_test_path("x.tsv"));
    o.select = "mslr.*,tf";
    assert_fails(rp_features(&o, NULL, &err), &err, RP_EARG, "no feature matches 'tf'");
    o = golden_options(rp_test_path("x.tsv"));
    o.stats = "list";
    assert_fails(rp_features(&o, NULL, &err), &err, RP_EARG,
                 "no stats 'list'; there are collection, pool");
    o = golden_options(rp_test_path("x.tsv"));
    o.format = "csv";
    assert_fails(rp_features(&o, NULL, &err), &err, RP_EARG,
                 "no format 'csv'; there are tsv, letor");
    o = golden_options(rp_test_path("x.tsv"));
    o.in.collection = NULL;
    assert_fails(rp_features(&o, NULL, &err), &err, RP_EARG,
                 "no collection to take statistics from; name one, or ask for stats 'pool'");
    const char *const derive[] = {"a = mslr.bm25 + mslr.length"};
    o = golden_options(rp_test_path("x.tsv"));
    o.derive = derive;
    o.nderive = 1;
    assert_fails(rp_features(&o, NULL, &err), &err, RP_EARG,
                 "'a = mslr.bm25 + mslr.length' position 17: no column 'mslr.length'");
    const char *const again[] = {"mslr.bm25 = 1"};
    o.derive = again;
    assert_fails(rp_features(&o, NULL, &err), &err, RP_EARG,
                 "'mslr.bm25 = 1': there is a column 'mslr.bm25' already");
    const char *const infinite[] = {"x = 1 / (mslr.min_tf - mslr.min_tf)"};
    o.derive = infinite;
    assert_int_equal(rp_features(&o, NULL, &err), RP_ECOMPUTE);
    assert_memory_equal(err.text, "column 'x' is inf for query 'q1' document '", 43);
}

static void every_row_of_the_table_is_documented(void **state)
{
    (void)state;
    for (size_t i = 0; i < rp_features_count; i++) {
        assert_true(strlen(rp_features_table[i].meaning) > 10);
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(rp_features_table[i].name, rp_features_table[j].name);
        }
    }
    assert_int_equal(rp_features_count, 19 + 22 + 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mslr_and_similarities_follow_the_definitions),
        cmocka_unit_test(paper_features_equal_sklearn_and_rank_bm25),
        cmocka_unit_test(a_mean_is_the_sum_over_the_number_of_query_terms),
        cmocka_unit_test(sum_tfl_is_sum_tf_over_the_length),
        cmocka_unit_test(the_ratio_times_the_query_terms_is_the_number),
        cmocka_unit_test(the_least_tf_is_positive_when_all_terms_are_covered),
        cmocka_unit_test(one_query_term_has_no_variance),
        cmocka_unit_test(published_features_show_their_artefacts),
        cmocka_unit_test(empty_pairs_are_zero_and_counted),
        cmocka_unit_test(pool_statistics_look_at_the_candidates_only),
        cmocka_unit_test(similarities_can_use_the_collections_idf),
        cmocka_unit_test(okapi_takes_its_floor_from_the_collection),
        cmocka_unit_test(derived_columns_follow_the_features),
        cmocka_unit_test(letor_lines_are_svmlight),
        cmocka_unit_test(unjudged_pairs_have_grade_minus_one),
        cmocka_unit_test(the_table_does_not_depend_on_the_number_of_threads),
        cmocka_unit_test(wrong_options_are_named),
        cmocka_unit_test(every_row_of_the_table_is_documented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
