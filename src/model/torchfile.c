#include "model/torchfile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/memory.h"
#include "model/statedict.h"
#include "model/zip.h"

struct rp_torchfile {
    char *path;
    rp_mapping map;
    rp_map *names; /* -> index */
    rp_tensor *tensor;
    size_t n;
};

/* What is in the archive, while the file is opened. */
typedef struct archive {
    const rp_torchfile *file;
    rp_map *names; /* "data/0", without the folder that holds everything -> index */
    rp_zip_entry *entry;
    size_t n;
    rp_error *err;
} archive;

static int shown(size_t len)
{
    return len < 100 ? (int)len : 100;
}

/* ---- the archive ---- */

static rp_status read_directory(archive *a)
{
    const char *path = a->file->path;
    rp_status s = rp_zip_read(&a->entry, &a->n, &a->file->map, path, a->err);
    /* torch puts everything into one folder, named after the file */
    const char *folder = a->n ? a->entry[0].name : "";
    const char *slash = a->n ? memchr(folder, '/', a->entry[0].name_len) : NULL;
    size_t skip = slash ? (size_t)(slash - folder) + 1 : 0, *slot;
    for (size_t i = 0; !s && i < a->n; i++) {
        const rp_zip_entry *e = &a->entry[i];
        bool fresh = true;
        if (e->name_len < skip || memcmp(e->name, folder, skip) != 0)
            s = rp_fail(a->err, RP_EFORMAT, "'%s': entry '%.*s' is outside '%.*s'", path,
                        shown(e->name_len), e->name, shown(skip), folder);
        else
            s = rp_map_put(a->names, e->name + skip, e->name_len - skip, &slot, &fresh, NULL,
                           a->err);
        if (!s && !fresh)
            s = rp_fail(a->err, RP_EFORMAT, "'%s': entry '%.*s' is there twice", path,
                        shown(e->name_len), e->name);
        if (!s) *slot = i;
    }
    return s;
}

static const rp_zip_entry *find(const archive *a, const char *name, size_t len)
{
    size_t i = rp_map_get(a->names, name, len);
    return i == RP_MAP_NONE ? NULL : &a->entry[i];
}

static const rp_zip_entry *find_word(const archive *a, const char *name)
{
    return find(a, name, strlen(name));
}

static rp_status check_kind(const archive *a)
{
    const char *path = a->file->path;
    const rp_zip_entry *order = find_word(a, "byteorder");
    if (find_word(a, "constants.pkl"))
        return rp_fail(a->err, RP_EFORMAT,
                       "'%s': a TorchScript archive, a program: save the model's state_dict()",
                       path);
    for (size_t i = 0; i < a->n; i++)
        if (!a->entry[i].plain)
            return rp_fail(a->err, RP_EFORMAT,
                           "'%s': entry '%.*s' is compressed or encrypted, which torch.save does "
                           "not do",
                           path, shown(a->entry[i].name_len), a->entry[i].name);
    if (!find_word(a, "data.pkl"))
        return rp_fail(a->err, RP_EFORMAT,
                       "'%s': a zip archive, but not of torch.save: no data.pkl", path);
    if (order && (order->size != 6 || memcmp(a->file->map.data + order->offset, "little", 6) != 0))
        return rp_fail(a->err, RP_EFORMAT, "'%s': its byte order is '%.*s', expected 'little'",
                       path, shown(order->size), (const char *)a->file->map.data + order->offset);
    return RP_OK;
}

/* ---- tensors ---- */

/* Row-major, as numpy's C order: dimensions of one element may have any stride. */
static bool row_major(const rp_pickled *t)
{
    size_t expected = 1;
    for (size_t i = t->rank; i-- > 0;) {
        if (t->shape[i] != 1 && t->stride[i] != expected) return false;
        expected *= t->shape[i];
    }
    return true;
}

static void print_sizes(char out[100], const size_t *sizes, size_t rank)
{
    size_t at = 0;
    for (size_t i = 0; i < rank; i++)
        at += (size_t)snprintf(out + at, 100 - at, i ? ", %zu" : "%zu", sizes[i]);
    out[at] = '\0';
}

static rp_status check_layout(const rp_torchfile *f, const rp_tensor *t, const rp_pickled *p,
                              rp_error *err)
{
    size_t bytes = rp_dtype_size(t->dtype), end;
    char shape[100], stride[100];
    if (t->count && !row_major(p)) {
        print_sizes(shape, p->shape, p->rank);
        print_sizes(stride, p->stride, p->rank);
        return rp_fail(err, RP_EFORMAT,
                       "'%s': tensor '%.80s' [%s] has strides [%s], not row-major: save it as "
                       ".contiguous()",
                       f->path, t->name, shape, stride);
    }
    if (__builtin_add_overflow(p->offset, t->count, &end) ||
        __builtin_mul_overflow(end, bytes, &bytes) || bytes > p->bytes)
        return rp_fail(err, RP_EFORMAT,
                       "'%s': tensor '%.100s' ends behind its storage of %zu bytes", f->path,
                       t->name, p->bytes);
    return RP_OK;
}

