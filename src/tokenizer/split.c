/* Pre-tokenizers: a list of steps, each of which cuts every word of the one before. */
#include <stdlib.h>

#include "tokenizer/parts.h"

#define DEPTH_LIMIT 32
/* GPT-2's, as the crate's ByteLevel has it */
#define GPT2_PATTERN                                                                               \
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"

typedef enum behavior { ISOLATED, REMOVED, CONTIGUOUS, WITH_PREVIOUS, WITH_NEXT } behavior;
typedef enum prepend_scheme { ALWAYS, FIRST, NEVER } prepend_scheme;

typedef struct step step;
struct step {
    rp_status (*apply)(const step *st, rp_slices *s, rp_error *err);
    rp_pattern *pattern;
    behavior behavior;
    bool invert;
    bool (*is)(uint32_t c); /* of the steps that cut at a class of characters */
    char mark[4];           /* Metaspace's replacement, CharDelimiterSplit's delimiter */
    size_t mark_len;
    prepend_scheme scheme;
    bool split;  /* Metaspace */
    bool prefix; /* ByteLevel: add_prefix_space */
    bool raw;    /* ByteLevel: the words stay bytes */
};

struct rp_splitter {
    step *step; /* [n] */
    size_t n, cap;
};

/* A match or what lies between two. */
typedef struct rp_slice_run {
    size_t at, end;
    bool match;
} run;

void rp_slices_release(rp_slices *s)
{
    rp_text_release(&s->text[0]);
    rp_text_release(&s->text[1]);
    free(s->slice);
    free(s->next);
    free(s->run);
    rp_match_free(s->match);
    *s = (rp_slices){0};
}

static rp_status push(rp_slices *s, size_t at, size_t end, bool start, rp_error *err)
{
    if (at == end) return RP_OK;
    rp_status status = rp_grow(&s->next, &s->next_cap, s->nnext + 1, sizeof *s->next, err);
    if (!status) s->next[s->nnext++] = (rp_slice){at, end - at, start};
    return status;
}

static rp_status push_run(rp_slices *s, size_t at, size_t end, bool match, rp_error *err)
{
    rp_status status = rp_grow(&s->run, &s->run_cap, s->nrun + 1, sizeof *s->run, err);
    if (!status) s->run[s->nrun++] = (run){at, end, match};
    return status;
}

/* The list `next` becomes the list. */
static void turn(rp_slices *s)
{
    rp_slice *slice = s->slice;
    size_t cap = s->cap;
    s->slice = s->next;
    s->n = s->nnext;
    s->cap = s->next_cap;
    s->next = slice;
    s->next_cap = cap;
    s->nnext = 0;
}

/* s->run <- the matches in one slice and what lies between them, covering it. */
static rp_status pattern_runs(const step *st, rp_slices *s, rp_slice sl, rp_error *err)
{
    rp_search_state state = {0, SIZE_MAX};
    size_t from = 0, a, b;
    bool found = true;
    rp_status status = RP_OK;
    while (!status) {
        status = rp_pattern_next(st->pattern, &s->match, &state, s->base + sl.at, sl.len, &a, &b,
                                 &found, err);
        if (status || !found) break;
        if (from < a) status = push_run(s, sl.at + from, sl.at + a, st->invert, err);
        if (!status) status = push_run(s, sl.at + a, sl.at + b, !st->invert, err);
        from = b;
    }
    if (!status && from < sl.len)
        status = push_run(s, sl.at + from, sl.at + sl.len, st->invert, err);
    return status;
}

static rp_status class_runs(const step *st, rp_slices *s, rp_slice sl, rp_error *err)
{
    size_t from = 0, length;
    rp_status status = RP_OK;
    for (size_t i = 0; i < sl.len && !status; i += length) {
        const char *p = s->base + sl.at + i;
        uint32_t c = rp_utf8_at(p, &length);
        if (st->is ? !st->is(c) : length != st->mark_len || memcmp(p, st->mark, length)) continue;
        if (from < i) status = push_run(s, sl.at + from, sl.at + i, false, err);
        if (!status) status = push_run(s, sl.at + i, sl.at + i + length, true, err);
        from = i + length;
    }
    if (!status && from < sl.len) status = push_run(s, sl.at + from, sl.at + sl.len, false, err);
    return status;
}

