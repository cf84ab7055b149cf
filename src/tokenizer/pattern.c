/* Compiled patterns and the walk over their matches. */
#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "tokenizer/parts.h"
#include "tokenizer/regex.h"

#define PATTERN_LIMIT ((size_t)1 << 16) /* bytes */
#define MATCH_LIMIT 10000000u           /* steps of one match: beyond it the pattern is at fault */
#define HEAP_LIMIT (256u << 10)         /* KiB of one match */

struct rp_pattern {
    pcre2_code *code;
    pcre2_match_context *context;
    bool jit;
    char *text;
    const char *path; /* the tokenizer's own */
};

void rp_pattern_free(rp_pattern *pattern)
{
    if (!pattern) return;
    pcre2_code_free(pattern->code);
    pcre2_match_context_free(pattern->context);
    free(pattern->text);
    free(pattern);
}

static rp_status compile(rp_pattern *p, const char *text, size_t len, bool literal, rp_error *err)
{
    rp_text translated = {0};
    int code = 0;
    size_t offset = 0;
    rp_status status = literal ? rp_text_append(&translated, text, len, err)
                               : rp_regex_translate(&translated, text, len, p->path, err);
    pcre2_compile_context *context = status ? NULL : pcre2_compile_context_create(NULL);
    p->context = status ? NULL : pcre2_match_context_create(NULL);
    if (status) goto done;
    if (!context || !p->context) {
        status = rp_fail_memory(err, 0);
        goto done;
    }
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    pcre2_set_parens_nest_limit(context, 100);
    pcre2_set_match_limit(p->context, MATCH_LIMIT);
    pcre2_set_heap_limit(p->context, HEAP_LIMIT);
    uint32_t options = PCRE2_UTF | PCRE2_NO_UTF_CHECK;
    options |= literal ? PCRE2_LITERAL : PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C;
    p->code = pcre2_compile((PCRE2_SPTR)translated.data, translated.len, options, &code, &offset,
                            context);
    if (!p->code) {
        PCRE2_UCHAR why[128];
        pcre2_get_error_message(code, why, sizeof why);
        status = rp_fail(err, RP_EFORMAT, "'%s': bad pattern '%.*s': %s", p->path,
                         len > 200 ? 200 : (int)len, text, (const char *)why);
        goto done;
    }
    p->jit = !pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE);
done:
    pcre2_compile_context_free(context);
    rp_text_release(&translated);
    return status;
}

rp_status rp_pattern_new(rp_pattern **pattern, const char *text, size_t len, bool literal,
                         const char *path, rp_error *err)
{
    rp_pattern *p = *pattern = calloc(1, sizeof *p);
    if (!p) return rp_fail_memory(err, sizeof *p);
    p->path = path;
    p->text = strndup(text, len);
    rp_status status = p->text ? RP_OK : rp_fail_memory(err, len);
    if (!status && len > PATTERN_LIMIT)
        status = rp_fail(err, RP_EFORMAT, "'%s': a pattern of %zu bytes is too long", path, len);
    if (!status) status = compile(p, text, len, literal, err);
    if (status) {
        rp_pattern_free(p);
        *pattern = NULL;
    }
    return status;
}

rp_status rp_pattern_from_json(rp_pattern **pattern, const json_t *json, const char *owner,
                               const char *path, rp_error *err)
{
    const json_t *string = json_object_get(json, "String"), *regex = json_object_get(json, "Regex");
    const json_t *value = string ? string : regex;
    if (!json_is_string(value))
        return rp_fail(err, RP_EFORMAT,
                       "'%s': '%s' has no pattern {\"String\": ...} or {\"Regex\": ...}", path,
                       owner);
    return rp_pattern_new(pattern, json_string_value(value), json_string_length(value),
                          string != NULL, path, err);
}

void rp_match_free(void *match)
{
    pcre2_match_data_free(match);
}

/* PCRE2's answer for one search from `at`, interpreted where the JIT's stack is too small. */
static int search(const rp_pattern *p, const char *text, size_t len, size_t at,
                  pcre2_match_data *match)
{
    int n = PCRE2_ERROR_JIT_STACKLIMIT;
    PCRE2_SPTR subject = (PCRE2_SPTR)text;
    if (p->jit)
        n = pcre2_jit_match(p->code, subject, len, at, PCRE2_NO_UTF_CHECK, match, p->context);
    if (n == PCRE2_ERROR_JIT_STACKLIMIT)
        n = pcre2_match(p->code, subject, len, at, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, match,
                        p->context);
    return n;
}

rp_status rp_pattern_next(const rp_pattern *pattern, void **match, rp_search_state *state,
                          const char *text, size_t len, size_t *start, size_t *end, bool *found,
                          rp_error *err)
{
    *found = false;
    if (!*match) *match = pcre2_match_data_create(1, NULL);
    if (!*match) return rp_fail_memory(err, 0);
    while (state->at <= len) {
        int n = search(pattern, text, len, state->at, *match);
        if (n == PCRE2_ERROR_NOMATCH) return RP_OK;
        if (n < 0) {
            PCRE2_UCHAR why[128];
            pcre2_get_error_message(n, why, sizeof why);
            return rp_fail(err, RP_ECOMPUTE, "'%s': the pattern '%.200s' gave up on a text: %s",
                           pattern->path, pattern->text, (const char *)why);
        }
        const size_t *ends = pcre2_get_ovector_pointer(*match);
        if (ends[0] == ends[1] && ends[1] == state->last) {
            /* an empty match right behind the last one does not count */
            size_t step = 1;
            if (state->at < len) rp_utf8_at(text + state->at, &step);
            state->at += step;
            continue;
        }
        *start = ends[0];
        *end = state->at = state->last = ends[1];
        *found = true;
        return RP_OK;
    }
    return RP_OK;
}
