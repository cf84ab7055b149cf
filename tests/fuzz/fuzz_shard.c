/* A shard's safetensors file of any bytes, as f32 and as i8. */
#include "store/shardfile.h"
#include "support/fuzz.h"

int rp_fuzz_one(const uint8_t *data, size_t n)
{
    const rp_store_view view = {"resid_post.all.mean", 3, 0, 1};
    const char *path = rp_fuzz_file(data, n);
    float x[2 * 3];
    rp_error err;

    for (size_t layer = 0; layer < 2; layer++) {
        rp_shardfile_read(path, x, &view, layer, 2, RP_F32, &err);
        rp_shardfile_read(path, x, &view, layer, 2, RP_I8, &err);
    }
    return 0;
}
