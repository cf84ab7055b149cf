/* config.json: what is read, and the exact refusal of what is not supported. */
#include <string.h>

#include "model/config.h"
#include "model/rotary.h"
#include "support/support.h"

#define SHAPE                                                                                      \
    "\"architectures\": [\"LlamaForCausalLM\"], \"hidden_size\": 64, \"intermediate_size\": 172, " \
    "\"num_hidden_layers\": 5, \"num_attention_heads\": 8, \"vocab_size\": 512"

static rp_status parse(rp_config *c, const char *text, rp_error *err)
{
    return rp_config_parse(c, text, strlen(text), "config.json", err);
}

static void absent_keys_have_the_defaults_of_transformers(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_config c;
    assert_ok(parse(&c, "{" SHAPE "}", &err), &err);
    assert_int_equal(c.width, 64);
    assert_int_equal(c.ffn, 172);
    assert_int_equal(c.layers, 5);
    assert_int_equal(c.heads, 8);
    assert_int_equal(c.kv_heads, 8);
    assert_int_equal(c.head_dim, 8);
    assert_int_equal(c.vocabulary, 512);
    assert_int_equal(c.max_positions, 2048);
    assert_true(c.norm_eps == 1e-6f);
    assert_false(c.attention_bias || c.mlp_bias);
    assert_int_equal(c.rope.kind, RP_ROPE_DEFAULT);
    assert_true(c.rope.theta == 10000.);
}

static void every_key_is_read_and_null_means_absent(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_config c;
    assert_ok(
        parse(&c,
              "{" SHAPE ", \"num_key_value_heads\": 2, \"head_dim\": 16, \"rope_theta\": 5e5, "
              "\"rms_norm_eps\": 1e-5, \"max_position_embeddings\": 8192, "
              "\"attention_bias\": true, \"mlp_bias\": true, \"hidden_act\": \"silu\", "
              "\"rope_scaling\": null, \"quantization_config\": null, \"model_type\": \"llama\"}",
              &err),
        &err);
    assert_int_equal(c.kv_heads, 2);
    assert_int_equal(c.head_dim, 16);
    assert_int_equal(c.max_positions, 8192);
    assert_true(c.norm_eps == 1e-5f && c.rope.theta == 5e5);
    assert_true(c.attention_bias && c.mlp_bias);
}

static void rope_is_read_in_both_spellings(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_config c;
    assert_ok(
        parse(&c,
              "{" SHAPE
              ", \"rope_theta\": 500, \"rope_scaling\": {\"type\": \"linear\", \"factor\": 2}}",
              &err),
        &err);
    assert_int_equal(c.rope.kind, RP_ROPE_LINEAR);
    assert_true(c.rope.theta == 500. && c.rope.factor == 2.);
    assert_ok(parse(&c,
                    "{" SHAPE
                    ", \"rope_parameters\": {\"rope_type\": \"llama3\", \"rope_theta\": 5e5, "
                    "\"factor\": 8.0, \"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0, "
                    "\"original_max_position_embeddings\": 8192}}",
                    &err),
              &err);
    assert_int_equal(c.rope.kind, RP_ROPE_LLAMA3);
    assert_true(c.rope.theta == 5e5 && c.rope.factor == 8. && c.rope.low == 1. &&
                c.rope.high == 4. && c.rope.first_positions == 8192.);
}

static void linear_scaling_divides_every_frequency(void **state)
{
    (void)state;
    rp_config c = {.head_dim = 6, .rope = {.kind = RP_ROPE_LINEAR, .theta = 1000, .factor = 4}};
    float got[3];
    const double want[] = {.25, .025, .0025};
    rp_rotary_frequencies(got, &c);
    assert_close(got, want, 3, 1e-6, 0);
}

