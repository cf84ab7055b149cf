/* tokenizer.json and its neighbours: special tokens by role, and the message each bad file gives.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/support.h"
#include "tokenizer/tokenizer.h"

#define VOCAB "\"vocab\":{\"a\":0,\"b\":1,\"ab\":2,\"<s>\":3,\"</s>\":4}"
#define MODEL "\"model\":{\"type\":\"BPE\"," VOCAB ",\"merges\":[\"a b\"]}"
#define SPECIAL(id, text) "{\"id\":" #id ",\"content\":\"" text "\",\"special\":true}"

static rp_tokenizer *open_text(const char *json)
{
    rp_tokenizer *tok;
    rp_error err;
    assert_ok(rp_tokenizer_open(&tok, rp_test_write_text("tokenizer.json", json), &err), &err);
    return tok;
}

static void forget(const char *name)
{
    remove(rp_test_path(name));
}

static void pieces_and_ids_are_found_both_ways(void **state)
{
    (void)state;
    rp_tokenizer *tok =
        open_text("{\"added_tokens\":[" SPECIAL(3, "<s>") "," SPECIAL(77, "<x>") "]," MODEL "}");
    assert_int_equal(rp_tokenizer_size(tok), 6);
    assert_string_equal(rp_tokenizer_piece(tok, 2), "ab");
    assert_string_equal(rp_tokenizer_piece(tok, 5),
                        "<x>"); /* the next free id, as the crate does */
    assert_null(rp_tokenizer_piece(tok, 6));
    assert_null(rp_tokenizer_piece(tok, -1));
    assert_int_equal(rp_tokenizer_find(tok, "ab"), 2);
    assert_int_equal(rp_tokenizer_find(tok, "<x>"), 5);
    assert_int_equal(rp_tokenizer_find(tok, "nothing"), -1);
    rp_tokenizer_free(tok);
    rp_tokenizer_free(NULL);
}

static void roles_come_from_the_config_beside_the_file(void **state)
{
    (void)state;
    rp_test_write_text(
        "tokenizer_config.json",
        "{\"bos_token\":{\"content\":\"<s>\",\"lstrip\":false},\"eos_token\":\"</s>\","
        "\"unk_token\":null,\"model_max_length\":1000000000000000019884624838656}");
    rp_test_write_text("special_tokens_map.json", "{\"eos_token\":\"a\",\"sep_token\":\"ab\"}");
    rp_tokenizer *tok = open_text("{" MODEL "}");
    forget("tokenizer_config.json");
    forget("special_tokens_map.json");
    assert_int_equal(rp_tokenizer_special(tok, "bos"), 3);
    assert_int_equal(rp_tokenizer_special(tok, "eos"), 4);
    assert_int_equal(rp_tokenizer_special(tok, "sep"), 2);
    assert_int_equal(rp_tokenizer_special(tok, "unk"), -1);
    assert_int_equal(rp_tokenizer_special(tok, "role"), -1);
    rp_tokenizer_free(tok);
}

static void roles_are_guessed_without_a_config(void **state)
{
    (void)state;
    rp_tokenizer *tok = open_text("{\"added_tokens\":[" SPECIAL(
        4, "</s>") "],\"post_processor\":{\"type\":"
                   "\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"B\",\"type_id\":"
                   "0}},"
                   "{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}],\"pair\":[],\"special_tokens\":{"
                   "\"B\":"
                   "{\"id\":\"B\",\"ids\":[1],\"tokens\":[\"b\"]}}}," MODEL "}");
    assert_int_equal(rp_tokenizer_special(tok, "bos"), 1);  /* the template's first */
    assert_int_equal(rp_tokenizer_special(tok, "eos"), 4);  /* the usual name, an added token */
    assert_int_equal(rp_tokenizer_special(tok, "pad"), -1); /* nothing is made up */
    rp_tokenizer_free(tok);
}

