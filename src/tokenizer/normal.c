/* Normalisers: one row a kind, its constructor and its function. */
#include <stdlib.h>
#include <utf8proc.h>

#include "tokenizer/parts.h"

#define DEPTH_LIMIT 32
#define CONTENT_LIMIT 4096 /* bytes of what Prepend and Replace put in */

struct rp_normalizer {
    rp_status (*apply)(const rp_normalizer *n, rp_text *out, rp_text *text, void **match,
                       bool *start, rp_error *err);
    char *content; /* of Prepend, Replace */
    size_t content_len;
    char byte; /* of a Replace of one ASCII character, else 0 */
    rp_pattern *pattern;
    rp_charsmap *charsmap; /* of Precompiled */
    bool left, right;      /* of Strip */
    bool compose, compat;  /* of the normal forms */
    rp_normalizer **child; /* of Sequence [nchild] */
    size_t nchild;
};

void rp_normalizer_free(rp_normalizer *normalizer)
{
    if (!normalizer) return;
    for (size_t i = 0; i < normalizer->nchild; i++) rp_normalizer_free(normalizer->child[i]);
    rp_pattern_free(normalizer->pattern);
    rp_charsmap_free(normalizer->charsmap);
    free(normalizer->child);
    free(normalizer->content);
    free(normalizer);
}

/* Each of these appends the normalised text to out; *match and *start as in the header. */

static rp_status prepend(const rp_normalizer *n, rp_text *out, rp_text *text, void **match,
                         bool *start, rp_error *err)
{
    (void)match, (void)start;
    rp_status status = text->len ? rp_text_append(out, n->content, n->content_len, err) : RP_OK;
    return status ? status : rp_text_append(out, text->data, text->len, err);
}

/* Appends what replaces a match. A file may ask for replacement upon replacement. */
static rp_status put_content(const rp_normalizer *n, rp_text *out, rp_error *err)
{
    if (out->len > RP_GROWTH_LIMIT)
        return rp_fail(err, RP_ENOMEM,
                       "the tokenizer's normalizer makes a text longer than %zu bytes",
                       RP_GROWTH_LIMIT);
    return rp_text_append(out, n->content, n->content_len, err);
}

static rp_status replace_byte(const rp_normalizer *n, rp_text *out, const rp_text *text,
                              rp_error *err)
{
    const char *s = text->data, *end = s + text->len;
    rp_status status = rp_text_append(out, "", 0, err);
    while (!status && s < end) {
        const char *hit = memchr(s, n->byte, (size_t)(end - s));
        status = rp_text_append(out, s, (size_t)((hit ? hit : end) - s), err);
        if (!status && hit) status = put_content(n, out, err);
        s = hit ? hit + 1 : end;
    }
    return status;
}

static rp_status replace(const rp_normalizer *n, rp_text *out, rp_text *text, void **match,
                         bool *start, rp_error *err)
{
    if (n->byte) return replace_byte(n, out, text, err);
    rp_search_state state = {0, SIZE_MAX};
    size_t from = 0, s, e;
    bool found = text->len > 0;
    rp_status status = RP_OK;
    while (found && !status) {
        status =
            rp_pattern_next(n->pattern, match, &state, text->data, text->len, &s, &e, &found, err);
        if (status || !found) break;
        if (s == 0 && e > 0) {
            /* what replaces several characters is aligned with the last of them */
            size_t first;
            rp_utf8_at(text->data, &first);
            if (first < e || !n->content_len) *start = false;
        }
        status = rp_text_append(out, text->data + from, s - from, err);
        if (!status) status = put_content(n, out, err);
        from = e;
    }
    if (!status) status = rp_text_append(out, text->data + from, text->len - from, err);
    return status;
}

static rp_status normal_form(const rp_normalizer *n, rp_text *out, rp_text *text, void **match,
                             bool *start, rp_error *err)
{
    (void)match, (void)start;
    return rp_unicode_normalize(out, text->data, text->len, n->compose, n->compat, err);
}

static rp_status lowercase(const rp_normalizer *n, rp_text *out, rp_text *text, void **match,
                           bool *start, rp_error *err)
{
    (void)n, (void)match, (void)start;
    rp_status status = RP_OK;
    for (size_t i = 0, step; i < text->len && !status; i += step) {
        uint32_t c = rp_utf8_at(text->data + i, &step);
        char bytes[4] = {(char)(c | 32)};
        if (c < 0x80) {
            if (c < 'A' || c > 'Z') bytes[0] = (char)c;
            status = rp_text_append(out, bytes, 1, err);
        } else if (c == 0x130) { /* the one character whose lower case is two */
            status = rp_text_append(out, "i\xcc\x87", 3, err);
        } else {
            c = (uint32_t)utf8proc_tolower((utf8proc_int32_t)c);
            status = rp_text_append(out, bytes, rp_utf8_put(bytes, c), err);
        }
    }
    return status;
}

