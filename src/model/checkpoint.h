/*
 * The files of a checkpoint and the tensors in them, mapped, in either container: safetensors, or
 * the .bin files of torch.save. Names are unique over all files. Which tensor is what part of a
 * model is weights.h's business.
 */
#ifndef RP_MODEL_CHECKPOINT_H
#define RP_MODEL_CHECKPOINT_H

#include "base/safetensors.h"

typedef struct rp_checkpoint {
    size_t nshards;
    struct rp_shard *shard; /* [nshards] */
} rp_checkpoint;

/* The first that there is of model.safetensors, the shards that model.safetensors.index.json names,
 * pytorch_model.bin, the shards that pytorch_model.bin.index.json names. RP_EIO: there is none;
 * RP_EFORMAT names file and tensor. */
rp_status rp_checkpoint_open(rp_checkpoint *checkpoint, const char *dir, rp_error *err);
/* One file, *.safetensors or *.bin. */
rp_status rp_checkpoint_open_file(rp_checkpoint *checkpoint, const char *path, rp_error *err);
void rp_checkpoint_release(rp_checkpoint *checkpoint);
/* Tensors are numbered in the order of the files and, within one, of its header. *path (may be
 * NULL) is the file that holds the tensor. */
size_t rp_checkpoint_count(const rp_checkpoint *checkpoint);
const rp_tensor *rp_checkpoint_at(const rp_checkpoint *checkpoint, size_t i, const char **path);
/* The tensor of that name, NULL: absent; *path then stays as it was. */
const rp_tensor *rp_checkpoint_find(const rp_checkpoint *checkpoint, const char *name,
                                    const char **path);
/* Of names, shapes, dtypes and bytes of all tensors, whatever the container, the shards and the
 * threads. */
rp_status rp_checkpoint_fingerprint(uint64_t *sum, const rp_checkpoint *checkpoint, uint64_t seed,
                                    rp_error *err);

#endif
