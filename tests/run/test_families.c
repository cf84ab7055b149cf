/*
 * Published tokenizers in front of small models. Row i of a golden model's table of embeddings is
 * repeated as rows i + V, i + 2V, ... of a table as long as the tokenizer's vocabulary: the scores
 * of the pairs' tokens are then those of the golden model for the ids modulo V, which are checked
 * against transformers in tests/model.
 */
#include <sys/stat.h>

#include "base/io.h"
#include "fixture.h"
#include "run/sequences.h"

static const struct {
    const char *model, *embedding, *tokenizer, *name;
    size_t vocabulary;
} families[] = {
    {"neox", "gpt_neox.embed_in.weight", "gpt-neox-20B_tokenizer.json", "tokenizer.json", 50304},
    {"plain", "model.embed_tokens.weight", "llama2_tokenizer.model", "tokenizer.model", 32000},
    {"llama3_rope", "model.embed_tokens.weight", "llama3_tokenizer.model", "tokenizer.model",
     128256},
    {"bert", "bert.embeddings.word_embeddings.weight", "bert-base-uncased-vocab.txt", "vocab.txt",
     30522},
    {"electra", "electra.embeddings.word_embeddings.weight", "bert-wordpiece_tokenizer.json",
     "tokenizer.json", 30522},
};

static void path_of(char *path, const char *dir, const char *name)
{
    assert_ok(rp_path_join(path, 512, dir, name, NULL), NULL);
}

static void copy(const char *to, const char *from)
{
    size_t n;
    char *bytes = rp_test_read(from, &n);
    rp_test_write(to, bytes, n);
    free(bytes);
}

/* The golden model in `small` as `large`, with a vocabulary of V. */
static void enlarge(const char *large, const char *small, const char *embedding, size_t V)
{
    char from[512], to[512];
    rp_error err = {0};
    rp_safetensors *st = NULL;
    rp_tensor tensors[64];
    mkdir(large, 0777);
    path_of(from, small, "config.json");
    path_of(to, large, "config.json");
    json_t *config = json_load_file(from, 0, NULL);
    assert_non_null(config);
    json_object_set_new(config, "vocab_size", json_integer((json_int_t)V));
    assert_int_equal(json_dump_file(config, to, 0), 0);
    json_decref(config);
    path_of(from, small, "model.safetensors");
    path_of(to, large, "model.safetensors");
    assert_ok(rp_safetensors_open(&st, from, &err), &err);
    size_t n = rp_safetensors_count(st), row = 0, rows = 0;
    unsigned char *table = NULL;
    assert_true(n <= 64);
    for (size_t i = 0; i < n; i++) {
        rp_tensor *t = &tensors[i];
        *t = *rp_safetensors_at(st, i);
        if (strcmp(t->name, embedding) != 0) continue;
        rows = t->shape[0];
        row = t->shape[1] * rp_dtype_size(t->dtype);
        table = malloc(V * row);
        assert_non_null(table);
        for (size_t v = 0; v < V; v++)
            memcpy(table + v * row, (const unsigned char *)t->data + v % rows * row, row);
        t->count = V * t->shape[1];
        t->shape[0] = V;
        t->data = table;
    }
    assert_non_null(table);
    FILE *file = fopen(to, "wb");
    assert_non_null(file);
    assert_ok(rp_safetensors_write(file, tensors, n, NULL, &err), &err);
    assert_int_equal(fclose(file), 0);
    rp_safetensors_free(st);
    free(table);
}

static void score(float *scores, const rp_model *model, const rp_sequences *s)
{
    rp_error err = {0};
    rp_session *session = NULL;
    rp_batch batch = {s->n, s->start, s->id, s->segment};
    assert_ok(rp_session_new(&session, model,
                             &(rp_session_options){.memory = 1 << 24, .threads = 1}, &err),
              &err);
    assert_ok(rp_session_forward(session, &batch, NULL, scores, NULL, &err), &err);
    rp_session_free(session);
}

static void check_family(size_t i, const char *tokenizer)
{
    char small[512], large[512], to[512];
    rp_error err = {0};
    rp_inputs in;
    rp_workload w;
    rp_model *model = NULL;
    rp_sequences s;
    float want[PAIRS], got[PAIRS];
    rp_template_options t = {.name = "auto", .max_query = 8, .max_passage = 40};
    snprintf(small, sizeof small, "tests/golden/model/%s", families[i].model);
    path_of(large, rp_test_tmpdir(), families[i].model);
    enlarge(large, small, families[i].embedding, families[i].vocabulary);
    path_of(to, large, families[i].name);
    copy(to, tokenizer);
    rp_inputs_init(&in);
    golden_inputs(&in);
    assert_ok(rp_workload_open(&w, &in, &(rp_model_source){.path = large}, &t, true, NULL, &err),
              &err);
    assert_int_equal(w.pairs.n, PAIRS);
    assert_ok(rp_sequences_encode(&s, w.template_, rp_model_about(w.model), w.pairs.pair, PAIRS,
                                  RP_SET_ALL, 1, &err),
              &err);
    score(got, w.model, &s);
    assert_ok(rp_model_open(&model, &(rp_model_source){.path = small}, &err), &err);
    bool large_ids = false;
    for (size_t k = 0; k < s.start[s.n]; k++) {
        large_ids = large_ids || s.id[k] > 10000;
        s.id[k] %= (int32_t)rp_model_about(model)->vocabulary;
    }
    assert_true(large_ids);
    score(want, model, &s);
    assert_memory_equal(got, want, sizeof got);
    rp_sequences_release(&s);
    rp_model_free(model);
    rp_workload_release(&w);
}

static void a_published_tokenizer_feeds_a_model_of_its_family(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        char path[128];
        snprintf(path, sizeof path, "tokenizers/%s", families[i].tokenizer);
        const char *tokenizer = rp_test_shared(path);
        if (!tokenizer) skip();
        check_family(i, tokenizer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_published_tokenizer_feeds_a_model_of_its_family),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
