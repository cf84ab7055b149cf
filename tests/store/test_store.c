/* Reading a store: what was written comes back; what was damaged is named. */
#include <pthread.h>
#include <unistd.h>

#include "store/fixture.h"

static void what_was_written_is_read_back(void **state)
{
    static const struct {
        rp_dtype dtype;
        double tolerance;
    } cases[] = {{RP_F32, 0}, {RP_F16, 0x1p-11}, {RP_BF16, 0x1p-8}, {RP_I8, 2.0 / 254}};
    rp_error err = {0};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char name[16];
        float x[ROWS * 7], want[ROWS * 7];
        rp_store *s = NULL;
        snprintf(name, sizeof name, "back%zu", i);
        assert_ok(rp_store_open(&s, make_store(name, cases[i].dtype), &err), &err);
        assert_int_equal(rp_store_rows(s), ROWS);
        assert_int_equal(rp_store_views(s), VIEWS);
        for (size_t v = 0; v < VIEWS; v++) {
            const rp_store_view *view = rp_store_view_at(s, v);
            assert_string_equal(view->name, shapes[v].name);
            assert_int_equal(view->width, shapes[v].width);
            assert_int_equal(view->layer_first, shapes[v].layer_first);
            assert_int_equal(view->layer_last, shapes[v].layer_last);
            for (size_t l = view->layer_first; l <= view->layer_last; l++) {
                for (size_t k = 0; k < ROWS * view->width; k++)
                    want[k] = value(v, l, k / view->width, k % view->width);
                assert_ok(rp_store_read(s, x, v, l, &err), &err);
                assert_close(x, want, ROWS * view->width, 0, cases[i].tolerance);
            }
        }
        for (size_t r = 0; r < ROWS; r++) {
            const rp_store_row *row = rp_store_row_at(s, r);
            assert_string_equal(row->qid, ids[r][0]);
            assert_string_equal(row->docid, ids[r][1]);
            assert_int_equal(row->tokens, 20 + r);
            assert_true((float)row->score == score(r));
            assert_int_equal(row->query_tokens, 5 + r % SHARD_ROWS);
            assert_int_equal(row->document_tokens, 10 + r / SHARD_ROWS * SHARD_ROWS);
            assert_true(fabs(row->token_control - control(r)) < 1e-8);
        }
        assert_null(rp_store_row_at(s, ROWS));
        assert_null(rp_store_view_at(s, VIEWS));
        rp_store_free(s);
    }
}

static void a_layer_or_view_that_is_not_there_is_refused(void **state)
{
    char dir[512], text[600];
    rp_error err = {0};
    float x[ROWS * 7];
    rp_store *s = NULL;

    (void)state;
    snprintf(dir, sizeof dir, "%s", make_store("range", RP_F32));
    assert_ok(rp_store_open(&s, dir, &err), &err);
    snprintf(text, sizeof text, "'%s': mlp_act.last.max has layers 1 to 2; there is no layer 0",
             dir);
    assert_fails(rp_store_read(s, x, 1, 0, &err), &err, RP_EARG, text);
    snprintf(text, sizeof text, "'%s' has 2 views; there is no view 2", dir);
    assert_fails(rp_store_read(s, x, 2, 1, &err), &err, RP_EARG, text);
    rp_store_free(s);
}

static void a_store_without_scores_has_nan_for_them(void **state)
{
    rp_store_plan plan = plan_new(RP_F32);
    rp_error err = {0};
    rp_store *s = NULL;

    (void)state;
    plan.score = false;
    write_store(rp_test_path("noscore"), &plan, SHARDS);
    assert_ok(rp_store_open(&s, rp_test_path("noscore"), &err), &err);
    assert_true(isnan(rp_store_row_at(s, 3)->score));
    rp_store_free(s);
    json_decref(plan.settings);
}

