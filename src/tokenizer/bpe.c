/* BPE: vocabulary and merges of tokenizer.json, checked and made ready. */
#include <stdio.h>
#include <stdlib.h>

#include "tokenizer/parts.h"

#define AFFIX_LIMIT 64 /* bytes of a continuing_subword_prefix, an end_of_word_suffix */

static void release(rp_lexicon *lexicon)
{
    rp_bpe *bpe = (rp_bpe *)lexicon;
    rp_dict_release(&bpe->raw);
    free(bpe->merge);
    free(bpe->prefix);
    free(bpe->suffix);
}

rp_bpe *rp_bpe_new(bool bytes)
{
    static const rp_lexicon_kind kind = {release, rp_bpe_encode};
    rp_bpe *bpe = calloc(1, sizeof *bpe);
    if (!bpe) return NULL;
    bpe->base.kind = &kind;
    bpe->base.unk_id = -1;
    bpe->bytes = bytes;
    bpe->cut = true;
    return bpe;
}

/* ---- merges ---- */

static size_t merge_slot(const rp_bpe *bpe, int32_t left, int32_t right)
{
    uint64_t h = ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) * 0x9e3779b97f4a7c15u;
    return (size_t)(h >> 32) & (bpe->merge_cap - 1);
}

static rp_merge *merge_place(const rp_bpe *bpe, int32_t left, int32_t right)
{
    size_t i = merge_slot(bpe, left, right);
    while (bpe->merge[i].left >= 0 && (bpe->merge[i].left != left || bpe->merge[i].right != right))
        i = (i + 1) & (bpe->merge_cap - 1);
    return &bpe->merge[i];
}

const rp_merge *rp_bpe_merge(const rp_bpe *bpe, int32_t left, int32_t right)
{
    const rp_merge *m = merge_place(bpe, left, right);
    return m->left < 0 ? NULL : m;
}

/* Does text[n] hold U+2581 behind another character? */
static bool has_inner_mark(const char *text, size_t n)
{
    bool other = false;
    for (size_t i = 0; i < n;) {
        bool mark = n - i >= 3 && !memcmp(text + i, "\xe2\x96\x81", 3);
        if (mark && other) return true;
        other = !mark;
        i += mark ? 3 : 1;
    }
    return false;
}

void rp_bpe_put(rp_bpe *bpe, rp_merge m, const char *made, size_t len)
{
    if (has_inner_mark(made, len)) bpe->cut = false;
    *merge_place(bpe, m.left, m.right) = m;
}

/* One merge of the strings a and b. word is scratch. */
static rp_status add_merge(rp_bpe *bpe, size_t rank, const char *a, size_t na, const char *b,
                           size_t nb, rp_text *word, const char *path, rp_error *err)
{
    int32_t left = rp_dict_id(&bpe->base.pieces, a, na),
            right = rp_dict_id(&bpe->base.pieces, b, nb);
    if (left < 0 || right < 0) {
        size_t n = left < 0 ? na : nb;
        return rp_fail(err, RP_EFORMAT, "'%s': merge %zu: '%.*s' is not in the vocabulary", path,
                       rank + 1, n > 200 ? 200 : (int)n, left < 0 ? a : b);
    }
    size_t skip = bpe->prefix ? strlen(bpe->prefix) : 0;
    if (nb < skip)
        return rp_fail(err, RP_EFORMAT, "'%s': merge %zu: '%s' is shorter than the prefix '%s'",
                       path, rank + 1, b, bpe->prefix);
    word->len = 0;
    rp_status status = rp_text_append(word, a, na, err);
    if (!status) status = rp_text_append(word, b + skip, nb - skip, err);
    if (status) return status;
    int32_t id = rp_dict_id(&bpe->base.pieces, word->data, word->len);
    if (id < 0)
        return rp_fail(err, RP_EFORMAT, "'%s': merge %zu: '%.200s' is not in the vocabulary", path,
                       rank + 1, word->data);
    rp_bpe_put(bpe, (rp_merge){left, right, id, (uint32_t)rank}, word->data, word->len);
    return RP_OK;
}

