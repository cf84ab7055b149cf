#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "study/config.h"
#include "support/support.h"

#define GOOD "output: out\nmodel: m\ndata:\n  collection: c.tsv\n  queries: [q.tsv]\n"

static const struct {
    const char *text, *error; /* after "'study.yaml'" */
} bad[] = {
    {"", ": empty"},
    {"# nothing\n", ": empty"},
    {"- a\n- b\n", " line 1: the file should be a section of keys, not a list"},
    {"just text\n", " line 1: the file should be a section of keys, not 'just text'"},
    {"fetures: {}\n" GOOD, " line 1: unknown key 'fetures', did you mean 'features'?"},
    {GOOD "xyzzy: 1\n", " line 6: unknown key 'xyzzy'"},
    {GOOD "search:\n  analyser: standard\n",
     " line 7: unknown key 'search.analyser', did you mean 'analyzer'?"},
    {GOOD "data.top: 5\n", " line 6: unknown key 'data.top'"},
    {GOOD "data[0]: 5\n", " line 6: unknown key 'data[0]'"},
    {GOOD "'': 5\n", " line 6: unknown key ''"},
    {GOOD "title: a\ntitle: b\n", " line 7: key 'title' was given in line 6 already"},
    {GOOD "title: [a]\n", " line 6: title should be text, not a list"},
    {GOOD "title:\n", " line 6: title should be text, not empty"},
    {GOOD "title: ~\n", " line 6: title should be text, not empty"},
    {GOOD "search: 5\n", " line 6: search should be a section of keys, not '5'"},
    {GOOD "search: [k1]\n", " line 6: search should be a section of keys, not a list"},
    {GOOD "search:\n", " line 6: search should be a section of keys, not empty"},
    {GOOD "search: {top: 3x}\n", " line 6: search.top should be a whole number, not '3x'"},
    {GOOD "search: {top: -3}\n", " line 6: search.top should be a whole number, not '-3'"},
    {GOOD "search: {top: 1.5}\n", " line 6: search.top should be a whole number, not '1.5'"},
    {GOOD "search:\n  k1: big\n", " line 7: search.k1 should be a number, not 'big'"},
    {GOOD "probe: {controls: 5}\n", " line 6: probe.controls should be true or false, not '5'"},
    {GOOD "probe: {controls: yes}\n", " line 6: probe.controls should be true or false, not 'yes'"},
    {GOOD "probe: {protocols: sound}\n",
     " line 6: probe.protocols should be a list, like [a, b], not 'sound'"},
    {GOOD "probe: {protocols: [sound, papertext]}\n",
     " line 6: probe.protocols[1] is 'papertext', not one of sound|paper-text|paper-code"},
    {GOOD "probe:\n  method: svm\n", " line 7: probe.method is 'svm', not one of ridge|lasso"},
    {GOOD "capture: {dtype: f64}\n", " line 6: capture.dtype is 'f64', not one of f32|f16|bf16|i8"},
    {GOOD "probe: {memory: 2 GB}\n", " line 6: probe.memory should be like 2G, not '2 GB'"},
    {GOOD "capture: {memory: lots}\n", " line 6: capture.memory should be like 2G, not 'lots'"},
    {GOOD "capture: {memory: 99999999999G}\n",
     " line 6: capture.memory should be like 2G, not '99999999999G'"},
    {GOOD "template: {name: custom}\n",
     " line 6: template.custom is missing: the name is 'custom'"},
    {GOOD "features:\n  select: ['mslr.*,sim.*']\n",
     " line 7: features.select has a comma within an element"},
    {GOOD "features:\n  select: ['']\n", " line 7: features.select has an empty element"},
    {GOOD "features:\n  select: [[a]]\n", " line 7: features.select[0] should be text, not a list"},
    {"model: m\ndata: {collection: c, queries: [q]}\n",
     " line 1: output is missing: where the study writes"},
    {"output: o\ndata: {collection: c, queries: [q]}\n",
     " line 1: model is missing: a Hugging Face directory or a name"},
    {"output: o\nmodel: m\ndata:\n  queries: [q]\n", " line 3: data.collection is missing"},
    {"output: o\nmodel: m\ndata:\n  collection: c\n", " line 3: data.queries is missing"},
    {"output: o\nmodel: m\ndata: {run_format: top1000}\n", " line 3: data.run is missing"},
    {"a: &x b\nc: *x\n", " line 2: aliases are not allowed"},
    {GOOD "---\ntitle: two\n", " line 6: a second document"},
    {"title: x\n data: y\n", " line 2: mapping values are not allowed in this context"},
    {"title: {a: [b\n", " line 2: did not find expected ',' or ']'"},
    {"title: \"x\n", " line 2: found unexpected end of stream"},
    {"? [a]\n: b\n", " line 1: a key must be text"},
    {"a: \x01\n", " line 1: control characters are not allowed"},
};