static void bad_configs_are_refused_by_key(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"", "'config.json' line 1: '[' or '{' expected near end of file"},
        {"[]", "'config.json': not a JSON object"},
        {"{\"a\": 1,\n \"a\": 2}", "'config.json' line 2: duplicate object key near '\"a\"'"},
        {"{}", "'config.json': key 'architectures' is missing"},
        {"{\"architectures\": [\"GPTNeoXForCausalLM\"]}",
         "'config.json': key 'architectures' must be [\"LlamaForCausalLM\"], "
         "[\"LlamaForSequenceClassification\"] or [\"LlamaModel\"], found "
         "[\"GPTNeoXForCausalLM\"]"},
        {"{" SHAPE ", \"model_type\": \"mistral\"}",
         "'config.json': key 'model_type' must be \"llama\", found \"mistral\""},
        {"{\"model_type\": \"llama\"}", "'config.json': key 'hidden_size' is missing"},
        {"{\"model_type\": \"llama\", \"hidden_size\": \"64\"}",
         "'config.json': key 'hidden_size' must be an integer from 1 to 1048576, found \"64\""},
        {"{\"model_type\": \"llama\", \"hidden_size\": 0}",
         "'config.json': key 'hidden_size' must be an integer from 1 to 1048576, found 0"},
        {"{\"model_type\": \"llama\", \"hidden_size\": 64, \"intermediate_size\": 1e3}",
         "'config.json': key 'intermediate_size' must be an integer from 1 to 4194304, found "
         "1000.0"},
        {"{\"model_type\": \"llama\", \"hidden_size\": 64, \"intermediate_size\": 99999999}",
         "'config.json': key 'intermediate_size' must be an integer from 1 to 4194304, found "
         "99999999"},
        {"{" SHAPE ", \"num_key_value_heads\": 3}",
         "'config.json': key 'num_key_value_heads' must divide num_attention_heads, found 3"},
        {"{" SHAPE ", \"num_key_value_heads\": -8}",
         "'config.json': key 'num_key_value_heads' must be an integer from 1 to 4096, found -8"},
        {"{\"model_type\": \"llama\", \"hidden_size\": 64, \"intermediate_size\": 8, "
         "\"num_hidden_layers\": 1, \"num_attention_heads\": 5, \"vocab_size\": 9}",
         "'config.json': key 'num_attention_heads' must divide hidden_size where head_dim is "
         "absent, found 5"},
        {"{\"model_type\": \"llama\", \"hidden_size\": 8192, \"intermediate_size\": 8, "
         "\"num_hidden_layers\": 1, \"num_attention_heads\": 1, \"vocab_size\": 9}",
         "'config.json': heads of a width of 8192, more than 4096"},
        {"{" SHAPE ", \"head_dim\": 7}",
         "'config.json': heads of an odd width, 7, cannot be rotated"},
        {"{" SHAPE ", \"rms_norm_eps\": 0}",
         "'config.json': key 'rms_norm_eps' must be a positive number, found 0"},
        {"{" SHAPE ", \"rope_theta\": \"big\"}",
         "'config.json': key 'rope_theta' must be a positive number, found \"big\""},
        {"{" SHAPE ", \"attention_bias\": 1}",
         "'config.json': key 'attention_bias' must be true or false, found 1"},
        {"{" SHAPE ", \"mlp_bias\": \"no\"}",
         "'config.json': key 'mlp_bias' must be true or false, found \"no\""},
        {"{" SHAPE ", \"tie_word_embeddings\": 0}",
         "'config.json': key 'tie_word_embeddings' must be true or false, found 0"},
        {"{" SHAPE ", \"hidden_act\": \"gelu\"}",
         "'config.json': key 'hidden_act' must be \"silu\", found \"gelu\""},
        {"{" SHAPE ", \"quantization_config\": {\"bits\": 4}}",
         "'config.json': key 'quantization_config' is not supported: quantised weights, found "
         "{\"bits\":4}"},
        {"{" SHAPE ", \"partial_rotary_factor\": 0.5}",
         "'config.json': key 'partial_rotary_factor' must be 1, found 0.5"},
        {"{" SHAPE
         ", \"rope_parameters\": {\"rope_type\": \"default\", \"partial_rotary_factor\": 0.25}}",
         "'config.json': key 'partial_rotary_factor' must be 1, found 0.25"},
        {"{" SHAPE ", \"rope_scaling\": 2}",
         "'config.json': key 'rope_scaling' must be an object, found 2"},
        {"{" SHAPE ", \"rope_scaling\": {\"factor\": 2}}",
         "'config.json': key 'rope_type' is missing"},
        {"{" SHAPE ", \"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 2}}",
         "'config.json': key 'type' must be \"default\", \"linear\" or \"llama3\", found "
         "\"dynamic\""},
        {"{" SHAPE ", \"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 2}}",
         "'config.json': key 'rope_type' must be \"default\", \"linear\" or \"llama3\", found "
         "\"yarn\""},
        {"{" SHAPE ", \"rope_scaling\": {\"rope_type\": \"linear\"}}",
         "'config.json': key 'factor' is missing"},
        {"{" SHAPE
         ", \"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8, \"low_freq_factor\": 1}}",
         "'config.json': key 'high_freq_factor' is missing"},
        {"{" SHAPE ", \"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8, "
         "\"low_freq_factor\": 4, \"high_freq_factor\": 4}}",
         "'config.json': key 'high_freq_factor' must be greater than low_freq_factor, found 4"},
        {"{" SHAPE ", \"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8, "
         "\"low_freq_factor\": 1, \"high_freq_factor\": 4}}",
         "'config.json': key 'original_max_position_embeddings' is missing"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        rp_error err = {0};
        rp_config c;
        assert_fails(parse(&c, bad[i].text, &err), &err, RP_EFORMAT, bad[i].message);
    }
}

static void a_directory_without_a_config_is_named(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_config c;
    assert_fails(rp_config_load(&c, "tests/absent", &err), &err, RP_EIO,
                 "'tests/absent': not a model directory");
    assert_fails(rp_config_load(&c, "tests/model", &err), &err, RP_EIO,
                 "'tests/model/config.json': no such file or directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(absent_keys_have_the_defaults_of_transformers),
        cmocka_unit_test(every_key_is_read_and_null_means_absent),
        cmocka_unit_test(rope_is_read_in_both_spellings),
        cmocka_unit_test(linear_scaling_divides_every_frequency),
        cmocka_unit_test(bad_configs_are_refused_by_key),
        cmocka_unit_test(a_directory_without_a_config_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
