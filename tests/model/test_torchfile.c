/* .bin files of torch.save against what torch itself loads, and every way to refuse one. */
#include "model/torchfile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/support.h"

static void assert_same_tensor(const rp_tensor *got, const rp_tensor *want)
{
    assert_string_equal(rp_dtype_name(got->dtype), rp_dtype_name(want->dtype));
    assert_int_equal(got->rank, want->rank);
    for (size_t i = 0; i < want->rank; i++) assert_int_equal(got->shape[i], want->shape[i]);
    assert_int_equal(got->count, want->count);
    assert_memory_equal(got->data, want->data, want->count * rp_dtype_size(want->dtype));
}

/* tests/golden/checkpoint/bin/<name>.bin holds what <name>.safetensors holds. */
static void assert_loads(const char *name)
{
    rp_error err = {0};
    rp_torchfile *file;
    rp_safetensors *expected;
    char path[128];
    snprintf(path, sizeof path, "checkpoint/bin/%s.bin", name);
    assert_ok(rp_torchfile_open(&file, rp_test_golden(path), &err), &err);
    assert_string_equal(rp_torchfile_path(file), rp_test_golden(path));
    snprintf(path, sizeof path, "checkpoint/bin/%s.safetensors", name);
    assert_ok(rp_safetensors_open(&expected, rp_test_golden(path), &err), &err);
    assert_int_equal(rp_torchfile_count(file), rp_safetensors_count(expected));
    for (size_t i = 0; i < rp_safetensors_count(expected); i++) {
        const rp_tensor *want = rp_safetensors_at(expected, i);
        const rp_tensor *got = rp_torchfile_find(file, want->name);
        if (!got) fail_msg("no tensor '%s' in '%s.bin'", want->name, name);
        assert_same_tensor(got, want);
    }
    rp_safetensors_free(expected);
    rp_torchfile_free(file);
}

static void every_dtype_loads_as_torch_loads_it(void **state)
{
    (void)state;
    assert_loads("types");
}

static void views_of_one_storage_load(void **state)
{
    (void)state;
    assert_loads("shared");
}

static void parameters_and_module_attributes_load(void **state)
{
    (void)state;
    assert_loads("parameters");
    assert_loads("module");
}

static void later_pickle_protocols_load(void **state)
{
    (void)state;
    assert_loads("protocol3");
    assert_loads("protocol4");
    assert_loads("protocol5");
}

static void the_state_dict_of_a_training_checkpoint_loads(void **state)
{
    (void)state;
    assert_loads("training");
}

static void tensors_keep_the_order_of_the_pickle(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_torchfile *file;
    char name[16];
    assert_ok(rp_torchfile_open(&file, rp_test_golden("checkpoint/bin/many.bin"), &err), &err);
    assert_int_equal(rp_torchfile_count(file), 300);
    for (size_t i = 0; i < 300; i++) {
        float value;
        snprintf(name, sizeof name, "w.%zu", i);
        memcpy(&value, rp_torchfile_at(file, i)->data, sizeof value);
        assert_string_equal(rp_torchfile_at(file, i)->name, name);
        assert_true(value == (float)i);
    }
    assert_null(rp_torchfile_find(file, "w"));
    rp_torchfile_free(file);
}

static void an_archive_with_zip64_fields_loads(void **state)
{
    (void)state;
    assert_loads("zip64");
}

static void assert_refused(const char *path, const char *text)
{
    rp_error err = {0};
    rp_torchfile *file;
    char want[512];
    snprintf(want, sizeof want, "'%s': %s", path, text);
    assert_fails(rp_torchfile_open(&file, path, &err), &err, RP_EFORMAT, want);
    assert_null(file);
}

static void what_is_no_state_dict_is_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
    } bad[] = {
        {"turned", "tensor 'turned' [6, 4] has strides [1, 6], not row-major: save it as "
                   ".contiguous()"},
        {"spread", "tensor 'spread' [4, 6] has strides [0, 1], not row-major: save it as "
                   ".contiguous()"},
        {"five", "byte 179 of its pickle: a tensor whose sizes are not at most 4 numbers"},
        {"step", "entry 'step' is not a tensor"},
        {"list", "holds no dictionary of tensors"},
        {"complex",
         "the pickle asks for 'torch.ComplexFloatStorage', which is not a tensor: refused"},
        {"legacy", "a file of torch before 1.6: load and save it with a newer torch, or as "
                   "safetensors"},
        {"script", "a TorchScript archive, a program: save the model's state_dict()"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char path[128];
        snprintf(path, sizeof path, "checkpoint/bin/%s.bin", bad[i].name);
        assert_refused(rp_test_golden(path), bad[i].text);
    }
}

