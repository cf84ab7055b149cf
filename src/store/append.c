#include "store/append.h"

#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "store/manifest.h"
#include "store/rowfile.h"

#define BEFORE "before"

static const json_t *setting(const json_t *manifest, const char *key)
{
    return json_object_get(json_object_get(manifest, "settings"), key);
}

void rp_append_release(rp_store_before *before)
{
    free(before->row);
    free(before->view);
    rp_arena_free(before->names);
    *before = (rp_store_before){0};
}

/* Where the old rows are, and what store.json says of that file. */
typedef struct source {
    json_t *manifest; /* NULL: there is no such store */
    char path[RP_STORE_PATH], rows[RP_STORE_PATH];
    const json_t *file, *nrows;
    size_t nviews;
} source;

static rp_status find_source(source *s, const char *dir, bool grown, rp_error *err)
{
    const char *rows = RP_STORE_ROWS;
    bool complete = true;
    rp_status status = rp_path_join(s->path, sizeof s->path, dir, RP_STORE_MANIFEST, err);

    s->manifest = NULL;
    if (status == RP_OK && !rp_path_exists(s->path)) {
        complete = false;
        status = rp_path_join(s->path, sizeof s->path, dir, RP_STORE_UNFINISHED, err);
    }
    if (status != RP_OK || !rp_path_exists(s->path)) return status;
    status = rp_manifest_load(&s->manifest, s->path, err);
    if (status != RP_OK) return status;
    const json_t *before = json_object_get(s->manifest, BEFORE);
    s->file = json_object_get(s->manifest, "rows_file");
    s->nrows = setting(s->manifest, "rows");
    s->nviews = json_array_size(setting(s->manifest, "views"));
    if (!complete && before && !grown) {
        rows = RP_STORE_OLD_ROWS;
        s->file = json_object_get(before, "rows_file");
        s->nrows = json_object_get(before, "rows");
        s->nviews = (size_t)json_integer_value(json_object_get(before, "views"));
    } else if (grown ? !rp_append_grown(s->manifest) || before || !s->file : !complete) {
        json_decref(s->manifest);
        s->manifest = NULL;
    }
    return rp_path_join(s->rows, sizeof s->rows, dir, rows, err);
}

static rp_status list_views(rp_store_before *before, const rp_layout *layout, size_t n,
                            rp_error *err)
{
    before->nviews = n < layout->nviews ? n : layout->nviews;
    before->view = rp_alloc(before->nviews, sizeof *before->view);
    if (!before->view) return rp_fail_memory(err, n * sizeof *before->view);
    for (size_t v = 0; v < before->nviews; v++) {
        before->view[v] = rp_arena_strdup(before->names, layout->view[v].name);
        if (!before->view[v]) return rp_fail_memory(err, strlen(layout->view[v].name));
    }
    return RP_OK;
}

/* The file must be the one that was written, with as many rows. */
static rp_status read_rows(rp_store_before *before, const source *s, rp_error *err)
{
    rp_store_file file = {0};
    rp_status status = rp_json_size(s->file, "bytes", SIZE_MAX / 2, &file.bytes, s->path, err);

    if (status == RP_OK)
        status = rp_json_checksum(s->file, "checksum", &file.checksum, s->path, err);
    if (status == RP_OK) status = rp_store_file_verify(&file, s->rows, err);
    if (status == RP_OK)
        status = rp_rowfile_read(&before->row, &before->rows, before->names, s->rows, err);
    if (status == RP_OK && (json_int_t)before->rows != json_integer_value(s->nrows))
        status = rp_fail(err, RP_EFORMAT, "'%s' has %zu rows, not as many as '%s' says", s->rows,
                         before->rows, s->path);
    return status;
}

rp_status rp_append_look(rp_store_before *before, const char *dir, bool grown, rp_error *err)
{
    source s;
    rp_layout layout = {0};
    rp_status status = find_source(&s, dir, grown, err);

    *before = (rp_store_before){0};
    if (status == RP_OK && s.manifest) {
        before->names = rp_arena_new();
        if (!before->names) status = rp_fail_memory(err, sizeof *before);
        if (status == RP_OK)
            status =
                rp_layout_from_json(&layout, json_object_get(s.manifest, "settings"), s.path, err);
        if (status == RP_OK) status = list_views(before, &layout, s.nviews, err);
        if (status == RP_OK) status = read_rows(before, &s, err);
    }
    rp_layout_release(&layout);
    json_decref(s.manifest);
    if (status != RP_OK) rp_append_release(before);
    return status;
}

