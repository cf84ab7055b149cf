#include <stdio.h>
#include <string.h>

#include "base/map.h"
#include "support/support.h"

static void finds_what_was_put_and_nothing_else(void **state)
{
    (void)state;
    rp_map *map = rp_map_new();
    assert_non_null(map);
    rp_error err = {0};
    char key[32];
    for (size_t i = 0; i < 20000; i++) {
        int n = snprintf(key, sizeof key, "key-%zu", i);
        size_t *slot;
        bool fresh;
        const char *copy;
        assert_ok(rp_map_put(map, key, (size_t)n, &slot, &fresh, &copy, &err), &err);
        assert_true(fresh);
        assert_string_equal(copy, key);
        *slot = i;
    }
    assert_int_equal(rp_map_size(map), 20000);
    for (size_t i = 0; i < 20000; i++) {
        int n = snprintf(key, sizeof key, "key-%zu", i);
        assert_int_equal(rp_map_get(map, key, (size_t)n), i);
    }
    assert_true(rp_map_get(map, "key-", 4) == RP_MAP_NONE);
    assert_true(rp_map_get(map, "", 0) == RP_MAP_NONE);
    rp_map_free(map);
}

static void a_second_put_finds_the_first_value(void **state)
{
    (void)state;
    rp_map *map = rp_map_new();
    size_t *slot;
    bool fresh;
    assert_int_equal(rp_map_put(map, "a\0b", 3, &slot, &fresh, NULL, NULL), RP_OK);
    *slot = 7;
    assert_int_equal(rp_map_put(map, "a\0b", 3, &slot, &fresh, NULL, NULL), RP_OK);
    assert_false(fresh);
    assert_int_equal(*slot, 7);
    assert_true(rp_map_get(map, "a\0c", 3) == RP_MAP_NONE);
    rp_map_free(map);
    rp_map_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_was_put_and_nothing_else),
        cmocka_unit_test(a_second_put_finds_the_first_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
