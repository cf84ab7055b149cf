/* Texts, ids and assemblies of the golden files: tools/fixtures/tokenizer.py says what they hold.
 */
#ifndef RP_TESTS_TOKENIZER_GOLDEN_H
#define RP_TESTS_TOKENIZER_GOLDEN_H

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "support/support.h"
#include "tokenizer/tokenizer.h"

static inline json_t *load(const char *path)
{
    json_error_t why;
    json_t *json = json_load_file(path, JSON_ALLOW_NUL, &why);
    if (!json) fail_msg("%s line %d: %s", path, why.line, why.text);
    return json;
}

static inline json_t *golden(const char *name)
{
    char rel[256];
    snprintf(rel, sizeof rel, "tokenizer/%s", name);
    return load(rp_test_golden(rel));
}

static inline uint64_t fnv(const rp_ids *ids)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < ids->n; i++)
        for (int k = 0; k < 32; k += 8)
            h = (h ^ ((uint32_t)ids->id[i] >> k & 255)) * 0x100000001b3u;
    return h;
}

/* ---- texts and ids of the golden files ---- */

static inline rp_text text_of(const json_t *json)
{
    rp_text text = {0};
    rp_error err;
    const char *hex = json_string_value(json_object_get(json, "hex"));
    assert_ok(rp_text_append(&text, "", 0, &err), &err);
    if (json_is_string(json))
        assert_ok(rp_text_append(&text, json_string_value(json), json_string_length(json), &err),
                  &err);
    for (size_t i = 0; hex && hex[i]; i += 2) {
        unsigned byte = 0;
        assert_int_equal(sscanf(hex + i, "%2x", &byte), 1);
        char c = (char)byte;
        assert_ok(rp_text_append(&text, &c, 1, &err), &err);
    }
    for (size_t i = 0; i < json_array_size(json); i++) {
        const json_t *part = json_array_get(json, i), *s = json_array_get(part, 0);
        for (json_int_t k = json_integer_value(json_array_get(part, 1)); k > 0; k--)
            assert_ok(rp_text_append(&text, json_string_value(s), json_string_length(s), &err),
                      &err);
    }
    return text;
}

static inline void assert_ids(const rp_ids *got, const json_t *want, const char *name,
                              const char *text)
{
    if (json_is_object(want)) {
        char hash[32];
        snprintf(hash, sizeof hash, "%016" PRIx64, fnv(got));
        if ((json_int_t)got->n != json_integer_value(json_object_get(want, "n")) ||
            strcmp(hash, json_string_value(json_object_get(want, "hash"))))
            fail_msg("%s: other ids (%zu) for '%.100s'", name, got->n, text);
        return;
    }
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(want); i++) {
        const json_t *x = json_array_get(want, i);
        json_int_t times = json_is_array(x) ? json_integer_value(json_array_get(x, 1)) : 1;
        json_int_t id = json_integer_value(json_is_array(x) ? json_array_get(x, 0) : x);
        for (; times > 0; times--, n++)
            if (n >= got->n || got->id[n] != id)
                fail_msg("%s: id %zu of '%.100s' is %d, not %d", name, n, text,
                         n < got->n ? got->id[n] : -1, (int)id);
    }
    if (n != got->n) fail_msg("%s: %zu ids of '%.100s', not %zu", name, got->n, text, n);
}

static inline void check_text(const rp_tokenizer *tok, const json_t *text, const json_t *want,
                              const char *name)
{
    rp_text t = text_of(text);
    rp_ids ids = {0};
    rp_error err;
    assert_ok(rp_tokenizer_encode(tok, &ids, t.data, t.len, &err), &err);
    assert_ids(&ids, want, name, t.data);
    rp_ids_release(&ids);
    rp_text_release(&t);
}

static inline void check_assembly(const rp_tokenizer *tok, const json_t *want, const char *name)
{
    const char *a = json_string_value(json_object_get(want, "a"));
    const char *b = json_string_value(json_object_get(want, "b"));
    const json_t *spans = json_object_get(want, "spans");
    rp_ids ids[2] = {{0}}, out = {0}, segment = {0};
    rp_span got[2];
    rp_error err;
    assert_ok(rp_tokenizer_encode(tok, &ids[0], a, strlen(a), &err), &err);
    if (b) assert_ok(rp_tokenizer_encode(tok, &ids[1], b, strlen(b), &err), &err);
    assert_ok(rp_ids_push(&out, 77, &err), &err); /* what was there stays */
    assert_ok(rp_tokenizer_assemble(tok, &out, got, &segment, ids[0].id, ids[0].n, ids[1].id,
                                    ids[1].n, &err),
              &err);
    assert_int_equal(out.id[0], 77);
    memmove(out.id, out.id + 1, --out.n * sizeof *out.id);
    assert_ids(&out, json_object_get(want, "ids"), name, "its assembly");
    assert_ids(&segment, json_object_get(want, "segment"), name, "its segments");
    for (size_t k = 0; k < (b ? 2 : 1); k++) {
        assert_int_equal(got[k].first, json_integer_value(json_array_get(spans, 2 * k)));
        assert_int_equal(got[k].end, json_integer_value(json_array_get(spans, 2 * k + 1)));
    }
    for (int k = 0; k < 2; k++) rp_ids_release(&ids[k]);
    rp_ids_release(&out);
    rp_ids_release(&segment);
}

#endif
