/*
 * Files that are not a tokenizer.json, and real tokenizers, against transformers:
 * tools/fixtures/tokenizer_files.py says what the golden files hold.
 */
#include "tokenizer/golden.h"

#include <dirent.h>
#include <unistd.h>

#include "base/io.h"

/* The directory is emptied, so that only what a case writes lies beside its file. */
static void empty_directory(void)
{
    DIR *d = opendir(rp_test_tmpdir());
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));)
        if (e->d_name[0] != '.') remove(rp_test_path(e->d_name));
    closedir(d);
}

/* The case's file under the name it gets, and what is beside it; the directory is opened. */
static rp_tokenizer *open_case(const json_t *c, const char *source)
{
    const char *key, *as = json_string_value(json_object_get(c, "as"));
    json_t *value;
    size_t n;
    char *bytes = rp_test_read(source, &n), want[600];
    rp_tokenizer *tok;
    rp_error err;
    empty_directory();
    rp_test_write(as, bytes, n);
    free(bytes);
    json_object_foreach(json_object_get(c, "beside"), key, value)
    {
        char *text = json_dumps(value, 0);
        rp_test_write_text(key, text);
        free(text);
    }
    assert_ok(rp_tokenizer_open(&tok, rp_test_tmpdir(), &err), &err);
    snprintf(want, sizeof want, "%s/%s", rp_test_tmpdir(), as);
    assert_string_equal(rp_tokenizer_path(tok), want);
    return tok;
}

static void check_answers(const rp_tokenizer *tok, const json_t *c, const json_t *texts)
{
    const char *name = json_string_value(json_object_get(c, "name"));
    const json_t *ids = json_object_get(c, "ids"), *assemble = json_object_get(c, "assemble");
    assert_int_equal(json_array_size(ids), json_array_size(texts));
    for (size_t i = 0; i < json_array_size(ids); i++)
        check_text(tok, json_array_get(texts, i), json_array_get(ids, i), name);
    assert_int_equal(json_array_size(assemble), 2);
    for (size_t i = 0; i < 2; i++) check_assembly(tok, json_array_get(assemble, i), name);
}

/* All cases whose name begins with `prefix`. */
static void check_files(const char *prefix)
{
    json_t *file = golden("files.json");
    const json_t *cases = json_object_get(file, "cases");
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *c = json_array_get(cases, i);
        if (strncmp(json_string_value(json_object_get(c, "name")), prefix, strlen(prefix)))
            continue;
        char source[128];
        snprintf(source, sizeof source, "tokenizer/%s",
                 json_string_value(json_object_get(c, "file")));
        rp_tokenizer *tok = open_case(c, rp_test_golden(source));
        check_answers(tok, c, json_object_get(file, "texts"));
        rp_tokenizer_free(tok);
        n++;
    }
    assert_true(n > 0);
    json_decref(file);
}

static void a_sentencepiece_bpe_model_alone_is_what_its_own_options_say(void **state)
{
    (void)state;
    check_files("plain");
}

static void llama_tokenizer_is_followed_with_its_options_and_added_tokens(void **state)
{
    (void)state;
    check_files("llama");
}

static void t5_and_xlm_roberta_read_unigram_models(void **state)
{
    (void)state;
    check_files("t5");
    check_files("xlm-roberta");
}

static void bert_reads_vocab_txt(void **state)
{
    (void)state;
    check_files("bert");
}

/* ---- real tokenizers ---- */

static void check_passages(const rp_tokenizer *tok, const json_t *hashes, const char *collection)
{
    rp_lines *lines;
    rp_error err;
    rp_ids ids = {0};
    assert_ok(rp_lines_open(&lines, collection, &err), &err);
    for (size_t i = 1; i <= 100 * json_array_size(hashes); i++) {
        char *line, hash[32];
        size_t len;
        assert_ok(rp_lines_next(lines, &line, &len, &err), &err);
        assert_non_null(line);
        const char *text = strchr(line, '\t') + 1;
        assert_ok(rp_tokenizer_encode(tok, &ids, text, len - (size_t)(text - line), &err), &err);
        assert_ok(rp_ids_push(&ids, -1, &err), &err);
        if (i % 100) continue;
        snprintf(hash, sizeof hash, "%016" PRIx64, fnv(&ids));
        if (strcmp(hash, json_string_value(json_array_get(hashes, i / 100 - 1))))
            fail_msg("other ids in the 100 lines before line %zu", i);
        ids.n = 0;
    }
    rp_ids_release(&ids);
    rp_lines_free(lines);
}

/* The case of msmarco.json; skips where the data is absent. */
static void check_real(const char *name)
{
    const char *collection = rp_test_shared("data/msmarco-dl/collection.tsv.gz");
    json_t *file = golden("msmarco.json"), *cases = golden("cases.json");
    const json_t *want = NULL;
    for (size_t i = 0; i < json_array_size(file); i++)
        if (!strcmp(json_string_value(json_object_get(json_array_get(file, i), "name")), name))
            want = json_array_get(file, i);
    assert_non_null(want);
    const char *source = rp_test_shared(json_string_value(json_object_get(want, "file")));
    if (!source || !collection) {
        json_decref(file);
        json_decref(cases);
        skip();
    }
    rp_tokenizer *tok = open_case(want, source);
    check_answers(tok, want, json_object_get(cases, "nasty"));
    check_passages(tok, json_object_get(want, "passages"), collection);
    rp_tokenizer_free(tok);
    json_decref(file);
    json_decref(cases);
}

static void gpt_neox_agrees_on_passages_and_nasty_strings(void **state)
{
    (void)state;
    check_real("gpt-neox-20B");
}

static void stories_agrees_on_passages_and_nasty_strings(void **state)
{
    (void)state;
    check_real("stories260k");
}

static void the_llama_2_model_agrees_read_directly(void **state)
{
    (void)state;
    check_real("llama2");
}

static void the_llama_2_model_agrees_with_its_class(void **state)
{
    (void)state;
    check_real("llama2-class");
}

static void the_llama_3_model_agrees_read_directly(void **state)
{
    (void)state;
    check_real("llama3");
}

static void the_vocabulary_of_bert_agrees_read_directly(void **state)
{
    (void)state;
    check_real("bert-vocab");
}

static void the_wordpiece_json_of_bert_agrees(void **state)
{
    (void)state;
    check_real("bert-json");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sentencepiece_bpe_model_alone_is_what_its_own_options_say),
        cmocka_unit_test(llama_tokenizer_is_followed_with_its_options_and_added_tokens),
        cmocka_unit_test(t5_and_xlm_roberta_read_unigram_models),
        cmocka_unit_test(bert_reads_vocab_txt),
        cmocka_unit_test(gpt_neox_agrees_on_passages_and_nasty_strings),
        cmocka_unit_test(stories_agrees_on_passages_and_nasty_strings),
        cmocka_unit_test(the_llama_2_model_agrees_read_directly),
        cmocka_unit_test(the_llama_2_model_agrees_with_its_class),
        cmocka_unit_test(the_llama_3_model_agrees_read_directly),
        cmocka_unit_test(the_vocabulary_of_bert_agrees_read_directly),
        cmocka_unit_test(the_wordpiece_json_of_bert_agrees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
