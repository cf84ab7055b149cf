/* Hidden states and scores against transformers in float32 (tools/fixtures/model.py). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/safetensors.h"
#include "fixture.h"

#define ALL_SITES ((1u << RP_SITES) - 1)

static const char *const cases[] = {
    "plain",        "grouped_bf16",   "single_key_f16",
    "tied",         "untied_sharded", "bare",
    "llama3_rope",  "linear_rope",    "biases",
    "mistral",      "qwen2",          "qwen3",
    "qwen3_biases", "neox",           "neox_sequential",
    "neox_old",     "neox_bare",      "bert",
    "bert_old",     "bert_bare",      "electra",
    "electra_wide", "roberta",        "xlm_roberta",
    "t5",           "t5_gated",       "t5_silu",
    "mt5",          "adapter_llama",  "adapter_llama_bin",
    "adapter_neox", "adapter_bert",   "llama_bin",
    "neox_bin",
};

static const rp_tensor *tensor_of(const rp_safetensors *st, const char *name)
{
    const rp_tensor *t = rp_safetensors_find(st, name);
    if (!t) fail_msg("%s: no tensor %s", rp_safetensors_path(st), name);
    return t;
}

/* max |got - want| / max |want|; NaN counts as infinite */
static double distance(const float *got, const float *want, size_t n)
{
    double worst = 0, scale = 0;
    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)got[i] - (double)want[i]);
        if (!(d <= worst)) worst = isnan(d) ? INFINITY : d;
        if (fabs((double)want[i]) > scale) scale = fabs((double)want[i]);
    }
    return worst / scale;
}

static double check_sites(const rp_keep *keep, const rp_model *model, const rp_safetensors *st)
{
    double worst = 0;
    size_t tokens = keep->batch->start[keep->batch->nseq];
    for (rp_site s = 0; s < RP_SITES; s++) {
        if (rp_model_check_site(model, s, NULL)) continue;
        for (size_t l = rp_model_site_first(s); l <= rp_model_about(model)->layers; l++) {
            char name[64];
            snprintf(name, sizeof name, "%s.%zu", rp_site_name(s), l);
            const rp_tensor *want = tensor_of(st, name);
            assert_int_equal(want->count, tokens * rp_model_site_width(model, s));
            for (size_t t = 0; t < tokens; t++) assert_int_equal(keep->times[s][l][t], 1);
            double d = distance(keep->values[s][l], want->data, want->count);
            if (!(d <= 1e-4))
                fail_msg("%s %s: differs by %g of the largest", rp_safetensors_path(st), name, d);
            if (d > worst) worst = d;
        }
    }
    return worst;
}

static void check_embeddings(rp_session *session, const rp_batch *batch, size_t D,
                             const rp_safetensors *st)
{
    rp_error err = {0};
    float *got = calloc(batch->nseq * D, sizeof *got);
    assert_non_null(got);
    assert_ok(rp_session_embed(session, got, batch, NULL, &err), &err);
    double d = distance(got, tensor_of(st, "embed")->data, batch->nseq * D);
    if (!(d <= 1e-4)) fail_msg("%s: embeddings differ by %g", rp_safetensors_path(st), d);
    free(got);
}

static void check_case(const char *name)
{
    rp_error err = {0};
    char dir[256], path[256];
    rp_model *model = NULL;
    rp_session *session = NULL;
    rp_safetensors *st = NULL;
    rp_keep keep;
    snprintf(dir, sizeof dir, "model/%s", name);
    snprintf(path, sizeof path, "model/%s/expected.safetensors", name);
    const rp_model_source source = {.path = rp_test_golden(dir), .models = "tests/golden/model"};
    assert_ok(rp_model_open(&model, &source, &err), &err);
    assert_ok(rp_safetensors_open(&st, rp_test_golden(path), &err), &err);
    const rp_tensor *start = tensor_of(st, "start"), *scores = rp_safetensors_find(st, "scores");
    const rp_tensor *segment = rp_safetensors_find(st, "segment");
    rp_batch batch = {start->count - 1, start->data, tensor_of(st, "ids")->data,
                      segment ? segment->data : NULL};
    float *got = calloc(batch.nseq, sizeof *got);
    assert_non_null(got);
    rp_keep_init(&keep, model, &batch);
    rp_observer observer = rp_keep_observer(&keep, ALL_SITES);
    assert_ok(rp_session_new(&session, model,
                             &(rp_session_options){.memory = 1 << 24, .threads = 0}, &err),
              &err);
    assert_ok(rp_session_forward(session, &batch, &observer, scores ? got : NULL, NULL, &err),
              &err);
    double worst = check_sites(&keep, model, st);
    check_embeddings(session, &batch, rp_model_about(model)->width, st);
    assert_true(rp_model_about(model)->has_score == (scores != NULL));
    if (scores) assert_close(got, (const float *)scores->data, batch.nseq, 0, 1e-4);
    print_message("%s: sites within %.1e of the largest value\n", name, worst);
    rp_keep_release(&keep);
    rp_session_free(session);
    rp_safetensors_free(st);
    rp_model_free(model);
    free(got);
}

