/* Scores: those of transformers, in a run that trec_eval would sort the same way. */
#include <unistd.h>

#include "run/fixture.h"

static rp_score_options golden_score(const char *name, const char *output)
{
    rp_score_options o;

    rp_score_options_init(&o);
    golden_inputs(&o.in);
    o.model = GOLDEN "model";
    o.template_ = golden_template(name);
    o.output = output;
    return o;
}

static void every_template_scores_as_transformers_does(void **state)
{
    static const char *const names[] = {"rankllama-pair", "rankllama-string", "rankllama-eos",
                                        "custom"};
    rp_safetensors *golden = golden_numbers();
    rp_error err = {0};

    (void)state;
    for (size_t k = 0; k < 4; k++) {
        rp_score_options o = golden_score(names[k], rp_test_path("run.trec"));
        char name[64];
        rp_run *run = NULL;
        rp_pairs pairs;
        size_t i = 0;
        if (k == 3) o.template_.custom = "{bos}Q {query}{eos}{text} {{end}}{eos}";
        snprintf(name, sizeof name, "score/%s", names[k]);
        const float *want = rp_safetensors_find(golden, name)->data;
        assert_ok(rp_score(&o, NULL, &err), &err);
        assert_ok(rp_run_load(&run, o.output, "auto", &err), &err);
        assert_ok(rp_pairs_load(&pairs, &o.in, NULL, &err), &err);
        assert_int_equal(rp_run_queries(run), 3);
        for (size_t q = 0; q < 3; q++) {
            const rp_hit *hit;
            size_t n = rp_run_hits(run, q, &hit);
            assert_string_equal(rp_run_qid(run, q), pairs.pair[i].qid);
            for (size_t j = 0; j < n; j++, i++) {
                size_t h = 0;
                while (h < n && strcmp(hit[h].docid, pairs.pair[i].docid) != 0) h++;
                assert_true(h < n && fabs(hit[h].score - (double)want[i]) < 1e-4);
            }
        }
        assert_int_equal(i, PAIRS);
        rp_pairs_release(&pairs);
        rp_run_free(run);
    }
    rp_safetensors_free(golden);
}

static void lines_are_in_the_order_of_the_scores_and_name_the_tag(void **state)
{
    rp_score_options o = golden_score("rankllama-pair", rp_test_path("tag.trec"));
    rp_error err = {0};
    double last = INFINITY;
    size_t lines = 0, n;

    (void)state;
    o.tag = "tiny";
    o.in.top = 2;
    assert_ok(rp_score(&o, NULL, &err), &err);
    char *text = rp_test_read(o.output, &n), *rest = text;
    for (char *line; (line = strsep(&rest, "\n")) && *line; lines++) {
        char qid[16], docid[16], tag[16];
        int rank;
        double score;
        assert_int_equal(sscanf(line, "%15s Q0 %15s %d %lf %15s", qid, docid, &rank, &score, tag),
                         5);
        assert_int_equal(rank, lines % 2 + 1);
        assert_true(rank == 1 || score <= last);
        assert_string_equal(tag, "tiny");
        last = score;
    }
    assert_int_equal(lines, 6);
    free(text);
}

static void beside_the_run_stands_what_it_was_made_of(void **state)
{
    rp_score_options o = golden_score("rankllama-pair", rp_test_path("about.trec"));
    rp_host host = {.command = "rankprobe score --x"};
    rp_error err = {0};

    (void)state;
    assert_ok(rp_score(&o, &host, &err), &err);
    json_t *about = json_load_file(rp_test_path("about.trec.json"), 0, NULL);
    const json_t *model = json_object_get(about, "model"), *t = json_object_get(about, "template"),
                 *sample = json_object_get(about, "sample");
    assert_non_null(about);
    assert_string_equal(json_string_value(json_object_get(about, "command")), host.command);
    assert_string_equal(json_string_value(json_object_get(model, "family")), "llama");
    assert_int_equal(json_integer_value(json_object_get(t, "max_query")), MAX_QUERY);
    assert_string_equal(json_string_value(json_object_get(sample, "docid")), "d1");
    assert_string_equal(json_string_value(json_array_get(json_object_get(sample, "pieces"), 0)),
                        "<s>");
    assert_int_equal(json_array_size(json_object_get(sample, "ids")), 35);
    json_decref(about);
}

static void a_path_that_cannot_be_written_is_found_before_the_model_runs(void **state)
{
    rp_score_options o = golden_score("rankllama-pair", "/nonexistent/run.trec");
    rp_error err = {0};

    (void)state;
    assert_fails(rp_score(&o, NULL, &err), &err, RP_EIO,
                 "'/nonexistent/run.trec': no such file or directory");
}

