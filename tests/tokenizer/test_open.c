/* Which file a path means, and the message of each bad one that is not a tokenizer.json. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support/support.h"
#include "tokenizer/tokenizer.h"

#define BERT "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n##b\n"
#define JSON "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[]}}"
/* pieces of a SentencePiece model: the unknown one, then normal ones of score 0 */
#define UNK "\x0a\x09\x0a\x05<unk>\x18\x02"
#define PIECE(text, size) "\x0a" size "\x0a" text
#define BPE "\x12\x02\x18\x02"

static void expect_path(const char *opened, const char *name)
{
    rp_tokenizer *tok;
    rp_error err;
    assert_ok(rp_tokenizer_open(&tok, opened, &err), &err);
    assert_string_equal(rp_tokenizer_path(tok), rp_test_path(name));
    rp_tokenizer_free(tok);
}

static void the_first_of_the_known_names_in_a_directory_is_read(void **state)
{
    (void)state;
    static const char bpe[] = UNK PIECE("\x01"
                                        "a",
                                        "\x03") BPE;
    char want[600];
    rp_tokenizer *tok;
    rp_error err;
    snprintf(want, sizeof want,
             "'%s' has no tokenizer: neither tokenizer.json, tokenizer.model, spiece.model, "
             "sentencepiece.bpe.model nor vocab.txt is there",
             rp_test_tmpdir());
    assert_fails(rp_tokenizer_open(&tok, rp_test_tmpdir(), &err), &err, RP_EIO, want);
    assert_null(tok);
    rp_test_write_text("vocab.txt", BERT);
    expect_path(rp_test_tmpdir(), "vocab.txt");
    rp_test_write("tokenizer.model", bpe, sizeof bpe - 1);
    expect_path(rp_test_tmpdir(), "tokenizer.model");
    rp_test_write_text("tokenizer.json", JSON);
    expect_path(rp_test_tmpdir(), "tokenizer.json");
    expect_path(rp_test_path("vocab.txt"), "vocab.txt");
    remove(rp_test_path("tokenizer.json"));
    remove(rp_test_path("tokenizer.model"));
}

static void a_directory_is_told_to_have_a_tokenizer_by_its_files(void **state)
{
    (void)state;
    assert_true(rp_tokenizer_is("tests/golden/run/model"));
    assert_false(rp_tokenizer_is("tests/golden/model/plain"));
    assert_false(rp_tokenizer_is("tests/absent"));
}

static void roles_and_segments_of_bert_come_without_a_config(void **state)
{
    (void)state;
    rp_tokenizer *tok;
    rp_ids out = {0}, segment = {0};
    rp_error err;
    const int32_t a[] = {5}, b[] = {6};
    static const int32_t want[] = {2, 5, 3, 6, 3}, segments[] = {0, 0, 0, 1, 1};
    assert_ok(rp_tokenizer_open(&tok, rp_test_write_text("vocab.txt", BERT), &err), &err);
    assert_int_equal(rp_tokenizer_size(tok), 8);
    assert_int_equal(rp_tokenizer_special(tok, "cls"), 2);
    assert_int_equal(rp_tokenizer_special(tok, "sep"), 3);
    assert_int_equal(rp_tokenizer_special(tok, "pad"), 0);
    assert_int_equal(rp_tokenizer_special(tok, "unk"), 1);
    assert_int_equal(rp_tokenizer_special(tok, "mask"), 4);
    assert_ok(rp_tokenizer_assemble(tok, &out, NULL, &segment, a, 1, b, 1, &err), &err);
    assert_int_equal(out.n, 5);
    assert_memory_equal(out.id, want, sizeof want);
    assert_memory_equal(segment.id, segments, sizeof segments);
    rp_ids_release(&out);
    rp_ids_release(&segment);
    rp_tokenizer_free(tok);
}

/* ---- bad files ---- */

