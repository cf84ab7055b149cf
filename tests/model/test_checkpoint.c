/* One checkpoint in every container and cut: the same tensors, the same fingerprint. */
#include "model/checkpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "model/model.h"
#include "support/support.h"

static void assert_same(const char *dir, const char *expected)
{
    rp_error err = {0};
    rp_checkpoint got, want;
    uint64_t sum[2];
    assert_ok(rp_checkpoint_open(&got, dir, &err), &err);
    assert_ok(rp_checkpoint_open(&want, expected, &err), &err);
    assert_int_equal(rp_checkpoint_count(&got), rp_checkpoint_count(&want));
    for (size_t i = 0; i < rp_checkpoint_count(&want); i++) {
        const char *path = NULL, *place = NULL;
        const rp_tensor *w = rp_checkpoint_at(&want, i, NULL);
        const rp_tensor *g = rp_checkpoint_find(&got, w->name, &path);
        assert_non_null(g);
        assert_int_equal(strncmp(path, dir, strlen(dir)), 0);
        assert_int_equal(g->count, w->count);
        assert_memory_equal(g->data, w->data, w->count * rp_dtype_size(w->dtype));
        g = rp_checkpoint_at(&got, i, &place);
        assert_ptr_equal(rp_checkpoint_find(&got, g->name, &path), g);
        assert_string_equal(path, place);
    }
    assert_null(rp_checkpoint_find(&got, "no.such.tensor", NULL));
    assert_ok(rp_checkpoint_fingerprint(&sum[0], &got, 1, &err), &err);
    assert_ok(rp_checkpoint_fingerprint(&sum[1], &want, 1, &err), &err);
    assert_true(sum[0] == sum[1]);
    rp_checkpoint_release(&got);
    rp_checkpoint_release(&want);
}

static void copy(const char *golden, const char *to)
{
    size_t n;
    char *bytes = rp_test_read(rp_test_golden(golden), &n);
    rp_test_write(to, bytes, n);
    free(bytes);
}

static void shards_of_torch_hold_what_safetensors_hold(void **state)
{
    (void)state;
    char dir[256];
    snprintf(dir, sizeof dir, "%s", rp_test_golden("checkpoint/shards"));
    assert_same(dir, rp_test_golden("model/plain"));
}

static const char *const bin_shards[] = {"pytorch_model-00001-of-00003.bin",
                                         "pytorch_model-00002-of-00003.bin",
                                         "pytorch_model-00003-of-00003.bin"};

/* The golden shards, without their index, in a directory of the test's own. */
static void copy_shards(const char *dir)
{
    char from[128], to[128];
    mkdir(rp_test_path(dir), 0777);
    for (size_t i = 0; i < 3; i++) {
        snprintf(from, sizeof from, "checkpoint/shards/%s", bin_shards[i]);
        snprintf(to, sizeof to, "%s/%s", dir, bin_shards[i]);
        copy(from, to);
    }
}

static void a_model_of_bin_files_is_the_same_model(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_model *bin, *safe;
    copy_shards("bin");
    copy("checkpoint/shards/pytorch_model.bin.index.json", "bin/pytorch_model.bin.index.json");
    copy("model/plain/config.json", "bin/config.json");
    rp_model_source source = {.path = rp_test_path("bin")};
    assert_ok(rp_model_open(&bin, &source, &err), &err);
    source.path = rp_test_golden("model/plain");
    assert_ok(rp_model_open(&safe, &source, &err), &err);
    assert_true(rp_model_about(bin)->fingerprint == rp_model_about(safe)->fingerprint);
    rp_model_free(bin);
    rp_model_free(safe);
}

static void safetensors_go_before_bin_and_one_file_before_shards(void **state)
{
    (void)state;
    static const struct {
        const char *golden, *name;
    } files[] = {
        {"checkpoint/shards/pytorch_model.bin.index.json", "pytorch_model.bin.index.json"},
        {"checkpoint/bin/module.bin", "pytorch_model.bin"},
        {"model/untied_sharded/model.safetensors.index.json", "model.safetensors.index.json"},
        {"checkpoint/bin/shared.safetensors", "model.safetensors"},
    };
    static const char *const sharded[] = {
        "model-00001-of-00004.safetensors", "model-00002-of-00004.safetensors",
        "model-00003-of-00004.safetensors", "model-00004-of-00004.safetensors"};
    static const char *const telling[] = {"score.weight", "bias", "lm_head.weight", "column"};
    char from[128], to[128];
    copy_shards("all");
    for (size_t i = 0; i < 4; i++) {
        snprintf(from, sizeof from, "model/untied_sharded/%s", sharded[i]);
        snprintf(to, sizeof to, "all/%s", sharded[i]);
        copy(from, to);
    }
    for (size_t i = 0; i < 4; i++) { /* each goes before those that were there */
        rp_error err = {0};
        rp_checkpoint c;
        snprintf(to, sizeof to, "all/%s", files[i].name);
        copy(files[i].golden, to);
        assert_ok(rp_checkpoint_open(&c, rp_test_path("all"), &err), &err);
        for (size_t k = 0; k < 4; k++)
            assert_int_equal(rp_checkpoint_find(&c, telling[k], NULL) != NULL, k == i);
        rp_checkpoint_release(&c);
    }
}

static void tied_tensors_of_a_bin_file_are_both_there(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_checkpoint c;
    assert_ok(rp_checkpoint_open_file(&c, rp_test_golden("checkpoint/bin/shared.bin"), &err), &err);
    const rp_tensor *a = rp_checkpoint_find(&c, "a", NULL), *b = rp_checkpoint_find(&c, "b", NULL);
    assert_ptr_equal(a->data, b->data);
    rp_checkpoint_release(&c);
}

static void bad_directories_are_named(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_checkpoint c;
    char want[512];
    const char *dir = rp_test_path("bad");
    mkdir(dir, 0777);
    snprintf(want, sizeof want,
             "'%s': no model.safetensors, model.safetensors.index.json, pytorch_model.bin or "
             "pytorch_model.bin.index.json",
             dir);
    assert_fails(rp_checkpoint_open(&c, dir, &err), &err, RP_EIO, want);
    rp_test_write_text("bad/pytorch_model.bin.index.json",
                       "{\"weight_map\": {\"weight\": \"module.bin\"}}");
    copy("checkpoint/bin/module.bin", "bad/module.bin");
    snprintf(want, sizeof want,
             "'%s/pytorch_model.bin.index.json': lists 1 tensors, its files hold 2", dir);
    assert_fails(rp_checkpoint_open(&c, dir, &err), &err, RP_EFORMAT, want);
    rp_test_write_text("bad/pytorch_model.bin.index.json",
                       "{\"weight_map\": {\"weight\": \"model.pt\"}}");
    snprintf(want, sizeof want, "'%s/model.pt': neither a .safetensors nor a .bin file", dir);
    assert_fails(rp_checkpoint_open(&c, dir, &err), &err, RP_EFORMAT, want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shards_of_torch_hold_what_safetensors_hold),
        cmocka_unit_test(a_model_of_bin_files_is_the_same_model),
        cmocka_unit_test(safetensors_go_before_bin_and_one_file_before_shards),
        cmocka_unit_test(tied_tensors_of_a_bin_file_are_both_there),
        cmocka_unit_test(bad_directories_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
