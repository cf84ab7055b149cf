#include "model/lora_config.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/io.h"
#include "base/memory.h"

#define FILE_LIMIT ((size_t)1 << 20)
#define PATTERNS_LIMIT 1024
#define RANK_LIMIT (1 << 20)
#define MATCH_LIMIT 100000u /* steps; beyond it the pattern is at fault */

/* Regular expressions made of one key's strings, in their order. */
typedef struct patterns {
    pcre2_code **code; /* [n] */
    size_t n;
} patterns;

struct rp_lora_config {
    char *path;
    json_t *root;
    uint64_t checksum;
    size_t rank;
    double alpha;
    bool root_scaled;
    patterns target, exclude; /* of the keys' string form; n is 0 for lists */
    patterns saved, layer, rank_of, alpha_of;
    pcre2_match_context *context;
};

/* ---- keys ---- */

/* The value of a key; NULL where it is absent or null. */
static const json_t *value_of(const rp_lora_config *c, const char *key)
{
    const json_t *value = json_object_get(c->root, key);
    return json_is_null(value) ? NULL : value;
}

static rp_status fail_key(const rp_lora_config *c, const char *key, const char *what, rp_error *err)
{
    const json_t *value = value_of(c, key);
    char *found = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    rp_status s = rp_fail(err, RP_EFORMAT, "'%s': key '%.60s' %s, found %.60s", c->path, key, what,
                          found ? found : "none");
    free(found);
    return s;
}

/* Read here, or without influence on what an adapter computes. */
static const char *const harmless[] = {
    "alpha_pattern",
    "auto_mapping",
    "base_model_name_or_path",
    "bias",
    "corda_config",
    "eva_config",
    "exclude_modules",
    "inference_mode",
    "init_lora_weights",
    "layers_pattern",
    "layers_to_transform",
    "loftq_config",
    "lora_alpha",
    "lora_dropout",
    "lora_ga_config",
    "megatron_core",
    "merge_weights",
    "modules_to_save",
    "peft_type",
    "peft_version",
    "qalora_group_size",
    "r",
    "rank_pattern",
    "revision",
    "target_modules",
    "task_type",
    "use_rslora",
};

static bool is_harmless(const char *key)
{
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
        if (strcmp(key, harmless[i]) == 0) return true;
    return false;
}

static bool is_unset(const json_t *value)
{
    return json_is_null(value) || json_is_false(value) ||
           (json_is_array(value) && json_array_size(value) == 0) ||
           (json_is_object(value) && json_object_size(value) == 0) ||
           (json_is_string(value) && json_string_length(value) == 0);
}

/* Some ways to begin training take a part out of the base model's weights, which such an adapter
 * then needs; the others only chose where A and B began. */
static rp_status check_start(const rp_lora_config *c, rp_error *err)
{
    static const char *const plain[] = {"gaussian", "eva", "orthogonal"};
    const json_t *value = value_of(c, "init_lora_weights");
    const char *name = json_string_value(value);
    if (!value || json_is_boolean(value)) return RP_OK;
    for (size_t i = 0; name && i < sizeof plain / sizeof *plain; i++)
        if (strcasecmp(name, plain[i]) == 0) return RP_OK;
    return fail_key(c, "init_lora_weights",
                    "is not supported: it changes the base model (save the adapter as plain LoRA)",
                    err);
}

static rp_status check_keys(const rp_lora_config *c, rp_error *err)
{
    const char *key;
    json_t *value;
    const char *type = json_string_value(value_of(c, "peft_type"));
    if (!type || strcmp(type, "LORA") != 0)
        return fail_key(c, "peft_type", "must be \"LORA\"", err);
    json_object_foreach(c->root, key, value)
    {
        if (!is_harmless(key) && !is_unset(value)) return fail_key(c, key, "is not supported", err);
    }
    const json_t *bias = value_of(c, "bias"), *base = value_of(c, "base_model_name_or_path");
    if (base && !json_is_string(base))
        return fail_key(c, "base_model_name_or_path", "must be a name", err);
    if (bias && strcmp(json_is_string(bias) ? json_string_value(bias) : "", "none") != 0)
        return fail_key(c, "bias", "must be \"none\"", err);
    return check_start(c, err);
}

static bool is_rank(const json_t *value)
{
    return json_is_integer(value) && json_integer_value(value) >= 1 &&
           json_integer_value(value) <= RANK_LIMIT;
}

static bool is_alpha(const json_t *value)
{
    return json_is_number(value) && isfinite((float)json_number_value(value));
}

