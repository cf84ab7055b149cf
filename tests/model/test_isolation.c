/* A sequence's numbers depend on nothing but the sequence: not on neighbours, threads or memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "fixture.h"
#include "model/packing.h"

#define NSEQ 60
#define SITES ((1u << RP_SITES) - 1)

typedef struct pack {
    size_t start[NSEQ + 1];
    int32_t *ids;
    rp_batch batch;
} pack;

static void pack_init(pack *p)
{
    rp_rng rng;
    rp_rng_init(&rng, 7, 0);
    p->start[0] = 0;
    for (size_t s = 0; s < NSEQ; s++) p->start[s + 1] = p->start[s] + 1 + rp_rng_below(&rng, 64);
    p->ids = calloc(p->start[NSEQ], sizeof *p->ids);
    assert_non_null(p->ids);
    for (size_t t = 0; t < p->start[NSEQ]; t++) p->ids[t] = (int32_t)rp_rng_below(&rng, 40);
    p->batch = (rp_batch){NSEQ, p->start, p->ids, NULL};
}

static void run_sharing(const rp_model *model, const rp_batch *batch, size_t memory, int threads,
                        bool share, rp_keep *keep, float *scores)
{
    rp_error err = {0};
    rp_session *session = NULL;
    rp_keep_init(keep, model, batch);
    rp_observer observer = rp_keep_observer(keep, SITES);
    assert_ok(rp_session_new(
                  &session, model,
                  &(rp_session_options){.memory = memory, .threads = threads, .no_share = !share},
                  &err),
              &err);
    assert_true(rp_session_tokens(session) >= 1024);
    for (size_t i = 0; i < batch->nseq; i++) scores[i] = 0; /* of a model without a head */
    if (!rp_model_about(model)->has_score) scores = NULL;
    assert_ok(rp_session_forward(session, batch, &observer, scores, NULL, &err), &err);
    rp_session_free(session);
}

static void run(const rp_model *model, const rp_batch *batch, size_t memory, int threads,
                rp_keep *keep, float *scores)
{
    run_sharing(model, batch, memory, threads, true, keep, scores);
}

/* Tokens [from, from + n) of a are tokens [0, n) of b, to the last bit, at every site and layer. */
static void assert_same(const rp_model *model, const rp_keep *a, const rp_keep *b, size_t from,
                        size_t n)
{
    for (rp_site s = 0; s < RP_SITES; s++) {
        if (rp_model_check_site(model, s, NULL)) continue;
        size_t width = rp_model_site_width(model, s);
        for (size_t l = rp_model_site_first(s); l <= rp_model_about(model)->layers; l++)
            assert_memory_equal(a->values[s][l] + from * width, b->values[s][l],
                                n * width * sizeof(float));
    }
}

/* The golden model of one family after the other: NULL after the last. */
static rp_model *open_family(size_t i)
{
    static const char *const names[] = {"grouped_bf16", "qwen3", "neox", "bert", "t5_gated"};
    rp_error err = {0};
    rp_model *model = NULL;
    char path[64];
    if (i == sizeof names / sizeof *names) return NULL;
    snprintf(path, sizeof path, "model/%s", names[i]);
    assert_ok(rp_model_open(&model, &(rp_model_source){.path = rp_test_golden(path)}, &err), &err);
    return model;
}

static void check_threads_and_memory(const rp_model *model)
{
    pack p;
    rp_keep one, other;
    float want[NSEQ], got[NSEQ];
    pack_init(&p);
    run(model, &p.batch, 1 << 24, 1, &one, want);
    for (int k = 0; k < 10; k++) { /* room for one layer, for two, for all */
        run(model, &p.batch, k ? (size_t)1 << (14 + k) : 1, 2 + k % 2, &other, got);
        assert_same(model, &one, &other, 0, p.start[NSEQ]);
        assert_memory_equal(got, want, sizeof want);
        rp_keep_release(&other);
    }
    rp_keep_release(&one);
    free(p.ids);
}

static void threads_and_memory_do_not_change_a_bit(void **state)
{
    rp_model *model;
    (void)state;
    for (size_t i = 0; (model = open_family(i)); i++) {
        check_threads_and_memory(model);
        rp_model_free(model);
    }
}

