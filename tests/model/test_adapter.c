/* LoRA adapters: W + scale B A against the weights that PEFT's merge_and_unload computes, and every
 * way in which an adapter does not fit. */
#include "model/adapter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "model/weights.h"
#include "support/support.h"

#define MOST 2048 /* elements of a tensor here */

static const char *golden(const char *name, const char *file)
{
    char path[128];
    snprintf(path, sizeof path, "checkpoint/adapter/%s%s%s", name, *file ? "/" : "", file);
    return rp_test_golden(path);
}

static rp_adapter *open_golden(const char *name)
{
    rp_error err = {0};
    rp_adapter *adapter;
    assert_true(rp_adapter_is(golden(name, "")));
    assert_ok(rp_adapter_open(&adapter, golden(name, ""), &err), &err);
    assert_string_equal(rp_adapter_dir(adapter), golden(name, ""));
    return adapter;
}

static rp_safetensors *open_tensors(const char *path)
{
    rp_error err = {0};
    rp_safetensors *file;
    assert_ok(rp_safetensors_open(&file, path, &err), &err);
    return file;
}

static void read_all(float out[MOST], const rp_tensor *t)
{
    assert_true(t->count <= MOST);
    rp_tensor_read(out, t, 0, t->count);
}

/* out [N, K] <- base + scale B A */
static void fold(float out[MOST], const rp_tensor *base, const rp_lora *lora)
{
    float a[MOST], b[MOST];
    size_t N = base->shape[0], K = base->shape[1], R = lora->a->shape[0];
    read_all(out, base);
    read_all(a, lora->a);
    read_all(b, lora->b);
    for (size_t n = 0; n < N; n++) {
        for (size_t k = 0; k < K; k++) {
            double sum = 0;
            for (size_t r = 0; r < R; r++) sum += (double)b[n * R + r] * a[r * K + k];
            out[n * K + k] += (float)(lora->scale * sum);
        }
    }
}

static bool has_lora(const char *name, const char *prefix, const rp_safetensors *merged,
                     const rp_tensor **want)
{
    *want = rp_safetensors_find(merged, name);
    if (!*want && strncmp(name, prefix, strlen(prefix)) == 0)
        *want = rp_safetensors_find(merged, name + strlen(prefix));
    return *want != NULL;
}

/* Takes the whole of adapter `name` for the golden base model; `modules` of it are adapted. */
static void assert_merges(const char *name, const char *merged_name, size_t modules, bool saved)
{
    rp_error err = {0};
    rp_adapter *adapter = open_golden(name);
    rp_safetensors *base = open_tensors(rp_test_golden("checkpoint/adapter/base.safetensors"));
    rp_safetensors *merged = open_tensors(golden(merged_name, "merged.safetensors"));
    size_t seen = 0;
    assert_int_equal(rp_adapter_about(adapter)->modules, modules);
    for (size_t i = 0; i < rp_safetensors_count(base); i++) {
        const rp_tensor *t = rp_safetensors_at(base, i), *want;
        rp_lora lora;
        float got[MOST], expected[MOST];
        char module[128];
        size_t bare = strlen("model."), n = strlen(t->name) - strlen(".weight");
        snprintf(module, sizeof module, "%.*s", (int)(n - bare), t->name + bare);
        assert_ok(rp_adapter_take(adapter, &lora, "model.", module, t->shape[0], t->shape[1], &err),
                  &err);
        assert_int_equal(lora.a != NULL, has_lora(t->name, "model.", merged, &want));
        if (!lora.a) continue;
        seen++;
        fold(got, t, &lora);
        read_all(expected, want);
        assert_close(got, expected, t->count, 1e-6, 1e-6);
    }
    assert_int_equal(seen, modules);
    const char *path = NULL;
    const rp_tensor *score = rp_adapter_saved(adapter, "model.", "score.weight", &path);
    assert_int_equal(score != NULL, saved);
    if (score) {
        float got[MOST], expected[MOST];
        assert_non_null(strstr(path, "/adapter_model."));
        read_all(got, score);
        read_all(expected, rp_safetensors_find(merged, "score.weight"));
        assert_close(got, expected, score->count, 0, 0);
    }
    assert_null(rp_adapter_saved(adapter, "model.", "classifier.weight", NULL));
    assert_ok(rp_adapter_check(adapter, &err), &err);
    rp_safetensors_free(merged);
    rp_safetensors_free(base);
    rp_adapter_free(adapter);
}

static void an_adapter_like_rankllamas_merges_as_peft_merges_it(void **state)
{
    (void)state;
    assert_merges("rankllama", "rankllama", 14, true);
}

