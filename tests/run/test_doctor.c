/* What doctor says of a model, and what it finds when a dump is not what the model computes. */
#include <unistd.h>

#include "base/number.h"
#include "run/agreement.h"
#include "run/fixture.h"

#define DIFFERS "the model differs from '%s': first at "

static rp_doctor_options golden_doctor(const char *model, const char *reference)
{
    rp_doctor_options o;
    rp_doctor_options_init(&o);
    o.model = model;
    o.reference = reference;
    o.output = rp_test_path("report");
    return o;
}

/* The value of the report's line that begins with key; fails the test when there is none. */
static const char *line_of(const char *report, const char *key)
{
    static char line[8192];
    size_t n = strlen(key);

    for (const char *at = report; *at; at += strcspn(at, "\n") + 1) {
        if (strncmp(at, key, n) != 0 || at[n] != ' ') continue;
        at += n + strspn(at + n, " ");
        snprintf(line, sizeof line, "%.*s", (int)strcspn(at, "\n"), at);
        return line;
    }
    fail_msg("no line '%s' in:\n%s", key, report);
    return NULL;
}

/* ---- altered dumps ---- */

/* A dump in the temporary directory: GOLDEN reference with one thing changed. */
typedef struct change {
    const char *name;    /* tensor that is changed, and how */
    size_t at;           /* element */
    float value;         /* its new value; of an integer tensor, rounded */
    const char *rename;  /* NULL: keeps its name; "": left out */
    bool transposed;     /* shape [a, b] becomes [b, a], a list [1, a] */
    const char *json[2]; /* text of reference.json, and what stands in its place */
} change;

static void change_element(const rp_tensor *t, void *data, const change *c)
{
    if (t->dtype == RP_F32)
        ((float *)data)[c->at] = c->value;
    else if (t->dtype == RP_BF16)
        ((uint16_t *)data)[c->at] = rp_bfloat_from_float(c->value);
    else if (t->dtype == RP_I32)
        ((int32_t *)data)[c->at] = (int32_t)c->value;
    else
        ((int64_t *)data)[c->at] = (int64_t)c->value;
}

static void write_tensors(const char *from, const char *to, const change *c)
{
    rp_safetensors *st = NULL;
    rp_tensor *list;
    void *data = NULL;
    size_t n = 0;
    rp_error err = {0};
    FILE *file = fopen(to, "wb");

    assert_non_null(file);
    assert_ok(rp_safetensors_open(&st, from, &err), &err);
    list = calloc(rp_safetensors_count(st), sizeof *list);
    assert_non_null(list);
    for (size_t i = 0; i < rp_safetensors_count(st); i++) {
        rp_tensor *t = &list[n++];
        *t = *rp_safetensors_at(st, i);
        if (!c->name || strcmp(t->name, c->name) != 0) continue;
        size_t bytes = t->count * rp_dtype_size(t->dtype);
        data = malloc(bytes);
        assert_non_null(data);
        memcpy(data, t->data, bytes);
        t->data = data;
        if (!c->rename && !c->transposed) change_element(t, data, c);
        if (c->rename) t->name = c->rename;
        if (c->transposed) {
            t->shape[1] = t->shape[0];
            t->shape[0] = t->rank == 1 ? 1 : t->count / t->shape[1];
            t->rank = 2;
        }
        if (!*t->name) n--;
    }
    assert_ok(rp_safetensors_write(file, list, n, NULL, &err), &err);
    fclose(file);
    free(data);
    free(list);
    rp_safetensors_free(st);
}

static const char *altered(const change *c)
{
    static char dir[512];
    char path[600];
    char *json = rp_test_read(GOLDEN "reference/reference.json", NULL), *found;
    rp_text text = {0};
    rp_error err = {0};

    snprintf(dir, sizeof dir, "%s", rp_test_path("dump"));
    assert_ok(rp_path_make_dirs(dir, &err), &err);
    snprintf(path, sizeof path, "%s/reference.safetensors", dir);
    write_tensors(GOLDEN "reference/reference.safetensors", path, c);
    found = c->json[0] ? strstr(json, c->json[0]) : json;
    assert_non_null(found);
    rp_text_append(&text, json, (size_t)(found - json), NULL);
    if (c->json[0]) {
        rp_text_append(&text, c->json[1], strlen(c->json[1]), NULL);
        found += strlen(c->json[0]);
    }
    rp_text_append(&text, found, strlen(found), NULL);
    snprintf(path, sizeof path, "%s/reference.json", dir);
    rp_test_write(path, text.data, text.len);
    rp_text_release(&text);
    free(json);
    return dir;
}

