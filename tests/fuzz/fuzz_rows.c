/* rows.tsv of any bytes, in a store that is sound otherwise (its checksum is made to agree). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/writer.h"
#include "support/fuzz.h"

static char view_dir[RP_STORE_PATH], shard[RP_STORE_PATH];
static json_t *manifest;

static void remove_view(void)
{
    unlink(shard);
    rmdir(view_dir);
    json_decref(manifest);
}

/* A store of two rows; its files stay, store.json is kept in memory. */
static void make_store(const char *dir)
{
    const rp_store_view view = {"resid_post.all.mean", 3, 0, 0};
    const rp_store_row row[2] = {{.qid = "q", .docid = "d1", .tokens = 7, .score = 1},
                                 {.qid = "q", .docid = "d2", .tokens = 8, .score = 2}};
    const float x[6] = {1, 2, 3, 4, 5, 6}, *const xs[1] = {x};
    json_t *settings = json_object();
    rp_store_plan plan = {.views = &view,
                          .nviews = 1,
                          .row = row,
                          .rows = 2,
                          .shard_rows = 2,
                          .score = true,
                          .settings = settings};
    char path[RP_STORE_PATH];
    rp_store_writer *w = NULL;

    if (rp_store_writer_open(&w, dir, &plan, NULL, NULL) != RP_OK ||
        rp_store_writer_put(w, 0, &(rp_store_shard){xs, row}, NULL) != RP_OK ||
        rp_store_writer_finish(w, NULL, NULL) != RP_OK ||
        rp_path_join(path, sizeof path, dir, RP_STORE_MANIFEST, NULL) != RP_OK ||
        rp_json_load(&manifest, path, 1 << 20, NULL) != RP_OK ||
        rp_path_join(view_dir, sizeof view_dir, dir, view.name, NULL) != RP_OK ||
        rp_layout_path(shard, dir, &view, 0, NULL) != RP_OK)
        abort();
    rp_store_writer_free(w);
    json_decref(settings);
    atexit(remove_view);
}

int rp_fuzz_one(const uint8_t *data, size_t n)
{
    static bool made;
    rp_store *s = NULL;
    json_t *file;
    char *text;

    if (!made) {
        const char *dir = rp_fuzz_dir_file(RP_STORE_MANIFEST, data, 0);
        char path[RP_STORE_PATH];
        if (rp_path_join(path, sizeof path, dir, RP_STORE_MANIFEST, NULL) != RP_OK) abort();
        unlink(path);
        make_store(dir);
        made = true;
    }
    file = json_object_get(manifest, "rows_file");
    json_object_set_new(file, "bytes", json_integer((json_int_t)n));
    json_object_set_new(file, "checksum", rp_json_from_checksum(rp_checksum_bytes(data, n, 0)));
    text = json_dumps(manifest, 0);
    if (!text) abort();
    rp_fuzz_dir_file(RP_STORE_MANIFEST, (const uint8_t *)text, strlen(text));
    free(text);
    if (rp_store_open(&s, rp_fuzz_dir_file(RP_STORE_ROWS, data, n), NULL) == RP_OK)
        for (size_t r = 0; r < rp_store_rows(s); r++) rp_store_row_at(s, r);
    rp_store_free(s);
    return 0;
}
