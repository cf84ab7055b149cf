#include "store/append.h"

#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "store/manifest.h"
#include "store/rowfile.h"

#define BEFORE "before"

void rp_append_release(rp_store_before *before)
{
    free(before->row);
    free(before->view);
    rp_arena_free(before->names);
    *before = (rp_store_before){0};
}

/* The manifest of a complete store, or of one that is being added to; else NULL. */
static rp_status find_manifest(json_t **manifest, char path[RP_STORE_PATH], const char *dir,
                               rp_error *err)
{
    rp_status status = rp_path_join(path, RP_STORE_PATH, dir, RP_STORE_MANIFEST, err);

    *manifest = NULL;
    if (status == RP_OK && rp_path_exists(path)) return rp_manifest_load(manifest, path, err);
    if (status == RP_OK) status = rp_path_join(path, RP_STORE_PATH, dir, RP_STORE_UNFINISHED, err);
    if (status == RP_OK && rp_path_exists(path)) status = rp_manifest_load(manifest, path, err);
    if (status == RP_OK && *manifest && !rp_append_began(*manifest)) {
        json_decref(*manifest);
        *manifest = NULL;
    }
    return status;
}

static rp_status list_views(rp_store_before *before, const rp_layout *layout, rp_error *err)
{
    before->view = rp_alloc(layout->nviews, sizeof *before->view);
    if (!before->view) return rp_fail_memory(err, layout->nviews * sizeof *before->view);
    for (size_t v = 0; v < layout->nviews; v++) {
        before->view[v] = rp_arena_strdup(before->names, layout->view[v].name);
        if (!before->view[v]) return rp_fail_memory(err, strlen(layout->view[v].name));
    }
    before->nviews = layout->nviews;
    return RP_OK;
}

rp_status rp_append_look(rp_store_before *before, const char *dir, rp_error *err)
{
    char path[RP_STORE_PATH];
    json_t *manifest = NULL;
    rp_layout layout = {0};
    rp_status status = find_manifest(&manifest, path, dir, err);

    *before = (rp_store_before){0};
    if (status != RP_OK || !manifest) return status;
    before->names = rp_arena_new();
    if (!before->names) status = rp_fail_memory(err, sizeof *before);
    if (status == RP_OK)
        status = rp_layout_from_json(&layout, json_object_get(manifest, "settings"), path, err);
    if (status == RP_OK) status = list_views(before, &layout, err);
    if (status == RP_OK) status = rp_path_join(path, sizeof path, dir, RP_STORE_ROWS, err);
    if (status == RP_OK)
        status = rp_rowfile_read(&before->row, &before->rows, before->names, path, err);
    rp_layout_release(&layout);
    json_decref(manifest);
    if (status != RP_OK) rp_append_release(before);
    return status;
}

/* ---- manifests ---- */

static const json_t *setting(const json_t *manifest, const char *key)
{
    return json_object_get(json_object_get(manifest, "settings"), key);
}

bool rp_append_adds(const json_t *there, const rp_layout *layout)
{
    return (size_t)json_integer_value(setting(there, "rows")) < layout->rows ||
           json_array_size(setting(there, "views")) < layout->nviews;
}

bool rp_append_began(const json_t *there)
{
    return json_object_get(there, BEFORE) != NULL;
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
    static const char *const changes[] = {"inputs", "sample",         "appended",
                                          "rows",   "pairs_checksum", "views"};
    size_t n = rp_append_began(there) ? 3 : 6; /* it is begun: rows and views are known */
    json_t *copy = json_deep_copy(wanted), *settings = json_object_get(copy, "settings");
    bool more = extends(setting(wanted, "views"), setting(there, "views"));
    int failed = copy == NULL;

    for (size_t i = 0; i < n && !failed; i++) {
        json_t *old = json_deep_copy(setting(there, changes[i]));
        if (i == 5 && !more)
            json_decref(old);
        else if (old)
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

/* What the rows and views of `there` came from: one more entry of its history. */
static json_t *history(const json_t *there)
{
    json_t *list = json_deep_copy(setting(there, "appended"));
    json_t *entry =
        json_pack("{s:O?, s:I, s:O?, s:O?}", "rows", setting(there, "rows"), "views",
                  (json_int_t)json_array_size(setting(there, "views")), "inputs",
                  setting(there, "inputs"), "command", json_object_get(there, "command"));

    if (!list) list = json_array();
    if (list && entry && json_array_append_new(list, entry) == 0) return list;
    json_decref(list);
    return NULL;
}

rp_status rp_append_manifest(json_t **manifest, const json_t *there, const json_t *wanted,
                             rp_error *err)
{
    json_t *copy = json_deep_copy(wanted), *settings = json_object_get(copy, "settings");
    json_t *before =
        json_pack("{s:O?, s:I, s:O?, s:O?}", "rows", setting(there, "rows"), "views",
                  (json_int_t)json_array_size(setting(there, "views")), "shards",
                  json_object_get(there, "shards"), "loss", json_object_get(there, "loss"));
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

rp_status rp_append_keep(size_t *shards, size_t *views, rp_part *part, const char *dir,
                         const rp_layout *layout, const json_t *manifest, const char *path,
                         const rp_host *host, rp_error *err)
{
    const json_t *before = json_object_get(manifest, BEFORE);
    const json_t *list = json_object_get(before, "shards");
    size_t rows = 0;
    rp_status status = rp_json_size(before, "rows", layout->rows, &rows, path, err);

    if (status == RP_OK) status = rp_json_size(before, "views", layout->nviews, views, path, err);
    if (status != RP_OK) return status;
    *shards = rows == layout->rows ? layout->shards : rows / layout->shard_rows;
    if (json_array_size(list) < *shards)
        return rp_fail(err, RP_EFORMAT, "'%s': '" BEFORE "' lists %zu shards, not %zu", path,
                       json_array_size(list), *shards);
    for (size_t s = 0; status == RP_OK && s < *shards; s++) {
        for (size_t v = 0; status == RP_OK && v < *views; v++)
            status = keep_file(&part[s], v, json_array_get(list, s), dir, layout, s, path, err);
        rp_loss_from_json(part[s].loss, *views, json_object_get(before, "loss"), path);
        part[s].done = *views == layout->nviews;
        if (status == RP_OK)
            status = rp_host_progress(host, "checking shards", s + 1, *shards, err);
    }
    return status;
}

void rp_append_done(json_t *manifest)
{
    json_object_del(manifest, BEFORE);
}