static rp_status read_numbers(rp_lora_config *c, rp_error *err)
{
    const json_t *rank = value_of(c, "r"), *alpha = value_of(c, "lora_alpha");
    const json_t *root_scaled = value_of(c, "use_rslora");
    if (!is_rank(rank)) return fail_key(c, "r", "must be a rank", err);
    if (!is_alpha(alpha)) return fail_key(c, "lora_alpha", "must be a number", err);
    if (root_scaled && !json_is_boolean(root_scaled))
        return fail_key(c, "use_rslora", "must be true or false", err);
    c->rank = (size_t)json_integer_value(rank);
    c->alpha = json_number_value(alpha);
    c->root_scaled = json_is_true(root_scaled);
    return RP_OK;
}

static bool all_strings(const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!json_is_string(json_array_get(list, i))) return false;
    return json_is_array(list);
}

static rp_status check_lists(const rp_lora_config *c, rp_error *err)
{
    static const struct {
        const char *key;
        bool string; /* may also be one string */
    } lists[] = {{"target_modules", true},
                 {"exclude_modules", true},
                 {"layers_pattern", true},
                 {"modules_to_save", false}};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        const json_t *value = value_of(c, lists[i].key);
        if ((value || i == 0) && !all_strings(value) && !(lists[i].string && json_is_string(value)))
            return fail_key(c, lists[i].key,
                            lists[i].string ? "must be names or a pattern" : "must be names", err);
    }
    const json_t *layers = value_of(c, "layers_to_transform");
    bool ok = !layers || json_is_integer(layers) || json_is_array(layers);
    for (size_t i = 0; i < json_array_size(layers); i++)
        ok = ok && json_is_integer(json_array_get(layers, i));
    return ok ? RP_OK : fail_key(c, "layers_to_transform", "must be numbers of layers", err);
}

/* ---- patterns ---- */

/* Adds the expression before + text + after. Python's re and PCRE2 agree on what module names need.
 */
static rp_status add_pattern(const rp_lora_config *c, patterns *p, const char *key,
                             const char *before, const char *text, const char *after,
                             uint32_t options, rp_error *err)
{
    rp_text whole = {0};
    int code;
    size_t at;
    rp_status s = rp_text_printf(&whole, err, "%s%s%s", before, text, after);
    if (!s && p->n == PATTERNS_LIMIT)
        s = rp_fail(err, RP_EFORMAT, "'%s': key '%s': more than %d patterns", c->path, key,
                    PATTERNS_LIMIT);
    if (!s) {
        p->code[p->n] =
            pcre2_compile((PCRE2_SPTR)whole.data, whole.len,
                          options | PCRE2_ANCHORED | PCRE2_NEVER_BACKSLASH_C, &code, &at, NULL);
        if (p->code[p->n]) {
            p->n++;
        } else {
            PCRE2_UCHAR why[100];
            pcre2_get_error_message(code, why, sizeof why);
            s = rp_fail(err, RP_EFORMAT, "'%s': key '%s': bad pattern '%.60s': %s", c->path, key,
                        text, (const char *)why);
        }
    }
    rp_text_release(&whole);
    return s;
}

/* Of the strings of a list, the names of an object, or one string. */
static rp_status read_patterns(const rp_lora_config *c, patterns *p, const char *key,
                               const char *before, const char *after, uint32_t options,
                               rp_error *err)
{
    const json_t *value = value_of(c, key);
    const char *name;
    json_t *entry;
    rp_status s = RP_OK;
    if (!value || is_unset(value)) return RP_OK;
    if (!(p->code = rp_alloc(PATTERNS_LIMIT, sizeof *p->code)))
        return rp_fail_memory(err, PATTERNS_LIMIT * sizeof *p->code);
    if (json_is_string(value))
        return add_pattern(c, p, key, before, json_string_value(value), after, options, err);
    for (size_t i = 0; !s && i < json_array_size(value); i++)
        s = add_pattern(c, p, key, before, json_string_value(json_array_get(value, i)), after,
                        options, err);
    json_object_foreach((json_t *)value, name, entry)
    {
        if (!s) s = add_pattern(c, p, key, before, name, after, options, err);
    }
    return s;
}

static rp_status check_map(const rp_lora_config *c, const char *key, bool (*good)(const json_t *),
                           rp_error *err)
{
    const json_t *value = value_of(c, key);
    const char *name;
    json_t *entry;
    bool ok = !value || json_is_object(value);
    json_object_foreach((json_t *)value, name, entry) ok = ok && good(entry);
    return ok ? RP_OK : fail_key(c, key, "must map names to numbers", err);
}