/* \w+|[^\w\s]+ are kept, the rest is not. */
static rp_status word_runs(rp_slices *s, rp_slice sl, rp_error *err)
{
    size_t from = 0, length;
    int kind = -1;
    rp_status status = RP_OK;
    for (size_t i = 0; i < sl.len && !status; i += length) {
        uint32_t c = rp_utf8_at(s->base + sl.at + i, &length);
        int k = rp_char_is_space(c) ? 0 : rp_char_is_word(c) ? 1 : 2;
        if (i && k != kind) {
            status = push_run(s, sl.at + from, sl.at + i, kind == 0, err);
            from = i;
        }
        kind = k;
    }
    return status ? status : push_run(s, sl.at + from, sl.at + sl.len, kind == 0, err);
}

/* Appends to s->next what the behaviour makes of s->run (NormalizedString::split of the crate). */
static rp_status join_runs(behavior how, rp_slices *s, rp_slice sl, rp_error *err)
{
    rp_status status = RP_OK;
    const run *r = s->run;
    size_t n = s->nrun;
    for (size_t i = 0; i < n && !status;) {
        size_t first = i++;
        if (how == CONTIGUOUS) {
            while (i < n && r[i].match == r[first].match) i++;
        } else if (how == WITH_PREVIOUS) {
            if (!r[first].match && i < n && r[i].match) i++;
        } else if (how == WITH_NEXT) {
            if (r[first].match && i < n && !r[i].match) i++;
        } else if (how == REMOVED && r[first].match) {
            continue;
        }
        status = push(s, r[first].at, r[i - 1].end, sl.start && r[first].at == sl.at, err);
    }
    return status;
}

static rp_status cut(const step *st, rp_slices *s, rp_error *err)
{
    rp_status status = RP_OK;
    for (size_t i = 0; i < s->n && !status; i++) {
        rp_slice sl = s->slice[i];
        s->nrun = 0;
        if (st->pattern)
            status = pattern_runs(st, s, sl, err);
        else if (st->is == rp_char_is_word)
            status = word_runs(s, sl, err);
        else
            status = class_runs(st, s, sl, err);
        if (!status) status = join_runs(st->behavior, s, sl, err);
    }
    turn(s);
    return status;
}

/* The buffer that base is not in, emptied. */
static rp_text *other_text(rp_slices *s)
{
    rp_text *text = &s->text[s->text[0].data && s->base == s->text[0].data];
    text->len = 0;
    return text;
}

static rp_status metaspace(const step *st, rp_slices *s, rp_error *err)
{
    rp_text *text = other_text(s);
    rp_status status = rp_text_append(text, "", 0, err);
    for (size_t i = 0; i < s->n && !status; i++) {
        rp_slice sl = s->slice[i];
        const char *p = s->base + sl.at, *end = p + sl.len;
        size_t at = text->len;
        bool marked = *p == ' ' || (sl.len >= st->mark_len && !memcmp(p, st->mark, st->mark_len));
        if (!marked && (st->scheme == ALWAYS || (st->scheme == FIRST && sl.start)))
            status = rp_text_append(text, st->mark, st->mark_len, err);
        while (p < end && !status) {
            const char *space = memchr(p, ' ', (size_t)(end - p));
            status = rp_text_append(text, p, (size_t)((space ? space : end) - p), err);
            if (!status && space) status = rp_text_append(text, st->mark, st->mark_len, err);
            p = space ? space + 1 : end;
        }
        if (!status) status = push(s, at, text->len, sl.start, err);
    }
    s->base = text->data;
    turn(s);
    return status || !st->split ? status : cut(st, s, err);
}

static rp_status add_spaces(rp_slices *s, rp_error *err)
{
    size_t bare = 0;
    for (size_t i = 0; i < s->n; i++) bare += s->base[s->slice[i].at] != ' ';
    if (!bare) return RP_OK;
    rp_text *text = other_text(s);
    rp_status status = RP_OK;
    for (size_t i = 0; i < s->n && !status; i++) {
        const char *p = s->base + s->slice[i].at;
        size_t at = text->len;
        if (*p != ' ') status = rp_text_append(text, " ", 1, err);
        if (!status) status = rp_text_append(text, p, s->slice[i].len, err);
        s->slice[i].at = at;
        s->slice[i].len = text->len - at;
    }
    s->base = text->data;
    return status;
}

