/* A SentencePiece model as its file has it. Texts point into the file's bytes. */
#ifndef RP_TOKENIZER_SPM_H
#define RP_TOKENIZER_SPM_H

#include "tokenizer/parts.h"

enum { RP_SPM_UNIGRAM = 1, RP_SPM_BPE };

typedef struct rp_slice_text {
    const char *data; /* [len], no NUL behind it */
    size_t len;
} rp_slice_text;

typedef struct rp_spm {
    const char *path;
    rp_piece *piece; /* [n], place = id; valid UTF-8, finite scores */
    size_t n, cap;
    int model_type; /* RP_SPM_UNIGRAM or RP_SPM_BPE */
    bool byte_fallback, space_is_suffix;
    int32_t unk_id, bos_id, eos_id; /* negative: none. May lie outside the pieces */
    rp_slice_text unk, bos, eos;    /* their pieces */
    rp_slice_text charsmap;         /* of the normaliser; len 0: none */
    bool dummy_prefix, remove_spaces, escape_spaces;
} rp_spm;
/* data[size] is used until rp_spm_release, which also follows a failure. */
rp_status rp_spm_read(rp_spm *spm, const char *data, size_t size, const char *path, rp_error *err);
void rp_spm_release(rp_spm *spm);

#endif
