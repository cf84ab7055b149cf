/* The JSON files beside a tokenizer's own: tokenizer_config.json, special_tokens_map.json and
 * added_tokens.json. */
#include "base/io.h"
#include "base/number.h"
#include "tokenizer/open.h"

#define PATH_LIMIT 4096
#define FILE_LIMIT ((size_t)512 << 20)

rp_status rp_settings_load(json_t **json, const char *path, size_t flags, rp_error *err)
{
    char *data = NULL;
    size_t size = 0;
    json_error_t why;
    *json = NULL;
    rp_status status = rp_file_read(&data, &size, path, FILE_LIMIT, err);
    if (status) return status;
    *json = json_loadb(data, size, flags, &why);
    if (!*json)
        status = rp_fail(err, RP_EFORMAT, "'%s' line %d: %s", path, why.line, why.text);
    else if (!json_is_object(*json))
        status = rp_fail(err, RP_EFORMAT, "'%s' is not a JSON object", path);
    if (status) {
        json_decref(*json);
        *json = NULL;
    }
    free(data);
    return status;
}

/* The directory of a file, into dir. */
static rp_status directory_of(char dir[PATH_LIMIT], const char *file, rp_error *err)
{
    const char *slash = strrchr(file, '/');
    size_t n = slash ? (size_t)(slash - file) : 0;
    if (n >= PATH_LIMIT) return rp_fail(err, RP_EARG, "the path '%.200s' is too long", file);
    if (n) memcpy(dir, file, n);
    if (!n) dir[n++] = slash ? '/' : '.';
    dir[n] = '\0';
    return RP_OK;
}

rp_status rp_settings_read(rp_settings *settings, const char *file, rp_error *err)
{
    char path[PATH_LIMIT];
    static const char *const names[] = {"tokenizer_config.json", "special_tokens_map.json",
                                        "added_tokens.json"};
    json_t **into[] = {&settings->config, &settings->map, &settings->added};
    *settings = (rp_settings){.path = file};
    rp_status status = directory_of(settings->dir, file, err);
    for (int i = 0; i < 3 && !status; i++) {
        status = rp_path_join(path, sizeof path, settings->dir, names[i], err);
        if (!status && i == 0) memcpy(settings->config_path, path, sizeof path);
        /* model_max_length may be 10^30 */
        if (!status && rp_path_exists(path))
            status = rp_settings_load(into[i], path, JSON_DECODE_INT_AS_REAL, err);
    }
    return status;
}

void rp_settings_release(rp_settings *settings)
{
    json_decref(settings->config);
    json_decref(settings->map);
    json_decref(settings->added);
    *settings = (rp_settings){0};
}

rp_status rp_settings_bool(const rp_settings *settings, const char *key, bool fallback, bool *value,
                           rp_error *err)
{
    return rp_json_bool(settings->config, key, fallback, value, settings->config_path, err);
}

const json_t *rp_settings_get(const rp_settings *settings, const char *key)
{
    const json_t *value = json_object_get(settings->config, key);
    return value ? value : json_object_get(settings->map, key);
}

const char *rp_settings_content(const json_t *token)
{
    return json_string_value(json_is_object(token) ? json_object_get(token, "content") : token);
}

const char *rp_settings_token(const rp_settings *settings, const char *role, const char *fallback)
{
    char key[16];
    snprintf(key, sizeof key, "%s_token", role);
    const json_t *value = rp_settings_get(settings, key);
    return value ? rp_settings_content(value) : fallback;
}

bool rp_settings_denies(const rp_settings *settings, const char *role)
{
    char key[16];
    snprintf(key, sizeof key, "%s_token", role);
    const json_t *value = rp_settings_get(settings, key);
    return json_is_null(value);
}

/* ---- added tokens and their ids ---- */

static int by_id(const void *a, const void *b)
{
    const rp_promise *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

rp_status rp_settings_promises(rp_promise **list, size_t *n, const rp_settings *settings,
                               rp_error *err)
{
    const json_t *decoder = rp_json_member(settings->config, "added_tokens_decoder");
    json_t *from = (json_t *)(decoder ? decoder : settings->added), *value;
    size_t size = json_object_size(from);
    const char *key;
    *n = 0;
    *list = rp_alloc(size, sizeof **list);
    if (!*list) return rp_fail_memory(err, size * sizeof **list);
    json_object_foreach(from, key, value)
    {
        rp_promise *p = &(*list)[*n];
        if (decoder) {
            *p = (rp_promise){-1, rp_settings_content(value), value};
            if (!json_is_object(value) || !rp_number_int(key, &p->id)) p->id = -1;
        } else {
            double id = json_is_number(value) ? json_number_value(value) : -1;
            *p = (rp_promise){id >= 0 && id < RP_TOKEN_LIMIT ? (long)id : -1, key, NULL};
        }
        if (p->id < 0 || p->id >= (long)RP_TOKEN_LIMIT || !p->content)
            return rp_fail(err, RP_EFORMAT,
                           "'%s': '%.200s' of the added tokens is not a token and "
                           "its id, which is in 0 ... %zu",
                           settings->config_path, key, RP_TOKEN_LIMIT - 1);
        ++*n;
    }
    qsort(*list, *n, sizeof **list, by_id);
    return RP_OK;
}
