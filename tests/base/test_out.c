#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "support/support.h"

static size_t entries(const char *dir)
{
    size_t n = 0;
    DIR *d = opendir(dir);
    assert_non_null(d);
    for (struct dirent *e = readdir(d); e; e = readdir(d)) n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

static void the_target_changes_only_at_commit(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_out out;
    const char *dir = rp_test_path("commit");
    assert_ok(rp_path_make_dirs(dir, &err), &err);
    const char *path = rp_test_write_text("commit/file", "old");
    assert_ok(rp_out_open(&out, path, &err), &err);
    fputs("new", out.file);
    fflush(out.file);
    char *text = rp_test_read(path, NULL);
    assert_string_equal(text, "old");
    free(text);
    assert_ok(rp_out_commit(&out, &err), &err);
    assert_null(out.file);
    rp_out_release(&out);
    text = rp_test_read(path, NULL);
    assert_string_equal(text, "new");
    free(text);
    assert_int_equal(entries(dir), 1);
}

static void a_release_without_commit_leaves_nothing(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_out out;
    const char *dir = rp_test_path("release");
    assert_ok(rp_path_make_dirs(dir, &err), &err);
    assert_ok(rp_out_open(&out, rp_test_path("release/file"), &err), &err);
    fputs("half", out.file);
    rp_out_release(&out);
    rp_out_release(&out);
    assert_int_equal(entries(dir), 0);
}

static void a_full_disk_is_an_error(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_out out;
    if (!rp_path_exists("/dev/full")) skip();
    assert_ok(rp_out_open(&out, "/dev/full", &err), &err);
    fputs("text", out.file);
    assert_fails(rp_out_commit(&out, &err), &err, RP_EIO, "'/dev/full': no space left on device");
    assert_ok(rp_out_open(&out, "/dev/full", &err), &err);
    for (int i = 0; i < 100000; i++) fputs("more than a buffer\n", out.file);
    assert_int_equal(rp_out_commit(&out, &err), RP_EIO);
}

static void a_link_stays_a_link(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_out out;
    const char *target = rp_test_write_text("target", "old"), *link = rp_test_path("link");
    assert_int_equal(symlink(target, link), 0);
    assert_ok(rp_out_open(&out, link, &err), &err);
    fputs("new", out.file);
    assert_ok(rp_out_commit(&out, &err), &err);
    struct stat st;
    assert_int_equal(lstat(link, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    char *text = rp_test_read(target, NULL);
    assert_string_equal(text, "new");
    free(text);
}

static void where_nothing_can_be_written_the_path_is_named(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_out out;
    assert_fails(rp_out_open(&out, "/nowhere/x", &err), &err, RP_EIO,
                 "'/nowhere/x': no such file or directory");
    assert_null(out.file);
    assert_fails(rp_out_open(&out, "/", &err), &err, RP_EIO, "'/': is a directory");
}

static void provenance_names_inputs_with_checksums(void **state)
{
    (void)state;
    rp_error err = {0};
    char text[1024] = "";
    const char *path = rp_test_write_text("input", "abc");
    const char *const inputs[] = {path, NULL, "-"};
    const rp_host host = {.command = "rankprobe x\ny"};
    const rp_provenance p = {&host, 7, true, inputs, 3};
    FILE *f = fmemopen(text, sizeof text, "w");
    assert_ok(rp_provenance_write(f, &p, &err), &err);
    fclose(f);
    char want[1024];
    snprintf(want, sizeof want,
             "# rankprobe: " RP_VERSION "\n# command: rankprobe x y\n# seed: 7\n"
             "# input: %s xxh3:78af5f94892f3950\n# input: -\n",
             path); /* XXH3-64 of "abc", as xxhsum -H3 prints it */
    assert_string_equal(text, want);
}

static void a_directorys_checksum_covers_names_and_bytes(void **state)
{
    (void)state;
    rp_error err = {0};
    uint64_t first, again, renamed, changed;
    assert_ok(rp_path_make_dirs(rp_test_path("sum/sub"), &err), &err);
    rp_test_write_text("sum/b", "two");
    rp_test_write_text("sum/a", "one");
    const char *deep = rp_test_write_text("sum/sub/c", "three");
    const char *dir = rp_test_path("sum");
    assert_ok(rp_checksum_path(&first, dir, &err), &err);
    assert_ok(rp_checksum_path(&again, dir, &err), &err);
    assert_true(first == again);
    assert_int_equal(rename(deep, rp_test_path("sum/sub/d")), 0);
    assert_ok(rp_checksum_path(&renamed, dir, &err), &err);
    assert_true(first != renamed);
    rp_test_write_text("sum/a", "One");
    assert_ok(rp_checksum_path(&changed, dir, &err), &err);
    assert_true(changed != renamed);
}

static void a_file_beyond_its_limit_is_refused(void **state)
{
    (void)state;
    rp_error err = {0};
    char *data, text[600];
    size_t n;
    const char *path = rp_test_write_text("limit", "12345");
    assert_ok(rp_file_read(&data, &n, path, 5, &err), &err);
    assert_string_equal(data, "12345");
    assert_int_equal(n, 5);
    free(data);
    snprintf(text, sizeof text, "'%s': larger than 4 bytes", path);
    assert_fails(rp_file_read(&data, &n, path, 4, &err), &err, RP_ENOMEM, text);
    assert_null(data);
}

static void directories_are_made_with_their_parents(void **state)
{
    (void)state;
    rp_error err = {0};
    const char *path = rp_test_path("x/y/z");
    assert_ok(rp_path_make_dirs(path, &err), &err);
    assert_ok(rp_path_make_dirs(path, &err), &err);
    assert_true(rp_path_is_dir(path));
    rp_test_write_text("x/file", "");
    assert_int_equal(rp_path_make_dirs(rp_test_path("x/file/z"), &err), RP_EIO);
    assert_non_null(strstr(err.text, "x/file': not a directory"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_target_changes_only_at_commit),
        cmocka_unit_test(a_release_without_commit_leaves_nothing),
        cmocka_unit_test(a_full_disk_is_an_error),
        cmocka_unit_test(a_link_stays_a_link),
        cmocka_unit_test(where_nothing_can_be_written_the_path_is_named),
        cmocka_unit_test(provenance_names_inputs_with_checksums),
        cmocka_unit_test(a_directorys_checksum_covers_names_and_bytes),
        cmocka_unit_test(a_file_beyond_its_limit_is_refused),
        cmocka_unit_test(directories_are_made_with_their_parents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
