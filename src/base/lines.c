/* Lines of plain, gzip and zstd text. One buffer of compressed bytes, one of text. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "base/io.h"
#include "base/memory.h"

#define IN_SIZE ((size_t)128 << 10)
#define LINE_LIMIT ((size_t)64 << 20)

typedef enum kind { PLAIN, GZIP, ZSTANDARD } kind;

struct rp_lines {
    char *path;
    int fd; /* -1: none */
    kind kind;
    unsigned char *in; /* [IN_SIZE] */
    size_t in_pos, in_len;
    bool in_end;   /* the file is read to its end */
    bool mid;      /* inside a gzip member or zstd frame: an end here is a truncation */
    bool end;      /* no more text will come */
    bool unzipper; /* z is initialised */
    z_stream z;
    ZSTD_DStream *zstd;
    char *text; /* [text_cap]: unread text is text[pos..len), one byte is kept for a NUL */
    size_t pos, len, text_cap;
    size_t number;
};

static rp_status refill(rp_lines *l, rp_error *err)
{
    if (l->in_pos < l->in_len || l->in_end) return RP_OK;
    ssize_t n;
    do {
        n = read(l->fd, l->in, IN_SIZE);
    } while (n < 0 && errno == EINTR);
    if (n < 0) return rp_fail_errno(err, l->path);
    l->in_pos = 0;
    l->in_len = (size_t)n;
    l->in_end = n == 0;
    return RP_OK;
}

static rp_status inflate_some(rp_lines *l, char *out, size_t cap, size_t *got, rp_error *err)
{
    if (!l->mid) { /* between members: another one, zero padding, or something that is neither */
        while (l->in_pos < l->in_len && l->in[l->in_pos] == 0) l->in_pos++;
        if (l->in_pos == l->in_len) return RP_OK;
        inflateReset(&l->z);
        l->mid = true;
    }
    l->z.next_in = l->in + l->in_pos;
    l->z.avail_in = (uInt)(l->in_len - l->in_pos);
    l->z.next_out = (unsigned char *)out;
    l->z.avail_out = (uInt)cap;
    int r = inflate(&l->z, Z_NO_FLUSH);
    l->in_pos = l->in_len - l->z.avail_in;
    *got = cap - l->z.avail_out;
    if (r == Z_STREAM_END) l->mid = false;
    if (r == Z_MEM_ERROR) return rp_fail_memory(err, IN_SIZE);
    if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR) {
        return rp_fail(err, RP_EFORMAT, "'%s': the gzip stream is damaged after line %zu (%s)",
                       l->path, l->number, l->z.msg ? l->z.msg : "bad data");
    }
    return RP_OK;
}

static rp_status unzstd_some(rp_lines *l, char *out, size_t cap, size_t *got, rp_error *err)
{
    if (!l->mid && l->in_pos == l->in_len) return RP_OK; /* it would ask for another frame */
    ZSTD_inBuffer in = {l->in, l->in_len, l->in_pos};
    ZSTD_outBuffer to = {out, cap, 0};
    size_t r = ZSTD_decompressStream(l->zstd, &to, &in);
    if (ZSTD_isError(r)) {
        return rp_fail(err, RP_EFORMAT, "'%s': the zstd stream is damaged after line %zu (%s)",
                       l->path, l->number, ZSTD_getErrorName(r));
    }
    l->mid = r != 0;
    l->in_pos = in.pos;
    *got = to.pos;
    return RP_OK;
}

/* Makes room behind the unread text: at least 1/2 of IN_SIZE. */
static rp_status make_room(rp_lines *l, rp_error *err)
{
    if (l->pos) {
        memmove(l->text, l->text + l->pos, l->len - l->pos);
        l->len -= l->pos;
        l->pos = 0;
    }
    if (l->len > LINE_LIMIT) {
        return rp_fail(err, RP_EFORMAT, "'%s' line %zu: longer than %zu MiB", l->path,
                       l->number + 1, LINE_LIMIT >> 20);
    }
    return rp_grow(&l->text, &l->text_cap, l->len + IN_SIZE / 2 + 1, 1, err);
}

/* Appends some text, or sets end. */
static rp_status fill(rp_lines *l, rp_error *err)
{
    rp_status s = make_room(l, err);
    size_t got = 0;
    while (!s && got == 0 && !l->end) {
        char *out = l->text + l->len;
        size_t cap = l->text_cap - l->len - 1;
        s = refill(l, err);
        if (s) break;
        if (l->kind == PLAIN) {
            got = l->in_len - l->in_pos < cap ? l->in_len - l->in_pos : cap;
            memcpy(out, l->in + l->in_pos, got);
            l->in_pos += got;
        } else if (l->kind == GZIP) {
            s = inflate_some(l, out, cap, &got, err);
        } else {
            s = unzstd_some(l, out, cap, &got, err);
        }
        if (got == 0 && l->in_end && l->in_pos == l->in_len) l->end = true;
    }
    if (!s && l->end && l->mid) {
        s = rp_fail(err, RP_EFORMAT, "'%s': the %s stream is truncated after line %zu", l->path,
                    l->kind == GZIP ? "gzip" : "zstd", l->number);
    }
    l->len += s ? 0 : got;
    return s;
}

