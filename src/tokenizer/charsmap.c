/*
 * SentencePiece's precompiled charsmap: a double array trie (Darts) of character sequences, each of
 * which leads to a NUL-terminated string in the text behind it. Applied as the crate does: a
 * grapheme cluster of less than six bytes is looked up as a whole, and the *shortest* key that it
 * begins with replaces all of it; otherwise its characters are looked up one by one.
 */
#include <stdlib.h>
#include <utf8proc.h>

#include "tokenizer/parts.h"

struct rp_charsmap {
    uint32_t *unit; /* [nunit] of the double array */
    size_t nunit;
    char *text; /* [len] what replaces, NUL-terminated each */
    size_t len;
    bool plain[128];  /* ASCII characters that stay as they are */
    const char *path; /* the tokenizer's own */
};

void rp_charsmap_free(rp_charsmap *map)
{
    if (!map) return;
    free(map->unit);
    free(map->text);
    free(map);
}

static uint32_t offset_of(uint32_t unit)
{
    return (unit >> 10) << ((unit & 1u << 9) >> 6);
}

/* *value <- the value of the shortest key that s[len] begins with, -1 for none; false where the
 * array leads out of itself. */
static bool shortest(const rp_charsmap *map, const char *s, size_t len, int64_t *value)
{
    uint32_t at = offset_of(map->unit[0]);
    *value = -1;
    for (size_t i = 0; i < len && s[i]; i++) {
        unsigned char byte = (unsigned char)s[i];
        at ^= byte;
        if (at >= map->nunit) return false;
        uint32_t unit = map->unit[at];
        if ((unit & (1u << 31 | 255)) != byte) return true;
        at ^= offset_of(unit);
        if (at >= map->nunit) return false;
        if (!(unit >> 8 & 1)) continue;
        *value = map->unit[at] & ~(1u << 31);
        return true;
    }
    return true;
}

/* *with <- what replaces s[len], NULL: nothing does. */
static rp_status look_up(const rp_charsmap *map, const char **with, const char *s, size_t len,
                         rp_error *err)
{
    int64_t value;
    *with = NULL;
    if (!shortest(map, s, len, &value) || value > (int64_t)map->len ||
        (value >= 0 && ((unsigned char)map->text[value] & 0xc0) == 0x80))
        return rp_fail(err, RP_EFORMAT, "'%s': the precompiled_charsmap points outside itself",
                       map->path);
    if (value >= 0) *with = map->text + value;
    return RP_OK;
}

static rp_status put(const rp_charsmap *map, rp_text *out, const char *s, size_t len, bool *known,
                     rp_error *err)
{
    const char *with;
    rp_status status = look_up(map, &with, s, len, err);
    *known = with != NULL;
    if (status || !with) return status;
    if (out->len > RP_GROWTH_LIMIT)
        return rp_fail(err, RP_ENOMEM,
                       "the precompiled_charsmap makes a text longer than %zu bytes",
                       RP_GROWTH_LIMIT);
    return rp_text_append(out, with, strlen(with), err);
}

/* Bytes of the grapheme cluster at s[len]. */
static size_t cluster(const char *s, size_t len)
{
    size_t end, step;
    utf8proc_int32_t state = 0, last = (utf8proc_int32_t)rp_utf8_at(s, &end);
    for (; end < len; end += step) {
        utf8proc_int32_t c = (utf8proc_int32_t)rp_utf8_at(s + end, &step);
        if (utf8proc_grapheme_break_stateful(last, c, &state)) break;
        last = c;
    }
    return end;
}

/* Bytes at s[len] that stay as they are: ASCII followed by ASCII is a cluster of its own. */
static size_t plain_run(const rp_charsmap *map, const char *s, size_t len)
{
    size_t n = 0;
    while (n < len && (unsigned char)s[n] < 0x80 && map->plain[(unsigned char)s[n]]) n++;
    if (n && n < len && ((unsigned char)s[n] >= 0x80 || (s[n - 1] == '\r' && s[n] == '\n'))) n--;
    return n;
}

rp_status rp_charsmap_apply(const rp_charsmap *map, rp_text *out, const char *text, size_t len,
                            rp_error *err)
{
    rp_status status = rp_text_append(out, "", 0, err);
    for (size_t i = 0, n; i < len && !status; i += n) {
        bool known = false;
        n = plain_run(map, text + i, len - i);
        if (n) {
            status = rp_text_append(out, text + i, n, err);
            continue;
        }
        n = cluster(text + i, len - i);
        if (n < 6) status = put(map, out, text + i, n, &known, err);
        for (size_t k = i, step; k < i + n && !known && !status; k += step) {
            bool found;
            rp_utf8_at(text + k, &step);
            status = put(map, out, text + k, step, &found, err);
            if (!status && !found) status = rp_text_append(out, text + k, step, err);
        }
    }
    return status;
}

/* ---- from bytes ---- */

static uint32_t little_endian(const unsigned char *p)
{
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

/* A number of four bytes, the bytes of the array; the array; the text. */
static rp_status parse(rp_charsmap *map, const unsigned char *data, size_t size, rp_error *err)
{
    size_t bytes = size < 4 ? 0 : little_endian(data);
    if (size < 4 || bytes > size - 4 || bytes % 4 || !bytes)
        return rp_fail(err, RP_EFORMAT,
                       "'%s': the precompiled_charsmap of %zu bytes has no whole trie", map->path,
                       size);
    map->nunit = bytes / 4;
    map->len = size - 4 - bytes;
    map->unit = rp_alloc(map->nunit, sizeof *map->unit);
    map->text = rp_alloc(map->len + 1, 1);
    if (!map->unit || !map->text) return rp_fail_memory(err, size);
    for (size_t i = 0; i < map->nunit; i++) map->unit[i] = little_endian(data + 4 + 4 * i);
    memcpy(map->text, data + 4 + bytes, map->len);
    if (!rp_utf8_valid(map->text, map->len))
        return rp_fail(err, RP_EFORMAT, "'%s': the text of the precompiled_charsmap is not UTF-8",
                       map->path);
    return RP_OK;
}

rp_status rp_charsmap_new(rp_charsmap **charsmap, const void *data, size_t size, const char *path,
                          rp_error *err)
{
    rp_charsmap *map = *charsmap = calloc(1, sizeof *map);
    if (!map) return rp_fail_memory(err, sizeof *map);
    map->path = path;
    rp_status status = parse(map, data, size, err);
    for (unsigned c = 0; c < 128 && !status; c++) {
        const char *with, text = (char)c;
        /* a trie that is wrong here says so when a text asks for it */
        map->plain[c] = !look_up(map, &with, &text, 1, NULL) && !with;
    }
    if (status) {
        rp_charsmap_free(map);
        *charsmap = NULL;
    }
    return status;
}
