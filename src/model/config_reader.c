#include "model/config_reader.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const json_t *rp_keys_value(const rp_keys *in, const char *key)
{
    const json_t *value = json_object_get(in->object, key);
    return json_is_null(value) ? NULL : value;
}

const char *rp_keys_string(const rp_keys *in, const char *key)
{
    return json_string_value(json_object_get(in->object, key));
}

rp_status rp_keys_fail(const rp_keys *in, const char *key, const char *what)
{
    const json_t *value = rp_keys_value(in, key);
    char *found = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    rp_status status = found ? rp_fail(in->err, RP_EFORMAT, "'%s': key '%s' %s, found %.80s",
                                       in->path, key, what, found)
                             : rp_fail(in->err, RP_EFORMAT, "'%s': key '%s' %s", in->path, key,
                                       value ? what : "is missing");
    free(found);
    return status;
}

rp_status rp_keys_size(const rp_keys *in, size_t *out, const char *key, size_t fallback,
                       size_t limit)
{
    const json_t *value = rp_keys_value(in, key);
    if (!value && fallback) {
        *out = fallback;
        return RP_OK;
    }
    json_int_t n = json_integer_value(value);
    if (!json_is_integer(value) || n < 1 || (uintmax_t)n > limit) {
        char what[80];
        snprintf(what, sizeof what, "must be an integer from 1 to %zu", limit);
        return rp_keys_fail(in, key, what);
    }
    *out = (size_t)n;
    return RP_OK;
}

rp_status rp_keys_positive(const rp_keys *in, double *out, const char *key, double fallback)
{
    const json_t *value = rp_keys_value(in, key);
    *out = value ? json_number_value(value) : fallback;
    if ((value && !json_is_number(value)) || !(*out > 0) || !isfinite(*out))
        return rp_keys_fail(in, key, "must be a positive number");
    return RP_OK;
}

rp_status rp_keys_bool(const rp_keys *in, bool *out, const char *key, bool fallback)
{
    const json_t *value = rp_keys_value(in, key);
    if (value && !json_is_boolean(value)) return rp_keys_fail(in, key, "must be true or false");
    *out = value ? json_is_true(value) : fallback;
    return RP_OK;
}

bool rp_activation_find(rp_activation *out, const char *name)
{
    static const struct {
        const char *name;
        rp_activation activation;
    } rows[] = {{"silu", RP_SILU},
                {"swish", RP_SILU},
                {"relu", RP_RELU},
                {"gelu", RP_GELU},
                {"gelu_python", RP_GELU},
                {"gelu_new", RP_GELU_TANH},
                {"gelu_fast", RP_GELU_TANH},
                {"gelu_pytorch_tanh", RP_GELU_TANH},
                {"gelu_python_tanh", RP_GELU_TANH}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcmp(name, rows[i].name) != 0) continue;
        *out = rows[i].activation;
        return true;
    }
    return false;
}

rp_status rp_keys_activation(const rp_keys *in, rp_activation *out, const char *key,
                             const char *fallback)
{
    const char *name = rp_keys_value(in, key) ? rp_keys_string(in, key) : fallback;
    if (name && rp_activation_find(out, name)) return RP_OK;
    return rp_keys_fail(in, key,
                        "must be \"silu\", \"relu\", \"gelu\", \"gelu_new\", \"gelu_fast\" or "
                        "\"gelu_pytorch_tanh\"");
}
