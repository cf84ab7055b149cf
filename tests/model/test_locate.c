/* Models found by name: directories of models, the Hugging Face cache, other people's paths. */
#include "model/locate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "support/support.h"

static void make_dir(const char *path)
{
    rp_error err = {0};
    assert_ok(rp_path_make_dirs(rp_test_path(path), &err), &err);
}

static void assert_found(const char *name, const char *models, const char *want)
{
    rp_error err = {0};
    char *dir;
    assert_ok(rp_model_locate(&dir, name, models, &err), &err);
    assert_string_equal(dir, want);
    free(dir);
}

/* `format` has the paths of up to two directories of the test's. */
static void assert_not_found(const char *name, const char *models, rp_status status,
                             const char *format, const char *a, const char *b)
{
    rp_error err = {0};
    char *dir, want[1024], first[512] = "", second[512] = "";
    if (a) snprintf(first, sizeof first, "%s", rp_test_path(a));
    if (b) snprintf(second, sizeof second, "%s", rp_test_path(b));
    snprintf(want, sizeof want, format, first, second);
    assert_fails(rp_model_locate(&dir, name, models, &err), &err, status, want);
    assert_null(dir);
}

/* No cache but the one that a test makes. */
static int forget_caches(void **state)
{
    (void)state;
    unsetenv("HF_HUB_CACHE");
    unsetenv("HF_HOME");
    unsetenv("XDG_CACHE_HOME");
    unsetenv("HOME");
    return 0;
}

static void a_directory_is_itself(void **state)
{
    (void)state;
    make_dir("here");
    assert_found(rp_test_path("here"), NULL, rp_test_path("here"));
    assert_found(rp_test_path("here"), "nowhere", rp_test_path("here"));
}

static void a_name_is_found_among_models_in_every_layout(void **state)
{
    (void)state;
    make_dir("models/models--org--cached/snapshots/0a1b");
    assert_found("org/cached", rp_test_path("models"),
                 rp_test_path("models/models--org--cached/snapshots/0a1b"));
    make_dir("models/tiny");
    assert_found("org/tiny", rp_test_path("models"), rp_test_path("models/tiny"));
    assert_found("tiny", rp_test_path("models"), rp_test_path("models/tiny"));
    make_dir("models/org--tiny");
    assert_found("org/tiny", rp_test_path("models"), rp_test_path("models/org--tiny"));
    make_dir("models/org/tiny");
    assert_found("org/tiny", rp_test_path("models"), rp_test_path("models/org/tiny"));
}

static void a_name_is_found_in_the_cache_that_the_environment_names(void **state)
{
    (void)state;
    static const struct {
        const char *variable, *value, *cache;
    } places[] = {
        {"HOME", "h/home", "h/home/.cache/huggingface/hub"},
        {"XDG_CACHE_HOME", "h/xdg", "h/xdg/huggingface/hub"},
        {"HF_HOME", "h/hf", "h/hf/hub"},
        {"HF_HUB_CACHE", "h/hub", "h/hub"},
    };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) { /* each goes before the last */
        char snapshot[256];
        snprintf(snapshot, sizeof snapshot, "%s/models--a--b/snapshots/%zu", places[i].cache, i);
        make_dir(snapshot);
        setenv(places[i].variable, rp_test_path(places[i].value), 1);
        assert_found("a/b", NULL, rp_test_path(snapshot));
    }
}

static void refs_main_names_the_snapshot_whose_files_are_links(void **state)
{
    (void)state;
    make_dir("cache/models--org--m/refs");
    make_dir("cache/models--org--m/blobs");
    make_dir("cache/models--org--m/snapshots/old");
    make_dir("cache/models--org--m/snapshots/new");
    rp_test_write_text("cache/models--org--m/blobs/1f", "{}");
    rp_test_write_text("cache/models--org--m/refs/main", "new");
    assert_int_equal(
        symlink("../../blobs/1f", rp_test_path("cache/models--org--m/snapshots/new/config.json")),
        0);
    setenv("HF_HUB_CACHE", rp_test_path("cache"), 1);
    assert_found("org/m", NULL, rp_test_path("cache/models--org--m/snapshots/new"));
    assert_true(rp_path_exists(rp_test_path("cache/models--org--m/snapshots/new/config.json")));
    rp_test_write_text("cache/models--org--m/refs/main", "old\n");
    assert_found("org/m", NULL, rp_test_path("cache/models--org--m/snapshots/old"));
}

