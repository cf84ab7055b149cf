#include "base/safetensors.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/memory.h"

#define HEADER_LIMIT ((size_t)100 << 20) /* the reference implementation's */

static const struct {
    const char *name;
    size_t size;
} dtypes[] = {
    [RP_F32] = {"F32", 4}, [RP_F16] = {"F16", 2},         [RP_BF16] = {"BF16", 2},
    [RP_I8] = {"I8", 1},   [RP_U8] = {"U8", 1},           [RP_I32] = {"I32", 4},
    [RP_I64] = {"I64", 8}, [RP_F64] = {"F64", 8},         [RP_BOOL] = {"BOOL", 1},
    [RP_I16] = {"I16", 2}, [RP_U16] = {"U16", 2},         [RP_U32] = {"U32", 4},
    [RP_U64] = {"U64", 8}, [RP_F8_E4M3] = {"F8_E4M3", 1}, [RP_F8_E5M2] = {"F8_E5M2", 1},
};
#define NDTYPES (sizeof dtypes / sizeof dtypes[0])

size_t rp_dtype_size(rp_dtype dtype)
{
    return dtypes[dtype].size;
}

const char *rp_dtype_name(rp_dtype dtype)
{
    return dtypes[dtype].name;
}

typedef struct span {
    size_t begin, end, tensor;
} span;

struct rp_safetensors {
    char *path;
    rp_mapping map;
    rp_map *names; /* -> index */
    rp_tensor *tensor;
    span *span; /* [n] places in the data, for the overlap check */
    size_t n;
};

/* bytes of the tensor's data; false when the product overflows. */
static bool tensor_bytes(const rp_tensor *t, size_t *count, size_t *bytes)
{
    *count = 1;
    for (size_t i = 0; i < t->rank; i++) {
        if (__builtin_mul_overflow(*count, t->shape[i], count)) return false;
    }
    return !__builtin_mul_overflow(*count, dtypes[t->dtype].size, bytes);
}

static bool size_of_json(const json_t *value, size_t *out)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0) return false;
    *out = (size_t)json_integer_value(value);
    return true;
}

static rp_status read_dtype(rp_tensor *t, const json_t *entry, const char *path, rp_error *err)
{
    const char *name = json_string_value(json_object_get(entry, "dtype"));
    if (!name) {
        return rp_fail(err, RP_EFORMAT, "'%s': tensor '%s' has no dtype", path, t->name);
    }
    for (size_t i = 0; i < NDTYPES; i++) {
        if (strcmp(name, dtypes[i].name) == 0) {
            t->dtype = (rp_dtype)i;
            return RP_OK;
        }
    }
    return rp_fail(err, RP_EFORMAT, "'%s': tensor '%s': dtype '%.20s' is not supported", path,
                   t->name, name);
}

static rp_status read_shape(rp_tensor *t, const json_t *entry, const char *path, rp_error *err)
{
    const json_t *shape = json_object_get(entry, "shape");
    if (!json_is_array(shape)) {
        return rp_fail(err, RP_EFORMAT, "'%s': tensor '%s' has no shape", path, t->name);
    }
    t->rank = json_array_size(shape);
    if (t->rank > RP_TENSOR_RANK) {
        return rp_fail(err, RP_EFORMAT, "'%s': tensor '%s' has %zu dimensions, more than %d", path,
                       t->name, t->rank, RP_TENSOR_RANK);
    }
    for (size_t i = 0; i < t->rank; i++) {
        if (!size_of_json(json_array_get(shape, i), &t->shape[i])) {
            return rp_fail(err, RP_EFORMAT, "'%s': tensor '%s': dimension %zu is not a size", path,
                           t->name, i);
        }
    }
    return RP_OK;
}

static rp_status read_span(rp_safetensors *st, rp_tensor *t, const json_t *entry, size_t from,
                           rp_error *err)
{
    const json_t *offsets = json_object_get(entry, "data_offsets");
    span *p = &st->span[st->n];
    p->tensor = st->n;
    if (json_array_size(offsets) != 2 || !size_of_json(json_array_get(offsets, 0), &p->begin) ||
        !size_of_json(json_array_get(offsets, 1), &p->end) || p->begin > p->end) {
        return rp_fail(err, RP_EFORMAT, "'%s': tensor '%s': bad data_offsets", st->path, t->name);
    }
    if (p->end > st->map.size - from) {
        return rp_fail(err, RP_EFORMAT,
                       "'%s': tensor '%s' ends at byte %zu, the file has %zu: truncated?", st->path,
                       t->name, p->end, st->map.size - from);
    }
    size_t bytes = 0;
    if (!tensor_bytes(t, &t->count, &bytes)) {
        return rp_fail(err, RP_EFORMAT, "'%s': tensor '%s': its shape overflows", st->path,
                       t->name);
    }
    if (bytes != p->end - p->begin) {
        return rp_fail(err, RP_EFORMAT,
                       "'%s': tensor '%s': dtype and shape need %zu bytes, data_offsets give %zu",
                       st->path, t->name, bytes, p->end - p->begin);
    }
    t->data = st->map.data + from + p->begin;
    return RP_OK;
}

