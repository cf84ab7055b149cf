/* Checkpoints that are not what config.json describes: the exact words. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/safetensors.h"
#include "fixture.h"

#define MOST 64

/* A checkpoint that a test changes: the tensors of a golden model. */
typedef struct draft {
    const char *model;
    rp_safetensors *source;
    rp_tensor tensor[MOST];
    size_t n;
} draft;

static void draft_of(draft *d, const char *model)
{
    rp_error err = {0};
    char path[128];
    snprintf(path, sizeof path, "model/%s/model.safetensors", model);
    assert_ok(rp_safetensors_open(&d->source, rp_test_golden(path), &err), &err);
    d->model = model;
    d->n = rp_safetensors_count(d->source);
    assert_true(d->n < MOST);
    for (size_t i = 0; i < d->n; i++) d->tensor[i] = *rp_safetensors_at(d->source, i);
}

static void draft_init(draft *d)
{
    draft_of(d, "plain");
}

static rp_tensor *draft_find(draft *d, const char *name)
{
    for (size_t i = 0; i < d->n; i++)
        if (strcmp(d->tensor[i].name, name) == 0) return &d->tensor[i];
    fail_msg("no tensor %s", name);
    return NULL;
}

static void draft_drop(draft *d, const char *name)
{
    *draft_find(d, name) = d->tensor[d->n - 1];
    d->n--;
}

static void draft_add(draft *d, const char *name, size_t n)
{
    d->tensor[d->n++] = (rp_tensor){.name = name,
                                    .dtype = RP_F32,
                                    .rank = 1,
                                    .shape = {n},
                                    .count = n,
                                    .data = d->tensor[0].data};
}

/* Writes the draft with its model's config as the model directory `dir`, and frees it. */
static const char *draft_write(draft *d, const char *name)
{
    rp_error err = {0};
    char path[128];
    size_t n;
    snprintf(path, sizeof path, "model/%s/config.json", d->model);
    char *config = rp_test_read(rp_test_golden(path), &n);
    mkdir(rp_test_path(name), 0777);
    snprintf(path, sizeof path, "%s/config.json", name);
    rp_test_write(path, config, n);
    snprintf(path, sizeof path, "%s/model.safetensors", name);
    FILE *f = fopen(rp_test_path(path), "wb");
    assert_non_null(f);
    assert_ok(rp_safetensors_write(f, d->tensor, d->n, NULL, &err), &err);
    assert_int_equal(fclose(f), 0);
    rp_safetensors_free(d->source);
    free(config);
    return rp_test_path(name);
}

static void assert_refused(const char *dir, rp_status status, const char *format)
{
    rp_error err = {0};
    rp_model *model = NULL;
    char want[1024];
    snprintf(want, sizeof want, format, dir);
    assert_fails(rp_model_open(&model, &(rp_model_source){.path = dir}, &err), &err, status, want);
    assert_null(model);
}

static void a_missing_tensor_is_named(void **state)
{
    (void)state;
    static const char *const names[] = {"model.embed_tokens.weight", "model.norm.weight",
                                        "model.layers.1.mlp.down_proj.weight",
                                        "model.layers.0.input_layernorm.weight"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        draft d;
        char want[256];
        draft_init(&d);
        draft_drop(&d, names[i]);
        snprintf(want, sizeof want, "'%%s': tensor '%s' is missing", names[i]);
        assert_refused(draft_write(&d, "missing"), RP_EFORMAT, want);
    }
}

