#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/number.h"
#include "base/table.h"
#include "store/manifest.h"
#include "store/shardfile.h"

struct rp_store {
    char *dir;
    rp_layout layout;
    rp_store_file *file;   /* [shards, nviews] */
    atomic_bool *verified; /* [shards, nviews] its bytes were compared with the checksum */
    rp_table *table;       /* rows.tsv, owner of the names in row */
    rp_store_row *row;     /* [rows] */
};

void rp_store_free(rp_store *store)
{
    if (!store) return;
    rp_table_free(store->table);
    free(store->row);
    free(store->verified);
    free(store->file);
    rp_layout_release(&store->layout);
    free(store->dir);
    free(store);
}

size_t rp_store_rows(const rp_store *store)
{
    return store->layout.rows;
}

const rp_store_row *rp_store_row_at(const rp_store *store, size_t row)
{
    return row < store->layout.rows ? &store->row[row] : NULL;
}

size_t rp_store_views(const rp_store *store)
{
    return store->layout.nviews;
}

const rp_store_view *rp_store_view_at(const rp_store *store, size_t view)
{
    return view < store->layout.nviews ? &store->layout.view[view] : NULL;
}

/* ---- opening ---- */

static rp_status file_from_json(rp_store_file *file, const json_t *object, const char *path,
                                rp_error *err)
{
    rp_status status = rp_json_size(object, "bytes", SIZE_MAX / 2, &file->bytes, path, err);

    if (status == RP_OK) status = rp_json_checksum(object, "checksum", &file->checksum, path, err);
    return status;
}

static rp_status shards_from_json(rp_store *store, const json_t *list, const char *path,
                                  rp_error *err)
{
    const rp_layout *layout = &store->layout;
    rp_status status = RP_OK;

    if (!json_is_array(list) || json_array_size(list) != layout->shards)
        return rp_fail(err, RP_EFORMAT, "'%s': 'shards' lists %zu shards, not %zu", path,
                       json_array_size(list), layout->shards);
    for (size_t s = 0; status == RP_OK && s < layout->shards; s++) {
        const json_t *shard = json_array_get(list, s), *files = json_object_get(shard, "files");
        size_t rows = 0;
        status = rp_json_size(shard, "rows", RP_STORE_MAX_ROWS, &rows, path, err);
        if (status == RP_OK && rows != rp_layout_shard_rows(layout, s))
            status = rp_fail(err, RP_EFORMAT, "'%s': shard %zu has %zu rows, not %zu", path, s,
                             rows, rp_layout_shard_rows(layout, s));
        if (status == RP_OK && json_array_size(files) != layout->nviews)
            status = rp_fail(err, RP_EFORMAT, "'%s': shard %zu has %zu files, not %zu", path, s,
                             json_array_size(files), layout->nviews);
        for (size_t v = 0; status == RP_OK && v < layout->nviews; v++)
            status = file_from_json(&store->file[s * layout->nviews + v], json_array_get(files, v),
                                    path, err);
    }
    return status;
}

/* Every file must be there in its size; its bytes are checked when it is first read. */
static rp_status check_files(const rp_store *store, rp_error *err)
{
    const rp_layout *layout = &store->layout;
    rp_status status = RP_OK;

    for (size_t s = 0; s < layout->shards; s++)
        for (size_t v = 0; v < layout->nviews; v++) {
            size_t wanted = store->file[s * layout->nviews + v].bytes;
            char path[RP_STORE_PATH];
            struct stat st;
            status = rp_layout_path(path, store->dir, &layout->view[v], s, err);
            if (status != RP_OK) return status;
            if (stat(path, &st) != 0)
                return rp_fail(err, RP_EFORMAT, "'%s' is missing from the store", path);
            if ((size_t)st.st_size != wanted)
                return rp_fail(err, RP_EFORMAT, "'%s' is truncated or altered: %zu bytes, not %zu",
                               path, (size_t)st.st_size, wanted);
        }
    return RP_OK;
}

static rp_status read_row(rp_store *store, size_t r, const size_t column[5], rp_error *err)
{
    const rp_table *t = store->table;
    const char *path = rp_table_path(t);
    rp_store_row *row = &store->row[r];
    size_t number;

    if (!rp_number_size(rp_table_cell(t, r, column[0]), &number) || number != r)
        return rp_fail(err, RP_EFORMAT, "'%s' line %zu: row is '%s', not %zu", path,
                       rp_table_line(t, r), rp_table_cell(t, r, column[0]), r);
    row->qid = rp_table_cell(t, r, column[1]);
    row->docid = rp_table_cell(t, r, column[2]);
    if (!rp_number_size(rp_table_cell(t, r, column[3]), &row->tokens))
        return rp_fail(err, RP_EFORMAT, "'%s' line %zu: tokens is not a number: '%s'", path,
                       rp_table_line(t, r), rp_table_cell(t, r, column[3]));
    return rp_table_number(t, r, column[4], &row->score, err);
}

