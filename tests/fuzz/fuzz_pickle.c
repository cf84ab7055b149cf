/* The bytes as the pickle of a state dict, without the archive around it. */
#include <stdlib.h>

#include "model/statedict.h"
#include "support/fuzz.h"

int rp_fuzz_one(const uint8_t *data, size_t n)
{
    rp_error err;
    rp_pickled *tensors;
    size_t count;
    unsigned sum = 0;
    if (rp_statedict_read(&tensors, &count, data, n, "x.bin", &err) == RP_OK) {
        for (size_t i = 0; i < count; i++) {
            for (size_t k = 0; k < tensors[i].name_len; k++) sum += (uint8_t)tensors[i].name[k];
            for (size_t k = 0; k < tensors[i].key_len; k++) sum += (uint8_t)tensors[i].key[k];
        }
    }
    free(tensors);
    return sum == 0xffffffffu;
}
