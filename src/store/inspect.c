/* What is in a store, and whether it is as it was written. */
#include <dirent.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "store/append.h"
#include "store/manifest.h"
#include "store/shardfile.h"

/* The manifest of a complete or, where that is allowed, an unfinished store. */
static rp_status load(json_t **manifest, rp_layout *layout, char path[RP_STORE_PATH],
                      bool *complete, const char *dir, rp_error *err)
{
    *manifest = NULL, *complete = true;
    if (!rp_path_is_dir(dir)) return rp_fail(err, RP_EIO, "'%s': no such directory", dir);
    rp_status status = rp_path_join(path, RP_STORE_PATH, dir, RP_STORE_MANIFEST, err);
    if (!status && !rp_path_exists(path)) {
        *complete = false;
        status = rp_path_join(path, RP_STORE_PATH, dir, RP_STORE_UNFINISHED, err);
    }
    if (!status && !rp_path_exists(path))
        return rp_fail(err, RP_EFORMAT, "'%s' is not an activation store: no %s in it", dir,
                       RP_STORE_MANIFEST);
    if (!status) status = rp_manifest_load(manifest, path, err);
    if (!status)
        status = rp_layout_from_json(layout, json_object_get(*manifest, "settings"), path, err);
    const json_t *shards = json_object_get(*manifest, "shards");
    if (!status && *complete && json_array_size(shards) != layout->shards)
        status = rp_fail(err, RP_EFORMAT, "'%s': 'shards' lists %zu shards, not %zu", path,
                         json_array_size(shards), layout->shards);
    return status;
}

/* ---- info ---- */

static void say(FILE *f, const char *key, const json_t *value)
{
    if (json_is_string(value))
        fprintf(f, "%-18s %s\n", key, json_string_value(value));
    else if (json_is_integer(value))
        fprintf(f, "%-18s %" JSON_INTEGER_FORMAT "\n", key, json_integer_value(value));
    else if (json_is_boolean(value))
        fprintf(f, "%-18s %s\n", key, json_is_true(value) ? "yes" : "no");
}

static void say_members(FILE *f, const char *prefix, const json_t *object)
{
    const char *key;
    json_t *value;
    char name[64];
    json_object_foreach((json_t *)object, key, value)
    {
        snprintf(name, sizeof name, "%s.%s", prefix, key);
        if (json_is_object(value))
            say(f, name, json_object_get(value, "path"));
        else
            say(f, name, value);
    }
}

/* What it was before it was added to. */
static void say_history(FILE *f, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *entry = json_array_get(list, i);
        const char *run = json_string_value(
            json_object_get(json_object_get(json_object_get(entry, "inputs"), "run"), "path"));
        fprintf(
            f, "%-18s to %" JSON_INTEGER_FORMAT " rows of '%s' in %" JSON_INTEGER_FORMAT " views\n",
            "appended", json_integer_value(json_object_get(entry, "rows")), run ? run : "",
            json_integer_value(json_object_get(entry, "views")));
    }
}

/* Shards that are there, and bytes of a view's files: of those in its directory, since a number in
 * store.json is no reason to look for so many. */
static rp_status measure(size_t *shards, double *bytes, const rp_layout *layout, const char *dir,
                         size_t view, rp_error *err)
{
    char path[RP_STORE_PATH];
    struct stat st;
    *shards = 0, *bytes = 0;
    rp_status status = rp_path_join(path, sizeof path, dir, layout->view[view].name, err);
    DIR *d = status ? NULL : opendir(path);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;)
        if (fnmatch("[0-9]*.safetensors", e->d_name, 0) == 0 &&
            fstatat(dirfd(d), e->d_name, &st, 0) == 0)
            ++*shards, *bytes += (double)st.st_size;
    if (d) closedir(d);
    return status;
}

static rp_status say_views(FILE *f, const rp_layout *layout, const char *dir, rp_error *err)
{
    for (size_t v = 0; v < layout->nviews; v++) {
        const rp_store_view *view = &layout->view[v];
        size_t shards;
        double bytes;
        char key[96];
        rp_status status = measure(&shards, &bytes, layout, dir, v, err);
        if (status) return status;
        snprintf(key, sizeof key, "view.%s", view->name);
        fprintf(f, "%-30s layers %zu-%zu, width %zu, %zu of %zu shards, %.1f MiB\n", key,
                view->layer_first, view->layer_last, view->width, shards, layout->shards,
                bytes / 0x1p20);
    }
    return RP_OK;
}

rp_status rp_store_info(const char *dir, const char *output, rp_error *err)
{
    json_t *manifest;
    rp_layout layout = {0};
    rp_out out = {0};
    char path[RP_STORE_PATH];
    bool complete;
    rp_status status = load(&manifest, &layout, path, &complete, dir, err);
    if (!status) status = rp_store_check_output(dir, output, err);
    if (!status) status = rp_out_open(&out, output, err);
    if (!status) {
        const json_t *settings = json_object_get(manifest, "settings");
        fprintf(out.file, "%-18s %s\n", "store", dir);
        fprintf(out.file, "%-18s %s%s\n", "state", complete ? "complete" : "unfinished",
                rp_append_began(manifest) ? ", being added to" : "");
        say(out.file, "format", json_object_get(manifest, "format_version"));
        say(out.file, "version", json_object_get(manifest, "version"));
        say(out.file, "command", json_object_get(manifest, "command"));
        say_members(out.file, "model", json_object_get(settings, "model"));
        say_members(out.file, "template", json_object_get(settings, "template"));
        say_members(out.file, "inputs", json_object_get(settings, "inputs"));
        say_history(out.file, json_object_get(settings, "appended"));
        fprintf(out.file, "%-18s %zu\n", "rows", layout.rows);
        fprintf(out.file, "%-18s %zu of %zu rows\n", "shards", layout.shards, layout.shard_rows);
        fprintf(out.file, "%-18s %s\n", "dtype", rp_store_dtype_name(layout.dtype));
        say(out.file, "compute", json_object_get(settings, "compute"));
        fprintf(out.file, "%-18s %s\n", "score", layout.score ? "yes" : "no");
        status = say_views(out.file, &layout, dir, err);
    }
    if (!status) status = rp_out_commit(&out, err);
    rp_out_release(&out);
    rp_layout_release(&layout);
    json_decref(manifest);
    return status;
}