/* Qwen's bos_token is null and its eos_token the usual bos of others. */
static void a_role_that_the_config_says_is_empty_is_not_guessed(void **state)
{
    (void)state;
    rp_test_write_text("tokenizer_config.json",
                       "{\"bos_token\":null,\"eos_token\":\"<|endoftext|>\"}");
    rp_tokenizer *tok = open_text(
        "{\"added_tokens\":[" SPECIAL(5, "<|endoftext|>") "," SPECIAL(6, "<pad>") "]," MODEL "}");
    forget("tokenizer_config.json");
    assert_int_equal(rp_tokenizer_special(tok, "bos"), -1);
    assert_int_equal(rp_tokenizer_special(tok, "eos"), 5);
    assert_int_equal(rp_tokenizer_special(tok, "pad"), 6);
    rp_tokenizer_free(tok);
}

static void a_directory_stands_for_its_tokenizer_json(void **state)
{
    (void)state;
    rp_tokenizer *tok = open_text("{" MODEL "}");
    rp_tokenizer_free(tok);
    rp_error err;
    assert_ok(rp_tokenizer_open(&tok, rp_test_tmpdir(), &err), &err);
    rp_tokenizer_free(tok);
}

static void catastrophic_patterns_are_an_error_not_a_hang(void **state)
{
    (void)state;
    rp_tokenizer *tok =
        open_text("{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(a|aa)+!\"},"
                  "\"behavior\":\"Isolated\",\"invert\":false}," MODEL "}");
    char text[201], want[512];
    memset(text, 'a', 200);
    memcpy(text + 180, "b!", 2);
    rp_ids ids = {0};
    rp_error err;
    snprintf(want, sizeof want,
             "'%s': the pattern '(a|aa)+!' gave up on a text: match limit exceeded",
             rp_test_path("tokenizer.json"));
    assert_fails(rp_tokenizer_encode(tok, &ids, text, 200, &err), &err, RP_ECOMPUTE, want);
    rp_ids_release(&ids);
    rp_tokenizer_free(tok);
}

static void an_unk_token_outside_the_vocabulary_is_an_error_when_it_is_needed(void **state)
{
    (void)state;
    rp_tokenizer *tok =
        open_text("{\"model\":{\"type\":\"BPE\",\"unk_token\":\"<no>\"," VOCAB ",\"merges\":[]}}");
    rp_ids ids = {0};
    rp_error err;
    assert_ok(rp_tokenizer_encode(tok, &ids, "ab", 2, &err), &err);
    assert_int_equal(ids.n, 2);
    assert_fails(rp_tokenizer_encode(tok, &ids, "x", 1, &err), &err, RP_EFORMAT,
                 "the tokenizer's unk_token '<no>' is not in its vocabulary");
    rp_ids_release(&ids);
    rp_tokenizer_free(tok);
}

static void merges_outside_the_scan_and_inside_give_the_same(void **state)
{
    (void)state;
    /* 40 symbols are scanned, 400 go through the heap: "ab" repeated merges alike */
    rp_tokenizer *tok = open_text("{" MODEL "}");
    for (size_t n = 1; n <= 200; n += 19) {
        char text[402];
        rp_ids ids = {0};
        rp_error err;
        for (size_t i = 0; i < n; i++) memcpy(text + 2 * i, "ab", 2);
        text[2 * n] = 'a';
        assert_ok(rp_tokenizer_encode(tok, &ids, text, 2 * n + 1, &err), &err);
        assert_int_equal(ids.n, n + 1);
        for (size_t i = 0; i < n; i++) assert_int_equal(ids.id[i], 2);
        assert_int_equal(ids.id[n], 0);
        rp_ids_release(&ids);
    }
    rp_tokenizer_free(tok);
}

/* ---- bad files ---- */