static void a_tensor_of_another_shape_is_named_with_both_shapes(void **state)
{
    (void)state;
    draft d;
    draft_init(&d);
    rp_tensor *t = draft_find(&d, "model.layers.0.mlp.up_proj.weight");
    t->shape[0] = 16;
    t->shape[1] = 24;
    assert_refused(draft_write(&d, "shape"), RP_EFORMAT,
                   "'%s/model.safetensors': tensor 'model.layers.0.mlp.up_proj.weight' has shape "
                   "[16, 24], expected [24, 16]");
    draft_init(&d);
    t = draft_find(&d, "model.norm.weight");
    t->rank = 2;
    t->shape[0] = 1;
    t->shape[1] = 16;
    assert_refused(
        draft_write(&d, "shape"), RP_EFORMAT,
        "'%s/model.safetensors': tensor 'model.norm.weight' has shape [1, 16], expected [16]");
    draft_init(&d);
    t = draft_find(&d, "score.weight");
    t->shape[0] = 2;
    t->shape[1] = 8;
    assert_refused(
        draft_write(&d, "shape"), RP_EFORMAT,
        "'%s/model.safetensors': tensor 'score.weight' has shape [2, 8], expected [1, 16]");
}

static void a_tensor_of_another_type_is_named(void **state)
{
    (void)state;
    draft d;
    draft_init(&d);
    draft_find(&d, "model.layers.1.self_attn.q_proj.weight")->dtype = RP_I32;
    assert_refused(
        draft_write(&d, "type"), RP_EFORMAT,
        "'%s/model.safetensors': tensor 'model.layers.1.self_attn.q_proj.weight' has dtype "
        "I32, expected F32, F16 or BF16");
}

static void a_tensor_that_nobody_asked_for_is_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"model.layers.0.self_attn.q_proj.bias",
                                        "model.layers.2.input_layernorm.weight",
                                        "model.layers.0.self_attn.q_norm.weight"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        draft d;
        char want[256];
        draft_init(&d);
        draft_add(&d, names[i], 16);
        snprintf(want, sizeof want,
                 "'%%s/model.safetensors': tensor '%s' is not part of the model that config.json "
                 "describes",
                 names[i]);
        assert_refused(draft_write(&d, "unknown"), RP_EFORMAT, want);
    }
}

static void other_heads_and_rope_tables_are_ignored(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_model *model = NULL;
    draft d;
    draft_init(&d);
    draft_add(&d, "lm_head.weight", 16);
    draft_add(&d, "v_head.summary.weight", 16);
    draft_add(&d, "model.layers.0.self_attn.rotary_emb.inv_freq", 4);
    assert_ok(rp_model_open(&model, &(rp_model_source){.path = draft_write(&d, "extra")}, &err),
              &err);
    rp_model_free(model);
}

static void a_model_without_a_score_head_is_refused_when_a_score_is_wanted(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_model *model = NULL;
    rp_session *session = NULL;
    const size_t start[] = {0, 1};
    const int32_t id = 3;
    rp_batch batch = {1, start, &id, NULL};
    float score;
    char want[512];
    draft d;
    draft_init(&d);
    draft_drop(&d, "score.weight");
    const char *dir = draft_write(&d, "headless");
    snprintf(want, sizeof want, "'%s': no score head: tensor 'score.weight' is missing", dir);
    assert_ok(rp_model_open(&model, &(rp_model_source){.path = dir}, &err), &err);
    assert_false(rp_model_about(model)->has_score);
    assert_string_equal(rp_model_about(model)->score_tensor, "score.weight");
    assert_fails(rp_model_require_score(model, &err), &err, RP_EFORMAT, want);
    assert_ok(rp_session_new(&session, model,
                             &(rp_session_options){.memory = 1 << 24, .threads = 1}, &err),
              &err);
    assert_fails(rp_session_forward(session, &batch, NULL, &score, NULL, &err), &err, RP_EFORMAT,
                 want);
    assert_ok(rp_session_forward(session, &batch, NULL, NULL, NULL, &err), &err);
    rp_session_free(session);
    rp_model_free(model);
}

