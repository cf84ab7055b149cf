/* Capture: the numbers of transformers in the store; killed anywhere, it ends with the same bytes.
 */
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/number.h"
#include "base/table.h"
#include "run/fixture.h"

static const char *const ten[] = {"resid_post.all.mean",      "resid_post.all.max",
                                  "resid_post.nobos.mean",    "resid_post.nobos.max",
                                  "resid_post.query.mean",    "resid_post.query.max",
                                  "resid_post.document.mean", "resid_post.document.max",
                                  "resid_post.last.mean",     "resid_post.last.max"};

static char noted[512];

static void keep_note(void *arg, const char *text)
{
    (void)arg;
    snprintf(noted, sizeof noted, "%s", text);
}

/* A process of its own: another run of this executable, as "test_capture capture DIR". */
static int run_capture(const char *store)
{
    rp_capture_options o = golden_capture(store);
    rp_host host = {.command = "rankprobe capture"};

    o.views = ten;
    o.nviews = 4;
    o.shard_rows = 1;
    o.dtype = "i8";
    return rp_capture(&o, &host, NULL) == RP_OK ? 0 : 1;
}

static pid_t start_capture(const char *store)
{
    pid_t pid = fork();

    if (pid == 0) {
        execl("/proc/self/exe", "test_capture", "capture", store, (char *)NULL);
        _exit(127);
    }
    assert_true(pid > 0);
    return pid;
}

static void assert_same_directories(const char *a, const char *b)
{
    char command[1200], *out = NULL;

    snprintf(command, sizeof command, "diff -r '%s' '%s' 2>&1", a, b);
    if (rp_test_command(&out, NULL, command) != 0) fail_msg("%s", out);
    free(out);
}

static void a_capture_killed_at_any_moment_ends_with_the_same_bytes(void **state)
{
    char whole[512], killed[512];
    int status = 0, kills = 0;
    rp_rng rng;

    (void)state;
    snprintf(whole, sizeof whole, "%s", rp_test_path("whole"));
    snprintf(killed, sizeof killed, "%s", rp_test_path("killed"));
    assert_int_equal(waitpid(start_capture(whole), &status, 0) > 0 ? status : -1, 0);
    rp_rng_init(&rng, 11, 0);
    /* The delays grow, so that it ends; the machine's speed decides where the kills fall. */
    for (int i = 0; i < 60; i++) {
        pid_t pid = start_capture(killed);
        long delay = (long)(1e6 * (double)i * (0.5 + rp_rng_uniform(&rng)));
        nanosleep(&(struct timespec){delay / 1000000000, delay % 1000000000}, NULL);
        kill(pid, SIGKILL);
        assert_true(waitpid(pid, &status, 0) > 0);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0) break;
        kills++;
    }
    assert_int_equal(waitpid(start_capture(killed), &status, 0) > 0 ? status : -1, 0);
    assert_true(kills > 0);
    assert_same_directories(whole, killed);
}

static int stop_after(void *arg, const char *what, size_t done, size_t total)
{
    (void)what;
    (void)total;
    return done > *(size_t *)arg;
}

static void an_interrupted_capture_drops_the_shard_and_goes_on_later(void **state)
{
    rp_capture_options o;
    size_t limit = 4;
    rp_host host = {.arg = &limit, .progress = stop_after};
    rp_error err = {0};
    char whole[512], stopped[512];
    rp_store *s = NULL;

    (void)state;
    snprintf(whole, sizeof whole, "%s", rp_test_path("whole2"));
    snprintf(stopped, sizeof stopped, "%s", rp_test_path("stopped"));
    o = golden_capture(stopped);
    assert_int_equal(rp_capture(&o, &host, &err), RP_ECANCEL);
    assert_int_equal(rp_store_open(&s, stopped, &err), RP_EFORMAT);
    assert_non_null(strstr(err.text, "unfinished"));
    assert_ok(rp_capture(&o, NULL, &err), &err);
    o.store = whole;
    assert_ok(rp_capture(&o, NULL, &err), &err);
    assert_same_directories(whole, stopped);
}

static void a_complete_store_is_left_alone(void **state)
{
    rp_capture_options o = golden_capture(rp_test_path("done"));
    rp_host host = {.note = keep_note};
    rp_error err = {0};
    char text[600];

    (void)state;
    assert_ok(rp_capture(&o, NULL, &err), &err);
    assert_ok(rp_capture(&o, &host, &err), &err);
    snprintf(text, sizeof text, "'%s' is complete: nothing to do", o.store);
    assert_string_equal(noted, text);
    o.template_.max_query = 5;
    assert_int_equal(rp_capture(&o, &host, &err), RP_EARG);
    assert_non_null(strstr(err.text, "template.max_query is 12 there, 5 here"));
}

