/* The command probe on a store on disk: killed and begun again, and by several processes. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/number.h"
#include "store/writer.h"
#include "support/support.h"

enum { QUERIES = 24, EACH = 10, ROWS = QUERIES * EACH, WIDTH = 24, LAYERS = 6 };

#define MPIRUN                                                                                     \
    "env ASAN_OPTIONS=detect_leaks=0 OMPI_ALLOW_RUN_AS_ROOT=1 "                                    \
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 mpirun --oversubscribe "
#define PROBE                                                                                      \
    "$RANKPROBE probe $TMP/store $TMP/features.tsv -q -j 1 -p sound,paper-code --bootstrap 50 "    \
    "--permutations 20 --predictions $TMP/%s.st --coefficients $TMP/%s.co --differences "          \
    "$TMP/%s.d "                                                                                   \
    "-o $TMP/%s.tsv"

static char ids[ROWS][2][16];
static rp_store_row rows[ROWS];

static rp_status put(rp_store_writer *writer, rp_rng *rng, rp_error *err)
{
    static float x[LAYERS * ROWS * WIDTH];
    static rp_store_row counts[ROWS];
    const float *views[] = {x};
    for (size_t i = 0; i < sizeof x / sizeof *x; i++) x[i] = (float)rp_rng_normal(rng);
    for (size_t r = 0; r < ROWS; r++)
        counts[r] = (rp_store_row){.tokens = 20 + r % 13,
                                   .score = (double)x[r * WIDTH],
                                   .query_tokens = 5,
                                   .document_tokens = 12 + r % 13,
                                   .token_control = rp_rng_normal(rng)};
    const rp_store_shard shard = {views, counts};
    rp_status status = rp_store_writer_put(writer, 0, &shard, err);
    /* A label of the last layer, one of the first, and noise. */
    rp_text text = {0};
    if (!status) status = rp_text_printf(&text, err, "qid\tdocid\tlast\tfirst\tnoise\n");
    for (size_t r = 0; r < ROWS && !status; r++)
        status = rp_text_printf(&text, err, "%s\t%s\t%.9g\t%.9g\t%.9g\n", ids[r][0], ids[r][1],
                                (double)x[((LAYERS - 1) * ROWS + r) * WIDTH + 3],
                                (double)x[r * WIDTH + 1] + rp_rng_normal(rng), rp_rng_normal(rng));
    if (!status) rp_test_write("features.tsv", text.data, text.len);
    rp_text_release(&text);
    return status;
}

static int make_store(void **state)
{
    static const rp_store_view view = {"resid_post.all.mean", WIDTH, 0, LAYERS - 1};
    rp_error err = {0};
    rp_rng rng;
    rp_store_writer *writer;
    (void)state;
    rp_rng_init(&rng, 5, 0);
    for (size_t r = 0; r < ROWS; r++) {
        snprintf(ids[r][0], sizeof ids[r][0], "q%zu", r / EACH);
        snprintf(ids[r][1], sizeof ids[r][1], "d%zu", r);
        rows[r] = (rp_store_row){.qid = ids[r][0], .docid = ids[r][1]};
    }
    rp_store_plan plan = {.views = &view,
                          .nviews = 1,
                          .dtype = RP_F32,
                          .row = rows,
                          .rows = ROWS,
                          .shard_rows = ROWS,
                          .score = true,
                          .settings = json_pack("{s:s}", "model", "made up")};
    rp_status status = rp_store_writer_open(&writer, rp_test_path("store"), &plan, NULL, &err);
    if (!status) status = put(writer, &rng, &err);
    if (!status) status = rp_store_writer_finish(writer, NULL, &err);
    rp_store_writer_free(writer);
    json_decref(plan.settings);
    if (status) print_error("%s\n", err.text);
    return status ? -1 : 0;
}

/* Runs before, the probe with outputs named so, and after, as one shell line; the exit code. */
static int probe(char **err, const char *before, const char *name, const char *after)
{
    char command[4096], line[4096];
    snprintf(command, sizeof command, PROBE, name, name, name, name);
    snprintf(line, sizeof line, "%s%s%s", before, command, after);
    int code = rp_test_command(NULL, err, line);
    return code;
}

