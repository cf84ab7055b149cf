#include "feature/encoder.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/table.h"
#include "fixture.h"
#include "support/support.h"

#define ENCODED "sim.bert_cosine,sim.t5_cosine,paper.*_bert"

static char bert[512], t5[512]; /* model directories, made at the start */

static struct {
    size_t calls, total, most;
    bool backwards, cancel;
    char warning[512];
} told;

static int take_progress(void *arg, const char *what, size_t done, size_t total)
{
    (void)arg;
    if (strncmp(what, "embedding texts by ", 19) != 0) return 0;
    told.calls++;
    told.backwards |= done < told.most;
    told.most = done;
    told.total = total;
    return told.cancel;
}

static void take_warning(void *arg, const char *text)
{
    (void)arg;
    if (!*told.warning) snprintf(told.warning, sizeof told.warning, "%s", text);
}

static const rp_host host = {.progress = take_progress, .warn = take_warning};

static void link_golden(const char *dir, const char *name, const char *golden)
{
    char to[1024], from[PATH_MAX];
    snprintf(to, sizeof to, "%s/%s", dir, name);
    assert_non_null(realpath(rp_test_golden(golden), from));
    assert_int_equal(symlink(from, to), 0);
}

/* A golden model's directory with a tokenizer beside the weights (none where tokenizer is NULL). */
static void make_model(char *dir, size_t cap, const char *name, const char *model,
                       const char *tokenizer)
{
    char golden[128];
    rp_error err;
    snprintf(dir, cap, "%s", rp_test_path(name));
    assert_ok(rp_path_make_dirs(dir, &err), &err);
    snprintf(golden, sizeof golden, "model/%s/config.json", model);
    link_golden(dir, "config.json", golden);
    snprintf(golden, sizeof golden, "model/%s/model.safetensors", model);
    link_golden(dir, "model.safetensors", golden);
    if (!tokenizer) return;
    snprintf(golden, sizeof golden, "feature/encoder/%s", tokenizer);
    link_golden(dir, "tokenizer.json", golden);
}

static int make_models(void **state)
{
    (void)state;
    make_model(bert, sizeof bert, "bert", "bert", "bert.tokenizer.json");
    make_model(t5, sizeof t5, "t5", "t5", "t5.tokenizer.json");
    return 0;
}

static rp_features_options golden_options(void)
{
    static char collection[512], queries[512], run[512], output[512];
    rp_features_options o;
    rp_features_options_init(&o);
    snprintf(collection, sizeof collection, "%s", rp_test_golden("feature/encoder/corpus.jsonl"));
    snprintf(queries, sizeof queries, "%s", rp_test_golden("feature/encoder/queries.tsv"));
    snprintf(run, sizeof run, "%s", rp_test_golden("feature/encoder/run.trec"));
    snprintf(output, sizeof output, "%s", rp_test_path("features.tsv"));
    o.in.collection = collection;
    o.in.queries = queries;
    o.in.run = run;
    o.output = output;
    o.bert = bert;
    o.t5 = t5;
    memset(&told, 0, sizeof told);
    return o;
}

static void similarities_equal_those_of_transformers(void **state)
{
    (void)state;
    rp_features_options o = golden_options();
    rp_table *want, *got;
    rp_error err;
    o.select = ENCODED;
    got = rp_table_of(&o, &host);
    assert_ok(rp_table_read(&want, rp_test_golden("feature/encoder/similarities.tsv"), &err), &err);
    assert_int_equal(rp_table_columns(got), 4 + 4);
    assert_int_equal(rp_table_rows(got), rp_table_rows(want));
    for (size_t c = 2; c < rp_table_columns(want); c++) {
        double *a = rp_column_of(got, rp_table_name(want, c));
        double *b = rp_column_of(want, rp_table_name(want, c));
        assert_string_equal(rp_table_name(got, c + 2), rp_table_name(want, c));
        assert_close(a, b, rp_table_rows(want), 1e-5, 1e-5);
        free(a);
        free(b);
    }
    rp_table_free(want);
    rp_table_free(got);
}

static void columns_stand_at_the_end_of_their_family(void **state)
{
    (void)state;
    rp_features_options o = golden_options();
    o.select = "*";
    rp_table *table = rp_table_of(&o, &host);
    size_t paper = rp_table_find(table, "paper.kl"), sim = rp_table_find(table, "sim.js");
    assert_string_equal(rp_table_name(table, paper + 1), "paper.euclidean_bert");
    assert_string_equal(rp_table_name(table, paper + 2), "paper.manhattan_bert");
    assert_string_equal(rp_table_name(table, sim + 1), "sim.bert_cosine");
    assert_string_equal(rp_table_name(table, sim + 2), "sim.t5_cosine");
    assert_int_equal(rp_table_columns(table), 4 + 19 + 22 + 7);
    rp_table_free(table);
}