static bool all_linear(const rp_lora_config *c)
{
    const char *target = json_string_value(value_of(c, "target_modules"));
    return target && strcasecmp(target, "all-linear") == 0;
}

static rp_status read_all_patterns(rp_lora_config *c, rp_error *err)
{
    rp_status s = RP_OK;
    if (json_is_string(value_of(c, "target_modules")) && !all_linear(c))
        s = read_patterns(c, &c->target, "target_modules", "", "", PCRE2_ENDANCHORED, err);
    if (!s && json_is_string(value_of(c, "exclude_modules")))
        s = read_patterns(c, &c->exclude, "exclude_modules", "", "", PCRE2_ENDANCHORED, err);
    if (!s)
        s = read_patterns(c, &c->saved, "modules_to_save", "(?:^|.*\\.)", "(?:$|\\..*)", 0, err);
    if (!s) s = read_patterns(c, &c->rank_of, "rank_pattern", "(?:.*\\.)?(?:", ")$", 0, err);
    if (!s) s = read_patterns(c, &c->alpha_of, "alpha_pattern", "(?:.*\\.)?(?:", ")$", 0, err);
    if (!s)
        s = read_patterns(c, &c->layer, "layers_pattern", "(?:^|.*?\\.)", "\\.(?P<idx>\\d+)\\.", 0,
                          err);
    if (s || c->layer.n) return s;
    if (!(c->layer.code = rp_alloc(1, sizeof *c->layer.code))) return rp_fail_memory(err, 1);
    return add_pattern(c, &c->layer, "layers_pattern", ".*?\\.[^.]*", "", "\\.(?P<idx>\\d+)\\.", 0,
                       err); /* the first number in the name */
}

/* *which <- the first pattern that matches, SIZE_MAX: none. *idx (may be NULL) <- its group "idx".
 */
static rp_status match(const rp_lora_config *c, const patterns *p, const char *module,
                       size_t *which, long *idx, rp_error *err)
{
    pcre2_match_data *data = NULL;
    rp_status s = RP_OK;
    *which = SIZE_MAX;
    for (size_t i = 0; !s && *which == SIZE_MAX && i < p->n; i++) {
        if (!(data = pcre2_match_data_create_from_pattern(p->code[i], NULL)))
            return rp_fail_memory(err, 1);
        int n = pcre2_match(p->code[i], (PCRE2_SPTR)module, strlen(module), 0, 0, data, c->context);
        PCRE2_UCHAR number[20] = "";
        size_t len = sizeof number;
        if (n >= 0) *which = i;
        if (n >= 0 && idx &&
            pcre2_substring_copy_byname(data, (PCRE2_SPTR) "idx", number, &len) == 0)
            *idx = strtol((const char *)number, NULL, 10);
        if (n < 0 && n != PCRE2_ERROR_NOMATCH)
            s = rp_fail(err, RP_EFORMAT, "'%s': a pattern gives up on module '%s': error %d",
                        c->path, module, n);
        pcre2_match_data_free(data);
    }
    return s;
}

static void release(patterns *p)
{
    for (size_t i = 0; i < p->n; i++) pcre2_code_free(p->code[i]);
    free(p->code);
}

/* ---- questions ---- */

/* The module itself, or the last components of its name. */
static bool ends_in(const char *module, const char *name)
{
    size_t n = strlen(module), k = strlen(name);
    return n >= k && strcmp(module + n - k, name) == 0 && (n == k || module[n - k - 1] == '.');
}

static const char *find_name(const json_t *list, const char *module)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        if (ends_in(module, name)) return name;
    }
    return NULL;
}

static rp_status in_layers(const rp_lora_config *c, bool *in, const char *module, rp_error *err)
{
    const json_t *layers = value_of(c, "layers_to_transform");
    size_t which;
    long layer = -1;
    *in = true;
    if (!layers || (json_is_array(layers) && json_array_size(layers) == 0)) return RP_OK;
    rp_status s = match(c, &c->layer, module, &which, &layer, err);
    *in = layer >= 0 && json_is_integer(layers) && json_integer_value(layers) == layer;
    for (size_t i = 0; layer >= 0 && i < json_array_size(layers); i++)
        if (json_integer_value(json_array_get(layers, i)) == layer) *in = true;
    return s;
}

