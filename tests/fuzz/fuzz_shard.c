/* A shard's safetensors file of any bytes, as f32 and as i8: what is opened can be read. */
#include "store/shardfile.h"
#include "support/fuzz.h"

int rp_fuzz_one(const uint8_t *data, size_t n)
{
    const rp_store_view view = {"resid_post.all.mean", 3, 0, 1};
    const rp_dtype dtype[2] = {RP_F32, RP_I8};
    const char *path = rp_fuzz_file(data, n);
    float x[2 * 3];
    rp_shardfile *file;
    rp_error err;

    for (size_t i = 0; i < 2; i++) {
        if (rp_shardfile_open(&file, path, &view, 2, dtype[i], &err) != RP_OK) continue;
        for (size_t layer = 0; layer < 2; layer++) {
            rp_shardfile_expect(file, layer);
            rp_shardfile_decode(file, x, layer, 0, 2);
            rp_shardfile_forget(file, layer);
        }
        rp_shardfile_free(file);
    }
    return 0;
}
