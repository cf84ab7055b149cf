#include "store/manifest.h"

#include <stdlib.h>
#include <string.h>

#define MANIFEST_BYTES ((size_t)1 << 30)

/* XXH3-64 over "qid NUL docid NUL" of every row. */
static rp_status checksum_rows(uint64_t *sum, const rp_store_row *row, size_t rows, rp_error *err)
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
    rp_status status = checksum_rows(&sum, row, layout->rows, err);

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
