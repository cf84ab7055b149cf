#include "retrieve/wordbreak.h"

#include <utf8proc.h>

enum { LETTER = 1, DIGIT, JOINER }; /* ASCII bytes that words are made of */

static const uint8_t ascii_class[128] = {
    ['0' ... '9'] = DIGIT, ['A' ... 'Z'] = LETTER, ['a' ... 'z'] = LETTER, ['_'] = JOINER};

unsigned rp_wordbreak_class(int32_t codepoint)
{
    size_t low = 0, high = rp_wordbreak_table_size;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if ((int32_t)(rp_wordbreak_table[middle] >> 8) <= codepoint) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return rp_wordbreak_table[low] & 0xff;
}

/* One code point and the marks, formats and joiners that ride along with it (WB4). */
typedef struct unit {
    unsigned class;          /* without the pictograph bit */
    bool pictograph, joined; /* the last of its riders is a zero width joiner */
    size_t next;             /* byte behind it */
} unit;

static unsigned class_at(const char *text, size_t len, size_t at, size_t *next)
{
    int32_t codepoint;
    utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)text + at,
                                          (utf8proc_ssize_t)(len - at), &codepoint);
    if (n <= 0) {
        *next = at + 1;
        return RP_WB_OTHER;
    }
    *next = at + (size_t)n;
    return rp_wordbreak_class(codepoint);
}

static unit unit_at(const char *text, size_t len, size_t at)
{
    unit u = {.next = at};
    if (at >= len) return u;
    unsigned class = class_at(text, len, at, &u.next);
    u.pictograph = class & RP_WB_PICTOGRAPH;
    u.class = class & ~(unsigned)RP_WB_PICTOGRAPH;
    while (u.next < len) {
        size_t next;
        class = class_at(text, len, u.next, &next);
        if (class != RP_WB_EXTEND && class != RP_WB_ZWJ) break;
        u.joined = class == RP_WB_ZWJ;
        u.next = next;
    }
    return u;
}

static bool is_letter(unsigned class)
{
    return class == RP_WB_ALETTER || class == RP_WB_HEBREW;
}

/* Do the rules WB5, WB8-10, WB13-13b join b to a? */
static bool adjoins(unsigned a, unsigned b)
{
    bool alphanumeric = is_letter(a) || a == RP_WB_NUMERIC;
    switch (b) {
    case RP_WB_ALETTER:
    case RP_WB_HEBREW:
    case RP_WB_NUMERIC:
        return alphanumeric || a == RP_WB_EXTENDNUMLET;
    case RP_WB_KATAKANA:
        return a == RP_WB_KATAKANA || a == RP_WB_EXTENDNUMLET;
    case RP_WB_EXTENDNUMLET:
        return alphanumeric || a == RP_WB_KATAKANA || a == RP_WB_EXTENDNUMLET;
    case RP_WB_COMPLEX:
        return a == RP_WB_COMPLEX;
    default:
        return false;
    }
}

/* Is `middle` inner punctuation between a and b (WB6-7, WB7b-c, WB11-12)? */
static bool bridges(unsigned a, unsigned middle, unsigned b)
{
    bool either = middle == RP_WB_MIDNUMLET || middle == RP_WB_SINGLE;
    if (is_letter(a) && is_letter(b) && (either || middle == RP_WB_MIDLETTER)) return true;
    if (a == RP_WB_HEBREW && b == RP_WB_HEBREW && middle == RP_WB_DOUBLE) return true;
    return a == RP_WB_NUMERIC && b == RP_WB_NUMERIC && (either || middle == RP_WB_MIDNUM);
}

static bool is_content(unsigned class)
{
    return (class >= RP_WB_ALETTER && class <= RP_WB_KATAKANA) || class == RP_WB_COMPLEX ||
           class == RP_WB_IDEOGRAPH;
}

/* The segment that starts at `at`, whose class begins a word; false: it has no content. */
static bool extend_word(rp_word *word, const char *text, size_t len, size_t at)
{
    unit last = unit_at(text, len, at);
    bool content = is_content(last.class);
    while (last.next < len) {
        unit u = unit_at(text, len, last.next);
        if (adjoins(last.class, u.class) || (last.joined && u.pictograph)) {
            content |= is_content(u.class);
            last = u;
            continue;
        }
        unit after = unit_at(text, len, u.next);
        if (u.next < len && bridges(last.class, u.class, after.class)) {
            last = after;
            continue;
        }
        if (last.class == RP_WB_HEBREW && u.class == RP_WB_SINGLE) { /* WB7a */
            last = u;
            continue;
        }
        break;
    }
    word->begin = at;
    word->end = last.next;
    return content;
}

/* A word of ASCII bytes; false: a byte above 0x7f decides where it ends. */
static bool ascii_word(rp_word *word, const unsigned char *text, size_t len, size_t at,
                       bool *content)
{
    size_t end = at;
    *content = false;
    for (;;) {
        unsigned last = 0;
        for (; end < len && text[end] < 0x80 && ascii_class[text[end]]; end++) {
            last = ascii_class[text[end]];
            *content |= last != JOINER;
        }
        if (end >= len) break;
        unsigned char stop = text[end];
        if (stop >= 0x80) return false;
        bool letters = last == LETTER && (stop == '\'' || stop == '.' || stop == ':');
        bool digits = last == DIGIT && (stop == '\'' || stop == '.' || stop == ',' || stop == ';');
        if (!(letters || digits) || end + 1 >= len) break;
        if (text[end + 1] >= 0x80) return false;
        unsigned after = ascii_class[text[end + 1]];
        if (after != (letters ? LETTER : DIGIT)) {
            /* a mark behind the punctuation would ride along, but it is not ASCII */
            break;
        }
        end++;
    }
    *word = (rp_word){at, end, true};
    return true;
}

bool rp_word_next(rp_word *word, size_t *at, const char *text, size_t len)
{
    const unsigned char *bytes = (const unsigned char *)text;
    size_t i = *at;
    while (i < len) {
        bool content = false;
        size_t next = i + 1;
        if (bytes[i] < 0x80) {
            if (!ascii_class[bytes[i]]) {
                i++;
                continue;
            }
            if (!ascii_word(word, bytes, len, i, &content)) {
                content = extend_word(word, text, len, i);
                word->ascii = false;
            }
            next = word->end;
        } else {
            unsigned class = class_at(text, len, i, &next) & ~(unsigned)RP_WB_PICTOGRAPH;
            if (is_content(class) || class == RP_WB_EXTENDNUMLET) {
                content = extend_word(word, text, len, i);
                word->ascii = false;
                next = word->end;
            }
        }
        i = next;
        if (content) {
            *at = i;
            return true;
        }
    }
    *at = len;
    return false;
}
