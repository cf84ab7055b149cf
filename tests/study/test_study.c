/* A study of a tiny random model, with the real jobs: what is done, what is left alone, and why. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "support/support.h"

enum { DOCS = 40, QUERIES = 6, TOP = 8 };

static char notes[8192];

static void take_note(void *arg, const char *text)
{
    (void)arg;
    strncat(notes, text, sizeof notes - strlen(notes) - 2);
    strcat(notes, "\n");
}

static const rp_host listening = {.note = take_note};

static void write_data(void)
{
    static const char *const words[] = {"red",   "green", "blue",  "cat",   "dog",   "bird",
                                        "house", "tree",  "river", "stone", "small", "big"};
    char text[16384] = "", line[512];
    for (int d = 0; d < DOCS; d++) {
        snprintf(line, sizeof line, "d%d\t", d);
        strcat(text, line);
        for (int w = 0; w < 4 + d * 7 % 9; w++) {
            snprintf(line, sizeof line, "%s ", words[(d * 5 + w * w + d * w) % 12]);
            strcat(text, line);
        }
        strcat(text, "end\n");
    }
    rp_test_write_text("collection.tsv", text);
    text[0] = 0;
    for (int q = 0; q < QUERIES; q++) {
        snprintf(line, sizeof line, "q%d\t%s %s\n", q, words[2 * q], words[2 * q + 1]);
        strcat(text, line);
    }
    rp_test_write_text("queries.tsv", text);
    rp_test_write_text("qrels.txt", "q0 0 d1 1\nq1 0 d2 2\nq2 0 d3 1\nq3 0 d0 1\n");
}

static const char *write_study(const char *output, const char *more)
{
    char text[8192], model[PATH_MAX];
    assert_non_null(realpath("tests/golden/run/model", model));
    snprintf(text, sizeof text,
             "title: Tiny\noutput: %s\nmodel: %s\ndata:\n  collection: collection.tsv\n"
             "  queries: [queries.tsv]\n  qrels: [qrels.txt]\n  top: %d\n"
             "template: {max_query: 12, max_passage: 40}\n"
             "features: {select: [mslr.stream_length, mslr.bm25, sim.tfidf_cosine]}\n%s",
             output, model, TOP, more);
    /* The helper's paths live for a few calls only. */
    static char path[PATH_MAX];
    snprintf(path, sizeof path, "%s", rp_test_write_text("study.yaml", text));
    return path;
}

#define PROBE "probe: {protocols: [sound, paper-text], bootstrap: 50, seed: 1}\n"
#define FILES                                                                                      \
    "probe: {protocols: [sound, paper-text], bootstrap: 50, seed: 2, differences: true, "          \
    "coefficients: true}\n"
#define OTHER "probe: {protocols: [sound, paper-text], bootstrap: 50, seed: 2}\n"

static bool has_gnuplot(void)
{
    if (system("command -v gnuplot >/dev/null 2>&1") == 0) return true;
    print_message("gnuplot is not installed: the study's last step is not tested\n");
    return false;
}

static rp_status run(const char *yaml, bool force, bool dry, rp_error *err)
{
    rp_study_options o;
    rp_study_options_init(&o);
    o.study = yaml;
    o.force = force;
    o.dry_run = dry;
    o.threads = 1;
    notes[0] = 0;
    return rp_study(&o, &listening, err);
}

static void assert_step(const char *step, const char *what)
{
    char want[300];
    snprintf(want, sizeof want, "%s: %s", step, what);
    for (const char *at = notes; (at = strstr(at, want)); at++)
        if (at == notes || at[-1] == '\n') return;
    fail_msg("no note '%s' in:\n%s", want, notes);
}

static const char *const all_steps[] = {"search", "features", "capture", "rank",
                                        "eval",   "probe",    "report"};

/* The steps whose names are in `redone` were done, all others are up to date. */
static void assert_redone(const char *redone)
{
    for (size_t i = 0; i < 7; i++)
        assert_step(all_steps[i], strstr(redone, all_steps[i]) ? "done in" : "up to date");
}

static char *read_output(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "out/%s", name);
    return rp_test_read(rp_test_path(path), NULL);
}