static void a_score_that_is_not_finite_is_an_error(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_model *model = NULL;
    rp_session *session = NULL;
    const size_t start[] = {0, 1};
    const int32_t id = 3;
    rp_batch batch = {1, start, &id, NULL};
    const uint32_t nan[16] = {0x7fc00000};
    float score;
    char want[512];
    draft d;
    draft_init(&d);
    draft_find(&d, "model.norm.weight")->data = nan;
    const char *dir = draft_write(&d, "nan");
    snprintf(want, sizeof want, "'%s': the score of sequence 0 is not finite", dir);
    assert_ok(rp_model_open(&model, &(rp_model_source){.path = dir}, &err), &err);
    assert_ok(rp_session_new(&session, model,
                             &(rp_session_options){.memory = 1 << 24, .threads = 1}, &err),
              &err);
    assert_fails(rp_session_forward(session, &batch, NULL, &score, NULL, &err), &err, RP_ECOMPUTE,
                 want);
    rp_session_free(session);
    rp_model_free(model);
}

static void what_is_known_of_a_model_is_told(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_model *model = NULL, *again = NULL;
    assert_ok(rp_model_open(&model,
                            &(rp_model_source){.path = rp_test_golden("model/grouped_bf16")}, &err),
              &err);
    const rp_model_info *m = rp_model_about(model);
    assert_string_equal(m->family, "llama");
    assert_string_equal(m->dtype, "BF16");
    assert_int_equal(m->layers, 2);
    assert_int_equal(m->width, 16);
    assert_int_equal(m->ffn, 24);
    assert_int_equal(m->heads, 4);
    assert_int_equal(m->kv_heads, 2);
    assert_int_equal(m->head_dim, 4);
    assert_int_equal(m->vocabulary, 40);
    assert_int_equal(m->max_positions, 64);
    assert_int_equal(m->parameters, 40 * 16 + 2 * (2 * 16 + 768 + 3 * 24 * 16) + 16 + 16);
    assert_true(m->has_score);
    assert_int_equal(rp_model_site_width(model, RP_SITE_MLP_ACT), 24);
    assert_int_equal(rp_model_site_width(model, RP_SITE_RESID_MID), 16);
    assert_ok(rp_model_open(&again,
                            &(rp_model_source){.path = rp_test_golden("model/grouped_bf16")}, &err),
              &err);
    assert_true(m->fingerprint == rp_model_about(again)->fingerprint);
    rp_model_free(again);
    rp_model_free(model);
}

static void one_changed_weight_changes_the_fingerprint(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_model *model = NULL;
    uint64_t print[2];
    for (int i = 0; i < 2; i++) {
        draft d;
        float ones[16];
        draft_init(&d);
        for (size_t k = 0; k < 16; k++) ones[k] = 1;
        ones[15] += (float)i * 1e-6f;
        draft_find(&d, "model.norm.weight")->data = ones;
        assert_ok(
            rp_model_open(&model, &(rp_model_source){.path = draft_write(&d, "changed")}, &err),
            &err);
        print[i] = rp_model_about(model)->fingerprint;
        rp_model_free(model);
    }
    assert_true(print[0] != print[1]);
}

/* A copy of the sharded golden model whose index is `index`, written by the test. */
static const char *write_index(const char *index)
{
    static const char *const files[] = {
        "config.json", "model-00001-of-00004.safetensors", "model-00002-of-00004.safetensors",
        "model-00003-of-00004.safetensors", "model-00004-of-00004.safetensors"};
    char from[128], to[128];
    mkdir(rp_test_path("sharded"), 0777);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        size_t n;
        snprintf(from, sizeof from, "model/untied_sharded/%s", files[i]);
        snprintf(to, sizeof to, "sharded/%s", files[i]);
        char *bytes = rp_test_read(rp_test_golden(from), &n);
        rp_test_write(to, bytes, n);
        free(bytes);
    }
    rp_test_write_text("sharded/model.safetensors.index.json", index);
    return rp_test_path("sharded");
}

