/*
 * The files of a checkpoint and the tensors in them: model.safetensors, or the shards that
 * model.safetensors.index.json names, mapped. Names are unique over all files. Which tensor is what
 * part of a model is weights.h's business.
 */
#ifndef RP_MODEL_CHECKPOINT_H
#define RP_MODEL_CHECKPOINT_H

#include "base/safetensors.h"

typedef struct rp_checkpoint {
    size_t nshards;
    rp_safetensors **shard; /* [nshards] */
} rp_checkpoint;

/* RP_EIO: the directory has no checkpoint; RP_EFORMAT names file and tensor. */
rp_status rp_checkpoint_open(rp_checkpoint *checkpoint, const char *dir, rp_error *err);
void rp_checkpoint_release(rp_checkpoint *checkpoint);
/* The tensor of that name, NULL: absent; *path (may be NULL) is the file that holds it. */
const rp_tensor *rp_checkpoint_find(const rp_checkpoint *checkpoint, const char *name,
                                    const char **path);

size_t rp_checkpoint_count(const rp_checkpoint *checkpoint);
const rp_tensor *rp_checkpoint_at(const rp_checkpoint *checkpoint, size_t i, const char **path);

#endif
