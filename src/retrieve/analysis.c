#include "retrieve/analysis.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/map.h"
#include "base/memory.h"
#include "retrieve/stem.h"
#include "retrieve/wordbreak.h"

#define CACHE_WORDS 200000 /* the stem cache is emptied beyond */

typedef rp_status analyse(rp_analyzer *a, const char *text, size_t len, rp_error *err);

struct rp_analyzer {
    analyse *run;
    char *lower; /* lower-case text of all terms of a run */
    size_t lower_cap, lower_len;
    rp_term *term;
    size_t term_cap, nterms;
    rp_stemmer *stemmer; /* english only, as the rest */
    rp_map *cache;       /* lower-case word -> index into stem */
    rp_arena *stems;
    rp_term *stem; /* text NULL: a stop word */
    size_t stem_cap;
};

static analyse run_words, run_english, run_sklearn;

static const struct {
    const char *name;
    analyse *run;
} analyzers[] = {{"standard", run_words}, {"english", run_english}, {"sklearn", run_sklearn}};

static analyse *find(const char *name)
{
    for (size_t i = 0; i < sizeof analyzers / sizeof *analyzers; i++) {
        if (!strcmp(analyzers[i].name, name)) return analyzers[i].run;
    }
    return NULL;
}

rp_status rp_analyzer_check(const char *name, rp_error *err)
{
    if (find(name)) return RP_OK;
    return rp_fail(err, RP_EARG, "no analyzer '%s'; there are standard, english, sklearn", name);
}

static rp_status cache_reset(rp_analyzer *a, rp_error *err)
{
    rp_map_free(a->cache);
    rp_arena_free(a->stems);
    a->cache = rp_map_new();
    a->stems = rp_arena_new();
    return a->cache && a->stems ? RP_OK : rp_fail_memory(err, sizeof(rp_term));
}

rp_status rp_analyzer_new(rp_analyzer **analyzer, const char *name, rp_error *err)
{
    *analyzer = NULL;
    rp_status status = rp_analyzer_check(name, err);
    if (status) return status;
    rp_analyzer *a = calloc(1, sizeof *a);
    if (!a) return rp_fail_memory(err, sizeof *a);
    a->run = find(name);
    if (a->run == run_english) {
        a->stemmer = rp_stemmer_new();
        status = a->stemmer ? cache_reset(a, err) : rp_fail_memory(err, sizeof(rp_term));
    }
    if (status) {
        rp_analyzer_free(a);
        return status;
    }
    *analyzer = a;
    return RP_OK;
}

void rp_analyzer_free(rp_analyzer *a)
{
    if (!a) return;
    free(a->lower);
    free(a->term);
    free(a->stem);
    rp_stemmer_free(a->stemmer);
    rp_map_free(a->cache);
    rp_arena_free(a->stems);
    free(a);
}

static char lower_ascii(int32_t c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

static rp_status push(rp_analyzer *a, const char *text, size_t len, rp_error *err)
{
    if (a->nterms == a->term_cap) {
        rp_status status = rp_grow(&a->term, &a->term_cap, a->nterms + 1, sizeof *a->term, err);
        if (status) return status;
    }
    a->term[a->nterms++] = (rp_term){text, len};
    return RP_OK;
}

/* Appends the simple lower case of a word; the room was reserved. Returns its place. */
static char *append_lower(rp_analyzer *a, const char *text, size_t len, bool ascii)
{
    char *begin = a->lower + a->lower_len, *out = begin;
    if (ascii) {
        for (size_t i = 0; i < len; i++) *out++ = lower_ascii(text[i]);
    } else {
        for (size_t i = 0; i < len;) {
            int32_t c;
            utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)text + i,
                                                  (utf8proc_ssize_t)(len - i), &c);
            if (n <= 0) { /* cannot be inside a word */
                i++;
                continue;
            }
            i += (size_t)n;
            out += utf8proc_encode_char(utf8proc_tolower(c), (utf8proc_uint8_t *)out);
        }
    }
    a->lower_len = (size_t)(out - a->lower);
    return begin;
}

