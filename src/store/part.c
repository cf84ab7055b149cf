#include "store/part.h"

#include <stdlib.h>
#include <string.h>

#define PART_BYTES ((size_t)1 << 30)

rp_status rp_part_init(rp_part *part, size_t nviews, rp_error *err)
{
    *part = (rp_part){false, rp_alloc(nviews, sizeof *part->file),
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

static json_t *rows_to_json(const size_t *tokens, const float *scores, size_t rows)
{
    json_t *list = json_array();
    int failed = list == NULL;

    for (size_t r = 0; !failed && r < rows; r++)
        failed = json_array_append_new(list, tokens ? json_integer((json_int_t)tokens[r])
                                                    : json_real((double)scores[r]));
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
                       const size_t *tokens, const float *scores, rp_error *err)
{
    char path[RP_STORE_PATH];
    size_t rows = rp_layout_shard_rows(layout, shard);
    uint64_t sum = 0;
    json_t *object = json_pack("{s:o?, s:o?}", "files", files_to_json(part, layout->nviews),
                               "tokens", rows_to_json(tokens, NULL, rows));
    rp_status status = rp_part_path(path, dir, shard, err);

    if (status == RP_OK &&
        (!object || (layout->score &&
                     json_object_set_new(object, "scores", rows_to_json(NULL, scores, rows)) != 0)))
        status = rp_fail_memory(err, rows);
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

static bool rows_from_json(size_t *tokens, float *scores, const json_t *list, size_t rows)
{
    if (json_array_size(list) != rows) return false;
    for (size_t r = 0; r < rows; r++) {
        const json_t *item = json_array_get(list, r);
        if (tokens ? !json_is_integer(item) : !json_is_number(item)) return false;
        if (tokens)
            tokens[r] = (size_t)json_integer_value(item);
        else
            scores[r] = (float)json_number_value(item);
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

rp_status rp_part_load(rp_part *part, size_t *tokens, float *scores, const char *dir,
                       const rp_layout *layout, size_t shard, rp_error *err)
{
    char path[RP_STORE_PATH];
    json_t *object = NULL;
    size_t rows = rp_layout_shard_rows(layout, shard);
    rp_status status = rp_part_path(path, dir, shard, err);

    part->done = false;
    if (status != RP_OK || !rp_path_exists(path)) return status;
    if (rp_json_load(&object, path, PART_BYTES, NULL) != RP_OK) return RP_OK;
    part->done =
        part_is_sound(object, path) &&
        files_from_json(part, json_object_get(object, "files"), layout->nviews, path) &&
        rows_from_json(tokens, NULL, json_object_get(object, "tokens"), rows) &&
        (!layout->score || rows_from_json(NULL, scores, json_object_get(object, "scores"), rows));
    json_decref(object);
    return RP_OK;
}