static void every_mistake_is_named_with_its_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        rp_error err = {0};
        rp_study_config config;
        char want[600];
        rp_status status =
            rp_study_config_parse(&config, "study.yaml", bad[i].text, strlen(bad[i].text), &err);
        snprintf(want, sizeof want, "'study.yaml'%s", bad[i].error);
        assert_fails(status, &err, RP_EFORMAT, want);
    }
}

static void every_key_is_read(void **state)
{
    (void)state;
    static const char text[] =
        "title: T\noutput: ../o\nmodel: /abs/m\n"
        "data:\n  collection: c.tsv\n  collection_format: tsv\n  queries: [a, b]\n"
        "  queries_format: tsv\n  run: [r]\n  run_format: trec\n  qrels: [x]\n  qrels_format: "
        "trec\n"
        "  top: 7\n"
        "search: {analyzer: english, bm25: okapi, k1: 1.5, b: 0.75, top: 100}\n"
        "features: {select: ['mslr.*', sim.kl], derive: ['a = mslr.bm25 / 2'], analyzer: english,\n"
        "  stats: pool, sim_stats: collection, idf: plain, bm25: msmarco, k1: 1, b: .5,\n"
        "  bert: org/bert, t5: ./t5}\n"
        "template: {name: custom, custom: '{query} {text}', max_query: 8, max_passage: 9}\n"
        "capture: {views: [mlp_out.all.mean], dtype: i8, memory: 3M, shard_rows: 5, score: false}\n"
        "probe: {select: ['*'], views: ['*'], protocols: [sound, paper-code], layers: '0,2-3',\n"
        "  method: lasso, penalty: .1, folds: 3, inner: 4, bootstrap: 9, balance: -1, seed: 12,\n"
        "  controls: false, l1_ratio: .5, permutations: 19, gains: length, stability: 7, pfer: 2,\n"
        "  memory: 8G, transfer: other, transfer_features: o.tsv, units: true, differences: true,\n"
        "  ksparse: false, predictions: true, coefficients: true}\n"
        "evaluate: {measures: [ndcg@10, map], relevance: 2}\n";
    rp_error err = {0};
    rp_study_config config;
    assert_ok(rp_study_config_parse(&config, "/tmp/there/study.yaml", text, sizeof text - 1, &err),
              &err);
    const rp_study_keys *k = config.keys;
    assert_string_equal(k->title, "T");
    assert_string_equal(k->model, "/abs/m");
    assert_string_equal(k->data.collection, "/tmp/there/c.tsv");
    assert_int_equal(k->data.queries.n, 2);
    assert_string_equal(k->data.queries.item[1], "/tmp/there/b");
    assert_int_equal(*k->data.top, 7);
    assert_true(*k->search.k1 == 1.5);
    assert_string_equal(rp_study_config_join(&config, &k->features.select), "mslr.*,sim.kl");
    assert_string_equal(k->features.derive.item[0], "a = mslr.bm25 / 2");
    assert_string_equal(k->features.bert, "org/bert");
    assert_string_equal(k->features.t5, "/tmp/there/./t5");
    assert_string_equal(k->template_.custom, "{query} {text}");
    assert_int_equal(config.memory, 3 << 20);
    assert_false(*k->capture.score);
    assert_int_equal(*k->probe.balance, -1);
    assert_int_equal(*k->probe.seed, 12);
    assert_false(*k->probe.controls);
    assert_true(*k->probe.l1_ratio == .5 && *k->probe.pfer == 2);
    assert_int_equal(*k->probe.permutations, 19);
    assert_int_equal(*k->probe.stability, 7);
    assert_string_equal(k->probe.gains, "length");
    assert_string_equal(k->probe.transfer, "/tmp/there/other");
    assert_string_equal(k->probe.transfer_features, "/tmp/there/o.tsv");
    assert_true(*k->probe.units && *k->probe.differences && !*k->probe.ksparse);
    assert_true(*k->probe.predictions && *k->probe.coefficients);
    assert_true(config.probe_memory == (size_t)8 << 30);
    assert_int_equal(*k->evaluate.relevance, 2);
    assert_int_equal(rp_study_config_line(&config, "data.queries[1]"), 7);
    assert_int_equal(rp_study_config_line(&config, "probe.method"), 21);
    assert_int_equal(rp_study_config_line(&config, "probe.nothing"), 20);
    rp_study_config_release(&config);
}