static void names_of_older_releases_are_the_same_adapter(void **state)
{
    (void)state;
    assert_merges("older", "rankllama", 14, true);
    assert_merges("dumped", "rankllama", 14, true);
    assert_merges("unnamed", "rankllama", 14, true);
}

static void half_precision_adapters_merge(void **state)
{
    (void)state;
    assert_merges("half", "half", 4, true);
    assert_merges("brain", "brain", 2, false); /* use_rslora, too */
}

static void an_adapter_of_the_bare_model_has_no_prefix(void **state)
{
    (void)state;
    assert_merges("bare", "bare", 14, false); /* "all-linear" */
}

static void patterns_choose_modules_ranks_and_scales_as_in_peft(void **state)
{
    (void)state;
    assert_merges("regex", "regex", 5, false);
    assert_merges("patterns", "patterns", 5, false);
    assert_merges("layers", "layers", 1, false);
}

static void what_is_known_of_an_adapter_is_told(void **state)
{
    (void)state;
    rp_adapter *adapter = open_golden("half"), *same = open_golden("half");
    rp_adapter *other = open_golden("older");
    const rp_adapter_info *info = rp_adapter_about(adapter);
    assert_int_equal(info->rank, 2);
    assert_true(info->alpha == 3);
    assert_false(info->root_scaled);
    assert_int_equal(info->saved, 1);
    assert_string_equal(info->dtype, "F16");
    assert_int_equal(rp_adapter_parameters(adapter), 2 * 2 * (16 + 16) + 2 * 2 * (16 + 8) + 16);
    assert_string_equal(rp_adapter_base(adapter), "org/base");
    assert_true(rp_adapter_fingerprint(adapter) == rp_adapter_fingerprint(same));
    assert_true(rp_adapter_fingerprint(adapter) != rp_adapter_fingerprint(other));
    assert_false(rp_adapter_is(rp_test_golden("model/plain")));
    rp_adapter_free(adapter);
    rp_adapter_free(same);
    rp_adapter_free(other);
}

/* ---- what does not fit ---- */

#define CONFIG "\"peft_type\": \"LORA\", \"r\": 2, \"lora_alpha\": 4"
#define TARGETS ", \"target_modules\": [\"q_proj\"]"
#define P "base_model.model.model.layers.0."
#define Q P "self_attn.q_proj"

static const float zeros[64];

static rp_tensor matrix(const char *name, size_t rows, size_t columns)
{
    return (rp_tensor){.name = name,
                       .dtype = RP_F32,
                       .rank = 2,
                       .shape = {rows, columns},
                       .count = rows * columns,
                       .data = zeros};
}

/* A directory of the test's own with this config and these tensors. */
static const char *write_adapter(const char *config, const rp_tensor *tensors, size_t n)
{
    rp_error err = {0};
    mkdir(rp_test_path("adapter"), 0777);
    rp_test_write_text("adapter/adapter_config.json", config);
    FILE *f = fopen(rp_test_path("adapter/adapter_model.safetensors"), "wb");
    assert_non_null(f);
    assert_ok(rp_safetensors_write(f, tensors, n, NULL, &err), &err);
    assert_int_equal(fclose(f), 0);
    return rp_test_path("adapter");
}

static void assert_not_opened(const char *dir, const char *file, const char *text)
{
    rp_error err = {0};
    rp_adapter *adapter;
    char want[1024];
    snprintf(want, sizeof want, "'%s/%s'%s", dir, file, text);
    assert_fails(rp_adapter_open(&adapter, dir, &err), &err, RP_EFORMAT, want);
    assert_null(adapter);
}

