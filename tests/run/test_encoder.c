/* A cross-encoder through score and capture: segments, its own template, token sets, and a probe's
 * food, against transformers (tools/fixtures/encoder_store.py). */
#include "fixture.h"

#define MODEL GOLDEN "encoder"

static const char *const views[] = {"resid_post.all.mean",   "resid_post.nobos.mean",
                                    "resid_post.query.mean", "resid_post.document.max",
                                    "resid_post.last.mean",  "mlp_act.document.mean",
                                    "mlp_act.query.max"};
#define NVIEWS (sizeof views / sizeof *views)

static const rp_safetensors *numbers(void)
{
    static rp_safetensors *st;
    rp_error err = {0};
    if (!st) assert_ok(rp_safetensors_open(&st, GOLDEN "encoder.safetensors", &err), &err);
    return st;
}

static rp_template_options template_(void)
{
    return golden_template("auto");
}

static void the_pair_and_its_segments_are_those_of_transformers(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_inputs in;
    rp_workload w;
    rp_sequences s;
    rp_template_options t = template_();
    rp_inputs_init(&in);
    golden_inputs(&in);
    assert_ok(rp_workload_open(&w, &in, &(rp_model_source){.path = MODEL}, &t, true, NULL, &err),
              &err);
    assert_ok(rp_sequences_encode(&s, w.template_, rp_model_about(w.model), w.pairs.pair, PAIRS,
                                  RP_SET_ALL, 1, &err),
              &err);
    const rp_tensor *start = rp_safetensors_find(numbers(), "start");
    const rp_tensor *segment = rp_safetensors_find(numbers(), "segment");
    assert_int_equal(start->count, PAIRS + 1);
    for (size_t i = 0; i <= PAIRS; i++)
        assert_int_equal(s.start[i], ((const int64_t *)start->data)[i]);
    assert_memory_equal(s.segment, segment->data, segment->count * sizeof(int32_t));
    rp_sequences_release(&s);
    rp_workload_release(&w);
}

static void every_view_of_a_cross_encoder_has_the_numbers_of_transformers(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_store *s = NULL;
    rp_capture_options o = golden_capture(rp_test_path("encoder"));
    o.model = MODEL;
    o.template_ = template_();
    o.views = views;
    o.nviews = NVIEWS;
    assert_ok(rp_capture(&o, NULL, &err), &err);
    assert_ok(rp_store_open(&s, o.store, &err), &err);
    assert_int_equal(rp_store_views(s), NVIEWS);
    const float *score = rp_safetensors_find(numbers(), "score")->data;
    for (size_t r = 0; r < PAIRS; r++)
        assert_true(fabs(rp_store_row_at(s, r)->score - (double)score[r]) < 1e-4);
    for (size_t v = 0; v < NVIEWS; v++) {
        const rp_store_view *view = rp_store_view_at(s, v);
        assert_string_equal(view->name, views[v]);
        for (size_t l = view->layer_first; l <= view->layer_last; l++) {
            char name[64];
            float x[PAIRS * 24];
            snprintf(name, sizeof name, "%s/layer.%zu", view->name, l);
            const rp_tensor *want = rp_safetensors_find(numbers(), name);
            assert_non_null(want);
            assert_int_equal(want->count, PAIRS * view->width);
            assert_ok(rp_store_read(s, x, v, l, &err), &err);
            assert_close(x, (const float *)want->data, want->count, 1e-4, 1e-5);
        }
    }
    rp_store_free(s);
}

static void what_the_model_saw_is_in_the_store(void **state)
{
    (void)state;
    json_t *json = json_load_file(rp_test_path("encoder/store.json"), 0, NULL);
    const json_t *settings = json_object_get(json, "settings");
    const json_t *segments = json_object_get(json_object_get(settings, "sample"), "segments");
    const json_t *template_name = json_object_get(json_object_get(settings, "template"), "name");
    size_t n = json_array_size(segments);
    assert_string_equal(json_string_value(template_name), "pair");
    assert_true(n > 3);
    assert_int_equal(json_integer_value(json_array_get(segments, 0)), 0);
    assert_int_equal(json_integer_value(json_array_get(segments, n - 1)), 1);
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_pair_and_its_segments_are_those_of_transformers),
        cmocka_unit_test(every_view_of_a_cross_encoder_has_the_numbers_of_transformers),
        cmocka_unit_test(what_the_model_saw_is_in_the_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
