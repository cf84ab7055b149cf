/*
 * The parts of a tokenizer, internal to this folder. A text goes through them in this
 * order: added tokens are cut out (as written), the rest is normalised, added tokens are cut out
 * again (as normalised), the pre-tokenizer cuts the rest into words, the lexicon (BPE, WordPiece or
 * Unigram) turns each word into ids, and the post-processor puts its special tokens around them.
 * Each part is const once built and follows the Rust crate `tokenizers` 0.23 to the letter; what a
 * part does not support it refuses by name (RP_EFORMAT). All but the lexicon are built from the
 * JSON of tokenizer.json; for other files that JSON is made up (classes.c).
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
/* Bytes of a piece where words are cut along pieces, or pieces themselves: the time that takes. */
#define RP_LENGTH_LIMIT ((size_t)1024)

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
bool rp_char_is_accent(uint32_t c);  /* Mn */
bool rp_char_is_control(uint32_t c); /* C*, without tab, newline, carriage return */
/* The visible character that stands for a byte in byte-level vocabularies (GPT-2's table). */
uint32_t rp_byte_char(unsigned char byte);
/* Appends every byte of s as its visible character. */
rp_status rp_byte_chars(rp_text *out, const char *s, size_t len, rp_error *err);

/* Base64 with its padding (base64.c), appended; false: s[len] is not base64, or no memory. */
rp_status rp_base64_encode(rp_text *out, const void *data, size_t len, rp_error *err);
bool rp_base64_decode(rp_text *out, const char *s, size_t len);

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

/* SentencePiece's precompiled charsmap of the normaliser "Precompiled" (charsmap.c); data[size] is
 * copied. The trie is checked where a text leads to. */
typedef struct rp_charsmap rp_charsmap;
rp_status rp_charsmap_new(rp_charsmap **charsmap, const void *data, size_t size, const char *path,
                          rp_error *err);
