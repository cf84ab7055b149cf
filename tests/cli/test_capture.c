/* The commands score and capture: what they print, their exit codes, their usage errors. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/support.h"

#define G "tests/golden/run/"
#define INPUTS " --run " G "run.trec --queries " G "queries.jsonl --collection " G "corpus.jsonl"
#define ALL " --model " G "model --max-passage 40" INPUTS

static const struct {
    const char *command, *error; /* the first line on stderr, after "rankprobe: " */
    int code;
} bad[] = {
    {"score" INPUTS, "--model is required", 2},
    {"score --model " G "model", "--run is required", 2},
    {"score" ALL " extra", "'score' takes no operands, and 1 more were given", 2},
    {"score" ALL " --modle x", "unknown option '--modle'; did you mean '--model'?", 2},
    {"score" ALL " --max-query -1", "option '--max-query' needs a whole number, not '-1'", 2},
    {"score" ALL " --max-query 0", "query and passage need at least one token each", 2},
    {"score" ALL " --max-passage x", "option '--max-passage' needs a whole number, not 'x'", 2},
    {"score" ALL " --memory lots", "option '--memory' needs a size such as 512M or 2G, not 'lots'",
     2},
    {"score" ALL " --template rankllama",
     "option '--template' is one of "
     "auto|pair|rankllama-pair|rankllama-string|rankllama-eos|custom, not "
     "'rankllama'",
     2},
    {"score" ALL " --template custom", "the custom template needs its text", 2},
    {"score" ALL " --template rankllama-pair --custom '{query}{text}'",
     "a custom text is given, but the template is 'rankllama-pair'", 2},
    {"score" ALL " --template custom --custom '{query} {doc}'",
     "template: unknown placeholder '{doc}' (query, title, text, bos, eos, sep)", 2},
    {"score" ALL " --template custom --custom '{query}{sep}{text}'",
     "template: the tokenizer has no sep token", 1},
    {"score" ALL " -o /nonexistent/x", "'/nonexistent/x': no such file or directory", 1},
    {"score" ALL " -o /dev/full", "'/dev/full': no space left on device", 1},
    {"score" ALL " --max-passage 164",
     "query 'q2' document 'd6': 138 tokens, more than the model's max_position_embeddings 128", 1},
    {"score --model nowhere" INPUTS, NULL, 1},
    {"capture" ALL, "--output is required", 2},
    {"capture" INPUTS " -o $TMP/bad", "--model is required", 2},
    {"capture --model " G "model -o $TMP/bad", "--run is required", 2},
    {"capture" ALL " -o $TMP/bad --dtype f64",
     "option '--dtype' is one of f32|f16|bf16|i8, not 'f64'", 2},
    {"capture" ALL " -o $TMP/bad --view resid",
     "view 'resid': unknown site 'resid' (resid_post, mlp_out, mlp_act, attn_out, resid_mid)", 2},
    {"capture" ALL " -o $TMP/bad --view mlp_act.first",
     "view 'mlp_act.first': unknown token set 'first' (all, nobos, query, document, last)", 2},
    {"capture" ALL " -o $TMP/bad --view mlp_act.all.sum",
     "view 'mlp_act.all.sum': unknown pool 'sum' (mean, max)", 2},
    {"capture" ALL " -o $TMP/bad --view mlp_act --view mlp_act.all",
     "view 'mlp_act.all.mean' is there twice", 2},
    {"capture" ALL " -o $TMP/bad --shard-rows 0", "a shard needs at least one row", 2},
    {"capture" ALL " -o tests/golden", "'tests/golden' is not empty and holds no activation store",
     2},
    {"capture" ALL " -o " G "run.trec", NULL, 1},
    {"capture" ALL " -o /dev/null/x", NULL, 1},
};

