#include "model/zip.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* Bytes of the records without what varies in length. */
enum { LOCAL = 30, CENTRAL = 46, END = 22, LOCATOR = 20, END64 = 56 };
#define IN_ZIP64 UINT32_MAX /* a size or offset that stands in the zip64 field instead */

typedef struct reader {
    const unsigned char *data;
    size_t size;
    const char *path;
    rp_error *err;
} reader;

typedef struct directory {
    size_t entries, offset, size;
} directory;

static uint64_t number(const unsigned char *p, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = bytes; i-- > 0;) value = value << 8 | p[i];
    return value;
}

/* The record at `at`, NULL when it is not there in full. */
static const unsigned char *record(const reader *r, uint64_t at, size_t bytes, const char *magic)
{
    if (at > r->size || bytes > r->size - at || memcmp(r->data + at, magic, 4) != 0) return NULL;
    return r->data + at;
}

static rp_status find_directory(const reader *r, directory *d)
{
    const unsigned char *end = NULL, *locator = NULL, *end64 = NULL;
    size_t last = r->size >= END ? r->size - END : 0, first = last > 65535 ? last - 65535 : 0, at;
    for (at = last + 1; !end && at-- > first;) {
        end = record(r, at, END, "PK\5\6");
        if (end && number(end + 20, 2) != r->size - END - at) end = NULL; /* inside a comment */
    }
    if (!end) return rp_fail(r->err, RP_EFORMAT, "'%s': not a zip archive, or truncated", r->path);
    *d = (directory){number(end + 10, 2), number(end + 16, 4), number(end + 12, 4)};
    if (at >= LOCATOR) locator = record(r, at - LOCATOR, LOCATOR, "PK\6\7");
    if (locator) {
        end64 = record(r, number(locator + 8, 8), END64, "PK\6\6");
        if (!end64)
            return rp_fail(r->err, RP_EFORMAT, "'%s': its zip64 directory is missing", r->path);
        *d = (directory){number(end64 + 32, 8), number(end64 + 48, 8), number(end64 + 40, 8)};
    }
    if (d->offset > r->size || d->size > r->size - d->offset || d->entries > d->size / CENTRAL)
        return rp_fail(r->err, RP_EFORMAT, "'%s': a zip directory that is not in the file",
                       r->path);
    return RP_OK;
}

/* Replaces those of the values [3] that the zip64 field among the extra fields has. */
static bool read_zip64(const unsigned char *extra, size_t n, uint64_t *values[3])
{
    while (n >= 4) {
        size_t id = number(extra, 2), len = number(extra + 2, 2);
        if (len > n - 4) return false;
        for (size_t i = 0, at = 0; id == 1 && i < 3; i++) {
            if (*values[i] != IN_ZIP64) continue;
            if (at + 8 > len) return false;
            *values[i] = number(extra + 4 + at, 8);
            at += 8;
        }
        if (id == 1) return true;
        extra += 4 + len;
        n -= 4 + len;
    }
    return *values[0] != IN_ZIP64 && *values[1] != IN_ZIP64 && *values[2] != IN_ZIP64;
}

/* The entry's own header says where its bytes begin. */
static rp_status place(const reader *r, rp_zip_entry *e, uint64_t local, int shown)
{
    const unsigned char *h = record(r, local, LOCAL, "PK\3\4");
    size_t name_len = h ? number(h + 26, 2) : 0, rest = h ? r->size - local - LOCAL : 0;
    if (!h || name_len != e->name_len || name_len > rest ||
        memcmp(h + LOCAL, e->name, name_len) != 0)
        return rp_fail(r->err, RP_EFORMAT, "'%s': entry '%.*s' is not where the directory says",
                       r->path, shown, e->name);
    size_t head = name_len + number(h + 28, 2);
    if (head > rest || e->size > rest - head)
        return rp_fail(r->err, RP_EFORMAT,
                       "'%s': entry '%.*s' ends behind the file's %zu bytes: truncated?", r->path,
                       shown, e->name, r->size);
    e->offset = local + LOCAL + head;
    return RP_OK;
}

/* The entry at *at of the directory; *at moves behind it. */
static rp_status read_entry(const reader *r, rp_zip_entry *e, size_t *at, size_t end)
{
    const unsigned char *h = end - *at >= CENTRAL ? record(r, *at, CENTRAL, "PK\1\2") : NULL;
    size_t rest = h ? end - *at - CENTRAL : 0, extra = h ? number(h + 30, 2) : 0;
    e->name_len = h ? number(h + 28, 2) : 0;
    size_t tail = e->name_len + extra + (h ? number(h + 32, 2) : 0);
    if (!h || tail > rest)
        return rp_fail(r->err, RP_EFORMAT, "'%s': byte %zu: a broken zip directory", r->path, *at);
    uint64_t size = number(h + 24, 4), packed = number(h + 20, 4), local = number(h + 42, 4);
    e->name = (const char *)h + CENTRAL;
    int shown = e->name_len < 100 ? (int)e->name_len : 100;
    if (!read_zip64(h + CENTRAL + e->name_len, extra, (uint64_t *[]){&size, &packed, &local}))
        return rp_fail(r->err, RP_EFORMAT, "'%s': entry '%.*s' has a bad zip64 field", r->path,
                       shown, e->name);
    e->plain = !(number(h + 8, 2) & 1) && number(h + 10, 2) == 0 && packed == size;
    e->size = size;
    *at += CENTRAL + tail;
    return e->plain ? place(r, e, local, shown) : RP_OK;
}

rp_status rp_zip_read(rp_zip_entry **entries, size_t *n, const rp_mapping *file, const char *path,
                      rp_error *err)
{
    reader r = {file->data, file->size, path, err};
    directory d = {0};
    *entries = NULL;
    *n = 0;
    rp_status s = find_directory(&r, &d);
    if (s) return s;
    if (!(*entries = rp_alloc(d.entries, sizeof **entries)))
        return rp_fail_memory(err, d.entries * sizeof **entries);
    for (size_t at = d.offset; !s && *n < d.entries; (*n)++)
        s = read_entry(&r, &(*entries)[*n], &at, d.offset + d.size);
    if (s) {
        free(*entries);
        *entries = NULL;
        *n = 0;
    }
    return s;
}
