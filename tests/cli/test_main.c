#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/support.h"

static const char *const commands[] = {"search", "features", "score", "eval",   "capture",
                                       "store",  "doctor",   "probe", "report", "study"};

static void expect(const char *command, int code, const char *in_out, const char *in_err)
{
    char *out, *err;
    int got = rp_test_command(&out, &err, command);
    if (got != code || (in_out && !strstr(out, in_out)) || (in_err && !strstr(err, in_err))) {
        print_error("%s\n  exit %d\n  stdout %s\n  stderr %s\n", command, got, out, err);
        fail();
    }
    free(out);
    free(err);
}

static void says_its_version(void **state)
{
    (void)state;
    expect("$RANKPROBE --version", 0, "rankprobe " RP_VERSION "\n", NULL);
    expect("$RANKPROBE eval --version", 0, "rankprobe " RP_VERSION "\n", NULL);
}

/* OpenBLAS says at 2 which processor it takes this one for; on one that it does not know the
 * program begins twice. Nobody who has AVX2 is served with kernels from before it, but who asks. */
static void openblas_is_told_what_processor_it_runs_on(void **state)
{
    char *err;
    (void)state;
#if defined(__x86_64__)
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) skip();
    assert_int_equal(rp_test_command(NULL, &err,
                                     "env -u OPENBLAS_CORETYPE OPENBLAS_VERBOSE=2 $RANKPROBE "
                                     "--version"),
                     0);
    char *last = err;
    for (char *at = err; (at = strstr(at, "Core: ")); at++) last = at;
    bool openblas = last != err, old = strstr(last, "Prescott") || strstr(last, "Nehalem");
    free(err);
    if (!openblas) skip();
    assert_false(old);
    /* It is still called by its name: the pipe opens when it is being read. */
    expect(
        "mkfifo $TMP/pipe && { env -u OPENBLAS_CORETYPE $RANKPROBE eval -q $TMP/pipe x 2>&1 & } && "
        "exec 3>$TMP/pipe && cat /proc/$!/comm && exec 3>&- && ! wait $!",
        0, "rankprobe\n", NULL);
    assert_int_equal(
        rp_test_command(NULL, &err,
                        "OPENBLAS_CORETYPE=Prescott OPENBLAS_VERBOSE=2 $RANKPROBE --version"),
        0);
    assert_non_null(strstr(err, "Core: Prescott"));
    assert_null(strstr(strstr(err, "Core: ") + 1, "Core: "));
    free(err);
#else
    skip();
#endif
}

static void lists_its_commands(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        char want[64];
        snprintf(want, sizeof want, "\n  %-10s ", commands[i]);
        expect("$RANKPROBE --help", 0, want, NULL);
        expect("$RANKPROBE", 2, NULL, want);
    }
}

static void every_command_explains_itself_with_an_example(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        char command[64], want[64];
        snprintf(command, sizeof command, "$RANKPROBE %s --help", commands[i]);
        snprintf(want, sizeof want, "usage: rankprobe %s [options]", commands[i]);
        expect(command, 0, want, NULL);
        snprintf(want, sizeof want, "\nexample:\n  rankprobe %s ", commands[i]);
        expect(command, 0, want, NULL);
        expect(command, 0, "--threads N", NULL);
        snprintf(command, sizeof command, "$RANKPROBE help %s", commands[i]);
        expect(command, 0, want, NULL);
    }
}

static void help_shows_the_defaults_whatever_was_given_before(void **state)
{
    (void)state;
    expect("$RANKPROBE eval -m p@7 -l 3 x --help", 0, "map,p@10,recall@100)", NULL);
    expect("$RANKPROBE eval -m p@7 -l 3 x --help", 0, "(default: 1)", NULL);
}

static void a_usage_error_says_where_help_is(void **state)
{
    (void)state;
    expect("$RANKPROBE eval -x", 2, NULL, "try 'rankprobe eval --help'\n");
    expect("$RANKPROBE evil", 2, NULL, "try 'rankprobe --help'\n");
}

