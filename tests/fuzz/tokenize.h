/* What the fuzz targets of tokenizers do with one that opened: it encodes a few texts, the last of
 * which are the bytes, and every id must have a piece. */
#ifndef RP_TESTS_FUZZ_TOKENIZE_H
#define RP_TESTS_FUZZ_TOKENIZE_H

#include <stdio.h>

#include "support/fuzz.h"
#include "tokenizer/tokenizer.h"

static inline void tokenize_all(rp_tokenizer *tok, const uint8_t *data, size_t n)
{
    static const char texts[][48] = {
        "", "a b  ab<s>abab aa-b  1.5", "\xc3\xa9\xf0\x9f\x98\x80\xff \xe2\x96\x81",
        "It's\r\n\n ab\xcc\x81 \xe4\xb8\xad A", "<own>que \xef\xac\x81"};
    rp_error err;
    rp_ids ids = {0}, out = {0}, segment = {0};
    rp_span spans[2];
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        (void)rp_tokenizer_encode(tok, &ids, texts[i], sizeof texts[i], &err);
    (void)rp_tokenizer_encode(tok, &ids, (const char *)data, n < 512 ? n : 512, &err);
    for (size_t i = 0; i < ids.n; i++)
        if (!rp_tokenizer_piece(tok, ids.id[i])) __builtin_trap();
    (void)rp_tokenizer_assemble(tok, &out, spans, &segment, ids.id, ids.n, ids.id, ids.n, &err);
    (void)rp_tokenizer_find(tok, "ab");
    rp_ids_release(&ids);
    rp_ids_release(&out);
    rp_ids_release(&segment);
    rp_tokenizer_free(tok);
}

/* The file `name` of the directory. */
static inline void tokenize_file(const char *dir, const char *name, const uint8_t *data, size_t n)
{
    char path[4096];
    rp_error err;
    rp_tokenizer *tok;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    if (!rp_tokenizer_open(&tok, path, &err)) tokenize_all(tok, data, n);
}

#endif
