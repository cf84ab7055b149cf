#include "store/layout.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const struct {
    const char *name;
    rp_dtype dtype;
} dtypes[] = {{"f32", RP_F32}, {"f16", RP_F16}, {"bf16", RP_BF16}, {"i8", RP_I8}};
#define NDTYPES (sizeof dtypes / sizeof *dtypes)

rp_status rp_store_dtype_find(rp_dtype *dtype, const char *name, rp_error *err)
{
    for (size_t i = 0; i < NDTYPES; i++)
        if (strcmp(dtypes[i].name, name) == 0) {
            *dtype = dtypes[i].dtype;
            return RP_OK;
        }
    return rp_fail(err, RP_EARG, "unknown dtype '%s' (f32, f16, bf16, i8)", name);
}

const char *rp_store_dtype_name(rp_dtype dtype)
{
    for (size_t i = 0; i < NDTYPES; i++)
        if (dtypes[i].dtype == dtype) return dtypes[i].name;
    return "?";
}

/* A view's name becomes a folder's, so it is three lower case words and nothing else. */
static bool name_is_view(const char *name)
{
    size_t dots = 0, word = 0;

    for (const char *c = name; *c; c++) {
        if (*c == '.') {
            if (word == 0) return false;
            dots++;
            word = 0;
        } else if ((*c >= 'a' && *c <= 'z') || *c == '_') {
            word++;
        } else {
            return false;
        }
    }
    return dots == 2 && word > 0 && strlen(name) < 100;
}

static rp_status check_view(const rp_store_view *view, rp_error *err)
{
    if (!name_is_view(view->name))
        return rp_fail(err, RP_EFORMAT, "'%.100s' is not a view: site.tokens.pool", view->name);
    if (view->width == 0 || view->width > RP_STORE_MAX_WIDTH)
        return rp_fail(err, RP_EFORMAT, "view '%s': width %zu is out of range", view->name,
                       view->width);
    if (view->layer_first > view->layer_last || view->layer_last >= RP_STORE_MAX_LAYERS)
        return rp_fail(err, RP_EFORMAT, "view '%s': layers %zu to %zu are out of range", view->name,
                       view->layer_first, view->layer_last);
    return RP_OK;
}

rp_status rp_layout_init(rp_layout *layout, const rp_store_view *views, size_t nviews,
                         rp_dtype dtype, size_t rows, size_t shard_rows, bool score, rp_error *err)
{
    rp_status status = RP_OK;

    *layout = (rp_layout){.dtype = dtype, .rows = rows, .shard_rows = shard_rows, .score = score};
    if (nviews == 0 || nviews > RP_STORE_MAX_VIEWS)
        return rp_fail(err, RP_EFORMAT, "a store has 1 to %d views, not %zu", RP_STORE_MAX_VIEWS,
                       nviews);
    if (rows == 0 || rows > RP_STORE_MAX_ROWS)
        return rp_fail(err, RP_EFORMAT, "%zu rows are out of range", rows);
    if (shard_rows == 0 || shard_rows > RP_STORE_MAX_ROWS)
        return rp_fail(err, RP_EFORMAT, "%zu rows a shard are out of range", shard_rows);
    layout->shards = (rows - 1) / shard_rows + 1;
    layout->arena = rp_arena_new();
    layout->view = rp_alloc(nviews, sizeof *layout->view);
    if (!layout->arena || !layout->view) status = rp_fail_memory(err, nviews * sizeof *views);
    for (size_t v = 0; status == RP_OK && v < nviews; v++) {
        status = check_view(&views[v], err);
        if (status != RP_OK) break;
        for (size_t u = 0; u < v; u++)
            if (strcmp(views[u].name, views[v].name) == 0)
                status = rp_fail(err, RP_EARG, "view '%s' is there twice", views[v].name);
        layout->view[v] = views[v];
        layout->view[v].name = rp_arena_strdup(layout->arena, views[v].name);
        if (!layout->view[v].name) status = rp_fail_memory(err, strlen(views[v].name));
        layout->nviews = v + 1;
    }
    if (status != RP_OK) rp_layout_release(layout);
    return status;
}

void rp_layout_release(rp_layout *layout)
{
    free(layout->view);
    rp_arena_free(layout->arena);
    *layout = (rp_layout){0};
}

size_t rp_layout_shard_rows(const rp_layout *layout, size_t shard)
{
    size_t first = shard * layout->shard_rows;

    return layout->rows - first < layout->shard_rows ? layout->rows - first : layout->shard_rows;
}

