/* The command probe on a layer that does not fit into the memory it is given. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/memory.h"
#include "base/number.h"
#include "store/writer.h"
#include "support/support.h"

/* 195 MiB of x, on disk as in memory: were its pages kept, the peak would be above that. Wide, so
 * that names and labels are small beside it, and few folds, so that ridge's sums are. Queries of 20
 * pairs: what a fold reads lies all over the file. */
enum { QUERIES = 5000, EACH = 20, ROWS = QUERIES * EACH, WIDTH = 512, SHARD = 8192, MIB = 195 };

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#define SANITIZED __has_feature(address_sanitizer)
#else
#define SANITIZED 0
#endif

static char (*ids)[2][16];
static rp_store_row *row;

static rp_status put_shards(rp_store_writer *writer, rp_text *text, rp_error *err)
{
    float *x = rp_alloc(SHARD * WIDTH, sizeof *x);
    const float *views[] = {x};
    rp_rng rng;
    rp_status status = x ? RP_OK : rp_fail_memory(err, SHARD * WIDTH * sizeof *x);
    rp_rng_init(&rng, 21, 0);
    if (!status) status = rp_text_printf(text, err, "qid\tdocid\ty\n");
    for (size_t first = 0; first < ROWS && !status; first += SHARD) {
        size_t m = ROWS - first < SHARD ? ROWS - first : SHARD;
        const rp_store_shard shard = {views, row + first};
        for (size_t i = 0; i < m * WIDTH; i++) /* cheap noise */
            x[i] = (float)(rp_rng_next(&rng) >> 40) * 0x1p-23f;
        for (size_t i = 0; i < m && !status; i++)
            status =
                rp_text_printf(text, err, "%s\t%s\t%.7g\n", ids[first + i][0], ids[first + i][1],
                               (double)x[i * WIDTH] + .3 * rp_rng_normal(&rng));
        if (!status) status = rp_store_writer_put(writer, first / SHARD, &shard, err);
    }
    free(x);
    return status;
}

static int make_store(void **state)
{
    static const rp_store_view view = {"resid_post.all.mean", WIDTH, 0, 0};
    rp_error err = {0};
    rp_text text = {0};
    rp_store_writer *writer;
    (void)state;
    ids = rp_alloc(ROWS, sizeof *ids), row = rp_alloc(ROWS, sizeof *row);
    if (!ids || !row) return -1;
    for (size_t r = 0; r < ROWS; r++) {
        snprintf(ids[r][0], sizeof ids[r][0], "q%zu", r / EACH);
        snprintf(ids[r][1], sizeof ids[r][1], "d%zu", r);
        row[r] = (rp_store_row){.qid = ids[r][0], .docid = ids[r][1], .tokens = 20 + r % 13};
    }
    rp_store_plan plan = {.views = &view,
                          .nviews = 1,
                          .dtype = RP_F32,
                          .row = row,
                          .rows = ROWS,
                          .shard_rows = SHARD,
                          .settings = json_pack("{s:s}", "model", "made up")};
    rp_status status = rp_store_writer_open(&writer, rp_test_path("store"), &plan, NULL, &err);
    if (!status) status = put_shards(writer, &text, &err);
    if (!status) status = rp_store_writer_finish(writer, NULL, &err);
    if (!status) rp_test_write("features.tsv", text.data, text.len);
    rp_store_writer_free(writer);
    rp_text_release(&text);
    json_decref(plan.settings);
    if (status) print_error("%s\n", err.text);
    return status ? -1 : 0;
}

static int release(void **state)
{
    (void)state;
    free(ids), free(row);
    return 0;
}

#define PROBE                                                                                      \
    "$RANKPROBE probe $TMP/store $TMP/features.tsv --no-controls --gains '' --permutations 0 "     \
    "--bootstrap 50 --folds 2 --inner 2 -j 2 "

/* "rankprobe: 1.2 s, 1.1 s of CPU, 37 MiB at most" */
static int peak(const char *text)
{
    const char *at = strstr(text, "s of CPU, ");
    assert_non_null(at);
    return atoi(at + strlen("s of CPU, "));
}

static void ridge_reads_a_layer_that_is_larger_than_memory_piece_by_piece(void **state)
{
    char *err, *other;
    (void)state;
    assert_int_equal(rp_test_command(NULL, &err, PROBE "--memory 40M -o $TMP/small.tsv"), 0);
    assert_int_equal(rp_test_command(NULL, &other, PROBE "-o $TMP/large.tsv"), 0);
    assert_int_equal(rp_test_command(NULL, NULL,
                                     "cd $TMP && grep -v '^# command' small.tsv > a; "
                                     "grep -v '^# command' large.tsv > b; test -s a && cmp a b"),
                     0);
    assert_true(peak(err) > 0);
    if (!SANITIZED) assert_in_range(peak(err), 1, MIB * 3 / 4); /* names and labels included */
    free(err), free(other);
}

static void a_lasso_is_refused_with_the_memory_that_it_needs(void **state)
{
    static const char before[] = "a layer of 100000 rows needs about ";
    char *err;
    (void)state;
    assert_int_equal(
        rp_test_command(NULL, &err, PROBE "--method lasso --memory 40M -o $TMP/lasso.tsv"), 1);
    const char *at = strstr(err, before);
    assert_non_null(at);
    assert_true(atof(at + strlen(before)) * 1024 >= MIB); /* x in f32 at least */
    assert_non_null(strstr(err, "GiB of memory, there are 0.04 GiB for it (--memory)"));
    assert_int_equal(rp_test_command(NULL, NULL, "test ! -e $TMP/lasso.tsv"), 0);
    free(err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ridge_reads_a_layer_that_is_larger_than_memory_piece_by_piece),
        cmocka_unit_test(a_lasso_is_refused_with_the_memory_that_it_needs),
    };
    return cmocka_run_group_tests(tests, make_store, release);
}
