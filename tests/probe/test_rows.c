#include "probe/arrays.h"

static void load(rp_labels *labels, rp_rows *rows, const arrays *a, const char *path,
                 const char *select)
{
    rp_error err;
    assert_ok(rp_rows_init(rows, &a->source, 1, &err), &err);
    assert_ok(rp_labels_load(labels, rows, path, select, true, NULL, &err), &err);
}

static const char *three_pairs(const char *table)
{
    return rp_test_write_text("labels.tsv", table);
}

static void labels_are_joined_by_pair_whatever_the_order(void **state)
{
    (void)state;
    arrays a;
    rp_rows rows;
    rp_labels labels;
    arrays_make(&a, 2, 2, 1);
    load(&labels, &rows, &a,
         three_pairs("docid\tb\tqid\ta\tgrade\n"
                     "d3\t30\tq1\t.3\t2\nd0\t0\tq0\t\t-1\nd2\t20\tq1\t.2\t0\nd1\t10\tq0\tnan\t1\n"),
         "*");
    assert_int_equal(labels.n, 5); /* no ranker.score: the source has none */
    assert_string_equal(labels.name[0], "b");
    const double b[] = {0, 10, 20, 30}, values[] = {NAN, NAN, .2, .3}, grade[] = {NAN, 1, 0, 2};
    assert_close(labels.y[0], b, 4, 0, 0);
    assert_close(labels.y[1], values, 4, 0, 0);
    assert_close(labels.y[2], grade, 4, 0, 0);
    assert_string_equal(labels.name[3], "control.query_id");
    assert_true(labels.y[3][0] == labels.y[3][1] && labels.y[3][1] != labels.y[3][2]);
    assert_string_equal(labels.name[4], "control.pair");
    assert_true(labels.y[4][0] != labels.y[4][1]);
    rp_labels_release(&labels);
    rp_rows_release(&rows);
    arrays_release(&a);
}

static void the_token_control_is_a_label_when_every_row_has_one(void **state)
{
    (void)state;
    arrays a;
    rp_rows rows;
    rp_labels labels;
    rp_error err;
    arrays_make(&a, 1, 2, 1);
    const double control[] = {.5, -.25};
    a.row[0].token_control = control[0];
    const char *path = three_pairs("qid\tdocid\ta\nq0\td0\t1\nq0\td1\t2\n");
    load(&labels, &rows, &a, path, "*");
    assert_int_equal(labels.n, 3);
    rp_labels_release(&labels);
    a.row[1].token_control = control[1];
    assert_ok(rp_labels_load(&labels, &rows, path, "*", true, NULL, &err), &err);
    assert_int_equal(labels.n, 4);
    assert_string_equal(labels.name[3], "control.token");
    assert_close(labels.y[3], control, 2, 0, 0);
    rp_labels_release(&labels);
    path = three_pairs("qid\tdocid\tcontrol.token\nq0\td0\t1\nq0\td1\t2\n");
    assert_int_equal(rp_labels_load(&labels, &rows, path, "*", true, NULL, &err), RP_EFORMAT);
    assert_non_null(strstr(err.text, "column 'control.token' has the name of a label"));
    rp_rows_release(&rows);
    arrays_release(&a);
}

static void a_grade_that_nobody_gave_is_a_label_only_when_it_is_asked_for(void **state)
{
    (void)state;
    arrays a;
    rp_rows rows;
    rp_labels labels;
    arrays_make(&a, 1, 2, 1);
    const char *path = three_pairs("qid\tdocid\tgrade\ta\nq0\td0\t-1\t1\nq0\td1\t-1\t2\n");
    load(&labels, &rows, &a, path, "*");
    assert_int_equal(labels.n, 3);
    assert_string_equal(labels.name[0], "a");
    rp_labels_release(&labels);
    rp_rows_release(&rows);
    load(&labels, &rows, &a, path, "grade,a");
    assert_int_equal(labels.n, 4);
    assert_string_equal(labels.name[0], "grade");
    rp_labels_release(&labels);
    rp_rows_release(&rows);
    arrays_release(&a);
}

static void the_rankers_score_is_a_label_when_it_is_there_and_selected(void **state)
{
    (void)state;
    arrays a;
    rp_rows rows;
    rp_labels labels;
    arrays_make(&a, 1, 2, 1);
    a.row[0].score = 1.5, a.row[1].score = -2;
    const char *path = three_pairs("qid\tdocid\ta\nq0\td0\t1\nq0\td1\t2\n");
    load(&labels, &rows, &a, path, "*");
    assert_int_equal(labels.n, 4);
    assert_string_equal(labels.name[1], "ranker.score");
    const double score[] = {1.5, -2};
    assert_close(labels.y[1], score, 2, 0, 0);
    rp_labels_release(&labels);
    rp_rows_release(&rows);
    load(&labels, &rows, &a, path, "a");
    assert_int_equal(labels.n, 3);
    rp_labels_release(&labels);
    rp_rows_release(&rows);
    arrays_release(&a);
}

