#include "store/part.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define PART_BYTES ((size_t)1 << 30)

/* The numbers of a row, each a list of the part. */
typedef struct column {
    const char *key;
    size_t at; /* in rp_store_row */
    bool real; /* a double, else a size_t */
} column;
static const column columns[] = {
    {"tokens", offsetof(rp_store_row, tokens), false},
    {"query_tokens", offsetof(rp_store_row, query_tokens), false},
    {"document_tokens", offsetof(rp_store_row, document_tokens), false},
    {"token_control", offsetof(rp_store_row, token_control), true},
    {"scores", offsetof(rp_store_row, score), true},
};
#define COLUMNS (sizeof columns / sizeof *columns)

static bool is_kept(const column *c, bool score)
{
    return score || c->at != offsetof(rp_store_row, score);
}

rp_status rp_part_init(rp_part *part, size_t nviews, rp_error *err)
{
    *part = (rp_part){false, 0, rp_alloc(nviews, sizeof *part->file),
                      rp_alloc(nviews, sizeof *part->loss)};
    if (part->file && part->loss) return RP_OK;
    rp_part_release(part);
    return rp_fail_memory(err, nviews * (sizeof *part->file + sizeof *part->loss));
}

void rp_part_release(rp_part *part)
{
    free(part->file);
    free(part->loss);
    *part = (rp_part){0};
}

rp_status rp_part_path(char out[RP_STORE_PATH], const char *dir, size_t shard, rp_error *err)
{
    char name[64];

    snprintf(name, sizeof name, RP_STORE_PARTS "/%05zu.json", shard);
    return rp_path_join(out, RP_STORE_PATH, dir, name, err);
}

/* ---- saving ---- */

static json_t *files_to_json(const rp_part *part, size_t nviews)
{
    json_t *files = json_array();
    int failed = files == NULL;

    for (size_t v = 0; !failed && v < nviews; v++)
        failed = json_array_append_new(
            files, json_pack("{s:I, s:o, s:f, s:I, s:I}", "bytes", (json_int_t)part->file[v].bytes,
                             "checksum", rp_json_from_checksum(part->file[v].checksum), "error",
                             part->loss[v].error, "layer", (json_int_t)part->loss[v].layer,
                             "column", (json_int_t)part->loss[v].column));
    if (!failed) return files;
    json_decref(files);
    return NULL;
}

static json_t *column_to_json(const column *c, const rp_store_row *row, size_t rows)
{
    json_t *list = json_array();
    int failed = list == NULL;

    for (size_t r = 0; !failed && r < rows; r++) {
        const char *at = (const char *)&row[r] + c->at;
        size_t count;
        double real;
        if (c->real)
            memcpy(&real, at, sizeof real);
        else
            memcpy(&count, at, sizeof count);
        failed = json_array_append_new(list,
                                       c->real ? json_real(real) : json_integer((json_int_t)count));
    }
    if (!failed) return list;
    json_decref(list);
    return NULL;
}

/* Of the object's compact text; the part's own "checksum" is not in it yet. */
static rp_status checksum_json(uint64_t *sum, const json_t *object, rp_error *err)
{
    char *text = json_dumps(object, JSON_COMPACT);

    if (!text) return rp_fail_memory(err, json_object_size(object));
    *sum = rp_checksum_bytes(text, strlen(text), 0);
    free(text);
    return RP_OK;
}

rp_status rp_part_save(const rp_part *part, const char *dir, const rp_layout *layout, size_t shard,
                       const rp_store_row *row, rp_error *err)
{
    char path[RP_STORE_PATH];
    size_t rows = rp_layout_shard_rows(layout, shard);
    uint64_t sum = 0;
    json_t *object = json_pack("{s:o?}", "files", files_to_json(part, layout->nviews));
    int failed = object == NULL;
    rp_status status = rp_part_path(path, dir, shard, err);

    for (size_t c = 0; !failed && c < COLUMNS; c++)
        if (is_kept(&columns[c], layout->score))
            failed =
                json_object_set_new(object, columns[c].key, column_to_json(&columns[c], row, rows));
    if (status == RP_OK && failed) status = rp_fail_memory(err, rows);
    if (status == RP_OK) status = checksum_json(&sum, object, err);
    if (status == RP_OK && json_object_set_new(object, "checksum", rp_json_from_checksum(sum)) != 0)
        status = rp_fail_memory(err, rows);
    if (status == RP_OK) status = rp_json_save(object, path, JSON_COMPACT, err);
    json_decref(object);
    return status;
}

/* ---- loading ---- */

static bool files_from_json(rp_part *part, const json_t *files, size_t nviews, const char *path)
{
    if (json_array_size(files) != nviews) return false;
    for (size_t v = 0; v < nviews; v++) {
        const json_t *file = json_array_get(files, v), *error = json_object_get(file, "error");
        rp_store_file *f = &part->file[v];
        rp_loss *loss = &part->loss[v];

        if (rp_json_size(file, "bytes", SIZE_MAX / 2, &f->bytes, path, NULL) ||
            rp_json_checksum(file, "checksum", &f->checksum, path, NULL) ||
            rp_json_size(file, "layer", RP_STORE_MAX_LAYERS, &loss->layer, path, NULL) ||
            rp_json_size(file, "column", RP_STORE_MAX_WIDTH, &loss->column, path, NULL) ||
            !json_is_number(error))
            return false;
        loss->error = json_number_value(error);
    }
    return true;
}

static bool column_from_json(const column *c, rp_store_row *row, const json_t *list, size_t rows)
{
    if (json_array_size(list) != rows) return false;
    for (size_t r = 0; r < rows; r++) {
        const json_t *item = json_array_get(list, r);
        size_t count = (size_t)json_integer_value(item);
        double real = json_number_value(item);
        if (c->real ? !json_is_number(item) : !json_is_integer(item)) return false;
        if (c->real)
            memcpy((char *)&row[r] + c->at, &real, sizeof real);
        else
            memcpy((char *)&row[r] + c->at, &count, sizeof count);
    }
    return true;
}

static bool rows_from_json(rp_store_row *row, const json_t *object, size_t rows, bool score)
{
    for (size_t i = 0; i < COLUMNS; i++) {
        const column *c = &columns[i];
        if (is_kept(c, score) && !column_from_json(c, row, json_object_get(object, c->key), rows))
            return false;
    }
    return true;
}

static bool part_is_sound(json_t *object, const char *path)
{
    uint64_t said = 0, found = 0;

    if (rp_json_checksum(object, "checksum", &said, path, NULL) != RP_OK) return false;
    if (json_object_del(object, "checksum") != 0) return false;
    return checksum_json(&found, object, NULL) == RP_OK && found == said;
}

rp_status rp_part_load(rp_part *part, rp_store_row *row, const char *dir, const rp_layout *layout,
                       size_t shard, rp_error *err)
{
    char path[RP_STORE_PATH];
    json_t *object = NULL;
    size_t rows = rp_layout_shard_rows(layout, shard);
    rp_status status = rp_part_path(path, dir, shard, err);

    part->done = false;
    if (status != RP_OK || !rp_path_exists(path)) return status;
    if (rp_json_load(&object, path, PART_BYTES, NULL) != RP_OK) return RP_OK;
    part->done = part_is_sound(object, path) &&
                 files_from_json(part, json_object_get(object, "files"), layout->nviews, path) &&
                 rows_from_json(row, object, rows, layout->score);
    json_decref(object);
    return RP_OK;
}
