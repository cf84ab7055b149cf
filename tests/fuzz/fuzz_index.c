/* The bytes as model.safetensors.index.json beside one shard that holds tensor "a". */
#include <string.h>

#include "model/weights.h"
#include "support/fuzz.h"

int rp_fuzz_one(const uint8_t *data, size_t n)
{
    static const char shard[] = "\x40\0\0\0\0\0\0\0"
                                "{\"a\": {\"dtype\": \"F32\", \"shape\": [1], "
                                "\"data_offsets\": [0, 4]}}   \0\0\0\0";
    const rp_config config = {.width = 4,
                              .ffn = 6,
                              .layers = 1,
                              .heads = 2,
                              .kv_heads = 1,
                              .head_dim = 2,
                              .vocabulary = 5};
    rp_weights weights;
    rp_fuzz_dir_file("a.safetensors", (const uint8_t *)shard, sizeof shard - 1);
    const char *dir = rp_fuzz_dir_file("model.safetensors.index.json", data, n);
    if (rp_weights_open(&weights, &config, dir, NULL, NULL) == RP_OK) rp_weights_release(&weights);
    return 0;
}