static rp_status run_words(rp_analyzer *a, const char *text, size_t len, rp_error *err)
{
    rp_word word;
    for (size_t at = 0; rp_word_next(&word, &at, text, len);) {
        char *lower = append_lower(a, text + word.begin, word.end - word.begin, word.ascii);
        rp_status status = push(a, lower, (size_t)(a->lower + a->lower_len - lower), err);
        if (status) return status;
    }
    return RP_OK;
}

/* The cached stem of a lower-case word; text NULL for a stop word. */
static rp_status stem_of(rp_analyzer *a, rp_term *stem, const char *word, size_t len, rp_error *err)
{
    size_t *slot, n = rp_map_size(a->cache);
    bool fresh;
    rp_status status = rp_map_put(a->cache, word, len, &slot, &fresh, NULL, err);
    if (status) return status;
    if (!fresh) {
        *stem = a->stem[*slot];
        return RP_OK;
    }
    *slot = n;
    *stem = (rp_term){NULL, 0};
    status = rp_grow(&a->stem, &a->stem_cap, n + 1, sizeof *a->stem, err);
    if (!status && !rp_word_stop(word, len)) {
        const char *text;
        status = rp_stemmer_run(a->stemmer, &text, &stem->len, word, len, err);
        if (!status) {
            stem->text = rp_arena_strndup(a->stems, text, stem->len);
            if (!stem->text) status = rp_fail_memory(err, stem->len);
        }
    }
    if (!status) a->stem[n] = *stem;
    return status;
}

static rp_status run_english(rp_analyzer *a, const char *text, size_t len, rp_error *err)
{
    rp_word word;
    for (size_t at = 0; rp_word_next(&word, &at, text, len);) {
        size_t kept = rp_word_possessive(text + word.begin, word.end - word.begin);
        if (!kept) continue;
        char *lower = append_lower(a, text + word.begin, kept, word.ascii);
        rp_term stem;
        rp_status status = stem_of(a, &stem, lower, (size_t)(a->lower + a->lower_len - lower), err);
        if (!status && stem.text) status = push(a, stem.text, stem.len, err);
        if (status) return status;
    }
    return RP_OK;
}

/* ---- sklearn ---- */

static bool is_word_character(int32_t c)
{
    switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
        return true;
    default:
        return false;
    }
}

static bool is_cased(int32_t c)
{
    utf8proc_category_t category = utf8proc_category(c);
    return category == UTF8PROC_CATEGORY_LU || category == UTF8PROC_CATEGORY_LL ||
           category == UTF8PROC_CATEGORY_LT || utf8proc_tolower(c) != c ||
           utf8proc_toupper(c) != c || c == 0xaa || c == 0xba;
}

static bool is_case_ignorable(int32_t c)
{
    switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK:
        return true;
    default:
        break;
    }
    unsigned class = rp_wordbreak_class(c) & ~(unsigned)RP_WB_PICTOGRAPH;
    return class == RP_WB_MIDLETTER || class == RP_WB_MIDNUMLET || class == RP_WB_SINGLE;
}

/* Is a capital sigma the last letter of a word (Unicode 3.13, Final_Sigma)? `before` is the last
 * code point in front of it that is not case-ignorable, 0 if there is none. */
static bool is_final_sigma(int32_t before, const char *text, size_t len, size_t behind)
{
    if (!before || !is_cased(before)) return false;
    while (behind < len) {
        int32_t c;
        utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)text + behind,
                                              (utf8proc_ssize_t)(len - behind), &c);
        if (n <= 0) return true;
        if (!is_case_ignorable(c)) return !is_cased(c);
        behind += (size_t)n;
    }
    return true;
}

/* What is before a capital sigma: the last code point up to `end` that is not case-ignorable. */
static int32_t code_point_before(const char *text, size_t end)
{
    while (end) {
        size_t at = end - 1;
        while (at && ((unsigned char)text[at] & 0xc0) == 0x80) at--;
        int32_t c;
        utf8proc_ssize_t n =
            utf8proc_iterate((const utf8proc_uint8_t *)text + at, (utf8proc_ssize_t)(end - at), &c);
        if (n <= 0 || at + (size_t)n != end) return 0;
        if (!is_case_ignorable(c)) return c;
        end = at;
    }
    return 0;
}

