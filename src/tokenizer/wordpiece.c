/*
 * WordPiece: the longest piece that the word begins with, then the longest of those that continue a
 * word ("##ing"), and so on; one unk for a word that cannot be cut so (wordpiece/mod.rs of the
 * crate).
 */
#include <stdlib.h>

#include "tokenizer/parts.h"

typedef struct rp_wordpiece {
    rp_lexicon base;
    rp_trie *head, *rest; /* pieces; those with the prefix, without it */
    char *prefix;
    size_t limit; /* characters of a word */
} wordpiece;

static void release(rp_lexicon *lexicon)
{
    wordpiece *w = (wordpiece *)lexicon;
    rp_trie_free(w->head);
    rp_trie_free(w->rest);
    free(w->prefix);
}

static bool is_longer(const char *word, size_t len, size_t limit)
{
    if (len <= limit) return false;
    size_t n = 0;
    for (size_t i = 0; i < len; i++) n += ((unsigned char)word[i] & 0xc0) != 0x80;
    return n > limit;
}

static rp_status encode(const rp_lexicon *lexicon, rp_scratch *scratch, rp_ids *out,
                        const char *word, size_t len, rp_error *err)
{
    const wordpiece *w = (const wordpiece *)lexicon;
    (void)scratch;
    if (is_longer(word, len, w->limit)) return rp_lexicon_push_unk(lexicon, out, err);
    const rp_dict_entry *whole = rp_dict_find(&lexicon->pieces, word, len);
    if (whole) return rp_ids_push(out, whole->id, err);
    size_t before = out->n, match = 0;
    for (size_t i = 0; i < len; i += match) {
        int32_t id = rp_trie_longest(i ? w->rest : w->head, word + i, len - i, &match);
        if (id < 0) {
            out->n = before;
            return rp_lexicon_push_unk(lexicon, out, err);
        }
        rp_status status = rp_ids_push(out, id, err);
        if (status) return status;
    }
    return RP_OK;
}

/* From here on the pieces are known. */
static rp_status finish(wordpiece *w, const char *path, rp_error *err)
{
    const rp_dict *pieces = &w->base.pieces;
    size_t skip = strlen(w->prefix);
    w->base.unk_id = w->base.unk ? rp_dict_id(pieces, w->base.unk, strlen(w->base.unk)) : -1;
    w->head = rp_trie_new();
    w->rest = rp_trie_new();
    if (!w->head || !w->rest) return rp_fail_memory(err, sizeof *w->head);
    rp_status status = RP_OK;
    for (size_t i = 0; i < pieces->cap && !status; i++) {
        const rp_dict_entry *e = &pieces->slot[i];
        if (e->id < 0) continue;
        if (e->len > RP_LENGTH_LIMIT)
            return rp_fail(err, RP_EFORMAT, "'%s': piece %d has %u bytes, more than %zu", path,
                           e->id, (unsigned)e->len, RP_LENGTH_LIMIT);
        const char *piece = pieces->text.data + e->at;
        status = rp_trie_put(w->head, piece, e->len, e->id, err);
        if (!status && e->len >= skip && !memcmp(piece, w->prefix, skip))
            status = rp_trie_put(w->rest, piece + skip, e->len - skip, e->id, err);
    }
    return status;
}

static rp_status copy(char **text, const char *value, rp_error *err)
{
    if (!*text) *text = strdup(value);
    return *text ? RP_OK : rp_fail_memory(err, strlen(value));
}

static rp_status start(wordpiece **made, rp_error *err)
{
    static const rp_lexicon_kind kind = {release, encode};
    wordpiece *w = *made = calloc(1, sizeof *w);
    if (!w) return rp_fail_memory(err, sizeof *w);
    w->base.kind = &kind;
    w->limit = 100;
    return RP_OK;
}

static rp_status end(rp_lexicon **lexicon, wordpiece *w, rp_status status, const char *path,
                     rp_error *err)
{
    if (!status) status = finish(w, path, err);
    *lexicon = status ? NULL : &w->base;
    if (status && w) rp_lexicon_free(&w->base);
    return status;
}

rp_status rp_wordpiece_from_json(rp_lexicon **lexicon, const json_t *json, const char *path,
                                 rp_error *err)
{
    wordpiece *w;
    rp_status status = start(&w, err);
    const json_t *limit = rp_json_member(json, "max_input_chars_per_word");
    if (!status && limit) {
        if (!json_is_integer(limit) || json_integer_value(limit) < 0)
            status =
                rp_fail(err, RP_EFORMAT,
                        "'%s': 'max_input_chars_per_word' is not a number of characters", path);
        else
            w->limit = (size_t)json_integer_value(limit);
    }
    if (!status) status = rp_lexicon_read_text(&w->base.unk, json, "unk_token", path, err);
    if (!status) status = copy(&w->base.unk, "[UNK]", err);
    if (!status)
        status = rp_lexicon_read_text(&w->prefix, json, "continuing_subword_prefix", path, err);
    if (!status) status = copy(&w->prefix, "##", err);
    if (!status) status = rp_lexicon_read_vocabulary(&w->base, json, path, err);
    return end(lexicon, w, status, path, err);
}

/* White space at the end of a line is not the piece's, as in the crate. */
static size_t trimmed(const char *line, size_t len)
{
    while (len) {
        size_t last = len - 1, step;
        while (((unsigned char)line[last] & 0xc0) == 0x80) last--;
        if (!rp_char_is_space(rp_utf8_at(line + last, &step))) break;
        len = last;
    }
    return len;
}

rp_status rp_wordpiece_from_lines(rp_lexicon **lexicon, const char *data, size_t size,
                                  const char *unk, const char *path, rp_error *err)
{
    wordpiece *w;
    rp_status status = start(&w, err);
    if (!status) status = copy(&w->base.unk, unk, err);
    if (!status) status = copy(&w->prefix, "##", err);
    size_t n = 0;
    for (size_t i = 0, len; i < size && !status; i += len + 1, n++) {
        const char *line = data + i, *newline = memchr(line, '\n', size - i);
        len = newline ? (size_t)(newline - line) : size - i;
        if (n >= RP_PIECE_LIMIT)
            status = rp_fail(err, RP_ENOMEM, "'%s': there are more than %zu lines", path, n);
        else if (!rp_utf8_valid(line, len) || memchr(line, '\0', len))
            status =
                rp_fail(err, RP_EFORMAT, "'%s' line %zu: the piece is not UTF-8 text", path, n + 1);
        else
            status = rp_dict_put(&w->base.pieces, line, trimmed(line, len), (int32_t)n, err);
    }
    if (!status && !n) status = rp_fail(err, RP_EFORMAT, "'%s' holds no pieces", path);
    return end(lexicon, w, status, path, err);
}