typedef struct bad_file {
    const char *name, *bytes;
    size_t n;
    const char *text; /* the message behind "'path'" */
} bad_file;
#define BAD(name, bytes, text)                                                                     \
    {                                                                                              \
        name, bytes, sizeof(bytes) - 1, text                                                       \
    }

static const bad_file bad[] = {
    BAD("a.model", "", " is not a SentencePiece model: it has no pieces"),
    BAD("a.model", "\x0a\xff", " is not a SentencePiece model: the message is cut or malformed"),
    BAD("a.model", "\x0a\xff\xff\xff\xff\x0f",
        " is not a SentencePiece model: the message is cut or malformed"),
    BAD("a.model", "\x0b\x0c", " is not a SentencePiece model: the message is cut or malformed"),
    BAD("a.model", "\x0a\x02\x0a\x07",
        " is not a SentencePiece model: a piece is cut or malformed"),
    BAD("a.model", UNK "\x12\x01\x18",
        " is not a SentencePiece model: trainer_spec is cut or malformed"),
    BAD("a.model", UNK "\x1a\x01\x18",
        " is not a SentencePiece model: normalizer_spec is cut or malformed"),
    BAD("a.model", UNK "\x12\x02\x18\x03",
        ": model_type 3 is not supported, only UNIGRAM (1) and BPE (2) are"),
    BAD("a.model", UNK "\x12\x03\xc0\x01\x01", ": treat_whitespace_as_suffix is not supported"),
    BAD("a.model", UNK PIECE("\x01\xff", "\x03"), ": piece 1 is not UTF-8 text"),
    BAD("a.model", UNK PIECE("\x01\0", "\x03"), ": piece 1 is not UTF-8 text"),
    BAD("a.model",
        UNK "\x0a\x08\x0a\x01"
            "a\x15\0\0\xc0\x7f",
        ": the score of piece 1, 'a', is not finite"),
    BAD("a.model",
        UNK "\x0a\x08\x0a\x01"
            "a\x15\0\0\x80\xff",
        ": the score of piece 1, 'a', is not finite"),
    BAD("a.model", UNK "\x0a\x02\x18\x09", ": the type of piece 1 is not known"),
    BAD("a.model",
        UNK PIECE("\x01"
                  "a",
                  "\x03") PIECE("\x01"
                                "a",
                                "\x03") BPE,
        ": piece 2 is piece 1 once more: 'a'"),
    BAD("a.model",
        UNK UNK UNK "\x1a\x05\x12\x03"
                    "abc",
        ": the precompiled_charsmap of 3 bytes has no whole trie"),
    BAD("b.model", "YQ== 0\nYg== x\n", " line 2 is not a piece and its rank"),
    BAD("b.model", "YQ== 0\nYg==\n", " line 2 is not a piece and its rank"),
    BAD("b.model", "YQ== 0\n\n", " line 2 is not a piece and its rank"),
    BAD("b.model", "YQ== 0\nY=== 1\n", " line 2: 'Y===' is not base64"),
    BAD("b.model", "YQ== 0\n 1\n", " line 2: '' is not base64"),
    BAD("b.model", "YQ== 0\nYg== 2\n", " line 2: rank 2 is not below the number of lines"),
    BAD("b.model", "YQ== 0\nYg== 0\n", " line 2: rank 0 is another piece's, too"),
    BAD("b.model", "YQ== 0\nYQ== 1\n", ": piece 1 is piece 0 once more: 'a'"),
    BAD("b.model", "YQ== 0\nYg== 1\n", ": there is no piece for the byte 0x00"),
    BAD("c.txt", "", " holds no pieces"),
    BAD("c.txt", "[UNK]\na\xff\n", " line 2: the piece is not UTF-8 text"),
    BAD("c.txt", "[UNK]\na\0b\n", " line 2: the piece is not UTF-8 text"),
};

static void bad_files_say_what_is_wrong(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char want[600];
        rp_tokenizer *tok;
        rp_error err;
        const char *path = rp_test_write(bad[i].name, bad[i].bytes, bad[i].n);
        snprintf(want, sizeof want, "'%s'%s", path, bad[i].text);
        assert_fails(rp_tokenizer_open(&tok, path, &err), &err, RP_EFORMAT, want);
        assert_null(tok);
    }
}