/* ---- verify ---- */

typedef struct check {
    const char *dir, *path; /* of the manifest */
    const rp_layout *layout;
    const json_t *manifest;
    const rp_host *host;
    FILE *out;
    size_t files, bad, done;
    double bytes;
    rp_status status;
    rp_error error;
} check;

static rp_status check_file(size_t *bytes, const check *c, const json_t *object, const char *path,
                            rp_error *err)
{
    rp_store_file file = {0};
    rp_status status = rp_json_size(object, "bytes", SIZE_MAX / 2, &file.bytes, c->path, err);
    if (!status) status = rp_json_checksum(object, "checksum", &file.checksum, c->path, err);
    if (!status) status = rp_store_file_verify(&file, path, err);
    *bytes = file.bytes;
    return status;
}

static void count(check *c, size_t bytes, rp_status status, const rp_error *why)
{
#pragma omp critical(rp_store_check)
    {
        c->files++, c->bytes += (double)bytes;
        if (status) c->bad++, fprintf(c->out, "bad: %s\n", why->text);
    }
}

static void check_shard(check *c, size_t s, size_t v)
{
    const rp_store_view *view = &c->layout->view[v];
    const json_t *shard = json_array_get(json_object_get(c->manifest, "shards"), s);
    rp_shardfile *file = NULL;
    rp_error why = {0};
    char path[RP_STORE_PATH];
    size_t bytes = 0;
    rp_status status = rp_layout_path(path, c->dir, view, s, &why);
    if (!status)
        status =
            check_file(&bytes, c, json_array_get(json_object_get(shard, "files"), v), path, &why);
    if (!status)
        status = rp_shardfile_open(&file, path, view, rp_layout_shard_rows(c->layout, s),
                                   c->layout->dtype, &why);
    rp_shardfile_free(file);
    count(c, bytes, status, &why);
    if (omp_get_thread_num()) return; /* the host is called from its own thread */
    status = rp_host_progress(c->host, "checking files", c->files,
                              c->layout->shards * c->layout->nviews, &why);
    if (status) c->status = status, c->error = why;
}

static rp_status check_all(check *c, int threads, rp_error *err)
{
    size_t nviews = c->layout->nviews, bytes = 0;
    long n = (long)(c->layout->shards * nviews);
    char path[RP_STORE_PATH];
    rp_error why = {0};
    rp_status status = rp_path_join(path, sizeof path, c->dir, RP_STORE_ROWS, err);
    if (status) return status;
#pragma omp parallel for schedule(dynamic, 1)                                                      \
    num_threads(threads > 0 ? threads : omp_get_max_threads())
    for (long i = 0; i < n; i++)
        if (!c->status) check_shard(c, (size_t)i / nviews, (size_t)i % nviews);
    if (c->status) return rp_fail(err, c->status, "%s", c->error.text);
    status = check_file(&bytes, c, json_object_get(c->manifest, "rows_file"), path, &why);
    count(c, bytes, status, &why);
    if (!c->bad) { /* what a reader says of the whole */
        rp_store *store = NULL;
        status = rp_store_open(&store, c->dir, &why);
        rp_store_free(store);
        if (status) c->bad++, fprintf(c->out, "bad: %s\n", why.text);
    }
    fprintf(c->out, "%zu files, %.0f bytes, %zu bad\n", c->files, c->bytes, c->bad);
    return RP_OK;
}

rp_status rp_store_verify(const char *dir, const char *output, int threads, const rp_host *host,
                          rp_error *err)
{
    json_t *manifest;
    rp_layout layout = {0};
    rp_out out = {0};
    char path[RP_STORE_PATH];
    bool complete;
    check c = {0};
    if (threads < 0) return rp_fail(err, RP_EARG, "%d threads", threads);
    rp_status status = load(&manifest, &layout, path, &complete, dir, err);
    if (!status && !complete)
        status = rp_fail(err, RP_EFORMAT,
                         "'%s' is unfinished: run the same capture again to complete it", dir);
    if (!status) status = rp_store_check_output(dir, output, err);
    if (!status) status = rp_out_open(&out, output, err);
    if (!status) {
        c = (check){.dir = dir,
                    .path = path,
                    .layout = &layout,
                    .manifest = manifest,
                    .host = host,
                    .out = out.file};
        status = check_all(&c, threads, err);
    }
    if (!status) status = rp_out_commit(&out, err);
    if (!status && c.bad)
        status = rp_fail(err, RP_EFORMAT, "'%s': %zu of %zu files are not as they were written",
                         dir, c.bad, c.files);
    rp_out_release(&out);
    rp_layout_release(&layout);
    json_decref(manifest);
    return status;
}