static rp_status strip(const rp_normalizer *n, rp_text *out, rp_text *text, void **match,
                       bool *start, rp_error *err)
{
    (void)match;
    size_t first = 0, end = text->len, step;
    while (n->left && first < end && rp_char_is_space(rp_utf8_at(text->data + first, &step)))
        first += step;
    while (n->right && end > first) {
        size_t last = end - 1;
        while (((unsigned char)text->data[last] & 0xc0) == 0x80) last--;
        if (!rp_char_is_space(rp_utf8_at(text->data + last, &step))) break;
        end = last;
    }
    if (first) *start = false;
    return rp_text_append(out, text->data + first, end - first, err);
}

/* Appends the text without the characters of a kind, run by run. */
static rp_status drop(rp_text *out, const rp_text *text, bool (*is)(uint32_t c), bool *start,
                      rp_error *err)
{
    size_t from = 0;
    rp_status status = rp_text_append(out, "", 0, err);
    for (size_t i = 0, step; i < text->len && !status; i += step) {
        if (!is(rp_utf8_at(text->data + i, &step))) continue;
        status = rp_text_append(out, text->data + from, i - from, err);
        if (i == 0) *start = false;
        from = i + step;
    }
    return status ? status : rp_text_append(out, text->data + from, text->len - from, err);
}

static rp_status strip_accents(const rp_normalizer *n, rp_text *out, rp_text *text, void **match,
                               bool *start, rp_error *err)
{
    (void)n, (void)match;
    return drop(out, text, rp_char_is_mark, start, err);
}

static rp_status strip_bert_accents(const rp_normalizer *n, rp_text *out, rp_text *text,
                                    void **match, bool *start, rp_error *err)
{
    (void)n, (void)match;
    return drop(out, text, rp_char_is_accent, start, err);
}

static bool is_unclean(uint32_t c)
{
    return c == 0xfffd || rp_char_is_control(c);
}

static rp_status clean(const rp_normalizer *n, rp_text *out, rp_text *text, void **match,
                       bool *start, rp_error *err)
{
    (void)n, (void)match;
    rp_status status = drop(out, text, is_unclean, start, err);
    size_t to = 0;
    for (size_t i = 0, step; i < out->len && !status; i += step) {
        bool space = rp_char_is_space(rp_utf8_at(out->data + i, &step));
        if (space)
            out->data[to] = ' ';
        else
            memmove(out->data + to, out->data + i, step);
        to += space ? 1 : step;
    }
    out->len = to;
    if (!status) out->data[to] = '\0';
    return status;
}

/* The ranges of BERT's authors, their U+2B920 included. */
static bool is_chinese(uint32_t c)
{
    return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) ||
           (c >= 0x20000 && c <= 0x2a6df) || (c >= 0x2a700 && c <= 0x2b73f) ||
           (c >= 0x2b740 && c <= 0x2b81f) || (c >= 0x2b920 && c <= 0x2ceaf) ||
           (c >= 0xf900 && c <= 0xfaff) || (c >= 0x2f800 && c <= 0x2fa1f);
}

static rp_status space_chinese(const rp_normalizer *n, rp_text *out, rp_text *text, void **match,
                               bool *start, rp_error *err)
{
    (void)n, (void)match, (void)start;
    size_t from = 0;
    rp_status status = rp_text_append(out, "", 0, err);
    for (size_t i = 0, step; i < text->len && !status; i += step) {
        if (!is_chinese(rp_utf8_at(text->data + i, &step))) continue;
        status = rp_text_append(out, text->data + from, i - from, err);
        if (!status) status = rp_text_append(out, " ", 1, err);
        if (!status) status = rp_text_append(out, text->data + i, step, err);
        if (!status) status = rp_text_append(out, " ", 1, err);
        from = i + step;
    }
    return status ? status : rp_text_append(out, text->data + from, text->len - from, err);
}

static rp_status precompiled(const rp_normalizer *n, rp_text *out, rp_text *text, void **match,
                             bool *start, rp_error *err)
{
    (void)match, (void)start;
    return rp_charsmap_apply(n->charsmap, out, text->data, text->len, err);
}

