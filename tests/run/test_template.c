/* Templates: the same tokens as Hugging Face tokenizers, and which token belongs to which set. */
#include "run/fixture.h"

static rp_tokenizer *tokenizer;
static rp_pairs pairs;
static json_t *expected;

static int open_all(void **state)
{
    rp_error err = {0};
    rp_inputs in;

    (void)state;
    rp_inputs_init(&in);
    golden_inputs(&in);
    assert_ok(rp_tokenizer_open(&tokenizer, GOLDEN "model", &err), &err);
    assert_ok(rp_pairs_load(&pairs, &in, NULL, &err), &err);
    expected = json_load_file(GOLDEN "expected.json", 0, NULL);
    return expected ? 0 : -1;
}

static int close_all(void **state)
{
    (void)state;
    json_decref(expected);
    rp_pairs_release(&pairs);
    rp_tokenizer_free(tokenizer);
    return 0;
}

static void check_ids(const rp_template_options *o)
{
    const json_t *ids = json_object_get(json_object_get(expected, "ids"), o->name);
    const json_t *names = json_object_get(expected, "pairs");
    rp_template *t = NULL;
    rp_tokens k = {0};
    rp_error err = {0};

    assert_ok(rp_template_new(&t, o, tokenizer, &err), &err);
    assert_int_equal(pairs.n, PAIRS);
    for (size_t i = 0; i < PAIRS; i++) {
        const json_t *want = json_array_get(ids, i), *name = json_array_get(names, i);
        assert_string_equal(pairs.pair[i].qid, json_string_value(json_array_get(name, 0)));
        assert_string_equal(pairs.pair[i].docid, json_string_value(json_array_get(name, 1)));
        assert_ok(rp_template_encode(t, &k, &pairs.pair[i], &err), &err);
        assert_int_equal(k.ids.n, json_array_size(want));
        assert_int_equal(k.set.n, k.ids.n);
        for (size_t j = 0; j < k.ids.n; j++)
            assert_int_equal(k.ids.id[j], json_integer_value(json_array_get(want, j)));
    }
    rp_tokens_release(&k);
    rp_template_free(t);
}

static void every_template_gives_the_tokens_of_hugging_face(void **state)
{
    static const char *const names[] = {"rankllama-pair", "rankllama-string", "rankllama-eos"};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        rp_template_options o = golden_template(names[i]);
        check_ids(&o);
    }
}

static void a_custom_template_puts_special_tokens_where_it_says(void **state)
{
    rp_template_options o = golden_template("custom");

    (void)state;
    o.custom = "{bos}Q {query}{eos}{text} {{end}}{eos}";
    check_ids(&o);
}

/* The set bits of a pair's tokens as one letter each: b bos, q query, d document, . neither. */
static void letters(char *out, const char *custom, const char *name, const rp_pair *pair,
                    size_t max_query, size_t max_passage)
{
    rp_template_options o = {name, custom, max_query, max_passage};
    rp_template *t = NULL;
    rp_tokens k = {0};
    rp_error err = {0};

    assert_ok(rp_template_new(&t, &o, tokenizer, &err), &err);
    assert_ok(rp_template_encode(t, &k, pair, &err), &err);
    assert_true(k.set.n < 99);
    for (size_t i = 0; i < k.set.n; i++) {
        int set = k.set.id[i];
        assert_true(set & RP_SET_ALL);
        assert_int_equal(!!(set & RP_SET_LAST), i + 1 == k.set.n);
        out[i] = (char)(!(set & RP_SET_NOBOS)   ? 'b'
                        : set & RP_SET_QUERY    ? 'q'
                        : set & RP_SET_DOCUMENT ? 'd'
                                                : '.');
    }
    out[k.set.n] = '\0';
    rp_tokens_release(&k);
    rp_template_free(t);
}

static void tokens_know_whether_they_are_query_document_or_neither(void **state)
{
    const rp_pair pair = {.query = "salt", .title = "", .text = "x"};
    char out[100];

    (void)state;
    letters(out, NULL, "rankllama-pair", &pair, 32, 164);
    assert_string_equal(out, "bqqbddd");
    letters(out, NULL, "rankllama-pair", &pair, 1, 2);
    assert_string_equal(out, "bqbdd");
    letters(out, NULL, "rankllama-string", &pair, 1, 2);
    assert_string_equal(out, "bqdd");
    letters(out, NULL, "rankllama-eos", &pair, 2, 2);
    assert_string_equal(out, "bqqdd.");
    letters(out, "{bos}{query}{eos}abc{eos}{text}{eos}", "custom", &pair, 2, 3);
    assert_string_equal(out, "bq.....d.");
    letters(out, NULL, "pair", &pair, 1, 2);
    assert_string_equal(out, "bqbd");
    letters(out, "{text}{bos}{query}", "custom", &pair, 2, 1);
    assert_string_equal(out, "dbq");
}

static void a_pair_without_any_token_is_a_pair_whatever_was_encoded_before(void **state)
{
    const rp_pair empty = {.query = "", .title = "", .text = ""},
                  other = {.query = "salt", .title = "", .text = "x"};
    rp_template_options o = {"pair", NULL, 9, 9};
    rp_template *t = NULL;
    rp_tokens first = {0}, later = {0};
    rp_error err = {0};

    (void)state;
    assert_ok(rp_template_new(&t, &o, tokenizer, &err), &err);
    assert_ok(rp_template_encode(t, &first, &empty, &err), &err);
    assert_ok(rp_template_encode(t, &later, &other, &err), &err);
    assert_ok(rp_template_encode(t, &later, &empty, &err), &err);
    assert_int_equal(first.ids.n, 2); /* the bos before either text */
    assert_int_equal(later.ids.n, 2);
    assert_memory_equal(first.ids.id, later.ids.id, 2 * sizeof *first.ids.id);
    rp_tokens_release(&first);
    rp_tokens_release(&later);
    rp_template_free(t);
}