static void a_bad_index_of_shards_is_named(void **state)
{
    (void)state;
#define INDEX "'%s/model.safetensors.index.json'"
    static const struct {
        const char *index, *message;
    } bad[] = {
        {"{", INDEX " line 1: string or '}' expected near end of file"},
        {"[]", INDEX ": key 'weight_map' is missing or empty"},
        {"{\"weight_map\": {}}", INDEX ": key 'weight_map' is missing or empty"},
        {"{\"weight_map\": {\"a\": 1}}", INDEX ": the file of tensor 'a' is not a plain file name"},
        {"{\"weight_map\": {\"a\": \"../x\"}}",
         INDEX ": the file of tensor 'a' is not a plain file name"},
        {"{\"weight_map\": {\"a\": \"..\"}}",
         INDEX ": the file of tensor 'a' is not a plain file name"},
        {"{\"weight_map\": {\"a\": \"b.safetensors\"}}",
         "'%s/b.safetensors': no such file or directory"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_refused(write_index(bad[i].index),
                       i + 1 < sizeof bad / sizeof *bad ? RP_EFORMAT : RP_EIO, bad[i].message);
    rp_error err = {0};
    rp_model *model = NULL;
    char want[1024];
    const char *dir =
        write_index("{\"weight_map\": {\"a\": \"model-00001-of-00004.safetensors\"}}");
    snprintf(want, sizeof want,
             "'%s/model.safetensors.index.json': tensor 'a' is not in "
             "'%s/model-00001-of-00004.safetensors'",
             dir, dir);
    assert_fails(rp_model_open(&model, &(rp_model_source){.path = dir}, &err), &err, RP_EFORMAT,
                 want);
    assert_refused(write_index("{\"weight_map\": {\"model.layers.0.input_layernorm.weight\": "
                               "\"model-00002-of-00004.safetensors\"}}"),
                   RP_EFORMAT, INDEX ": lists 1 tensors, its files hold 6");
}

static void a_directory_without_weights_is_named(void **state)
{
    (void)state;
    size_t n;
    char *config = rp_test_read(rp_test_golden("model/plain/config.json"), &n);
    mkdir(rp_test_path("weightless"), 0777);
    rp_test_write("weightless/config.json", config, n);
    free(config);
    assert_refused(rp_test_path("weightless"), RP_EIO,
                   "'%s': no model.safetensors, model.safetensors.index.json, pytorch_model.bin or "
                   "pytorch_model.bin.index.json");
}

static void every_family_names_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *model, *drop, *message;
    } missing[] = {
        {"neox", "gpt_neox.layers.1.attention.query_key_value.bias",
         "'%s': tensor 'gpt_neox.layers.1.attention.query_key_value.bias' is missing"},
        {"neox", "gpt_neox.embed_in.weight", "'%s': tensor 'gpt_neox.embed_in.weight' is missing"},
        {"bert", "bert.encoder.layer.0.output.LayerNorm.bias",
         "'%s': tensor 'bert.encoder.layer.0.output.LayerNorm.bias' is missing"},
        {"bert", "bert.pooler.dense.weight", "'%s': tensor 'bert.pooler.dense.weight' is missing"},
        {"electra", "electra.embeddings_project.weight",
         "'%s': tensor 'electra.embeddings_project.weight' is missing"},
        {"roberta", "classifier.dense.bias", "'%s': tensor 'classifier.dense.bias' is missing"},
        {"t5_gated", "shared.weight", "'%s': tensor 'encoder.embed_tokens.weight' is missing"},
        {"t5_gated", "encoder.block.1.layer.1.DenseReluDense.wi_1.weight",
         "'%s': tensor 'encoder.block.1.layer.1.DenseReluDense.wi_1.weight' is missing"},
    };
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++) {
        draft d;
        draft_of(&d, missing[i].model);
        draft_drop(&d, missing[i].drop);
        assert_refused(draft_write(&d, "family"), RP_EFORMAT, missing[i].message);
    }
    draft d;
    draft_of(&d, "bert");
    rp_tensor *t = draft_find(&d, "classifier.weight"),
              *from = draft_find(&d, "bert.pooler.dense.weight");
    t->shape[0] = 2; /* two labels are no score */
    t->count = 32;
    t->data = from->data;
    assert_refused(draft_write(&d, "labels"), RP_EFORMAT,
                   "'%s/model.safetensors': tensor 'classifier.weight' has shape [2, 16], expected "
                   "[1, 16]");
    draft_of(&d, "neox");
    draft_add(&d, "gpt_neox.layers.0.attention.rotary_emb.cos_cached", 4);
    assert_refused(draft_write(&d, "unknown"), RP_EFORMAT,
                   "'%s/model.safetensors': tensor "
                   "'gpt_neox.layers.0.attention.rotary_emb.cos_cached' is not part of the model "
                   "that config.json describes");
}

