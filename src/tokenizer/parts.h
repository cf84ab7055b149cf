/*
 * The parts of a tokenizer, internal to this folder. A text goes through them in this
 * order: added tokens are cut out (as written), the rest is normalised, added tokens are cut out
 * again (as normalised), the pre-tokenizer cuts the rest into words, BPE turns each word into ids,
 * and the post-processor puts its special tokens around them. Each part is built from its JSON,
 * const afterwards, and follows the Rust crate `tokenizers` 0.23 to the letter; what a part does
 * not support it refuses by name (RP_EFORMAT).
 */
#ifndef RP_TOKENIZER_PARTS_H
#define RP_TOKENIZER_PARTS_H

#include <jansson.h>
#include <string.h>

#include "base/memory.h"
#include "tokenizer/tokenizer.h"

#define RP_TOKEN_LIMIT ((size_t)1 << 24)  /* ids lie below */
#define RP_PIECE_LIMIT ((size_t)1 << 22)  /* entries of a vocabulary */
#define RP_GROWTH_LIMIT ((size_t)1 << 30) /* bytes that a text may grow to on its way */

/* ---- UTF-8 and characters (text.c) ------------------------------------------------ */

/* Decodes the character at s, which is valid UTF-8 and not empty; its length goes to *len. */
static inline uint32_t rp_utf8_at(const char *s, size_t *len)
{
    const unsigned char *p = (const unsigned char *)s;
    if (p[0] < 0x80) return *len = 1, p[0];
    if (p[0] < 0xe0) return *len = 2, (p[0] & 31u) << 6 | (p[1] & 63u);
    if (p[0] < 0xf0) return *len = 3, (p[0] & 15u) << 12 | (p[1] & 63u) << 6 | (p[2] & 63u);
    *len = 4;
    return (p[0] & 7u) << 18 | (p[1] & 63u) << 12 | (p[2] & 63u) << 6 | (p[3] & 63u);
}
size_t rp_utf8_put(char out[4], uint32_t c); /* bytes written */
bool rp_utf8_valid(const char *s, size_t len);
/* Appends s[len] with every maximal ill-formed subpart replaced by U+FFFD. */
rp_status rp_utf8_repair(rp_text *out, const char *s, size_t len, rp_error *err);
bool rp_char_is_space(uint32_t c);   /* White_Space */
bool rp_char_is_word(uint32_t c);    /* \w of Rust's regex crate */
bool rp_char_is_numeric(uint32_t c); /* Nd, Nl, No */
bool rp_char_is_punct(uint32_t c);   /* ASCII punctuation and P* */
bool rp_char_is_mark(uint32_t c);    /* M* */
/* The visible character that stands for a byte in byte-level vocabularies (GPT-2's table). */
uint32_t rp_byte_char(unsigned char byte);
/* Appends every byte of s as its visible character. */
rp_status rp_byte_chars(rp_text *out, const char *s, size_t len, rp_error *err);

/* ---- JSON ----------------------------------------------------------------------------------- */

/* A member of an object: NULL when it is absent or null. */
const json_t *rp_json_member(const json_t *object, const char *key);
/* *value <- a boolean member, `fallback` when it is absent or null; RP_EFORMAT for other types. */
rp_status rp_json_bool(const json_t *object, const char *key, bool fallback, bool *value,
                       const char *path, rp_error *err);
/* *value <- a string member, NULL when it is absent or null. */
rp_status rp_json_string(const json_t *object, const char *key, const char **value,
                         const char *path, rp_error *err);

/* ---- strings to ids (dict.c) ------------------------------------------------------ */