/* Every view and layer of a store against the golden numbers. */
static void check_numbers(const char *dir, double rtol)
{
    rp_safetensors *golden = golden_numbers();
    rp_error err = {0};
    rp_store *s = NULL;

    assert_ok(rp_store_open(&s, dir, &err), &err);
    assert_int_equal(rp_store_rows(s), PAIRS);
    for (size_t v = 0; v < rp_store_views(s); v++) {
        const rp_store_view *view = rp_store_view_at(s, v);
        assert_int_equal(view->width, 32);
        for (size_t l = 0; l <= 2; l++) {
            char name[64];
            float x[PAIRS * 32], largest = 0;
            snprintf(name, sizeof name, "%s/layer.%zu", view->name, l);
            const rp_tensor *want = rp_safetensors_find(golden, name);
            assert_non_null(want);
            assert_int_equal(want->count, PAIRS * 32);
            const float *w = want->data;
            for (size_t i = 0; i < PAIRS * 32; i++) largest = fmaxf(largest, fabsf(w[i]));
            assert_ok(rp_store_read(s, x, v, l, &err), &err);
            assert_close(x, w, PAIRS * 32, 0, rtol * (double)largest);
        }
    }
    const float *score = rp_safetensors_find(golden, "score/rankllama-pair")->data;
    for (size_t r = 0; r < PAIRS; r++)
        assert_true(fabs(rp_store_row_at(s, r)->score - (double)score[r]) < 1e-4);
    rp_store_free(s);
    rp_safetensors_free(golden);
}

static void every_token_set_and_pool_has_the_numbers_of_transformers(void **state)
{
    rp_capture_options o = golden_capture(rp_test_path("ten"));
    rp_error err = {0};

    (void)state;
    o.views = ten;
    o.nviews = sizeof ten / sizeof *ten;
    assert_ok(rp_capture(&o, NULL, &err), &err);
    check_numbers(o.store, 1e-5);
    o.store = rp_test_path("ten16");
    o.dtype = "f16";
    assert_ok(rp_capture(&o, NULL, &err), &err);
    check_numbers(o.store, 1e-3);
    o.store = rp_test_path("ten8");
    o.dtype = "i8";
    o.shard_rows = 1024;
    assert_ok(rp_capture(&o, NULL, &err), &err);
    check_numbers(o.store, 1e-2);
}

static void rows_say_how_many_tokens_are_whose_and_their_control(void **state)
{
    rp_capture_options o = golden_capture(rp_test_path("tokens"));
    rp_error err = {0};
    rp_store *s = NULL;
    rp_table *t = NULL;

    (void)state;
    assert_ok(rp_capture(&o, NULL, &err), &err);
    assert_ok(rp_store_open(&s, o.store, &err), &err);
    assert_ok(rp_table_read(&t, GOLDEN "tokens.tsv", &err), &err);
    assert_int_equal(rp_table_rows(t), PAIRS);
    for (size_t r = 0; r < PAIRS; r++) {
        const rp_store_row *row = rp_store_row_at(s, r);
        const double got[] = {(double)row->tokens, (double)row->query_tokens,
                              (double)row->document_tokens, row->token_control};
        double want[4];
        assert_string_equal(rp_table_cell(t, r, 0), row->qid);
        assert_string_equal(rp_table_cell(t, r, 1), row->docid);
        for (size_t c = 0; c < 4; c++)
            assert_ok(rp_table_number(t, r, 2 + c, &want[c], &err), &err);
        assert_close(got, want, 4, 1e-8, 0);
    }
    rp_table_free(t);
    rp_store_free(s);
}

static void threads_and_memory_do_not_change_a_byte(void **state)
{
    char one[512], two[512];
    rp_capture_options o;
    rp_error err = {0};

    (void)state;
    snprintf(one, sizeof one, "%s", rp_test_path("threads1"));
    snprintf(two, sizeof two, "%s", rp_test_path("threads2"));
    o = golden_capture(one);
    o.views = ten;
    o.nviews = 10;
    o.threads = 1;
    o.dtype = "i8";
    assert_ok(rp_capture(&o, NULL, &err), &err);
    o.store = two;
    o.threads = 3;
    o.memory = (size_t)8 << 20;
    assert_ok(rp_capture(&o, NULL, &err), &err);
    assert_same_directories(one, two);
}

