#include <stdio.h>
#include <string.h>

#include "base/table.h"
#include "probe/split.h"
#include "support/support.h"

enum { QUERIES = 53 };

typedef struct folds {
    char name[QUERIES][16];
    const char *qid[QUERIES];
    size_t rows[QUERIES];
    int outer[QUERIES], inner[QUERIES];
} folds;

static void fill(folds *f)
{
    for (size_t q = 0; q < QUERIES; q++) {
        snprintf(f->name[q], sizeof f->name[q], "topic-%zu", q);
        f->qid[q] = f->name[q];
        f->rows[q] = 50 + (q * 37) % 51;
    }
}

static void split(folds *f, uint64_t seed)
{
    rp_error err;
    assert_ok(rp_split_queries(f->outer, f->inner, f->qid, f->rows, QUERIES, 5, 5, seed, &err),
              &err);
}

static void folds_are_the_ones_that_the_reference_computes(void **state)
{
    (void)state;
    rp_table *t;
    rp_error err;
    const char *qid[64];
    size_t rows[64] = {0}, n = 0;
    int outer[64], inner[64];
    rp_table *pairs;
    assert_ok(rp_table_read(&pairs, rp_test_golden("probe/rows.tsv"), &err), &err);
    for (size_t i = 0; i < rp_table_rows(pairs); i++) {
        const char *q = rp_table_cell(pairs, i, 1);
        if (!n || strcmp(qid[n - 1], q)) qid[n++] = q;
        rows[n - 1]++;
    }
    assert_ok(rp_split_queries(outer, inner, qid, rows, n, 5, 5, 7, &err), &err);
    assert_ok(rp_table_read(&t, rp_test_golden("probe/folds.tsv"), &err), &err);
    assert_int_equal(rp_table_rows(t), n);
    for (size_t q = 0; q < n; q++) {
        double o, i;
        assert_string_equal(rp_table_cell(t, q, 0), qid[q]);
        assert_ok(rp_table_number(t, q, 1, &o, &err), &err);
        assert_ok(rp_table_number(t, q, 2, &i, &err), &err);
        assert_int_equal(outer[q], (int)o);
        assert_int_equal(inner[q], (int)i);
    }
    rp_table_free(t);
    rp_table_free(pairs);
}

static void folds_are_balanced_by_rows(void **state)
{
    (void)state;
    folds f;
    size_t outer[5] = {0}, inner[5][5] = {{0}}, all = 0;
    fill(&f);
    split(&f, 1);
    for (size_t q = 0; q < QUERIES; q++) {
        outer[f.outer[q]] += f.rows[q];
        all += f.rows[q];
        for (int o = 0; o < 5; o++)
            if (o != f.outer[q]) inner[o][f.inner[q]] += f.rows[q];
    }
    for (size_t k = 0; k < 5; k++) {
        assert_in_range(outer[k], all / 5 - 100, all / 5 + 100);
        for (size_t i = 0; i < 5; i++)
            assert_in_range(inner[k][i], all * 4 / 25 - 150, all * 4 / 25 + 150);
    }
}

static void folds_depend_on_seed_and_names_not_on_the_order(void **state)
{
    (void)state;
    folds f, back;
    size_t moved = 0;
    fill(&f);
    split(&f, 1);
    back = f;
    for (size_t q = 0; q < QUERIES; q++)
        back.qid[q] = f.qid[QUERIES - 1 - q], back.rows[q] = f.rows[QUERIES - 1 - q];
    split(&back, 1);
    for (size_t q = 0; q < QUERIES; q++) {
        assert_int_equal(back.outer[q], f.outer[QUERIES - 1 - q]);
        assert_int_equal(back.inner[q], f.inner[QUERIES - 1 - q]);
    }
    back = f;
    split(&back, 2);
    for (size_t q = 0; q < QUERIES; q++) moved += back.outer[q] != f.outer[q];
    assert_true(moved > 20);
}

static void keys_of_pairs_differ(void **state)
{
    (void)state;
    assert_true(rp_split_pair_key(1, "q", "d1") != rp_split_pair_key(1, "q", "d2"));
    assert_true(rp_split_pair_key(1, "q1", "d") != rp_split_pair_key(1, "q2", "d"));
    assert_true(rp_split_pair_key(1, "q", "d") != rp_split_pair_key(2, "q", "d"));
}

static void too_few_queries_are_an_error(void **state)
{
    (void)state;
    const char *qid[] = {"a", "b"};
    size_t rows[] = {1, 1};
    int o[2], i[2];
    rp_error err;
    assert_fails(rp_split_queries(o, i, qid, rows, 2, 5, 5, 1, &err), &err, RP_EARG,
                 "5 folds by query need at least 5 queries, there are 2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folds_are_the_ones_that_the_reference_computes),
        cmocka_unit_test(folds_are_balanced_by_rows),
        cmocka_unit_test(folds_depend_on_seed_and_names_not_on_the_order),
        cmocka_unit_test(keys_of_pairs_differ),
        cmocka_unit_test(too_few_queries_are_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