/* ---- tests ---- */

static void the_report_says_what_was_understood(void **state)
{
    static const struct {
        const char *key, *value;
    } lines[] = {{"model", GOLDEN "model"},
                 {"family", "llama"},
                 {"layers", "2"},
                 {"width", "32"},
                 {"ffn", "48"},
                 {"heads", "4"},
                 {"kv_heads", "2"},
                 {"head_width", "8"},
                 {"vocabulary", "496"},
                 {"positions", "128, by max_position_embeddings"},
                 {"dtype", "BF16"},
                 {"score_head", "score.weight"},
                 {"site.resid_post", "layers 0-2, width 32"},
                 {"site.mlp_act", "layers 1-2, width 48"},
                 {"site.resid_mid", "layers 1-2, width 32"},
                 {"tokenizer.size", "496"},
                 {"special.bos", "1      <s>"},
                 {"template", "rankllama-pair, at most 32 tokens of query and 164 of document"},
                 {"query", "electric kettle"},
                 {"sequence", "9 tokens: id, segment, sets, piece"},
                 {"token.0", "1      0 bos            <s>"},
                 {"token.1", "344    0 query          ▁query:"},
                 {"token.5", "1      1 bos            <s>"},
                 {"token.8", "458    1 document last  ▁boils"},
                 {"activations", "finite at every site of every layer"}};
    rp_doctor_options o = golden_doctor(GOLDEN "model", NULL);
    rp_error err = {0};

    (void)state;
    o.query = "electric kettle";
    o.document = "boils";
    assert_ok(rp_doctor(&o, NULL, &err), &err);
    char *report = rp_test_read(o.output, NULL);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        assert_string_equal(line_of(report, lines[i].key), lines[i].value);
    assert_null(strstr(report, "verdict"));
    free(report);
}

static void an_encoder_gets_the_bare_pair_and_its_segments(void **state)
{
    rp_doctor_options o = golden_doctor(GOLDEN "encoder", NULL);
    rp_error err = {0};

    (void)state;
    o.query = "kettle";
    o.document = "boils";
    assert_ok(rp_doctor(&o, NULL, &err), &err);
    char *report = rp_test_read(o.output, NULL);
    assert_string_equal(line_of(report, "segments"), "2");
    assert_non_null(strstr(line_of(report, "template"), "pair, "));
    assert_string_equal(line_of(report, "token.0"), "1      0 bos            <s>");
    assert_null(strstr(report, "query:"));
    assert_non_null(strstr(report, " 1 document "));
    free(report);
}

static void a_model_agrees_with_its_reference(void **state)
{
    static const char *const pairs[][2] = {{GOLDEN "model", GOLDEN "reference"},
                                           {GOLDEN "encoder", GOLDEN "encoder_reference"}};
    rp_error err = {0};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        rp_doctor_options o = golden_doctor(pairs[i][0], pairs[i][1]);
        assert_ok(rp_doctor(&o, NULL, &err), &err);
        char *report = rp_test_read(o.output, NULL);
        assert_string_equal(line_of(report, "verdict"), "agrees");
        assert_non_null(strstr(line_of(report, "ids.0"), "agree, "));
        assert_non_null(strstr(line_of(report, "ids.1"), "agree, "));
        for (rp_site site = 0; site < RP_SITES; site++) {
            char key[64];
            double worst, mean, relative, cosine;
            snprintf(key, sizeof key, "%s.2", rp_site_name(site));
            assert_int_equal(
                sscanf(line_of(report, key), "%lf %lf %lf %lf", &worst, &mean, &relative, &cosine),
                4);
            assert_true(worst > 0 && mean > 0 && mean <= worst && relative < 1e-5);
            assert_true(fabs(cosine - 1) < 1e-7);
        }
        assert_non_null(strstr(line_of(report, "score.1"), "the reference has "));
        assert_null(strstr(report, "differ"));
        free(report);
    }
}