static void a_glob_leaves_out_what_has_no_encoder(void **state)
{
    (void)state;
    rp_features_options o = golden_options();
    o.bert = o.t5 = NULL;
    rp_table *table = rp_table_of(&o, &host);
    assert_int_equal(rp_table_columns(table), 4 + 19 + 5);
    assert_null(rp_table_comment(table, "bert"));
    rp_table_free(table);
    o.t5 = t5;
    table = rp_table_of(&o, &host);
    assert_int_equal(rp_table_columns(table), 4 + 19 + 6);
    assert_string_equal(rp_table_name(table, 4 + 19 + 5), "sim.t5_cosine");
    rp_table_free(table);
}

static void a_feature_asked_for_without_its_encoder_is_an_error(void **state)
{
    (void)state;
    rp_features_options o = golden_options();
    rp_error err;
    o.bert = NULL;
    o.select = "mslr.*,sim.bert_cosine";
    assert_fails(rp_features(&o, NULL, &err), &err, RP_EARG,
                 "no encoder for 'sim.bert_cosine': give a model directory as 'bert'");
    o.select = "mslr.*,paper.*_bert"; /* a glob of nothing else */
    assert_fails(rp_features(&o, NULL, &err), &err, RP_EARG,
                 "no encoder for 'paper.euclidean_bert': give a model directory as 'bert'");
    const char *const derive[] = {"x = mslr.bm25 * sim.t5_cosine"};
    o.select = "mslr.*";
    o.derive = derive;
    o.nderive = 1;
    o.t5 = NULL;
    assert_fails(rp_features(&o, NULL, &err), &err, RP_EARG,
                 "no encoder for 'sim.t5_cosine': give a model directory as 't5'");
}

static void an_expression_may_use_a_similarity_that_is_not_written(void **state)
{
    (void)state;
    rp_features_options o = golden_options();
    const char *const derive[] = {"distance = 1 - sim.t5_cosine"};
    o.select = "sim.bert_cosine";
    o.derive = derive;
    o.nderive = 1;
    rp_table *table = rp_table_of(&o, &host), *want;
    rp_error err;
    assert_int_equal(rp_table_columns(table), 4 + 2);
    assert_ok(rp_table_read(&want, rp_test_golden("feature/encoder/similarities.tsv"), &err), &err);
    double *a = rp_column_of(table, "distance"), *b = rp_column_of(want, "sim.t5_cosine");
    for (size_t r = 0; r < rp_table_rows(want); r++) b[r] = 1 - b[r];
    assert_close(a, b, rp_table_rows(want), 1e-5, 1e-5);
    free(a);
    free(b);
    rp_table_free(want);
    rp_table_free(table);
}

static void embeddings_alone_need_no_statistics(void **state)
{
    (void)state;
    rp_features_options o = golden_options();
    o.select = "sim.bert_cosine";
    o.in.collection = o.in.queries = NULL;
    o.in.run = rp_test_write_text("run.top1000", "q1\td1\triver bank\tthe river\n");
    rp_table *table = rp_table_of(&o, &host);
    assert_int_equal(rp_table_rows(table), 1);
    rp_table_free(table);
}

static void the_table_says_which_encoders_made_it(void **state)
{
    (void)state;
    rp_features_options o = golden_options();
    char want[1200];
    rp_encoder *encoder;
    rp_error err;
    const rp_model_source source = {.path = bert};
    rp_table *table = rp_table_of(&o, &host);
    assert_ok(rp_encoder_open(&encoder, &source, &err), &err);
    snprintf(want, sizeof want, "%s bert:%016llx tokenizer:%016llx mean of all tokens, 64 at most",
             bert, (unsigned long long)rp_encoder_about(encoder)->fingerprint,
             (unsigned long long)rp_encoder_tokenizer_checksum(encoder));
    assert_string_equal(rp_table_comment(table, "bert"), want);
    assert_non_null(strstr(rp_table_comment(table, "t5"), "mean of all tokens, 512 at most"));
    assert_int_equal(rp_encoder_tokens(encoder), 64);
    rp_encoder_free(encoder);
    rp_table_free(table);
}

static void numbers_depend_neither_on_threads_nor_on_memory(void **state)
{
    (void)state;
    rp_features_options o = golden_options();
    char *first = NULL;
    const struct {
        int threads;
        size_t memory;
    } ways[] = {{1, (size_t)1 << 30}, {3, (size_t)1 << 30}, {2, 1}};
    for (size_t i = 0; i < 3; i++) {
        size_t n;
        rp_error err;
        o.threads = ways[i].threads;
        o.memory = ways[i].memory;
        assert_ok(rp_features(&o, NULL, &err), &err);
        char *text = rp_test_read(o.output, &n);
        if (first) assert_string_equal(text, first);
        if (first) free(text);
        if (!first) first = text;
    }
    free(first);
}