static void an_unfinished_store_says_so(void **state)
{
    rp_store_plan plan = plan_new(RP_F32);
    char dir[512], text[600];
    rp_error err = {0};
    rp_store *s = NULL;

    (void)state;
    snprintf(dir, sizeof dir, "%s", rp_test_path("unfinished"));
    write_store(dir, &plan, 2);
    snprintf(text, sizeof text, "'%s' is unfinished: run the same capture again to complete it",
             dir);
    assert_fails(rp_store_open(&s, dir, &err), &err, RP_EFORMAT, text);
    snprintf(text, sizeof text, "'%s': no such directory", rp_test_path("nowhere"));
    assert_fails(rp_store_open(&s, rp_test_path("nowhere"), &err), &err, RP_EIO, text);
    snprintf(text, sizeof text, "'%s' is not an activation store: no store.json in it",
             rp_test_tmpdir());
    assert_fails(rp_store_open(&s, rp_test_tmpdir(), &err), &err, RP_EFORMAT, text);
    json_decref(plan.settings);
}

/* Replaces the first `old` in a file of the store by `new` (old NULL: appends new). */
static void edit(const char *dir, const char *file, const char *old, const char *new)
{
    char path[700];
    size_t n;

    snprintf(path, sizeof path, "%s/%s", dir, file);
    char *text = rp_test_read(path, &n), *at = old ? strstr(text, old) : text + n;
    assert_non_null(at);
    size_t gone = old ? strlen(old) : 0, come = strlen(new), head = (size_t)(at - text);
    char *out = malloc(n + come + 1);
    assert_non_null(out);
    memcpy(out, text, head);
    memcpy(out + head, new, come);
    memcpy(out + head + come, at + gone, n - head - gone);
    rp_test_write(path, out, n + come - gone);
    free(out);
    free(text);
}

/* Each with the message it must give; %s is the store's directory. */
static const struct {
    const char *file, *old, *new, *text;
} edits[] = {
    {"store.json", "{", "[", "'%s/store.json' line 2: not JSON: ']' expected near ':'"},
    {"store.json", "rankprobe-store", "other",
     "'%s/store.json': not an activation store: 'format' is not 'rankprobe-store'"},
    {"store.json", "\"format_version\": 2", "\"format_version\": 3",
     "'%s/store.json': format version 3; this program reads 1 to 2"},
    {"store.json", "\"format_version\": 2", "\"format_version\": 0",
     "'%s/store.json': format version 0; this program reads 1 to 2"},
    {"store.json", "\"format_version\": 2", "\"format_version\": 1.5",
     "'%s/store.json': 'format_version' is not a number from 0 to 1000000"},
    {"store.json", "\"settings\"", "\"setting\"", "'%s/store.json': 'settings' is missing"},
    {"store.json", "\"rows\": 10", "\"rows\": -1",
     "'%s/store.json': 'rows' is not a number from 0 to 68719476736"},
    {"store.json", "\"rows\": 10", "\"rows\": 0", "'%s/store.json': 0 rows are out of range"},
    {"store.json", "\"rows\": 10", "\"rows\": 99999999",
     "'%s/store.json': 'shards' lists 3 shards, not 25000000"},
    {"store.json", "\"rows\": 10", "\"rows\": 11", "'%s/store.json': shard 2 has 2 rows, not 3"},
    {"store.json", "\"shard_rows\": 4", "\"shard_rows\": 0",
     "'%s/store.json': 0 rows a shard are out of range"},
    {"store.json", "\"f32\"", "\"f64\"",
     "'%s/store.json': 'dtype' is not one of f32, f16, bf16, i8"},
    {"store.json", "\"score\": true", "\"score\": 1",
     "'%s/store.json': 'score' is not true or false"},
    {"store.json", "\"views\"", "\"vistas\"", "'%s/store.json': 'views' is not a list of views"},
    {"store.json", "resid_post.all.mean", "../../etc",
     "'%s/store.json': '../../etc' is not a view: site.tokens.pool"},
    {"store.json", "resid_post.all.mean", "mlp_act.last.max",
     "'%s/store.json': view 'mlp_act.last.max' is there twice"},
    {"store.json", "\"width\": 5", "\"width\": 0",
     "'%s/store.json': view 'resid_post.all.mean': width 0 is out of range"},
    {"store.json", "\"layer_first\": 0", "\"layer_first\": 3",
     "'%s/store.json': view 'resid_post.all.mean': layers 3 to 2 are out of range"},
    {"store.json", "\"bytes\"", "\"octets\"", "'%s/store.json': 'bytes' is missing"},
    {"store.json", "\"checksum\": \"", "\"checksum\": \"z",
     "'%s/store.json': 'checksum' is not a checksum of 16 hexadecimal digits"},
    {"rows.tsv", "doc3", "dog3", NULL},
    {"rows.tsv", NULL, "10\tq\td\t1\t1\n", NULL},
    {"mlp_act.last.max/00001.safetensors", NULL, "x", NULL},
};