static rp_status read_tensor(rp_safetensors *st, const char *name, const json_t *entry, size_t from,
                             rp_error *err)
{
    rp_tensor *t = &st->tensor[st->n];
    size_t *slot = NULL;
    rp_status s = rp_map_put(st->names, name, strlen(name), &slot, NULL, &t->name, err);
    if (s) return s;
    *slot = st->n;
    if (!json_is_object(entry)) {
        return rp_fail(err, RP_EFORMAT, "'%s': tensor '%s' is not an object", st->path, name);
    }
    s = read_dtype(t, entry, st->path, err);
    if (!s) s = read_shape(t, entry, st->path, err);
    if (!s) s = read_span(st, t, entry, from, err);
    if (!s) st->n++;
    return s;
}

static int by_begin(const void *a, const void *b)
{
    const span *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

/* The tensors must tile the data: no overlap, no hole, nothing behind the last. */
static rp_status check_tiling(rp_safetensors *st, size_t bytes, rp_error *err)
{
    size_t at = 0;
    qsort(st->span, st->n, sizeof *st->span, by_begin);
    for (size_t i = 0; i < st->n; i++) {
        const span *p = &st->span[i];
        if (p->begin != at) {
            return rp_fail(err, RP_EFORMAT, "'%s': tensor '%s' %s", st->path,
                           st->tensor[p->tensor].name,
                           p->begin < at ? "overlaps another one" : "leaves a hole before it");
        }
        at = p->end;
    }
    if (at != bytes) {
        return rp_fail(err, RP_EFORMAT, "'%s': %zu bytes of data, the tensors have %zu", st->path,
                       bytes, at);
    }
    return RP_OK;
}

static rp_status read_tensors(rp_safetensors *st, json_t *root, size_t from, rp_error *err)
{
    size_t n = json_object_size(root);
    st->tensor = rp_alloc(n, sizeof *st->tensor);
    st->span = rp_alloc(n, sizeof *st->span);
    if (!st->tensor || !st->span) return rp_fail_memory(err, n * sizeof *st->tensor);
    const char *name;
    json_t *entry;
    json_object_foreach(root, name, entry)
    {
        if (strcmp(name, "__metadata__") == 0) continue;
        rp_status s = read_tensor(st, name, entry, from, err);
        if (s) return s;
    }
    return check_tiling(st, st->map.size - from, err);
}

static rp_status read_header(rp_safetensors *st, rp_error *err)
{
    const unsigned char *p = st->map.data;
    if (st->map.size < 8) {
        return rp_fail(err, RP_EFORMAT, "'%s': too short for a safetensors file", st->path);
    }
    uint64_t size = 0;
    for (int i = 7; i >= 0; i--) size = size << 8 | p[i];
    if (size > HEADER_LIMIT || size > st->map.size - 8) {
        return rp_fail(err, RP_EFORMAT,
                       "'%s': not a safetensors file, or truncated: header of %llu bytes", st->path,
                       (unsigned long long)size);
    }
    json_error_t je;
    json_t *root = json_loadb((const char *)p + 8, (size_t)size, JSON_REJECT_DUPLICATES, &je);
    if (!json_is_object(root)) {
        json_decref(root);
        return rp_fail(err, RP_EFORMAT, "'%s': the safetensors header is not valid: %s", st->path,
                       root ? "not an object" : je.text);
    }
    rp_status s = read_tensors(st, root, 8 + (size_t)size, err);
    json_decref(root);
    return s;
}

rp_status rp_safetensors_open(rp_safetensors **out, const char *path, rp_error *err)
{
    *out = NULL;
    rp_safetensors *st = calloc(1, sizeof *st);
    if (!st) return rp_fail_memory(err, sizeof *st);
    rp_status s = RP_OK;
    st->path = strdup(path);
    st->names = rp_map_new();
    if (!st->path || !st->names) s = rp_fail_memory(err, sizeof *st);
    if (!s) s = rp_mapping_open(&st->map, path, err);
    if (!s) s = read_header(st, err);
    if (s) {
        rp_safetensors_free(st);
        return s;
    }
    free(st->span);
    st->span = NULL;
    *out = st;
    return RP_OK;
}

void rp_safetensors_free(rp_safetensors *st)
{
    if (!st) return;
    rp_mapping_release(&st->map);
    rp_map_free(st->names);
    free(st->tensor);
    free(st->span);
    free(st->path);
    free(st);
}

size_t rp_safetensors_count(const rp_safetensors *st)
{
    return st->n;
}

const rp_tensor *rp_safetensors_at(const rp_safetensors *st, size_t i)
{
    return &st->tensor[i];
}

const rp_tensor *rp_safetensors_find(const rp_safetensors *st, const char *name)
{
    size_t i = rp_map_get(st->names, name, strlen(name));
    return i == RP_MAP_NONE ? NULL : &st->tensor[i];
}

const char *rp_safetensors_path(const rp_safetensors *st)
{
    return st->path;
}

rp_mapping rp_safetensors_take(rp_safetensors *st)
{
    rp_mapping map = st->map;

    st->map = (rp_mapping){0};
    return map;
}

/* ---- writing ---- */

static json_t *metadata_json(const char *const *metadata)
{
    json_t *meta = json_object();
    for (; meta && metadata[0] && metadata[1]; metadata += 2) {
        if (json_object_set_new(meta, metadata[0], json_string(metadata[1])) != 0) {
            json_decref(meta);
            return NULL;
        }
    }
    return meta;
}

static json_t *tensor_json(const rp_tensor *t, size_t begin, size_t end)
{
    json_t *shape = json_array();
    for (size_t i = 0; i < t->rank; i++) {
        json_array_append_new(shape, json_integer((json_int_t)t->shape[i]));
    }
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", dtypes[t->dtype].name, "shape", shape,
                     "data_offsets", (json_int_t)begin, (json_int_t)end);
}

