#include "support/fuzz.h"
#include "tokenizer/tokenizer.h"

/* The bytes are a tokenizer.json; it encodes a few texts, the last of which are the bytes. */
int rp_fuzz_one(const uint8_t *data, size_t n)
{
    static const char texts[][48] = {"", "a b  ab<s>abab aa-b  1.5",
                                     "\xc3\xa9\xf0\x9f\x98\x80\xff \xe2\x96\x81",
                                     "It's\r\n\n ab\xcc\x81 \xe4\xb8\xad A"};
    rp_error err;
    rp_tokenizer *tok = NULL;
    rp_ids ids = {0}, out = {0}, segment = {0};
    rp_span spans[2];
    if (rp_tokenizer_open(&tok, rp_fuzz_file(data, n), &err)) return 0;
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
    return 0;
}
