/*
 * adapter_config.json of a LoRA adapter, as PEFT 0.3 to 0.21 write it: which modules are adapted,
 * by what rank and scale. The one thing to know: a key that would change the numbers and is not
 * supported is refused by its name when it is set, and so is every key that is not known.
 *
 * Source: peft/tuners/tuners_utils.py (check_target_module_exists), peft/utils/other.py
 * (get_pattern_key), peft/tuners/lora/layer.py (scaling).
 */
#ifndef RP_MODEL_LORA_CONFIG_H
#define RP_MODEL_LORA_CONFIG_H

#include "base/error.h"

typedef struct rp_lora_config rp_lora_config;

/* dir/adapter_config.json. RP_EFORMAT: "'<path>': key '<key>' ..." */
rp_status rp_lora_config_open(rp_lora_config **config, const char *dir, rp_error *err);
void rp_lora_config_free(rp_lora_config *config);

const char *rp_lora_config_base(const rp_lora_config *config); /* NULL: none is named */
size_t rp_lora_config_rank(const rp_lora_config *config);      /* r, lora_alpha: of most modules */
double rp_lora_config_alpha(const rp_lora_config *config);
bool rp_lora_config_root_scaled(const rp_lora_config *config);  /* alpha / sqrt(r), not alpha / r */
uint64_t rp_lora_config_checksum(const rp_lora_config *config); /* of the file's bytes */

/* Whether PEFT adapts the linear module of that name ("model.layers.0.mlp.up_proj"). RP_EFORMAT: a
 * pattern that does not come to an end. */
rp_status rp_lora_config_targets(const rp_lora_config *config, bool *targeted, const char *module,
                                 rp_error *err);
/* Its rank, and the factor of B A. */
rp_status rp_lora_config_scale(const rp_lora_config *config, size_t *rank, double *scale,
                               const char *module, rp_error *err);

#endif