static void every_edit_of_a_store_is_named(void **state)
{
    rp_error err = {0};

    (void)state;
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        char name[16], dir[512], text[800];
        rp_store *s = NULL;
        snprintf(name, sizeof name, "edit%zu", i);
        snprintf(dir, sizeof dir, "%s", make_store(name, RP_F32));
        edit(dir, edits[i].file, edits[i].old, edits[i].new);
        if (edits[i].text) {
            /* The format is one of the rows above. */
            const char *rest = strstr(edits[i].text, "%s") + 2;
            snprintf(text, sizeof text, "'%s%s", dir, rest);
            assert_fails(rp_store_open(&s, dir, &err), &err, RP_EFORMAT, text);
        } else {
            assert_int_equal(rp_store_open(&s, dir, &err), RP_EFORMAT);
            snprintf(text, sizeof text, "'%s/%s' is ", dir, edits[i].file);
            assert_memory_equal(err.text, text, strlen(text));
            assert_non_null(strstr(err.text, "altered"));
        }
        assert_null(s);
    }
}

static void a_missing_shard_is_named_when_the_store_is_opened(void **state)
{
    char dir[512], path[700], text[800];
    rp_error err = {0};
    rp_store *s = NULL;

    (void)state;
    snprintf(dir, sizeof dir, "%s", make_store("missing", RP_F32));
    snprintf(path, sizeof path, "%s/resid_post.all.mean/00002.safetensors", dir);
    assert_int_equal(unlink(path), 0);
    snprintf(text, sizeof text, "'%s' is missing from the store", path);
    assert_fails(rp_store_open(&s, dir, &err), &err, RP_EFORMAT, text);
}

static void an_altered_shard_is_named_when_it_is_first_read(void **state)
{
    char dir[512], path[700];
    rp_error err = {0};
    float x[ROWS * 7];
    rp_store *s = NULL;
    size_t n;

    (void)state;
    snprintf(dir, sizeof dir, "%s", make_store("altered", RP_F32));
    snprintf(path, sizeof path, "%s/mlp_act.last.max/00001.safetensors", dir);
    char *bytes = rp_test_read(path, &n);
    bytes[n - 1] ^= 1;
    rp_test_write(path, bytes, n);
    free(bytes);
    assert_ok(rp_store_open(&s, dir, &err), &err);
    assert_ok(rp_store_read(s, x, 0, 0, &err), &err);
    /* Twice: a shard that was refused is not taken for checked. */
    for (int k = 0; k < 2; k++) {
        assert_int_equal(rp_store_read(s, x, 1, 1, &err), RP_EFORMAT);
        assert_non_null(strstr(err.text, "mlp_act.last.max/00001.safetensors' is altered: its "
                                         "checksum is "));
    }
    assert_ok(rp_store_read_rows(s, x, 1, 2, (const size_t[]){3, 8}, 2, &err), &err);
    assert_int_equal(rp_store_read_rows(s, x, 1, 2, (const size_t[]){3, 4}, 2, &err), RP_EFORMAT);
    assert_non_null(strstr(err.text, "mlp_act.last.max/00001.safetensors' is altered"));
    rp_store_free(s);
}

