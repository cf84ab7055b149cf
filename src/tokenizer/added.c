/* Added tokens: what is looked for in a text before and after it is normalised. */
#include <stdlib.h>

#include "tokenizer/parts.h"

#define CONTENT_LIMIT 4096 /* bytes */

/* ---- finding ---- */

static size_t char_before(const char *s, size_t end)
{
    size_t i = end - 1;
    while (((unsigned char)s[i] & 0xc0) == 0x80) i--;
    return i;
}

static bool is_alone(const char *s, size_t len, size_t at, size_t end)
{
    size_t step;
    if (at && rp_char_is_word(rp_utf8_at(s + char_before(s, at), &step))) return false;
    return end == len || !rp_char_is_word(rp_utf8_at(s + end, &step));
}

static rp_status push(rp_found_list *out, size_t at, size_t end, int32_t id, rp_error *err)
{
    rp_status status = rp_grow(&out->item, &out->cap, out->n + 1, sizeof *out->item, err);
    if (!status) out->item[out->n++] = (rp_found){at, end, id};
    return status;
}

rp_status rp_added_find(const rp_added *added, rp_found_list *out, bool normalized,
                        const char *text, size_t len, rp_error *err)
{
    const rp_trie *t = normalized ? added->normalized : added->literal;
    size_t from = 0, match = 0, step;
    rp_status status = RP_OK;
    out->n = 0;
    for (size_t i = 0; t && i < len && !status;) {
        int32_t found = t->root[(unsigned char)text[i]].node
                            ? rp_trie_longest(t, text + i, len - i, &match)
                            : -1;
        if (found < 0) {
            i++;
            continue;
        }
        const rp_added_token *tok = &added->token[found];
        size_t at = i, end = i + match;
        i = end;
        if (tok->single_word && !is_alone(text, len, at, end)) continue;
        while (tok->lstrip && at > from) {
            size_t before = char_before(text, at);
            if (!rp_char_is_space(rp_utf8_at(text + before, &step))) break;
            at = before;
        }
        while (tok->rstrip && end < len && rp_char_is_space(rp_utf8_at(text + end, &step)))
            end += step;
        if (from < at) status = push(out, from, at, -1, err);
        if (!status) status = push(out, at, end, tok->id, err);
        from = end;
    }
    if (!status && from < len) status = push(out, from, len, -1, err);
    return status;
}

/* ---- from JSON ---- */

void rp_added_release(rp_added *added)
{
    free(added->token);
    rp_dict_release(&added->names);
    rp_trie_free(added->literal);
    rp_trie_free(added->normalized);
    *added = (rp_added){0};
}

static rp_status read_token(rp_added_token *t, const json_t *json, size_t i, const char *path,
                            rp_error *err)
{
    const json_t *content = json_object_get(json, "content");
    *t = (rp_added_token){.content = json_string_value(content)};
    if (!t->content)
        return rp_fail(err, RP_EFORMAT, "'%s': added token %zu has no 'content'", path, i + 1);
    if (json_string_length(content) > CONTENT_LIMIT)
        return rp_fail(err, RP_EFORMAT, "'%s': added token %zu is longer than %d bytes", path,
                       i + 1, CONTENT_LIMIT);
    rp_status status = rp_json_bool(json, "single_word", false, &t->single_word, path, err);
    if (!status) status = rp_json_bool(json, "lstrip", false, &t->lstrip, path, err);
    if (!status) status = rp_json_bool(json, "rstrip", false, &t->rstrip, path, err);
    if (!status) status = rp_json_bool(json, "special", false, &t->special, path, err);
    if (!status) status = rp_json_bool(json, "normalized", !t->special, &t->normalized, path, err);
    return status;
}

/* Puts a token on the list, or in the place of an earlier one of the same content. The id is the
 * vocabulary's or the next free one, not what the file says: the crate does it so. */
static rp_status add_token(rp_added *added, rp_added_token t, const rp_dict *pieces,
                           size_t *next_id, rp_error *err)
{
    size_t len = strlen(t.content);
    if (!len) return RP_OK;
    int32_t index = rp_dict_id(&added->names, t.content, len);
    if (index < 0) {
        t.id = rp_dict_id(pieces, t.content, len);
        if (t.id < 0) t.id = (int32_t)(*next_id)++;
        rp_status status = rp_grow(&added->token, &added->cap, added->n + 1, sizeof t, err);
        if (!status) status = rp_dict_put(&added->names, t.content, len, (int32_t)added->n, err);
        if (status) return status;
        index = (int32_t)added->n++;
    } else {
        t.id = added->token[index].id;
    }
    added->token[index] = t;
    return RP_OK;
}

static rp_status build_tries(rp_added *added, const rp_normalizer *normalizer, rp_error *err)
{
    rp_text text = {0}, spare = {0};
    void *match = NULL;
    rp_status status = RP_OK;
    for (size_t i = 0; i < added->n && !status; i++) {
        rp_added_token *t = &added->token[i];
        rp_trie **into = t->normalized ? &added->normalized : &added->literal;
        bool start = true;
        if (!*into) *into = rp_trie_new();
        if (!*into) status = rp_fail_memory(err, sizeof **into);
        text.len = 0;
        if (!status) status = rp_text_append(&text, t->content, strlen(t->content), err);
        if (!status && t->normalized)
            status = rp_normalizer_apply(normalizer, &text, &spare, &match, &start, err);
        if (!status) status = rp_trie_put(*into, text.data, text.len, (int32_t)i, err);
    }
    rp_match_free(match);
    rp_text_release(&text);
    rp_text_release(&spare);
    return status;
}

rp_status rp_added_init(rp_added *added, const json_t *json, const rp_dict *pieces,
                        const rp_normalizer *normalizer, const char *path, rp_error *err)
{
    size_t n = json_array_size(json), next_id = pieces->n;
    if (json && !json_is_array(json))
        return rp_fail(err, RP_EFORMAT, "'%s': 'added_tokens' is not a list", path);
    if (n > RP_PIECE_LIMIT)
        return rp_fail(err, RP_ENOMEM, "'%s': %zu added tokens are more than %zu", path, n,
                       RP_PIECE_LIMIT);
    rp_status status = RP_OK;
    for (size_t i = 0; i < n && !status; i++) {
        rp_added_token t;
        status = read_token(&t, json_array_get(json, i), i, path, err);
        if (!status) status = add_token(added, t, pieces, &next_id, err);
    }
    /* contents so far are the document's, which goes; the dictionary's stay */
    for (size_t i = 0; i < added->n && !status; i++) {
        const char *content = added->token[i].content;
        const rp_dict_entry *e = rp_dict_find(&added->names, content, strlen(content));
        added->token[i].content = added->names.text.data + e->at;
    }
    return status ? status : build_tries(added, normalizer, err);
}