static void keys_that_would_change_the_numbers_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *config, *text;
    } bad[] = {
        {"{", " line 1: string or '}' expected near end of file"},
        {"[]", ": not a JSON object"},
        {"{}", ": key 'peft_type' must be \"LORA\", found none"},
        {"{\"peft_type\": \"IA3\"}", ": key 'peft_type' must be \"LORA\", found \"IA3\""},
        {"{" CONFIG "}", ": key 'target_modules' must be names or a pattern, found none"},
        {"{" CONFIG ", \"target_modules\": [1]}",
         ": key 'target_modules' must be names or a pattern, found [1]"},
        {"{" CONFIG ", \"target_modules\": \"(q_proj\"}",
         ": key 'target_modules': bad pattern '(q_proj': missing closing parenthesis"},
        {"{" CONFIG TARGETS ", \"use_dora\": true}",
         ": key 'use_dora' is not supported, found true"},
        {"{" CONFIG TARGETS ", \"lora_bias\": true}",
         ": key 'lora_bias' is not supported, found true"},
        {"{" CONFIG TARGETS ", \"fan_in_fan_out\": true}",
         ": key 'fan_in_fan_out' is not supported, found true"},
        {"{" CONFIG TARGETS ", \"layer_replication\": [[0, 2]]}",
         ": key 'layer_replication' is not supported, found [[0,2]]"},
        {"{" CONFIG TARGETS ", \"trainable_token_indices\": [5]}",
         ": key 'trainable_token_indices' is not supported, found [5]"},
        {"{" CONFIG TARGETS ", \"target_parameters\": [\"w\"]}",
         ": key 'target_parameters' is not supported, found [\"w\"]"},
        {"{" CONFIG TARGETS ", \"of_the_future\": 1}",
         ": key 'of_the_future' is not supported, found 1"},
        {"{" CONFIG TARGETS ", \"bias\": \"all\"}", ": key 'bias' must be \"none\", found \"all\""},
        {"{" CONFIG TARGETS ", \"init_lora_weights\": \"pissa\"}",
         ": key 'init_lora_weights' is not supported: it changes the base model (save the adapter "
         "as plain LoRA), found \"pissa\""},
        {"{" CONFIG TARGETS ", \"base_model_name_or_path\": 7}",
         ": key 'base_model_name_or_path' must be a name, found 7"},
        {"{\"peft_type\": \"LORA\", \"lora_alpha\": 4}", ": key 'r' must be a rank, found none"},
        {"{\"peft_type\": \"LORA\", \"r\": 0}", ": key 'r' must be a rank, found 0"},
        {"{\"peft_type\": \"LORA\", \"r\": 2, \"lora_alpha\": \"4\"}",
         ": key 'lora_alpha' must be a number, found \"4\""},
        {"{" CONFIG TARGETS ", \"rank_pattern\": {\"q_proj\": 0}}",
         ": key 'rank_pattern' must map names to numbers, found {\"q_proj\":0}"},
        {"{" CONFIG TARGETS ", \"layers_to_transform\": [\"0\"]}",
         ": key 'layers_to_transform' must be numbers of layers, found [\"0\"]"},
        {"{" CONFIG TARGETS ", \"modules_to_save\": \"score\"}",
         ": key 'modules_to_save' must be names, found \"score\""},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_not_opened(write_adapter(bad[i].config, NULL, 0), "adapter_config.json",
                          bad[i].text);
}

static void tensors_that_are_not_plain_lora_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name, *why;
    } bad[] = {
        {Q ".lora_B.bias", "is not A or B of a linear module: not supported"},
        {Q ".lora_magnitude_vector", "is not A or B of a linear module: not supported"},
        {P "embed_tokens.lora_embedding_A", "is not A or B of a linear module: not supported"},
        {Q ".lora_A.a.b.weight", "has a name that PEFT does not give"},
        {Q ".lora_A.other.weight", "belongs to a second adapter in the file"},
        {Q ".lora_A.weight", "is there twice"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char want[512];
        const rp_tensor t[] = {matrix(Q ".lora_A.default.weight", 2, 4), matrix(bad[i].name, 2, 4)};
        snprintf(want, sizeof want, ": tensor '%s' %s", bad[i].name, bad[i].why);
        assert_not_opened(write_adapter("{" CONFIG TARGETS "}", t, 2), "adapter_model.safetensors",
                          want);
    }
    const rp_tensor t = matrix("score.weight", 1, 4);
    assert_not_opened(write_adapter("{" CONFIG TARGETS "}", &t, 1), "adapter_model.safetensors",
                      ": no tensor of LoRA in it");
}

/* Taking q_proj [6, 4] of layer 0 fails with this text. */
static void assert_not_taken(const char *config, const rp_tensor *tensors, size_t n,
                             const char *text)
{
    rp_error err = {0};
    rp_adapter *adapter;
    rp_lora lora;
    char want[1024];
    const char *dir = write_adapter(config, tensors, n);
    snprintf(want, sizeof want, "'%s/adapter_model.safetensors': %s", dir, text);
    assert_ok(rp_adapter_open(&adapter, dir, &err), &err);
    assert_fails(rp_adapter_take(adapter, &lora, "model.", "layers.0.self_attn.q_proj", 6, 4, &err),
                 &err, RP_EFORMAT, want);
    rp_adapter_free(adapter);
}