/* Rows in an order of their own, some twice, runs within a shard and across two. */
static const size_t picked[] = {9, 0, 1, 2, 3, 4, 5, 5, 2, 7, 6, 8, 9};
enum { PICKED = sizeof picked / sizeof *picked };

/* The rows of every view and layer against the whole layers. */
static void check_picked(const rp_store *s)
{
    rp_error err = {0};
    float whole[ROWS * 7], x[PICKED * 7];

    for (size_t v = 0; v < VIEWS; v++) {
        size_t width = shapes[v].width;
        for (size_t l = shapes[v].layer_first; l <= shapes[v].layer_last; l++) {
            assert_ok(rp_store_read(s, whole, v, l, &err), &err);
            assert_ok(rp_store_read_rows(s, x, v, l, picked, PICKED, &err), &err);
            for (size_t i = 0; i < PICKED; i++)
                assert_memory_equal(x + i * width, whole + picked[i] * width, width * sizeof *x);
        }
    }
}

static void rows_in_any_order_are_those_of_the_layer_in_every_dtype(void **state)
{
    static const rp_dtype dtypes[] = {RP_F32, RP_F16, RP_BF16, RP_I8};
    rp_error err = {0};

    (void)state;
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
        char name[16];
        rp_store *s = NULL;
        snprintf(name, sizeof name, "rows%zu", i);
        assert_ok(rp_store_open(&s, make_store(name, dtypes[i]), &err), &err);
        check_picked(s);
        assert_ok(rp_store_read_rows(s, NULL, 0, 0, NULL, 0, &err), &err);
        rp_store_free(s);
    }
}

static void rows_of_f32_are_mapped_and_others_are_not(void **state)
{
    static const rp_dtype dtypes[] = {RP_F32, RP_F16, RP_BF16, RP_I8};
    rp_error err = {0};

    (void)state;
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
        char name[16];
        rp_store *s = NULL;
        snprintf(name, sizeof name, "map%zu", i);
        assert_ok(rp_store_open(&s, make_store(name, dtypes[i]), &err), &err);
        for (size_t v = 0; v < VIEWS; v++)
            for (size_t r = 0; r < ROWS; r++) {
                const float *x;
                float want[ROWS * 7];
                size_t n;
                assert_ok(rp_store_map_rows(s, &x, &n, v, 1, r, &err), &err);
                if (dtypes[i] != RP_F32) {
                    assert_null(x);
                    continue;
                }
                size_t end = r / SHARD_ROWS * SHARD_ROWS + SHARD_ROWS;
                assert_int_equal(n, (end < ROWS ? end : ROWS) - r);
                assert_ok(rp_store_read(s, want, v, 1, &err), &err);
                assert_memory_equal(x, want + r * shapes[v].width, n * shapes[v].width * sizeof *x);
            }
        rp_store_free(s);
    }
}

static void hints_at_any_time_change_no_number(void **state)
{
    rp_error err = {0};
    rp_store *s = NULL;

    (void)state;
    assert_ok(rp_store_open(&s, make_store("hints", RP_I8), &err), &err);
    for (size_t v = 0; v <= VIEWS; v++) rp_store_expect(s, v, 1), rp_store_forget(s, v, 1);
    check_picked(s);
    for (size_t l = 0; l < 9; l++) rp_store_forget(s, 0, l), rp_store_expect(s, 1, l);
    check_picked(s);
    rp_store_free(s);
}