static void bad_features_are_refused_with_file_and_line(void **state)
{
    (void)state;
    static const struct {
        const char *table, *select, *text;
        rp_status status;
    } bad[] = {
        {"qid\tdocid\ta\nq0\td0\t1\n", "*",
         "'%s': no features for query 'q0' document 'd1', which is in the store", RP_EFORMAT},
        {"qid\tdocid\ta\nq0\td0\t1\nq0\td1\tx\n", "*", NULL, RP_EFORMAT},
        {"qid\tdocid\ta\nq0\td0\t1\nq0\td1\tinf\n", "*", "'%s' line 3: a is infinite", RP_EFORMAT},
        {"qid\tdocid\ta\nq0\td0\t1\nq0\td0\t1\n", "*", "'%s' line 3: pair 'q0' 'd0' appears twice",
         RP_EFORMAT},
        {"qid\ta\nq0\t1\n", "*", NULL, RP_EFORMAT},
        {"qid\tdocid\nq0\td0\nq0\td1\n", "*", "'%s': no feature columns", RP_EFORMAT},
        {"qid\tdocid\ta\nq0\td0\t1\nq0\td1\t2\n", "a,nope*", NULL, RP_EARG},
        {"qid\tdocid\tcontrol.pair\nq0\td0\t1\nq0\td1\t2\n", "*",
         "'%s': column 'control.pair' has the name of a label that the probe makes itself",
         RP_EFORMAT},
    };
    arrays a;
    rp_rows rows;
    rp_labels labels;
    rp_error err;
    arrays_make(&a, 1, 2, 1);
    assert_ok(rp_rows_init(&rows, &a.source, 1, &err), &err);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *path = three_pairs(bad[i].table);
        rp_status status = rp_labels_load(&labels, &rows, path, bad[i].select, true, NULL, &err);
        assert_int_equal(status, bad[i].status);
        if (!bad[i].text) continue;
        char want[600];
        const char *mark = strstr(bad[i].text, "%s");
        snprintf(want, sizeof want, "%.*s%s%s", (int)(mark - bad[i].text), bad[i].text, path,
                 mark + 2);
        assert_string_equal(err.text, want);
    }
    rp_rows_release(&rows);
    arrays_release(&a);
}

static size_t warnings;

static void count_warning(void *arg, const char *text)
{
    (void)arg;
    warnings += strstr(text, "1 of 3 rows are of pairs that the store does not have") != NULL;
}

static void features_of_other_pairs_are_ignored_with_a_count(void **state)
{
    (void)state;
    arrays a;
    rp_rows rows;
    rp_labels labels;
    rp_error err;
    const rp_host host = {.warn = count_warning};
    arrays_make(&a, 1, 2, 1);
    assert_ok(rp_rows_init(&rows, &a.source, 1, &err), &err);
    const char *path = three_pairs("qid\tdocid\ta\nq0\td0\t1\nq9\td9\t3\nq0\td1\t2\n");
    assert_ok(rp_labels_load(&labels, &rows, path, "*", false, &host, &err), &err);
    assert_int_equal(warnings, 1);
    rp_labels_release(&labels);
    rp_rows_release(&rows);
    arrays_release(&a);
}

/* ---- balance ---- */

typedef struct drawn {
    arrays a;
    rp_rows rows;
    double *y;
    bool *keep;
    size_t nbins, available[RP_BALANCE_BINS], kept[RP_BALANCE_BINS];
} drawn;

static void start(drawn *d, size_t n)
{
    rp_error err;
    arrays_make(&d->a, n / 10, 10, 1);
    assert_ok(rp_rows_init(&d->rows, &d->a.source, 3, &err), &err);
    d->y = rp_alloc(n, sizeof *d->y), d->keep = rp_alloc(n, sizeof *d->keep);
    assert_true(d->y && d->keep);
}

static size_t draw(drawn *d, size_t bins, size_t least)
{
    rp_error err;
    size_t kept = 0;
    assert_ok(
        rp_balance(d->keep, &d->nbins, d->available, d->kept, d->y, &d->rows, bins, least, &err),
        &err);
    for (size_t i = 0; i < d->rows.n; i++) kept += d->keep[i];
    return kept;
}

static void stop(drawn *d)
{
    free(d->y), free(d->keep);
    rp_rows_release(&d->rows);
    arrays_release(&d->a);
}

static void a_skewed_label_is_drawn_evenly_from_its_range(void **state)
{
    (void)state;
    drawn d;
    start(&d, 1000);
    for (size_t i = 0; i < 1000; i++) d.y[i] = pow((double)i / 1000, 3);
    size_t kept = draw(&d, 10, 0);
    assert_int_equal(kept, 10 * d.kept[0]);
    assert_int_equal(d.nbins, 10);
    size_t smallest = SIZE_MAX, all = 0;
    for (size_t b = 0; b < 10; b++) {
        if (d.available[b] < smallest) smallest = d.available[b];
        all += d.available[b];
    }
    assert_int_equal(all, 1000);
    for (size_t b = 0; b < 10; b++) assert_int_equal(d.kept[b], smallest);
    /* At least 600 rows: small bins give all, the others equally. */
    kept = draw(&d, 10, 600);
    assert_in_range(kept, 600, 610);
    stop(&d);
}

