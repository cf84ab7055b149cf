/* Pairs and views that are added to a store: it ends as if all had been captured at once. */
#include "cli/capture.h"

enum { PART = 70 }; /* pairs at first: the last shard is half full */

#define RESID "--view resid_post"
#define BOTH RESID " --view mlp_act.last"
/* All files, and what store.json says of them. */
#define GROWN(a, b)                                                                                \
    "cd $TMP && diff -r -x store.json -I '^# command' " a " " b " && for s in " a " " b            \
    "; do sed -n '/\"shards\"/,$p' $s/store.json >$s.shards; done && "                             \
    "diff " a ".shards " b ".shards && \"$RANKPROBE\" store verify " b " >/dev/null"

static int made(void **state)
{
    if (make(state)) return -1;
    return shell(
        "cd $TMP && head -n 70 run >part && tail -n +69 run >rest && tail -n +71 run >new");
}

static void the_bytes_are_those_of_one_capture(void **state)
{
    static const char *const dtype[] = {"f32", "i8", "bf16"};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        char command[4096];
        setenv("DTYPE", dtype[i], 1);
        snprintf(command, sizeof command, "rm -rf $TMP/rows; %s && %s && %s && %s && %s",
                 CAPTURE_OF("part", RESID) "rows --dtype $DTYPE",
                 CAPTURE_OF("part", BOTH) "rows --dtype $DTYPE --append",
                 CAPTURE_OF("rest", BOTH) "rows --dtype $DTYPE --append",
                 CAPTURE_OF("run", BOTH) "all.$DTYPE --dtype $DTYPE", GROWN("all.$DTYPE", "rows"));
        assert_int_equal(shell(command), 0);
    }
    /* Both at once; where there is no store it is an ordinary capture; again, there is nothing. */
    assert_int_equal(shell(CAPTURE_OF("part", RESID) "once --append"), 0);
    assert_int_equal(shell(CAPTURE_OF("run", "--view mlp_act.last") "once --append"), 0);
    assert_int_equal(shell(GROWN("whole", "once")), 0);
    assert_int_equal(shell("cp -r $TMP/once $TMP/twice"), 0);
    assert_int_equal(shell(CAPTURE_OF("part", RESID) "once --append"), 0);
    assert_int_equal(shell("diff -r $TMP/once $TMP/twice"), 0);
    /* A store that has grown is repaired as any other, by what it was last given. */
    assert_int_equal(shell("grep -q '\"appended\"' $TMP/once/store.json"), 0);
}

static void what_was_added_is_probed(void **state)
{
    (void)state;
    char *out;
    assert_int_equal(shell(CAPTURE_OF("part", RESID) "seen"), 0);
    assert_int_equal(shell(CAPTURE_OF("rest", RESID) "seen --append"), 0);
    assert_int_equal(rp_test_command(&out, NULL, "\"$RANKPROBE\" store info $TMP/seen"), 0);
    assert_non_null(strstr(out, "120"));
    assert_non_null(strstr(out, "appended"));
    free(out);
}

static void kills_lose_nothing(void **state)
{
    (void)state;
    rp_rng rng;
    size_t killed = 0;
    rp_rng_init(&rng, 11, 0);
    assert_int_equal(shell(CAPTURE_OF("part", RESID) "base"), 0);
    for (int i = 0; i < 60; i++) {
        char command[2048];
        if (rp_test_command(NULL, NULL, "test -e $TMP/kills && test ! -e $TMP/kills/store.json")) {
            if (i) assert_int_equal(shell(CAPTURE_OF("run", BOTH) "kills --append"), 0);
            if (i) assert_int_equal(shell(GROWN("whole", "kills")), 0);
            assert_int_equal(shell("rm -rf $TMP/kills && cp -r $TMP/base $TMP/kills"), 0);
        }
        snprintf(command, sizeof command,
                 CAPTURE_OF("run", BOTH) "kills --append >/dev/null 2>&1 & pid=$!; sleep .%03zu; "
                                         "kill -9 $pid 2>/dev/null && exit 9; exit 0",
                 5 + rp_rng_below(&rng, 40));
        killed += rp_test_command(NULL, NULL, command) == 9;
    }
    print_message("%zu of 60 killed\n", killed);
    assert_true(killed > 5);
    assert_int_equal(shell(CAPTURE_OF("run", BOTH) "kills --append"), 0);
    assert_int_equal(shell(GROWN("whole", "kills")), 0);
}

