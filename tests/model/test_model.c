/* Where a model comes from: a directory, a name, an adapter with its base. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/model.h"
#include "support/support.h"

#define MODELS "tests/golden/model"

static void refused(const rp_model_source *source, rp_status status, const char *text)
{
    rp_error err = {0};
    rp_model *model = NULL;
    assert_fails(rp_model_open(&model, source, &err), &err, status, text);
    assert_null(model);
}

static void an_adapter_brings_its_head_and_names_its_base(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_model *adapted = NULL, *base = NULL;
    assert_ok(rp_model_open(&base, &(rp_model_source){.path = "tied", .models = MODELS}, &err),
              &err);
    assert_ok(rp_model_open(&adapted, &(rp_model_source){.path = "adapter_llama", .models = MODELS},
                            &err),
              &err);
    const rp_model_info *a = rp_model_about(adapted), *b = rp_model_about(base);
    assert_null(b->adapter);
    assert_false(b->has_score);
    assert_string_equal(b->path, MODELS "/tied");
    assert_string_equal(a->path, MODELS "/tied");
    assert_string_equal(a->adapter, MODELS "/adapter_llama");
    assert_true(a->has_score);
    assert_null(b->lora);
    assert_string_equal(a->lora, "rank 4, alpha 8, 14 modules in F32, 1 tensors of its own");
    assert_true(a->fingerprint != b->fingerprint);
    /* rank 4 on two layers of q, k, v, o [16, 16], gate, up, down [24, 16], and the head */
    assert_int_equal(a->parameters - b->parameters, 2 * 4 * (4 * 32 + 3 * 40) + 16);
    rp_model_free(adapted);
    rp_model_free(base);
}

static void what_does_not_belong_together_is_refused(void **state)
{
    (void)state;
    refused(&(rp_model_source){.path = MODELS "/plain", .base = MODELS "/tied"}, RP_EARG,
            "'" MODELS "/plain': a base model is given, but this is no PEFT adapter");
    refused(&(rp_model_source){.path = MODELS "/adapter_llama", .base = MODELS "/absent/tied"},
            RP_EIO,
            "base model of adapter '" MODELS "/adapter_llama': '" MODELS
            "/absent/tied': no such directory: give that of the (base) model");
    refused(&(rp_model_source){.path = MODELS "/adapter_llama", .base = MODELS "/adapter_neox"},
            RP_EFORMAT,
            "base model of adapter '" MODELS "/adapter_llama': '" MODELS
            "/adapter_neox' is a PEFT adapter itself: merge it into its base model");
    refused(&(rp_model_source){.path = MODELS "/adapter_llama", .base = MODELS "/neox"}, RP_EFORMAT,
            "'" MODELS "/adapter_llama/adapter_model.safetensors': tensor "
            "'base_model.model.model.layers.0.mlp.down_proj.lora_A.weight' has no place in the "
            "model: an adapter for another architecture?");
    refused(&(rp_model_source){.path = MODELS "/adapter_llama", .base = MODELS "/llama3_rope"},
            RP_EFORMAT,
            "'" MODELS "/adapter_llama/adapter_model.safetensors': tensor "
            "'base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight' [4, 16] and its "
            "lora_B [16, 4] do not fit rank 4 and a module [24, 16]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_adapter_brings_its_head_and_names_its_base),
        cmocka_unit_test(what_does_not_belong_together_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