typedef struct rp_dict_entry {
    uint32_t at, len; /* the key, in the dictionary's text; NUL-terminated there */
    uint32_t hash;
    int32_t id; /* -1: the slot is empty */
    bool whole; /* BPE turns this word into this id alone */
} rp_dict_entry;
typedef struct rp_dict {
    rp_dict_entry *slot;
    size_t n, cap; /* entries, slots (a power of two) */
    rp_text text;
} rp_dict;
void rp_dict_release(rp_dict *dict);
rp_status rp_dict_reserve(rp_dict *dict, size_t n, rp_error *err);
/* Inserts; an existing key gets the new id. */
rp_status rp_dict_put(rp_dict *dict, const char *key, size_t len, int32_t id, rp_error *err);
rp_dict_entry *rp_dict_find(const rp_dict *dict, const char *key, size_t len); /* NULL: absent */
int32_t rp_dict_id(const rp_dict *dict, const char *key, size_t len);          /* -1: absent */

/* ---- patterns (pattern.c) --------------------------------------------------------- */

typedef struct rp_pattern rp_pattern;
/* regex: an Oniguruma (Ruby syntax) pattern; literal: the text itself. */
rp_status rp_pattern_new(rp_pattern **pattern, const char *text, size_t len, bool literal,
                         const char *path, rp_error *err);
/* The same from {"String": ...} or {"Regex": ...}; `owner` is the part that has it. */
rp_status rp_pattern_from_json(rp_pattern **pattern, const json_t *json, const char *owner,
                               const char *path, rp_error *err);
void rp_pattern_free(rp_pattern *pattern);
/* Walks over the matches in text[len] as Rust's onig crate does. match is scratch, shared by all
 * patterns of a call: NULL at first, released by rp_match_free. */
typedef struct rp_search_state {
    size_t at, last; /* next place to look at; end of the last match, SIZE_MAX for none */
} rp_search_state;
rp_status rp_pattern_next(const rp_pattern *pattern, void **match, rp_search_state *state,
                          const char *text, size_t len, size_t *start, size_t *end, bool *found,
                          rp_error *err);
void rp_match_free(void *match);

/* ---- normalisers (normal.c) ------------------------------------------------------- */

typedef struct rp_normalizer rp_normalizer;
/* json NULL: no normaliser, *normalizer is NULL, which every function accepts. */
rp_status rp_normalizer_new(rp_normalizer **normalizer, const json_t *json, const char *path,
                            rp_error *err);
void rp_normalizer_free(rp_normalizer *normalizer);
/* Normalises text in place; spare is scratch. *start: does the text begin where the original does?
 * Becomes false when the beginning is removed. */
rp_status rp_normalizer_apply(const rp_normalizer *normalizer, rp_text *text, rp_text *spare,
                              void **match, bool *start, rp_error *err);
/* NFC, NFD, NFKC or NFKD of s[len], appended (unicode.c). */
rp_status rp_unicode_normalize(rp_text *out, const char *s, size_t len, bool compose, bool compat,
                               rp_error *err);

/* ---- pre-tokenizers (split.c) ----------------------------------------------------- */

typedef struct rp_slice {
    size_t at, len;
    bool start; /* begins where the original text does */
} rp_slice;
/* The words of a text on their way: slices of base, which is the caller's or one of text[2]. */
typedef struct rp_slices {
    const char *base;
    rp_slice *slice, *next;
    size_t n, cap, nnext, next_cap;
    rp_text text[2];
    struct rp_slice_run *run;
    size_t nrun, run_cap;
    void *match;
} rp_slices;
void rp_slices_release(rp_slices *s);

typedef struct rp_splitter rp_splitter;
/* json NULL: none. *bytes: the last step maps bytes to visible characters; the splitter leaves that
 * out and its words are raw bytes, which BPE looks up as such. */
rp_status rp_splitter_new(rp_splitter **splitter, bool *bytes, const json_t *json, const char *path,
                          rp_error *err);
void rp_splitter_free(rp_splitter *splitter);
/* s->slice[0..n) <- the words of base[len]; start as in rp_slice. */
rp_status rp_splitter_apply(const rp_splitter *splitter, rp_slices *s, const char *base, size_t len,
                            bool start, rp_error *err);

/* ---- the model (bpe.c, merge.c) ----------------------------------------- */