static void every_family_and_adapter_agrees_at_every_site_without_a_tokenizer(void **state)
{
    static const char *const cases[][2] = {{"plain", "llama"},
                                           {"llama3_rope", "llama"},
                                           {"biases", "llama"},
                                           {"mistral", "mistral"},
                                           {"qwen2", "qwen2"},
                                           {"qwen3_biases", "qwen3"},
                                           {"neox", "gpt_neox"},
                                           {"neox_sequential", "gpt_neox"},
                                           {"bert", "bert"},
                                           {"electra", "electra"},
                                           {"roberta", "roberta"},
                                           {"xlm_roberta", "xlm-roberta"},
                                           {"t5_gated", "t5"},
                                           {"mt5", "mt5"},
                                           {"adapter_llama", "llama"},
                                           {"adapter_bert", "bert"},
                                           {"adapter_neox", "gpt_neox"}};
    char dir[512];

    (void)state;
    snprintf(dir, sizeof dir, "%s", rp_test_path("dump"));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char model[256], path[600], json[256], *tensors;
        size_t n;
        rp_error err = {0};
        snprintf(model, sizeof model, "tests/golden/model/%s", cases[i][0]);
        assert_ok(rp_path_make_dirs(dir, &err), &err);
        snprintf(path, sizeof path, "%s/expected.safetensors", model);
        tensors = rp_test_read(path, &n);
        snprintf(path, sizeof path, "%s/reference.safetensors", dir);
        rp_test_write(path, tensors, n);
        free(tensors);
        snprintf(path, sizeof path, "%s/reference.json", dir);
        snprintf(json, sizeof json,
                 "{\"format\": \"rankprobe-reference\", \"format_version\": 1, \"family\": \"%s\"}",
                 cases[i][1]);
        rp_test_write_text(path, json);
        rp_doctor_options o = golden_doctor(model, dir);
        o.models = "tests/golden/model";
        assert_int_equal(rp_doctor(&o, NULL, &err), RP_EIO); /* the tokenizer that is missing */
        char *report = rp_test_read(o.output, NULL);
        assert_string_equal(line_of(report, "verdict"), "agrees");
        assert_non_null(strstr(line_of(report, "tokenizer"), "none: "));
        assert_string_equal(line_of(report, "ids"), "not compared: the dump has no texts");
        free(report);
    }
}

