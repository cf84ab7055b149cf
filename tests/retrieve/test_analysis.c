#include "retrieve/analysis.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/table.h"
#include "retrieve/wordbreak.h"
#include "support/support.h"

/* Terms with a space between; free(). */
static char *analyse(rp_analyzer *analyzer, const char *title, const char *text)
{
    const rp_term *term;
    size_t n;
    rp_text out = {0};
    rp_error err;
    assert_ok(rp_analyzer_run(analyzer, &term, &n, title, title ? strlen(title) : 0, text,
                              strlen(text), &err),
              &err);
    assert_ok(rp_text_append(&out, "", 0, &err), &err);
    for (size_t i = 0; i < n; i++) {
        if (i) assert_ok(rp_text_append(&out, " ", 1, &err), &err);
        assert_ok(rp_text_append(&out, term[i].text, term[i].len, &err), &err);
    }
    return out.data;
}

static void assert_terms(const char *name, const char *text, const char *want)
{
    rp_analyzer *analyzer;
    rp_error err;
    assert_ok(rp_analyzer_new(&analyzer, name, &err), &err);
    char *got = analyse(analyzer, NULL, text);
    assert_string_equal(got, want);
    free(got);
    rp_analyzer_free(analyzer);
}

static void check_golden(const char *file, const char *column, const char *name, const char *input)
{
    rp_table *table;
    rp_analyzer *analyzer;
    rp_error err;
    size_t text, want;
    assert_ok(rp_table_read(&table, rp_test_golden(file), &err), &err);
    assert_ok(rp_table_require(table, input, &text, &err), &err);
    assert_ok(rp_table_require(table, column, &want, &err), &err);
    assert_ok(rp_analyzer_new(&analyzer, name, &err), &err);
    assert_true(rp_table_rows(table) > 400);
    for (size_t i = 0; i < rp_table_rows(table); i++) {
        char *got = analyse(analyzer, NULL, rp_table_cell(table, i, text));
        if (strcmp(got, rp_table_cell(table, i, want))) {
            print_error("line %zu: ", rp_table_line(table, i));
        }
        assert_string_equal(got, rp_table_cell(table, i, want));
        free(got);
    }
    rp_analyzer_free(analyzer);
    rp_table_free(table);
}

static void standard_words_are_those_of_uax_29(void **state)
{
    (void)state;
    check_golden("retrieve/words.tsv", "standard", "standard", "text");
}

static void sklearn_words_are_those_of_python(void **state)
{
    (void)state;
    check_golden("retrieve/words.tsv", "sklearn", "sklearn", "text");
}

static void english_stems_are_those_of_lucene(void **state)
{
    (void)state;
    check_golden("retrieve/stems.tsv", "stem", "english", "word");
}

static void english_drops_possessives_and_stop_words(void **state)
{
    (void)state;
    assert_terms("english",
                 "The dog's bone isn't IT'S Dogs\xe2\x80\x99s dogs' x\xef\xbc\x87S the's",
                 "dog bone isn't dog dog x");
}

static void thai_stays_together_and_ideographs_do_not(void **state)
{
    (void)state;
    assert_terms(
        "standard",
        "\xe0\xb8\x98\xe0\xb8\x87\xe0\xb9\x84\xe0\xb8\x95\xe0\xb8\xa3 \xe6\x9d\xb1\xe4\xba\xac",
        "\xe0\xb8\x98\xe0\xb8\x87\xe0\xb9\x84\xe0\xb8\x95\xe0\xb8\xa3 \xe6\x9d\xb1 \xe4\xba\xac");
}

static void bytes_that_are_not_utf8_separate_words(void **state)
{
    (void)state;
    assert_terms("standard",
                 "ab\xff"
                 "cd \xc3 ef\xe2\x82",
                 "ab cd ef");
    assert_terms("sklearn",
                 "ab\xff"
                 "cd \xc3 ef\xe2\x82",
                 "ab cd ef");
}

static void a_title_is_a_word_apart(void **state)
{
    (void)state;
    rp_analyzer *analyzer;
    rp_error err;
    assert_ok(rp_analyzer_new(&analyzer, "standard", &err), &err);
    char *got = analyse(analyzer, "Rain in", "Spain");
    assert_string_equal(got, "rain in spain");
    free(got);
    got = analyse(analyzer, "", "");
    assert_string_equal(got, "");
    free(got);
    rp_analyzer_free(analyzer);
}

static void a_long_text_does_not_move_earlier_terms(void **state)
{
    (void)state;
    rp_analyzer *analyzer;
    rp_error err;
    const rp_term *term;
    size_t n, words = 100000;
    char *text = malloc(words * 4);
    assert_non_null(text);
    for (size_t i = 0; i < words; i++)
        memcpy(text + 4 * i,
               "\xc8\xba"
               "b ",
               4);
    assert_ok(rp_analyzer_new(&analyzer, "standard", &err), &err);
    assert_ok(rp_analyzer_run(analyzer, &term, &n, "a title", 7, text, words * 4, &err), &err);
    assert_int_equal(n, words + 2);
    assert_memory_equal(term[0].text, "a", 1);
    assert_memory_equal(term[words].text,
                        "\xe2\xb1\xa5"
                        "b",
                        4); /* a byte longer in lower case */
    rp_analyzer_free(analyzer);
    free(text);
}

static void an_unknown_analyzer_is_named(void **state)
{
    (void)state;
    rp_analyzer *analyzer;
    rp_error err;
    assert_fails(rp_analyzer_new(&analyzer, "porter", &err), &err, RP_EARG,
                 "no analyzer 'porter'; there are standard, english, sklearn");
    assert_null(analyzer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(standard_words_are_those_of_uax_29),
        cmocka_unit_test(sklearn_words_are_those_of_python),
        cmocka_unit_test(english_stems_are_those_of_lucene),
        cmocka_unit_test(english_drops_possessives_and_stop_words),
        cmocka_unit_test(thai_stays_together_and_ideographs_do_not),
        cmocka_unit_test(bytes_that_are_not_utf8_separate_words),
        cmocka_unit_test(a_title_is_a_word_apart),
        cmocka_unit_test(a_long_text_does_not_move_earlier_terms),
        cmocka_unit_test(an_unknown_analyzer_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