static rp_status header_text(char **text, const rp_tensor *tensors, size_t n,
                             const char *const *metadata, rp_error *err)
{
    rp_status s = RP_OK;
    json_t *root = json_object();
    if (metadata && json_object_set_new(root, "__metadata__", metadata_json(metadata)) != 0) {
        s = rp_fail(err, RP_EARG, "safetensors metadata is not UTF-8");
    }
    for (size_t i = 0, at = 0; !s && i < n; i++) {
        size_t count = 0, bytes = 0, end = 0;
        const rp_tensor *t = &tensors[i];
        if (t->rank > RP_TENSOR_RANK || !tensor_bytes(t, &count, &bytes) ||
            __builtin_add_overflow(at, bytes, &end)) {
            s = rp_fail(err, RP_EARG, "tensor '%s': its shape overflows", t->name);
        } else if (json_object_get(root, t->name)) {
            s = rp_fail(err, RP_EARG, "tensor '%s' appears twice", t->name);
        } else if (json_object_set_new(root, t->name, tensor_json(t, at, end)) != 0) {
            s = rp_fail(err, RP_EARG, "tensor name '%s' is not UTF-8", t->name);
        }
        at = end;
    }
    if (!s) {
        *text = json_dumps(root, JSON_COMPACT);
        if (!*text) s = rp_fail_memory(err, n);
    }
    json_decref(root);
    return s;
}

rp_status rp_safetensors_write(FILE *file, const rp_tensor *tensors, size_t n,
                               const char *const *metadata, rp_error *err)
{
    char *text = NULL;
    rp_status s = header_text(&text, tensors, n, metadata, err);
    if (s) return s;
    size_t len = strlen(text), padded = (len + 7) / 8 * 8;
    unsigned char size[8];
    for (int i = 0; i < 8; i++) size[i] = (unsigned char)((uint64_t)padded >> (8 * i));
    fwrite(size, 1, 8, file);
    fwrite(text, 1, len, file);
    for (size_t i = len; i < padded; i++) putc(' ', file);
    free(text);
    for (size_t i = 0; i < n && !ferror(file); i++) {
        size_t count = 0, bytes = 0;
        tensor_bytes(&tensors[i], &count, &bytes);
        if (bytes) fwrite(tensors[i].data, 1, bytes, file);
    }
    return RP_OK;
}
