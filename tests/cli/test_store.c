/* The command store: what it tells of a store, of a damaged one, and a layer in other formats. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/safetensors.h"
#include "support/support.h"

#define CAPTURE                                                                                    \
    "\"$RANKPROBE\" capture -q --model tests/golden/run/model --run tests/golden/run/run.trec "    \
    "--queries tests/golden/run/queries.jsonl --collection tests/golden/run/corpus.jsonl "         \
    "--max-passage 40 --view resid_post --view mlp_act.last --shard-rows 3 "
#define VIEW "mlp_act.last.mean"

static const char *const dtypes[] = {"f32", "f16", "bf16", "i8"};

static int make(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        char command[1024];
        snprintf(command, sizeof command, CAPTURE "--dtype %s -o $TMP/%s", dtypes[i], dtypes[i]);
        if (rp_test_command(NULL, NULL, command)) return -1;
    }
    return 0;
}

static void a_store_is_described(void **state)
{
    static const char *const lines[] = {
        "state              complete\n",       "format             2\n",
        "model.family       llama\n",          "dtype              i8\n",
        "template.name      rankllama-pair\n", "score              yes\n"};
    char *out;
    (void)state;
    assert_int_equal(rp_test_command(&out, NULL, "\"$RANKPROBE\" store info -q $TMP/i8"), 0);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (!strstr(out, lines[i])) fail_msg("'%s' is not in\n%s", lines[i], out);
    assert_non_null(strstr(out, "view." VIEW));
    free(out);
    assert_int_equal(
        rp_test_command(&out, NULL,
                        "mkdir $TMP/begun && sed '/\"shards\"/,$d' $TMP/i8/store.json | "
                        "sed '$s/,$/}/' > $TMP/begun/store.partial.json && "
                        "\"$RANKPROBE\" store info -q $TMP/begun"),
        0);
    assert_non_null(strstr(out, "state              unfinished\n"));
    assert_non_null(strstr(out, " 0 of "));
    free(out);
}

static void every_bad_file_is_named(void **state)
{
    char *out, *err;
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        char command[256];
        snprintf(command, sizeof command, "\"$RANKPROBE\" store verify -q $TMP/%s", dtypes[i]);
        assert_int_equal(rp_test_command(&out, NULL, command), 0);
        assert_non_null(strstr(out, " 0 bad\n"));
        free(out);
    }
    assert_int_equal(
        rp_test_command(&out, &err,
                        "cp -r $TMP/f16 $TMP/bad && cd $TMP/bad && "
                        "truncate -s -1 resid_post.all.mean/00000.safetensors && "
                        "printf x | dd of=" VIEW "/00001.safetensors bs=1 seek=400 conv=notrunc "
                        "2>/dev/null && rm " VIEW "/00000.safetensors && echo >> rows.tsv && "
                        "\"$RANKPROBE\" store verify -q $TMP/bad"),
        1);
    assert_non_null(strstr(out, "resid_post.all.mean/00000.safetensors' is "));
    assert_non_null(strstr(out, VIEW "/00001.safetensors' is "));
    assert_non_null(strstr(out, VIEW "/00000.safetensors'"));
    assert_non_null(strstr(out, "rows.tsv' is "));
    assert_non_null(strstr(out, " 4 bad\n"));
    assert_non_null(strstr(err, "/bad': 4 of "));
    free(out), free(err);
}

/* What a program that knows the format makes of an .npy file: shape and data. */
static const float *npy(const char *bytes, size_t n, size_t *rows, size_t *width)
{
    assert_memory_equal(bytes, "\x93NUMPY\x01\x00", 8);
    size_t header = (unsigned char)bytes[8] + 256u * (unsigned char)bytes[9];
    assert_int_equal((10 + header) % 64, 0);
    assert_int_equal(bytes[9 + header], '\n');
    assert_int_equal(sscanf(bytes + 10,
                            "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu, %zu), }", rows,
                            width),
                     2);
    assert_int_equal(n, 10 + header + *rows * *width * sizeof(float));
    return (const float *)(bytes + 10 + header);
}

static void a_layer_is_exported_as_a_reader_sees_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        char command[1024];
        rp_store *store;
        rp_safetensors *st;
        rp_error err;
        size_t n, rows, width;
        snprintf(
            command, sizeof command,
            "for f in npy safetensors tsv; do \"$RANKPROBE\" store export -q $TMP/%s --view " VIEW
            " --layer 2 -o $TMP/x.$f || exit 1; done",
            dtypes[i]);
        assert_int_equal(rp_test_command(NULL, NULL, command), 0);
        assert_ok(rp_store_open(&store, rp_test_path(dtypes[i]), &err), &err);
        char *bytes = rp_test_read(rp_test_path("x.npy"), &n);
        const float *x = npy(bytes, n, &rows, &width);
        assert_int_equal(rows, rp_store_rows(store));
        assert_int_equal(width, rp_store_view_at(store, 1)->width);
        float *want = rp_alloc(rows * width, sizeof *want);
        assert_non_null(want);
        assert_ok(rp_store_read(store, want, 1, 2, &err), &err);
        assert_memory_equal(x, want, rows * width * sizeof *want);
        assert_ok(rp_safetensors_open(&st, rp_test_path("x.safetensors"), &err), &err);
        const rp_tensor *t = rp_safetensors_find(st, "x");
        assert_true(t && t->dtype == RP_F32 && t->shape[0] == rows && t->shape[1] == width);
        assert_memory_equal(t->data, want, rows * width * sizeof *want);
        char *table = rp_test_read(rp_test_path("x.tsv"), NULL), *line = strchr(table, '\n') + 1;
        for (size_t r = 0; r < rows; r++, line = strchr(line, '\n') + 1) {
            char *field = line;
            double v;
            for (int k = 0; k < 2; k++) field = strchr(field, '\t') + 1;
            v = strtod(field, NULL);
            assert_true((float)v == want[r * width]);
        }
        free(table), free(want), free(bytes);
        rp_safetensors_free(st);
        rp_store_free(store);
    }
}

