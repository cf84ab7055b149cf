#include "support/support.h"

#include "solver/matrix.h"

/* x[i][j] = 100 first + 10 row + j. */
typedef struct counted {
    size_t width;
    int first, fails;
} counted;

static rp_status read_counted(void *arg, float *x, const size_t *row, size_t m, rp_error *err)
{
    const counted *c = arg;
    if (c->fails) return rp_fail(err, RP_EIO, "matrix %d cannot be read", c->first);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < c->width; j++)
            x[i * c->width + j] = (float)(100 * (size_t)c->first + 10 * row[i] + j);
    return RP_OK;
}

static void joined_rows_are_those_of_the_first_then_of_the_second(void **state)
{
    (void)state;
    static const size_t row[] = {4, 0, 3}, widths[][2] = {{2, 3}, {3, 1}, {1, 1}, {5, 5}};
    for (size_t k = 0; k < 4; k++) {
        counted ca = {widths[k][0], 1, 0}, cb = {widths[k][1], 2, 0};
        rp_matrix a = {5, ca.width, "first", &ca, read_counted}, b = a, ab;
        b.width = cb.width, b.arg = &cb, b.name = "second";
        rp_error err;
        float x[3 * 10];
        assert_ok(rp_matrix_join(&ab, &a, &b, &err), &err);
        assert_int_equal(ab.n, 5);
        assert_int_equal(ab.width, ca.width + cb.width);
        assert_string_equal(ab.name, "first + second");
        assert_ok(ab.read(ab.arg, x, row, 3, &err), &err);
        for (size_t i = 0; i < 3; i++)
            for (size_t j = 0; j < ab.width; j++) {
                size_t want =
                    j < ca.width ? 100 + 10 * row[i] + j : 200 + 10 * row[i] + j - ca.width;
                assert_int_equal((size_t)x[i * ab.width + j], want);
            }
        rp_matrix_join_release(&ab);
    }
}

static void a_joined_matrix_can_be_joined_again(void **state)
{
    (void)state;
    counted c[3] = {{1, 1, 0}, {2, 2, 0}, {1, 3, 0}};
    rp_matrix a = {2, 1, "a", &c[0], read_counted}, b = {2, 2, "b", &c[1], read_counted};
    rp_matrix z = {2, 1, "z", &c[2], read_counted}, ab, abz;
    rp_error err;
    float x[4];
    assert_ok(rp_matrix_join(&ab, &a, &b, &err), &err);
    assert_ok(rp_matrix_join(&abz, &ab, &z, &err), &err);
    assert_string_equal(abz.name, "a + b + z");
    assert_ok(abz.read(abz.arg, x, &(size_t){1}, 1, &err), &err);
    assert_close(x, ((float[]){110, 210, 211, 310}), 4, 0, 0);
    rp_matrix_join_release(&abz);
    rp_matrix_join_release(&ab);
}

static void matrices_of_different_rows_are_refused(void **state)
{
    (void)state;
    counted c = {2, 1, 0};
    rp_matrix a = {5, 2, "'mlp' layer 0", &c, read_counted}, b = a, ab;
    rp_error err;
    b.n = 6, b.name = "'mlp' layer 3";
    assert_fails(rp_matrix_join(&ab, &a, &b, &err), &err, RP_EARG,
                 "matrices of different rows cannot be joined: 'mlp' layer 0 has 5, 'mlp' layer 3 "
                 "6");
    assert_null(ab.arg);
}

static void a_failing_half_fails_the_whole_with_its_words(void **state)
{
    (void)state;
    for (int half = 0; half < 2; half++) {
        counted ca = {2, 1, half == 0}, cb = {2, 2, half == 1};
        rp_matrix a = {5, 2, "a", &ca, read_counted}, b = {5, 2, "b", &cb, read_counted}, ab;
        rp_error err;
        float x[4];
        assert_ok(rp_matrix_join(&ab, &a, &b, &err), &err);
        assert_fails(ab.read(ab.arg, x, &(size_t){0}, 1, &err), &err, RP_EIO,
                     half ? "matrix 2 cannot be read" : "matrix 1 cannot be read");
        rp_matrix_join_release(&ab);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(joined_rows_are_those_of_the_first_then_of_the_second),
        cmocka_unit_test(a_joined_matrix_can_be_joined_again),
        cmocka_unit_test(matrices_of_different_rows_are_refused),
        cmocka_unit_test(a_failing_half_fails_the_whole_with_its_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
