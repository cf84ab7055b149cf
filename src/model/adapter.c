/* The interface that weights.c calls; the reader of adapters replaces this file. */
#include "model/adapter.h"
#include "model/locate.h"
#include <string.h>
bool rp_adapter_is(const char *dir)
{
    (void)dir;
    return false;
}
rp_status rp_adapter_open(rp_adapter **adapter, const char *dir, rp_error *err)
{
    (void)adapter;
    (void)dir;
    (void)err;
    return RP_EARG;
}
void rp_adapter_free(rp_adapter *adapter)
{
    (void)adapter;
}
const char *rp_adapter_dir(const rp_adapter *adapter)
{
    (void)adapter;
    return NULL;
}
const char *rp_adapter_base(const rp_adapter *adapter)
{
    (void)adapter;
    return NULL;
}
rp_status rp_adapter_take(rp_adapter *adapter, rp_lora *lora, const char *prefix,
                          const char *module, size_t N, size_t K, rp_error *err)
{
    (void)adapter;
    (void)lora;
    (void)prefix;
    (void)module;
    (void)N;
    (void)K;
    (void)err;
    return RP_OK;
}
const rp_tensor *rp_adapter_saved(rp_adapter *adapter, const char *prefix, const char *name,
                                  const char **path)
{
    (void)adapter;
    (void)prefix;
    (void)name;
    (void)path;
    return NULL;
}
rp_status rp_adapter_check(const rp_adapter *adapter, rp_error *err)
{
    (void)adapter;
    (void)err;
    return RP_OK;
}
uint64_t rp_adapter_fingerprint(const rp_adapter *adapter)
{
    (void)adapter;
    return 0;
}
size_t rp_adapter_parameters(const rp_adapter *adapter)
{
    (void)adapter;
    return 0;
}
rp_status rp_model_locate(char **dir, const char *name, const char *models, rp_error *err)
{
    (void)models;
    (void)err;
    *dir = strdup(name);
    return RP_OK;
}