rp_status rp_lora_config_targets(const rp_lora_config *c, bool *targeted, const char *module,
                                 rp_error *err)
{
    size_t excluded, saved, which;
    const json_t *targets = value_of(c, "target_modules");
    *targeted = false;
    rp_status s = match(c, &c->exclude, module, &excluded, NULL, err);
    if (!s) s = match(c, &c->saved, module, &saved, NULL, err);
    if (s || excluded != SIZE_MAX || saved != SIZE_MAX ||
        find_name(value_of(c, "exclude_modules"), module))
        return s;
    if (json_is_string(targets)) {
        s = match(c, &c->target, module, &which, NULL, err);
        *targeted = which != SIZE_MAX || all_linear(c);
        return s;
    }
    for (size_t i = 0; i < json_array_size(targets); i++)
        if (strcmp(json_string_value(json_array_get(targets, i)), module) == 0) *targeted = true;
    if (!*targeted && find_name(targets, module)) s = in_layers(c, targeted, module, err);
    return s;
}

/* The value beside the first name of an object that matches, as PEFT keeps their order. */
static rp_status look_up(const rp_lora_config *c, double *value, const patterns *p, const char *key,
                         const char *module, rp_error *err)
{
    size_t which, i = 0;
    const char *name;
    json_t *entry;
    rp_status s = match(c, p, module, &which, NULL, err);
    json_object_foreach((json_t *)value_of(c, key), name, entry)
    {
        if (i++ == which) *value = json_number_value(entry);
    }
    return s;
}

rp_status rp_lora_config_scale(const rp_lora_config *c, size_t *rank, double *scale,
                               const char *module, rp_error *err)
{
    double r = (double)c->rank, alpha = c->alpha;
    rp_status s = look_up(c, &r, &c->rank_of, "rank_pattern", module, err);
    if (!s) s = look_up(c, &alpha, &c->alpha_of, "alpha_pattern", module, err);
    *rank = (size_t)r;
    *scale = alpha / (c->root_scaled ? sqrt(r) : r);
    return s;
}

const char *rp_lora_config_base(const rp_lora_config *c)
{
    const char *base = json_string_value(value_of(c, "base_model_name_or_path"));
    return base && *base ? base : NULL;
}

size_t rp_lora_config_rank(const rp_lora_config *c)
{
    return c->rank;
}

double rp_lora_config_alpha(const rp_lora_config *c)
{
    return c->alpha;
}

bool rp_lora_config_root_scaled(const rp_lora_config *c)
{
    return c->root_scaled;
}

uint64_t rp_lora_config_checksum(const rp_lora_config *c)
{
    return c->checksum;
}

/* ---- opening ---- */

static rp_status read_file(rp_lora_config *c, rp_error *err)
{
    char *text = NULL;
    size_t n = 0;
    json_error_t error;
    rp_status s = rp_file_read(&text, &n, c->path, FILE_LIMIT, err);
    if (s) return s;
    c->checksum = rp_checksum_bytes(text, n, 0);
    c->root = json_loadb(text, n, JSON_REJECT_DUPLICATES, &error);
    free(text);
    if (!c->root)
        return rp_fail(err, RP_EFORMAT, "'%s' line %d: %s", c->path, error.line, error.text);
    if (!json_is_object(c->root))
        return rp_fail(err, RP_EFORMAT, "'%s': not a JSON object", c->path);
    return RP_OK;
}

static rp_status read_all(rp_lora_config *c, rp_error *err)
{
    rp_status s = read_file(c, err);
    if (!s) s = check_keys(c, err);
    if (!s) s = read_numbers(c, err);
    if (!s) s = check_lists(c, err);
    if (!s) s = check_map(c, "rank_pattern", is_rank, err);
    if (!s) s = check_map(c, "alpha_pattern", is_alpha, err);
    if (!s) s = read_all_patterns(c, err);
    return s;
}

rp_status rp_lora_config_open(rp_lora_config **config, const char *dir, rp_error *err)
{
    char path[4096];
    *config = NULL;
    rp_status s = rp_path_join(path, sizeof path, dir, "adapter_config.json", err);
    if (s) return s;
    rp_lora_config *c = calloc(1, sizeof *c);
    if (!c) return rp_fail_memory(err, sizeof *c);
    c->path = strdup(path);
    c->context = pcre2_match_context_create(NULL);
    if (!c->path || !c->context) {
        s = rp_fail_memory(err, sizeof path);
    } else {
        pcre2_set_match_limit(c->context, MATCH_LIMIT);
        s = read_all(c, err);
    }
    if (s) {
        rp_lora_config_free(c);
        return s;
    }
    *config = c;
    return RP_OK;
}

void rp_lora_config_free(rp_lora_config *c)
{
    if (!c) return;
    release(&c->target);
    release(&c->exclude);
    release(&c->saved);
    release(&c->layer);
    release(&c->rank_of);
    release(&c->alpha_of);
    pcre2_match_context_free(c->context);
    json_decref(c->root);
    free(c->path);
    free(c);
}
