#include "fuzz/tokenize.h"

/* The bytes are the tokenizer_config.json, special_tokens_map.json and added_tokens.json beside a
 * vocab.txt. */
int rp_fuzz_one(const uint8_t *data, size_t n)
{
    static const char pieces[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n##b\n##a\n<s>\n";
    const char *dir = rp_fuzz_dir_file("vocab.txt", (const uint8_t *)pieces, sizeof pieces - 1);
    rp_fuzz_dir_file("tokenizer_config.json", data, n);
    rp_fuzz_dir_file("special_tokens_map.json", data, n);
    rp_fuzz_dir_file("added_tokens.json", data, n);
    tokenize_file(dir, "vocab.txt", data, n);
    return 0;
}