rp_status rp_bpe_reserve(rp_bpe *bpe, size_t n, const char *path, rp_error *err)
{
    if (n > 4 * RP_PIECE_LIMIT)
        return rp_fail(err, RP_ENOMEM, "'%s': %zu merges are more than is allowed", path, n);
    for (bpe->merge_cap = 16; bpe->merge_cap / 2 < n;) bpe->merge_cap *= 2;
    bpe->merge = rp_alloc(bpe->merge_cap, sizeof *bpe->merge);
    if (!bpe->merge) return rp_fail_memory(err, bpe->merge_cap * sizeof *bpe->merge);
    for (size_t i = 0; i < bpe->merge_cap; i++) bpe->merge[i].left = -1;
    return RP_OK;
}

static rp_status parse_merge(rp_bpe *bpe, size_t rank, const json_t *m, rp_text *word,
                             const char *path, rp_error *err)
{
    const json_t *a = json_array_get(m, 0), *b = json_array_get(m, 1);
    if (json_array_size(m) == 2 && json_is_string(a) && json_is_string(b))
        return add_merge(bpe, rank, json_string_value(a), json_string_length(a),
                         json_string_value(b), json_string_length(b), word, path, err);
    const char *text = json_string_value(m), *space = text ? strchr(text, ' ') : NULL;
    if (!space || strchr(space + 1, ' '))
        return rp_fail(err, RP_EFORMAT, "'%s': merge %zu is not a pair of pieces: '%.200s'", path,
                       rank + 1, text ? text : "");
    return add_merge(bpe, rank, text, (size_t)(space - text), space + 1, strlen(space + 1), word,
                     path, err);
}

static rp_status read_merges(rp_bpe *bpe, const json_t *json, const char *path, rp_error *err)
{
    size_t n = json_array_size(json), skipped = 0;
    if (!json_is_array(json))
        return rp_fail(err, RP_EFORMAT, "'%s': the model has no list 'merges'", path);
    rp_text word = {0};
    rp_status status = rp_bpe_reserve(bpe, n, path, err);
    for (size_t i = 0; i < n && !status; i++) {
        const json_t *m = json_array_get(json, i);
        const char *text = json_string_value(m);
        if (text && !strncmp(text, "#version", 8))
            skipped++;
        else
            status = parse_merge(bpe, i - skipped, m, &word, path, err);
    }
    rp_text_release(&word);
    return status;
}

/* ---- what makes it fast ---- */

/* The bytes that visible characters stand for; false when one stands for none. */
static bool to_bytes(rp_text *out, const char *s, size_t len, const int16_t byte_of[512])
{
    out->len = 0;
    for (size_t i = 0, step; i < len; i += step) {
        uint32_t c = rp_utf8_at(s + i, &step);
        if (c >= 512 || byte_of[c] < 0) return false;
        char byte = (char)byte_of[c];
        if (rp_text_append(out, &byte, 1, NULL)) return false;
    }
    return true;
}

static rp_status make_raw(rp_bpe *bpe, rp_error *err)
{
    int16_t byte_of[512];
    memset(byte_of, 0xff, sizeof byte_of);
    for (int b = 0; b < 256; b++) byte_of[rp_byte_char((unsigned char)b)] = (int16_t)b;
    rp_text word = {0};
    rp_status status = rp_dict_reserve(&bpe->raw, bpe->base.pieces.n, err);
    for (size_t i = 0; i < bpe->base.pieces.cap && !status; i++) {
        const rp_dict_entry *e = &bpe->base.pieces.slot[i];
        if (e->id >= 0 && to_bytes(&word, bpe->base.pieces.text.data + e->at, e->len, byte_of))
            status = rp_dict_put(&bpe->raw, word.data ? word.data : "", word.len, e->id, err);
    }
    rp_text_release(&word);
    return status;
}

/* Marks the words that merging leads back to as a whole: most words of a text are of this kind. */
static rp_status mark_whole(rp_bpe *bpe, rp_error *err)
{
    rp_scratch scratch = {0};
    rp_ids ids = {0};
    rp_status status = RP_OK;
    for (size_t i = 0; i < bpe->word->cap && !status; i++) {
        rp_dict_entry *e = &bpe->word->slot[i];
        if (e->id < 0 || !e->len) continue;
        rp_error ignored = {0}; /* no unk_token: not a word then, and encoding will say so */
        ids.n = 0;
        rp_status s =
            rp_bpe_merge_word(bpe, &scratch, &ids, bpe->word->text.data + e->at, e->len, &ignored);
        e->whole = !s && ids.n == 1 && ids.id[0] == e->id;
        if (s == RP_ENOMEM) status = rp_fail(err, s, "%s", ignored.text);
    }
    rp_scratch_release(&scratch);
    rp_ids_release(&ids);
    return status;
}