static rp_status nmt(const rp_normalizer *n, rp_text *out, rp_text *text, void **match, bool *start,
                     rp_error *err)
{
    (void)n, (void)match;
    rp_status status = RP_OK;
    for (size_t i = 0, step; i < text->len && !status; i += step) {
        uint32_t c = rp_utf8_at(text->data + i, &step);
        bool gone = (c >= 1 && c <= 8) || c == 0xb || (c >= 0xe && c <= 0x1f) || c == 0x7f ||
                    c == 0x8f || c == 0x9f;
        bool blank = c == 9 || c == 10 || c == 12 || c == 13 || c == 0x1680 ||
                     (c >= 0x200b && c <= 0x200f) || c == 0x2028 || c == 0x2029 || c == 0x2581 ||
                     c == 0xfeff || c == 0xfffd;
        if (gone && i == 0) *start = false;
        if (!gone)
            status = rp_text_append(out, blank ? " " : text->data + i, blank ? 1 : step, err);
    }
    return status;
}

static rp_status byte_level(const rp_normalizer *n, rp_text *out, rp_text *text, void **match,
                            bool *start, rp_error *err)
{
    (void)n, (void)match, (void)start;
    return rp_byte_chars(out, text->data, text->len, err);
}

rp_status rp_normalizer_apply(const rp_normalizer *normalizer, rp_text *text, rp_text *spare,
                              void **match, bool *start, rp_error *err)
{
    if (!normalizer) return RP_OK;
    rp_status status = RP_OK;
    for (size_t i = 0; i < normalizer->nchild && !status; i++)
        status = rp_normalizer_apply(normalizer->child[i], text, spare, match, start, err);
    if (status || !normalizer->apply || !text->len) return status;
    spare->len = 0;
    status = normalizer->apply(normalizer, spare, text, match, start, err);
    rp_text swap = *text;
    *text = *spare;
    *spare = swap;
    return status;
}

/* ---- from JSON ---- */

static rp_status content(rp_normalizer *n, const json_t *json, const char *key, const char *path,
                         rp_error *err)
{
    const json_t *v = json_object_get(json, key);
    if (!json_is_string(v))
        return rp_fail(err, RP_EFORMAT, "'%s': the normalizer has no string '%s'", path, key);
    n->content_len = json_string_length(v);
    n->content = strndup(json_string_value(v), n->content_len);
    if (!n->content) return rp_fail_memory(err, n->content_len);
    if (n->content_len > CONTENT_LIMIT)
        return rp_fail(err, RP_EFORMAT, "'%s': '%s' of the normalizer is longer than %d bytes",
                       path, key, CONTENT_LIMIT);
    if (strlen(n->content) != n->content_len)
        return rp_fail(err, RP_EFORMAT, "'%s': '%s' of the normalizer holds a NUL", path, key);
    return RP_OK;
}

static rp_status make(rp_normalizer **out, const json_t *json, int depth, const char *path,
                      rp_error *err);

static rp_status make_sequence(rp_normalizer *n, const json_t *json, int depth, const char *path,
                               rp_error *err)
{
    const json_t *list = json_object_get(json, "normalizers");
    if (!json_is_array(list))
        return rp_fail(err, RP_EFORMAT, "'%s': the normalizer has no list 'normalizers'", path);
    if (depth >= DEPTH_LIMIT)
        return rp_fail(err, RP_EFORMAT, "'%s': normalizers are nested too deep", path);
    n->child = rp_alloc(json_array_size(list), sizeof *n->child);
    if (!n->child) return rp_fail_memory(err, json_array_size(list) * sizeof *n->child);
    rp_status status = RP_OK;
    for (size_t i = 0; i < json_array_size(list) && !status; i++) {
        status = make(&n->child[n->nchild], json_array_get(list, i), depth + 1, path, err);
        if (!status) n->nchild++;
    }
    return status;
}

static rp_status make_replace(rp_normalizer *n, const json_t *json, const char *path, rp_error *err)
{
    const json_t *pattern = json_object_get(json, "pattern");
    const char *text = json_string_value(json_object_get(pattern, "String"));
    n->apply = replace;
    if (text && strlen(text) == 1 && (unsigned char)*text < 0x80) n->byte = *text;
    rp_status status = content(n, json, "content", path, err);
    return status ? status : rp_pattern_from_json(&n->pattern, pattern, "Replace", path, err);
}