static void keys_that_are_left_out_are_null_or_empty(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_study_config config;
    assert_ok(rp_study_config_parse(&config, "study.yaml", GOOD, sizeof GOOD - 1, &err), &err);
    assert_null(config.keys->search.k1);
    assert_null(config.keys->probe.seed);
    assert_null(config.keys->capture.score);
    assert_int_equal(config.keys->data.run.n, 0);
    assert_null(rp_study_config_join(&config, &config.keys->probe.protocols));
    assert_string_equal(config.keys->output, "out"); /* a file in the working directory */
    rp_study_config_release(&config);
}

static void a_path_that_leaves_the_folder_again_is_short(void **state)
{
    (void)state;
    static const char text[] =
        "output: ../../x/o\nmodel: ../m\ndata: {collection: a/../c, queries: [q]}\n";
    rp_error err = {0};
    rp_study_config config;
    assert_ok(rp_study_config_parse(&config, "tests/golden/s.yaml", text, sizeof text - 1, &err),
              &err);
    assert_string_equal(config.keys->output, "x/o");
    assert_string_equal(config.keys->model, "tests/m");
    assert_string_equal(config.keys->data.collection, "tests/golden/a/../c");
    rp_study_config_release(&config);
}

static void a_missing_file_is_named_with_the_line_that_asks_for_it(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_study_config config;
    char want[1200], dir[512], yaml[512];
    snprintf(dir, sizeof dir, "%s", rp_test_tmpdir());
    snprintf(yaml, sizeof yaml, "%s",
             rp_test_write_text("s.yaml", "output: out\nmodel: .\ndata:\n  collection: s.yaml\n"
                                          "  queries:\n    - s.yaml\n    - q.tsv\n"));
    snprintf(want, sizeof want, "'%s' line 7: data.queries[1]: '%s/q.tsv' does not exist", yaml,
             dir);
    assert_fails(rp_study_config_load(&config, yaml, &err), &err, RP_EIO, want);
    snprintf(yaml, sizeof yaml, "%s",
             rp_test_write_text("s.yaml",
                                "output: out\nmodel: s.yaml\ndata:\n  collection: s.yaml\n"
                                "  queries: [s.yaml]\n"));
    snprintf(want, sizeof want, "'%s' line 2: model is not a directory", yaml);
    assert_fails(rp_study_config_load(&config, yaml, &err), &err, RP_EFORMAT, want);
    snprintf(want, sizeof want, "'%s/none.yaml': no such file or directory", dir);
    snprintf(yaml, sizeof yaml, "%s", rp_test_path("none.yaml"));
    assert_fails(rp_study_config_load(&config, yaml, &err), &err, RP_EIO, want);
}

static void a_model_that_is_no_path_is_a_name_and_keeps_its_spelling(void **state)
{
    (void)state;
    static const char text[] = "output: o\nmodel: org/name\nbase: ./b\nmodels: m\n"
                               "data: {collection: c, queries: [q]}\n";
    static const char path[] = "output: o\nmodel: a/b/c\ndata: {collection: c, queries: [q]}\n";
    rp_error err = {0};
    rp_study_config config;
    assert_ok(rp_study_config_parse(&config, "tests/x.yaml", text, sizeof text - 1, &err), &err);
    assert_string_equal(config.keys->model, "org/name");
    assert_string_equal(config.keys->base, "tests/./b");
    assert_string_equal(config.keys->models, "tests/m");
    rp_study_config_release(&config);
    assert_ok(rp_study_config_parse(&config, "tests/../x/x.yaml", path, sizeof path - 1, &err),
              &err);
    assert_string_equal(config.keys->model, "tests/../x/a/b/c");
    rp_study_config_release(&config);
}