static void wrong_requests_are_named(void **state)
{
    static const struct {
        const char *command, *error;
        int code;
    } bad[] = {
        {"look $TMP/f32", "'look' is none of info, verify, export", 2},
        {"info", "", 2},
        {"info $TMP/nowhere", "': no such directory", 1},
        {"info tests/golden/run", "is not an activation store", 1},
        {"export $TMP/f32 --layer 1", "has several views, say which: resid_post.all.mean, " VIEW,
         2},
        {"export $TMP/f32 --layer 1 --view mlp", "has no view 'mlp': resid_post", 2},
        {"export $TMP/f32 --view " VIEW, VIEW " has layers 1 to 2; say which", 2},
        {"export $TMP/f32 --view " VIEW " --layer 0", VIEW " has layers 1 to 2; say which", 2},
        {"export $TMP/f32 --view " VIEW " --layer one", "--layer is a whole number, not 'one'", 2},
        {"export $TMP/f32 --view " VIEW " --layer 1 --format csv", "format", 2},
        {"export $TMP/f32 --view " VIEW " --layer 1 -o /dev/full", "no space left", 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char command[512], *err;
        snprintf(command, sizeof command, "\"$RANKPROBE\" store -q %s", bad[i].command);
        int code = rp_test_command(NULL, &err, command);
        if (code != bad[i].code || !strstr(err, bad[i].error))
            fail_msg("%s: code %d, '%s'", bad[i].command, code, err);
        free(err);
    }
}

static void outputs_do_not_go_over_the_store(void **state)
{
    (void)state;
    static const char *const command[] = {
        "store info \"$S\" -o \"$S/store.json\"", "store verify \"$S\" -o \"$S/new\"",
        "store export \"$S\" --view " VIEW " --layer 1 -o \"$S/rows.tsv\""};
    for (size_t i = 0; i < 3; i++) {
        char line[512], *err;
        snprintf(line, sizeof line,
                 "S=$TMP/over; test -e $S || cp -r $TMP/f32 $S; \"$RANKPROBE\" %s", command[i]);
        assert_int_equal(rp_test_command(NULL, &err, line), 2);
        assert_non_null(strstr(err, "': is inside the store"));
        free(err);
    }
    assert_int_equal(rp_test_command(NULL, NULL, "diff -r $TMP/f32 $TMP/over"), 0);
}

static void a_number_in_a_manifest_is_no_reason_to_look_for_ever(void **state)
{
    (void)state;
    char *err;
    const char *lie = "rm -rf $TMP/lie; cp -r $TMP/f32 $TMP/lie; cd $TMP/lie; sed -i -e "
                      "'s/\"rows\": [0-9]*,$/\"rows\": 68719476736,/' -e 's/\"shard_rows\": [0-9]*/"
                      "\"shard_rows\": 1/' store.json; ";
    char line[1024];
    snprintf(line, sizeof line, "%stimeout 20 \"$RANKPROBE\" store info $TMP/lie", lie);
    assert_int_equal(rp_test_command(NULL, &err, line), 1);
    assert_non_null(strstr(err, "not 68719476736"));
    free(err);
    snprintf(line, sizeof line,
             "%smv store.json store.partial.json; timeout 20 \"$RANKPROBE\" store info $TMP/lie",
             lie);
    assert_int_equal(rp_test_command(NULL, NULL, line), 0);
    assert_int_equal(rp_test_command(NULL, &err,
                                     "mkdir $TMP/fifo && mkfifo $TMP/fifo/store.json && "
                                     "timeout 20 \"$RANKPROBE\" store info $TMP/fifo"),
                     1);
    assert_non_null(strstr(err, "is not a regular file"));
    free(err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_store_is_described),
        cmocka_unit_test(every_bad_file_is_named),
        cmocka_unit_test(a_layer_is_exported_as_a_reader_sees_it),
        cmocka_unit_test(wrong_requests_are_named),
        cmocka_unit_test(outputs_do_not_go_over_the_store),
        cmocka_unit_test(a_number_in_a_manifest_is_no_reason_to_look_for_ever),
    };
    return cmocka_run_group_tests(tests, make, NULL);
}
