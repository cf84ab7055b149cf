/*
 * safetensors: read by mapping, written whole. Every size and offset of a header is checked against
 * the file before it is used: overlapping, overflowing or out-of-file tensors are RP_EFORMAT.
 */
#ifndef RP_BASE_SAFETENSORS_H
#define RP_BASE_SAFETENSORS_H

#include <stdio.h>

#include "base/io.h"

typedef enum rp_dtype {
    RP_F32,
    RP_F16,
    RP_BF16,
    RP_I8,
    RP_U8,
    RP_I32,
    RP_I64,
    RP_F64,
    RP_BOOL,
    RP_I16,
    RP_U16,
    RP_U32,
    RP_U64,
    RP_F8_E4M3,
    RP_F8_E5M2
} rp_dtype;
size_t rp_dtype_size(rp_dtype dtype);
const char *rp_dtype_name(rp_dtype dtype); /* "F32" ... as in the header */

#define RP_TENSOR_RANK 4
typedef struct rp_tensor {
    const char *name;
    rp_dtype dtype;
    size_t rank, shape[RP_TENSOR_RANK];
    size_t count;     /* elements */
    const void *data; /* in the mapping; may be unaligned for its type */
} rp_tensor;

typedef struct rp_safetensors rp_safetensors;
rp_status rp_safetensors_open(rp_safetensors **st, const char *path, rp_error *err);
void rp_safetensors_free(rp_safetensors *st);
size_t rp_safetensors_count(const rp_safetensors *st);
const rp_tensor *rp_safetensors_at(const rp_safetensors *st, size_t i);
const rp_tensor *rp_safetensors_find(const rp_safetensors *st, const char *name); /* NULL: absent */
const char *rp_safetensors_path(const rp_safetensors *st);
/* Hands the mapping over: the data of the tensors stay valid until the caller releases it, whether
 * st lives or not. */
rp_mapping rp_safetensors_take(rp_safetensors *st);

/* Writes header and tensors (data contiguous, little endian) to file in the given order, the header
 * padded to 8 bytes; metadata is a "key", "value", ..., NULL list or NULL. A write that fails shows
 * in ferror(file): the caller commits, and rp_out_commit() says it with the file's name. */
rp_status rp_safetensors_write(FILE *file, const rp_tensor *tensors, size_t n,
                               const char *const *metadata, rp_error *err);

#endif