/* One code point from text[at]; appends its lower case if it is a word character. Returns its
 * length; *joins: it is one, *ends: the word ends behind it. */
static size_t take_character(char **out, bool *joins, bool *ends, const char *text, size_t len,
                             size_t at)
{
    int32_t c;
    utf8proc_ssize_t n =
        utf8proc_iterate((const utf8proc_uint8_t *)text + at, (utf8proc_ssize_t)(len - at), &c);
    *joins = n > 0 && is_word_character(c);
    *ends = !*joins || c == 0x130;
    if (c == 0x130 && *joins) {
        *(*out)++ = 'i'; /* and a combining dot, which ends the word */
    } else if (*joins) {
        bool final =
            c == 0x3a3 && is_final_sigma(code_point_before(text, at), text, len, at + (size_t)n);
        c = final ? 0x3c2
                  : utf8proc_tolower(c); /* str.lower() is simple lower case but for these */
        *out += utf8proc_encode_char(c, (utf8proc_uint8_t *)*out);
    }
    return n > 0 ? (size_t)n : 1;
}

/* The lower case of ASCII word characters, 0 for all other bytes. */
static const char ascii_lower[256] = {
    ['_'] = '_',    ['0'] = '0',    ['1'] = '1',    ['2'] = '2',    ['3'] = '3',    ['4'] = '4',
    ['5'] = '5',    ['6'] = '6',    ['7'] = '7',    ['8'] = '8',    ['9'] = '9',
#define BOTH(upper, lower) [upper] = lower, [lower] = lower
    BOTH('A', 'a'), BOTH('B', 'b'), BOTH('C', 'c'), BOTH('D', 'd'), BOTH('E', 'e'), BOTH('F', 'f'),
    BOTH('G', 'g'), BOTH('H', 'h'), BOTH('I', 'i'), BOTH('J', 'j'), BOTH('K', 'k'), BOTH('L', 'l'),
    BOTH('M', 'm'), BOTH('N', 'n'), BOTH('O', 'o'), BOTH('P', 'p'), BOTH('Q', 'q'), BOTH('R', 'r'),
    BOTH('S', 's'), BOTH('T', 't'), BOTH('U', 'u'), BOTH('V', 'v'), BOTH('W', 'w'), BOTH('X', 'x'),
    BOTH('Y', 'y'), BOTH('Z', 'z')};

static rp_status run_sklearn(rp_analyzer *a, const char *text, size_t len, rp_error *err)
{
    char *out = a->lower + a->lower_len, *begin = out;
    size_t characters = 0;
    rp_status status = RP_OK;
    for (size_t at = 0; at < len && !status;) {
        bool joins = true, ends = false;
        char lower;
        for (; at < len && (lower = ascii_lower[(unsigned char)text[at]]); at++) {
            *out++ = lower;
            characters++;
        }
        if (at == len) break;
        if ((unsigned char)text[at] < 0x80) {
            joins = false;
            ends = true;
            at++;
        } else {
            at += take_character(&out, &joins, &ends, text, len, at);
        }
        characters += joins;
        if (!ends) continue;
        if (characters >= 2) status = push(a, begin, (size_t)(out - begin), err);
        begin = out;
        characters = 0;
    }
    if (characters >= 2 && !status) status = push(a, begin, (size_t)(out - begin), err);
    a->lower_len = (size_t)(out - a->lower);
    return status;
}

rp_status rp_analyzer_run(rp_analyzer *a, const rp_term **terms, size_t *n, const char *title,
                          size_t title_len, const char *text, size_t text_len, rp_error *err)
{
    /* A code point's lower case is at most 3/2 its size, and one encoder writes up to 4 ahead. */
    size_t room = 2 * (title_len + text_len) + 16;
    rp_status status = RP_OK;
    if (room > a->lower_cap) status = rp_grow(&a->lower, &a->lower_cap, room, 1, err);
    a->lower_len = 0;
    a->nterms = 0;
    if (!status && a->cache && rp_map_size(a->cache) > CACHE_WORDS) status = cache_reset(a, err);
    if (!status && title) status = a->run(a, title, title_len, err);
    if (!status) status = a->run(a, text, text_len, err);
    *terms = a->term;
    *n = status ? 0 : a->nterms;
    return status;
}
