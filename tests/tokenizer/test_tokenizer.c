/*
 * Tokenizers against Hugging Face's: tools/fixtures/tokenizer.py says what the golden files hold.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/memory.h"
#include "support/support.h"
#include "tokenizer/tokenizer.h"

static json_t *load(const char *path)
{
    json_error_t why;
    json_t *json = json_load_file(path, JSON_ALLOW_NUL, &why);
    if (!json) fail_msg("%s line %d: %s", path, why.line, why.text);
    return json;
}

static json_t *golden(const char *name)
{
    char rel[256];
    snprintf(rel, sizeof rel, "tokenizer/%s", name);
    return load(rp_test_golden(rel));
}

static uint64_t fnv(const rp_ids *ids)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < ids->n; i++)
        for (int k = 0; k < 32; k += 8)
            h = (h ^ ((uint32_t)ids->id[i] >> k & 255)) * 0x100000001b3u;
    return h;
}

/* ---- texts and ids of the golden files ---- */

static rp_text text_of(const json_t *json)
{
    rp_text text = {0};
    rp_error err;
    const char *hex = json_string_value(json_object_get(json, "hex"));
    assert_ok(rp_text_append(&text, "", 0, &err), &err);
    if (json_is_string(json))
        assert_ok(rp_text_append(&text, json_string_value(json), json_string_length(json), &err),
                  &err);
    for (size_t i = 0; hex && hex[i]; i += 2) {
        unsigned byte = 0;
        assert_int_equal(sscanf(hex + i, "%2x", &byte), 1);
        char c = (char)byte;
        assert_ok(rp_text_append(&text, &c, 1, &err), &err);
    }
    for (size_t i = 0; i < json_array_size(json); i++) {
        const json_t *part = json_array_get(json, i), *s = json_array_get(part, 0);
        for (json_int_t k = json_integer_value(json_array_get(part, 1)); k > 0; k--)
            assert_ok(rp_text_append(&text, json_string_value(s), json_string_length(s), &err),
                      &err);
    }
    return text;
}

static void assert_ids(const rp_ids *got, const json_t *want, const char *name, const char *text)
{
    if (json_is_object(want)) {
        char hash[32];
        snprintf(hash, sizeof hash, "%016" PRIx64, fnv(got));
        if ((json_int_t)got->n != json_integer_value(json_object_get(want, "n")) ||
            strcmp(hash, json_string_value(json_object_get(want, "hash"))))
            fail_msg("%s: other ids (%zu) for '%.100s'", name, got->n, text);
        return;
    }
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(want); i++) {
        const json_t *x = json_array_get(want, i);
        json_int_t times = json_is_array(x) ? json_integer_value(json_array_get(x, 1)) : 1;
        json_int_t id = json_integer_value(json_is_array(x) ? json_array_get(x, 0) : x);
        for (; times > 0; times--, n++)
            if (n >= got->n || got->id[n] != id)
                fail_msg("%s: id %zu of '%.100s' is %d, not %d", name, n, text,
                         n < got->n ? got->id[n] : -1, (int)id);
    }
    if (n != got->n) fail_msg("%s: %zu ids of '%.100s', not %zu", name, got->n, text, n);
}

static void check_text(const rp_tokenizer *tok, const json_t *text, const json_t *want,
                       const char *name)
{
    rp_text t = text_of(text);
    rp_ids ids = {0};
    rp_error err;
    assert_ok(rp_tokenizer_encode(tok, &ids, t.data, t.len, &err), &err);
    assert_ids(&ids, want, name, t.data);
    rp_ids_release(&ids);
    rp_text_release(&t);
}

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

