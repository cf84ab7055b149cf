#include "feature/expression.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "support/support.h"

/* Value of "y = text" where a = 2, b.c = 3. */
static double value_of(const char *text)
{
    char definition[512];
    snprintf(definition, sizeof definition, "y = %s", text);
    const double a = 2, b = 3;
    rp_expression *e;
    rp_error err;
    double out;
    assert_ok(rp_expression_parse(&e, definition, &err), &err);
    assert_string_equal(rp_expression_name(e), "y");
    assert_string_equal(rp_expression_text(e), text);
    const double *columns[2] = {0};
    for (size_t i = 0; i < rp_expression_columns(e); i++) {
        const char *name = rp_expression_column(e, i);
        columns[i] = !strcmp(name, "a") ? &a : &b;
        if (columns[i] == &b) assert_string_equal(name, "b.c");
    }
    assert_ok(rp_expression_eval(e, &out, columns, 1, &err), &err);
    rp_expression_free(e);
    return out;
}

static void assert_value(const char *text, double want)
{
    double got = value_of(text);
    assert_close(&got, &want, 1, 1e-15, 0);
}

static void operators_bind_as_in_arithmetic(void **state)
{
    (void)state;
    assert_value("1 + 2 * 3", 7);
    assert_value("(1 + 2) * 3", 9);
    assert_value("8 - 3 - 2", 3);
    assert_value("16 / 4 / 2", 2);
    assert_value("2 ^ 3 ^ 2", 512);
    assert_value("-2 ^ 2", -4);
    assert_value("2 ^ -1", .5);
    assert_value("--3", 3);
    assert_value("2 * -3", -6);
    assert_value("2*a^2+b.c", 11);
}

static void numbers_are_decimals(void **state)
{
    (void)state;
    assert_value(".5", .5);
    assert_value("1.25e2", 125);
    assert_value("3.", 3);
    assert_value("1e-3", .001);
}

static void functions_take_an_expression(void **state)
{
    (void)state;
    assert_value("log1p(a - 1)", log(2));
    assert_value("sqrt ( b.c + 1 )", 2);
    assert_value("abs(-b.c)", 3);
}

static void z_standardises_over_all_rows(void **state)
{
    (void)state;
    rp_expression *e;
    rp_error err;
    const double x[] = {1, 2, 3, 4}, same[] = {.1, .1 + 1e-16, .1, .1};
    const double *columns[] = {x, same};
    const double want[] = {-3 / sqrt(5), -1 / sqrt(5), 1 / sqrt(5), 3 / sqrt(5)};
    double out[4];
    assert_ok(rp_expression_parse(&e, "y = z(x) + z(same)", &err), &err);
    assert_ok(rp_expression_eval(e, out, columns, 4, &err), &err);
    assert_close(out, want, 4, 1e-14, 0);
    rp_expression_free(e);
}

static void a_column_may_be_called_as_a_function(void **state)
{
    (void)state;
    rp_expression *e;
    rp_error err;
    assert_ok(rp_expression_parse(&e, "y = z + log1p + z", &err), &err);
    assert_int_equal(rp_expression_columns(e), 2);
    assert_string_equal(rp_expression_column(e, 0), "z");
    assert_int_equal(rp_expression_position(e, 1), 9);
    rp_expression_free(e);
}

static void mistakes_are_named_with_position_and_token(void **state)
{
    (void)state;
    static const struct {
        const char *definition, *text;
    } bad[] = {
        {"", "'' position 1: expected 'name = expression', but it ends here"},
        {"= 1", "'= 1' position 1: expected 'name = expression', not '='"},
        {"y", "'y' position 2: expected '=' after the name, but it ends here"},
        {"paper-group", "'paper-group' position 6: expected '=' after the name, not '-'"},
        {"y =", "'y =' position 4: expected a number, a column, a function or '(', but it ends "
                "here"},
        {"y = a +", "'y = a +' position 8: expected a number, a column, a function or '(', but it "
                    "ends here"},
        {"y = a b", "'y = a b' position 7: expected an operator or the end, not 'b'"},
        {"y = (a", "'y = (a' position 7: expected an operator or ')', but it ends here"},
        {"y = a)", "'y = a)' position 6: expected an operator or the end, not ')'"},
        {"y = ln(a)", "'y = ln(a)' position 5: expected z, log1p, sqrt or abs before '(', not "
                      "'ln'"},
        {"y = log1p(a", "'y = log1p(a' position 12: expected an operator or ')', but it ends here"},
        {"y = 1.2.3", "'y = 1.2.3' position 8: expected an operator or the end, not '.3'"},
        {"y = .", "'y = .' position 5: expected a number, not '.'"},
        {"y = 1e999", "'y = 1e999' position 5: expected a number, not '1'"},
        {"y = 2 ** 3", "'y = 2 ** 3' position 8: expected a number, a column, a function or '(', "
                       "not '*'"},
        {"y = a \xc3\x97 b", "'y = a \xc3\x97 b' position 7: expected an operator or the end, not "
                             "'\xc3\x97'"},
        {"2y = a", "'2y = a' position 1: expected 'name = expression', not '2'"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        rp_expression *e;
        rp_error err;
        assert_fails(rp_expression_parse(&e, bad[i].definition, &err), &err, RP_EARG, bad[i].text);
        assert_null(e);
    }
}

static void what_would_exhaust_the_stack_is_refused(void **state)
{
    (void)state;
    char deep[300] = "y = ", wide[6000] = "y = a";
    rp_expression *e;
    rp_error err;
    memset(deep + 4, '(', 200);
    assert_int_equal(rp_expression_parse(&e, deep, &err), RP_EARG);
    assert_non_null(strstr(err.text, "position 105: nested more than 100 deep"));
    memset(deep + 4, '-', 200);
    assert_int_equal(rp_expression_parse(&e, deep, &err), RP_EARG);
    for (size_t i = 5; i + 2 < sizeof wide; i += 2) memcpy(wide + i, "+a", 2);
    assert_fails(rp_expression_parse(&e, wide, &err), &err, RP_EARG,
                 "an expression is longer than 4096 bytes: "
                 "'y = a+a+a+a+a+a+a+a+a+a+a+a+a+a+a+a+a+a+...'");
}

static void presets_are_definitions(void **state)
{
    (void)state;
    assert_null(rp_expression_preset("groups"));
    const char *const names[] = {"paper-groups", "paper-groups-published"};
    for (size_t i = 0; i < 2; i++) {
        const char *const *preset = rp_expression_preset(names[i]);
        size_t n = 0;
        for (; preset[n]; n++) {
            rp_expression *e;
            rp_error err;
            assert_ok(rp_expression_parse(&e, preset[n], &err), &err);
            assert_true(rp_expression_columns(e) >= 2);
            rp_expression_free(e);
        }
        assert_int_equal(n, 20);
    }
    assert_string_equal(rp_expression_preset("paper-groups")[19],
                        "group.z.cube.qtr_stf_vtfidf = (z(mslr.covered_qt_ratio) + "
                        "z(mslr.mean_tfl) + z(mslr.var_tfidf))^3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operators_bind_as_in_arithmetic),
        cmocka_unit_test(numbers_are_decimals),
        cmocka_unit_test(functions_take_an_expression),
        cmocka_unit_test(z_standardises_over_all_rows),
        cmocka_unit_test(a_column_may_be_called_as_a_function),
        cmocka_unit_test(mistakes_are_named_with_position_and_token),
        cmocka_unit_test(what_would_exhaust_the_stack_is_refused),
        cmocka_unit_test(presets_are_definitions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
