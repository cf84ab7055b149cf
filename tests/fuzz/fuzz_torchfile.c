/* The bytes as a .bin file of torch.save; every byte of what opens is read. */
#include "model/torchfile.h"
#include "support/fuzz.h"

int rp_fuzz_one(const uint8_t *data, size_t n)
{
    rp_error err;
    rp_torchfile *file;
    unsigned sum = 0;
    if (rp_torchfile_open(&file, rp_fuzz_file(data, n), &err) == RP_OK) {
        for (size_t i = 0; i < rp_torchfile_count(file); i++) {
            const rp_tensor *t = rp_torchfile_at(file, i);
            const unsigned char *bytes = t->data;
            for (size_t k = 0; k < t->count * rp_dtype_size(t->dtype); k++) sum += bytes[k];
        }
    }
    rp_torchfile_free(file);
    return sum == 0xffffffffu;
}