static void hostile_files_are_refused_and_nothing_runs(void **state)
{
    (void)state;
#define ASKS(what) "the pickle asks for '" what "', which is not a tensor: refused"
    static const struct {
        const char *name, *text;
    } bad[] = {
        {"system", ASKS("posix.system")},
        {"eval", ASKS("builtins.eval")},
        {"getattr", ASKS("builtins.getattr")},
        {"torch-load", ASKS("torch.load")},
        {"itself", "entry 'a' is not a tensor"},
        {"state-dict-in-itself", "entry 'state_dict' is not a tensor"},
        {"offset", "tensor 'w' ends behind its storage of 16 bytes"},
        {"offset-huge", "tensor 'w' ends behind its storage of 16 bytes"},
        {"size-overflow", "tensor 'w': its shape overflows"},
        {"storage-huge", "byte 103 of its pickle: not the description of a storage"},
        {"storage-larger", "tensor 'w': its storage has 16 bytes, the pickle says 20"},
        {"short-storage", "tensor 'w': its storage has 15 bytes, the pickle says 16"},
        {"storage-missing", "tensor 'w': its storage 'data/9' is missing"},
        {"twice", "tensor 'w' is there twice"},
        {"nul-name", "tensor 'w...' has a NUL byte in its name"},
        {"compressed",
         "entry 'a/data.pkl' is compressed or encrypted, which torch.save does not do"},
        {"encrypted",
         "entry 'types/data.pkl' is compressed or encrypted, which torch.save does not do"},
        {"big-endian", "its byte order is 'big', expected 'little'"},
        {"entry-huge", "entry 'types/data.pkl' ends behind the file's 4881 bytes: truncated?"},
        {"entry-far", "entry 'types/data.pkl' is not where the directory says"},
        {"entry-twice", "entry 'a/data/0' is there twice"},
        {"outside", "entry 'b/data/1' is outside 'a/'"},
        {"zip64-size", "entry 'a/data.pkl' ends behind the file's 625 bytes: truncated?"},
        {"zip64-offset", "entry 'a/data.pkl' is not where the directory says"},
        {"zip64-short", "entry 'a/data.pkl' has a bad zip64 field"},
        {"zip64-long", "entry 'a/data.pkl' has a bad zip64 field"},
        {"zip64-absent", "entry 'a/data.pkl' has a bad zip64 field"},
        {"directory-far", "a zip directory that is not in the file"},
        {"directory-huge", "a zip directory that is not in the file"},
        {"entries-many", "a zip directory that is not in the file"},
        {"entries-more", "byte 527: a broken zip directory"},
        {"locator-far", "its zip64 directory is missing"},
        {"comment", "not a zip archive, or truncated"},
        {"zip64-lies", "entry 'types/data.pkl' has a bad zip64 field"},
        {"no-pickle", "a zip archive, but not of torch.save: no data.pkl"},
        {"truncated", "not a zip archive, or truncated"},
        {"front-missing", "not a file of torch.save"},
        {"empty", "not a file of torch.save"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char path[128];
        snprintf(path, sizeof path, "tests/fuzz/corpus/torchfile/%s.bin", bad[i].name);
        assert_refused(path, bad[i].text);
    }
}

static void a_file_that_is_not_there_is_named(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_torchfile *file;
    assert_fails(rp_torchfile_open(&file, "no/such.bin", &err), &err, RP_EIO,
                 "'no/such.bin': no such file or directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_dtype_loads_as_torch_loads_it),
        cmocka_unit_test(views_of_one_storage_load),
        cmocka_unit_test(parameters_and_module_attributes_load),
        cmocka_unit_test(later_pickle_protocols_load),
        cmocka_unit_test(the_state_dict_of_a_training_checkpoint_loads),
        cmocka_unit_test(tensors_keep_the_order_of_the_pickle),
        cmocka_unit_test(an_archive_with_zip64_fields_loads),
        cmocka_unit_test(what_is_no_state_dict_is_refused_by_name),
        cmocka_unit_test(hostile_files_are_refused_and_nothing_runs),
        cmocka_unit_test(a_file_that_is_not_there_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
