/* config.json: what is read, and the exact refusal of what is not supported. */
#include <string.h>

#include "model/config.h"
#include "model/rotary.h"
#include "support/support.h"

#define SHAPE                                                                                      \
    "\"architectures\": [\"LlamaForCausalLM\"], \"hidden_size\": 64, \"intermediate_size\": 172, " \
    "\"num_hidden_layers\": 5, \"num_attention_heads\": 8, \"vocab_size\": 512"

#define FAMILIES                                                                                   \
    "llama, mistral, qwen2, qwen3, gpt_neox, bert, electra, roberta, xlm-roberta, t5, mt5"
/* Keys of a shape that most families share. */
#define COMMON                                                                                     \
    "\"hidden_size\": 64, \"intermediate_size\": 172, \"num_hidden_layers\": 5, "                  \
    "\"num_attention_heads\": 8, \"vocab_size\": 512"
#define T5                                                                                         \
    "\"model_type\": \"t5\", \"d_model\": 64, \"d_ff\": 96, \"num_layers\": 2, "                   \
    "\"num_heads\": 4, \"vocab_size\": 512"

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
    assert_false(c.qkv_bias || c.o_bias || c.mlp_bias);
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
    assert_true(c.qkv_bias && c.o_bias && c.mlp_bias);
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
    rp_config c = {.rope = {.width = 6, .kind = RP_ROPE_LINEAR, .theta = 1000, .factor = 4}};
    float got[3];
    const double want[] = {.25, .025, .0025};
    rp_rotary_frequencies(got, &c);
    assert_close(got, want, 3, 1e-6, 0);
}

static rp_config parsed(const char *text)
{
    rp_error err = {0};
    rp_config c;
    assert_ok(parse(&c, text, &err), &err);
    return c;
}

