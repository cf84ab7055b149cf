#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "base/io.h"
#include "base/memory.h"
#include "support/support.h"

/* Reads the file and compares it with the NULL-terminated list. */
static void expect_lines(const char *path, const char *const *want)
{
    rp_error err = {0};
    rp_lines *lines;
    assert_ok(rp_lines_open(&lines, path, &err), &err);
    for (size_t i = 0;; i++) {
        char *line;
        size_t len;
        assert_ok(rp_lines_next(lines, &line, &len, &err), &err);
        if (!want[i]) {
            assert_null(line);
            break;
        }
        assert_non_null(line);
        assert_string_equal(line, want[i]);
        assert_int_equal(len, strlen(want[i]));
        assert_int_equal(rp_lines_number(lines), i + 1);
    }
    rp_lines_free(lines);
}

/* The first error on the way to the end of the file. */
static rp_status first_error(const char *path, rp_error *err)
{
    rp_lines *lines;
    rp_status s = rp_lines_open(&lines, path, err);
    char *line = (char[]){""};
    while (!s && line) s = rp_lines_next(lines, &line, NULL, err);
    rp_lines_free(lines);
    return s;
}

static size_t gzip(unsigned char *out, size_t cap, const char *text, size_t n)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (unsigned char *)(uintptr_t)text;
    z.avail_in = (uInt)n;
    z.next_out = out;
    z.avail_out = (uInt)cap;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return cap - z.avail_out;
}

static void crlf_bom_and_a_missing_last_newline_do_not_show(void **state)
{
    (void)state;
    static const char *const want[] = {"one", "", "two\rx", "three", NULL};
    expect_lines(rp_test_write_text("a", "\xef\xbb\xbfone\r\n\ntwo\rx\r\nthree"), want);
    expect_lines(rp_test_write_text("a", "one\n\ntwo\rx\nthree\n"), want);
}

static void an_empty_file_has_no_lines(void **state)
{
    (void)state;
    static const char *const none[] = {NULL};
    expect_lines(rp_test_write_text("a", ""), none);
    expect_lines(rp_test_write_text("a", "\xef\xbb\xbf"), none);
}

static void gzip_members_are_one_text(void **state)
{
    (void)state;
    static const char *const want[] = {"alpha", "beta", "gamma", NULL};
    unsigned char data[512] = {0};
    size_t n = gzip(data, 200,
                    "\xef\xbb\xbf"
                    "alpha\nbe",
                    11);
    n += gzip(data + n, 200, "", 0);
    n += gzip(data + n, 200, "ta\ngamma\n", 9);
    expect_lines(rp_test_write("a", data, n), want);
    expect_lines(rp_test_write("a", data, n + 20), want); /* zero padding, as tape drives left it */
}

static void zstd_frames_are_one_text(void **state)
{
    (void)state;
    static const char *const want[] = {"alpha", "beta", NULL};
    unsigned char data[512];
    size_t n = ZSTD_compress(data, 256, "alpha\nbe", 8, 3);
    n += ZSTD_compress(data + n, 256, "ta", 2, 3);
    expect_lines(rp_test_write("a", data, n), want);
}

static void a_truncated_or_damaged_stream_is_an_error(void **state)
{
    (void)state;
    unsigned char data[512];
    char text[600];
    rp_error err = {0};
    size_t n = gzip(data, sizeof data, "alpha\nbeta\ngamma\n", 17);
    const char *path = rp_test_write("a", data, n - 1);
    snprintf(text, sizeof text, "'%s': the gzip stream is truncated after line 3", path);
    assert_fails(first_error(path, &err), &err, RP_EFORMAT, text);
    data[n - 6] ^= 1;
    path = rp_test_write("a", data, n);
    assert_int_equal(first_error(path, &err), RP_EFORMAT);
    assert_non_null(strstr(err.text, "the gzip stream is damaged after line"));
    memcpy(data + n, "junk", 4);
    data[n - 6] ^= 1;
    path = rp_test_write("a", data, n + 4);
    assert_int_equal(first_error(path, &err), RP_EFORMAT);
    n = ZSTD_compress(data, sizeof data, "alpha\nbeta\n", 11, 3);
    path = rp_test_write("a", data, n - 1);
    assert_int_equal(first_error(path, &err), RP_EFORMAT);
    assert_non_null(strstr(err.text, "the zstd stream is truncated after line"));
}

static void lines_longer_than_the_buffers_come_whole(void **state)
{
    (void)state;
    size_t n = 700000;
    char *text = malloc(2 * n + 2);
    memset(text, 'x', n);
    text[n] = '\n';
    memset(text + n + 1, 'y', n);
    text[2 * n + 1] = '\0';
    unsigned char *packed = malloc(2 * n);
    size_t size = gzip(packed, 2 * n, text, 2 * n + 1);
    text[n] = '\0';
    const char *const want[] = {text, text + n + 1, NULL};
    expect_lines(rp_test_write("a", packed, size), want);
    free(text);
    free(packed);
}

static void what_is_not_text_is_refused(void **state)
{
    (void)state;
    rp_error err = {0};
    char text[600];
    const char *path = rp_test_write("a", "one\ntw\0o\n", 9);
    snprintf(text, sizeof text, "'%s' line 2: holds a NUL byte: not a text file", path);
    assert_fails(first_error(path, &err), &err, RP_EFORMAT, text);
    path = rp_test_write("a", "\xff\xfeo\0n\0", 6);
    snprintf(text, sizeof text, "'%s': is UTF-16; UTF-8 is expected", path);
    assert_fails(first_error(path, &err), &err, RP_EFORMAT, text);
    assert_fails(first_error("/", &err), &err, RP_EIO, "'/': is a directory");
    assert_fails(first_error("/nowhere/x", &err), &err, RP_EIO,
                 "'/nowhere/x': no such file or directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crlf_bom_and_a_missing_last_newline_do_not_show),
        cmocka_unit_test(an_empty_file_has_no_lines),
        cmocka_unit_test(gzip_members_are_one_text),
        cmocka_unit_test(zstd_frames_are_one_text),
        cmocka_unit_test(a_truncated_or_damaged_stream_is_an_error),
        cmocka_unit_test(lines_longer_than_the_buffers_come_whole),
        cmocka_unit_test(what_is_not_text_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