/* Words are cut along pieces: a long one would cost its length at every byte of a text. */
static void a_piece_of_more_than_1024_bytes_is_refused(void **state)
{
    static const struct {
        const char *name, *before, *after, *text;
    } files[] = {
        {"vocab.txt", BERT, "\n", ": piece 8 has 1025 bytes, more than 1024"},
        {"tokenizer.json", "{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"\",0],[\"",
         "\",0]]}}", ": piece 1 has 1025 bytes, more than 1024"},
        {"tokenizer.json", "{\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"[UNK]\":0,\"",
         "\":1}}}", ": piece 1 has 1025 bytes, more than 1024"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        for (int len = 1024; len <= 1025; len++) {
            char bytes[1400], want[600];
            rp_tokenizer *tok;
            rp_error err;
            int n =
                snprintf(bytes, sizeof bytes, "%s%0*d%s", files[i].before, len, 0, files[i].after);
            const char *path = rp_test_write(files[i].name, bytes, (size_t)n);
            snprintf(want, sizeof want, "'%s'%s", path, files[i].text);
            if (len == 1024)
                assert_ok(rp_tokenizer_open(&tok, path, &err), &err);
            else
                assert_fails(rp_tokenizer_open(&tok, path, &err), &err, RP_EFORMAT, want);
            rp_tokenizer_free(tok);
        }
    }
}

/* ---- what lies beside a file ---- */

static const struct {
    const char *file, *name, *json, *text; /* the message behind the path of the one or the other */
    bool of_config;
} beside[] = {
    {"vocab.txt", "tokenizer_config.json", "{\"tokenizer_class\":\"MPNetTokenizer\"}",
     ": tokenizer_class 'MPNetTokenizer' with a vocab.txt is not supported without a "
     "tokenizer.json",
     true},
    {"tokenizer.model", "tokenizer_config.json", "{\"tokenizer_class\":\"T5TokenizerFast\"}",
     ": tokenizer_class 'T5Tokenizer' with a BPE model is not supported without a tokenizer.json",
     true},
    {"vocab.txt", "config.json", "{\"model_type\":\"mpnet\"}",
     ": model_type 'mpnet' with a vocab.txt is not supported without a tokenizer.json", true},
    {"tokenizer.model", "config.json", "{\"model_type\":\"gemma\"}",
     ": model_type 'gemma' with a BPE model is not supported without a tokenizer.json", true},
    {"ranks.model", "config.json", "{\"model_type\":\"kimi\"}",
     ": model_type 'kimi' with a tiktoken model is not supported without a tokenizer.json", true},
    {"vocab.txt", "tokenizer_config.json", "{\"tokenizer_class\":1}",
     ": 'tokenizer_class' is not a string", true},
    {"vocab.txt", "tokenizer_config.json", "{\"do_lower_case\":1}",
     ": 'do_lower_case' is not true or false", true},
    {"tokenizer.model", "tokenizer_config.json", "{\"add_bos_token\":\"yes\"}",
     ": 'add_bos_token' is not true or false", true},
    {"vocab.txt", "tokenizer_config.json", "[]", " is not a JSON object", true},
    {"vocab.txt", "tokenizer_config.json", "{\"added_tokens_decoder\":{\"x\":{\"content\":\"y\"}}}",
     ": 'x' of the added tokens is not a token and its id, which is in 0 ... 16777215", true},
    {"vocab.txt", "tokenizer_config.json",
     "{\"added_tokens_decoder\":{\"16777216\":{\"content\":\"y\"}}}",
     ": '16777216' of the added tokens is not a token and its id, which is in 0 ... 16777215",
     true},
    {"vocab.txt", "tokenizer_config.json", "{\"added_tokens_decoder\":{\"9\":{\"content\":\"y\"}}}",
     ": added token 'y' has id 8 here, the files beside it say 9", false},
    {"vocab.txt", "added_tokens.json", "{\"a\":8}",
     ": added token 'a' has id 5 here, the files beside it say 8", false},
};

static void what_lies_beside_a_file_is_checked(void **state)
{
    (void)state;
    static const char bpe[] = UNK PIECE("\x01"
                                        "a",
                                        "\x03") BPE;
    rp_test_write_text("vocab.txt", BERT);
    rp_test_write("tokenizer.model", bpe, sizeof bpe - 1);
    rp_test_write_text("ranks.model", "YQ== 0\n");
    for (size_t i = 0; i < sizeof beside / sizeof *beside; i++) {
        char want[600];
        rp_tokenizer *tok;
        rp_error err;
        rp_test_write_text(beside[i].name, beside[i].json);
        snprintf(want, sizeof want, "'%s'%s",
                 rp_test_path(beside[i].of_config ? beside[i].name : beside[i].file),
                 beside[i].text);
        assert_fails(rp_tokenizer_open(&tok, rp_test_path(beside[i].file), &err), &err, RP_EFORMAT,
                     want);
        remove(rp_test_path(beside[i].name));
    }
}

/* ---- odd texts ---- */

static void encode(const char *path, const char *text, size_t n, rp_ids *ids)
{
    rp_tokenizer *tok;
    rp_error err;
    assert_ok(rp_tokenizer_open(&tok, path, &err), &err);
    assert_ok(rp_tokenizer_encode(tok, ids, text, n, &err), &err);
    rp_tokenizer_free(tok);
}

static void long_words_are_one_unknown_in_wordpiece_and_cut_in_unigram(void **state)
{
    (void)state;
    size_t n = (size_t)1 << 20;
    char *text = malloc(n);
    rp_ids ids = {0};
    assert_non_null(text);
    memset(text, 'a', n);
    encode(rp_test_golden("tokenizer/vocab.txt"), text, n, &ids);
    assert_int_equal(ids.n, 1);
    clock_t start = clock();
    ids.n = 0;
    encode(rp_test_golden("tokenizer/unigram.model"), text, n, &ids);
    assert_true(ids.n > n / 8 && ids.n <= n + 1);
    /* a quadratic search would take hours */
    assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 30);
    rp_ids_release(&ids);
    free(text);
}