typedef struct rp_merge {
    int32_t left, right, id; /* left -1: empty */
    uint32_t rank;
} rp_merge;
typedef struct rp_bpe {
    rp_dict pieces;      /* as the file spells them */
    rp_dict raw;         /* bytes: as they occur in a text, else unused */
    const rp_dict *word; /* the one of the two that words are looked up in */
    bool bytes;
    rp_merge *merge;
    size_t merge_cap;
    int32_t single[256]; /* bytes: id of every byte; else of every ASCII character; -1: none */
    char *unk, *prefix, *suffix; /* NULL: none */
    int32_t unk_id;              /* -1: not in the vocabulary */
    bool fuse_unk, byte_fallback, ignore_merges;
    bool plain; /* neither prefix nor suffix */
    bool cut;   /* no merge reaches over the beginning of a run of U+2581: words are cut there */
    int32_t byte_id[256]; /* of "<0x00>" ... "<0xFF>"; -1: none */
} rp_bpe;
rp_status rp_bpe_new(rp_bpe **bpe, const json_t *json, bool bytes, const char *path, rp_error *err);
void rp_bpe_free(rp_bpe *bpe);
const rp_merge *rp_bpe_merge(const rp_bpe *bpe, int32_t left, int32_t right); /* NULL: none */

typedef struct rp_bpe_scratch {
    rp_ids symbol;
    struct rp_bpe_link *link;
    size_t link_cap;
    struct rp_bpe_job *heap;
    size_t nheap, heap_cap;
} rp_bpe_scratch;
void rp_bpe_scratch_release(rp_bpe_scratch *scratch);
/* Appends the ids of one word. */
rp_status rp_bpe_encode(const rp_bpe *bpe, rp_bpe_scratch *scratch, rp_ids *out, const char *word,
                        size_t len, rp_error *err);
/* The same by merges alone, nothing looked up whole. */
rp_status rp_bpe_merge_word(const rp_bpe *bpe, rp_bpe_scratch *scratch, rp_ids *out,
                            const char *word, size_t len, rp_error *err);

/* ---- added tokens (added.c) ------------------------------------------------------- */

typedef struct rp_added_token {
    const char *content; /* in the dictionary of the added tokens */
    int32_t id;
    bool single_word, lstrip, rstrip, normalized, special;
} rp_added_token;
typedef struct rp_added {
    rp_added_token *token; /* [n] */
    size_t n, cap;
    rp_dict names;                        /* content -> index of the token */
    struct rp_trie *literal, *normalized; /* what is looked for before, after the normaliser */
} rp_added;
/* What a text consists of: added tokens (id >= 0) and the text between them (id -1). */
typedef struct rp_found {
    size_t at, end;
    int32_t id;
} rp_found;
typedef struct rp_found_list {
    rp_found *item;
    size_t n, cap;
} rp_found_list;
rp_status rp_added_init(rp_added *added, const json_t *json, const rp_dict *pieces,
                        const rp_normalizer *normalizer, const char *path, rp_error *err);
void rp_added_release(rp_added *added);
rp_status rp_added_find(const rp_added *added, rp_found_list *out, bool normalized,
                        const char *text, size_t len, rp_error *err);

/* ---- post-processor (template.c) -------------------------------------------------- */

typedef enum rp_template_kind { RP_PIECE_TOKEN, RP_PIECE_A, RP_PIECE_B } rp_template_kind;
typedef struct rp_template_piece {
    rp_template_kind kind;
    int32_t id; /* of a token */
    int32_t segment;
} rp_template_piece;
typedef struct rp_template {
    rp_template_piece *piece; /* [n] */
    size_t n, cap;
} rp_template;
typedef struct rp_postprocessor {
    rp_template single, pair;
    int32_t sep; /* of BERT's and RoBERTa's, else -1 */
    bool given;  /* the file has a template; else the sequences stand alone */
} rp_postprocessor;
rp_status rp_postprocessor_init(rp_postprocessor *post, const json_t *json, const char *path,
                                rp_error *err);
void rp_postprocessor_release(rp_postprocessor *post);
/* The special token of role "bos" (first of the single template), "eos" (last) or "sep"; -1. */
int32_t rp_postprocessor_special(const rp_postprocessor *post, const char *role);

#endif