static void values_far_out_do_not_empty_the_bins(void **state)
{
    (void)state;
    drawn d;
    start(&d, 1000);
    for (size_t i = 0; i < 1000; i++) d.y[i] = (double)i;
    d.y[999] = 1e9;
    draw(&d, 10, 0);
    for (size_t b = 0; b < 10; b++) assert_in_range(d.available[b], 90, 110);
    stop(&d);
}

static void few_distinct_values_are_a_bin_each_and_missing_ones_none(void **state)
{
    (void)state;
    drawn d;
    start(&d, 100);
    for (size_t i = 0; i < 100; i++) d.y[i] = i < 5 ? 2 : i < 20 ? 1 : i < 90 ? 0 : NAN;
    assert_int_equal(draw(&d, 10, 0), 15);
    assert_int_equal(d.nbins, 3);
    for (size_t i = 90; i < 100; i++) assert_false(d.keep[i]);
    stop(&d);
}

static void layers_are_numbers_and_ranges(void **state)
{
    (void)state;
    rp_layers layers;
    rp_error err;
    assert_ok(rp_layers_parse(&layers, "0,4-8,11", &err), &err);
    assert_true(rp_layers_has(&layers, 0) && rp_layers_has(&layers, 6) &&
                rp_layers_has(&layers, 11));
    assert_false(rp_layers_has(&layers, 1) || rp_layers_has(&layers, 9));
    rp_layers_release(&layers);
    assert_ok(rp_layers_parse(&layers, NULL, &err), &err);
    assert_true(rp_layers_has(&layers, 99));
    rp_layers_release(&layers);
    static const char *const bad[][2] = {
        {"", "layers '': '' is neither a layer nor a range"},
        {"1,,2", "layers '1,,2': '' is neither a layer nor a range"},
        {"1,", "layers '1,': '' is neither a layer nor a range"},
        {"-3", "layers '-3': '-3' is neither a layer nor a range"},
        {"5-2", "layers '5-2': '5-2' is neither a layer nor a range"},
        {"1 2", "layers '1 2': '1 2' is neither a layer nor a range"},
        {"99999999999999999999",
         "layers '99999999999999999999': '99999999999999999999' is neither a layer nor a range"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_fails(rp_layers_parse(&layers, bad[i][0], &err), &err, RP_EARG, bad[i][1]);
}

static void rows_are_taken_query_by_query_and_the_spread_is_theirs(void **state)
{
    (void)state;
    /* by hand: of 1, 3 and 5, 7 the mean is 4, the variance 5, between queries 4 of it */
    static const double y[] = {5, NAN, 1, 7, NAN, 3};
    static const bool use[] = {true, false, true, true, false, true};
    static const size_t row[] = {4, 0, 5, 2};
    size_t query[] = {2, 1, 0, 2, 1, 0};
    const rp_rows rows = {.n = 6, .nqueries = 4, .query = query};
    rp_by_query v;
    rp_error err;
    double mean, sd, share, want[] = {4, sqrt(5), .8};
    assert_ok(rp_by_query_init(&v, &rows, NULL, 6, use, &err), &err);
    const size_t at[] = {2, 5, 0, 3}, first[] = {0, 2, 4}, of[] = {0, 2};
    assert_true(v.n == 4 && v.queries == 2); /* query 1 has none in use, query 3 none at all */
    assert_memory_equal(v.at, at, sizeof at);
    assert_memory_equal(v.first, first, sizeof first);
    assert_memory_equal(v.query, of, sizeof of);
    share = rp_by_query_spread(&v, y, &mean, &sd);
    const double got[] = {mean, sd, share};
    assert_close(got, want, 3, 1e-15, 0);
    rp_by_query_release(&v);
    assert_ok(rp_by_query_init(&v, &rows, row, 4, NULL, &err), &err);
    const size_t chosen[] = {2, 3, 0, 1}, begins[] = {0, 2, 3, 4}; /* places in row */
    assert_true(v.n == 4 && v.queries == 3);
    assert_memory_equal(v.at, chosen, sizeof chosen);
    assert_memory_equal(v.first, begins, sizeof begins);
    rp_by_query_release(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_are_joined_by_pair_whatever_the_order),
        cmocka_unit_test(the_token_control_is_a_label_when_every_row_has_one),
        cmocka_unit_test(a_grade_that_nobody_gave_is_a_label_only_when_it_is_asked_for),
        cmocka_unit_test(the_rankers_score_is_a_label_when_it_is_there_and_selected),
        cmocka_unit_test(bad_features_are_refused_with_file_and_line),
        cmocka_unit_test(features_of_other_pairs_are_ignored_with_a_count),
        cmocka_unit_test(a_skewed_label_is_drawn_evenly_from_its_range),
        cmocka_unit_test(values_far_out_do_not_empty_the_bins),
        cmocka_unit_test(few_distinct_values_are_a_bin_each_and_missing_ones_none),
        cmocka_unit_test(rows_are_taken_query_by_query_and_the_spread_is_theirs),
        cmocka_unit_test(layers_are_numbers_and_ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
