/* Keys of a config.json, one by one, with the errors that name them; internal to config*.c. */
#ifndef RP_MODEL_CONFIG_READER_H
#define RP_MODEL_CONFIG_READER_H

#include <jansson.h>

#include "model/config.h"

/* A JSON object that is being read, and what its errors need. */
typedef struct rp_keys {
    const json_t *object;
    const char *path;
    rp_error *err;
} rp_keys;

/* The value of a key; NULL where it is absent or null, which Hugging Face does not distinguish. */
const json_t *rp_keys_value(const rp_keys *in, const char *key);
const char *rp_keys_string(const rp_keys *in, const char *key); /* NULL: absent or no string */
/* RP_EFORMAT: "'path': key 'key' <what>, found <value>"; "is missing" where it is absent. */
rp_status rp_keys_fail(const rp_keys *in, const char *key, const char *what);
/* An integer in 1..limit; `fallback` where it is absent, 0: required. */
rp_status rp_keys_size(const rp_keys *in, size_t *out, const char *key, size_t fallback,
                       size_t limit);
/* A positive finite number; `fallback` where it is absent, 0: required. */
rp_status rp_keys_positive(const rp_keys *in, double *out, const char *key, double fallback);
rp_status rp_keys_bool(const rp_keys *in, bool *out, const char *key, bool fallback);
/* An activation by transformers' names; `fallback` where the key is absent. */
rp_status rp_keys_activation(const rp_keys *in, rp_activation *out, const char *key,
                             const char *fallback);
/* The activation of that name; false: none of ours. */
bool rp_activation_find(rp_activation *out, const char *name);

#define RP_WIDTH_LIMIT ((size_t)1 << 20)
#define RP_FFN_LIMIT ((size_t)1 << 22)
#define RP_LAYERS_LIMIT ((size_t)1 << 12)
#define RP_HEADS_LIMIT ((size_t)1 << 12)
#define RP_HEAD_DIM_LIMIT ((size_t)1 << 12)
#define RP_VOCABULARY_LIMIT ((size_t)1 << 24)
#define RP_POSITIONS_LIMIT ((size_t)1 << 24)

/* One family's keys; family is set already. */
typedef rp_status rp_config_reader(rp_config *config, const rp_keys *in);
rp_config_reader rp_config_read_llama, rp_config_read_mistral, rp_config_read_qwen,
    rp_config_read_neox, rp_config_read_bert, rp_config_read_t5;

#endif