static void an_absent_title_takes_its_space_with_it(void **state)
{
    rp_pair with = {.query = "a", .title = "", .text = "t"}, without = with;
    rp_template_options o = {"custom", "{query} {title} {text}", 9, 9},
                        plain = {"custom", "{query} {text}", 9, 9};
    rp_template *one = NULL, *two = NULL;
    rp_tokens a = {0}, b = {0};
    rp_error err = {0};

    (void)state;
    assert_ok(rp_template_new(&one, &o, tokenizer, &err), &err);
    assert_ok(rp_template_new(&two, &plain, tokenizer, &err), &err);
    assert_ok(rp_template_encode(one, &a, &with, &err), &err);
    assert_ok(rp_template_encode(two, &b, &without, &err), &err);
    assert_int_equal(a.ids.n, b.ids.n);
    assert_memory_equal(a.ids.id, b.ids.id, a.ids.n * sizeof *a.ids.id);
    rp_tokens_release(&a);
    rp_tokens_release(&b);
    rp_template_free(one);
    rp_template_free(two);
}

static const struct {
    rp_template_options options;
    rp_status status;
    const char *text;
} refused[] = {
    {{"rankllama", NULL, 32, 164},
     RP_EARG,
     "unknown template 'rankllama' (auto, pair, rankllama-pair, rankllama-string, rankllama-eos, "
     "custom)"},
    {{"custom", NULL, 32, 164}, RP_EARG, "the custom template needs its text"},
    {{"rankllama-pair", "{query}{text}", 32, 164},
     RP_EARG,
     "a custom text is given, but the template is 'rankllama-pair'"},
    {{"rankllama-pair", NULL, 0, 164}, RP_EARG, "query and passage need at least one token each"},
    {{"custom", "{query} {body}", 32, 164},
     RP_EARG,
     "template: unknown placeholder '{body}' (query, title, text, bos, eos, sep)"},
    {{"custom", "{query} {text", 32, 164}, RP_EARG, "template: single '{' at byte 9"},
    {{"custom", "{query} text}", 32, 164}, RP_EARG, "template: single '}' at byte 13"},
    {{"custom", "{text}", 32, 164}, RP_EARG, "template: {query} is not in it"},
    {{"custom", "{query}", 32, 164}, RP_EARG, "template: neither {text} nor {title} is in it"},
    {{"custom", "{query}\xff{text}", 32, 164}, RP_EARG, "template: the text is not UTF-8"},
    {{"custom", "", 32, 164}, RP_EARG, "template: {query} is not in it"},
    {{"custom", "{query}{sep}{text}", 32, 164},
     RP_EFORMAT,
     "template: the tokenizer has no sep token"},
};

static void bad_templates_are_refused_with_the_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        rp_template *t = NULL;
        rp_error err = {0};
        assert_fails(rp_template_new(&t, &refused[i].options, tokenizer, &err), &err,
                     refused[i].status, refused[i].text);
        assert_null(t);
    }
}

static void sequences_that_the_model_cannot_take_name_their_pair(void **state)
{
    const rp_pair pair[] = {{"q", "d1", "a", "", "t", 0, 0, -1},
                            {"q", "d2", "a", "", "", 0, 0, -1}};
    rp_template_options o = {"custom", "{query}{eos}{text}", 9, 9};
    rp_model_info model = {.vocabulary = 1000, .max_positions = 100, .limit_key = "sliding_window"};
    rp_template *t = NULL;
    rp_sequences s;
    rp_error err = {0};

    (void)state;
    assert_ok(rp_template_new(&t, &o, tokenizer, &err), &err);
    assert_fails(rp_sequences_encode(&s, t, &model, pair, 2, RP_SET_DOCUMENT, 2, &err), &err,
                 RP_EFORMAT, "query 'q' document 'd2': token set 'document' is empty");
    assert_ok(rp_sequences_encode(&s, t, &model, pair, 2, RP_SET_ALL, 2, &err), &err);
    assert_int_equal(s.n, 2);
    rp_sequences_release(&s);
    model.max_positions = 2;
    assert_fails(rp_sequences_encode(&s, t, &model, pair, 2, RP_SET_ALL, 2, &err), &err, RP_EFORMAT,
                 "query 'q' document 'd1': 3 tokens, more than the model's sliding_window 2");
    model.max_positions = 100;
    model.vocabulary = 3;
    assert_int_equal(rp_sequences_encode(&s, t, &model, pair, 2, RP_SET_ALL, 2, &err), RP_EFORMAT);
    assert_non_null(strstr(err.text, "is outside of the model's vocabulary of 3"));
    rp_template_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_template_gives_the_tokens_of_hugging_face),
        cmocka_unit_test(a_custom_template_puts_special_tokens_where_it_says),
        cmocka_unit_test(tokens_know_whether_they_are_query_document_or_neither),
        cmocka_unit_test(a_pair_without_any_token_is_a_pair_whatever_was_encoded_before),
        cmocka_unit_test(an_absent_title_takes_its_space_with_it),
        cmocka_unit_test(bad_templates_are_refused_with_the_reason),
        cmocka_unit_test(sequences_that_the_model_cannot_take_name_their_pair),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
