#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/safetensors.h"
#include "support/support.h"

static void what_is_written_is_read(void **state)
{
    (void)state;
    rp_error err = {0};
    const float a[6] = {1, 2, 3, 4, 5, 6};
    const uint16_t b[2] = {0x3c00, 0xc000};
    const int8_t c[3] = {-1, 0, 1};
    const rp_tensor tensors[] = {
        {.name = "a", .dtype = RP_F32, .rank = 2, .shape = {2, 3}, .data = a},
        {.name = "odd \"name\"", .dtype = RP_I8, .rank = 1, .shape = {3}, .data = c},
        {.name = "b", .dtype = RP_F16, .rank = 1, .shape = {2}, .data = b},
        {.name = "empty", .dtype = RP_BF16, .rank = 2, .shape = {0, 5}},
        {.name = "scalar", .dtype = RP_F32, .rank = 0, .data = a},
    };
    const char *const metadata[] = {"format", "pt", NULL};
    rp_out out;
    const char *path = rp_test_path("x.safetensors");
    assert_ok(rp_out_open(&out, path, &err), &err);
    assert_ok(rp_safetensors_write(out.file, tensors, 5, metadata, &err), &err);
    assert_ok(rp_out_commit(&out, &err), &err);
    size_t n;
    char *bytes = rp_test_read(path, &n);
    assert_int_equal((unsigned char)bytes[0] % 8, 0); /* the header is padded */
    assert_non_null(strstr(bytes + 8, "\"__metadata__\":{\"format\":\"pt\"}"));
    free(bytes);
    rp_safetensors *st;
    assert_ok(rp_safetensors_open(&st, path, &err), &err);
    assert_int_equal(rp_safetensors_count(st), 5);
    for (size_t i = 0; i < 5; i++) {
        const rp_tensor *t = rp_safetensors_find(st, tensors[i].name);
        assert_non_null(t);
        assert_int_equal(t->dtype, tensors[i].dtype);
        assert_int_equal(t->rank, tensors[i].rank);
        size_t size = t->count * rp_dtype_size(t->dtype);
        if (size) assert_memory_equal(t->data, tensors[i].data, size);
    }
    assert_int_equal(rp_safetensors_find(st, "scalar")->count, 1);
    assert_int_equal(rp_safetensors_find(st, "empty")->count, 0);
    assert_null(rp_safetensors_find(st, "absent"));
    rp_safetensors_free(st);
}

/* A file of this header and so many bytes of data. */
static const char *make(const char *header, size_t data)
{
    unsigned char bytes[4096] = {0};
    size_t n = strlen(header);
    for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)(n >> (8 * i));
    memcpy(bytes + 8, header, n);
    return rp_test_write("bad.safetensors", bytes, 8 + n + data);
}

static void refused(const char *path, const char *message)
{
    rp_error err = {0};
    rp_safetensors *st;
    char text[600];
    snprintf(text, sizeof text, "'%s': %s", path, message);
    assert_fails(rp_safetensors_open(&st, path, &err), &err, RP_EFORMAT, text);
    assert_null(st);
}

static void a_pointer_of_git_lfs_is_called_one(void **state)
{
    (void)state;
    static const char why[] = "a pointer of Git LFS, not the file itself: get it by 'git lfs pull'";
    const char *path = rp_test_write_text(
        "s", "version https://git-lfs.github.com/spec/v1\noid sha256:5f0a\nsize 438\n");
    refused(path, why);
    rp_error err = {0};
    char *data, text[600];
    snprintf(text, sizeof text, "'%s': %s", path, why);
    assert_fails(rp_file_read(&data, NULL, path, 1000, &err), &err, RP_EFORMAT, text);
    assert_null(data);
    assert_ok(rp_file_read(&data, NULL, rp_test_write_text("s", ""), 1000, &err), &err);
    free(data);
}

static void a_bad_header_is_refused_with_the_reason(void **state)
{
    (void)state;
    refused(rp_test_write_text("s", "short"), "too short for a safetensors file");
    refused(rp_test_write_text("s", "a text file of some length"),
            "not a safetensors file, or truncated: header of 7359009851570397281 bytes");
    refused(make("[]", 0), "the safetensors header is not valid: not an object");
    refused(make("{\"a\":{}}", 0), "tensor 'a' has no dtype");
    refused(make("{\"a\":1}", 0), "tensor 'a' is not an object");
    refused(make("{\"a\":{\"dtype\":\"C64\"}}", 0), "tensor 'a': dtype 'C64' is not supported");
    refused(make("{\"a\":{\"dtype\":\"F32\"}}", 0), "tensor 'a' has no shape");
    refused(make("{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1]}}", 0),
            "tensor 'a' has 5 dimensions, more than 4");
    refused(make("{\"a\":{\"dtype\":\"F32\",\"shape\":[-1]}}", 0),
            "tensor 'a': dimension 0 is not a size");
    refused(make("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", 4),
            "tensor 'a': bad data_offsets");
}