static void *read_picked(void *store)
{
    float x[PICKED * 7], want[PICKED * 7];
    rp_error err = {0};

    for (size_t i = 0; i < PICKED; i++)
        for (size_t c = 0; c < 7; c++) want[i * 7 + c] = value(1, 2, picked[i], c);
    for (int k = 0; k < 50; k++) {
        if (rp_store_read_rows(store, x, 1, 2, picked, PICKED, &err) != RP_OK) return store;
        if (memcmp(x, want, sizeof x) != 0) return store;
        rp_store_forget(store, 1, 2);
    }
    return NULL;
}

static void many_threads_read_one_store(void **state)
{
    enum { THREADS = 4 };
    pthread_t thread[THREADS];
    rp_error err = {0};
    rp_store *s = NULL;

    (void)state;
    assert_ok(rp_store_open(&s, make_store("threads", RP_F32), &err), &err);
    for (size_t t = 0; t < THREADS; t++)
        assert_int_equal(pthread_create(&thread[t], NULL, read_picked, s), 0);
    for (size_t t = 0; t < THREADS; t++) {
        void *failed = s;
        assert_int_equal(pthread_join(thread[t], &failed), 0);
        assert_null(failed);
    }
    rp_store_free(s);
}

static void a_row_that_is_not_there_is_refused(void **state)
{
    static const size_t beyond[] = {8, 9, 10}, huge[] = {SIZE_MAX};
    char dir[512], text[600];
    float x[3 * 7];
    rp_error err = {0};
    rp_store *s = NULL;

    (void)state;
    snprintf(dir, sizeof dir, "%s", make_store("beyond", RP_F32));
    assert_ok(rp_store_open(&s, dir, &err), &err);
    snprintf(text, sizeof text, "'%s' has 10 rows; there is no row 10", dir);
    assert_fails(rp_store_read_rows(s, x, 0, 0, beyond, 3, &err), &err, RP_EARG, text);
    snprintf(text, sizeof text, "'%s' has 10 rows; there is no row 18446744073709551615", dir);
    assert_fails(rp_store_read_rows(s, x, 0, 0, huge, 1, &err), &err, RP_EARG, text);
    snprintf(text, sizeof text, "'%s': mlp_act.last.max has layers 1 to 2; there is no layer 0",
             dir);
    assert_fails(rp_store_read_rows(s, x, 1, 0, beyond, 1, &err), &err, RP_EARG, text);
    snprintf(text, sizeof text, "'%s' has 2 views; there is no view 2", dir);
    assert_fails(rp_store_read_rows(s, x, 2, 1, beyond, 1, &err), &err, RP_EARG, text);
    const float *mapped;
    size_t n;
    assert_fails(rp_store_map_rows(s, &mapped, &n, 2, 1, 0, &err), &err, RP_EARG, text);
    snprintf(text, sizeof text, "'%s' has 10 rows; there is no row 10", dir);
    assert_fails(rp_store_map_rows(s, &mapped, &n, 0, 0, 10, &err), &err, RP_EARG, text);
    rp_store_free(s);
}

/* Makes rows.tsv the one given and store.json agree with it, in format 1. */
static void make_older(const char *dir, const char *rows_tsv)
{
    char path[600];
    rp_error err = {0};
    json_t *manifest = NULL, *file;
    size_t n = strlen(rows_tsv);

    snprintf(path, sizeof path, "%s/rows.tsv", dir);
    rp_test_write(path, rows_tsv, n);
    snprintf(path, sizeof path, "%s/store.json", dir);
    assert_ok(rp_json_load(&manifest, path, 1 << 20, &err), &err);
    json_object_set_new(manifest, "format_version", json_integer(1));
    file = json_object_get(manifest, "rows_file");
    json_object_set_new(file, "bytes", json_integer((json_int_t)n));
    json_object_set_new(file, "checksum", rp_json_from_checksum(rp_checksum_bytes(rows_tsv, n, 0)));
    assert_ok(rp_json_save(manifest, path, 0, &err), &err);
    json_decref(manifest);
}

