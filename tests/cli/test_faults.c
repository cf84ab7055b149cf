/* What may happen to a capture: killed, interrupted, a full disk, damaged files, other processes.
 */
#include "cli/capture.h"

static void a_hundred_kills_lose_nothing(void **state)
{
    (void)state;
    rp_rng rng;
    size_t killed = 0;
    rp_rng_init(&rng, 10, 0);
    for (int i = 0; i < 100; i++) {
        char command[2048];
        if (!rp_test_command(NULL, NULL, "test -e $TMP/kills/store.json")) { /* and again */
            assert_int_equal(shell(CAPTURE "kills"), 0); /* sweeps what a kill at the end left */
            assert_int_equal(shell(SAME("whole", "kills")), 0);
            assert_int_equal(shell("rm -r $TMP/kills"), 0);
        }
        snprintf(command, sizeof command,
                 CAPTURE
                 "kills >/dev/null 2>&1 & pid=$!; sleep .%03zu; kill -9 $pid 2>/dev/null && "
                 "exit 9; exit 0",
                 5 + rp_rng_below(&rng, 40));
        killed += rp_test_command(NULL, NULL, command) == 9;
    }
    print_message("%zu of 100 killed\n", killed);
    assert_true(killed > 10);
    assert_int_equal(shell(CAPTURE "kills"), 0);
    assert_int_equal(shell(SAME("whole", "kills")), 0);
}

static void an_interrupt_leaves_whole_shards_and_ends_with_130(void **state)
{
    (void)state;
    int code = rp_test_command(NULL, NULL,
                               CAPTURE "int & pid=$!; for i in $(seq 2000); do "
                                       "test -e $TMP/int/partial/00000.json && break; sleep .002; "
                                       "done; kill -INT $pid; wait $pid");
    if (code) assert_int_equal(code, 130); /* or it was faster */
    assert_int_equal(shell(CAPTURE "int"), 0);
    assert_int_equal(shell(SAME("whole", "int")), 0);
}

static void a_full_disk_is_an_error_that_can_be_gone_on_from(void **state)
{
    (void)state;
    char *err = NULL;
    /* A limit on the size of files, of 512 bytes each, is a disk that is full in mid-file. */
    int code = rp_test_command(NULL, &err, "trap '' XFSZ; ulimit -f 2; " CAPTURE "full");
    assert_int_equal(code, 1);
    assert_non_null(strstr(err, "/full"));
    free(err);
    assert_int_equal(shell("test -z \"$(find $TMP/full -name '*.tmp')\""), 0);
    assert_int_equal(shell(CAPTURE "full"), 0);
    assert_int_equal(shell(SAME("whole", "full")), 0);
}

static void a_disk_that_is_full_loses_nothing(void **state)
{
    (void)state;
    char *err = NULL;
    if (rp_test_command(NULL, NULL, "unshare -rm true")) {
        print_message("skipped: no file system can be mounted here\n");
        skip();
    }
    /* On a file system of 64 KiB, which grows when nothing was lost. */
    int code = rp_test_command(NULL, &err,
                               "mkdir $TMP/disk && unshare -rm sh -c 'mount -t tmpfs -o size=64k "
                               "tmpfs $TMP/disk || exit 9\n" CAPTURE "disk/s && exit 8\n"
                               "test -z \"$(find $TMP/disk -name \"*.tmp\")\" || exit 7\n"
                               "mount -o remount,size=9M $TMP/disk && " CAPTURE
                               "disk/s && cp -r $TMP/disk/s $TMP/grown'");
    assert_int_equal(code, 0);
    assert_non_null(strstr(err, "': no space left on device"));
    free(err);
    assert_int_equal(shell(SAME("whole", "grown")), 0);
}

static void a_directory_that_cannot_be_written_is_named(void **state)
{
    (void)state;
    char *err = NULL;
    /* The superuser may write where others may not, but not in there. */
    int code = rp_test_command(NULL, &err,
                               "mkdir $TMP/locked && chmod a-w $TMP/locked\n"
                               "test -w $TMP/locked && rm -r $TMP/locked && "
                               "ln -s /proc/self $TMP/locked\n" CAPTURE "locked/store");
    assert_int_equal(code, 1);
    assert_non_null(strstr(err, "/locked/store'"));
    free(err);
}