static rp_status read_rows(rp_store *store, const json_t *manifest, const char *manifest_path,
                           rp_error *err)
{
    static const char *const names[5] = {"row", "qid", "docid", "tokens", "score"};
    char path[RP_STORE_PATH];
    rp_store_file file;
    size_t column[5];
    rp_status status =
        file_from_json(&file, json_object_get(manifest, "rows_file"), manifest_path, err);

    if (status == RP_OK) status = rp_path_join(path, sizeof path, store->dir, RP_STORE_ROWS, err);
    if (status == RP_OK) status = rp_store_file_verify(&file, path, err);
    if (status == RP_OK) status = rp_table_read(&store->table, path, err);
    for (size_t c = 0; status == RP_OK && c < 5; c++)
        status = rp_table_require(store->table, names[c], &column[c], err);
    if (status != RP_OK) return status;
    if (rp_table_rows(store->table) != store->layout.rows)
        return rp_fail(err, RP_EFORMAT, "'%s' has %zu rows, not %zu", path,
                       rp_table_rows(store->table), store->layout.rows);
    store->row = rp_alloc(store->layout.rows, sizeof *store->row);
    if (!store->row) return rp_fail_memory(err, store->layout.rows * sizeof *store->row);
    for (size_t r = 0; status == RP_OK && r < store->layout.rows; r++)
        status = read_row(store, r, column, err);
    return status;
}

static rp_status load_manifest(json_t **manifest, char path[RP_STORE_PATH], const char *dir,
                               rp_error *err)
{
    char unfinished[RP_STORE_PATH];
    rp_status status = rp_path_join(path, RP_STORE_PATH, dir, RP_STORE_MANIFEST, err);

    if (status == RP_OK)
        status = rp_path_join(unfinished, sizeof unfinished, dir, RP_STORE_UNFINISHED, err);
    if (status != RP_OK) return status;
    if (!rp_path_is_dir(dir)) return rp_fail(err, RP_EIO, "'%s': no such directory", dir);
    if (!rp_path_exists(path) && rp_path_exists(unfinished))
        return rp_fail(err, RP_EFORMAT,
                       "'%s' is unfinished: run the same capture again to complete it", dir);
    if (!rp_path_exists(path))
        return rp_fail(err, RP_EFORMAT, "'%s' is not an activation store: no %s in it", dir,
                       RP_STORE_MANIFEST);
    return rp_manifest_load(manifest, path, err);
}

static rp_status open_store(rp_store *store, rp_error *err)
{
    char path[RP_STORE_PATH];
    json_t *manifest = NULL;
    const json_t *shards;
    size_t files;
    rp_status status = load_manifest(&manifest, path, store->dir, err);

    if (status == RP_OK)
        status =
            rp_layout_from_json(&store->layout, json_object_get(manifest, "settings"), path, err);
    if (status != RP_OK) goto done;
    /* The list bounds the allocation: a number in a file does not. */
    shards = json_object_get(manifest, "shards");
    files = json_array_size(shards) * store->layout.nviews;
    store->file = rp_alloc(files, sizeof *store->file);
    store->verified = rp_alloc(files, sizeof *store->verified);
    if (!store->file || !store->verified) status = rp_fail_memory(err, files * sizeof *store->file);
    if (status == RP_OK) status = shards_from_json(store, shards, path, err);
    if (status == RP_OK) status = check_files(store, err);
    if (status == RP_OK) status = read_rows(store, manifest, path, err);
done:
    json_decref(manifest);
    return status;
}

rp_status rp_store_open(rp_store **store, const char *dir, rp_error *err)
{
    rp_store *s = rp_alloc(1, sizeof *s);
    rp_status status = RP_OK;

    *store = NULL;
    if (!s) return rp_fail_memory(err, sizeof *s);
    s->dir = strdup(dir);
    if (!s->dir) status = rp_fail_memory(err, strlen(dir));
    if (status == RP_OK) status = open_store(s, err);
    if (status == RP_OK)
        *store = s;
    else
        rp_store_free(s);
    return status;
}

/* ---- reading ---- */

static rp_status verify_once(const rp_store *store, size_t index, const char *path, rp_error *err)
{
    rp_status status;

    if (atomic_load(&store->verified[index])) return RP_OK;
    status = rp_store_file_verify(&store->file[index], path, err);
    if (status == RP_OK) atomic_store(&store->verified[index], true);
    return status;
}

rp_status rp_store_read(const rp_store *store, float *x, size_t view, size_t layer, rp_error *err)
{
    const rp_layout *layout = &store->layout;
    const rp_store_view *v = rp_store_view_at(store, view);
    char path[RP_STORE_PATH];
    rp_status status = RP_OK;

    if (!v)
        return rp_fail(err, RP_EARG, "'%s' has %zu views; there is no view %zu", store->dir,
                       layout->nviews, view);
    if (layer < v->layer_first || layer > v->layer_last)
        return rp_fail(err, RP_EARG, "'%s': %s has layers %zu to %zu; there is no layer %zu",
                       store->dir, v->name, v->layer_first, v->layer_last, layer);
    for (size_t s = 0; status == RP_OK && s < layout->shards; s++) {
        size_t rows = rp_layout_shard_rows(layout, s);
        status = rp_layout_path(path, store->dir, v, s, err);
        if (status == RP_OK) status = verify_once(store, s * layout->nviews + view, path, err);
        if (status == RP_OK)
            status = rp_shardfile_read(path, x + s * layout->shard_rows * v->width, v, layer, rows,
                                       layout->dtype, err);
    }
    return status;
}