static void a_store_of_format_one_opens_without_what_it_does_not_know(void **state)
{
    rp_store_plan plan = plan_new(RP_F16);
    char dir[512];
    rp_text text = {0};
    rp_error err = {0};
    rp_store *s = NULL;
    rp_store_writer *w = NULL;

    (void)state;
    snprintf(dir, sizeof dir, "%s", make_store("older", RP_F16));
    assert_ok(rp_text_printf(&text, &err, "row\tqid\tdocid\ttokens\tscore\n"), &err);
    for (size_t r = 0; r < ROWS; r++)
        assert_ok(rp_text_printf(&text, &err, "%zu\tq\td%zu\t8\t.5\n", r, r), &err);
    make_older(dir, text.data);
    rp_text_release(&text);
    assert_ok(rp_store_open(&s, dir, &err), &err);
    for (size_t r = 0; r < ROWS; r++) {
        const rp_store_row *row = rp_store_row_at(s, r);
        assert_int_equal(row->tokens, 8);
        assert_int_equal(row->query_tokens + row->document_tokens, 0);
        assert_true(isnan(row->token_control));
    }
    check_picked(s);
    rp_store_free(s);
    assert_ok(rp_store_writer_open(&w, dir, &plan, NULL, &err), &err);
    assert_true(rp_store_writer_complete(w)); /* not written again */
    rp_store_writer_free(w);
    json_decref(plan.settings);
}

static void a_token_count_or_control_that_is_no_number_is_named(void **state)
{
    static const struct {
        const char *cells, *text;
    } cases[] = {{"few\t3\t.5", "query_tokens is not a number: 'few'"},
                 {"2\t-3\t.5", "document_tokens is not a number: '-3'"},
                 {"2\t3\tmuch", "token_control is not a number: 'much'"}};
    rp_error err = {0};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char dir[512], name[16], want[600];
        rp_text text = {0};
        rp_store *s = NULL;
        snprintf(name, sizeof name, "number%zu", i);
        snprintf(dir, sizeof dir, "%s", make_store(name, RP_F32));
        assert_ok(rp_text_printf(&text, &err,
                                 "row\tqid\tdocid\ttokens\tscore\tquery_tokens\t"
                                 "document_tokens\ttoken_control\n"),
                  &err);
        for (size_t r = 0; r < ROWS; r++)
            assert_ok(rp_text_printf(&text, &err, "%zu\tq\td%zu\t8\t.5\t%s\n", r, r,
                                     r == 4 ? cases[i].cells : "2\t3\tnan"),
                      &err);
        make_older(dir, text.data);
        rp_text_release(&text);
        snprintf(want, sizeof want, "'%s/rows.tsv' line 6: %s", dir, cases[i].text);
        assert_fails(rp_store_open(&s, dir, &err), &err, RP_EFORMAT, want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read_back),
        cmocka_unit_test(a_layer_or_view_that_is_not_there_is_refused),
        cmocka_unit_test(a_store_without_scores_has_nan_for_them),
        cmocka_unit_test(an_unfinished_store_says_so),
        cmocka_unit_test(every_edit_of_a_store_is_named),
        cmocka_unit_test(a_missing_shard_is_named_when_the_store_is_opened),
        cmocka_unit_test(an_altered_shard_is_named_when_it_is_first_read),
        cmocka_unit_test(rows_in_any_order_are_those_of_the_layer_in_every_dtype),
        cmocka_unit_test(rows_of_f32_are_mapped_and_others_are_not),
        cmocka_unit_test(hints_at_any_time_change_no_number),
        cmocka_unit_test(many_threads_read_one_store),
        cmocka_unit_test(a_row_that_is_not_there_is_refused),
        cmocka_unit_test(a_store_of_format_one_opens_without_what_it_does_not_know),
        cmocka_unit_test(a_token_count_or_control_that_is_no_number_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