static void a_directory_of_other_things_is_left_as_it_is(void **state)
{
    (void)state;
    static const char *const how[] = {"", " --shard 0/2", " --append"};
    assert_int_equal(
        shell("mkdir $TMP/foreign $TMP/theirs && cd $TMP/foreign && echo mine >other && "
              "echo mine >store.lock && echo mine >rows.tsv.1-2.tmp && "
              "cp * $TMP/theirs"),
        0);
    for (size_t i = 0; i < 3; i++) {
        char command[1024], *err = NULL;
        snprintf(command, sizeof command, CAPTURE "foreign%s", how[i]);
        assert_int_equal(rp_test_command(NULL, &err, command), 2);
        assert_non_null(strstr(err, "/foreign' is not empty and holds no activation store"));
        free(err);
        assert_int_equal(shell("diff -r $TMP/theirs $TMP/foreign"), 0);
    }
}

static void a_second_process_is_told_who_writes(void **state)
{
    (void)state;
    char *err = NULL;
    int code = rp_test_command(NULL, &err,
                               CAPTURE "two & pid=$!; kill -STOP $pid; for i in $(seq 5000); do "
                                       "kill -CONT $pid; sleep .002; kill -STOP $pid; "
                                       "test -s $TMP/two/store.lock && break; done; " CAPTURE
                                       "two; code=$?; kill -CONT $pid; wait $pid; exit $code");
    assert_int_equal(code, 1);
    assert_non_null(strstr(err, "/two' is being written by process "));
    free(err);
    assert_int_equal(shell(SAME("whole", "two")), 0);
    assert_int_equal(shell("test ! -e $TMP/two/store.lock"), 0);
}

static void damaged_shards_are_named_and_repaired(void **state)
{
    (void)state;
    char *err = NULL;
    assert_int_equal(shell(CAPTURE "damaged"), 0);
    assert_int_equal(shell(CAPTURE "damaged --repair"), 0);
    assert_int_equal(
        shell("cd $TMP/damaged && truncate -s -1 resid_post.all.mean/00003.safetensors && "
              "printf x | dd of=mlp_act.last.mean/00005.safetensors bs=1 seek=700 "
              "conv=notrunc 2>/dev/null && rm resid_post.all.mean/00007.safetensors"),
        0);
    assert_int_equal(
        rp_test_command(NULL, &err, CAPTURE "damaged --repair 2>&1 | sed 's/-q//' >&2; true"), 0);
    free(err);
    assert_int_equal(shell(SAME("whole", "damaged")), 0);
    /* Without rows.tsv no number of a row is known: everything is computed again. */
    assert_int_equal(shell("rm $TMP/damaged/rows.tsv"), 0);
    assert_int_equal(shell(CAPTURE "damaged --repair"), 0);
    assert_int_equal(shell(SAME("whole", "damaged")), 0);
    /* Told, where words are not switched off. */
    assert_int_equal(shell("printf x >> $TMP/damaged/resid_post.all.mean/00002.safetensors"), 0);
    assert_int_equal(rp_test_command(NULL, &err,
                                     "set -- " CAPTURE "damaged --repair; shift 3; "
                                     "\"$RANKPROBE\" capture \"$@\""),
                     0);
    assert_non_null(strstr(err, "resid_post.all.mean/00002.safetensors' is "));
    free(err);
}

static void another_model_under_the_same_name_is_refused(void **state)
{
    (void)state;
    char *err = NULL;
    assert_int_equal(shell("cp -r $TMP/model $TMP/kept && rm -rf $TMP/other"), 0);
    rp_test_command(NULL, NULL,
                    CAPTURE "other & pid=$!; for i in $(seq 2000); do "
                            "test -e $TMP/other/partial/00000.json && break; sleep .002; done; "
                            "kill -9 $pid; wait $pid");
    assert_int_equal(shell("f=$(ls $TMP/model/*.safetensors | head -n 1); n=$(stat -c %s $f); "
                           "printf xyz | dd of=$f bs=1 seek=$((n - 40)) conv=notrunc 2>/dev/null"),
                     0);
    assert_int_equal(rp_test_command(NULL, &err, CAPTURE "other"), 2);
    assert_non_null(strstr(err, "fingerprint"));
    free(err);
    assert_int_equal(shell("rm -r $TMP/model && mv $TMP/kept $TMP/model"), 0);
    assert_int_equal(shell(CAPTURE "other"), 0);
    assert_int_equal(shell(SAME("whole", "other")), 0);
}

