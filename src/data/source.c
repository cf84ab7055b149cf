#include "data/source.h"

#include <dirent.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

rp_status rp_source_open(rp_source *src, const char *path, rp_error *err)
{
    *src = (rp_source){0};
    src->path = strdup(path);
    if (!src->path) return rp_fail_memory(err, strlen(path));
    return rp_lines_open(&src->lines, path, err);
}

void rp_source_release(rp_source *src)
{
    rp_lines_free(src->lines);
    free(src->path);
    *src = (rp_source){0};
}

static bool is_blank(const char *line)
{
    return line[strspn(line, " \t")] == '\0';
}

rp_status rp_source_next(rp_source *src, char **line, size_t *len, rp_error *err)
{
    if (src->held) {
        *line = src->held;
        *len = src->held_len;
        src->held = NULL;
        return RP_OK;
    }
    rp_status s = rp_lines_next(src->lines, line, len, err);
    if (s || !*line || !is_blank(*line)) return s;
    size_t blank = rp_lines_number(src->lines);
    while (*line && is_blank(*line)) {
        s = rp_lines_next(src->lines, line, len, err);
        if (s) return s;
    }
    if (!*line) return RP_OK;
    return rp_fail(err, RP_EFORMAT, "'%s' line %zu: blank line", src->path, blank);
}

rp_status rp_source_peek(rp_source *src, char **line, size_t *len, rp_error *err)
{
    rp_status s = rp_source_next(src, line, len, err);
    if (s) return s;
    if (!*line) return rp_fail(err, RP_EFORMAT, "'%s': is empty", src->path);
    src->held = *line;
    src->held_len = *len;
    return RP_OK;
}

rp_status rp_source_fail(const rp_source *src, rp_error *err, const char *fmt, ...)
{
    char text[sizeof err->text];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return rp_fail(err, RP_EFORMAT, "'%s' line %zu: %s", src->path, rp_lines_number(src->lines),
                   text);
}

rp_status rp_source_format(size_t *which, const char *format, const char *const *names, size_t n,
                           const char *what, rp_error *err)
{
    *which = n;
    if (!format || strcmp(format, "auto") == 0) return RP_OK;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(format, names[i]) == 0) {
            *which = i;
            return RP_OK;
        }
    }
    char known[128] = "auto";
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(known);
        snprintf(known + len, sizeof known - len, ", %s", names[i]);
    }
    return rp_fail(err, RP_EARG, "unknown %s format '%s': it is one of %s", what, format, known);
}

/* ---- JSON rows ---- */

rp_status rp_source_json(const rp_source *src, json_t **object, const char *line, size_t len,
                         rp_error *err)
{
    json_error_t e;
    *object = json_loadb(line, len, 0, &e);
    if (!*object) return rp_source_fail(src, err, "bad JSON: %s", e.text);
    if (json_is_object(*object)) return RP_OK;
    json_decref(*object);
    *object = NULL;
    return rp_source_fail(src, err, "not a JSON object");
}

rp_status rp_source_string(const rp_source *src, const char **text, size_t *len,
                           const json_t *object, const char *key, rp_error *err)
{
    const json_t *value = json_object_get(object, key);
    *text = NULL;
    *len = 0;
    if (!value || json_is_null(value)) return RP_OK;
    if (!json_is_string(value)) return rp_source_fail(src, err, "'%s' is not a string", key);
    *text = json_string_value(value);
    *len = json_string_length(value);
    return RP_OK;
}

rp_status rp_source_id(const rp_source *src, char *id, size_t cap, const json_t *object,
                       const char *key, rp_error *err)
{
    const json_t *value = json_object_get(object, key);
    int n = -1;
    if (!value) return rp_source_fail(src, err, "no '%s'", key);
    if (json_is_string(value)) n = snprintf(id, cap, "%s", json_string_value(value));
    if (json_is_integer(value)) {
        n = snprintf(id, cap, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    }
    if (n < 0) return rp_source_fail(src, err, "'%s' is not a string", key);
    if ((size_t)n >= cap) {
        return rp_source_fail(src, err, "'%s' is longer than %zu bytes", key, cap - 1);
    }
    return rp_source_check_id(src, id, key, err);
}

rp_status rp_source_check_id(const rp_source *src, const char *id, const char *what, rp_error *err)
{
    if (!*id) return rp_source_fail(src, err, "empty %s", what);
    for (const char *p = id; *p; p++) {
        if (*p == ' ' || (*p >= '\t' && *p <= '\r')) {
            return rp_source_fail(src, err, "%s holds a blank: '%.80s'", what, id);
        }
    }
    return RP_OK;
}

/* ---- fields ---- */

size_t rp_fields_tab(char *line, char **field, size_t cap)
{
    size_t n = 0;
    for (char *p = line;; n++) {
        if (n < cap) field[n] = p;
        char *tab = strchr(p, '\t');
        if (!tab) return n + 1;
        *tab = '\0';
        p = tab + 1;
    }
}

size_t rp_fields_blank(char *line, char **field, size_t cap)
{
    size_t n = 0;
    for (char *p = line;; n++) {
        p += strspn(p, " \t");
        if (!*p) return n;
        if (n < cap) field[n] = p;
        p += strcspn(p, " \t");
        if (*p) *p++ = '\0';
    }
}

size_t rp_fields_count(const char *line)
{
    size_t n = 0;
    for (;; n++) {
        line += strspn(line, " \t");
        if (!*line) return n;
        line += strcspn(line, " \t");
    }
}

/* ---- directories ---- */

static bool try_name(char *out, size_t cap, const char *dir, const char *name)
{
    static const char *const endings[] = {"", ".gz", ".zst"};
    for (size_t i = 0; i < 3; i++) {
        int n = snprintf(out, cap, "%s/%s%s", dir, name, endings[i]);
        if (n > 0 && (size_t)n < cap && rp_path_exists(out)) return true;
    }
    return false;
}

static int is_tsv(const struct dirent *d)
{
    size_t n = strlen(d->d_name);
    return n > 4 && d->d_name[0] != '.' && strcmp(d->d_name + n - 4, ".tsv") == 0;
}

static bool find_only_tsv(char *out, size_t cap, const char *dir)
{
    char sub[PATH_MAX];
    int length = snprintf(sub, sizeof sub, "%s/qrels", dir);
    if (length > 0 && (size_t)length < sizeof sub && rp_path_is_dir(sub)) dir = sub;
    struct dirent **entry = NULL;
    int n = scandir(dir, &entry, is_tsv, alphasort);
    bool found = n == 1 && rp_path_join(out, cap, dir, entry[0]->d_name, NULL) == RP_OK;
    for (int i = 0; i < n; i++) free(entry[i]);
    free(entry);
    return found;
}

rp_status rp_source_resolve(char *out, size_t cap, const char *path, const char *const *names,
                            bool only_tsv, rp_error *err)
{
    if (!rp_path_is_dir(path)) {
        int n = snprintf(out, cap, "%s", path);
        if (n < 0 || (size_t)n >= cap) return rp_fail(err, RP_EARG, "path too long: '%.80s'", path);
        return RP_OK;
    }
    for (const char *const *name = names; *name; name++) {
        if (try_name(out, cap, path, *name)) return RP_OK;
    }
    if (only_tsv && find_only_tsv(out, cap, path)) return RP_OK;
    if (only_tsv) {
        return rp_fail(err, RP_EIO, "'%s': the directory has neither %s nor exactly one .tsv", path,
                       names[0]);
    }
    return rp_fail(err, RP_EIO, "'%s': the directory has no %s", path, names[0]);
}
