#ifndef RP_MODEL_ADAPTER_H
#define RP_MODEL_ADAPTER_H
#include "base/safetensors.h"
typedef struct rp_lora {
    const rp_tensor *a, *b;
    float scale;
} rp_lora;
typedef struct rp_adapter rp_adapter;
bool rp_adapter_is(const char *dir);
rp_status rp_adapter_open(rp_adapter **adapter, const char *dir, rp_error *err);
void rp_adapter_free(rp_adapter *adapter);
const char *rp_adapter_dir(const rp_adapter *adapter);
const char *rp_adapter_base(const rp_adapter *adapter);
rp_status rp_adapter_take(rp_adapter *adapter, rp_lora *lora, const char *prefix,
                          const char *module, size_t N, size_t K, rp_error *err);
const rp_tensor *rp_adapter_saved(rp_adapter *adapter, const char *prefix, const char *name,
                                  const char **path);
rp_status rp_adapter_check(const rp_adapter *adapter, rp_error *err);
uint64_t rp_adapter_fingerprint(const rp_adapter *adapter);
size_t rp_adapter_parameters(const rp_adapter *adapter);
#endif
