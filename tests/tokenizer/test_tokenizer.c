/*
 * Tokenizers from tokenizer.json against Hugging Face's: tools/fixtures/tokenizer.py says what the
 * golden files hold.
 */
#include "tokenizer/golden.h"

/* ---- the cases ---- */

static rp_tokenizer *open_case(const json_t *c)
{
    char base[64], *file;
    const char *key;
    json_t *value;
    snprintf(base, sizeof base, "%s.json", json_string_value(json_object_get(c, "base")));
    json_t *json = golden(base), *model = json_object_get(json, "model");
    json_object_foreach(json_object_get(c, "set"), key, value)
    {
        if (!strncmp(key, "-model.vocab", 12))
            for (size_t i = 0; i < json_array_size(value); i++)
                json_object_del(json_object_get(model, "vocab"),
                                json_string_value(json_array_get(value, i)));
        else if (!strncmp(key, "model.", 6))
            json_object_set(model, key + 6, value);
        else
            json_object_set(json, key, value);
    }
    file = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    rp_tokenizer *tok;
    rp_error err;
    assert_ok(rp_tokenizer_open(&tok, rp_test_write_text("case.json", file), &err), &err);
    free(file);
    return tok;
}

static void check_case(const json_t *file, const json_t *c)
{
    const char *name = json_string_value(json_object_get(c, "name"));
    const json_t *texts = json_object_get(c, "texts"), *ids = json_object_get(c, "ids");
    const json_t *some = json_object_get(file, "some");
    if (json_is_string(texts)) texts = json_object_get(file, json_string_value(texts));
    size_t skip = json_is_true(json_object_get(c, "with_some")) ? json_array_size(some) : 0;
    rp_tokenizer *tok = open_case(c);
    assert_int_equal(json_array_size(ids), skip + json_array_size(texts));
    for (size_t i = 0; i < json_array_size(ids); i++)
        check_text(tok, i < skip ? json_array_get(some, i) : json_array_get(texts, i - skip),
                   json_array_get(ids, i), name);
    const json_t *assemble = json_object_get(c, "assemble");
    for (size_t i = 0; i < json_array_size(assemble); i++)
        check_assembly(tok, json_array_get(assemble, i), name);
    rp_tokenizer_free(tok);
}

/* All cases of the file whose name begins with `prefix`. */
static void check_cases(const char *name_of_file, const char *prefix)
{
    json_t *file = golden(name_of_file);
    const json_t *cases = json_object_get(file, "cases");
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *c = json_array_get(cases, i);
        const char *name = json_string_value(json_object_get(c, "name"));
        if (strncmp(name, prefix, strlen(prefix))) continue;
        check_case(file, c);
        n++;
    }
    assert_true(n > 0);
    json_decref(file);
}

static void sentencepiece_style_gives_the_ids_of_hugging_face(void **state)
{
    (void)state;
    check_cases("cases.json", "sp");
}

static void byte_level_gives_the_ids_of_hugging_face(void **state)
{
    (void)state;
    check_cases("cases.json", "bytes");
}

static void patterns_mean_what_they_mean_in_oniguruma(void **state)
{
    (void)state;
    check_cases("cases.json", "regex");
}

static void post_processors_place_sequences_and_special_tokens(void **state)
{
    (void)state;
    check_cases("cases.json", "post");
}

static void prefixes_and_suffixes_of_subwords_are_followed(void **state)
{
    (void)state;
    check_cases("cases.json", "affix");
    check_cases("cases.json", "suffix");
}

static void wordpiece_gives_the_ids_of_hugging_face(void **state)
{
    (void)state;
    check_cases("lexicons.json", "wordpiece");
}

static void unigram_gives_the_ids_of_hugging_face(void **state)
{
    (void)state;
    check_cases("lexicons.json", "unigram");
}

static void many_threads_share_one_tokenizer(void **state)
{
    (void)state;
    rp_tokenizer *tok;
    rp_error err;
    assert_ok(rp_tokenizer_open(&tok, rp_test_golden("tokenizer/bytes.json"), &err), &err);
    static const char text[] = "Many threads share one tokenizer, 1234 times over: \xc3\xa9!";
    rp_ids want = {0};
    int bad = 0;
    assert_ok(rp_tokenizer_encode(tok, &want, text, sizeof text - 1, &err), &err);
#pragma omp parallel for num_threads(4) reduction(+ : bad)
    for (int i = 0; i < 400; i++) {
        rp_ids ids = {0};
        bad += rp_tokenizer_encode(tok, &ids, text, sizeof text - 1, NULL) || ids.n != want.n ||
               memcmp(ids.id, want.id, want.n * sizeof *ids.id);
        rp_ids_release(&ids);
    }
    assert_int_equal(bad, 0);
    rp_ids_release(&want);
    rp_tokenizer_free(tok);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sentencepiece_style_gives_the_ids_of_hugging_face),
        cmocka_unit_test(byte_level_gives_the_ids_of_hugging_face),
        cmocka_unit_test(patterns_mean_what_they_mean_in_oniguruma),
        cmocka_unit_test(post_processors_place_sequences_and_special_tokens),
        cmocka_unit_test(prefixes_and_suffixes_of_subwords_are_followed),
        cmocka_unit_test(wordpiece_gives_the_ids_of_hugging_face),
        cmocka_unit_test(unigram_gives_the_ids_of_hugging_face),
        cmocka_unit_test(many_threads_share_one_tokenizer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