static rp_status byte_level(const step *st, rp_slices *s, rp_error *err)
{
    rp_status status = st->prefix ? add_spaces(s, err) : RP_OK;
    if (!status && st->pattern) status = cut(st, s, err);
    if (status || st->raw) return status;
    rp_text *text = other_text(s);
    if (s->n && s->slice[s->n - 1].at + s->slice[s->n - 1].len > RP_GROWTH_LIMIT)
        return rp_fail(err, RP_ENOMEM, "the tokenizer makes a text longer than %zu bytes",
                       RP_GROWTH_LIMIT);
    for (size_t i = 0; i < s->n && !status; i++) {
        size_t at = text->len;
        status = rp_byte_chars(text, s->base + s->slice[i].at, s->slice[i].len, err);
        s->slice[i].at = at;
        s->slice[i].len = text->len - at;
    }
    s->base = text->data;
    return status;
}

rp_status rp_splitter_apply(const rp_splitter *splitter, rp_slices *s, const char *base, size_t len,
                            bool start, rp_error *err)
{
    s->base = base;
    s->n = s->nnext = 0;
    rp_status status = push(s, 0, len, start, err);
    turn(s);
    for (size_t i = 0; splitter && i < splitter->n && s->n && !status; i++)
        status = splitter->step[i].apply(&splitter->step[i], s, err);
    return status;
}

/* ---- from JSON ---- */

static rp_status read_behavior(behavior *how, const json_t *json, const char *path, rp_error *err)
{
    static const char *const names[] = {"Isolated", "Removed", "Contiguous", "MergedWithPrevious",
                                        "MergedWithNext"};
    const char *name;
    rp_status status = rp_json_string(json, "behavior", &name, path, err);
    if (status || !name) return status;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(name, names[i])) return *how = (behavior)i, RP_OK;
    return rp_fail(err, RP_EFORMAT, "'%s': behavior '%s' is not known", path, name);
}

/* One character, of Metaspace or CharDelimiterSplit. */
static rp_status read_mark(step *st, const json_t *json, const char *key, const char *path,
                           rp_error *err)
{
    const char *text;
    size_t length = 0;
    rp_status status = rp_json_string(json, key, &text, path, err);
    if (status) return status;
    if (text && *text) rp_utf8_at(text, &length);
    if (!text || !length || text[length])
        return rp_fail(err, RP_EFORMAT, "'%s': '%s' is not one character", path, key);
    memcpy(st->mark, text, length);
    st->mark_len = length;
    return RP_OK;
}

static rp_status make_metaspace(step *st, const json_t *json, const char *path, rp_error *err)
{
    st->apply = metaspace;
    st->behavior = WITH_NEXT;
    const char *scheme;
    bool prefix;
    rp_status status = read_mark(st, json, "replacement", path, err);
    if (!status) status = rp_json_bool(json, "split", true, &st->split, path, err);
    if (!status) status = rp_json_bool(json, "add_prefix_space", true, &prefix, path, err);
    if (!status) status = rp_json_string(json, "prepend_scheme", &scheme, path, err);
    if (status) return status;
    if (!scheme) scheme = prefix ? "always" : "never";
    st->scheme = !strcmp(scheme, "always") ? ALWAYS : !strcmp(scheme, "first") ? FIRST : NEVER;
    if (st->scheme == NEVER && strcmp(scheme, "never"))
        return rp_fail(err, RP_EFORMAT, "'%s': prepend_scheme '%s' is not known", path, scheme);
    return RP_OK;
}

static rp_status make_byte_level(step *st, const json_t *json, const char *path, rp_error *err)
{
    bool regex;
    st->apply = byte_level;
    rp_status status = rp_json_bool(json, "add_prefix_space", true, &st->prefix, path, err);
    if (!status) status = rp_json_bool(json, "use_regex", true, &regex, path, err);
    if (!status && regex)
        status = rp_pattern_new(&st->pattern, GPT2_PATTERN, strlen(GPT2_PATTERN), false, path, err);
    return status;
}