size_t rp_layout_layers(const rp_store_view *view)
{
    return view->layer_last - view->layer_first + 1;
}

rp_status rp_layout_path(char out[RP_STORE_PATH], const char *dir, const rp_store_view *view,
                         size_t shard, rp_error *err)
{
    char name[160];

    snprintf(name, sizeof name, "%s/%05zu.safetensors", view->name, shard);
    return rp_path_join(out, RP_STORE_PATH, dir, name, err);
}

/* ---- JSON ---- */

rp_status rp_json_size(const json_t *object, const char *key, size_t limit, size_t *value,
                       const char *path, rp_error *err)
{
    const json_t *number = json_object_get(object, key);
    json_int_t n = json_integer_value(number);

    if (!number) return rp_fail(err, RP_EFORMAT, "'%s': '%s' is missing", path, key);
    if (!json_is_integer(number) || n < 0 || (uint64_t)n > limit)
        return rp_fail(err, RP_EFORMAT, "'%s': '%s' is not a number from 0 to %zu", path, key,
                       limit);
    *value = (size_t)n;
    return RP_OK;
}

rp_status rp_json_checksum(const json_t *object, const char *key, uint64_t *value, const char *path,
                           rp_error *err)
{
    const char *text = json_string_value(json_object_get(object, key));

    if (!text || strlen(text) != 16 || strspn(text, "0123456789abcdef") != 16)
        return rp_fail(err, RP_EFORMAT, "'%s': '%s' is not a checksum of 16 hexadecimal digits",
                       path, key);
    *value = strtoull(text, NULL, 16);
    return RP_OK;
}

json_t *rp_json_text(const char *text)
{
    json_t *json = text ? json_string(text) : NULL;

    return json ? json : json_null();
}

json_t *rp_json_from_checksum(uint64_t sum)
{
    char text[17];

    snprintf(text, sizeof text, "%016" PRIx64, sum);
    return json_string(text);
}

rp_status rp_json_load(json_t **object, const char *path, size_t limit, rp_error *err)
{
    char *data = NULL;
    size_t size = 0;
    json_error_t where;
    struct stat st;
    rp_status status;

    *object = NULL;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) /* a pipe would be waited for */
        return rp_fail(err, RP_EIO, "'%s' is not a regular file", path);
    status = rp_file_read(&data, &size, path, limit, err);
    if (status != RP_OK) return status;
    *object = json_loadb(data, size, JSON_REJECT_DUPLICATES, &where);
    free(data);
    if (!*object)
        return rp_fail(err, RP_EFORMAT, "'%s' line %d: not JSON: %.120s", path, where.line,
                       where.text);
    if (!json_is_object(*object)) {
        json_decref(*object);
        *object = NULL;
        return rp_fail(err, RP_EFORMAT, "'%s': not a JSON object", path);
    }
    return RP_OK;
}

rp_status rp_json_save(const json_t *object, const char *path, size_t flags, rp_error *err)
{
    rp_out out = {0};
    rp_status status = rp_out_open(&out, path, err);

    if (status == RP_OK && (json_dumpf(object, out.file, flags) != 0 || fputc('\n', out.file) < 0))
        status = rp_fail_errno(err, path);
    if (status == RP_OK) status = rp_out_commit(&out, err);
    rp_out_release(&out);
    return status;
}

static json_t *view_to_json(const rp_store_view *view)
{
    return json_pack("{s:s, s:I, s:I, s:I}", "name", view->name, "width", (json_int_t)view->width,
                     "layer_first", (json_int_t)view->layer_first, "layer_last",
                     (json_int_t)view->layer_last);
}

rp_status rp_layout_to_json(const rp_layout *layout, json_t *settings, rp_error *err)
{
    json_t *views = json_array();
    int failed = views == NULL;

    for (size_t v = 0; !failed && v < layout->nviews; v++)
        failed = json_array_append_new(views, view_to_json(&layout->view[v]));
    failed =
        failed || json_object_set_new(settings, "rows", json_integer((json_int_t)layout->rows));
    failed = failed || json_object_set_new(settings, "shard_rows",
                                           json_integer((json_int_t)layout->shard_rows));
    failed = failed || json_object_set_new(settings, "dtype",
                                           json_string(rp_store_dtype_name(layout->dtype)));
    failed = failed || json_object_set_new(settings, "score", json_boolean(layout->score));
    failed = failed || json_object_set(settings, "views", views);
    json_decref(views);
    return failed ? rp_fail_memory(err, sizeof *layout) : RP_OK;
}