/* The head of tools/fixtures/run.py on the tensors of stories260k, as a model directory. */
static void make_stories(const char *from, const char *to)
{
    rp_error err = {0};
    rp_safetensors *st = NULL;
    rp_tensor tensor[64];
    rp_out out = {0};
    float head[64];
    char path[1024], *text;
    size_t n, count;

    assert_ok(rp_path_make_dirs(to, &err), &err);
    static const char *const copied[] = {"config.json", "tokenizer.json"};
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", from, copied[i]);
        text = rp_test_read(path, &n);
        snprintf(path, sizeof path, "%s/%s", to, copied[i]);
        rp_test_write(path, text, n);
        free(text);
    }
    for (int i = 0; i < 64; i++) head[i] = ((float)(37 * i % 64) - 31.5f) / 64;
    snprintf(path, sizeof path, "%s/model.safetensors", from);
    assert_ok(rp_safetensors_open(&st, path, &err), &err);
    count = rp_safetensors_count(st);
    assert_true(count < 64);
    for (size_t i = 0; i < count; i++) tensor[i] = *rp_safetensors_at(st, i);
    tensor[count] = (rp_tensor){.name = "score.weight",
                                .dtype = RP_F32,
                                .rank = 2,
                                .shape = {1, 64},
                                .count = 64,
                                .data = head};
    snprintf(path, sizeof path, "%s/model.safetensors", to);
    assert_ok(rp_out_open(&out, path, &err), &err);
    assert_ok(rp_safetensors_write(out.file, tensor, count + 1, NULL, &err), &err);
    assert_ok(rp_out_commit(&out, &err), &err);
    rp_safetensors_free(st);
}

static void fifty_real_pairs_have_the_tokens_and_scores_of_transformers(void **state)
{
    char model[512], collection[512], queries[512], run[600], line[256];
    const char *from = rp_test_shared("models/stories260k");
    const char *docs = rp_test_shared("data/msmarco-dl/collection.tsv.gz");
    rp_capture_options o;
    rp_error err = {0};
    rp_store *s = NULL;
    double worst = 0;

    (void)state;
    if (!from || !docs) skip();
    snprintf(collection, sizeof collection, "%s", docs);
    snprintf(queries, sizeof queries, "%s", rp_test_shared("data/msmarco-dl/queries.dl19.tsv"));
    snprintf(model, sizeof model, "%s", rp_test_path("stories"));
    make_stories(from, model);
    snprintf(run, sizeof run, "%s", rp_test_path("fifty.trec"));
    FILE *golden = fopen(GOLDEN "stories.tsv", "r"), *trec = fopen(run, "w");
    assert_non_null(golden);
    assert_non_null(trec);
    double want[50];
    size_t tokens[50], n = 0;
    char qid[50][32], docid[50][32];
    assert_non_null(fgets(line, sizeof line, golden));
    for (; n < 50 && fgets(line, sizeof line, golden); n++) {
        assert_int_equal(sscanf(line, "%31s %31s %zu %lf", qid[n], docid[n], &tokens[n], &want[n]),
                         4);
        fprintf(trec, "%s Q0 %s %zu %zu x\n", qid[n], docid[n], n + 1, 100 - n);
    }
    fclose(golden);
    fclose(trec);
    assert_int_equal(n, 50);
    rp_capture_options_init(&o);
    o.in = (rp_inputs){.collection = collection, .queries = queries, .run = run};
    o.model = model;
    o.store = rp_test_path("fifty");
    assert_ok(rp_capture(&o, NULL, &err), &err);
    assert_ok(rp_store_open(&s, o.store, &err), &err);
    assert_int_equal(rp_store_rows(s), 50);
    for (size_t r = 0; r < 50; r++) {
        const rp_store_row *row = rp_store_row_at(s, r);
        assert_string_equal(row->qid, qid[r]);
        assert_string_equal(row->docid, docid[r]);
        assert_int_equal(row->tokens, tokens[r]);
        worst = fmax(worst, fabs(row->score - want[r]));
    }
    print_message("50 scores: largest difference from transformers %.2g\n", worst);
    assert_true(worst < 1e-4);
    rp_store_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_template_scores_as_transformers_does),
        cmocka_unit_test(lines_are_in_the_order_of_the_scores_and_name_the_tag),
        cmocka_unit_test(beside_the_run_stands_what_it_was_made_of),
        cmocka_unit_test(a_path_that_cannot_be_written_is_found_before_the_model_runs),
        cmocka_unit_test(fifty_real_pairs_have_the_tokens_and_scores_of_transformers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