static void sizes_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    refused(make("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 7),
            "tensor 'a' ends at byte 8, the file has 7: truncated?");
    refused(make("{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", 8),
            "tensor 'a': dtype and shape need 12 bytes, data_offsets give 8");
    refused(make("{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],"
                 "\"data_offsets\":[0,0]}}",
                 0),
            "tensor 'a': its shape overflows");
    refused(make("{\"a\":{\"dtype\":\"I8\",\"shape\":[4],\"data_offsets\":[0,4]},"
                 "\"b\":{\"dtype\":\"I8\",\"shape\":[4],\"data_offsets\":[2,6]}}",
                 6),
            "tensor 'b' overlaps another one");
    refused(make("{\"a\":{\"dtype\":\"I8\",\"shape\":[2],\"data_offsets\":[0,2]},"
                 "\"b\":{\"dtype\":\"I8\",\"shape\":[2],\"data_offsets\":[4,6]}}",
                 6),
            "tensor 'b' leaves a hole before it");
    refused(make("{\"a\":{\"dtype\":\"I8\",\"shape\":[2],\"data_offsets\":[0,2]}}", 5),
            "5 bytes of data, the tensors have 2");
}

static void tensors_without_elements_take_no_room(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_safetensors *st;
    const char *path = make("{\"a\":{\"dtype\":\"I8\",\"shape\":[2],\"data_offsets\":[0,2]},"
                            "\"none\":{\"dtype\":\"F32\",\"shape\":[0,4611686018427387904],"
                            "\"data_offsets\":[2,2]},"
                            "\"b\":{\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[2,3]}}",
                            3);
    assert_ok(rp_safetensors_open(&st, path, &err), &err);
    assert_int_equal(rp_safetensors_find(st, "none")->count, 0);
    rp_safetensors_free(st);
    refused(make("{\"a\":{\"dtype\":\"I8\",\"shape\":[4],\"data_offsets\":[0,4]},"
                 "\"none\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[2,2]}}",
                 4),
            "tensor 'none' overlaps another one");
    refused(make("{\"none\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4,0],"
                 "\"data_offsets\":[0,0]}}",
                 0),
            "tensor 'none': its shape overflows");
    refused(make("{\"none\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[9,9]}}", 0),
            "tensor 'none' ends at byte 9, the file has 0: truncated?");
}

static void a_header_that_nests_too_deep_is_refused(void **state)
{
    (void)state;
    char header[3001];
    memset(header, '[', 3000);
    header[3000] = '\0';
    refused(make(header, 0),
            "the safetensors header is not valid: maximum parsing depth reached near '['");
}

static void a_name_that_appears_twice_is_refused(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_safetensors *st;
    const char *path = make("{\"a\":{\"dtype\":\"I8\",\"shape\":[0],\"data_offsets\":[0,0]},"
                            "\"a\":{\"dtype\":\"I8\",\"shape\":[0],\"data_offsets\":[0,0]}}",
                            0);
    assert_int_equal(rp_safetensors_open(&st, path, &err), RP_EFORMAT);
    assert_non_null(strstr(err.text, "duplicate object key"));
    const rp_tensor twice[] = {{.name = "a", .dtype = RP_I8, .rank = 1},
                               {.name = "a", .dtype = RP_I8, .rank = 1}};
    assert_fails(rp_safetensors_write(stderr, twice, 2, NULL, &err), &err, RP_EARG,
                 "tensor 'a' appears twice");
}

static void a_pipe_is_refused_and_not_waited_for(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_safetensors *st;
    char path[600], text[700];
    snprintf(path, sizeof path, "%s/pipe", rp_test_tmpdir());
    snprintf(text, sizeof text, "'%s': is not a regular file", path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_fails(rp_safetensors_open(&st, path, &err), &err, RP_EIO, text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(a_bad_header_is_refused_with_the_reason),
        cmocka_unit_test(sizes_that_do_not_fit_are_refused),
        cmocka_unit_test(tensors_without_elements_take_no_room),
        cmocka_unit_test(a_header_that_nests_too_deep_is_refused),
        cmocka_unit_test(a_pointer_of_git_lfs_is_called_one),
        cmocka_unit_test(a_name_that_appears_twice_is_refused),
        cmocka_unit_test(a_pipe_is_refused_and_not_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