static void a_charsmap_that_leads_out_of_itself_is_an_error_when_a_text_asks(void **state)
{
    (void)state;
    /* a trie of two units: the root's children lie far outside */
    static const char model[] = UNK UNK UNK "\x1a\x0e\x12\x0c\x08\0\0\0\0\xfe\xff\xff\0\0\0\0";
    const char *path = rp_test_write("d.model", model, sizeof model - 1);
    char want[600];
    rp_tokenizer *tok;
    rp_ids ids = {0};
    rp_error err;
    assert_ok(rp_tokenizer_open(&tok, path, &err), &err);
    snprintf(want, sizeof want, "'%s': the precompiled_charsmap points outside itself", path);
    assert_fails(rp_tokenizer_encode(tok, &ids, "a", 1, &err), &err, RP_EFORMAT, want);
    rp_ids_release(&ids);
    rp_tokenizer_free(tok);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_of_the_known_names_in_a_directory_is_read),
        cmocka_unit_test(a_directory_is_told_to_have_a_tokenizer_by_its_files),
        cmocka_unit_test(roles_and_segments_of_bert_come_without_a_config),
        cmocka_unit_test(bad_files_say_what_is_wrong),
        cmocka_unit_test(a_piece_of_more_than_1024_bytes_is_refused),
        cmocka_unit_test(what_lies_beside_a_file_is_checked),
        cmocka_unit_test(long_words_are_one_unknown_in_wordpiece_and_cut_in_unigram),
        cmocka_unit_test(a_charsmap_that_leads_out_of_itself_is_an_error_when_a_text_asks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
