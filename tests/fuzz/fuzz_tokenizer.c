#include "fuzz/tokenize.h"

/* The bytes are a tokenizer.json. */
int rp_fuzz_one(const uint8_t *data, size_t n)
{
    tokenize_file(rp_fuzz_dir_file("tokenizer.json", data, n), "tokenizer.json", data, n);
    return 0;
}
