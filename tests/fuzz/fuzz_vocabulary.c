#include "fuzz/tokenize.h"

/* The bytes are a vocab.txt. */
int rp_fuzz_one(const uint8_t *data, size_t n)
{
    tokenize_file(rp_fuzz_dir_file("vocab.txt", data, n), "vocab.txt", data, n);
    return 0;
}
