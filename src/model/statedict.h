/*
 * A state dict as torch pickles it: names and what tensors are made of. The one thing to know:
 * nothing is executed. What the pickle asks for by name is looked up in a short table (tensors,
 * storages, dtypes, OrderedDict) and refused when it is not there.
 *
 * Source: torch/_utils.py (_rebuild_tensor_v2 and its kin), torch/serialization.py (persistent_id).
 */
#ifndef RP_MODEL_STATEDICT_H
#define RP_MODEL_STATEDICT_H

#include "base/safetensors.h"

/* A tensor as the pickle describes it; nothing is checked against its storage yet. */
typedef struct rp_pickled {
    const char *name; /* [name_len], in the pickle's bytes, as is key */
    size_t name_len;
    const char *key; /* [key_len] of the storage: its file is data/<key> */
    size_t key_len;
    size_t bytes; /* of the storage */
    rp_dtype dtype;
    size_t offset, rank, shape[RP_TENSOR_RANK], stride[RP_TENSOR_RANK]; /* in elements */
} rp_pickled;

/* *tensors [*n] <- the tensors of a state dict in its order, or of the state dict under the key
 * 'state_dict' or 'model'; free(). `path` is for messages. RP_EFORMAT: broken, asks for something
 * else than tensors, or is no dictionary of tensors. */
rp_status rp_statedict_read(rp_pickled **tensors, size_t *n, const unsigned char *pickle,
                            size_t size, const char *path, rp_error *err);

#endif