static void check_alone(const rp_model *model)
{
    pack p;
    rp_keep all, alone;
    float want[NSEQ], got;
    pack_init(&p);
    run(model, &p.batch, 1 << 24, 2, &all, want);
    for (size_t s = 0; s < NSEQ; s += 3) {
        size_t start[2] = {0, p.start[s + 1] - p.start[s]};
        rp_batch batch = {1, start, p.ids + p.start[s], NULL};
        run(model, &batch, 1 << 24, 1, &alone, &got);
        assert_same(model, &all, &alone, p.start[s], start[1]);
        assert_memory_equal(&got, &want[s], sizeof got);
        rp_keep_release(&alone);
    }
    rp_keep_release(&all);
    free(p.ids);
}

static void a_sequence_alone_has_the_bits_it_has_in_a_batch(void **state)
{
    rp_model *model;
    (void)state;
    for (size_t i = 0; (model = open_family(i)); i++) {
        check_alone(model);
        rp_model_free(model);
    }
}

static void a_session_is_reused_for_larger_and_smaller_batches(void **state)
{
    const rp_model *model = *state;
    rp_error err = {0};
    rp_session *session = NULL;
    pack p;
    float want[NSEQ], got[NSEQ];
    pack_init(&p);
    assert_ok(rp_session_new(&session, model,
                             &(rp_session_options){.memory = 1 << 24, .threads = 2}, &err),
              &err);
    assert_ok(rp_session_forward(session, &p.batch, NULL, want, NULL, &err), &err);
    for (size_t n = 0; n <= NSEQ; n += 20) {
        rp_batch batch = {n, p.start, p.ids, NULL};
        assert_ok(rp_session_forward(session, &batch, NULL, got, NULL, &err), &err);
        assert_memory_equal(got, want, n * sizeof *got);
    }
    rp_session_free(session);
    free(p.ids);
}

static int stop_at(void *arg, const char *what, size_t done, size_t total)
{
    size_t *calls = arg;
    assert_string_equal(what, "layers");
    assert_int_equal(total, 2);
    assert_true(done <= total);
    return ++*calls == 2;
}

static void the_host_can_stop_between_layers(void **state)
{
    const rp_model *model = *state;
    rp_error err = {0};
    rp_session *session = NULL;
    size_t calls = 0;
    rp_host host = {.arg = &calls, .progress = stop_at};
    pack p;
    pack_init(&p);
    assert_ok(rp_session_new(&session, model,
                             &(rp_session_options){.memory = 1 << 24, .threads = 1}, &err),
              &err);
    assert_int_equal(rp_session_forward(session, &p.batch, NULL, NULL, &host, &err), RP_ECANCEL);
    assert_int_equal(calls, 2);
    rp_session_free(session);
    free(p.ids);
}

static void bad_sequences_are_named(void **state)
{
    const rp_model *model = *state;
    rp_error err = {0};
    rp_session *session = NULL;
    int32_t ids[70] = {1, 2, 3, 40, 5};
    assert_ok(
        rp_session_new(&session, model, &(rp_session_options){.memory = 0, .threads = 0}, &err),
        &err);
    size_t outside[] = {0, 2, 5}, empty[] = {0, 2, 2}, longer[] = {0, 1, 66};
    rp_batch batch = {2, outside, ids, NULL};
    assert_fails(rp_session_forward(session, &batch, NULL, NULL, NULL, &err), &err, RP_EFORMAT,
                 "sequence 1: token id 40 is outside the model's vocabulary of 40");
    ids[3] = -1;
    assert_fails(rp_session_forward(session, &batch, NULL, NULL, NULL, &err), &err, RP_EFORMAT,
                 "sequence 1: token id -1 is outside the model's vocabulary of 40");
    batch.start = empty;
    assert_fails(rp_session_forward(session, &batch, NULL, NULL, NULL, &err), &err, RP_EFORMAT,
                 "sequence 1 has no tokens");
    batch.start = longer;
    assert_fails(rp_session_forward(session, &batch, NULL, NULL, NULL, &err), &err, RP_EFORMAT,
                 "sequence 1 has 65 tokens, more than the model's max_position_embeddings 64");
    rp_session_free(session);
    assert_fails(
        rp_session_new(&session, model, &(rp_session_options){.memory = 0, .threads = -1}, &err),
        &err, RP_EARG, "-1 threads");
}

