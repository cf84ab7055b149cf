#include <math.h>
#include <string.h>

#include "probe/study.h"

static const rp_orbit_options document = {RP_ORBIT_DOCUMENT, 2, 32, 99};
static const rp_orbit_options query = {RP_ORBIT_QUERY, 2, 32, 99};

static void options_are_rearrangements_within_queries_or_blocks(void **state)
{
    (void)state;
    static study s;
    static const size_t sizes[] = {3, 7, 1, 12}, equal[] = {6};
    for (int kind = 0; kind < 2; kind++) {
        study_init(&s, 30, kind ? equal : sizes, kind ? 1 : 4, 5);
        rp_orbit o;
        orbit_init(&o, &s, s.row, s.rows.n, kind ? &query : &document);
        size_t moved = 0;
        for (size_t k = 0; k < o.noptions; k++) {
            bool taken[MOST_ROWS] = {0};
            for (size_t i = 0; i < o.n; i++) {
                size_t from = o.from[k * o.n + i];
                assert_false(taken[from]);
                taken[from] = true;
                assert_int_equal(o.block[from], o.block[i]);
                if (k == 0) assert_int_equal(from, i);
                if (!kind) assert_int_equal(s.query[from], s.query[i]);
                if (kind) assert_int_equal(from % 6, i % 6); /* ranks stay */
                if (kind) assert_int_equal(s.query[from], s.query[o.from[k * o.n + i / 6 * 6]]);
                moved += from != i;
            }
        }
        assert_true(moved > o.n * o.noptions / 2);
        rp_orbit_release(&o);
    }
}

static void blocks_are_whole_queries_of_one_fold_balanced_by_rows(void **state)
{
    (void)state;
    static study s;
    static const size_t sizes[] = {3, 7, 1, 12};
    study_init(&s, 40, sizes, 4, 6);
    rp_orbit o;
    orbit_init(&o, &s, s.row, s.rows.n, &document);
    assert_int_equal(o.nblocks, 2 * FOLDS);
    size_t rows[2 * FOLDS] = {0};
    for (size_t i = 0; i < o.n; i++) {
        rows[o.block[i]]++;
        assert_int_equal(o.fold[o.block[i]], s.outer[s.query[i]]);
        assert_int_equal(o.block[i], o.block[i ? (s.query[i] == s.query[i - 1] ? i - 1 : i) : 0]);
    }
    for (size_t g = 0; g < o.nblocks; g += 2) {
        assert_int_equal(o.fold[g], g / 2);
        assert_true(rows[g] <= rows[g + 1] + 12 && rows[g + 1] <= rows[g] + 12);
    }
    rp_orbit_release(&o);
    study_init(&s, 6, sizes, 1, 6); /* one fold has two queries, four have one */
    orbit_init(&o, &s, s.row, s.rows.n, &query);
    assert_int_equal(o.nblocks, 6);
    rp_orbit_release(&o);
}

static void draws_are_uniform_and_the_first_is_the_observed(void **state)
{
    (void)state;
    static study s;
    static const size_t sizes[] = {4};
    study_init(&s, 20, sizes, 1, 7);
    rp_orbit o;
    orbit_init(&o, &s, s.row, s.rows.n, &(rp_orbit_options){RP_ORBIT_DOCUMENT, 2, 8, 2000});
    assert_int_equal(o.ndraws, 2001);
    size_t times[8] = {0}, together = 0;
    for (size_t g = 0; g < o.nblocks; g++) assert_int_equal(o.pick[g], 0);
    for (size_t b = 1; b < o.ndraws; b++)
        for (size_t g = 0; g < o.nblocks; g++) {
            size_t k = o.pick[b * o.nblocks + g];
            assert_in_range(k, 0, 7);
            times[k]++;
            together += g && k == o.pick[b * o.nblocks + g - 1];
        }
    double chi = 0;
    for (size_t k = 0; k < 8; k++) chi += pow((double)times[k] - 2500, 2) / 2500;
    assert_true(chi < 24.3); /* 0.1 % of chi-squared with 7 degrees of freedom */
    assert_in_range(together, 2250 - 200, 2250 + 200); /* 18,000 / 8, sd 44 */
    rp_orbit_release(&o);
}

