/*
 * A LoRA adapter as PEFT saves it: adapter_config.json and adapter_model.safetensors or .bin. The
 * one thing to know: the adapter waits to be asked, module by module of the base model, and
 * rp_adapter_check says in the end what nobody asked for.
 *
 * A module W [N, K] becomes W + scale B A. Its name has two parts, as its owner knows it: a prefix
 * that the family's bare model has not ("model."), and the rest ("layers.0.self_attn.q_proj"). PEFT
 * names it by either, depending on the class that was trained; both are looked for.
 *
 * Source: peft/tuners/lora/layer.py (get_delta_weight), peft/utils/save_and_load.py (names).
 */
#ifndef RP_MODEL_ADAPTER_H
#define RP_MODEL_ADAPTER_H

#include "base/safetensors.h"

typedef struct rp_lora {
    const rp_tensor *a, *b; /* [r, K], [N, r], F32, F16 or BF16; NULL: the module stays as it is */
    float scale;            /* lora_alpha / r, or / sqrt(r) */
} rp_lora;

typedef struct rp_adapter rp_adapter;

bool rp_adapter_is(const char *dir); /* has adapter_config.json */
/* RP_EFORMAT names key or tensor: not LoRA, a variant of it that is not supported. */
rp_status rp_adapter_open(rp_adapter **adapter, const char *dir, rp_error *err);
void rp_adapter_free(rp_adapter *adapter);

/* For people. */
typedef struct rp_adapter_info {
    size_t rank; /* r and lora_alpha as configured: single modules may have others */
    double alpha;
    bool root_scaled;      /* use_rslora */
    size_t modules, saved; /* adapted modules; tensors that replace the base's */
    uint64_t parameters;
    const char *dtype; /* "F32" ..., of the first tensor */
} rp_adapter_info;
const rp_adapter_info *rp_adapter_about(const rp_adapter *adapter);
const char *rp_adapter_dir(const rp_adapter *adapter);
const char *rp_adapter_base(const rp_adapter *adapter); /* base_model_name_or_path, NULL: none */
uint64_t rp_adapter_parameters(const rp_adapter *adapter);
/* Of adapter_config.json's bytes and of names, shapes, dtypes and bytes of all tensors. */
uint64_t rp_adapter_fingerprint(const rp_adapter *adapter);

/* *lora <- the update of the linear module prefix + module, [N, K]. RP_EFORMAT: its shapes do not
 * fit (all of them are in the message), A without B, the configuration names the module but the
 * file lacks it, or the other way round. */
rp_status rp_adapter_take(rp_adapter *adapter, rp_lora *lora, const char *prefix,
                          const char *module, size_t N, size_t K, rp_error *err);
/* The tensor prefix + name ("score.weight", "classifier.bias") that replaces the base's, of a
 * module of modules_to_save; NULL: none. Its shape and dtype are not checked. *path (may be NULL)
 * is its file. */
const rp_tensor *rp_adapter_saved(rp_adapter *adapter, const char *prefix, const char *name,
                                  const char **path);
/* RP_EFORMAT names the first tensor that nobody took: an adapter for another architecture. */
rp_status rp_adapter_check(const rp_adapter *adapter, rp_error *err);

#endif