static void everything_is_done_once(void **state)
{
    (void)state;
    static const char *const outputs[] = {
        "run.bm25.txt", "features.tsv", "labels.tsv", "store/store.json", "run.model.txt",
        "eval.tsv",     "probes.tsv",   "index.html", "summary.txt",      "verdicts.tsv"};
    rp_error err = {0};
    if (!has_gnuplot()) skip();
    write_data();
    const char *yaml = write_study("out", PROBE);
    assert_ok(run(yaml, false, true, &err), &err);
    assert_step("search", "to do (never done)");
    assert_step("report", "to do (");
    assert_false(rp_path_exists(rp_test_path("out")));
    assert_ok(run(yaml, false, false, &err), &err);
    assert_redone("search features capture rank eval probe report");
    for (size_t i = 0; i < sizeof outputs / sizeof outputs[0]; i++) free(read_output(outputs[i]));
    assert_ok(run(yaml, false, false, &err), &err);
    assert_redone("");
    assert_ok(run(yaml, false, true, &err), &err);
    assert_redone("");
    char *summary = read_output("summary.txt");
    assert_non_null(strstr(summary, "strongest"));
    assert_non_null(strstr(summary, "out/index.html"));
    free(summary);
}

static void a_changed_option_redoes_its_step_and_what_follows(void **state)
{
    (void)state;
    rp_error err = {0};
    if (!has_gnuplot()) skip();
    assert_ok(run(write_study("out", OTHER), false, true, &err), &err);
    assert_step("capture", "up to date");
    assert_step("probe", "to do (option seed changed)");
    assert_step("report", "to do ('");
    assert_ok(run(write_study("out", OTHER), false, false, &err), &err);
    assert_redone("probe report");
    assert_step("probe", "started (option seed changed)");
    /* files beside the table are outputs, not options: they make the step run */
    assert_ok(run(write_study("out", FILES), false, false, &err), &err);
    assert_redone("probe");
    free(read_output("differences.tsv"));
    free(read_output("coefficients.safetensors"));
    assert_ok(run(write_study("out", OTHER "evaluate: {measures: [map]}\n"), false, false, &err),
              &err);
    assert_redone("eval report");
    assert_ok(run(write_study("out", PROBE), false, false, &err), &err);
    assert_redone("probe eval report");
}

static void an_output_that_is_gone_or_altered_is_made_again_and_only_it(void **state)
{
    (void)state;
    rp_error err = {0};
    if (!has_gnuplot()) skip();
    const char *yaml = write_study("out", PROBE);
    char *before = read_output("probes.tsv");
    assert_int_equal(unlink(rp_test_path("out/probes.tsv")), 0);
    assert_ok(run(yaml, false, false, &err), &err);
    assert_redone("probe"); /* the same bytes: the report still holds */
    char *after = read_output("probes.tsv");
    assert_string_equal(before, after);
    free(before);
    free(after);
    rp_test_write_text("out/run.model.txt", "q0 Q0 d1 1 1 x\n");
    assert_ok(run(yaml, false, false, &err), &err);
    assert_redone("rank");
    assert_int_equal(unlink(rp_test_path("out/store/rows.tsv")), 0);
    assert_ok(run(yaml, false, false, &err), &err);
    assert_redone("capture");
    assert_ok(run(yaml, false, false, &err), &err);
    assert_redone("");
}

static void a_touched_input_is_read_again_but_redoes_nothing(void **state)
{
    (void)state;
    rp_error err = {0};
    if (!has_gnuplot()) skip();
    const char *yaml = write_study("out", PROBE);
    char *text = rp_test_read(rp_test_path("collection.tsv"), NULL);
    rp_test_write_text("collection.tsv", text);
    assert_ok(run(yaml, false, false, &err), &err);
    assert_redone("");
    /* A document that no query finds: the run stays, statistics of the collection do not. */
    char more[20000];
    snprintf(more, sizeof more, "%sd99\tnothing of that\n", text);
    rp_test_write_text("collection.tsv", more);
    assert_ok(run(yaml, false, false, &err), &err);
    assert_step("search", "done in");
    assert_step("features", "done in");
    assert_step("probe", "done in");
    rp_test_write_text("collection.tsv", text);
    free(text);
    assert_ok(run(yaml, false, false, &err), &err);
    assert_ok(run(yaml, true, false, &err), &err);
    assert_redone("search features capture rank eval probe report");
    assert_step("search", "started (forced)");
}