static void assert_same(const char *a, const char *b)
{
    static const char *const tail[] = {"tsv", "d", "st", "co"};
    char command[512];
    for (size_t i = 0; i < sizeof tail / sizeof *tail; i++) {
        snprintf(command, sizeof command,
                 "cd $TMP && grep -av '^# command' %s.%s > a; grep -av '^# command' %s.%s > b; "
                 "test -s a && cmp a b",
                 a, tail[i], b, tail[i]);
        if (rp_test_command(NULL, NULL, command))
            fail_msg("%s.%s and %s.%s differ", a, tail[i], b, tail[i]);
    }
    snprintf(command, sizeof command, "test ! -e $TMP/%s.tsv.parts", b);
    assert_int_equal(rp_test_command(NULL, NULL, command), 0);
}

static void a_probe_that_was_killed_goes_on_and_writes_the_same_bytes(void **state)
{
    static const char *const method[] = {" --method ridge", " --method lasso"};
    (void)state;
    for (size_t m = 0; m < 2; m++) {
        char *err, after[512];
        snprintf(after, sizeof after,
                 "%s & pid=$!; for i in $(seq 1000); do "
                 "test -e $TMP/killed.tsv.parts/00002.safetensors && break; "
                 "test -e $TMP/killed.tsv && break; sleep .005; done; "
                 "kill -9 $pid; wait $pid; true",
                 method[m]);
        assert_int_equal(probe(NULL, "rm -f $TMP/killed.*; ", "once", method[m]), 0);
        assert_int_equal(probe(NULL, "", "killed", after), 0);
        assert_int_equal(probe(&err, "", "killed", method[m]), 0);
        assert_string_equal(err, "");
        assert_same("once", "killed");
        free(err);
    }
}

static void an_interrupted_probe_ends_with_130_and_keeps_its_parts(void **state)
{
    char *out;
    (void)state;
    int code = probe(NULL, "", "int",
                     " & pid=$!; for i in $(seq 1000); do "
                     "test -e $TMP/int.tsv.parts/00000.safetensors && break; "
                     "test -e $TMP/int.tsv && break; sleep .005; done; kill -TERM $pid; wait $pid");
    if (code == 0) skip(); /* it was faster than the signal */
    assert_int_equal(code, 130);
    assert_int_equal(rp_test_command(&out, NULL, "ls $TMP/int.tsv.parts | grep -c safetensors$"),
                     0);
    assert_true(atoi(out) >= 1);
    free(out);
}

static void processes_share_the_layers_and_write_the_same_bytes(void **state)
{
    char *err;
    (void)state;
    if (rp_test_command(NULL, NULL, "command -v mpirun >/dev/null")) {
        print_message("skipped: mpirun is not installed\n");
        skip();
    }
#ifndef RP_MPI
    print_message("skipped: built without MPI\n");
    skip();
#endif
    assert_int_equal(probe(NULL, "", "one", ""), 0);
    assert_int_equal(probe(NULL, MPIRUN "-n 2 ", "two", ""), 0);
    assert_same("one", "two");
    assert_int_equal(probe(NULL, MPIRUN "-n 3 ", "three", ""), 0);
    assert_same("one", "three");
    assert_int_equal(probe(NULL, MPIRUN "-n 3 ", "rows", " --ranks rows"), 0);
    assert_same("one", "rows");
    assert_int_equal(probe(NULL, "", "lasso", " --method lasso"), 0);
    assert_int_equal(probe(NULL, MPIRUN "-n 3 ", "lasso2", " --method lasso --ranks rows"), 0);
    assert_same("lasso", "lasso2");
    /* Gram matrices for the tests alone. */
    assert_int_equal(probe(NULL, "", "fixed", " --method lasso --penalty .1"), 0);
    assert_int_equal(
        probe(NULL, MPIRUN "-n 3 ", "fixed2", " --method lasso --penalty .1 --ranks rows"), 0);
    assert_same("fixed", "fixed2");
    assert_int_equal(rp_test_command(NULL, NULL, "grep -q 'sound.*0.047619' $TMP/lasso.tsv"), 0);
    /* An error is told once, by the first process. */
    int code = rp_test_command(NULL, &err,
                               MPIRUN "-n 3 $RANKPROBE probe $TMP/store $TMP/features.tsv "
                                      "--layers 9 2>&1 | grep -c '^rankprobe: layers' >&2");
    assert_int_equal(code, 0);
    assert_string_equal(err, "1\n");
    free(err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_probe_that_was_killed_goes_on_and_writes_the_same_bytes),
        cmocka_unit_test(an_interrupted_probe_ends_with_130_and_keeps_its_parts),
        cmocka_unit_test(processes_share_the_layers_and_write_the_same_bytes),
    };
    return cmocka_run_group_tests(tests, make_store, NULL);
}