static void a_difference_is_found_where_it_is(void **state)
{
    static const struct {
        change change;
        const char *error, *line; /* error after DIFFERS, without the values; a line that says so */
    } cases[] = {
        {{.name = "attn_out.2", .at = 3 * 32 + 5, .value = 99},
         "attn_out.2 at pair 0 token 3 unit 5: ",
         "attn_out.2"},
        {{.name = "mlp_act.1", .at = 48 * 20 + 47, .value = NAN},
         "mlp_act.1 at pair 1 token 10 unit 47: ",
         "mlp_act.1"},
        {{.name = "resid_post.0", .at = 0, .value = 1e30f},
         "resid_post.0 at pair 0 token 0 unit 0: ",
         "resid_post.0"},
        {{.name = "embed", .at = 32 + 1, .value = -7}, "embed of pair 1: ", "embed"},
        {{.name = "scores", .at = 1, .value = 0.6541f}, "score of pair 1: 0.6533", "score.1"},
        {{.name = "scores", .at = 1, .value = -INFINITY}, "score of pair 1: 0.6533", "score.1"},
        {{.json = {"water boils", "water boiled"}}, "ids of pair 0 at token ", "ids.0"},
        {{.json = {"naïve", "naïve naïve"}}, "ids of pair 1 at token ", "ids.1"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rp_doctor_options o = golden_doctor(GOLDEN "model", altered(&cases[i].change));
        rp_error err = {0};
        char want[1024];
        assert_int_equal(rp_doctor(&o, NULL, &err), RP_ECOMPUTE);
        snprintf(want, sizeof want, DIFFERS "%s", o.reference, cases[i].error);
        if (strncmp(err.text, want, strlen(want)) != 0)
            fail_msg("got    %s\n  wanted %s", err.text, want);
        char *report = rp_test_read(o.output, NULL);
        snprintf(want, sizeof want, "differs: first at %s", cases[i].error);
        assert_memory_equal(line_of(report, "verdict"), want, strlen(want));
        assert_non_null(strstr(line_of(report, cases[i].line), "differ"));
        size_t said = 0;
        for (const char *at = report; (at = strstr(at, "differ")); at++) said++;
        assert_int_equal(said, 2);
        free(report);
    }
}

static void tokens_that_differ_are_told_before_the_activations_of_them(void **state)
{
    change c = {.name = "ids", .at = 2, .value = 300};
    rp_doctor_options o = golden_doctor(GOLDEN "model", altered(&c));
    rp_error err = {0};

    (void)state;
    assert_int_equal(rp_doctor(&o, NULL, &err), RP_ECOMPUTE);
    assert_non_null(strstr(err.text, "first at ids of pair 0 at token 2: "));
    assert_non_null(strstr(err.text, ", the reference has 300 '"));
    char *report = rp_test_read(o.output, NULL);
    assert_non_null(strstr(line_of(report, "resid_post.0"), "differs"));
    assert_non_null(strstr(line_of(report, "ids.1"), "agree, "));
    free(report);
}

static void a_dump_that_does_not_fit_is_refused(void **state)
{
    static const struct {
        change change;
        const char *error; /* after the name of the file */
        const char *model;
    } cases[] = {
        {{.name = "mlp_out.2", .rename = ""}, "tensor 'mlp_out.2' is missing", NULL},
        {{.name = "mlp_out.2", .rename = "mlp_out.3"},
         "tensor 'mlp_out.3' is none of a model of 2 layers",
         NULL},
        {{.name = "embed", .rename = "resid"},
         "tensor 'resid' is none of a model of 2 layers",
         NULL},
        {{.name = "attn_out.1", .transposed = true}, "tensor 'attn_out.1' is not [29, 32]", NULL},
        {{.name = "scores", .transposed = true}, "tensor 'scores' is not a list of 2", NULL},
        {{.name = "ids", .rename = ""}, "tensor 'ids' is missing", NULL},
        {{.name = "start", .at = 1, .value = 0}, "tensor 'start' does not ascend from 0: 0", NULL},
        {{.name = "start", .at = 0, .value = 1}, "tensor 'start' does not ascend from 0: 1", NULL},
        {{.name = "start", .at = 2, .value = 1e18f},
         "tensor 'ids' is not a list of 999999984306749440",
         NULL},
        {{.name = "ids", .at = 1, .value = 496},
         "token 496 is outside of the model's vocabulary of 496",
         NULL},
        {{.name = "ids", .at = 1, .value = -1},
         "token -1 is outside of the model's vocabulary of 496",
         NULL},
        {{.json = {"rankprobe-reference", "reference"}},
         "'format' is not 'rankprobe-reference'",
         NULL},
        {{.json = {"version\": 1", "version\": 2"}},
         "format version 2; this program reads 1",
         NULL},
        {{.json = {"\"family\"", "\"sort\""}}, "'family' is missing", NULL},
        {{.json = {"\"template\"", "\"form\""}}, "'template' is missing", NULL},
        {{.json = {"\"query\"", "\"question\""}}, "pair 0 has no text 'query' or 'document'", NULL},
        {{.json = {"\"pairs\": [", "\"pairs\": [{},"}},
         "'pairs' is not a list of 2, one a sequence",
         NULL},
        {{.json = {"rankllama-pair", "rankllama"}},
         "unknown template 'rankllama' (auto, "
         "pair, rankllama-pair, rankllama-string, rankllama-eos, custom)",
         NULL},
        {{.name = NULL}, "of a model of family 'llama', this one is 'bert'", GOLDEN "encoder"},
        {{.name = NULL}, "tensor 'resid_post.0' is not [29, 16]", "tests/golden/model/plain"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rp_doctor_options o = golden_doctor(cases[i].model ? cases[i].model : GOLDEN "model",
                                            altered(&cases[i].change));
        rp_error err = {0};
        unlink(o.output);
        assert_int_equal(rp_doctor(&o, NULL, &err), RP_EFORMAT);
        const char *what = strstr(err.text, "': ");
        if (!what || strcmp(what + 3, cases[i].error) != 0)
            fail_msg("case %zu\n  got    %s\n  wanted %s", i, err.text, cases[i].error);
        assert_int_not_equal(access(o.output, F_OK), 0);
    }
}

static void a_truncated_dump_is_refused_by_name(void **state)
{
    change c = {0};
    const char *dir = altered(&c);
    rp_doctor_options o = golden_doctor(GOLDEN "model", dir);
    rp_error err = {0};
    char path[600];
    size_t n;

    (void)state;
    snprintf(path, sizeof path, "%s/reference.safetensors", dir);
    char *bytes = rp_test_read(path, &n);
    rp_test_write(path, bytes, n - 4);
    free(bytes);
    assert_int_equal(rp_doctor(&o, NULL, &err), RP_EFORMAT);
    assert_non_null(strstr(err.text, path));
    unlink(path);
    assert_int_equal(rp_doctor(&o, NULL, &err), RP_EIO);
    assert_non_null(strstr(err.text, path));
}

/* GOLDEN model with one tensor changed, in the temporary directory. */
static const char *altered_model(const change *c)
{
    static const char *const names[] = {"config.json", "tokenizer.json"};
    static char dir[512];
    rp_error err = {0};
    char path[600];

    snprintf(dir, sizeof dir, "%s", rp_test_path("model"));
    assert_ok(rp_path_make_dirs(dir, &err), &err);
    for (size_t i = 0; i < 2; i++) {
        size_t n;
        snprintf(path, sizeof path, GOLDEN "model/%s", names[i]);
        char *bytes = rp_test_read(path, &n);
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        rp_test_write(path, bytes, n);
        free(bytes);
    }
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    write_tensors(GOLDEN "model/model.safetensors", path, c);
    return dir;
}

static void a_reference_with_scores_needs_a_score_head(void **state)
{
    change c = {.name = "score.weight", .rename = ""};
    rp_doctor_options o = golden_doctor(altered_model(&c), GOLDEN "reference");
    rp_error err = {0};

    (void)state;
    assert_int_equal(rp_doctor(&o, NULL, &err), RP_ECOMPUTE);
    assert_non_null(
        strstr(err.text, "first at score: no score head, tensor 'score.weight' is missing"));
    char *report = rp_test_read(o.output, NULL);
    assert_string_equal(line_of(report, "score_head"), "none: tensor 'score.weight' is missing");
    free(report);
}

static void activations_that_are_not_finite_are_found_where_they_begin(void **state)
{
    change c = {.name = "model.layers.1.mlp.down_proj.weight", .at = 3, .value = INFINITY};
    rp_doctor_options o = golden_doctor(altered_model(&c), NULL);
    rp_error err = {0};

    (void)state;
    assert_int_equal(rp_doctor(&o, NULL, &err), RP_ECOMPUTE);
    assert_non_null(strstr(err.text, "activations are not finite, first at mlp_out.2"));
    char *report = rp_test_read(o.output, NULL);
    assert_non_null(strstr(line_of(report, "activations"), "not finite: "));
    free(report);
    o.reference = GOLDEN "reference";
    assert_int_equal(rp_doctor(&o, NULL, &err), RP_ECOMPUTE);
    report = rp_test_read(o.output, NULL);
    assert_non_null(strstr(line_of(report, "verdict"), "differs: first at mlp_out.2 at pair 0 "));
    assert_string_equal(line_of(report, "score.0"), "nan, the reference has -4.32253885  differs");
    free(report);
}

static void a_nan_is_the_largest_difference_there_is(void **state)
{
    const float got[] = {1, 2, NAN, 4}, want[] = {1, 2.5f, 3, -9};
    rp_tally first = {0}, second = {0}, zero = {0};

    (void)state;
    rp_tally_add(&first, got, want, 2, 10);
    assert_true(first.max_diff == 0.5 && first.at == 11 && first.max_want == 2.5);
    assert_false(rp_tally_agrees(&first));
    rp_tally_add(&second, got + 2, want + 2, 2, 12);
    rp_tally_merge(&first, &second);
    assert_true(isnan(first.max_diff) && first.at == 12 && first.n == 4 && first.max_want == 9);
    rp_tally_merge(&second, &zero);
    assert_true(isnan(second.max_diff) && !rp_tally_agrees(&second));
    assert_true(rp_tally_agrees(&zero) && rp_tally_cosine(&zero) == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_report_says_what_was_understood),
        cmocka_unit_test(an_encoder_gets_the_bare_pair_and_its_segments),
        cmocka_unit_test(a_model_agrees_with_its_reference),
        cmocka_unit_test(every_family_and_adapter_agrees_at_every_site_without_a_tokenizer),
        cmocka_unit_test(a_difference_is_found_where_it_is),
        cmocka_unit_test(tokens_that_differ_are_told_before_the_activations_of_them),
        cmocka_unit_test(a_dump_that_does_not_fit_is_refused),
        cmocka_unit_test(a_truncated_dump_is_refused_by_name),
        cmocka_unit_test(a_reference_with_scores_needs_a_score_head),
        cmocka_unit_test(activations_that_are_not_finite_are_found_where_they_begin),
        cmocka_unit_test(a_nan_is_the_largest_difference_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