/* ---- manifests ---- */

bool rp_append_adds(const json_t *there, const rp_layout *layout)
{
    return (size_t)json_integer_value(setting(there, "rows")) < layout->rows ||
           json_array_size(setting(there, "views")) < layout->nviews;
}

bool rp_append_began(const json_t *there)
{
    return json_object_get(there, BEFORE) != NULL;
}

bool rp_append_grown(const json_t *there)
{
    return setting(there, "appended") != NULL;
}

/* The first views are those that are there: same names, widths and layers. */
static bool extends(const json_t *views, const json_t *old)
{
    for (size_t v = 0; v < json_array_size(old); v++)
        if (!json_equal(json_array_get(views, v), json_array_get(old, v))) return false;
    return true;
}

/* A copy of `wanted` that has what additions may change as it is in `there`. */
static json_t *as_there(const json_t *there, const json_t *wanted)
{
    /* Once begun it is the same rows, views and inputs, with a history that is not known here. */
    static const char *const changes[] = {"sample", "appended",       "inputs",
                                          "rows",   "pairs_checksum", "views"};
    size_t n = rp_append_began(there) ? 2 : 5;
    json_t *copy = json_deep_copy(wanted), *settings = json_object_get(copy, "settings");
    int failed = copy == NULL;

    if (!rp_append_began(there) && extends(setting(wanted, "views"), setting(there, "views"))) n++;
    for (size_t i = 0; i < n && !failed; i++) {
        json_t *old = json_deep_copy(setting(there, changes[i]));
        if (old)
            failed = json_object_set_new(settings, changes[i], old);
        else
            json_object_del(settings, changes[i]);
    }
    if (!failed) return copy;
    json_decref(copy);
    return NULL;
}

rp_status rp_append_match(const json_t *there, const json_t *wanted, const char *path,
                          rp_error *err)
{
    json_t *here = as_there(there, wanted);
    rp_status status =
        here ? rp_manifest_match(there, here, path, err) : rp_fail_memory(err, sizeof here);

    json_decref(here);
    return status;
}

rp_status rp_append_same_rows(const json_t *there, const rp_store_row *row, size_t rows,
                              const char *path, rp_error *err)
{
    const json_t *settings = json_object_get(there, "settings");
    size_t n = 0;
    uint64_t said = 0, found = 0;
    rp_status status = rp_json_size(settings, "rows", RP_STORE_MAX_ROWS, &n, path, err);

    if (status == RP_OK) status = rp_json_checksum(settings, "pairs_checksum", &said, path, err);
    if (status == RP_OK && n <= rows) status = rp_manifest_pairs(&found, row, n, err);
    if (status == RP_OK && (n > rows || found != said))
        status = rp_fail(err, RP_EARG, "'%s' is not as it was when this began: start again", path);
    return status;
}

/* What the rows and views of `there` came from: one more entry of its history. */
static json_t *history(const json_t *there)
{
    const json_t *old = setting(there, "appended");
    json_t *list = json_is_array(old) ? json_deep_copy(old) : json_array();
    json_t *entry =
        json_pack("{s:O?, s:I, s:O?, s:O?}", "rows", setting(there, "rows"), "views",
                  (json_int_t)json_array_size(setting(there, "views")), "inputs",
                  setting(there, "inputs"), "command", json_object_get(there, "command"));

    if (list && entry && json_array_append_new(list, entry) == 0) return list;
    json_decref(list);
    return NULL;
}

rp_status rp_append_manifest(json_t **manifest, const json_t *there, const json_t *wanted,
                             rp_error *err)
{
    json_t *copy = json_deep_copy(wanted), *settings = json_object_get(copy, "settings");
    json_t *before =
        json_pack("{s:O?, s:I, s:O?, s:O?, s:O?}", "rows", setting(there, "rows"), "views",
                  (json_int_t)json_array_size(setting(there, "views")), "shards",
                  json_object_get(there, "shards"), "loss", json_object_get(there, "loss"),
                  "rows_file", json_object_get(there, "rows_file"));
    json_t *sample = json_deep_copy(setting(there, "sample"));
    int failed = !copy || !before;

    if (!failed && sample) failed = json_object_set(settings, "sample", sample);
    failed = failed || json_object_set_new(settings, "appended", history(there));
    failed = failed || json_object_set(copy, BEFORE, before);
    json_decref(sample);
    json_decref(before);
    if (failed) {
        json_decref(copy);
        return rp_fail_memory(err, sizeof *manifest);
    }
    *manifest = copy;
    return RP_OK;
}