static float score_of(const char *path, const int32_t *segment, rp_status want, rp_error *err)
{
    const size_t start[] = {0, 3};
    const int32_t ids[] = {5, 6, 7};
    rp_model *model = NULL;
    rp_session *session = NULL;
    float score = 0;
    rp_batch batch = {1, start, ids, segment};
    assert_ok(rp_model_open(&model, &(rp_model_source){.path = rp_test_golden(path)}, err), err);
    assert_ok(rp_session_new(&session, model,
                             &(rp_session_options){.memory = 1 << 20, .threads = 1}, err),
              err);
    assert_int_equal(rp_session_forward(session, &batch, NULL, &score, NULL, err), want);
    rp_session_free(session);
    rp_model_free(model);
    return score;
}

static void segments_count_where_the_model_has_more_than_one(void **state)
{
    (void)state;
    rp_error err = {0};
    const int32_t zero[] = {0, 0, 0}, second[] = {0, 1, 1}, outside[] = {0, 2, 1};
    float bert = score_of("model/bert", NULL, RP_OK, &err);
    assert_true(bert == score_of("model/bert", zero, RP_OK, &err));
    assert_true(bert != score_of("model/bert", second, RP_OK, &err));
    score_of("model/bert", outside, RP_EFORMAT, &err);
    assert_string_equal(err.text, "sequence 0: segment 2 is outside the model's 2");
    float roberta = score_of("model/roberta", NULL, RP_OK, &err);
    assert_true(roberta == score_of("model/roberta", second, RP_OK, &err));
    float llama = score_of("model/plain", NULL, RP_OK, &err);
    assert_true(llama == score_of("model/plain", outside, RP_OK, &err));
}

static int open_model(void **state)
{
    *state = open_family(0);
    return 0;
}

static int free_model(void **state)
{
    rp_model_free(*state);
    return 0;
}

/* Groups of sequences with a beginning in common, some of them equal, and loners between them. */
static void what_sequences_share_is_computed_once_with_the_same_bits(void **state)
{
    (void)state;
    pack p;
    pack_init(&p);
    for (size_t s = 1; s < NSEQ; s++) {
        size_t n = p.start[s + 1] - p.start[s], before = p.start[s] - p.start[s - 1];
        size_t shared = s % 11 < 2 ? 0 : s % 11 == 9 ? 64 : 5 + s / 11 * 3;
        for (size_t t = 0; t < n && t < before && t < shared; t++)
            p.ids[p.start[s] + t] = p.ids[p.start[s - 1] + t];
    }
    rp_packing packing = {0};
    rp_error err;
    assert_ok(rp_packing_make(&packing, &p.batch, true, &err), &err);
    assert_true(packing.nheads >= 5);
    assert_true(packing.rows < p.start[NSEQ] * 9 / 10);
    for (size_t s = 0; s < NSEQ; s++)
        for (size_t t = 0; t < p.start[s + 1] - p.start[s]; t++) {
            size_t row = rp_packing_row(&packing, s, t), i = packing.n;
            while (packing.piece[--i].row > row) continue;
            const rp_piece *piece = &packing.piece[i];
            assert_true(row - piece->row < piece->n);
            assert_int_equal(p.ids[piece->token + row - piece->row], p.ids[p.start[s] + t]);
            assert_int_equal(piece->at + row - piece->row, t);
        }
    rp_packing_release(&packing);
    for (size_t i = 0;; i++) {
        rp_model *model = open_family(i);
        if (!model) break;
        rp_keep whole, shared;
        float a[NSEQ], b[NSEQ];
        run_sharing(model, &p.batch, 1 << 24, 2, false, &whole, a);
        run_sharing(model, &p.batch, i % 2 ? 1 << 24 : 1, 2, true, &shared, b);
        assert_same(model, &whole, &shared, 0, p.start[NSEQ]);
        assert_memory_equal(a, b, sizeof a);
        rp_keep_release(&whole), rp_keep_release(&shared);
        rp_model_free(model);
    }
    free(p.ids);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_and_memory_do_not_change_a_bit),
        cmocka_unit_test(a_sequence_alone_has_the_bits_it_has_in_a_batch),
        cmocka_unit_test(what_sequences_share_is_computed_once_with_the_same_bits),
        cmocka_unit_test(a_session_is_reused_for_larger_and_smaller_batches),
        cmocka_unit_test(the_host_can_stop_between_layers),
        cmocka_unit_test(bad_sequences_are_named),
        cmocka_unit_test(segments_count_where_the_model_has_more_than_one),
    };
    return cmocka_run_group_tests(tests, open_model, free_model);
}