static void bad_command_lines_say_what_is_wrong(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char command[1024], *out = NULL, *err = NULL, line[512];
        snprintf(command, sizeof command, "\"$RANKPROBE\" %s", bad[i].command);
        int code = rp_test_command(&out, &err, command);
        snprintf(line, sizeof line, "rankprobe: %s\n", bad[i].error ? bad[i].error : "");
        if (code != bad[i].code || strncmp(err, "rankprobe: ", 11) != 0 ||
            (bad[i].error && strncmp(err, line, strlen(line)) != 0))
            fail_msg("%s\n  exit code %d, wanted %d\n  %s  wanted\n  %s", bad[i].command, code,
                     bad[i].code, err, line);
        /* Only a run that fails while it is written to the stream may have begun to print. */
        if (!strstr(bad[i].command, "/dev/full")) assert_string_equal(out, "");
        free(out);
        free(err);
    }
    assert_int_equal(rp_test_command(NULL, NULL, "test ! -e \"$TMP/bad\""), 0);
}

static void help_is_complete(void **state)
{
    static const char *const words[] = {"--model",    "--run",    "--queries",   "--collection",
                                        "--template", "--custom", "--max-query", "--max-passage",
                                        "--memory",   "--output", "--top",       "--run-format",
                                        "example:",   "164",      "auto"};
    static const char *const commands[] = {"score", "capture"};

    (void)state;
    for (size_t c = 0; c < 2; c++) {
        char command[64], *out = NULL;
        snprintf(command, sizeof command, "\"$RANKPROBE\" %s --help", commands[c]);
        assert_int_equal(rp_test_command(&out, NULL, command), 0);
        for (size_t w = 0; w < sizeof words / sizeof *words; w++)
            if (!strstr(out, words[w])) fail_msg("%s --help lacks %s", commands[c], words[w]);
        free(out);
    }
}

static void a_run_goes_to_standard_output_and_words_to_standard_error(void **state)
{
    char *out = NULL, *err = NULL;

    (void)state;
    assert_int_equal(rp_test_command(&out, &err, "\"$RANKPROBE\" score" ALL " --top 1 --tag t"), 0);
    size_t lines = 0;
    for (char *rest = out, *line; (line = strsep(&rest, "\n")) && *line; lines++) {
        assert_non_null(strstr(line, " Q0 "));
        assert_string_equal(line + strlen(line) - 2, " t");
    }
    assert_int_equal(lines, 3);
    assert_non_null(strstr(err, "MiB at most"));
    free(out);
    free(err);
    assert_int_equal(rp_test_command(&out, &err, "\"$RANKPROBE\" score -q" ALL " -o $TMP/r"), 0);
    assert_string_equal(out, "");
    assert_string_equal(err, "");
    free(out);
    free(err);
}

static void a_second_capture_has_nothing_to_do(void **state)
{
    char *err = NULL;

    (void)state;
    assert_int_equal(rp_test_command(NULL, &err, "\"$RANKPROBE\" capture -q" ALL " -o $TMP/acts"),
                     0);
    assert_string_equal(err, "");
    free(err);
    assert_int_equal(rp_test_command(NULL, &err, "\"$RANKPROBE\" capture -q" ALL " -o $TMP/acts"),
                     0);
    assert_string_equal(err, "");
    free(err);
    assert_int_equal(rp_test_command(NULL, &err, "\"$RANKPROBE\" capture" ALL " -o $TMP/acts"), 0);
    assert_null(strstr(err, "warning"));
    assert_non_null(strstr(err, "/acts' is complete: nothing to do"));
    free(err);
    assert_int_equal(
        rp_test_command(NULL, &err, "\"$RANKPROBE\" capture" ALL " -o $TMP/acts --dtype i8"), 2);
    assert_non_null(strstr(err, "dtype is \"f32\" there, \"i8\" here"));
    free(err);
    assert_int_equal(
        rp_test_command(NULL, &err,
                        "\"$RANKPROBE\" capture" ALL
                        " -o $TMP/acts8 --dtype i8 --view resid_post --view mlp_act.last"),
        0);
    assert_non_null(strstr(err, "mlp_act.last.mean as i8: relative error of the worst column 0.0"));
    free(err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_command_lines_say_what_is_wrong),
        cmocka_unit_test(help_is_complete),
        cmocka_unit_test(a_run_goes_to_standard_output_and_words_to_standard_error),
        cmocka_unit_test(a_second_capture_has_nothing_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