/* Cancels at the first progress call of a job after the pairs began to be captured. */
static int stop_in_capture(void *arg, const char *what, size_t done, size_t total)
{
    (void)done;
    (void)total;
    return strncmp(what, "captur", 6) == 0 && ++*(int *)arg > 2;
}

static void an_interrupted_capture_goes_on(void **state)
{
    (void)state;
    int calls = 0;
    rp_host host = {.arg = &calls, .note = take_note, .progress = stop_in_capture};
    rp_error err = {0};
    rp_study_options o;
    if (!has_gnuplot()) skip();
    const char *yaml = write_study("out", PROBE "capture: {shard_rows: 4}\n");
    rp_study_options_init(&o);
    o.study = yaml;
    o.threads = 1;
    assert_int_equal(rp_study(&o, &host, &err), RP_ECANCEL);
    assert_ok(run(yaml, false, false, &err), &err);
    assert_step("capture", "going on (interrupted)");
    assert_step("search", "up to date");
    assert_ok(run(yaml, false, false, &err), &err);
    assert_redone("");
}

static void a_folder_that_the_study_did_not_make_is_not_touched(void **state)
{
    (void)state;
    rp_error err = {0};
    char want[1200], store[512];
    if (!has_gnuplot()) skip();
    snprintf(store, sizeof store, "%s", rp_test_path("mine/store"));
    assert_ok(rp_path_make_dirs(store, &err), &err);
    rp_test_write_text("mine/store/thesis.txt", "years");
    snprintf(want, sizeof want, "'%s' exists and was not made by this study", store);
    assert_fails(run(write_study("mine", PROBE), false, false, &err), &err, RP_EARG, want);
    free(rp_test_read(rp_test_path("mine/store/thesis.txt"), NULL));
}

static void several_files_are_one_study(void **state)
{
    (void)state;
    rp_error err = {0};
    char yaml[8192], model[PATH_MAX], *queries = rp_test_read(rp_test_path("queries.tsv"), NULL);
    if (!has_gnuplot()) skip();
    char *half = strstr(queries, "q3");
    rp_test_write_text("b.tsv", half);
    *half = 0;
    rp_test_write_text("a.tsv", queries);
    free(queries);
    rp_test_write_text(
        "a.run",
        "q0 Q0 d1 1 3 x\nq0 Q0 d2 2 2 x\nq1 Q0 d3 1 2 x\nq1 Q0 d4 2 1 x\nq2 Q0 d5 1 1 x\n");
    rp_test_write_text("b.run", "q3\td6\t1\nq3\td7\t2\nq4\td8\t1\nq5\td9\t1\nq5\td1\t2\n");
    assert_non_null(realpath("tests/golden/run/model", model));
    snprintf(yaml, sizeof yaml,
             "output: joined\nmodel: %s\ndata:\n  collection: collection.tsv\n"
             "  queries: [a.tsv, b.tsv]\n  run: [a.run, b.run]\n  qrels: [qrels.txt]\n"
             "template: {max_query: 12, max_passage: 40}\n"
             "features: {select: [mslr.stream_length]}\n"
             "probe: {bootstrap: 10}\n",
             model);
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s", rp_test_write_text("joined.yaml", yaml));
    assert_ok(run(path, false, false, &err), &err);
    assert_step("join", "done in");
    char *run_text = rp_test_read(rp_test_path("joined/data/run.txt"), NULL);
    assert_non_null(strstr(run_text, "q0 Q0 d1 1 3 joined\n"));
    assert_non_null(strstr(run_text, "q5 Q0 d9 1 -1 joined\n"));
    free(run_text);
    assert_ok(run(path, false, false, &err), &err);
    assert_step("join", "up to date");
    rp_test_write_text("b.run", "q0\td6\t1\n");
    rp_status status = run(path, false, false, &err);
    assert_int_equal(status, RP_EFORMAT);
    assert_non_null(strstr(err.text, "b.run': query 'q0' is in '"));
    rp_test_write_text("b.tsv", "q0\tanother text\n");
    assert_int_equal(run(path, false, false, &err), RP_EFORMAT);
    assert_non_null(strstr(err.text, "b.tsv': query 'q0' has another text in a file before it"));
}

