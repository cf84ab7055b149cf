/*
 * Unigram: the cut of a word whose pieces have the highest sum of scores, found by one pass over
 * the word (encode_optimized of the crate, which is SentencePiece's). A character that no piece
 * stands for costs ten more than the worst piece; neighbours of that kind are one unknown.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tokenizer/parts.h"

#define UNKNOWN_PENALTY 10.0

typedef struct rp_unigram {
    rp_lexicon base;
    rp_trie *trie; /* piece -> id */
    double *score; /* [n] */
    size_t n;
    double unknown; /* the score of an unknown character */
    bool byte_fallback;
    int32_t byte_id[256]; /* of "<0x00>" ... "<0xFF>"; -1: none */
} unigram;

/* The best way to a place in the word. */
typedef struct rp_unigram_node {
    double score;
    int32_t from; /* where its last piece begins; -1: no way leads here */
    int32_t id;   /* of its last piece */
    int32_t to;   /* on the best way to the end: where the next piece ends */
} node;

static void release(rp_lexicon *lexicon)
{
    unigram *u = (unigram *)lexicon;
    rp_trie_free(u->trie);
    free(u->score);
}

static void offer(node *at, double score, size_t from, int32_t id)
{
    if (at->from >= 0 && !(score > at->score)) return;
    at->score = score;
    at->from = (int32_t)from;
    at->id = id;
}

static rp_status search(const unigram *u, node *best, const char *word, size_t len, rp_error *err)
{
    best[0] = (node){.score = 0, .from = 0};
    for (size_t i = 1; i <= len; i++) best[i].from = -1;
    for (size_t i = 0, step; i < len; i += step) {
        double so_far = best[i].score;
        uint32_t at = 0;
        bool alone = false; /* is the character a piece? */
        rp_utf8_at(word + i, &step);
        for (size_t k = i; k < len; k++) {
            const rp_trie_edge *e = rp_trie_step(u->trie, at, (unsigned char)word[k]);
            if (!e) break;
            at = e->node;
            if (e->value < 0) continue;
            offer(&best[k + 1], u->score[e->value] + so_far, i, e->value);
            if (k + 1 == i + step) alone = true;
        }
        if (alone) continue;
        if (u->base.unk_id < 0) return rp_lexicon_fail_unk(&u->base, err);
        offer(&best[i + step], u->unknown + so_far, i, u->base.unk_id);
    }
    for (size_t i = len; i; i = (size_t)best[i].from) best[best[i].from].to = (int32_t)i;
    return RP_OK;
}

/* What is unknown may be a piece all the same, as a whole; else it is its bytes, or unk. */
static rp_status push_unknown(const unigram *u, rp_ids *out, const char *s, size_t len,
                              rp_error *err)
{
    int32_t id = rp_dict_id(&u->base.pieces, s, len);
    bool bytes = id < 0 && u->byte_fallback;
    for (size_t i = 0; i < len && bytes; i++) bytes = u->byte_id[(unsigned char)s[i]] >= 0;
    if (!bytes) return rp_ids_push(out, id < 0 ? u->base.unk_id : id, err);
    rp_status status = RP_OK;
    for (size_t i = 0; i < len && !status; i++)
        status = rp_ids_push(out, u->byte_id[(unsigned char)s[i]], err);
    return status;
}

static rp_status encode(const rp_lexicon *lexicon, rp_scratch *scratch, rp_ids *out,
                        const char *word, size_t len, rp_error *err)
{
    const unigram *u = (const unigram *)lexicon;
    rp_status status =
        rp_grow(&scratch->node, &scratch->node_cap, len + 1, sizeof *scratch->node, err);
    if (!status) status = search(u, scratch->node, word, len, err);
    const node *best = scratch->node;
    for (size_t i = 0, end; i < len && !status; i = end) {
        end = (size_t)best[i].to;
        int32_t id = best[end].id;
        if (id != lexicon->unk_id) {
            status = rp_ids_push(out, id, err);
            continue;
        }
        while (end < len && best[best[end].to].id == id) end = (size_t)best[end].to;
        status = push_unknown(u, out, word + i, end - i, err);
    }
    return status;
}

/* ---- from a list of pieces ---- */

