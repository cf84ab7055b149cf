#include "fuzz/tokenize.h"

/* The bytes are lines of base64 and a rank. */
int rp_fuzz_one(const uint8_t *data, size_t n)
{
    tokenize_file(rp_fuzz_dir_file("tokenizer.model", data, n), "tokenizer.model", data, n);
    return 0;
}
