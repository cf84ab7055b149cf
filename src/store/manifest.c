#include "store/manifest.h"

#include <stdlib.h>
#include <string.h>

#define MANIFEST_BYTES ((size_t)1 << 30)

rp_status rp_manifest_pairs(uint64_t *sum, const rp_store_row *row, size_t rows, rp_error *err)
{
    rp_text text = {0};
    rp_status status = RP_OK;

    *sum = 0;
    for (size_t r = 0; status == RP_OK && r < rows; r++) {
        status = rp_text_append(&text, row[r].qid, strlen(row[r].qid) + 1, err);
        if (status == RP_OK)
            status = rp_text_append(&text, row[r].docid, strlen(row[r].docid) + 1, err);
        if (text.len < 1 << 20 && r + 1 < rows) continue;
        *sum = rp_checksum_bytes(text.data, text.len, *sum);
        text.len = 0;
    }
    rp_text_release(&text);
    return status;
}

rp_status rp_manifest_new(json_t **manifest, const rp_layout *layout, const rp_store_row *row,
                          const json_t *settings, const char *command, rp_error *err)
{
    uint64_t sum;
    json_t *copy = NULL;
    rp_status status = rp_manifest_pairs(&sum, row, layout->rows, err);

    *manifest = NULL;
    if (status != RP_OK) return status;
    copy = json_deep_copy(settings);
    if (!copy || json_object_set_new(copy, "pairs_checksum", rp_json_from_checksum(sum)) != 0) {
        json_decref(copy);
        return rp_fail_memory(err, sizeof sum);
    }
    status = rp_layout_to_json(layout, copy, err);
    if (status != RP_OK) {
        json_decref(copy);
        return status;
    }
    *manifest = json_pack("{s:s, s:i, s:s, s:o?, s:o}", "format", RP_STORE_FORMAT, "format_version",
                          RP_STORE_FORMAT_VERSION, "version", RP_VERSION, "command",
                          rp_json_text(command), "settings", copy);
    return *manifest ? RP_OK : rp_fail_memory(err, sizeof sum);
}

rp_status rp_manifest_load(json_t **manifest, const char *path, rp_error *err)
{
    const char *format, *made_by;
    size_t version = 0;
    rp_status status = rp_json_load(manifest, path, MANIFEST_BYTES, err);

    if (status != RP_OK) return status;
    format = json_string_value(json_object_get(*manifest, "format"));
    made_by = json_string_value(json_object_get(*manifest, "version"));
    if (!format || strcmp(format, RP_STORE_FORMAT) != 0)
        status = rp_fail(err, RP_EFORMAT, "'%s': not an activation store: 'format' is not '%s'",
                         path, RP_STORE_FORMAT);
    if (status == RP_OK)
        status = rp_json_size(*manifest, "format_version", 1000000, &version, path, err);
    if (status == RP_OK && (version < 1 || version > RP_STORE_FORMAT_VERSION))
        status = rp_fail(err, RP_EFORMAT, "'%s': format version %zu; this program reads 1 to %d",
                         path, version, RP_STORE_FORMAT_VERSION);
    if (status == RP_OK && !made_by)
        status = rp_fail(err, RP_EFORMAT, "'%s': 'version' is missing", path);
    if (status == RP_OK && !json_is_object(json_object_get(*manifest, "settings")))
        status = rp_fail(err, RP_EFORMAT, "'%s': 'settings' is missing", path);
    if (status == RP_OK) return RP_OK;
    json_decref(*manifest);
    *manifest = NULL;
    return status;
}

/* ---- what differs ---- */

/* The place of a difference, "template.max_query", and the two values (NULL: absent). */
typedef struct difference {
    char name[200];
    const json_t *there, *here;
} difference;

static bool differs(difference *d, const json_t *there, const json_t *here);

static bool object_differs(difference *d, const json_t *there, const json_t *here)
{
    size_t length = strlen(d->name);
    const char *key;
    json_t *value;

    for (int turn = 0; turn < 2; turn++) {
        /* Borrowed and only read; jansson's iterators want it writable. */
        json_t *walked = (json_t *)(uintptr_t)(turn == 0 ? here : there);
        json_object_foreach(walked, key, value)
        {
            const json_t *a = json_object_get(there, key), *b = json_object_get(here, key);
            if (strcmp(key, "path") == 0) continue;
            snprintf(d->name + length, sizeof d->name - length, "%s%.60s", length ? "." : "", key);
            if (differs(d, a, b)) return true;
            d->name[length] = '\0';
        }
    }
    return false;
}