static rp_status make_step(step *st, const char *type, const json_t *json, const char *path,
                           rp_error *err)
{
    bool digits = false;
    st->apply = cut;
    if (!strcmp(type, "ByteLevel")) return make_byte_level(st, json, path, err);
    if (!strcmp(type, "Metaspace")) return make_metaspace(st, json, path, err);
    if (!strcmp(type, "Split")) {
        rp_status status = read_behavior(&st->behavior, json, path, err);
        if (!status) status = rp_json_bool(json, "invert", false, &st->invert, path, err);
        return status ? status
                      : rp_pattern_from_json(&st->pattern, json_object_get(json, "pattern"), type,
                                             path, err);
    }
    if (!strcmp(type, "Digits")) {
        st->is = rp_char_is_numeric;
        rp_status status = rp_json_bool(json, "individual_digits", false, &digits, path, err);
        st->behavior = digits ? ISOLATED : CONTIGUOUS;
        return status;
    }
    if (!strcmp(type, "Punctuation")) {
        st->is = rp_char_is_punct;
        return read_behavior(&st->behavior, json, path, err);
    }
    st->behavior = REMOVED;
    if (!strcmp(type, "Whitespace")) return st->is = rp_char_is_word, RP_OK;
    if (!strcmp(type, "WhitespaceSplit")) return st->is = rp_char_is_space, RP_OK;
    if (!strcmp(type, "CharDelimiterSplit")) return read_mark(st, json, "delimiter", path, err);
    return rp_fail(err, RP_EFORMAT, "'%s': pre-tokenizer '%s' is not supported", path, type);
}

static rp_status add_step(rp_splitter *sp, const char *type, const json_t *json, const char *path,
                          rp_error *err)
{
    rp_status status = rp_grow(&sp->step, &sp->cap, sp->n + 1, sizeof *sp->step, err);
    if (status) return status;
    step *st = &sp->step[sp->n++];
    *st = (step){0};
    return make_step(st, type, json, path, err);
}

static rp_status add_steps(rp_splitter *sp, const json_t *json, int depth, const char *path,
                           rp_error *err)
{
    const char *type = json_string_value(json_object_get(json, "type"));
    if (!type) return rp_fail(err, RP_EFORMAT, "'%s': a pre-tokenizer without 'type'", path);
    rp_status status = RP_OK;
    if (!strcmp(type, "BertPreTokenizer")) {
        status = add_step(sp, "WhitespaceSplit", NULL, path, err);
        return status ? status : add_step(sp, "Punctuation", NULL, path, err);
    }
    if (strcmp(type, "Sequence")) return add_step(sp, type, json, path, err);
    const json_t *list = json_object_get(json, "pretokenizers");
    if (!json_is_array(list))
        return rp_fail(err, RP_EFORMAT, "'%s': the pre-tokenizer has no list 'pretokenizers'",
                       path);
    if (depth >= DEPTH_LIMIT)
        return rp_fail(err, RP_EFORMAT, "'%s': pre-tokenizers are nested too deep", path);
    for (size_t i = 0; i < json_array_size(list) && !status; i++)
        status = add_steps(sp, json_array_get(list, i), depth + 1, path, err);
    return status;
}

rp_status rp_splitter_new(rp_splitter **splitter, bool *bytes, const json_t *json, const char *path,
                          rp_error *err)
{
    bool raw = *bytes;
    *bytes = false;
    *splitter = NULL;
    if (!json) return RP_OK;
    rp_splitter *sp = *splitter = calloc(1, sizeof *sp);
    if (!sp) return rp_fail_memory(err, sizeof *sp);
    rp_status status = add_steps(sp, json, 0, path, err);
    if (status) {
        rp_splitter_free(sp);
        *splitter = NULL;
        return status;
    }
    step *last = sp->n ? &sp->step[sp->n - 1] : NULL;
    if (raw && last && last->apply == byte_level) *bytes = last->raw = true;
    return RP_OK;
}

void rp_splitter_free(rp_splitter *splitter)
{
    if (!splitter) return;
    for (size_t i = 0; i < splitter->n; i++) rp_pattern_free(splitter->step[i].pattern);
    free(splitter->step);
    free(splitter);
}