static rp_status find_storage(const archive *a, const rp_tensor *t, const rp_pickled *p,
                              const rp_zip_entry **storage)
{
    char name[128];
    int n = snprintf(name, sizeof name, "data/%.*s", shown(p->key_len), p->key);
    const rp_zip_entry *e = *storage = find(a, name, (size_t)n);
    if (!e)
        return rp_fail(a->err, RP_EFORMAT, "'%s': tensor '%.100s': its storage '%.60s' is missing",
                       a->file->path, t->name, name);
    if (e->size != p->bytes)
        return rp_fail(a->err, RP_EFORMAT,
                       "'%s': tensor '%.100s': its storage has %zu bytes, the pickle says %zu",
                       a->file->path, t->name, e->size, p->bytes);
    return RP_OK;
}

static rp_status add_tensor(rp_torchfile *f, const archive *a, const rp_pickled *p)
{
    rp_tensor *t = &f->tensor[f->n];
    size_t *slot;
    bool fresh;
    const rp_zip_entry *storage;
    if (memchr(p->name, '\0', p->name_len))
        return rp_fail(a->err, RP_EFORMAT, "'%s': tensor '%.100s...' has a NUL byte in its name",
                       f->path, p->name);
    rp_status s = rp_map_put(f->names, p->name, p->name_len, &slot, &fresh, &t->name, a->err);
    if (s) return s;
    if (!fresh)
        return rp_fail(a->err, RP_EFORMAT, "'%s': tensor '%.100s' is there twice", f->path,
                       t->name);
    *slot = f->n;
    t->dtype = p->dtype;
    t->rank = p->rank;
    t->count = 1;
    for (size_t i = 0; i < p->rank; i++) {
        t->shape[i] = p->shape[i];
        if (__builtin_mul_overflow(t->count, p->shape[i], &t->count))
            return rp_fail(a->err, RP_EFORMAT, "'%s': tensor '%.100s': its shape overflows",
                           f->path, t->name);
    }
    if ((s = find_storage(a, t, p, &storage))) return s;
    if ((s = check_layout(f, t, p, a->err))) return s;
    t->data = f->map.data + storage->offset + p->offset * rp_dtype_size(t->dtype);
    f->n++;
    return RP_OK;
}

static rp_status read_tensors(rp_torchfile *f, const archive *a)
{
    rp_pickled *list = NULL;
    size_t n = 0;
    const rp_zip_entry *pickle = find_word(a, "data.pkl");
    rp_status s =
        rp_statedict_read(&list, &n, f->map.data + pickle->offset, pickle->size, f->path, a->err);
    if (!s && !(f->tensor = rp_alloc(n, sizeof *f->tensor)))
        s = rp_fail_memory(a->err, n * sizeof *f->tensor);
    for (size_t i = 0; !s && i < n; i++) s = add_tensor(f, a, &list[i]);
    free(list);
    return s;
}

/* ---- opening ---- */

static rp_status check_magic(const rp_torchfile *f, rp_error *err)
{
    /* torch < 1.6: a pickle of the number 0x1950a86a20f9469cfc6c, then others, then the storages */
    static const unsigned char legacy[] = {0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c,
                                           0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};
    if (f->map.size >= sizeof legacy && memcmp(f->map.data, legacy, sizeof legacy) == 0)
        return rp_fail(err, RP_EFORMAT,
                       "'%s': a file of torch before 1.6: load and save it with a newer torch, or "
                       "as safetensors",
                       f->path);
    if (f->map.size < 4 || memcmp(f->map.data, "PK\3\4", 4) != 0)
        return rp_fail(err, RP_EFORMAT, "'%s': not a file of torch.save", f->path);
    return RP_OK;
}

static rp_status read_archive(rp_torchfile *f, rp_error *err)
{
    archive a = {.file = f, .names = rp_map_new(), .err = err};
    rp_status s = a.names ? check_magic(f, err) : rp_fail_memory(err, 1);
    if (!s) s = read_directory(&a);
    if (!s) s = check_kind(&a);
    if (!s) s = read_tensors(f, &a);
    rp_map_free(a.names);
    free(a.entry);
    return s;
}

rp_status rp_torchfile_open(rp_torchfile **file, const char *path, rp_error *err)
{
    *file = NULL;
    rp_torchfile *f = calloc(1, sizeof *f);
    if (!f) return rp_fail_memory(err, sizeof *f);
    f->path = strdup(path);
    f->names = rp_map_new();
    rp_status s = f->path && f->names ? RP_OK : rp_fail_memory(err, strlen(path));
    if (!s) s = rp_mapping_open(&f->map, path, err);
    if (!s) s = read_archive(f, err);
    if (s) {
        rp_torchfile_free(f);
        return s;
    }
    *file = f;
    return RP_OK;
}

void rp_torchfile_free(rp_torchfile *file)
{
    if (!file) return;
    rp_mapping_release(&file->map);
    rp_map_free(file->names);
    free(file->tensor);
    free(file->path);
    free(file);
}

size_t rp_torchfile_count(const rp_torchfile *file)
{
    return file->n;
}

const rp_tensor *rp_torchfile_at(const rp_torchfile *file, size_t i)
{
    return &file->tensor[i];
}

const rp_tensor *rp_torchfile_find(const rp_torchfile *file, const char *name)
{
    size_t i = rp_map_get(file->names, name, strlen(name));
    return i == RP_MAP_NONE ? NULL : &file->tensor[i];
}

const char *rp_torchfile_path(const rp_torchfile *file)
{
    return file->path;
}