static bool differs(difference *d, const json_t *there, const json_t *here)
{
    d->there = there;
    d->here = here;
    if (json_is_object(there) && json_is_object(here)) return object_differs(d, there, here);
    return !json_equal((json_t *)(uintptr_t)there, (json_t *)(uintptr_t)here);
}

static void describe(char out[80], const json_t *value)
{
    char *text = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;

    snprintf(out, 80, "%.75s%s", text ? text : "absent", text && strlen(text) > 75 ? "..." : "");
    free(text);
}

rp_status rp_manifest_match(const json_t *there, const json_t *here, const char *path,
                            rp_error *err)
{
    difference d = {{0}, NULL, NULL};
    char old[80], new[80];
    bool different;

    snprintf(d.name, sizeof d.name, "version");
    different = differs(&d, json_object_get(there, "version"), json_object_get(here, "version"));
    if (!different) {
        d.name[0] = '\0';
        different =
            differs(&d, json_object_get(there, "settings"), json_object_get(here, "settings"));
    }
    if (!different) return RP_OK;
    describe(old, d.there);
    describe(new, d.here);
    return rp_fail(err, RP_EARG, "'%s' was made with other settings: %s is %s there, %s here", path,
                   d.name, old, new);
}

/* ---- finishing ---- */

static json_t *shard_to_json(const rp_layout *layout, const rp_part *part, size_t rows)
{
    json_t *files = json_array();
    int failed = files == NULL;

    for (size_t v = 0; !failed && v < layout->nviews; v++) {
        const rp_store_file *f = &part->file[v];
        failed =
            json_array_append_new(files, json_pack("{s:I, s:o}", "bytes", (json_int_t)f->bytes,
                                                   "checksum", rp_json_from_checksum(f->checksum)));
    }
    if (!failed) return json_pack("{s:I, s:o}", "rows", (json_int_t)rows, "files", files);
    json_decref(files);
    return NULL;
}

static json_t *losses_to_json(const rp_layout *layout, const rp_loss *loss)
{
    json_t *list = json_array();
    int failed = list == NULL;

    for (size_t v = 0; !failed && v < layout->nviews; v++)
        failed = json_array_append_new(
            list, json_pack("{s:s, s:f, s:I, s:I}", "view", layout->view[v].name,
                            "worst_relative_error", loss[v].error, "layer",
                            (json_int_t)loss[v].layer, "unit", (json_int_t)loss[v].column));
    if (!failed) return list;
    json_decref(list);
    return NULL;
}

void rp_loss_from_json(rp_loss *loss, size_t nviews, const json_t *list, const char *path)
{
    for (size_t v = 0; v < nviews; v++) {
        const json_t *of = json_array_get(list, v);
        loss[v].error = json_number_value(json_object_get(of, "worst_relative_error"));
        (void)rp_json_size(of, "layer", RP_STORE_MAX_LAYERS, &loss[v].layer, path, NULL);
        (void)rp_json_size(of, "unit", RP_STORE_MAX_WIDTH, &loss[v].column, path, NULL);
    }
}

rp_status rp_manifest_finish(json_t *manifest, const char *dir, const rp_layout *layout,
                             const rp_part *part, const rp_loss *loss, rp_error *err)
{
    char path[RP_STORE_PATH], rows_path[RP_STORE_PATH];
    rp_store_file rows;
    json_t *shards = json_array();
    int failed = shards == NULL;
    rp_status status = rp_path_join(rows_path, sizeof rows_path, dir, RP_STORE_ROWS, err);

    if (status == RP_OK) status = rp_store_file_measure(&rows, rows_path, err);
    for (size_t s = 0; !failed && s < layout->shards; s++)
        failed = json_array_append_new(
            shards, shard_to_json(layout, &part[s], rp_layout_shard_rows(layout, s)));
    failed = failed || status ||
             json_object_set_new(manifest, "rows_file",
                                 json_pack("{s:I, s:o}", "bytes", (json_int_t)rows.bytes,
                                           "checksum", rp_json_from_checksum(rows.checksum)));
    failed = failed || json_object_set_new(manifest, "loss", losses_to_json(layout, loss));
    failed = failed || json_object_set(manifest, "shards", shards);
    json_decref(shards);
    if (status == RP_OK && failed) status = rp_fail_memory(err, layout->shards);
    if (status == RP_OK) status = rp_path_join(path, sizeof path, dir, RP_STORE_MANIFEST, err);
    return status == RP_OK ? rp_json_save(manifest, path, JSON_INDENT(1), err) : status;
}