static void hidden_states_and_scores_are_those_of_transformers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check_case(cases[i]);
}

/* got [nseq, width] <- means over the tokens of every sequence */
static void mean_tokens(float *got, const rp_batch *batch, const float *values, size_t width)
{
    for (size_t s = 0; s < batch->nseq; s++) {
        for (size_t d = 0; d < width; d++) {
            double sum = 0;
            for (size_t t = batch->start[s]; t < batch->start[s + 1]; t++)
                sum += (double)values[t * width + d];
            got[s * width + d] = (float)(sum / (double)(batch->start[s + 1] - batch->start[s]));
        }
    }
}

static void a_trained_model_agrees_with_transformers(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_model *model = NULL;
    rp_session *session = NULL;
    rp_safetensors *st = NULL;
    rp_keep keep;
    double worst = 0;
    const char *dir = rp_test_shared("models/stories260k");
    if (!dir) skip();
    assert_ok(rp_model_open(&model, &(rp_model_source){.path = dir}, &err), &err);
    assert_ok(rp_safetensors_open(&st, rp_test_golden("model/stories260k.safetensors"), &err),
              &err);
    const rp_tensor *start = tensor_of(st, "start");
    rp_batch batch = {start->count - 1, start->data, tensor_of(st, "ids")->data, NULL};
    rp_keep_init(&keep, model, &batch);
    rp_observer observer = rp_keep_observer(&keep, ALL_SITES);
    assert_ok(rp_session_new(&session, model,
                             &(rp_session_options){.memory = 1 << 26, .threads = 0}, &err),
              &err);
    assert_ok(rp_session_forward(session, &batch, &observer, NULL, NULL, &err), &err);
    for (rp_site s = 0; s < RP_SITES; s++) {
        size_t width = rp_model_site_width(model, s);
        float *got = calloc(batch.nseq * width, sizeof *got);
        assert_non_null(got);
        for (size_t l = rp_model_site_first(s); l <= rp_model_about(model)->layers; l++) {
            char name[64];
            snprintf(name, sizeof name, "%s.%zu", rp_site_name(s), l);
            mean_tokens(got, &batch, keep.values[s][l], width);
            double d = distance(got, tensor_of(st, name)->data, batch.nseq * width);
            if (!(d <= 1e-4)) fail_msg("%s differs by %g of the largest", name, d);
            if (d > worst) worst = d;
        }
        free(got);
    }
    print_message("stories260k: means within %.1e of the largest value\n", worst);
    rp_keep_release(&keep);
    rp_session_free(session);
    rp_safetensors_free(st);
    rp_model_free(model);
}

/* Threads by the million stand for a model whose layers are too large: both are counted. */
static void more_memory_than_there_is_is_refused_before_anything_is_made(void **state)
{
    (void)state;
    rp_model *model;
    rp_session *session;
    rp_error err;
    const rp_model_source source = {rp_test_golden("run/model"), NULL, NULL};
    assert_ok(rp_model_open(&model, &source, &err), &err);
    rp_session_options o = {.memory = 1 << 24, .threads = 50000000};
    assert_int_equal(rp_session_new(&session, model, &o, &err), RP_ENOMEM);
    assert_non_null(strstr(err.text, "run/model' needs "));
    assert_non_null(strstr(err.text, " and 50000000 threads ("));
    rp_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hidden_states_and_scores_are_those_of_transformers),
        cmocka_unit_test(a_trained_model_agrees_with_transformers),
        cmocka_unit_test(more_memory_than_there_is_is_refused_before_anything_is_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
