/* Pairs and views that are added to a store: it ends as if all had been captured at once. */
#include "cli/capture.h"

enum { PART = 70 }; /* pairs at first: the last shard is half full */

#define RESID "--view resid_post"
#define BOTH RESID " --view mlp_act.last"
#define CUSTOM "--view resid_post.document --custom '{bos}{query}{text}'"
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

/* "begun": stopped while rows and a view are added. */
static void begin(const char *name)
{
    char command[2048];
    snprintf(command, sizeof command,
             "for n in $(seq 50); do rm -rf $TMP/%s; cp -r $TMP/base $TMP/%s; " CAPTURE_OF(
                 "run", BOTH) "%s --append & pid=$!; while kill -0 $pid; do "
                              "test -e $TMP/%s/partial/00003.json && break; sleep .002; done; "
                              "kill -9 $pid; wait $pid; "
                              "test -e $TMP/%s/store.json || exit 0; done 2>/dev/null; exit 1",
             name, name, name, name, name);
    assert_int_equal(shell(command), 0);
}

static void a_kill_before_the_manifest_is_gone_on_from(void **state)
{
    (void)state;
    char *err, *out;
    begin("stop");
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
    /* Other texts would be other rows, whatever their ids. */
    assert_int_equal(shell("cp $TMP/docs.tsv $TMP/docs.kept && echo 'd999\tmore' >>$TMP/docs.tsv"),
                     0);
    assert_int_equal(rp_test_command(NULL, &err, CAPTURE_OF("run", BOTH) "stop --append"), 2);
    assert_non_null(strstr(err, "inputs.collection.checksum is "));
    free(err);
    assert_int_equal(shell("mv $TMP/docs.kept $TMP/docs.tsv"), 0);
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

static void rows_and_texts_must_be_those_of_the_store(void **state)
{
    (void)state;
    const char *again = CAPTURE_OF("run", RESID) "kept --append";
    assert_int_equal(shell("rm -rf $TMP/kept && cp -r $TMP/base $TMP/kept && "
                           "sed -i 's/\td5\t/\td9999\t/' $TMP/kept/rows.tsv"),
                     0);
    refuse(again, "/kept/rows.tsv' is truncated or altered");
    assert_int_equal(shell("cp $TMP/base/rows.tsv $TMP/kept/ && "
                           "sed -i '/^5\t/s/\t[0-9]*$/\t7/' $TMP/kept/rows.tsv && "
                           "truncate -s -9 $TMP/kept/rows.tsv"),
                     0);
    refuse(again, "/kept/rows.tsv' is truncated or altered");
    assert_int_equal(shell("cp $TMP/base/rows.tsv $TMP/kept/ && cp $TMP/docs.tsv $TMP/docs.kept && "
                           "sed -i '/^d68\t/s/\t/\tblue blue /' $TMP/docs.tsv"),
                     0);
    refuse(again, "query 'q3' document 'd68', row 68 of '");
    refuse(again, "has another text there: ");
    /* Nor does a text that cannot be computed leave the store an unfinished one. */
    assert_int_equal(shell("sed 's/^d110\t.*/d110\t/' $TMP/docs.kept >$TMP/docs.tsv"), 0);
    assert_int_equal(shell("rm -r $TMP/kept"), 0);
    assert_int_equal(shell(CAPTURE_OF("part", CUSTOM) "kept"), 0);
    refuse(CAPTURE_OF("run", CUSTOM) "kept --append", "is empty");
    refuse(CAPTURE_OF("run", CUSTOM) "kept --append --memory 1", "more than half of the memory");
    assert_int_equal(shell("mv $TMP/docs.kept $TMP/docs.tsv"), 0);
}

static void without_a_view_the_store_keeps_its_own(void **state)
{
    (void)state;
    assert_int_equal(shell(CAPTURE_OF("part", "--view mlp_act.last") "own"), 0);
    assert_int_equal(shell(CAPTURE_OF("rest", "") "own --append"), 0);
    assert_int_equal(shell(CAPTURE_OF("run", "--view mlp_act.last") "own.whole"), 0);
    assert_int_equal(shell(GROWN("own.whole", "own")), 0);
}

static void what_is_lost_meanwhile_is_computed_again(void **state)
{
    (void)state;
    char *err;
    begin("lost");
    assert_int_equal(shell("rm $TMP/lost/resid_post.all.mean/00002.safetensors && "
                           "truncate -s -1 $TMP/lost/resid_post.all.mean/00007.safetensors"),
                     0);
    /* It is gone on with by the same run. */
    int code = rp_test_command(NULL, &err, CAPTURE_OF("rest", BOTH) "lost --append");
    assert_int_equal(code, 2);
    assert_non_null(strstr(err, "inputs.run.checksum is "));
    free(err);
    assert_int_equal(
        rp_test_command(NULL, &err,
                        "set -- " CAPTURE_OF("run", BOTH) "lost --append; shift 3; "
                                                          "\"$RANKPROBE\" capture \"$@\""),
        0);
    assert_non_null(strstr(err, "shard 2 is computed again"));
    assert_non_null(strstr(err, "shard 7 is computed again"));
    free(err);
    assert_int_equal(shell(GROWN("whole", "lost")), 0);
}

static void a_store_that_has_grown_is_repaired(void **state)
{
    (void)state;
    char *err;
    assert_int_equal(shell("cp -r $TMP/base $TMP/grown"), 0);
    assert_int_equal(shell(CAPTURE_OF("run", BOTH) "grown --append"), 0);
    assert_int_equal(rp_test_command(NULL, &err, CAPTURE_OF("run", BOTH) "grown"), 2);
    assert_non_null(strstr(err, "was added to since: give --append, or --repair"));
    free(err);
    assert_int_equal(shell("rm $TMP/grown/resid_post.all.mean/00002.safetensors && "
                           "truncate -s -1 $TMP/grown/mlp_act.last.mean/00020.safetensors"),
                     0);
    assert_int_equal(rp_test_command(NULL, &err, CAPTURE_OF("new", RESID) "grown --repair"), 2);
    assert_non_null(strstr(err, "is not in '"));
    free(err);
    assert_int_equal(
        rp_test_command(NULL, &err, CAPTURE_OF("run", RESID) "grown --repair 2>/dev/null"), 0);
    free(err);
    assert_int_equal(shell(GROWN("whole", "grown")), 0);
    assert_int_equal(shell("sed -i 's/\"format_version\": 2/\"format_version\": 1/' "
                           "$TMP/grown/store.json"),
                     0);
    assert_int_equal(rp_test_command(NULL, &err, CAPTURE_OF("run", RESID) "grown --repair"), 2);
    assert_non_null(strstr(err, "by an older program in format 1"));
    free(err);
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
        cmocka_unit_test(rows_and_texts_must_be_those_of_the_store),
        cmocka_unit_test(without_a_view_the_store_keeps_its_own),
        cmocka_unit_test(what_is_lost_meanwhile_is_computed_again),
        cmocka_unit_test(a_store_that_has_grown_is_repaired),
    };
    return cmocka_run_group_tests(tests, made, NULL);
}