static void a_sliding_window_limits_sequences_where_it_is_used(void **state)
{
    (void)state;
#define MISTRAL "{\"model_type\": \"mistral\", " COMMON ", \"max_position_embeddings\": 32768"
#define QWEN "{\"model_type\": \"qwen2\", " COMMON ", \"max_position_embeddings\": 32768"
    static const struct {
        const char *text;
        size_t positions;
        bool window;
    } rows[] = {
        {MISTRAL ", \"sliding_window\": 4096}", 4096, true},
        {MISTRAL ", \"sliding_window\": null}", 32768, false},
        {MISTRAL "}", 4096, true}, /* the class's default */
        {MISTRAL ", \"sliding_window\": 65536}", 32768, false},
        {QWEN ", \"sliding_window\": 4096}", 32768, false},
        {QWEN ", \"sliding_window\": 4096, \"use_sliding_window\": false}", 32768, false},
        {QWEN ", \"sliding_window\": 100, \"use_sliding_window\": true, "
              "\"max_window_layers\": 4}",
         100, true},
        {QWEN ", \"sliding_window\": 100, \"use_sliding_window\": true, "
              "\"max_window_layers\": 0}",
         100, true},
        {QWEN ", \"sliding_window\": 100, \"use_sliding_window\": true, "
              "\"max_window_layers\": 5}",
         32768, false},
        {QWEN ", \"sliding_window\": 100, \"use_sliding_window\": true, \"layer_types\": "
              "[\"full_attention\", \"sliding_attention\"]}",
         100, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        rp_config c = parsed(rows[i].text);
        assert_int_equal(c.max_positions, rows[i].positions);
        assert_string_equal(c.limit_key,
                            rows[i].window ? "sliding_window" : "max_position_embeddings");
    }
}

static void families_differ_as_transformers_has_them(void **state)
{
    (void)state;
    rp_config c = parsed("{\"model_type\": \"qwen2\", " COMMON "}");
    assert_true(c.qkv_bias && !c.o_bias && !c.qk_norm && c.gated && c.causal);
    c = parsed("{\"model_type\": \"qwen3\", " COMMON "}");
    assert_true(!c.qkv_bias && !c.o_bias && c.qk_norm);
    assert_int_equal(c.head_dim, 128);
    c = parsed("{\"model_type\": \"gpt_neox\", " COMMON ", \"rotary_pct\": 0.25}");
    assert_true(c.parallel && c.qkv_bias && c.mlp_bias && !c.gated && c.norm == RP_NORM_LAYER);
    assert_true(c.activation == RP_GELU);
    assert_int_equal(c.rope.width, 2);
    c = parsed(
        "{\"model_type\": \"gpt_neox\", " COMMON ", \"rotary_emb_base\": 500, "
        "\"use_parallel_residual\": false, \"hidden_act\": \"gelu_fast\", "
        "\"rope_parameters\": {\"rope_type\": \"default\", \"partial_rotary_factor\": 1.0}}");
    assert_true(!c.parallel && c.activation == RP_GELU_TANH && c.rope.theta == 500);
    assert_int_equal(c.rope.width, 8);
    c = parsed("{\"model_type\": \"bert\", " COMMON "}");
    assert_true(c.post_norm && !c.causal && c.head == RP_HEAD_POOLER && c.norm_eps == 1e-12f);
    assert_int_equal(c.segments, 2);
    c = parsed("{\"model_type\": \"electra\", " COMMON "}");
    assert_int_equal(c.embedding_width, 128);
    assert_true(c.head == RP_HEAD_DENSE_GELU);
    c = parsed("{\"model_type\": \"roberta\", " COMMON ", \"max_position_embeddings\": 514}");
    assert_int_equal(c.max_positions, 512);
    assert_true(c.skips_pad && c.pad == 1);
    c = parsed("{" T5 "}");
    assert_true(!c.gated && c.activation == RP_RELU && c.scale == 1 && !c.causal);
    assert_true(c.buckets == 32 && c.distance == 128 && c.head_dim == 64);
    c = parsed("{" T5 ", \"feed_forward_proj\": \"gated-gelu\", \"d_kv\": 8}");
    assert_true(c.gated && c.activation == RP_GELU_TANH && c.head_dim == 8);
    c = parsed("{" T5 ", \"feed_forward_proj\": \"gated-silu\"}");
    assert_true(c.gated && c.activation == RP_SILU);
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
        {"{}", "'config.json': key 'model_type' is missing"},
        {"{\"architectures\": [\"GPT2LMHeadModel\"]}",
         "'config.json': key 'architectures' must be one of " FAMILIES
         ", found [\"GPT2LMHeadModel\"]"},
        {"{\"architectures\": [\"LlamaBidirectionalModel\"], \"model_type\": \"llama\"}",
         "'config.json': key 'architectures' is not a model of type llama that is known here, "
         "found "
         "[\"LlamaBidirectionalModel\"]"},
        {"{" SHAPE ", \"model_type\": \"mistral\"}",
         "'config.json': key 'architectures' is not a model of type mistral that is known here, "
         "found [\"LlamaForCausalLM\"]"},
        {"{\"model_type\": \"mixtral\", \"num_local_experts\": 8}",
         "'config.json': key 'num_local_experts' is not supported: a mixture of experts, found 8"},
        {"{\"model_type\": \"qwen3_moe\", \"num_experts\": 128}",
         "'config.json': key 'num_experts' is not supported: a mixture of experts, found 128"},
        {"{\"model_type\": \"gemma\"}",
         "'config.json': key 'model_type' must be one of " FAMILIES ", found \"gemma\""},
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
        {"{" SHAPE ", \"hidden_act\": \"mish\"}",
         "'config.json': key 'hidden_act' must be \"silu\", \"relu\", \"gelu\", \"gelu_new\", "
         "\"gelu_fast\" or \"gelu_pytorch_tanh\", found \"mish\""},
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
        {"{\"model_type\": \"gpt_neox\", " COMMON ", \"rotary_pct\": 0.4}",
         "'config.json': heads of an odd width, 3, cannot be rotated"},
        {"{\"model_type\": \"gpt_neox\", " COMMON ", \"rotary_pct\": 1.5}",
         "'config.json': key 'rotary_pct' must be at most 1, found 1.5"},
        {"{\"model_type\": \"bert\", " COMMON ", \"is_decoder\": true}",
         "'config.json': key 'is_decoder' must be false, found true"},
        {"{\"model_type\": \"bert\", " COMMON ", \"position_embedding_type\": \"relative_key\"}",
         "'config.json': key 'position_embedding_type' must be \"absolute\", found "
         "\"relative_key\""},
        {"{\"model_type\": \"bert\", \"hidden_size\": 66, \"intermediate_size\": 8, "
         "\"num_hidden_layers\": 1, \"num_attention_heads\": 5, \"vocab_size\": 9}",
         "'config.json': key 'num_attention_heads' must divide hidden_size, found 5"},
        {"{\"model_type\": \"roberta\", " COMMON
         ", \"max_position_embeddings\": 3, \"pad_token_id\": 2}",
         "'config.json': key 'pad_token_id' must be below max_position_embeddings - 1, found 2"},
        {"{" T5 ", \"feed_forward_proj\": \"gated-mish\"}",
         "'config.json': key 'feed_forward_proj' must be an activation, or \"gated-\" and an "
         "activation, found \"gated-mish\""},
        {"{" T5 ", \"relative_attention_num_buckets\": 5}",
         "'config.json': key 'relative_attention_num_buckets' must be even and at least 4, found "
         "5"},
        {"{" T5 ", \"relative_attention_max_distance\": 8}",
         "'config.json': key 'relative_attention_max_distance' must exceed a quarter of buckets, "
         "found 8"},
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
        cmocka_unit_test(a_sliding_window_limits_sequences_where_it_is_used),
        cmocka_unit_test(families_differ_as_transformers_has_them),
        cmocka_unit_test(bad_configs_are_refused_by_key),
        cmocka_unit_test(a_directory_without_a_config_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