static void a_base_without_an_adapter_is_refused_before_any_step_runs(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_study_config config;
    char want[1200], yaml[512];
    snprintf(yaml, sizeof yaml, "%s",
             rp_test_write_text("s.yaml", "output: out\nmodel: .\nbase: .\n"
                                          "data: {collection: s.yaml, queries: [s.yaml]}\n"));
    snprintf(want, sizeof want, "'%s' line 3: base: '%s/.' is no PEFT adapter", yaml,
             rp_test_tmpdir());
    assert_fails(rp_study_config_load(&config, yaml, &err), &err, RP_EARG, want);
}

static void an_adapters_own_base_is_looked_for_among_the_models(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_study_config config;
    char models[PATH_MAX], text[2 * PATH_MAX], want[PATH_MAX + 8];
    char *json = rp_test_read("tests/golden/model/adapter_llama/adapter_config.json", NULL);
    char *at = strstr(json, "\"tied\"");
    size_t n;
    char *tensors = rp_test_read("tests/golden/model/adapter_llama/adapter_model.safetensors", &n);
    assert_non_null(at);
    snprintf(text, sizeof text, "%.*s\"/of/another/machine/plain\"%s", (int)(at - json), json,
             at + 6);
    rp_test_write_text("adapter_config.json", text);
    rp_test_write("adapter_model.safetensors", tensors, n);
    free(json);
    free(tensors);
    assert_non_null(realpath("tests/golden/model", models));
    snprintf(text, sizeof text,
             "output: out\nmodel: .\nmodels: %s\ndata: {collection: s.yaml, queries: [s.yaml]}\n",
             models);
    assert_ok(rp_study_config_load(&config, rp_test_write_text("s.yaml", text), &err), &err);
    snprintf(want, sizeof want, "%s/plain", models);
    assert_string_equal(config.base_dir, want);
    rp_study_config_release(&config);
    snprintf(text, sizeof text,
             "output: out\nmodel: .\nmodels: %s\ndata: {collection: s.yaml, queries: [s.yaml]}\n",
             "../nowhere");
    rp_test_write_text("s.yaml", text);
    assert_int_equal(rp_study_config_load(&config, rp_test_path("s.yaml"), &err), RP_EIO);
    assert_non_null(strstr(err.text, "' line 2: base model of adapter '"));
    assert_non_null(strstr(err.text, "'/of/another/machine/plain': no such directory"));
    unlink(rp_test_path("adapter_config.json")); /* the folder is the model of other tests */
}

static void an_encoder_that_is_not_there_is_named_before_any_step_runs(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_study_config config;
    char want[1200], yaml[512];
    snprintf(yaml, sizeof yaml, "%s",
             rp_test_write_text("s.yaml", "output: out\nmodel: .\nfeatures:\n  bert: .\n"
                                          "  t5: ./none\n"
                                          "data: {collection: s.yaml, queries: [s.yaml]}\n"));
    snprintf(
        want, sizeof want,
        "'%s' line 5: features.t5: '%s/./none': no such directory: give that of the (base) model",
        yaml, rp_test_tmpdir());
    assert_fails(rp_study_config_load(&config, yaml, &err), &err, RP_EIO, want);
}

static void an_input_that_the_study_would_write_over_is_refused(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_study_config config;
    char want[1200], yaml[512];
    rp_test_write_text("run.model.txt", "the work of a week\n");
    snprintf(yaml, sizeof yaml, "%s",
             rp_test_write_text("s.yaml", "output: .\nmodel: .\ndata:\n  collection: s.yaml\n"
                                          "  queries: [s.yaml]\n  run: [run.model.txt]\n"));
    snprintf(want, sizeof want,
             "'%s' line 6: data.run[0]: '%s/run.model.txt' would be replaced by the study's own",
             yaml, rp_test_tmpdir());
    assert_fails(rp_study_config_load(&config, yaml, &err), &err, RP_EARG, want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_mistake_is_named_with_its_line),
        cmocka_unit_test(every_key_is_read),
        cmocka_unit_test(keys_that_are_left_out_are_null_or_empty),
        cmocka_unit_test(a_path_that_leaves_the_folder_again_is_short),
        cmocka_unit_test(a_missing_file_is_named_with_the_line_that_asks_for_it),
        cmocka_unit_test(a_model_that_is_no_path_is_a_name_and_keeps_its_spelling),
        cmocka_unit_test(a_base_without_an_adapter_is_refused_before_any_step_runs),
        cmocka_unit_test(an_adapters_own_base_is_looked_for_among_the_models),
        cmocka_unit_test(an_encoder_that_is_not_there_is_named_before_any_step_runs),
        cmocka_unit_test(an_input_that_the_study_would_write_over_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
