#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/html.h"
#include "report/palette.h"
#include "support/support.h"

static void text_never_becomes_markup(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_html html;
    rp_html_init(&html, &err);
    rp_html_put(&html, "<td title=\"%s\">%s</td>%h 100 %%", "\"'", "a<b> & \xc3\xa9", "<br>");
    assert_ok(html.status, &err);
    assert_string_equal(html.text.data,
                        "<td title=\"&quot;&#39;\">a&lt;b&gt; &amp; \xc3\xa9</td><br> 100 %");
    rp_html_release(&html);
}

static void numbers_have_two_decimals_a_minus_sign_and_a_dash_for_nan(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *want;
    } table[] = {{0.5, "0.50"},
                 {-0.126, "\u22120.13"},
                 {-0.001, "0.00"},
                 {NAN, "\u2013"},
                 {1, "1.00"},
                 {-9.5, "\u22129.50"},
                 {-12, "< \u22129"},
                 {123456, "1.2e+05"},
                 {-INFINITY, "< \u22129"}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        char buffer[16];
        assert_string_equal(rp_html_number(buffer, table[i].value), table[i].want);
    }
}

static void a_figure_gets_own_ids_the_pages_colours_and_no_titles(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_html html;
    const char *path = rp_test_write_text(
        "f.svg", "<?xml version=\"1.0\"?>\n<svg \n width=\"4\" viewBox=\"0 0 4 2\"\n "
                 "xmlns=\"http://www.w3.org/2000/svg\">\n<title>Gnuplot</title>"
                 "<desc>made by</desc><circle id='gpDot' stroke='black'/><use xlink:href='#gpDot' "
                 "color='rgb( 47, 109, 179)'/><path stroke='rgb(1,2,3)'/><g fill='none'>\n "
                 "</g><text>a'b #x</text></svg>\n");
    rp_html_init(&html, &err);
    rp_html_put_svg(&html, path, "f-1", "R\u00b2 <x>");
    assert_ok(html.status, &err);
    assert_string_equal(
        html.text.data,
        "<svg viewBox=\"0 0 4 2\" role=\"img\" aria-label=\"R\u00b2 &lt;x&gt;\">"
        "<circle id='f-1-gpDot' stroke='currentColor'/><use href='#f-1-gpDot' "
        "color='var(--series-1)'/><path stroke='#010203'/><text>a'b #x</text></svg>");
    rp_html_release(&html);
}

static void a_figure_that_is_none_is_an_error_and_the_first_failure_sticks(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_html html;
    char want[600];
    const char *path = rp_test_write_text("not.svg", "<html></html>");
    rp_html_init(&html, &err);
    rp_html_put(&html, "before");
    rp_html_put_svg(&html, path, "x", "x");
    rp_html_put(&html, "after");
    snprintf(want, sizeof want, "'%s': not a figure of gnuplot's", path);
    assert_fails(html.status, &err, RP_EFORMAT, want);
    assert_string_equal(html.text.data, "before");
    rp_html_release(&html);
}

static void every_colour_of_the_palette_is_its_own_variable(void **state)
{
    (void)state;
    size_t n = 0;
    while (rp_palette_at(n)) n++;
    assert_int_equal(n, RP_SERIES_COLOURS + 6);
    for (size_t i = 0; i < n; i++)
        assert_ptr_equal(rp_palette_variable(rp_palette_at(i)->light), rp_palette_at(i)->variable);
    assert_null(rp_palette_variable(0x123456));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_never_becomes_markup),
        cmocka_unit_test(numbers_have_two_decimals_a_minus_sign_and_a_dash_for_nan),
        cmocka_unit_test(a_figure_gets_own_ids_the_pages_colours_and_no_titles),
        cmocka_unit_test(a_figure_that_is_none_is_an_error_and_the_first_failure_sticks),
        cmocka_unit_test(every_colour_of_the_palette_is_its_own_variable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