static void a_cache_without_a_clear_snapshot_is_an_error(void **state)
{
    (void)state;
    make_dir("odd/models--two/snapshots/a");
    make_dir("odd/models--two/snapshots/b");
    setenv("HF_HUB_CACHE", rp_test_path("odd"), 1);
    assert_not_found("two", NULL, RP_EFORMAT,
                     "'%s': several snapshots and no refs/main: give the directory of one",
                     "odd/models--two/snapshots", NULL);
    make_dir("odd/models--two/refs");
    rp_test_write_text("odd/models--two/refs/main", "c");
    assert_not_found("two", NULL, RP_EFORMAT, "'%s': not a directory, although refs/main names it",
                     "odd/models--two/snapshots/c", NULL);
    rp_test_write_text("odd/models--two/refs/main", "../../..");
    assert_not_found("two", NULL, RP_EFORMAT, "'%s': not the name of a snapshot: '../../..'",
                     "odd/models--two/refs/main", NULL);
    make_dir("odd/models--none/snapshots");
    assert_not_found("none", NULL, RP_EIO, "'none': not a directory, nor in '%s'", "odd", NULL);
}

static void a_path_of_another_machine_is_found_by_its_last_part(void **state)
{
    (void)state;
    make_dir("mine/llama-7b");
    assert_found("/home/x/llama-7b", rp_test_path("mine"), rp_test_path("mine/llama-7b"));
    assert_found("../runs/y/llama-7b/", rp_test_path("mine"), rp_test_path("mine/llama-7b"));
    assert_not_found("/home/x/llama-8b", rp_test_path("mine"), RP_EIO,
                     "'/home/x/llama-8b': no such directory, nor is its last part in '%s': give "
                     "the directory of the (base) model",
                     "mine", NULL);
    assert_not_found("/home/x/..", rp_test_path("mine"), RP_EIO,
                     "'/home/x/..': no such directory, nor is its last part in '%s': give the "
                     "directory of the (base) model",
                     "mine", NULL);
    assert_not_found("/home/x/llama-7b", NULL, RP_EIO,
                     "'/home/x/llama-7b': no such directory: give that of the (base) model", NULL,
                     NULL);
}

static void a_path_into_another_machines_cache_is_found_by_its_repository(void **state)
{
    (void)state;
    static const char name[] = "/home/x/.cache/huggingface/hub/models--org--m/snapshots/8cca";
    make_dir("theirs/models--org--m/snapshots/0b");
    setenv("HF_HUB_CACHE", rp_test_path("theirs"), 1);
    assert_found(name, NULL, rp_test_path("theirs/models--org--m/snapshots/0b"));
    make_dir("ours/m");
    assert_found(name, rp_test_path("ours"), rp_test_path("ours/m"));
    make_dir("ours/org--m");
    assert_found(name, rp_test_path("ours"), rp_test_path("ours/org--m"));
    make_dir("ours/org/m");
    assert_found(name, rp_test_path("ours"), rp_test_path("ours/org/m"));
    make_dir("ours/gpt2");
    assert_found("/x/hub/models--gpt2/snapshots/8cca", rp_test_path("ours"),
                 rp_test_path("ours/gpt2"));
    assert_not_found("/x/hub/models--/snapshots/8cca", NULL, RP_EIO,
                     "'/x/hub/models--/snapshots/8cca': no such directory: give that of the (base) "
                     "model",
                     NULL, NULL);
}

static void the_error_says_where_was_looked(void **state)
{
    (void)state;
    make_dir("empty");
    assert_not_found("org/m", NULL, RP_EIO, "'org/m': not a directory", NULL, NULL);
    assert_not_found("org/m", rp_test_path("empty"), RP_EIO,
                     "'org/m': not a directory, nor in '%s'", "empty", NULL);
    setenv("HF_HOME", rp_test_path("hf"), 1);
    assert_not_found("org/m", NULL, RP_EIO, "'org/m': not a directory, nor in '%s'", "hf/hub",
                     NULL);
    assert_not_found("org/m", rp_test_path("empty"), RP_EIO,
                     "'org/m': not a directory, nor in '%s', nor in the cache '%s'", "empty",
                     "hf/hub");
    assert_not_found("", NULL, RP_EARG, "a model without a name", NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_directory_is_itself, forget_caches),
        cmocka_unit_test_setup(a_name_is_found_among_models_in_every_layout, forget_caches),
        cmocka_unit_test_setup(a_name_is_found_in_the_cache_that_the_environment_names,
                               forget_caches),
        cmocka_unit_test_setup(refs_main_names_the_snapshot_whose_files_are_links, forget_caches),
        cmocka_unit_test_setup(a_cache_without_a_clear_snapshot_is_an_error, forget_caches),
        cmocka_unit_test_setup(a_path_of_another_machine_is_found_by_its_last_part, forget_caches),
        cmocka_unit_test_setup(a_path_into_another_machines_cache_is_found_by_its_repository,
                               forget_caches),
        cmocka_unit_test_setup(the_error_says_where_was_looked, forget_caches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
