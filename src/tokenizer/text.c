/* Characters: UTF-8, the classes that tokenizers ask for, and GPT-2's visible bytes. */
#include <utf8proc.h>

#include "tokenizer/parts.h"

size_t rp_utf8_put(char out[4], uint32_t c)
{
    if (c < 0x80) return out[0] = (char)c, 1;
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 63));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 63));
        out[2] = (char)(0x80 | (c & 63));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 63));
    out[2] = (char)(0x80 | (c >> 6 & 63));
    out[3] = (char)(0x80 | (c & 63));
    return 4;
}

/* Length of the character at s[0..len), or minus the length of the maximal ill-formed subpart
 * (Unicode 15, section 3.9, table 3-7). */
static int sequence(const unsigned char *s, size_t len)
{
    unsigned char c = s[0], low = 0x80, high = 0xbf;
    int want;
    if (c < 0x80) return 1;
    if (c < 0xc2 || c > 0xf4) return -1;
    if (c < 0xe0) {
        want = 2;
    } else if (c < 0xf0) {
        want = 3;
        if (c == 0xe0) low = 0xa0;
        if (c == 0xed) high = 0x9f;
    } else {
        want = 4;
        if (c == 0xf0) low = 0x90;
        if (c == 0xf4) high = 0x8f;
    }
    for (int i = 1; i < want; i++) {
        if ((size_t)i >= len || s[i] < low || s[i] > high) return -i;
        low = 0x80;
        high = 0xbf;
    }
    return want;
}

/* Length of the ASCII run at s. */
static size_t ascii_run(const char *s, size_t len)
{
    size_t i = 0;
    for (uint64_t w; i + 8 <= len; i += 8) {
        memcpy(&w, s + i, 8);
        if (w & 0x8080808080808080u) break;
    }
    while (i < len && (unsigned char)s[i] < 0x80) i++;
    return i;
}

bool rp_utf8_valid(const char *s, size_t len)
{
    for (size_t i = 0; i < len;) {
        i += ascii_run(s + i, len - i);
        if (i == len) break;
        int n = sequence((const unsigned char *)s + i, len - i);
        if (n < 0) return false;
        i += (size_t)n;
    }
    return true;
}

rp_status rp_utf8_repair(rp_text *out, const char *s, size_t len, rp_error *err)
{
    rp_status status = RP_OK;
    for (size_t i = 0, from = 0; i < len && !status;) {
        int n = sequence((const unsigned char *)s + i, len - i);
        i += (size_t)(n < 0 ? -n : n);
        if (n > 0) {
            if (i == len) status = rp_text_append(out, s + from, i - from, err);
            continue;
        }
        status = rp_text_append(out, s + from, i - (size_t)-n - from, err);
        if (!status) status = rp_text_append(out, "\xef\xbf\xbd", 3, err);
        from = i;
    }
    return status;
}

static utf8proc_category_t category(uint32_t c)
{
    return utf8proc_category((utf8proc_int32_t)c);
}

bool rp_char_is_space(uint32_t c)
{
    if (c < 0x80) return c == ' ' || (c >= 9 && c <= 13);
    if (c == 0x85) return true;
    utf8proc_category_t k = category(c);
    return k == UTF8PROC_CATEGORY_ZS || k == UTF8PROC_CATEGORY_ZL || k == UTF8PROC_CATEGORY_ZP;
}

bool rp_char_is_mark(uint32_t c)
{
    if (c < 0x300) return false;
    utf8proc_category_t k = category(c);
    return k == UTF8PROC_CATEGORY_MN || k == UTF8PROC_CATEGORY_MC || k == UTF8PROC_CATEGORY_ME;
}

bool rp_char_is_accent(uint32_t c)
{
    return c >= 0x300 && category(c) == UTF8PROC_CATEGORY_MN;
}

bool rp_char_is_control(uint32_t c)
{
    if (c < 0x80) return (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f;
    utf8proc_category_t k = category(c);
    return k == UTF8PROC_CATEGORY_CC || k == UTF8PROC_CATEGORY_CF || k == UTF8PROC_CATEGORY_CO;
}

bool rp_char_is_numeric(uint32_t c)
{
    if (c < 0x80) return c >= '0' && c <= '9';
    utf8proc_category_t k = category(c);
    return k == UTF8PROC_CATEGORY_ND || k == UTF8PROC_CATEGORY_NL || k == UTF8PROC_CATEGORY_NO;
}

bool rp_char_is_word(uint32_t c)
{
    if (c < 0x80) return (c >= '0' && c <= '9') || c == '_' || ((c | 32) >= 'a' && (c | 32) <= 'z');
    if (c == 0x200c || c == 0x200d) return true;
    /* the circled and squared letters: symbols that are Alphabetic */
    if ((c >= 0x24b6 && c <= 0x24e9) || (c >= 0x1f130 && c <= 0x1f149) ||
        (c >= 0x1f150 && c <= 0x1f169) || (c >= 0x1f170 && c <= 0x1f189))
        return true;
    switch (category(c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
        return true;
    default:
        return false;
    }
}

bool rp_char_is_punct(uint32_t c)
{
    if (c < 0x80)
        return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
               (c >= '{' && c <= '~');
    utf8proc_category_t k = category(c);
    return k >= UTF8PROC_CATEGORY_PC && k <= UTF8PROC_CATEGORY_PO;
}

uint32_t rp_byte_char(unsigned char byte)
{
    if ((byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte != 0xad)) return byte;
    if (byte <= ' ') return 256u + byte;
    return byte == 0xad ? 323u : 289u + (byte - 0x7fu); /* 0x7f..0xa0 are the 34th and on */
}

rp_status rp_byte_chars(rp_text *out, const char *s, size_t len, rp_error *err)
{
    for (size_t i = 0; i < len; i++) {
        char c[4];
        rp_status status =
            rp_text_append(out, c, rp_utf8_put(c, rp_byte_char((unsigned char)s[i])), err);
        if (status) return status;
    }
    return RP_OK;
}

const json_t *rp_json_member(const json_t *object, const char *key)
{
    const json_t *v = json_object_get(object, key);
    return json_is_null(v) ? NULL : v;
}

rp_status rp_json_bool(const json_t *object, const char *key, bool fallback, bool *value,
                       const char *path, rp_error *err)
{
    const json_t *v = rp_json_member(object, key);
    *value = v ? json_is_true(v) : fallback;
    if (v && !json_is_boolean(v))
        return rp_fail(err, RP_EFORMAT, "'%s': '%s' is not true or false", path, key);
    return RP_OK;
}

rp_status rp_json_string(const json_t *object, const char *key, const char **value,
                         const char *path, rp_error *err)
{
    const json_t *v = rp_json_member(object, key);
    *value = json_string_value(v);
    if (v && !*value) return rp_fail(err, RP_EFORMAT, "'%s': '%s' is not a string", path, key);
    return RP_OK;
}