static void ends_with_time_and_memory_unless_quiet(void **state)
{
    (void)state;
    const char *command = "$RANKPROBE eval tests/cli/bad/qrels.txt tests/cli/bad/run.trec";
    char *err, quiet[128];
    expect(command, 0, "run.trec\tall\t2\t", " s of CPU, ");
    snprintf(quiet, sizeof quiet, "%s -q", command);
    assert_int_equal(rp_test_command(NULL, &err, quiet), 0);
    assert_string_equal(err, "");
    free(err);
}

static void the_command_line_is_written_into_outputs_as_a_shell_needs_it(void **state)
{
    (void)state;
    expect("$RANKPROBE eval -m 'ndcg@10, map' tests/cli/bad/qrels.txt tests/cli/bad/run.trec", 0,
           "# command: rankprobe eval -m 'ndcg@10, map' tests/cli/bad/qrels.txt "
           "tests/cli/bad/run.trec\n",
           NULL);
}

static void reads_standard_input(void **state)
{
    (void)state;
    expect("gzip -c tests/cli/bad/run.trec | $RANKPROBE eval tests/cli/bad/qrels.txt -", 0,
           "-\tall\t2\t1.0000", NULL);
}

static void options_may_follow_operands_and_two_dashes_end_them(void **state)
{
    (void)state;
    expect("$RANKPROBE eval tests/cli/bad/qrels.txt tests/cli/bad/run.trec --measures map -q", 0,
           "run\tqid\tqueries\tmap\n", NULL);
    expect("$RANKPROBE eval tests/cli/bad/qrels.txt -- --measures", 1, NULL,
           "'--measures': no such file or directory");
}

/* A collection as good as endless; SIGINT comes when more of it was read than a pipe holds, so that
 * the program is surely at work, however slow the machine. */
static void an_interrupted_command_leaves_nothing(void **state)
{
    (void)state;
    expect("q=$PWD/tests/cli/bad/queries.tsv; mkdir $TMP/int; cd $TMP/int\n"
           "awk 'BEGIN { while (i < 9999999) { print \"d\" ++i \"\\tsome text\"\n"
           "    if (i == 200000) system(\"kill -INT $(cat ../int.pid)\") } }' |\n"
           "    sh -c 'echo $$ >../int.pid; exec \"$RANKPROBE\" search - \"$0\" -o run' $q\n"
           "code=$?; ls -A; exit $code",
           130, "", "rankprobe: interrupted\n");
    char *out;
    rp_test_command(&out, NULL, "ls -A $TMP/int");
    assert_string_equal(out, "");
    free(out);
}

/* The run is a pipe: the model is open when the pipe is. */
static void a_model_that_is_cut_while_it_is_used_ends_with_a_message(void **state)
{
    (void)state;
    expect("cp -r tests/golden/run/model $TMP/cut; mkfifo $TMP/pipe\n"
           "g=tests/golden/run; $RANKPROBE score --model $TMP/cut --run $TMP/pipe "
           "--queries $g/queries.jsonl --collection $g/corpus.jsonl -o $TMP/scores &\n"
           "exec 3> $TMP/pipe; truncate -s 0 $TMP/cut/model.safetensors\n"
           "head -1 $g/run.trec >&3; exec 3>&-; wait $!",
           1, "", "rankprobe: a file that is being read was cut or replaced, or its disk failed\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_its_version),
        cmocka_unit_test(openblas_is_told_what_processor_it_runs_on),
        cmocka_unit_test(lists_its_commands),
        cmocka_unit_test(every_command_explains_itself_with_an_example),
        cmocka_unit_test(help_shows_the_defaults_whatever_was_given_before),
        cmocka_unit_test(a_usage_error_says_where_help_is),
        cmocka_unit_test(ends_with_time_and_memory_unless_quiet),
        cmocka_unit_test(the_command_line_is_written_into_outputs_as_a_shell_needs_it),
        cmocka_unit_test(reads_standard_input),
        cmocka_unit_test(options_may_follow_operands_and_two_dashes_end_them),
        cmocka_unit_test(an_interrupted_command_leaves_nothing),
        cmocka_unit_test(a_model_that_is_cut_while_it_is_used_ends_with_a_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
