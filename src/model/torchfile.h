/*
 * A .bin checkpoint of torch.save (torch >= 1.6): a zip archive of a pickle and of one uncompressed
 * file a storage. Read by mapping, as safetensors are; the tensors point into the file. The one
 * thing to know: nothing in it is executed (statedict.h), and no place or size is believed that the
 * file does not bear out.
 *
 * Refused by name: entries that are compressed or encrypted, archives of another byte order,
 * TorchScript, tensors that are not row-major, and the format of torch < 1.6.
 */
#ifndef RP_MODEL_TORCHFILE_H
#define RP_MODEL_TORCHFILE_H

#include "base/safetensors.h"

typedef struct rp_torchfile rp_torchfile;
rp_status rp_torchfile_open(rp_torchfile **file, const char *path, rp_error *err);
void rp_torchfile_free(rp_torchfile *file);
size_t rp_torchfile_count(const rp_torchfile *file);
const rp_tensor *rp_torchfile_at(const rp_torchfile *file, size_t i); /* in the pickle's order */
const rp_tensor *rp_torchfile_find(const rp_torchfile *file, const char *name); /* NULL: absent */
const char *rp_torchfile_path(const rp_torchfile *file);

#endif