static void check_assembly(const rp_tokenizer *tok, const json_t *want, const char *name)
{
    const char *a = json_string_value(json_object_get(want, "a"));
    const char *b = json_string_value(json_object_get(want, "b"));
    const json_t *spans = json_object_get(want, "spans");
    rp_ids ids[2] = {{0}}, out = {0}, segment = {0};
    rp_span got[2];
    rp_error err;
    assert_ok(rp_tokenizer_encode(tok, &ids[0], a, strlen(a), &err), &err);
    if (b) assert_ok(rp_tokenizer_encode(tok, &ids[1], b, strlen(b), &err), &err);
    assert_ok(rp_ids_push(&out, 77, &err), &err); /* what was there stays */
    assert_ok(rp_tokenizer_assemble(tok, &out, got, &segment, ids[0].id, ids[0].n, ids[1].id,
                                    ids[1].n, &err),
              &err);
    assert_int_equal(out.id[0], 77);
    memmove(out.id, out.id + 1, --out.n * sizeof *out.id);
    assert_ids(&out, json_object_get(want, "ids"), name, "its assembly");
    assert_ids(&segment, json_object_get(want, "segment"), name, "its segments");
    for (size_t k = 0; k < (b ? 2 : 1); k++) {
        assert_int_equal(got[k].first, json_integer_value(json_array_get(spans, 2 * k)));
        assert_int_equal(got[k].end, json_integer_value(json_array_get(spans, 2 * k + 1)));
    }
    for (int k = 0; k < 2; k++) rp_ids_release(&ids[k]);
    rp_ids_release(&out);
    rp_ids_release(&segment);
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

/* All cases whose name begins with `prefix`. */
static void check_cases(const char *prefix)
{
    json_t *file = golden("cases.json");
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
    check_cases("sp");
}

static void byte_level_gives_the_ids_of_hugging_face(void **state)
{
    (void)state;
    check_cases("bytes");
}

static void patterns_mean_what_they_mean_in_oniguruma(void **state)
{
    (void)state;
    check_cases("regex");
}

static void post_processors_place_sequences_and_special_tokens(void **state)
{
    (void)state;
    check_cases("post");
}

static void prefixes_and_suffixes_of_subwords_are_followed(void **state)
{
    (void)state;
    check_cases("affix");
    check_cases("suffix");
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

static void check_real(const char *name, const char *path)
{
    const char *collection = rp_test_shared("data/msmarco-dl/collection.tsv.gz");
    json_t *file = golden("msmarco.json"), *cases = golden("cases.json");
    const json_t *want = NULL, *nasty = json_object_get(cases, "nasty");
    for (size_t i = 0; i < json_array_size(file); i++)
        if (!strcmp(json_string_value(json_object_get(json_array_get(file, i), "name")), name))
            want = json_array_get(file, i);
    assert_non_null(want);
    rp_tokenizer *tok;
    rp_error err;
    assert_ok(rp_tokenizer_open(&tok, path, &err), &err);
    for (size_t i = 0; i < json_array_size(nasty); i++)
        check_text(tok, json_array_get(nasty, i), json_array_get(json_object_get(want, "nasty"), i),
                   name);
    if (collection) check_passages(tok, json_object_get(want, "passages"), collection);
    rp_tokenizer_free(tok);
    json_decref(file);
    json_decref(cases);
}

static void gpt_neox_agrees_on_passages_and_nasty_strings(void **state)
{
    (void)state;
    const char *path = rp_test_shared("tokenizers/gpt-neox-20B_tokenizer.json");
    if (!path) skip();
    check_real("gpt-neox-20B", path);
}

static void stories_agrees_on_passages_and_nasty_strings(void **state)
{
    (void)state;
    const char *path = rp_test_shared("models/stories260k");
    if (!path) skip();
    check_real("stories260k", path);
}

static void converted_llama_tokenizers_agree(void **state)
{
    (void)state;
    static const char *const names[] = {"llama2", "llama2-first", "llama2-legacy", "llama3"};
    const char *dir = getenv("RANKPROBE_TOKENIZERS");
    if (!dir) {
        printf("# RANKPROBE_TOKENIZERS is not set: no converted Llama tokenizers to test\n");
        skip();
    }
    for (size_t i = 0; i < 4; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        check_real(names[i], path);
    }
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
        cmocka_unit_test(gpt_neox_agrees_on_passages_and_nasty_strings),
        cmocka_unit_test(stories_agrees_on_passages_and_nasty_strings),
        cmocka_unit_test(converted_llama_tokenizers_agree),
        cmocka_unit_test(many_threads_share_one_tokenizer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