static rp_status read_pieces(unigram *u, const rp_piece *piece, size_t n, rp_error *err)
{
    double worst = INFINITY;
    u->trie = rp_trie_new();
    u->score = rp_alloc(n, sizeof *u->score);
    if (!u->trie || !u->score) return rp_fail_memory(err, n * sizeof *u->score);
    rp_status status = rp_dict_reserve(&u->base.pieces, n, err);
    for (size_t i = 0; i < n && !status; i++) {
        u->score[i] = piece[i].score;
        if (piece[i].score < worst) worst = piece[i].score;
        status = rp_dict_put(&u->base.pieces, piece[i].text, piece[i].len, (int32_t)i, err);
    }
    /* of pieces that are alike the last one counts */
    for (size_t i = n; i-- > 0 && !status;)
        status = rp_trie_put(u->trie, piece[i].text, piece[i].len, (int32_t)i, err);
    u->unknown = worst - UNKNOWN_PENALTY;
    return status;
}

rp_status rp_unigram_from_pieces(rp_lexicon **lexicon, const rp_piece *piece, size_t n,
                                 int32_t unk_id, bool byte_fallback, const char *path,
                                 rp_error *err)
{
    static const rp_lexicon_kind kind = {release, encode};
    *lexicon = NULL;
    if (!n) return rp_fail(err, RP_EFORMAT, "'%s': the vocabulary is empty", path);
    if (unk_id >= 0 && (size_t)unk_id >= n)
        return rp_fail(err, RP_EFORMAT, "'%s': unk_id %d is outside the vocabulary of %zu pieces",
                       path, unk_id, n);
    for (size_t i = 0; i < n; i++)
        if (piece[i].len > RP_LENGTH_LIMIT)
            return rp_fail(err, RP_EFORMAT, "'%s': piece %zu has %zu bytes, more than %zu", path, i,
                           piece[i].len, RP_LENGTH_LIMIT);
    unigram *u = calloc(1, sizeof *u);
    if (!u) return rp_fail_memory(err, sizeof *u);
    u->base.kind = &kind;
    u->base.unk_id = unk_id;
    u->byte_fallback = byte_fallback;
    u->n = n;
    rp_status status = read_pieces(u, piece, n, err);
    if (!status && unk_id >= 0) {
        u->base.unk = strndup(piece[unk_id].text, piece[unk_id].len);
        if (!u->base.unk) status = rp_fail_memory(err, piece[unk_id].len);
    }
    for (unsigned i = 0; i < 256; i++) {
        char name[8];
        snprintf(name, sizeof name, "<0x%02X>", i);
        u->byte_id[i] = rp_dict_id(&u->base.pieces, name, 6);
    }
    if (status)
        rp_lexicon_free(&u->base);
    else
        *lexicon = &u->base;
    return status;
}

/* ---- from JSON ---- */

static rp_status read_entry(rp_piece *piece, const json_t *json, size_t i, const char *path,
                            rp_error *err)
{
    const json_t *text = json_array_get(json, 0), *score = json_array_get(json, 1);
    if (json_array_size(json) != 2 || !json_is_string(text) || !json_is_number(score))
        return rp_fail(err, RP_EFORMAT, "'%s': entry %zu of 'vocab' is not [piece, score]", path,
                       i + 1);
    *piece =
        (rp_piece){json_string_value(text), json_string_length(text), json_number_value(score), 0};
    return RP_OK;
}

rp_status rp_unigram_from_json(rp_lexicon **lexicon, const json_t *json, const char *path,
                               rp_error *err)
{
    const json_t *list = json_object_get(json, "vocab"), *unk = rp_json_member(json, "unk_id");
    size_t n = json_array_size(list);
    bool byte_fallback;
    *lexicon = NULL;
    if (!json_is_array(list))
        return rp_fail(err, RP_EFORMAT, "'%s': the model has no list 'vocab'", path);
    if (n > RP_PIECE_LIMIT)
        return rp_fail(err, RP_ENOMEM, "'%s': a vocabulary of %zu pieces is more than %zu", path, n,
                       RP_PIECE_LIMIT);
    if (unk && (!json_is_integer(unk) || json_integer_value(unk) < 0 ||
                json_integer_value(unk) >= (json_int_t)RP_TOKEN_LIMIT))
        return rp_fail(err, RP_EFORMAT, "'%s': 'unk_id' is not in 0 ... %zu", path,
                       RP_TOKEN_LIMIT - 1);
    rp_status status = rp_json_bool(json, "byte_fallback", false, &byte_fallback, path, err);
    if (status) return status;
    rp_piece *piece = rp_alloc(n, sizeof *piece);
    if (!piece) return rp_fail_memory(err, n * sizeof *piece);
    for (size_t i = 0; i < n && !status; i++)
        status = read_entry(&piece[i], json_array_get(list, i), i, path, err);
    if (!status)
        status =
            rp_unigram_from_pieces(lexicon, piece, n, unk ? (int32_t)json_integer_value(unk) : -1,
                                   byte_fallback, path, err);
    free(piece);
    return status;
}