static rp_status start_decoder(rp_lines *l, rp_error *err)
{
    const unsigned char *m = l->in;
    if (l->in_len >= 2 && m[0] == 0x1f && m[1] == 0x8b) {
        l->kind = GZIP;
        if (inflateInit2(&l->z, 15 + 16) != Z_OK) return rp_fail_memory(err, IN_SIZE);
        l->unzipper = true;
    } else if (l->in_len >= 4 && m[0] == 0x28 && m[1] == 0xb5 && m[2] == 0x2f && m[3] == 0xfd) {
        l->kind = ZSTANDARD;
        l->zstd = ZSTD_createDStream();
        if (!l->zstd) return rp_fail_memory(err, IN_SIZE);
        l->mid = true;
    }
    return RP_OK;
}

/* A byte order mark needs three bytes of text, which one fill may not bring. */
static rp_status drop_bom(rp_lines *l, rp_error *err)
{
    rp_status s = RP_OK;
    while (!s && !l->end && l->len < 3) s = fill(l, err);
    if (s) return s;
    if (l->len >= 2 &&
        (memcmp(l->text, "\xff\xfe", 2) == 0 || memcmp(l->text, "\xfe\xff", 2) == 0)) {
        return rp_fail(err, RP_EFORMAT, "'%s': is UTF-16; UTF-8 is expected", l->path);
    }
    if (l->len >= 3 && memcmp(l->text, "\xef\xbb\xbf", 3) == 0) l->pos = 3;
    return RP_OK;
}

static rp_status start(rp_lines *l, const char *path, rp_error *err)
{
    l->path = strdup(path);
    l->in = malloc(IN_SIZE);
    if (!l->path || !l->in) return rp_fail_memory(err, IN_SIZE);
    l->fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (l->fd < 0) return rp_fail_errno(err, path);
    rp_status s = refill(l, err);
    while (!s && !l->in_end && l->in_len < 4) { /* a pipe may bring the magic bytes one by one */
        ssize_t n = read(l->fd, l->in + l->in_len, IN_SIZE - l->in_len);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return rp_fail_errno(err, path);
        if (n == 0) break;
        l->in_len += (size_t)n;
    }
    if (!s) s = start_decoder(l, err);
    return s ? s : drop_bom(l, err);
}

rp_status rp_lines_open(rp_lines **lines, const char *path, rp_error *err)
{
    *lines = NULL;
    rp_lines *l = calloc(1, sizeof *l);
    if (!l) return rp_fail_memory(err, sizeof *l);
    l->fd = -1;
    rp_status s = start(l, path, err);
    if (s) {
        rp_lines_free(l);
        return s;
    }
    *lines = l;
    return RP_OK;
}

rp_status rp_lines_next(rp_lines *l, char **line, size_t *len, rp_error *err)
{
    *line = NULL;
    if (len) *len = 0;
    size_t seen = 0;
    char *stop = NULL;
    for (;;) {
        if (l->len > l->pos + seen) {
            stop = memchr(l->text + l->pos + seen, '\n', l->len - l->pos - seen);
        }
        if (stop || l->end) break;
        seen = l->len - l->pos;
        rp_status s = fill(l, err);
        if (s) return s;
    }
    if (!stop && l->pos == l->len) return RP_OK;
    char *from = l->text + l->pos;
    size_t n = stop ? (size_t)(stop - from) : l->len - l->pos;
    l->pos += n + (stop != NULL);
    l->number++;
    if (memchr(from, '\0', n)) {
        return rp_fail(err, RP_EFORMAT, "'%s' line %zu: holds a NUL byte: not a text file", l->path,
                       l->number);
    }
    if (n > LINE_LIMIT) {
        return rp_fail(err, RP_EFORMAT, "'%s' line %zu: longer than %zu MiB", l->path, l->number,
                       LINE_LIMIT >> 20);
    }
    if (n && from[n - 1] == '\r') n--;
    from[n] = '\0';
    *line = from;
    if (len) *len = n;
    return RP_OK;
}

size_t rp_lines_number(const rp_lines *lines)
{
    return lines->number;
}

const char *rp_lines_path(const rp_lines *lines)
{
    return lines->path;
}

void rp_lines_free(rp_lines *l)
{
    if (!l) return;
    if (l->fd > STDIN_FILENO) close(l->fd);
    if (l->unzipper) inflateEnd(&l->z);
    ZSTD_freeDStream(l->zstd);
    free(l->path);
    free(l->in);
    free(l->text);
    free(l);
}
