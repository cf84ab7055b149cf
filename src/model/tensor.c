#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/number.h"
#include "model/weights.h"

#define DROP_SIZE ((size_t)1 << 20) /* smaller tensors are not worth a system call */

void rp_tensor_read(float *out, const rp_tensor *tensor, size_t at, size_t n)
{
    const unsigned char *bytes =
        (const unsigned char *)tensor->data + at * rp_dtype_size(tensor->dtype);
    if (tensor->dtype == RP_F32) {
        memcpy(out, bytes, n * sizeof *out);
        return;
    }
    uint16_t half[256]; /* bytes may be at an odd address */
    for (size_t i = 0; i < n; i += 256) {
        size_t m = n - i < 256 ? n - i : 256;
        memcpy(half, bytes + i * sizeof *half, m * sizeof *half);
        if (tensor->dtype == RP_F16)
            rp_floats_from_half(out + i, half, m);
        else
            rp_floats_from_bfloat(out + i, half, m);
    }
}

static void advise(const rp_tensor *tensor, int advice)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE),
           bytes = tensor->count * rp_dtype_size(tensor->dtype);
    uintptr_t first = ((uintptr_t)tensor->data + page - 1) / page * page;
    uintptr_t end = ((uintptr_t)tensor->data + bytes) / page * page;
    if (bytes >= DROP_SIZE && end > first) madvise((void *)first, end - first, advice);
}

void rp_tensor_expect(const rp_tensor *tensor)
{
    advise(tensor, MADV_WILLNEED);
}

void rp_tensor_drop(const rp_tensor *tensor)
{
    advise(tensor, MADV_DONTNEED); /* read-only: its pages come back from the file when touched */
}

typedef struct digest {
    const rp_tensor *tensor;
    uint64_t sum;
} digest;

static int by_name(const void *a, const void *b)
{
    return strcmp(((const digest *)a)->tensor->name, ((const digest *)b)->tensor->name);
}

rp_status rp_checkpoint_fingerprint(uint64_t *sum, const rp_checkpoint *checkpoint, uint64_t seed,
                                    rp_error *err)
{
    size_t n = rp_checkpoint_count(checkpoint);
    digest *d = rp_alloc(n, sizeof *d);
    if (!d) return rp_fail_memory(err, n * sizeof *d);
    for (size_t i = 0; i < n; i++) d[i].tensor = rp_checkpoint_at(checkpoint, i, NULL);
#pragma omp parallel for schedule(dynamic, 1)
    for (size_t i = 0; i < n; i++) {
        const rp_tensor *t = d[i].tensor;
        uint64_t shape[RP_TENSOR_RANK + 2] = {(uint64_t)t->dtype, t->rank};
        for (size_t k = 0; k < t->rank; k++) shape[k + 2] = t->shape[k];
        d[i].sum = rp_checksum_bytes(t->name, strlen(t->name), 0);
        d[i].sum = rp_checksum_bytes(shape, sizeof shape, d[i].sum);
        d[i].sum = rp_checksum_bytes(t->data, t->count * rp_dtype_size(t->dtype), d[i].sum);
        rp_tensor_drop(t);
    }
    qsort(d, n, sizeof *d, by_name);
    *sum = seed;
    for (size_t i = 0; i < n; i++) *sum = rp_checksum_bytes(&d[i].sum, sizeof d[i].sum, *sum);
    free(d);
    return RP_OK;
}