static void a_folder_that_is_collection_and_queries_is_one_input(void **state)
{
    (void)state;
    rp_error err = {0};
    char yaml[4 * PATH_MAX], beir[PATH_MAX], model[PATH_MAX], path[PATH_MAX];
    if (!has_gnuplot()) skip();
    assert_non_null(realpath("tests/golden/run/model", model));
    assert_non_null(realpath("tests/golden/run", beir));
    snprintf(yaml, sizeof yaml,
             "output: beir\nmodel: %s\ndata: {collection: %s, queries: [%s]}\n"
             "template: {max_query: 12, max_passage: 40}\n"
             "features: {select: [mslr.stream_length]}\n"
             "probe: {bootstrap: 10, folds: 2, inner: 2}\n",
             model, beir, beir);
    snprintf(path, sizeof path, "%s", rp_test_write_text("beir.yaml", yaml));
    assert_ok(run(path, false, false, &err), &err);
    assert_ok(run(path, false, false, &err), &err);
    assert_step("search", "up to date");
    assert_step("features", "up to date");
    assert_step("capture", "up to date");
}

/* The copy of a golden file in the temporary directory. */
static void copy_golden(const char *golden, const char *name)
{
    size_t n;
    char *bytes = rp_test_read(rp_test_golden(golden), &n);
    rp_test_write(name, bytes, n);
    free(bytes);
}

static void an_encoder_is_an_input_of_the_features(void **state)
{
    (void)state;
    rp_error err = {0};
    char yaml[2 * PATH_MAX], model[PATH_MAX], path[PATH_MAX];
    if (!has_gnuplot()) skip();
    write_data();
    assert_ok(rp_path_make_dirs(rp_test_path("encoder"), &err), &err);
    copy_golden("model/bert/config.json", "encoder/config.json");
    copy_golden("model/bert/model.safetensors", "encoder/model.safetensors");
    copy_golden("feature/encoder/bert.tokenizer.json", "encoder/tokenizer.json");
    assert_non_null(realpath("tests/golden/run/model", model));
    snprintf(yaml, sizeof yaml,
             "output: encoded\nmodel: %s\ndata: {collection: collection.tsv, queries: "
             "[queries.tsv], top: %d}\ntemplate: {max_query: 12, max_passage: 40}\n"
             "features: {select: [mslr.bm25, sim.bert_cosine], bert: encoder}\n"
             "probe: {bootstrap: 10, folds: 2, inner: 2}\n",
             model, TOP);
    snprintf(path, sizeof path, "%s", rp_test_write_text("encoded.yaml", yaml));
    assert_ok(run(path, false, false, &err), &err);
    assert_ok(run(path, false, false, &err), &err);
    assert_step("features", "up to date");
    assert_step("probe", "up to date");
    char *json = rp_test_read(rp_test_path("encoder/tokenizer.json"), NULL);
    char *cut = strstr(json, "\"river\"");
    assert_non_null(cut);
    memcpy(cut, "\"livre\"", 7);
    rp_test_write_text("encoder/tokenizer.json", json);
    free(json);
    assert_ok(run(path, false, true, &err), &err);
    assert_step("features", "to do ('");
    assert_non_null(strstr(notes, "/encoder' changed)"));
    assert_step("capture", "up to date");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_done_once),
        cmocka_unit_test(a_changed_option_redoes_its_step_and_what_follows),
        cmocka_unit_test(an_output_that_is_gone_or_altered_is_made_again_and_only_it),
        cmocka_unit_test(a_touched_input_is_read_again_but_redoes_nothing),
        cmocka_unit_test(an_interrupted_capture_goes_on),
        cmocka_unit_test(a_folder_that_the_study_did_not_make_is_not_touched),
        cmocka_unit_test(several_files_are_one_study),
        cmocka_unit_test(a_folder_that_is_collection_and_queries_is_one_input),
        cmocka_unit_test(an_encoder_is_an_input_of_the_features),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
