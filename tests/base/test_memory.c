#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "support/support.h"

static void allocations_are_zeroed_and_aligned(void **state)
{
    (void)state;
    unsigned char *p = rp_alloc(1000, 3), *q = rp_alloc(0, 8);
    assert_non_null(p);
    assert_non_null(q);
    assert_int_equal((uintptr_t)p % 64, 0);
    for (size_t i = 0; i < 3000; i++) assert_int_equal(p[i], 0);
    free(p);
    free(q);
}

static void sizes_that_overflow_are_refused(void **state)
{
    (void)state;
    rp_error err = {0};
    int *array = NULL;
    size_t cap = 0;
    assert_null(rp_alloc(SIZE_MAX / 2, 4));
    assert_null(rp_alloc(SIZE_MAX, 1));
    assert_int_equal(rp_grow(&array, &cap, SIZE_MAX / 2, sizeof *array, &err), RP_ENOMEM);
    assert_null(array);
    assert_int_equal(cap, 0);
}

static void arrays_grow_and_keep_what_they_hold(void **state)
{
    (void)state;
    rp_error err = {0};
    size_t *array = NULL, cap = 0;
    for (size_t i = 0; i < 5000; i++) {
        assert_ok(rp_grow(&array, &cap, i + 1, sizeof *array, &err), &err);
        array[i] = i;
    }
    for (size_t i = 0; i < 5000; i++) assert_int_equal(array[i], i);
    free(array);
}

static void an_arena_keeps_small_and_large_things_apart(void **state)
{
    (void)state;
    rp_arena *arena = rp_arena_new();
    assert_non_null(arena);
    char *text[3000];
    size_t *number[3000];
    for (size_t i = 0; i < 3000; i++) {
        char word[32];
        int n = snprintf(word, sizeof word, "word %zu and more", i);
        text[i] = rp_arena_strndup(arena, word, (size_t)n - 9);
        number[i] = rp_arena_alloc(arena, i % 500 == 0 ? 300000 : sizeof **number);
        assert_int_equal((uintptr_t)number[i] % 16, 0);
        *number[i] = i;
    }
    for (size_t i = 0; i < 3000; i++) {
        char word[32];
        snprintf(word, sizeof word, "word %zu", i);
        assert_string_equal(text[i], word);
        assert_int_equal(*number[i], i);
    }
    assert_string_equal(rp_arena_strdup(arena, ""), "");
    rp_arena_free(arena);
    rp_arena_free(NULL);
}

static void text_grows_and_stays_terminated(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_text text = {0};
    for (int i = 0; i < 300; i++) assert_ok(rp_text_printf(&text, &err, "%d,", i % 10), &err);
    assert_ok(rp_text_append(&text, "end", 3, &err), &err);
    assert_int_equal(text.len, 603);
    assert_int_equal(strlen(text.data), 603);
    assert_string_equal(text.data + 598, "9,end");
    rp_text_release(&text);
    assert_null(text.data);
}

static void an_error_is_one_tame_line(void **state)
{
    (void)state;
    rp_error err;
    assert_int_equal(rp_fail(&err, RP_EFORMAT, "bad '%s'", "a\x1b[2J\nb\x7f"), RP_EFORMAT);
    assert_int_equal(err.status, RP_EFORMAT);
    assert_string_equal(err.text, "bad 'a?[2J?b?'");
    assert_int_equal(rp_fail(&err, RP_EIO, "then: %s", err.text), RP_EIO);
    assert_string_equal(err.text, "then: bad 'a?[2J?b?'");
    char long_text[2000];
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    rp_fail(&err, RP_EIO, "%s", long_text);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    assert_string_equal(err.text + sizeof err.text - 4, "...");
    assert_int_equal(rp_fail(NULL, RP_EIO, "nobody listens"), RP_EIO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_are_zeroed_and_aligned),
        cmocka_unit_test(sizes_that_overflow_are_refused),
        cmocka_unit_test(arrays_grow_and_keep_what_they_hold),
        cmocka_unit_test(an_arena_keeps_small_and_large_things_apart),
        cmocka_unit_test(text_grows_and_stays_terminated),
        cmocka_unit_test(an_error_is_one_tame_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