void rp_charsmap_free(rp_charsmap *map);
rp_status rp_charsmap_apply(const rp_charsmap *map, rp_text *out, const char *text, size_t len,
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
/* json NULL: none. *bytes: may words be raw bytes? It stays true where the last step maps bytes to
 * visible characters; the splitter leaves that out and its words are raw bytes. */
rp_status rp_splitter_new(rp_splitter **splitter, bool *bytes, const json_t *json, const char *path,
                          rp_error *err);
void rp_splitter_free(rp_splitter *splitter);
/* s->slice[0..n) <- the words of base[len]; start as in rp_slice. */
rp_status rp_splitter_apply(const rp_splitter *splitter, rp_slices *s, const char *base, size_t len,
                            bool start, rp_error *err);

/* ---- tries (trie.c) --------------------------------------------------------------- */

/* Edges in one hash table; the root's, where every search begins, apart. Nodes are numbers. */
typedef struct rp_trie_edge {
    uint32_t key;  /* node << 8 | byte */
    uint32_t node; /* it leads to; 0: there is no such edge */
    int32_t value; /* of the key that ends there; -1: none does */
} rp_trie_edge;
typedef struct rp_trie {
    rp_trie_edge root[256];
    rp_trie_edge *edge;
    size_t n, cap; /* edges in use, slots (a power of two) */
    unsigned shift;
} rp_trie;
rp_trie *rp_trie_new(void); /* NULL: no memory */
void rp_trie_free(rp_trie *trie);
/* value >= 0. A key that is there keeps its value; the empty key is ignored. */
rp_status rp_trie_put(rp_trie *trie, const char *key, size_t len, int32_t value, rp_error *err);
/* The edge from a node (0: the root) by a byte; NULL: none. */
static inline const rp_trie_edge *rp_trie_step(const rp_trie *trie, uint32_t node,
                                               unsigned char byte)
{
    if (!node) return trie->root[byte].node ? &trie->root[byte] : NULL;
    if (!trie->n) return NULL;
    uint32_t key = node << 8 | byte;
    for (size_t i = (key * 0x9e3779b1u) >> trie->shift;; i = (i + 1) & (trie->cap - 1)) {
        const rp_trie_edge *e = &trie->edge[i];
        if (!e->node) return NULL;
        if (e->key == key) return e;
    }
}
/* The value of the longest key at the beginning of s[len], *match its length; -1: none. */
int32_t rp_trie_longest(const rp_trie *trie, const char *s, size_t len, size_t *match);

/* ---- the lexicon (lexicon.c): words to ids ---------------------------------------- */

typedef struct rp_scratch {
    rp_ids symbol;
    struct rp_bpe_link *link;
    size_t link_cap;
    struct rp_bpe_job *heap;
    size_t nheap, heap_cap;
    struct rp_unigram_node *node;
    size_t node_cap;
} rp_scratch;
void rp_scratch_release(rp_scratch *scratch);

/* The first member of rp_bpe, rp_wordpiece and rp_unigram. */
typedef struct rp_lexicon rp_lexicon;
typedef struct rp_lexicon_kind {
    void (*release)(rp_lexicon *lexicon); /* what is the kind's own */
    /* Appends the ids of one word, which is valid UTF-8 (of bytes of it) and not empty. */
    rp_status (*encode)(const rp_lexicon *lexicon, rp_scratch *scratch, rp_ids *out,
                        const char *word, size_t len, rp_error *err);
} rp_lexicon_kind;
struct rp_lexicon {
    const rp_lexicon_kind *kind;
    rp_dict pieces; /* as the file spells them */
    char *unk;      /* NULL: none */
    int32_t unk_id; /* -1: none, or not in the vocabulary */
};
/* May words be raw bytes where the file means visible ones? BPE's may. */
bool rp_lexicon_takes_bytes(const json_t *json);
/* bytes: as in rp_splitter_new. */
rp_status rp_lexicon_from_json(rp_lexicon **lexicon, const json_t *json, bool bytes,
                               const char *path, rp_error *err);
void rp_lexicon_free(rp_lexicon *lexicon);
rp_status rp_lexicon_encode(const rp_lexicon *lexicon, rp_scratch *scratch, rp_ids *out,
                            const char *word, size_t len, rp_error *err);
/* For the kinds: {"piece": id, ...} of a model into pieces; a string member, copied (NULL: none).
 */
rp_status rp_lexicon_read_vocabulary(rp_lexicon *lexicon, const json_t *model, const char *path,
                                     rp_error *err);
rp_status rp_lexicon_read_text(char **text, const json_t *model, const char *key, const char *path,
                               rp_error *err);
/* Appends the id of unk; RP_EFORMAT where there is none, which the second says. */
rp_status rp_lexicon_push_unk(const rp_lexicon *lexicon, rp_ids *out, rp_error *err);
rp_status rp_lexicon_fail_unk(const rp_lexicon *lexicon, rp_error *err);

/* A piece of a vocabulary that is a list: its place is its id. */
typedef struct rp_piece {
    const char *text; /* [len], valid UTF-8 */
    size_t len;
    double score;
    int type; /* SentencePiece's */
} rp_piece;
enum { /* of a SentencePiece */
       RP_PIECE_NORMAL = 1,
       RP_PIECE_UNKNOWN,
       RP_PIECE_CONTROL,
       RP_PIECE_USER_DEFINED,
       RP_PIECE_UNUSED,
       RP_PIECE_BYTE
};

/* ---- BPE (bpe.c, derive.c, merge.c) ----------------------------------------------- */

typedef struct rp_merge {
    int32_t left, right, id; /* left -1: empty */
    uint32_t rank;
} rp_merge;
typedef struct rp_bpe {
    rp_lexicon base;
    rp_dict raw;         /* bytes: the pieces as they occur in a text, else unused */
    const rp_dict *word; /* raw or the pieces: where words are looked up */
    bool bytes;
    rp_merge *merge;
    size_t merge_cap;
    int32_t single[256];   /* bytes: id of every byte; else of every ASCII character; -1: none */
    char *prefix, *suffix; /* NULL: none */
    bool fuse_unk, byte_fallback, ignore_merges;
    bool plain; /* neither prefix nor suffix */
    bool cut;   /* no merge reaches over the beginning of a run of U+2581: words are cut there */
    int32_t byte_id[256]; /* of "<0x00>" ... "<0xFF>"; -1: none */
} rp_bpe;
rp_status rp_bpe_from_json(rp_lexicon **lexicon, const json_t *json, bool bytes, const char *path,
                           rp_error *err);
/* Merges of a vocabulary that does not list them: every piece that is two others is a merge of
 * them. Pieces merge in the order of their ids or, by_score, highest score first; two ways to one
 * piece, in the order of the cut or, by_left, of the id of the left half. */
typedef struct rp_derive_options {
    bool bytes; /* the pieces are visible bytes */
    bool fuse_unk, byte_fallback, ignore_merges;
    bool by_score, by_left;
    bool normal_only; /* only pieces of type RP_PIECE_NORMAL merge */
    const char *unk;  /* NULL: none */
} rp_derive_options;
rp_status rp_bpe_derive(rp_lexicon **lexicon, const rp_piece *piece, size_t n,
                        const rp_derive_options *options, const char *path, rp_error *err);
/* For derive.c: an empty one; room for n merges; one merge, into the piece made[len]; the end. */
rp_bpe *rp_bpe_new(bool bytes);
rp_status rp_bpe_reserve(rp_bpe *bpe, size_t n, const char *path, rp_error *err);
void rp_bpe_put(rp_bpe *bpe, rp_merge merge, const char *made, size_t len);
rp_status rp_bpe_finish(rp_bpe *bpe, rp_error *err);
const rp_merge *rp_bpe_merge(const rp_bpe *bpe, int32_t left, int32_t right); /* NULL: none */

rp_status rp_bpe_encode(const rp_lexicon *lexicon, rp_scratch *scratch, rp_ids *out,
                        const char *word, size_t len, rp_error *err);
/* The same by merges alone, nothing looked up whole. */
rp_status rp_bpe_merge_word(const rp_bpe *bpe, rp_scratch *scratch, rp_ids *out, const char *word,
                            size_t len, rp_error *err);

/* ---- WordPiece (wordpiece.c) ------------------------------------------------------ */

rp_status rp_wordpiece_from_json(rp_lexicon **lexicon, const json_t *json, const char *path,
                                 rp_error *err);
/* From the lines of a vocab.txt, data[size]: a line is a piece, its number from 0 the id. */
rp_status rp_wordpiece_from_lines(rp_lexicon **lexicon, const char *data, size_t size,
                                  const char *unk, const char *path, rp_error *err);

/* ---- Unigram (unigram.c) ---------------------------------------------------------- */

rp_status rp_unigram_from_json(rp_lexicon **lexicon, const json_t *json, const char *path,
                               rp_error *err);
/* unk_id -1: none. */
rp_status rp_unigram_from_pieces(rp_lexicon **lexicon, const rp_piece *piece, size_t n,
                                 int32_t unk_id, bool byte_fallback, const char *path,
                                 rp_error *err);

/* ---- added tokens (added.c) ------------------------------------------------------- */

typedef struct rp_added_token {
    const char *content; /* in the dictionary of the added tokens */
    int32_t id;
    bool single_word, lstrip, rstrip, normalized, special;
} rp_added_token;
typedef struct rp_added {
    rp_added_token *token; /* [n] */
    size_t n, cap;
    rp_dict names;                 /* content -> index of the token */
    rp_trie *literal, *normalized; /* what is looked for before, after the normaliser */
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
/* From two lists of "A", "B" and names of roles, "cls A sep B:1 sep:1", where :1 is a segment; the
 * tokens of roles [n] have these ids, -1: left out. */
rp_status rp_postprocessor_from_spec(rp_postprocessor *post, const char *single, const char *pair,
                                     const char *const *role, const int32_t *id, size_t n,
                                     rp_error *err);
void rp_postprocessor_release(rp_postprocessor *post);
/* The special token of role "bos" (first of the single template), "eos" (last) or "sep"; -1. */
int32_t rp_postprocessor_special(const rp_postprocessor *post, const char *role);

/* ---- the tokenizer (open.c, tokenizer.c) ------------------------------------------ */

enum { RP_BOS, RP_EOS, RP_SEP, RP_UNK, RP_PAD, RP_CLS, RP_MASK, RP_NROLES };
extern const char *const rp_role_names[RP_NROLES]; /* "bos" ... */

struct rp_tokenizer {
    char *path; /* of the file that was read */
    rp_normalizer *normalizer;
    rp_splitter *splitter;
    rp_lexicon *lexicon;
    rp_added added;
    rp_postprocessor post;
    const char **piece; /* [size], NULL: no such id */
    size_t size;
    int32_t special[RP_NROLES]; /* -1: none */
};

#endif