static const struct {
    const char *json, *text; /* the message behind "'path'" */
} bad[] = {
    {"", " line 1: '[' or '{' expected near end of file"},
    {"[]", " is not a JSON object"},
    {"{}", ": there is no 'model'"},
    {"{\"model\":{\"type\":\"WordLevel\"}}",
     ": tokenizer model 'WordLevel' is not supported, only BPE, WordPiece and Unigram are"},
    {"{\"model\":{\"type\":7}}",
     ": tokenizer model '' is not supported, only BPE, WordPiece and Unigram are"},
    {"{\"model\":{\"type\":\"Unigram\"}}", ": the model has no list 'vocab'"},
    {"{\"model\":{\"type\":\"Unigram\",\"vocab\":[]}}", ": the vocabulary is empty"},
    {"{\"model\":{\"vocab\":[[\"a\",0],[\"b\"]]}}", ": entry 2 of 'vocab' is not [piece, score]"},
    {"{\"model\":{\"vocab\":[[\"a\",\"0\"]]}}", ": entry 1 of 'vocab' is not [piece, score]"},
    {"{\"model\":{\"vocab\":[[\"a\",0]],\"unk_id\":1}}",
     ": unk_id 1 is outside the vocabulary of 1 pieces"},
    {"{\"model\":{\"vocab\":[[\"a\",0]],\"unk_id\":-1}}", ": 'unk_id' is not in 0 ... 16777215"},
    {"{\"model\":{\"vocab\":[[\"a\",1e999]]}}", " line 1: real number overflow"},
    {"{\"model\":{\"type\":\"WordPiece\"}}", ": the model has no object 'vocab'"},
    {"{\"model\":{\"type\":\"WordPiece\"," VOCAB ",\"max_input_chars_per_word\":-1}}",
     ": 'max_input_chars_per_word' is not a number of characters"},
    {"{\"model\":{\"type\":\"WordPiece\"," VOCAB ",\"unk_token\":1}}",
     ": 'unk_token' is not a string"},
    {"{\"model\":{\"type\":\"BPE\"}}", ": the model has no object 'vocab'"},
    {"{\"model\":{\"vocab\":{\"a\":0}}}", ": the model has no list 'merges'"},
    {"{\"model\":{\"vocab\":{\"a\":0},\"merges\":[],\"dropout\":0.1}}",
     ": BPE dropout is not supported"},
    {"{\"model\":{\"vocab\":{\"a\":-1},\"merges\":[]}}",
     ": the id of 'a' is not in 0 ... 16777215"},
    {"{\"model\":{\"vocab\":{\"a\":16777216},\"merges\":[]}}",
     ": the id of 'a' is not in 0 ... 16777215"},
    {"{\"model\":{\"vocab\":{\"a\":1.5},\"merges\":[]}}",
     ": the id of 'a' is not in 0 ... 16777215"},
    {"{\"model\":{\"vocab\":{\"a\":99999999999999999999},\"merges\":[]}}",
     " line 1: too big integer"},
    {"{\"model\":{\"vocab\":{\"a\":0,\"b\":0},\"merges\":[]}}",
     ": id 0 of 'b' is another piece's, too"},
    {"{\"model\":{\"vocab\":{\"a\":0,\"a\":1},\"merges\":[]}}", " line 1: duplicate object key"},
    {"{\"model\":{" VOCAB ",\"merges\":[\"a c\"]}}", ": merge 1: 'c' is not in the vocabulary"},
    {"{\"model\":{" VOCAB ",\"merges\":[\"a b\",\"b a\"]}}",
     ": merge 2: 'ba' is not in the vocabulary"},
    {"{\"model\":{" VOCAB ",\"merges\":[\"ab\"]}}", ": merge 1 is not a pair of pieces: 'ab'"},
    {"{\"model\":{" VOCAB ",\"merges\":[\"a b c\"]}}",
     ": merge 1 is not a pair of pieces: 'a b c'"},
    {"{\"model\":{" VOCAB ",\"merges\":[[\"a\"]]}}", ": merge 1 is not a pair of pieces: ''"},
    {"{\"model\":{" VOCAB ",\"merges\":[7]}}", ": merge 1 is not a pair of pieces: ''"},
    {"{\"model\":{" VOCAB ",\"merges\":[\"a b\"],\"continuing_subword_prefix\":\"###\"}}",
     ": merge 1: 'b' is shorter than the prefix '###'"},
    {"{\"model\":{" VOCAB ",\"merges\":[],\"byte_fallback\":1}}",
     ": 'byte_fallback' is not true or false"},
    {"{\"model\":{" VOCAB ",\"merges\":[],\"unk_token\":0}}", ": 'unk_token' is not a string"},
    {"{\"normalizer\":{\"type\":\"Magic\"}," MODEL "}", ": normalizer 'Magic' is not supported"},
    {"{\"normalizer\":{\"type\":\"Precompiled\"}," MODEL "}",
     ": 'precompiled_charsmap' is not base64"},
    {"{\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AA=A\"}," MODEL "}",
     ": 'precompiled_charsmap' is not base64"},
    {"{\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"\"}," MODEL "}",
     ": the precompiled_charsmap of 0 bytes has no whole trie"},
    {"{\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"/////wAA\"}," MODEL "}",
     ": the precompiled_charsmap of 6 bytes has no whole trie"},
    {"{\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"BAAAAAAAAAD/\"}," MODEL
     "}",
     ": the text of the precompiled_charsmap is not UTF-8"},
    {"{\"normalizer\":{\"type\":\"BertNormalizer\",\"lowercase\":1}," MODEL "}",
     ": 'lowercase' is not true or false"},
    {"{\"normalizer\":{}," MODEL "}", ": a normalizer without 'type'"},
    {"{\"normalizer\":{\"type\":\"Prepend\"}," MODEL "}",
     ": the normalizer has no string 'prepend'"},
    {"{\"normalizer\":{\"type\":\"Sequence\"}," MODEL "}",
     ": the normalizer has no list 'normalizers'"},
    {"{\"normalizer\":{\"type\":\"Replace\",\"content\":\"\"}," MODEL "}",
     ": 'Replace' has no pattern {\"String\": ...} or {\"Regex\": ...}"},
    {"{\"normalizer\":{\"type\":\"Replace\",\"content\":\"\",\"pattern\":{\"Regex\":\"(a\"}}," MODEL
     "}",
     ": bad pattern '(a': missing closing parenthesis"},
    {"{\"normalizer\":{\"type\":\"Replace\",\"content\":\"\",\"pattern\":{\"Regex\":\"[a&&b]\"}}"
     "," MODEL "}",
     ": && is not supported in the pattern '[a&&b]'"},
    {"{\"normalizer\":{\"type\":\"Replace\",\"content\":\"\",\"pattern\":{\"Regex\":\"(*UTF)a\"}}"
     "," MODEL "}",
     ": (* is not supported in the pattern '(*UTF)a'"},
    {"{\"normalizer\":{\"type\":\"Replace\",\"content\":\"\",\"pattern\":{\"Regex\":\"a\\\\Kb\"}}"
     "," MODEL "}",
     ": \\K is not supported in the pattern 'a\\Kb'"},
    {"{\"normalizer\":{\"type\":\"Replace\",\"content\":\"\",\"pattern\":{\"Regex\":\"[[:punct:]]"
     "\"}}"
     "," MODEL "}",
     ": a POSIX bracket is not supported in the pattern '[[:punct:]]'"},
    {"{\"pre_tokenizer\":{\"type\":\"UnicodeScripts\"}," MODEL "}",
     ": pre-tokenizer 'UnicodeScripts' is not supported"},
    {"{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"String\":\"a\"},\"behavior\":\"Cut\"}"
     "," MODEL "}",
     ": behavior 'Cut' is not known"},
    {"{\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"__\"}," MODEL "}",
     ": 'replacement' is not one character"},
    {"{\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"_\",\"prepend_scheme\":"
     "\"maybe\"}," MODEL "}",
     ": prepend_scheme 'maybe' is not known"},
    {"{\"pre_tokenizer\":{\"type\":\"Sequence\"}," MODEL "}",
     ": the pre-tokenizer has no list 'pretokenizers'"},
    {"{\"added_tokens\":{}," MODEL "}", ": 'added_tokens' is not a list"},
    {"{\"added_tokens\":[{\"id\":0}]," MODEL "}", ": added token 1 has no 'content'"},
    {"{\"post_processor\":{\"type\":\"Magic\"}," MODEL "}",
     ": post-processor 'Magic' is not supported"},
    {"{\"post_processor\":{\"type\":\"BertProcessing\"}," MODEL "}",
     ": the post-processor has an id that is not in 0 ... 16777215"},
    {"{\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":"
     "\"X\","
     "\"type_id\":0}}],\"pair\":[],\"special_tokens\":{}}," MODEL "}",
     ": the post-processor has no ids for its token 'X'"},
    {"{\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"Sequence\":{\"id\":\"B\","
     "\"type_id\":0}}],\"pair\":[],\"special_tokens\":{}}," MODEL "}",
     ": the post-processor has no sequence 'B' here"},
    {"{\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[7],\"pair\":[]}," MODEL "}",
     ": item 1 of the post-processor's template is wrong"},
};

