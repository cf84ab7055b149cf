#include "model/config.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"

#define FILE_LIMIT ((size_t)1 << 20)

/* A JSON object that is being read, and what its errors need. */
typedef struct reader {
    const json_t *object;
    const char *path;
    rp_error *err;
} reader;

/* The value of a key; NULL where it is absent or null, which Hugging Face does not distinguish. */
static const json_t *value_of(const reader *in, const char *key)
{
    const json_t *value = json_object_get(in->object, key);
    return json_is_null(value) ? NULL : value;
}

static rp_status fail_key(const reader *in, const char *key, const char *what)
{
    const json_t *value = value_of(in, key);
    char *found = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    rp_status status = found ? rp_fail(in->err, RP_EFORMAT, "'%s': key '%s' %s, found %.80s",
                                       in->path, key, what, found)
                             : rp_fail(in->err, RP_EFORMAT, "'%s': key '%s' %s", in->path, key,
                                       value ? what : "is missing");
    free(found);
    return status;
}

/* An integer in 1..limit; `fallback` where it is absent, 0: required. */
static rp_status read_size(const reader *in, size_t *out, const char *key, size_t fallback,
                           size_t limit)
{
    const json_t *value = value_of(in, key);
    if (!value && fallback) {
        *out = fallback;
        return RP_OK;
    }
    json_int_t n = json_integer_value(value);
    if (!json_is_integer(value) || n < 1 || (uintmax_t)n > limit) {
        char what[80];
        snprintf(what, sizeof what, "must be an integer from 1 to %zu", limit);
        return fail_key(in, key, what);
    }
    *out = (size_t)n;
    return RP_OK;
}

/* A positive finite number; `fallback` where it is absent, 0: required. */
static rp_status read_positive(const reader *in, double *out, const char *key, double fallback)
{
    const json_t *value = value_of(in, key);
    *out = value ? json_number_value(value) : fallback;
    if ((value && !json_is_number(value)) || !(*out > 0) || !isfinite(*out))
        return fail_key(in, key, "must be a positive number");
    return RP_OK;
}

static rp_status read_bool(const reader *in, bool *out, const char *key)
{
    const json_t *value = value_of(in, key);
    if (value && !json_is_boolean(value)) return fail_key(in, key, "must be true or false");
    *out = json_is_true(value);
    return RP_OK;
}

static rp_status check_architecture(const reader *in)
{
    static const char *const known[] = {"LlamaForCausalLM", "LlamaForSequenceClassification",
                                        "LlamaModel"};
    const json_t *list = value_of(in, "architectures"), *type = value_of(in, "model_type");
    const char *name = json_string_value(json_array_get(list, 0));
    bool found = false;
    if (!list && !type) return fail_key(in, "architectures", "");
    for (size_t i = 0; name && i < sizeof known / sizeof *known; i++)
        found = found || strcmp(name, known[i]) == 0;
    if (list && !found)
        return fail_key(in, "architectures",
                        "must be [\"LlamaForCausalLM\"], "
                        "[\"LlamaForSequenceClassification\"] or [\"LlamaModel\"]");
    if (type && (!json_is_string(type) || strcmp(json_string_value(type), "llama") != 0))
        return fail_key(in, "model_type", "must be \"llama\"");
    return RP_OK;
}

/* Keys that would change the arithmetic. */
static rp_status check_unsupported(const reader *in)
{
    const char *act = json_string_value(value_of(in, "hidden_act"));
    if (value_of(in, "hidden_act") &&
        (!act || (strcmp(act, "silu") != 0 && strcmp(act, "swish") != 0)))
        return fail_key(in, "hidden_act", "must be \"silu\"");
    if (value_of(in, "quantization_config"))
        return fail_key(in, "quantization_config", "is not supported: quantised weights");
    const json_t *partial = value_of(in, "partial_rotary_factor");
    if (partial && json_number_value(partial) != 1.)
        return fail_key(in, "partial_rotary_factor", "must be 1");
    bool tied;
    return read_bool(in, &tied, "tie_word_embeddings");
}

static rp_status read_llama3(rp_config *c, const reader *top, const reader *in)
{
    rp_status s;
    if ((s = read_positive(in, &c->rope.low, "low_freq_factor", 0))) return s;
    if ((s = read_positive(in, &c->rope.high, "high_freq_factor", 0))) return s;
    if (!(c->rope.high > c->rope.low))
        return fail_key(in, "high_freq_factor", "must be greater than low_freq_factor");
    const char *key = "original_max_position_embeddings";
    return read_positive(value_of(in, key) || !value_of(top, key) ? in : top,
                         &c->rope.first_positions, key, 0);
}