static void a_kill_before_the_manifest_is_gone_on_from(void **state)
{
    (void)state;
    char *err, *out;
    assert_int_equal(
        shell("for n in $(seq 50); do rm -rf $TMP/stop; cp -r $TMP/base $TMP/stop; " CAPTURE_OF(
            "run", BOTH) "stop --append & pid=$!; for i in $(seq 5000); do "
                         "test -e $TMP/stop/partial/00003.json && break; sleep .002; done; "
                         "kill -9 $pid; wait $pid; "
                         "test -e $TMP/stop/store.json || break; done 2>/dev/null"),
        0);
    assert_int_equal(
        shell("test -e $TMP/stop/store.partial.json && test ! -e $TMP/stop/store.json"), 0);
    assert_int_equal(rp_test_command(&out, NULL, "\"$RANKPROBE\" store info $TMP/stop"), 0);
    assert_non_null(strstr(out, "unfinished, being added to"));
    free(out);
    assert_int_equal(rp_test_command(NULL, &err, CAPTURE_OF("run", BOTH) "stop"), 2);
    assert_non_null(strstr(err, "/stop' is being added to: go on with --append"));
    free(err);
    assert_int_equal(rp_test_command(NULL, &err, CAPTURE_OF("part", BOTH) "stop --append"), 2);
    assert_non_null(strstr(err, "made with other settings: "));
    free(err);
    /* rows.tsv is written, store.json is not. */
    assert_int_equal(shell("cp $TMP/whole/rows.tsv $TMP/stop/rows.tsv"), 0);
    assert_int_equal(shell(CAPTURE_OF("run", BOTH) "stop --append"), 0);
    assert_int_equal(shell(GROWN("whole", "stop")), 0);
}

static void several_processes_add_together(void **state)
{
    (void)state;
    assert_int_equal(shell(CAPTURE_OF("part", RESID) "three"), 0);
    assert_int_equal(shell("for i in 0 1 2; do " CAPTURE_OF(
                         "run", BOTH) "three --append --shard $i/3 & done; wait"),
                     0);
    assert_int_equal(shell(GROWN("whole", "three")), 0);
}

/* The store is left as it was. */
static void refuse(const char *command, const char *words)
{
    char *err;
    assert_int_equal(shell("rm -rf $TMP/a && cp -r $TMP/kept $TMP/a"), 0);
    int code = rp_test_command(NULL, &err, command);
    if (code != 1 && code != 2) fail_msg("%s: %d", command, code);
    if (!strstr(err, words)) fail_msg("%s: %s", command, err);
    free(err);
    assert_int_equal(shell("diff -r $TMP/a $TMP/kept"), 0);
}

static void what_cannot_be_added_is_refused(void **state)
{
    (void)state;
    assert_int_equal(shell(CAPTURE_OF("part", RESID) "kept"), 0);
    refuse(CAPTURE_OF("new", RESID) "kept --append", "query 'q3' document 'd68', row 68 of '");
    refuse(CAPTURE_OF("rest", BOTH) "kept --append", "for new views the run must have all pairs");
    refuse(CAPTURE_OF("run", RESID) "kept --append --dtype f16", "dtype is \"f32\" there");
    refuse(CAPTURE_OF("run", RESID) "kept --append --max-query 7", "max_query is 20 there, 7 here");
    refuse(CAPTURE_OF("run", RESID) "kept --append --shard-rows 5", "shard_rows is 4 there");
    refuse(CAPTURE_OF("run", RESID) "kept --append --repair", "not both at once");
    refuse(CAPTURE_OF("run", RESID) "kept", "made with other settings");
    assert_int_equal(shell("printf x | dd of=$TMP/kept/resid_post.all.mean/00003.safetensors bs=1 "
                           "seek=700 conv=notrunc 2>/dev/null"),
                     0);
    refuse(CAPTURE_OF("run", RESID) "kept --append", "00003.safetensors' is altered");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bytes_are_those_of_one_capture),
        cmocka_unit_test(what_was_added_is_probed),
        cmocka_unit_test(kills_lose_nothing),
        cmocka_unit_test(a_kill_before_the_manifest_is_gone_on_from),
        cmocka_unit_test(several_processes_add_together),
        cmocka_unit_test(what_cannot_be_added_is_refused),
    };
    return cmocka_run_group_tests(tests, made, NULL);
}