/* ---- what is kept ---- */

static rp_status keep_file(rp_part *part, size_t v, const json_t *shard, const char *dir,
                           const rp_layout *layout, size_t s, const char *manifest, rp_error *err)
{
    const json_t *file = json_array_get(json_object_get(shard, "files"), v);
    char path[RP_STORE_PATH];
    rp_status status =
        rp_json_size(file, "bytes", SIZE_MAX / 2, &part->file[v].bytes, manifest, err);

    if (status == RP_OK)
        status = rp_json_checksum(file, "checksum", &part->file[v].checksum, manifest, err);
    if (status == RP_OK) status = rp_layout_path(path, dir, &layout->view[v], s, err);
    return status == RP_OK ? rp_store_file_verify(&part->file[v], path, err) : status;
}

/* All old views of a shard. */
static rp_status keep_shard(rp_part *part, size_t views, const json_t *shard, const char *dir,
                            const rp_layout *layout, size_t s, const char *path, rp_error *err)
{
    rp_status status = RP_OK;

    for (size_t v = 0; status == RP_OK && v < views; v++)
        status = keep_file(part, v, shard, dir, layout, s, path, err);
    if (status != RP_OK) return status;
    part->kept = views;
    part->done = views == layout->nviews;
    return RP_OK;
}

rp_status rp_append_keep(rp_part *part, const char *dir, const rp_layout *layout,
                         const json_t *manifest, const char *path, bool strict, const rp_host *host,
                         rp_error *err)
{
    const json_t *before = json_object_get(manifest, BEFORE);
    const json_t *list = json_object_get(before, "shards");
    size_t rows = 0, views = 0;
    rp_status status = rp_json_size(before, "rows", layout->rows, &rows, path, err);

    if (status == RP_OK) status = rp_json_size(before, "views", layout->nviews, &views, path, err);
    if (status != RP_OK) return status;
    size_t shards = rows == layout->rows ? layout->shards : rows / layout->shard_rows;
    if (json_array_size(list) < shards)
        return rp_fail(err, RP_EFORMAT, "'%s': '" BEFORE "' lists %zu shards, not %zu", path,
                       json_array_size(list), shards);
    for (size_t s = 0; status == RP_OK && s < shards; s++) {
        rp_error why = {0};
        rp_loss_from_json(part[s].loss, views, json_object_get(before, "loss"), path);
        status = keep_shard(&part[s], views, json_array_get(list, s), dir, layout, s, path, &why);
        if (status != RP_OK && strict) return rp_fail(err, status, "%s", why.text);
        if (status != RP_OK) rp_host_warn(host, "%s; shard %zu is computed again", why.text, s);
        status = rp_host_progress(host, "checking shards", s + 1, shards, err);
    }
    return status;
}

rp_status rp_append_save_rows(const char *dir, const json_t *manifest, const char *path,
                              rp_error *err)
{
    char from[RP_STORE_PATH], to[RP_STORE_PATH];
    rp_store_file file = {0};
    rp_out out = {0};
    char *data = NULL;
    size_t size = 0;
    const json_t *rows = json_object_get(manifest, "rows_file");
    rp_status status = rp_path_join(from, sizeof from, dir, RP_STORE_ROWS, err);

    if (status == RP_OK) status = rp_path_join(to, sizeof to, dir, RP_STORE_OLD_ROWS, err);
    if (status == RP_OK) status = rp_json_size(rows, "bytes", SIZE_MAX / 2, &file.bytes, path, err);
    if (status == RP_OK) status = rp_json_checksum(rows, "checksum", &file.checksum, path, err);
    if (status == RP_OK) status = rp_file_read(&data, &size, from, file.bytes, err);
    if (status == RP_OK) status = rp_out_open(&out, to, err);
    if (status == RP_OK) {
        fwrite(data, 1, size, out.file);
        status = rp_out_commit(&out, err);
    }
    if (status == RP_OK) status = rp_store_file_verify(&file, to, err);
    rp_out_release(&out);
    free(data);
    return status;
}

void rp_append_done(json_t *manifest)
{
    json_object_del(manifest, BEFORE);
}
