#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "store/manifest.h"
#include "store/rowfile.h"
#include "store/shardfile.h"

/* A shard's file of a view. It is compared with its checksum and mapped when it is first read, and
 * stays so. */
typedef struct slot {
    rp_store_file file;
    pthread_mutex_t lock;           /* of who maps it */
    _Atomic(rp_shardfile *) mapped; /* NULL: not yet */
} slot;

struct rp_store {
    char *dir;
    rp_layout layout;
    size_t nslots;     /* of the array below */
    slot *slot;        /* [shards, nviews] */
    rp_arena *names;   /* owner of the names in row */
    rp_store_row *row; /* [rows] */
};

void rp_store_free(rp_store *store)
{
    if (!store) return;
    rp_arena_free(store->names);
    free(store->row);
    for (size_t i = 0; i < store->nslots; i++) {
        rp_shardfile_free(atomic_load(&store->slot[i].mapped));
        pthread_mutex_destroy(&store->slot[i].lock);
    }
    free(store->slot);
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
            status = file_from_json(&store->slot[s * layout->nviews + v].file,
                                    json_array_get(files, v), path, err);
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
            size_t wanted = store->slot[s * layout->nviews + v].file.bytes;
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

static rp_status read_rows(rp_store *store, const json_t *manifest, const char *manifest_path,
                           rp_error *err)
{
    char path[RP_STORE_PATH];
    rp_store_file file;
    size_t rows = 0;
    rp_status status =
        file_from_json(&file, json_object_get(manifest, "rows_file"), manifest_path, err);

    if (status == RP_OK) status = rp_path_join(path, sizeof path, store->dir, RP_STORE_ROWS, err);
    if (status == RP_OK) status = rp_store_file_verify(&file, path, err);
    if (status == RP_OK && !(store->names = rp_arena_new()))
        status = rp_fail_memory(err, sizeof *store);
    if (status == RP_OK) status = rp_rowfile_read(&store->row, &rows, store->names, path, err);
    if (status == RP_OK && rows != store->layout.rows)
        status =
            rp_fail(err, RP_EFORMAT, "'%s' has %zu rows, not %zu", path, rows, store->layout.rows);
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
    store->slot = rp_alloc(files, sizeof *store->slot);
    if (!store->slot) status = rp_fail_memory(err, files * sizeof *store->slot);
    for (size_t i = 0; store->slot && i < files; i++) {
        pthread_mutex_init(&store->slot[i].lock, NULL);
        atomic_init(&store->slot[i].mapped, NULL);
        store->nslots++;
    }
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

static rp_status map_shard(const rp_store *store, slot *sl, size_t s, const rp_store_view *view,
                           rp_error *err)
{
    rp_shardfile *file = NULL;
    char path[RP_STORE_PATH];
    rp_status status = rp_layout_path(path, store->dir, view, s, err);

    if (status == RP_OK) status = rp_store_file_verify(&sl->file, path, err);
    if (status == RP_OK)
        status = rp_shardfile_open(&file, path, view, rp_layout_shard_rows(&store->layout, s),
                                   store->layout.dtype, err);
    if (status == RP_OK) atomic_store(&sl->mapped, file);
    return status;
}

/* *file <- shard s of a view. Whoever comes while another thread maps it waits for that. */
static rp_status use_shard(const rp_shardfile **file, const rp_store *store, size_t s, size_t view,
                           rp_error *err)
{
    slot *sl = &store->slot[s * store->layout.nviews + view];
    rp_status status = RP_OK;

    if (!atomic_load(&sl->mapped)) {
        pthread_mutex_lock(&sl->lock);
        if (!atomic_load(&sl->mapped))
            status = map_shard(store, sl, s, &store->layout.view[view], err);
        pthread_mutex_unlock(&sl->lock);
    }
    *file = atomic_load(&sl->mapped);
    return status;
}

static bool has_layer(const rp_store *store, size_t view, size_t layer)
{
    const rp_store_view *v = rp_store_view_at(store, view);

    return v && layer >= v->layer_first && layer <= v->layer_last;
}

static rp_status refuse_layer(const rp_store *store, size_t view, size_t layer, rp_error *err)
{
    const rp_store_view *v = rp_store_view_at(store, view);

    if (!v)
        return rp_fail(err, RP_EARG, "'%s' has %zu views; there is no view %zu", store->dir,
                       store->layout.nviews, view);
    return rp_fail(err, RP_EARG, "'%s': %s has layers %zu to %zu; there is no layer %zu",
                   store->dir, v->name, v->layer_first, v->layer_last, layer);
}

static rp_status refuse_row(const rp_store *store, size_t row, rp_error *err)
{
    return rp_fail(err, RP_EARG, "'%s' has %zu rows; there is no row %zu", store->dir,
                   store->layout.rows, row);
}

/* How many of row[n] follow each other, from the first on, before row `end`. */
static size_t count_run(const size_t *row, size_t n, size_t end)
{
    size_t k = 1;

    while (k < n && row[k] == row[0] + k && row[k] < end) k++;
    return k;
}

rp_status rp_store_read_rows(const rp_store *store, float *x, size_t view, size_t layer,
                             const size_t *row, size_t n, rp_error *err)
{
    const rp_layout *layout = &store->layout;
    rp_status status = RP_OK;

    if (!has_layer(store, view, layer)) return refuse_layer(store, view, layer, err);
    for (size_t i = 0, k; status == RP_OK && i < n; i += k) {
        const rp_shardfile *file = NULL;
        size_t s = row[i] / layout->shard_rows, first = s * layout->shard_rows;
        if (row[i] >= layout->rows) return refuse_row(store, row[i], err);
        k = count_run(row + i, n - i, first + rp_layout_shard_rows(layout, s));
        status = use_shard(&file, store, s, view, err);
        if (status == RP_OK)
            rp_shardfile_decode(file, x + i * layout->view[view].width, layer, row[i] - first, k);
    }
    return status;
}

rp_status rp_store_map_rows(const rp_store *store, const float **x, size_t *n, size_t view,
                            size_t layer, size_t row, rp_error *err)
{
    const rp_layout *layout = &store->layout;
    const rp_shardfile *file = NULL;

    *x = NULL, *n = 0;
    if (!has_layer(store, view, layer)) return refuse_layer(store, view, layer, err);
    if (row >= layout->rows) return refuse_row(store, row, err);
    if (layout->dtype != RP_F32) return RP_OK;
    size_t s = row / layout->shard_rows, at = row - s * layout->shard_rows;
    rp_status status = use_shard(&file, store, s, view, err);
    if (status != RP_OK) return status;
    *x = rp_shardfile_rows(file, layer);
    if (!*x) return RP_OK;
    *x += at * layout->view[view].width;
    *n = rp_layout_shard_rows(layout, s) - at;
    return RP_OK;
}

rp_status rp_store_read(const rp_store *store, float *x, size_t view, size_t layer, rp_error *err)
{
    const rp_layout *layout = &store->layout;
    rp_status status = RP_OK;

    if (!has_layer(store, view, layer)) return refuse_layer(store, view, layer, err);
    for (size_t s = 0; status == RP_OK && s < layout->shards; s++) {
        const rp_shardfile *file = NULL;
        status = use_shard(&file, store, s, view, err);
        if (status != RP_OK) break;
        rp_shardfile_decode(file, x + s * layout->shard_rows * layout->view[view].width, layer, 0,
                            rp_layout_shard_rows(layout, s));
        rp_shardfile_forget(file, layer);
    }
    return status;
}

/* A hint for every shard that is mapped already; the others have nothing to give or to fetch. */
static void hint(const rp_store *store, size_t view, size_t layer,
                 void (*tell)(const rp_shardfile *file, size_t layer))
{
    for (size_t s = 0; has_layer(store, view, layer) && s < store->layout.shards; s++) {
        const rp_shardfile *file =
            atomic_load(&store->slot[s * store->layout.nviews + view].mapped);
        if (file) tell(file, layer);
    }
}

void rp_store_expect(const rp_store *store, size_t view, size_t layer)
{
    hint(store, view, layer, rp_shardfile_expect);
}

void rp_store_forget(const rp_store *store, size_t view, size_t layer)
{
    hint(store, view, layer, rp_shardfile_forget);
}