static rp_status make_precompiled(rp_normalizer *n, const json_t *json, const char *path,
                                  rp_error *err)
{
    const char *map;
    rp_text bytes = {0};
    rp_status status = rp_json_string(json, "precompiled_charsmap", &map, path, err);
    if (!status && !(map && rp_base64_decode(&bytes, map, strlen(map))))
        status = rp_fail(err, RP_EFORMAT, "'%s': 'precompiled_charsmap' is not base64", path);
    if (!status) status = rp_charsmap_new(&n->charsmap, bytes.data, bytes.len, path, err);
    n->apply = precompiled;
    rp_text_release(&bytes);
    return status;
}

/* BERT's is a sequence of what its options ask for. */
static rp_status make_bert(rp_normalizer *n, const json_t *json, const char *path, rp_error *err)
{
    bool clean_text, chinese, lower, accents;
    rp_status status = rp_json_bool(json, "clean_text", true, &clean_text, path, err);
    if (!status) status = rp_json_bool(json, "handle_chinese_chars", true, &chinese, path, err);
    if (!status) status = rp_json_bool(json, "lowercase", true, &lower, path, err);
    if (!status) status = rp_json_bool(json, "strip_accents", lower, &accents, path, err);
    if (status) return status;
    const struct {
        bool wanted;
        rp_normalizer made;
    } rows[] = {
        {clean_text, {.apply = clean}},           {chinese, {.apply = space_chinese}},
        {accents, {.apply = normal_form}}, /* NFD */
        {accents, {.apply = strip_bert_accents}}, {lower, {.apply = lowercase}},
    };
    size_t count = sizeof rows / sizeof *rows;
    n->child = rp_alloc(count, sizeof *n->child);
    if (!n->child) return rp_fail_memory(err, count * sizeof *n->child);
    for (size_t i = 0; i < count; i++) {
        if (!rows[i].wanted) continue;
        rp_normalizer *child = malloc(sizeof *child);
        if (!child) return rp_fail_memory(err, sizeof *child);
        *child = rows[i].made;
        n->child[n->nchild++] = child;
    }
    return RP_OK;
}

static rp_status make_as(rp_normalizer *n, const char *type, const json_t *json, int depth,
                         const char *path, rp_error *err)
{
    rp_status status;
    if (!strcmp(type, "Sequence")) return make_sequence(n, json, depth, path, err);
    if (!strcmp(type, "Replace")) return make_replace(n, json, path, err);
    if (!strcmp(type, "Precompiled")) return make_precompiled(n, json, path, err);
    if (!strcmp(type, "BertNormalizer")) return make_bert(n, json, path, err);
    if (!strcmp(type, "Prepend")) return n->apply = prepend, content(n, json, "prepend", path, err);
    if (!strcmp(type, "Strip")) {
        n->apply = strip;
        status = rp_json_bool(json, "strip_left", true, &n->left, path, err);
        return status ? status : rp_json_bool(json, "strip_right", true, &n->right, path, err);
    }
    static const struct {
        const char *type;
        rp_status (*apply)(const rp_normalizer *, rp_text *, rp_text *, void **, bool *,
                           rp_error *);
        bool compose, compat;
    } rows[] = {
        {"NFC", normal_form, true, false},
        {"NFD", normal_form, false, false},
        {"NFKC", normal_form, true, true},
        {"NFKD", normal_form, false, true},
        {"Lowercase", lowercase, false, false},
        {"StripAccents", strip_accents, false, false},
        {"Nmt", nmt, false, false},
        {"ByteLevel", byte_level, false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcmp(type, rows[i].type)) continue;
        n->apply = rows[i].apply;
        n->compose = rows[i].compose;
        n->compat = rows[i].compat;
        return RP_OK;
    }
    return rp_fail(err, RP_EFORMAT, "'%s': normalizer '%s' is not supported", path, type);
}

static rp_status make(rp_normalizer **out, const json_t *json, int depth, const char *path,
                      rp_error *err)
{
    const char *type = json_string_value(json_object_get(json, "type"));
    *out = NULL;
    if (!type) return rp_fail(err, RP_EFORMAT, "'%s': a normalizer without 'type'", path);
    rp_normalizer *n = calloc(1, sizeof *n);
    if (!n) return rp_fail_memory(err, sizeof *n);
    rp_status status = make_as(n, type, json, depth, path, err);
    if (status) {
        rp_normalizer_free(n);
        return status;
    }
    *out = n;
    return RP_OK;
}

rp_status rp_normalizer_new(rp_normalizer **normalizer, const json_t *json, const char *path,
                            rp_error *err)
{
    *normalizer = NULL;
    return json ? make(normalizer, json, 0, path, err) : RP_OK;
}
