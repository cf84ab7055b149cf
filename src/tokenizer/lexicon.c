/* The lexicon: what its kinds have in common, and the choice of one by a model's "type". */
#include <stdlib.h>

#include "tokenizer/parts.h"

void rp_scratch_release(rp_scratch *scratch)
{
    rp_ids_release(&scratch->symbol);
    free(scratch->link);
    free(scratch->heap);
    free(scratch->node);
    *scratch = (rp_scratch){0};
}

void rp_lexicon_free(rp_lexicon *lexicon)
{
    if (!lexicon) return;
    lexicon->kind->release(lexicon);
    rp_dict_release(&lexicon->pieces);
    free(lexicon->unk);
    free(lexicon);
}

rp_status rp_lexicon_encode(const rp_lexicon *lexicon, rp_scratch *scratch, rp_ids *out,
                            const char *word, size_t len, rp_error *err)
{
    if (!len) return RP_OK;
    if (len > INT32_MAX) return rp_fail(err, RP_EARG, "a word of %zu bytes is too long", len);
    return lexicon->kind->encode(lexicon, scratch, out, word, len, err);
}

rp_status rp_lexicon_fail_unk(const rp_lexicon *lexicon, rp_error *err)
{
    if (!lexicon->unk)
        return rp_fail(err, RP_EFORMAT,
                       "a text has a character that the tokenizer does not know, "
                       "and the tokenizer has no unk_id for it");
    return rp_fail(err, RP_EFORMAT, "the tokenizer's unk_token '%.200s' is not in its vocabulary",
                   lexicon->unk);
}

rp_status rp_lexicon_push_unk(const rp_lexicon *lexicon, rp_ids *out, rp_error *err)
{
    return lexicon->unk_id < 0 ? rp_lexicon_fail_unk(lexicon, err)
                               : rp_ids_push(out, lexicon->unk_id, err);
}

rp_status rp_lexicon_read_text(char **text, const json_t *model, const char *key, const char *path,
                               rp_error *err)
{
    const char *value;
    rp_status status = rp_json_string(model, key, &value, path, err);
    if (status || !value) return status;
    *text = strdup(value);
    return *text ? RP_OK : rp_fail_memory(err, strlen(value));
}

rp_status rp_lexicon_read_vocabulary(rp_lexicon *lexicon, const json_t *model, const char *path,
                                     rp_error *err)
{
    json_t *json = json_object_get(model, "vocab"), *value;
    if (!json_is_object(json))
        return rp_fail(err, RP_EFORMAT, "'%s': the model has no object 'vocab'", path);
    size_t n = json_object_size(json);
    if (n > RP_PIECE_LIMIT)
        return rp_fail(err, RP_ENOMEM, "'%s': a vocabulary of %zu pieces is more than %zu", path, n,
                       RP_PIECE_LIMIT);
    unsigned char *seen = rp_alloc(RP_TOKEN_LIMIT / 8, 1);
    if (!seen) return rp_fail_memory(err, RP_TOKEN_LIMIT / 8);
    rp_status status = rp_dict_reserve(&lexicon->pieces, n, err);
    const char *piece;
    json_object_foreach(json, piece, value)
    {
        json_int_t id = json_integer_value(value);
        if (status) break;
        if (!json_is_integer(value) || id < 0 || id >= (json_int_t)RP_TOKEN_LIMIT) {
            status = rp_fail(err, RP_EFORMAT, "'%s': the id of '%.200s' is not in 0 ... %zu", path,
                             piece, RP_TOKEN_LIMIT - 1);
        } else if (seen[id / 8] >> id % 8 & 1) {
            status = rp_fail(err, RP_EFORMAT, "'%s': id %d of '%.200s' is another piece's, too",
                             path, (int)id, piece);
        } else {
            seen[id / 8] = (unsigned char)(seen[id / 8] | 1 << id % 8);
            status = rp_dict_put(&lexicon->pieces, piece, strlen(piece), (int32_t)id, err);
        }
    }
    free(seen);
    return status;
}

/* Files from before "type" was written: Unigram's vocabulary is a list, WordPiece knows how long a
 * word may be, the rest is BPE. */
static const char *kind_of(const json_t *json)
{
    const json_t *type = rp_json_member(json, "type");
    if (type) return json_is_string(type) ? json_string_value(type) : "";
    if (json_is_array(json_object_get(json, "vocab"))) return "Unigram";
    return json_object_get(json, "max_input_chars_per_word") ? "WordPiece" : "BPE";
}

bool rp_lexicon_takes_bytes(const json_t *json)
{
    return !strcmp(kind_of(json), "BPE");
}

rp_status rp_lexicon_from_json(rp_lexicon **lexicon, const json_t *json, bool bytes,
                               const char *path, rp_error *err)
{
    *lexicon = NULL;
    if (!json_is_object(json)) return rp_fail(err, RP_EFORMAT, "'%s': there is no 'model'", path);
    const char *kind = kind_of(json);
    if (!strcmp(kind, "BPE")) return rp_bpe_from_json(lexicon, json, bytes, path, err);
    bool pieces = !strcmp(kind, "WordPiece");
    if (!pieces && strcmp(kind, "Unigram"))
        return rp_fail(err, RP_EFORMAT,
                       "'%s': tokenizer model '%s' is not supported, only BPE, WordPiece and "
                       "Unigram are",
                       path, kind);
    return pieces ? rp_wordpiece_from_json(lexicon, json, path, err)
                  : rp_unigram_from_json(lexicon, json, path, err);
}