rp_status rp_bpe_finish(rp_bpe *bpe, rp_error *err)
{
    rp_status status = bpe->bytes ? make_raw(bpe, err) : RP_OK;
    if (status) return status;
    bpe->word = bpe->bytes ? &bpe->raw : &bpe->base.pieces;
    for (int i = 0; i < 256; i++) {
        char c[8], name[8];
        size_t n = rp_utf8_put(c, bpe->bytes ? rp_byte_char((unsigned char)i) : (uint32_t)i);
        bpe->single[i] = bpe->bytes || i < 128 ? rp_dict_id(&bpe->base.pieces, c, n) : -1;
        snprintf(name, sizeof name, "<0x%02X>", (unsigned)i);
        bpe->byte_id[i] = rp_dict_id(&bpe->base.pieces, name, 6);
    }
    bpe->base.unk_id =
        bpe->base.unk ? rp_dict_id(&bpe->base.pieces, bpe->base.unk, strlen(bpe->base.unk)) : -1;
    bpe->plain = !bpe->prefix && !bpe->suffix;
    bool all_bytes = bpe->byte_fallback;
    for (int i = 0; i < 256; i++) all_bytes = all_bytes && bpe->byte_id[i] >= 0;
    /* what is neither known nor unk is left out, and its neighbours meet */
    bpe->cut = bpe->cut && bpe->plain && !bpe->bytes && (bpe->base.unk || all_bytes) &&
               rp_dict_id(&bpe->base.pieces, "\xe2\x96\x81", 3) >= 0 &&
               !(bpe->base.unk && strstr(bpe->base.unk, "\xe2\x96\x81"));
    return mark_whole(bpe, err);
}

/* ---- options ---- */

static rp_status read_affix(char **text, const json_t *json, const char *key, const char *path,
                            rp_error *err)
{
    rp_status status = rp_lexicon_read_text(text, json, key, path, err);
    if (status || !*text) return status;
    if (strlen(*text) > AFFIX_LIMIT)
        return rp_fail(err, RP_EFORMAT, "'%s': '%s' is longer than %d bytes", path, key,
                       AFFIX_LIMIT);
    if (!**text) { /* the empty one is none */
        free(*text);
        *text = NULL;
    }
    return RP_OK;
}

static rp_status read_options(rp_bpe *bpe, const json_t *json, const char *path, rp_error *err)
{
    const json_t *dropout = rp_json_member(json, "dropout");
    if (dropout && !(json_is_number(dropout) && json_number_value(dropout) == 0))
        return rp_fail(err, RP_EFORMAT, "'%s': BPE dropout is not supported", path);
    rp_status status = rp_lexicon_read_text(&bpe->base.unk, json, "unk_token", path, err);
    if (!status) status = read_affix(&bpe->prefix, json, "continuing_subword_prefix", path, err);
    if (!status) status = read_affix(&bpe->suffix, json, "end_of_word_suffix", path, err);
    if (!status) status = rp_json_bool(json, "fuse_unk", false, &bpe->fuse_unk, path, err);
    if (!status)
        status = rp_json_bool(json, "byte_fallback", false, &bpe->byte_fallback, path, err);
    if (!status)
        status = rp_json_bool(json, "ignore_merges", false, &bpe->ignore_merges, path, err);
    return status;
}

rp_status rp_bpe_from_json(rp_lexicon **lexicon, const json_t *json, bool bytes, const char *path,
                           rp_error *err)
{
    rp_bpe *bpe = rp_bpe_new(bytes);
    *lexicon = NULL;
    if (!bpe) return rp_fail_memory(err, sizeof *bpe);
    rp_status status = read_options(bpe, json, path, err);
    if (!status) status = rp_lexicon_read_vocabulary(&bpe->base, json, path, err);
    if (!status) status = read_merges(bpe, json_object_get(json, "merges"), path, err);
    if (!status) status = rp_bpe_finish(bpe, err);
    if (status)
        rp_lexicon_free(&bpe->base);
    else
        *lexicon = &bpe->base;
    return status;
}