static void more_memory_than_the_machine_has_is_refused(void **state)
{
    (void)state;
    char *err = NULL;
    assert_int_equal(rp_test_command(NULL, &err, CAPTURE "never --memory 900000G"), 1);
    assert_non_null(strstr(err, "is more than the machine's"));
    assert_int_equal(shell("test ! -e $TMP/never"), 0);
    free(err);
}

static void processes_that_share_a_store_make_the_same_bytes(void **state)
{
    (void)state;
    char *err = NULL;
    assert_int_equal(shell("for i in 0 1 2; do " CAPTURE "three --shard $i/3 & done; wait"), 0);
    assert_int_equal(shell(SAME("whole", "three")), 0);
    /* One of them is killed again and again; the others do its shards. */
    assert_int_equal(shell("for n in 1 2 3; do " CAPTURE
                           "dead --shard 1/2 & pid=$!; sleep .03; kill -9 $pid; "
                           "done 2>/dev/null; wait; " CAPTURE "dead --shard 0/2"),
                     0);
    assert_int_equal(shell(SAME("whole", "dead")), 0);
    /* A late one finds nothing to do. */
    assert_int_equal(shell(CAPTURE "dead --shard 1/2"), 0);
    /* Who writes alone does not join them, and they do not join it. */
    int code = rp_test_command(NULL, &err,
                               CAPTURE "mixed --shard 0/2 & pid=$!; for i in $(seq 2000); do "
                                       "test -e $TMP/mixed/store.lock && break; sleep .001; done; "
                                       "kill -STOP $pid; " CAPTURE
                                       "mixed; code=$?; kill -CONT $pid; wait $pid; exit $code");
    if (code) assert_non_null(strstr(err, "which share it"));
    free(err);
    assert_int_equal(shell(CAPTURE "mixed"), 0);
    assert_int_equal(shell(SAME("whole", "mixed")), 0);
    assert_int_equal(rp_test_command(NULL, NULL, CAPTURE "bad --shard 2/2"), 2);
    assert_int_equal(rp_test_command(NULL, NULL, CAPTURE "bad --shard 2"), 2);
}

static void ranks_make_the_same_bytes(void **state)
{
    (void)state;
    if (rp_test_command(NULL, NULL, "command -v mpirun >/dev/null")) {
        print_message("skipped: mpirun is not installed\n");
        skip();
    }
#ifndef RP_MPI
    print_message("skipped: built without MPI\n");
    skip();
#endif
    assert_int_equal(shell(MPIRUN "-n 3 " CAPTURE "ranks"), 0);
    assert_int_equal(shell(SAME("whole", "ranks")), 0);
}

static void sharing_beginnings_and_two_layers_at_once_change_no_bit(void **state)
{
    (void)state;
    assert_int_equal(shell(CAPTURE "unshared --no-share --memory 1M"), 0);
    assert_int_equal(shell(SAME("whole", "unshared")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hundred_kills_lose_nothing),
        cmocka_unit_test(an_interrupt_leaves_whole_shards_and_ends_with_130),
        cmocka_unit_test(a_full_disk_is_an_error_that_can_be_gone_on_from),
        cmocka_unit_test(a_disk_that_is_full_loses_nothing),
        cmocka_unit_test(a_directory_that_cannot_be_written_is_named),
        cmocka_unit_test(a_directory_of_other_things_is_left_as_it_is),
        cmocka_unit_test(a_second_process_is_told_who_writes),
        cmocka_unit_test(damaged_shards_are_named_and_repaired),
        cmocka_unit_test(another_model_under_the_same_name_is_refused),
        cmocka_unit_test(more_memory_than_the_machine_has_is_refused),
        cmocka_unit_test(processes_that_share_a_store_make_the_same_bytes),
        cmocka_unit_test(ranks_make_the_same_bytes),
        cmocka_unit_test(sharing_beginnings_and_two_layers_at_once_change_no_bit),
    };
    return cmocka_run_group_tests(tests, make, NULL);
}