/* transformers 4: rope_theta, rope_scaling {rope_type | type, ...}; 5: all in rope_parameters. */
static rp_status read_rope(rp_config *c, const reader *top)
{
    const char *key = value_of(top, "rope_parameters") ? "rope_parameters" : "rope_scaling";
    const json_t *object = value_of(top, key);
    rp_status s;
    if ((s = read_positive(top, &c->rope.theta, "rope_theta", 10000.))) return s;
    c->rope.kind = RP_ROPE_DEFAULT;
    if (!object) return RP_OK;
    if (!json_is_object(object)) return fail_key(top, key, "must be an object");
    reader in = {object, top->path, top->err};
    if ((s = read_positive(&in, &c->rope.theta, "rope_theta", c->rope.theta))) return s;
    const json_t *partial = value_of(&in, "partial_rotary_factor");
    if (partial && json_number_value(partial) != 1.)
        return fail_key(&in, "partial_rotary_factor", "must be 1");
    const char *type_key = value_of(&in, "rope_type") ? "rope_type" : "type";
    const json_t *type = value_of(&in, type_key);
    const char *name = json_string_value(type);
    if (!type) return fail_key(&in, "rope_type", "");
    if (name && strcmp(name, "default") == 0) return RP_OK;
    if (name && strcmp(name, "linear") == 0)
        c->rope.kind = RP_ROPE_LINEAR;
    else if (name && strcmp(name, "llama3") == 0)
        c->rope.kind = RP_ROPE_LLAMA3;
    else
        return fail_key(&in, type_key, "must be \"default\", \"linear\" or \"llama3\"");
    if ((s = read_positive(&in, &c->rope.factor, "factor", 0))) return s;
    return c->rope.kind == RP_ROPE_LLAMA3 ? read_llama3(c, top, &in) : RP_OK;
}

static rp_status read_shape(rp_config *c, const reader *in)
{
    rp_status s;
    double eps;
    if ((s = read_size(in, &c->width, "hidden_size", 0, 1 << 20))) return s;
    if ((s = read_size(in, &c->ffn, "intermediate_size", 0, 1 << 22))) return s;
    if ((s = read_size(in, &c->layers, "num_hidden_layers", 0, 1 << 12))) return s;
    if ((s = read_size(in, &c->heads, "num_attention_heads", 0, 1 << 12))) return s;
    if ((s = read_size(in, &c->kv_heads, "num_key_value_heads", c->heads, 1 << 12))) return s;
    if ((s = read_size(in, &c->vocabulary, "vocab_size", 0, 1 << 24))) return s;
    if ((s = read_size(in, &c->max_positions, "max_position_embeddings", 2048, 1 << 24))) return s;
    if (c->heads % c->kv_heads != 0)
        return fail_key(in, "num_key_value_heads", "must divide num_attention_heads");
    if (!value_of(in, "head_dim") && c->width % c->heads != 0)
        return fail_key(in, "num_attention_heads",
                        "must divide hidden_size where head_dim is absent");
    if ((s = read_size(in, &c->head_dim, "head_dim", c->width / c->heads, 1 << 12))) return s;
    if (c->head_dim > 1 << 12)
        return rp_fail(in->err, RP_EFORMAT, "'%s': heads of a width of %zu, more than %d", in->path,
                       c->head_dim, 1 << 12);
    if (c->head_dim % 2 != 0)
        return rp_fail(in->err, RP_EFORMAT, "'%s': heads of an odd width, %zu, cannot be rotated",
                       in->path, c->head_dim);
    if ((s = read_positive(in, &eps, "rms_norm_eps", 1e-6))) return s;
    c->norm_eps = (float)eps;
    if ((s = read_bool(in, &c->attention_bias, "attention_bias"))) return s;
    return read_bool(in, &c->mlp_bias, "mlp_bias");
}

rp_status rp_config_parse(rp_config *config, const char *text, size_t n, const char *path,
                          rp_error *err)
{
    json_error_t error;
    json_t *root = json_loadb(text, n, JSON_REJECT_DUPLICATES, &error);
    reader in = {root, path, err};
    rp_status s;
    *config = (rp_config){0};
    if (!root)
        s = rp_fail(err, RP_EFORMAT, "'%s' line %d: %s", path, error.line, error.text);
    else if (!json_is_object(root))
        s = rp_fail(err, RP_EFORMAT, "'%s': not a JSON object", path);
    else if (!(s = check_architecture(&in)) && !(s = check_unsupported(&in)) &&
             !(s = read_shape(config, &in)))
        s = read_rope(config, &in);
    json_decref(root);
    return s;
}

rp_status rp_config_load(rp_config *config, const char *dir, rp_error *err)
{
    char path[4096];
    char *text = NULL;
    size_t n = 0;
    rp_status s = rp_path_join(path, sizeof path, dir, "config.json", err);
    if (!s && !rp_path_is_dir(dir)) return rp_fail(err, RP_EIO, "'%s': not a model directory", dir);
    if (!s) s = rp_file_read(&text, &n, path, FILE_LIMIT, err);
    if (!s) s = rp_config_parse(config, text, n, path, err);
    free(text);
    return s;
}