static void the_loss_of_a_small_dtype_is_told(void **state)
{
    rp_capture_options o = golden_capture(rp_test_path("loss"));
    rp_host host = {.note = keep_note};
    rp_error err = {0};
    double error = 0;

    (void)state;
    o.dtype = "i8";
    assert_ok(rp_capture(&o, &host, &err), &err);
    assert_int_equal(
        sscanf(noted, "resid_post.all.mean as i8: relative error of the worst column %lf", &error),
        1);
    assert_true(error > 0 && error < 0.05);
}

static void a_model_without_a_score_head_is_refused_unless_scores_are_not_wanted(void **state)
{
    const char *model = rp_test_shared("models/stories260k");
    rp_capture_options o = golden_capture(rp_test_path("base"));
    rp_error err = {0};
    rp_store *s = NULL;

    (void)state;
    if (!model) skip();
    o.model = model;
    assert_int_equal(rp_capture(&o, NULL, &err), RP_EFORMAT);
    assert_non_null(strstr(err.text, "score.weight"));
    assert_false(rp_path_exists(o.store));
    o.no_score = true;
    assert_ok(rp_capture(&o, NULL, &err), &err);
    assert_ok(rp_store_open(&s, o.store, &err), &err);
    assert_true(isnan(rp_store_row_at(s, 0)->score));
    rp_store_free(s);
}

static void too_little_memory_for_a_shard_says_what_would_do(void **state)
{
    rp_capture_options o = golden_capture(rp_test_path("small"));
    rp_error err = {0};

    (void)state;
    o.memory = 2000;
    assert_fails(rp_capture(&o, NULL, &err), &err, RP_EARG,
                 "a shard of 3 rows holds 1152 bytes of pooled activations, more than half of the "
                 "memory of 2000 bytes: allow more, or at most 2 rows a shard");
}

static void wrong_options_are_refused_with_the_reason(void **state)
{
    rp_capture_options o;
    rp_error err = {0};

    (void)state;
    o = golden_capture(NULL);
    assert_fails(rp_capture(&o, NULL, &err), &err, RP_EARG, "no store directory is given");
    o = golden_capture(rp_test_path("wrong"));
    o.model = NULL;
    assert_fails(rp_capture(&o, NULL, &err), &err, RP_EARG, "no model is given");
    o = golden_capture(rp_test_path("wrong"));
    o.nviews = 0;
    assert_fails(rp_capture(&o, NULL, &err), &err, RP_EARG, "no view is asked for");
    o = golden_capture(rp_test_path("wrong"));
    o.shard_rows = 0;
    assert_fails(rp_capture(&o, NULL, &err), &err, RP_EARG, "a shard needs at least one row");
    o = golden_capture(rp_test_path("wrong"));
    o.dtype = "f64";
    assert_fails(rp_capture(&o, NULL, &err), &err, RP_EARG,
                 "unknown dtype 'f64' (f32, f16, bf16, i8)");
    o = golden_capture(rp_test_path("wrong"));
    o.views = (const char *const[]){"mlp_act", "mlp_act.all.mean"};
    o.nviews = 2;
    assert_fails(rp_capture(&o, NULL, &err), &err, RP_EARG,
                 "view 'mlp_act.all.mean' is there twice");
    assert_false(rp_path_exists(rp_test_path("wrong")));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_capture_killed_at_any_moment_ends_with_the_same_bytes),
        cmocka_unit_test(an_interrupted_capture_drops_the_shard_and_goes_on_later),
        cmocka_unit_test(a_complete_store_is_left_alone),
        cmocka_unit_test(every_token_set_and_pool_has_the_numbers_of_transformers),
        cmocka_unit_test(rows_say_how_many_tokens_are_whose_and_their_control),
        cmocka_unit_test(threads_and_memory_do_not_change_a_byte),
        cmocka_unit_test(the_loss_of_a_small_dtype_is_told),
        cmocka_unit_test(a_model_without_a_score_head_is_refused_unless_scores_are_not_wanted),
        cmocka_unit_test(too_little_memory_for_a_shard_says_what_would_do),
        cmocka_unit_test(wrong_options_are_refused_with_the_reason),
    };
    if (argc == 3 && strcmp(argv[1], "capture") == 0) return run_capture(argv[2]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
