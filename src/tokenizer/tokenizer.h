/*
 * Tokenizers: BPE, WordPiece and Unigram, from tokenizer.json, a SentencePiece or tiktoken model or
 * BERT's vocab.txt. Ids are identical to Hugging Face's. A loaded tokenizer is const and safe for
 * many threads.
 */
#ifndef RP_TOKENIZER_TOKENIZER_H
#define RP_TOKENIZER_TOKENIZER_H

#include "base/error.h"

typedef struct rp_ids {
    int32_t *id;
    size_t n, cap;
} rp_ids;
void rp_ids_release(rp_ids *ids);
rp_status rp_ids_push(rp_ids *ids, int32_t id, rp_error *err);

typedef struct rp_tokenizer rp_tokenizer;
/* path: one of these files, or a directory that holds one: tokenizer.json, else tokenizer.model,
 * spiece.model, sentencepiece.bpe.model, vocab.txt (RP_EIO names them where there is none). A name
 * that ends in .model is a SentencePiece or, by its first line, a tiktoken model, in .txt a
 * vocab.txt, anything else is JSON. RP_EFORMAT names what is not supported (model type, normaliser,
 * pre-tokeniser, post-processor, tokenizer_class). docs/TOKENIZERS.md has the list. */
rp_status rp_tokenizer_open(rp_tokenizer **tok, const char *path, rp_error *err);
bool rp_tokenizer_is(const char *dir); /* a directory that holds one of those files */
void rp_tokenizer_free(rp_tokenizer *tok);
const char *rp_tokenizer_path(const rp_tokenizer *tok);              /* of the file that was read */
size_t rp_tokenizer_size(const rp_tokenizer *tok);                   /* largest id + 1 */
const char *rp_tokenizer_piece(const rp_tokenizer *tok, int32_t id); /* NULL: no such id */
int32_t rp_tokenizer_find(const rp_tokenizer *tok, const char *piece); /* -1: none */
/* Special tokens by role ("bos", "eos", "sep", "unk", "pad", "cls", "mask"), from
 * tokenizer_config.json or special_tokens_map.json beside it, else from the post-processor and the
 * usual names; -1: none. */
int32_t rp_tokenizer_special(const rp_tokenizer *tok, const char *role);

/* Appends the ids of text[len] to out, without the post-processor's special tokens. Added tokens
 * inside the text become their ids, as in Hugging Face. Invalid UTF-8 is replaced by U+FFFD first,
 * maximal subpart by maximal subpart, as Python's errors="replace" does. */
rp_status rp_tokenizer_encode(const rp_tokenizer *tok, rp_ids *out, const char *text, size_t len,
                              rp_error *err);

/* Where the parts of a sequence lie after assembly. */
typedef struct rp_span {
    size_t first, end; /* [first, end) */
} rp_span;
/* Appends the post-processor's template around a [na] (and b [nb] unless b is NULL) to out; spans
 * [2] (may be NULL) are the places of a and b, counted from the start of what was appended; segment
 * (may be NULL) receives the type id of every token appended. */
rp_status rp_tokenizer_assemble(const rp_tokenizer *tok, rp_ids *out, rp_span *spans,
                                rp_ids *segment, const int32_t *a, size_t na, const int32_t *b,
                                size_t nb, rp_error *err);

#endif
