/* Views and pooling, against a plain computation. */
#include "run/fixture.h"

enum { N = 3, WIDTH = 300, LAYERS = 2 };

static void views_are_parsed_with_defaults(void **state)
{
    static const struct {
        const char *name, *full;
    } good[] = {{"resid_post", "resid_post.all.mean"},
                {"mlp_act.last", "mlp_act.last.mean"},
                {"attn_out.nobos.max", "attn_out.nobos.max"},
                {"resid_mid.query.mean", "resid_mid.query.mean"}};
    static const struct {
        const char *name, *text;
    } bad[] = {
        {"resid", "view 'resid': unknown site 'resid' (resid_post, mlp_out, mlp_act, attn_out, "
                  "resid_mid)"},
        {"resid_post.first", "view 'resid_post.first': unknown token set 'first' (all, nobos, "
                             "query, document, last)"},
        {"resid_post.all.sum", "view 'resid_post.all.sum': unknown pool 'sum' (mean, max)"},
        {"resid_post.all.mean.x",
         "view 'resid_post.all.mean.x': unknown pool 'mean.x' (mean, max)"},
        {"", "view '': unknown site '' (resid_post, mlp_out, mlp_act, attn_out, resid_mid)"}};
    rp_model *model = NULL;
    rp_error err = {0};
    rp_view view;

    (void)state;
    assert_ok(rp_model_open(&model, &(rp_model_source){.path = GOLDEN "model"}, &err), &err);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_ok(rp_view_parse(&view, good[i].name, model, &err), &err);
        assert_string_equal(view.name, good[i].full);
        assert_int_equal(view.width, view.site == RP_SITE_MLP_ACT ? 48 : 32);
        assert_int_equal(view.layer_first, view.site == RP_SITE_RESID_POST ? 0 : 1);
        assert_int_equal(view.layer_last, 2);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_fails(rp_view_parse(&view, bad[i].name, model, &err), &err, RP_EARG, bad[i].text);
    rp_model_free(model);
}

static void pooling_is_the_mean_and_the_maximum_over_the_set(void **state)
{
    size_t start[N + 1] = {0, 1, 6, 16};
    uint8_t set[16];
    int32_t id[16] = {0};
    float values[16 * WIDTH], mean[LAYERS * N * WIDTH], max[LAYERS * N * WIDTH];
    float *x[] = {mean, max};
    rp_view view[] = {{"", RP_SITE_MLP_OUT, RP_SET_QUERY, false, WIDTH, 1, 2},
                      {"", RP_SITE_MLP_OUT, RP_SET_QUERY, true, WIDTH, 1, 2}};
    rp_sequences s = {N, start, id, NULL, set};
    rp_pool pool = {view, 2, N, 0, &s, x};
    rp_observer observer = rp_pool_observer(&pool);

    (void)state;
    for (size_t t = 0; t < 16; t++) set[t] = t % 3 == 1 || t == 0 ? RP_SET_QUERY : RP_SET_ALL;
    for (size_t i = 0; i < 16 * WIDTH; i++) values[i] = (float)sin((double)i * (double)i) - 2;
    assert_int_equal(observer.sites, 1u << RP_SITE_MLP_OUT);
    /* Two batches: the sequence 0 alone, then 1 and 2, whose first tokens stand apart; layer 2. */
    const float *head = values + WIDTH, *second = values + 6 * WIDTH;
    observer.see(&pool, RP_SITE_MLP_OUT, 2, &(rp_values){0, WIDTH, 0, 1, NULL, values});
    pool.first = 1;
    observer.see(&pool, RP_SITE_MLP_OUT, 2, &(rp_values){0, WIDTH, 2, 3, head, head + 2 * WIDTH});
    observer.see(&pool, RP_SITE_MLP_OUT, 2,
                 &(rp_values){1, WIDTH, 9, 1, second, second + 9 * WIDTH});
    observer.see(&pool, RP_SITE_ATTN_OUT, 2, &(rp_values){1, WIDTH, 0, 10, NULL, values});
    for (size_t n = 0; n < N; n++)
        for (size_t c = 0; c < WIDTH; c++) {
            double sum = 0, count = 0, top = -INFINITY;
            for (size_t t = start[n]; t < start[n + 1]; t++) {
                if (!(set[t] & RP_SET_QUERY)) continue;
                sum += values[t * WIDTH + c];
                top = fmax(top, values[t * WIDTH + c]);
                count++;
            }
            assert_true(mean[(N + n) * WIDTH + c] == (float)(sum / count));
            assert_true(max[(N + n) * WIDTH + c] == (float)top);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(views_are_parsed_with_defaults),
        cmocka_unit_test(pooling_is_the_mean_and_the_maximum_over_the_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