/* Rows 0, 2, 3 of five, or all of three. */
static void every_order_of_a_query_is_equally_likely_with_rows_missing_too(void **state)
{
    (void)state;
    static study s;
    enum { OPTIONS = 6001 };
    for (size_t size = 3; size <= 5; size += 2) {
        study_init(&s, 5, &size, 1, 8);
        size_t row[25], n = 0;
        for (size_t i = 0; i < s.rows.n; i++)
            if (size == 3 || i % 5 == 0 || i % 5 == 2 || i % 5 == 3) row[n++] = i;
        rp_orbit o;
        orbit_init(&o, &s, row, n, &(rp_orbit_options){RP_ORBIT_DOCUMENT, 2, OPTIONS, 1});
        size_t times[27] = {0}, orders = 0;
        for (size_t k = 1; k < OPTIONS; k++) {
            const uint32_t *f = o.from + k * n;
            times[f[0] * 9 + f[1] * 3 + f[2]]++;
        }
        double chi = 0;
        for (size_t c = 0; c < 27; c++)
            if (times[c]) orders++, chi += pow((double)times[c] - 1000, 2) / 1000;
        assert_int_equal(orders, 6);
        assert_true(chi < 20.5); /* 0.1 % of chi-squared with 5 degrees of freedom */
        rp_orbit_release(&o);
    }
}

static void a_draw_is_the_same_permutation_whatever_the_order_and_the_missing_rows(void **state)
{
    (void)state;
    static study s;
    static const size_t sizes[] = {6, 9, 4};
    study_init(&s, 30, sizes, 3, 10);
    for (int kind = 0; kind < 2; kind++) {
        rp_orbit whole, part;
        orbit_init(&whole, &s, s.row, s.rows.n, kind ? &query : &document);
        size_t row[MOST_ROWS], at[MOST_ROWS], n = 0; /* backwards; some rows, two queries missing */
        for (size_t i = s.rows.n; i-- > 0;) {
            at[i] = SIZE_MAX;
            if (s.query[i] == 3 || s.query[i] == 17 || (!kind && i % 7 == 2)) continue;
            at[i] = n, row[n++] = i;
        }
        orbit_init(&part, &s, row, n, kind ? &query : &document);
        assert_int_equal(part.nblocks, whole.nblocks);
        assert_memory_equal(part.pick, whole.pick,
                            whole.ndraws * whole.nblocks * sizeof *whole.pick);
        size_t same = 0, followed = 0;
        for (size_t k = 0; k < whole.noptions; k++)
            for (size_t i = 0; i < n; i++) {
                size_t from = whole.from[k * whole.n + row[i]];
                assert_int_equal(part.block[i], whole.block[row[i]]);
                while (at[from] == SIZE_MAX && !kind) from = whole.from[k * whole.n + from];
                if (at[from] == SIZE_MAX) continue;
                same += part.from[k * n + i] == at[from];
                followed++;
            }
        assert_int_equal(same, followed);
        assert_true(followed > n * whole.noptions * 4 / 5);
        rp_orbit_release(&whole), rp_orbit_release(&part);
    }
}

static void options_out_of_range_are_refused(void **state)
{
    (void)state;
    static study s;
    rp_orbit o;
    rp_error err;
    study_init(&s, 10, (const size_t[]){2}, 1, 1);
    assert_fails(
        rp_orbit_init(&o, &s.rows, s.row, 20, &(rp_orbit_options){RP_ORBIT_QUERY, 2, 1, 99}, &err),
        &err, RP_EARG, "permutations need 2 to 65535 options a block, not 1");
    assert_fails(
        rp_orbit_init(&o, &s.rows, s.row, 20, &(rp_orbit_options){RP_ORBIT_QUERY, 2, 32, 0}, &err),
        &err, RP_EARG, "permutations: 0 draws, 2 blocks a fold");
    assert_fails(rp_orbit_init(&o, &s.rows, s.row, 0, &query, &err), &err, RP_EARG,
                 "no permutations of 0 rows");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_are_rearrangements_within_queries_or_blocks),
        cmocka_unit_test(blocks_are_whole_queries_of_one_fold_balanced_by_rows),
        cmocka_unit_test(draws_are_uniform_and_the_first_is_the_observed),
        cmocka_unit_test(every_order_of_a_query_is_equally_likely_with_rows_missing_too),
        cmocka_unit_test(a_draw_is_the_same_permutation_whatever_the_order_and_the_missing_rows),
        cmocka_unit_test(options_out_of_range_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