static void bad_files_say_what_is_wrong(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char want[600];
        rp_tokenizer *tok;
        rp_error err;
        const char *path = rp_test_write_text("bad.json", bad[i].json);
        rp_status status = rp_tokenizer_open(&tok, path, &err);
        snprintf(want, sizeof want, "'%s'%s", path, bad[i].text);
        if (!status) fail_msg("accepted: %s", bad[i].json);
        /* jansson says where: what it says first is enough */
        if (strncmp(err.text, want, strlen(want)))
            fail_msg("%s\n  says    %s\n  not     %s", bad[i].json, err.text, want);
        if (status != RP_EFORMAT) fail_msg("%s: status %d", bad[i].json, status);
        assert_null(tok);
    }
}

static void files_that_are_not_there_are_named(void **state)
{
    (void)state;
    rp_tokenizer *tok;
    rp_error err;
    assert_fails(rp_tokenizer_open(&tok, "/nowhere/tokenizer.json", &err), &err, RP_EIO,
                 "'/nowhere/tokenizer.json': no such file or directory");
}

static void nesting_without_end_is_refused(void **state)
{
    (void)state;
    char json[8192] = "{\"normalizer\":";
    for (int i = 0; i < 40; i++) strcat(json, "{\"type\":\"Sequence\",\"normalizers\":[");
    strcat(json, "{\"type\":\"NFC\"}");
    for (int i = 0; i < 40; i++) strcat(json, "]}");
    strcat(json, "," MODEL "}");
    rp_tokenizer *tok;
    rp_error err;
    char want[600];
    const char *path = rp_test_write_text("deep.json", json);
    snprintf(want, sizeof want, "'%s': normalizers are nested too deep", path);
    assert_fails(rp_tokenizer_open(&tok, path, &err), &err, RP_EFORMAT, want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_and_ids_are_found_both_ways),
        cmocka_unit_test(roles_come_from_the_config_beside_the_file),
        cmocka_unit_test(roles_are_guessed_without_a_config),
        cmocka_unit_test(a_role_that_the_config_says_is_empty_is_not_guessed),
        cmocka_unit_test(a_directory_stands_for_its_tokenizer_json),
        cmocka_unit_test(catastrophic_patterns_are_an_error_not_a_hang),
        cmocka_unit_test(an_unk_token_outside_the_vocabulary_is_an_error_when_it_is_needed),
        cmocka_unit_test(merges_outside_the_scan_and_inside_give_the_same),
        cmocka_unit_test(bad_files_say_what_is_wrong),
        cmocka_unit_test(files_that_are_not_there_are_named),
        cmocka_unit_test(nesting_without_end_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
