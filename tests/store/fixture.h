/* A small store for the store's tests: 10 rows in shards of 4, two views. */
#ifndef RP_TESTS_STORE_FIXTURE_H
#define RP_TESTS_STORE_FIXTURE_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/writer.h"
#include "support/support.h"

enum { ROWS = 10, SHARD_ROWS = 4, SHARDS = 3, VIEWS = 2 };

static const rp_store_view shapes[VIEWS] = {{"resid_post.all.mean", 5, 0, 2},
                                            {"mlp_act.last.max", 7, 1, 2}};
static char ids[ROWS][2][16];
static rp_store_row rows[ROWS];
static char warning[512];

static inline void keep_warning(void *arg, const char *text)
{
    (void)arg;
    snprintf(warning, sizeof warning, "%s", text);
}
static const rp_host host = {.warn = keep_warning, .command = "rankprobe capture --test"};

static inline float value(size_t view, size_t layer, size_t row, size_t column)
{
    return (float)sin((double)(view * 1000 + layer * 100 + row * 10 + column) + 0.5);
}

static inline float score(size_t row)
{
    return (float)row / 3 - 1;
}

/* Not a float's value: a continued store must keep it as it is. */
static inline double control(size_t row)
{
    return 1.0 / 3 - (double)row / 7;
}

static inline rp_store_plan plan_new(rp_dtype dtype)
{
    for (size_t r = 0; r < ROWS; r++) {
        snprintf(ids[r][0], sizeof ids[r][0], "q%zu", r / 5);
        snprintf(ids[r][1], sizeof ids[r][1], "doc%zu", r);
        rows[r] = (rp_store_row){.qid = ids[r][0], .docid = ids[r][1]};
    }
    return (rp_store_plan){.views = shapes,
                           .nviews = VIEWS,
                           .dtype = dtype,
                           .row = rows,
                           .rows = ROWS,
                           .shard_rows = SHARD_ROWS,
                           .score = true,
                           .command = host.command,
                           .settings = json_pack("{s:{s:s, s:s}, s:{s:s, s:i}}", "model", "path",
                                                 "a/b", "fingerprint", "0123", "template", "name",
                                                 "rankllama-pair", "max_query", 32)};
}

static inline rp_status put_shard(rp_store_writer *w, size_t shard, rp_error *err)
{
    const rp_layout *layout = rp_store_writer_layout(w);
    size_t n = rp_layout_shard_rows(layout, shard), first = shard * SHARD_ROWS;
    float a[3 * SHARD_ROWS * 5], b[2 * SHARD_ROWS * 7];
    const float *x[VIEWS] = {a, b};
    rp_store_row row[SHARD_ROWS];

    for (size_t r = 0; r < n; r++) {
        row[r] = (rp_store_row){.tokens = 20 + first + r,
                                .score = (double)score(first + r),
                                .query_tokens = 5 + r,
                                .document_tokens = 10 + first,
                                .token_control = control(first + r)};
        for (size_t l = 0; l < 3; l++)
            for (size_t c = 0; c < 5; c++) a[(l * n + r) * 5 + c] = value(0, l, first + r, c);
        for (size_t l = 0; l < 2; l++)
            for (size_t c = 0; c < 7; c++) b[(l * n + r) * 7 + c] = value(1, l + 1, first + r, c);
    }
    return rp_store_writer_put(w, shard, &(rp_store_shard){x, row}, err);
}

/* Opens the writer, puts at most `shards` shards that are missing, finishes when all are there. */
static inline void write_store(const char *dir, const rp_store_plan *plan, size_t shards)
{
    rp_error err = {0};
    rp_store_writer *w = NULL;
    bool all = true;

    assert_ok(rp_store_writer_open(&w, dir, plan, &host, &err), &err);
    for (size_t s = 0; s < SHARDS && !rp_store_writer_complete(w); s++) {
        if (!rp_store_writer_has(w, s) && shards > 0) {
            assert_ok(put_shard(w, s, &err), &err);
            shards--;
        }
        all = all && rp_store_writer_has(w, s);
    }
    if (all && !rp_store_writer_complete(w)) assert_ok(rp_store_writer_finish(w, NULL, &err), &err);
    rp_store_writer_free(w);
}

/* A complete f32 (or other) store in the test's directory; the path is valid for seven calls. */
static inline const char *make_store(const char *name, rp_dtype dtype)
{
    const char *dir = rp_test_path(name);
    rp_store_plan plan = plan_new(dtype);

    write_store(dir, &plan, SHARDS);
    json_decref(plan.settings);
    return dir;
}

static inline void assert_same_directories(const char *a, const char *b)
{
    char command[1200], *out = NULL;

    snprintf(command, sizeof command, "diff -r '%s' '%s' 2>&1", a, b);
    if (rp_test_command(&out, NULL, command) != 0) fail_msg("%s", out);
    free(out);
}

#endif
