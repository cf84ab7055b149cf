/*
 * The four Unicode normal forms. utf8proc decomposes and composes; only what needs it goes there:
 * the text is cut in front of ASCII characters, with which nothing before them composes.
 */
#include <stdlib.h>
#include <utf8proc.h>

#include "tokenizer/parts.h"

typedef struct chars {
    utf8proc_int32_t *c;
    size_t n, cap;
} chars;

static int combining_class(utf8proc_int32_t c)
{
    return utf8proc_get_property(c)->combining_class;
}

/* Sorts c[n], all of non-zero combining class, stably by class. Insertion is quadratic, so long
 * runs (nobody writes them, but anybody may send them) are counted into their places. */
static rp_status sort_marks(utf8proc_int32_t *c, size_t n, rp_error *err)
{
    if (n <= 32) {
        for (size_t i = 1; i < n; i++) {
            utf8proc_int32_t x = c[i];
            size_t k = i;
            for (; k && combining_class(c[k - 1]) > combining_class(x); k--) c[k] = c[k - 1];
            c[k] = x;
        }
        return RP_OK;
    }
    utf8proc_int32_t *sorted = rp_alloc(n, sizeof *sorted);
    if (!sorted) return rp_fail_memory(err, n * sizeof *sorted);
    size_t place[257] = {0};
    for (size_t i = 0; i < n; i++) place[(combining_class(c[i]) & 255) + 1]++;
    for (size_t k = 1; k < 257; k++) place[k] += place[k - 1];
    for (size_t i = 0; i < n; i++) sorted[place[combining_class(c[i]) & 255]++] = c[i];
    memcpy(c, sorted, n * sizeof *c);
    free(sorted);
    return RP_OK;
}

static rp_status decompose(chars *out, const char *s, size_t len, bool compat, rp_error *err)
{
    utf8proc_option_t options = UTF8PROC_DECOMPOSE | (compat ? UTF8PROC_COMPAT : 0);
    out->n = 0;
    for (size_t i = 0, step; i < len; i += step) {
        utf8proc_int32_t c = (utf8proc_int32_t)rp_utf8_at(s + i, &step);
        rp_status status = rp_grow(&out->c, &out->cap, out->n + 32, sizeof *out->c, err);
        if (status) return status;
        utf8proc_ssize_t n = utf8proc_decompose_char(c, out->c + out->n, 32, options, NULL);
        if (n < 0 || n > 32) return rp_fail(err, RP_ECOMPUTE, "%s", utf8proc_errmsg(n));
        out->n += (size_t)n;
    }
    for (size_t i = 0; i < out->n;) {
        size_t first = i;
        while (i < out->n && combining_class(out->c[i])) i++;
        rp_status status = i - first > 1 ? sort_marks(out->c + first, i - first, err) : RP_OK;
        if (status) return status;
        if (i < out->n) i++;
    }
    return RP_OK;
}

static rp_status append(rp_text *out, const chars *c, rp_error *err)
{
    rp_status status = RP_OK;
    for (size_t i = 0; i < c->n && !status; i++) {
        char bytes[4];
        status = rp_text_append(out, bytes, rp_utf8_put(bytes, (uint32_t)c->c[i]), err);
    }
    return status;
}

rp_status rp_unicode_normalize(rp_text *out, const char *s, size_t len, bool compose, bool compat,
                               rp_error *err)
{
    /* characters below are their own normal form and combine with nothing */
    uint32_t quick = compat ? 0xa0 : compose ? 0x300 : 0xc0;
    chars work = {0};
    rp_status status = RP_OK;
    size_t from = 0, ascii = 0, i = 0, step;
    while (i < len && !status) {
        if (rp_utf8_at(s + i, &step) < quick) {
            if ((unsigned char)s[i] < 0x80 || compose) ascii = i;
            i += step;
            continue;
        }
        /* [ascii, end): from the last character that is safe to cut at to the next one */
        size_t first = ascii > from ? ascii : from, end = i;
        while (end < len && (unsigned char)s[end] >= 0x80) end++;
        status = rp_text_append(out, s + from, first - from, err);
        if (!status) status = decompose(&work, s + first, end - first, compat, err);
        if (!status && compose) {
            utf8proc_ssize_t n = utf8proc_normalize_utf32(work.c, (utf8proc_ssize_t)work.n,
                                                          UTF8PROC_STABLE | UTF8PROC_COMPOSE);
            if (n < 0)
                status = rp_fail(err, RP_ECOMPUTE, "%s", utf8proc_errmsg(n));
            else
                work.n = (size_t)n;
        }
        if (!status) status = append(out, &work, err);
        from = i = end;
    }
    if (!status && from < len) status = rp_text_append(out, s + from, len - from, err);
    free(work.c);
    return status;
}
