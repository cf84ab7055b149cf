#include "base/safetensors.h"
#include "support/fuzz.h"

int rp_fuzz_one(const uint8_t *data, size_t n)
{
    rp_error err;
    rp_safetensors *st;
    unsigned sum = 0;
    if (rp_safetensors_open(&st, rp_fuzz_file(data, n), &err) == RP_OK) {
        for (size_t i = 0; i < rp_safetensors_count(st); i++) {
            const rp_tensor *t = rp_safetensors_at(st, i);
            const unsigned char *bytes = t->data;
            for (size_t k = 0; k < t->count * rp_dtype_size(t->dtype); k++) sum += bytes[k];
        }
    }
    rp_safetensors_free(st);
    return sum == 0xffffffffu;
}