static void a_table_of_t5_is_found_under_either_name(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_model *model = NULL;
    draft d;
    draft_of(&d, "t5_gated");
    draft_find(&d, "shared.weight")->name = "encoder.embed_tokens.weight";
    assert_ok(rp_model_open(&model, &(rp_model_source){.path = draft_write(&d, "t5")}, &err), &err);
    assert_string_equal(rp_model_about(model)->family, "t5");
    assert_string_equal(rp_model_about(model)->details,
                        "pre RMSNorm eps 1e-06, gated gelu (tanh), bidirectional, 8 relative "
                        "buckets to 20");
    rp_model_free(model);
}

static void parallel_blocks_have_no_resid_mid(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_model *model = NULL;
    const char *dir = rp_test_golden("model/neox");
    char want[300];
    assert_ok(rp_model_open(&model, &(rp_model_source){.path = dir}, &err), &err);
    snprintf(want, sizeof want,
             "'%s': no site resid_mid: attention and MLP of its blocks are parallel", dir);
    assert_fails(rp_model_check_site(model, RP_SITE_RESID_MID, &err), &err, RP_EARG, want);
    assert_ok(rp_model_check_site(model, RP_SITE_MLP_OUT, &err), &err);
    assert_string_equal(rp_model_about(model)->details,
                        "pre LayerNorm eps 1e-05, gelu, causal, parallel residual, rope default "
                        "theta 10000 on 2 of 8");
    rp_model_free(model);
}

static void sites_have_names(void **state)
{
    (void)state;
    rp_site site;
    for (rp_site s = 0; s < RP_SITES; s++) {
        assert_true(rp_site_find(rp_site_name(s), &site));
        assert_int_equal(site, s);
    }
    assert_false(rp_site_find("resid_pre", &site));
    assert_int_equal(rp_model_site_first(RP_SITE_RESID_POST), 0);
    assert_int_equal(rp_model_site_first(RP_SITE_MLP_OUT), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missing_tensor_is_named),
        cmocka_unit_test(a_tensor_of_another_shape_is_named_with_both_shapes),
        cmocka_unit_test(a_tensor_of_another_type_is_named),
        cmocka_unit_test(a_tensor_that_nobody_asked_for_is_refused),
        cmocka_unit_test(other_heads_and_rope_tables_are_ignored),
        cmocka_unit_test(a_model_without_a_score_head_is_refused_when_a_score_is_wanted),
        cmocka_unit_test(a_score_that_is_not_finite_is_an_error),
        cmocka_unit_test(what_is_known_of_a_model_is_told),
        cmocka_unit_test(one_changed_weight_changes_the_fingerprint),
        cmocka_unit_test(a_bad_index_of_shards_is_named),
        cmocka_unit_test(a_directory_without_weights_is_named),
        cmocka_unit_test(every_family_names_what_is_wrong),
        cmocka_unit_test(a_table_of_t5_is_found_under_either_name),
        cmocka_unit_test(parallel_blocks_have_no_resid_mid),
        cmocka_unit_test(sites_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