static void an_adapter_and_its_configuration_must_agree(void **state)
{
    (void)state;
    const rp_tensor up[] = {matrix(P "mlp.up_proj.lora_A.weight", 2, 4),
                            matrix(P "mlp.up_proj.lora_B.weight", 6, 2)};
    assert_not_taken("{" CONFIG TARGETS "}", up, 2,
                     "no tensors for module 'model.layers.0.self_attn.q_proj', which "
                     "adapter_config.json adapts");
    const rp_tensor q[] = {matrix(Q ".lora_A.weight", 2, 4), matrix(Q ".lora_B.weight", 6, 2)};
    assert_not_taken("{" CONFIG ", \"target_modules\": [\"proj\", \"k_proj\"]}", q, 2,
                     "tensor '" Q ".lora_A.weight' is of a module that adapter_config.json leaves "
                     "alone");
    assert_not_taken("{" CONFIG TARGETS "}", q, 1, "tensor '" Q ".lora_A.weight' has no lora_B");
    assert_not_taken("{" CONFIG TARGETS "}", q + 1, 1,
                     "tensor '" Q ".lora_B.weight' has no lora_A");
    const rp_tensor wide[] = {matrix(Q ".lora_A.weight", 2, 5), matrix(Q ".lora_B.weight", 6, 2)};
    assert_not_taken("{" CONFIG TARGETS "}", wide, 2,
                     "tensor '" Q ".lora_A.weight' [2, 5] and its lora_B [6, 2] do not fit rank 2 "
                     "and a module [6, 4]");
    const rp_tensor thick[] = {matrix(Q ".lora_A.weight", 3, 4), matrix(Q ".lora_B.weight", 6, 3)};
    assert_not_taken("{" CONFIG TARGETS "}", thick, 2,
                     "tensor '" Q ".lora_A.weight' [3, 4] and its lora_B [6, 3] do not fit rank 2 "
                     "and a module [6, 4]");
}

static void a_pattern_that_does_not_end_is_an_error(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_adapter *adapter;
    rp_lora lora;
    const rp_tensor q[] = {matrix(Q ".lora_A.weight", 2, 4), matrix(Q ".lora_B.weight", 6, 2)};
    const char *dir =
        write_adapter("{" CONFIG ", \"target_modules\": \"(([a-z0-9._]+)+)+[!?]\"}", q, 2);
    char want[1024];
    snprintf(want, sizeof want,
             "'%s/adapter_config.json': a pattern gives up on module "
             "'model.layers.0.self_attn.q_proj': error -47",
             dir);
    assert_ok(rp_adapter_open(&adapter, dir, &err), &err);
    assert_fails(rp_adapter_take(adapter, &lora, "model.", "layers.0.self_attn.q_proj", 6, 4, &err),
                 &err, RP_EFORMAT, want);
    rp_adapter_free(adapter);
}

static void an_adapter_of_another_architecture_is_noticed(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_adapter *adapter;
    char want[1024];
    const rp_tensor t[] = {matrix("base_model.model.h.0.c_attn.lora_A.weight", 2, 4),
                           matrix("base_model.model.h.0.c_attn.lora_B.weight", 6, 2)};
    const char *dir = write_adapter("{" CONFIG ", \"target_modules\": [\"c_attn\"]}", t, 2);
    snprintf(want, sizeof want,
             "'%s/adapter_model.safetensors': tensor 'base_model.model.h.0.c_attn.lora_A.weight' "
             "has no place in the model: an adapter for another architecture?",
             dir);
    assert_ok(rp_adapter_open(&adapter, dir, &err), &err);
    assert_fails(rp_adapter_check(adapter, &err), &err, RP_EFORMAT, want);
    rp_adapter_free(adapter);
}

static void a_directory_without_tensors_is_named(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_adapter *adapter;
    char want[1024];
    mkdir(rp_test_path("hollow"), 0777);
    rp_test_write_text("hollow/adapter_config.json", "{" CONFIG TARGETS "}");
    snprintf(want, sizeof want, "'%s': no adapter_model.safetensors or adapter_model.bin",
             rp_test_path("hollow"));
    assert_fails(rp_adapter_open(&adapter, rp_test_path("hollow"), &err), &err, RP_EIO, want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_adapter_like_rankllamas_merges_as_peft_merges_it),
        cmocka_unit_test(names_of_older_releases_are_the_same_adapter),
        cmocka_unit_test(half_precision_adapters_merge),
        cmocka_unit_test(an_adapter_of_the_bare_model_has_no_prefix),
        cmocka_unit_test(patterns_choose_modules_ranks_and_scales_as_in_peft),
        cmocka_unit_test(what_is_known_of_an_adapter_is_told),
        cmocka_unit_test(keys_that_would_change_the_numbers_are_refused),
        cmocka_unit_test(tensors_that_are_not_plain_lora_are_refused),
        cmocka_unit_test(an_adapter_and_its_configuration_must_agree),
        cmocka_unit_test(a_pattern_that_does_not_end_is_an_error),
        cmocka_unit_test(an_adapter_of_another_architecture_is_noticed),
        cmocka_unit_test(a_directory_without_tensors_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