static void every_text_is_embedded_once_and_told(void **state)
{
    (void)state;
    rp_features_options o = golden_options();
    o.t5 = NULL;
    rp_table_free(rp_table_of(&o, &host));
    assert_int_equal(told.total, 4 + 14); /* 41 pairs of 4 queries and 14 documents */
    assert_int_equal(told.most, told.total);
    assert_false(told.backwards);
}

static void the_host_can_stop_the_encoder(void **state)
{
    (void)state;
    rp_features_options o = golden_options();
    rp_error err;
    told.cancel = true;
    assert_fails(rp_features(&o, &host, &err), &err, RP_ECANCEL, "interrupted");
}

static void an_encoder_that_no_column_needs_is_told_and_not_opened(void **state)
{
    (void)state;
    rp_features_options o = golden_options();
    o.select = "mslr.*";
    o.bert = NULL;
    o.t5 = "/nowhere";
    rp_table_free(rp_table_of(&o, &host));
    assert_string_equal(told.warning, "no column needs the encoder '/nowhere'");
}

static void an_encoder_may_be_named(void **state)
{
    (void)state;
    rp_features_options o = golden_options();
    o.bert = "org/bert";
    o.t5 = "org/t5";
    o.models = rp_test_tmpdir();
    o.select = ENCODED;
    rp_table *table = rp_table_of(&o, &host);
    assert_int_equal(strncmp(rp_table_comment(table, "bert"), bert, strlen(bert)), 0);
    assert_int_equal(strncmp(rp_table_comment(table, "t5"), t5, strlen(t5)), 0);
    rp_table_free(table);
}

static void an_encoder_that_cannot_be_used_is_named(void **state)
{
    (void)state;
    rp_features_options o = golden_options();
    rp_error err;
    char dir[512];
    make_model(dir, sizeof dir, "bare", "bert", NULL);
    o.bert = dir;
    assert_int_equal(rp_features(&o, NULL, &err), RP_EIO);
    assert_non_null(strstr(err.text, "tokenizer.json"));
    /* "ban" is a piece whose id the model does not have */
    size_t n;
    char *json = rp_test_read(rp_test_golden("feature/encoder/bert.tokenizer.json"), &n);
    char *id = strstr(json, "\"river\": 4");
    assert_non_null(id);
    id[9] = '9';
    char *longer = malloc(n + 2);
    assert_non_null(longer);
    size_t at = (size_t)(id - json) + 10;
    memcpy(longer, json, at);
    longer[at] = '9';
    memcpy(longer + at + 1, json + at, n - at + 1);
    rp_test_write_text("bare/tokenizer.json", longer);
    free(longer);
    free(json);
    char want[700];
    snprintf(want, sizeof want, "query 'q1': token 99 is outside of the vocabulary of 40 of '%s'",
             dir);
    assert_fails(rp_features(&o, NULL, &err), &err, RP_EFORMAT, want);
}

static void a_text_without_tokens_is_similar_to_nothing(void **state)
{
    (void)state;
    rp_features_options o = golden_options();
    char dir[512];
    size_t n;
    make_model(dir, sizeof dir, "plain", "bert", NULL);
    char *json = rp_test_read(rp_test_golden("feature/encoder/bert.tokenizer.json"), &n);
    char *post = strstr(json, "\"post_processor\"");
    assert_non_null(post);
    memcpy(post, "\"none_processor\"", 16);
    rp_test_write_text("plain/tokenizer.json", json);
    free(json);
    o.bert = dir;
    o.select = "sim.bert_cosine";
    rp_table *table = rp_table_of(&o, &host);
    double *value = rp_column_of(table, "sim.bert_cosine");
    for (size_t r = 0; r < rp_table_rows(table); r++) {
        bool empty = !strcmp(rp_table_cell(table, r, 1), "d-empty");
        assert_int_equal(value[r] == 0, empty);
    }
    free(value);
    rp_table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(similarities_equal_those_of_transformers),
        cmocka_unit_test(columns_stand_at_the_end_of_their_family),
        cmocka_unit_test(a_glob_leaves_out_what_has_no_encoder),
        cmocka_unit_test(a_feature_asked_for_without_its_encoder_is_an_error),
        cmocka_unit_test(an_expression_may_use_a_similarity_that_is_not_written),
        cmocka_unit_test(embeddings_alone_need_no_statistics),
        cmocka_unit_test(the_table_says_which_encoders_made_it),
        cmocka_unit_test(numbers_depend_neither_on_threads_nor_on_memory),
        cmocka_unit_test(every_text_is_embedded_once_and_told),
        cmocka_unit_test(the_host_can_stop_the_encoder),
        cmocka_unit_test(an_encoder_that_no_column_needs_is_told_and_not_opened),
        cmocka_unit_test(an_encoder_may_be_named),
        cmocka_unit_test(an_encoder_that_cannot_be_used_is_named),
        cmocka_unit_test(a_text_without_tokens_is_similar_to_nothing),
    };
    return cmocka_run_group_tests(tests, make_models, NULL);
}