static rp_status view_from_json(rp_store_view *view, const json_t *object, const char *path,
                                rp_error *err)
{
    rp_status status;

    view->name = json_string_value(json_object_get(object, "name"));
    if (!view->name) return rp_fail(err, RP_EFORMAT, "'%s': a view without 'name'", path);
    status = rp_json_size(object, "width", RP_STORE_MAX_WIDTH, &view->width, path, err);
    if (status == RP_OK)
        status =
            rp_json_size(object, "layer_first", RP_STORE_MAX_LAYERS, &view->layer_first, path, err);
    if (status == RP_OK)
        status =
            rp_json_size(object, "layer_last", RP_STORE_MAX_LAYERS, &view->layer_last, path, err);
    return status;
}

rp_status rp_layout_from_json(rp_layout *layout, const json_t *settings, const char *path,
                              rp_error *err)
{
    const json_t *views = json_object_get(settings, "views");
    const json_t *score = json_object_get(settings, "score");
    const char *name = json_string_value(json_object_get(settings, "dtype"));
    rp_store_view view[RP_STORE_MAX_VIEWS];
    size_t rows = 0, shard_rows = 0, nviews = json_array_size(views);
    rp_dtype dtype = RP_F32;
    rp_error why = {0};
    rp_status status;

    *layout = (rp_layout){0};
    if (!json_is_array(views) || nviews > RP_STORE_MAX_VIEWS)
        return rp_fail(err, RP_EFORMAT, "'%s': 'views' is not a list of views", path);
    if (!json_is_boolean(score))
        return rp_fail(err, RP_EFORMAT, "'%s': 'score' is not true or false", path);
    if (!name || rp_store_dtype_find(&dtype, name, NULL) != RP_OK)
        return rp_fail(err, RP_EFORMAT, "'%s': 'dtype' is not one of f32, f16, bf16, i8", path);
    status = rp_json_size(settings, "rows", RP_STORE_MAX_ROWS, &rows, path, err);
    if (status == RP_OK)
        status = rp_json_size(settings, "shard_rows", RP_STORE_MAX_ROWS, &shard_rows, path, err);
    for (size_t v = 0; status == RP_OK && v < nviews; v++)
        status = view_from_json(&view[v], json_array_get(views, v), path, err);
    if (status != RP_OK) return status;
    status =
        rp_layout_init(layout, view, nviews, dtype, rows, shard_rows, json_is_true(score), &why);
    if (status == RP_ENOMEM) return rp_fail(err, status, "%s", why.text);
    if (status != RP_OK) return rp_fail(err, RP_EFORMAT, "'%s': %s", path, why.text);
    return RP_OK;
}

/* ---- files ---- */

static bool is_inside(const char *path, const char *dir)
{
    char *real = realpath(path, NULL), *home = realpath(dir, NULL);
    size_t n = home ? strlen(home) : 0;
    bool inside = real && home && strncmp(real, home, n) == 0 && (real[n] == '/' || !real[n]);

    free(real);
    free(home);
    return inside;
}

rp_status rp_store_check_output(const char *dir, const char *output, rp_error *err)
{
    char parent[RP_STORE_PATH];
    const char *slash = output ? strrchr(output, '/') : NULL;

    if (!output || strcmp(output, "-") == 0) return RP_OK;
    snprintf(parent, sizeof parent, "%.*s", slash ? (int)(slash - output + 1) : 1,
             slash ? output : ".");
    if (!is_inside(output, dir) && !is_inside(parent, dir)) return RP_OK;
    return rp_fail(err, RP_EARG, "'%s': is inside the store, whose files it could replace", output);
}

rp_status rp_store_file_measure(rp_store_file *file, const char *path, rp_error *err)
{
    rp_mapping map;
    rp_status status = rp_mapping_open(&map, path, err);

    if (status != RP_OK) return status;
    file->bytes = map.size;
    file->checksum = rp_checksum_bytes(map.data, map.size, 0);
    rp_mapping_release(&map);
    return RP_OK;
}

rp_status rp_store_file_verify(const rp_store_file *file, const char *path, rp_error *err)
{
    rp_store_file found;
    rp_status status = rp_store_file_measure(&found, path, err);

    if (status != RP_OK) return status;
    if (found.bytes != file->bytes)
        return rp_fail(err, RP_EFORMAT, "'%s' is truncated or altered: %zu bytes, not %zu", path,
                       found.bytes, file->bytes);
    if (found.checksum != file->checksum)
        return rp_fail(err, RP_EFORMAT,
                       "'%s' is altered: its checksum is %016" PRIx64 ", not %016" PRIx64, path,
                       found.checksum, file->checksum);
    return RP_OK;
}
