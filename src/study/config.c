#include "study/config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/memory.h"
#include "base/number.h"
#include "study/place.h"
#include "study/schema.h"
#include "study/yaml.h"

#define LIMIT ((size_t)16 << 20) /* bytes of a study.yaml */

/* The first line that libcyaml says is the reason; the rest is where, which we know better. */
static void keep_first(cyaml_log_t level, void *arg, const char *format, va_list args)
{
    rp_text *text = arg;
    char line[256];
    (void)level;
    if (text->len) return;
    vsnprintf(line, sizeof line, format, args);
    line[strcspn(line, "\n")] = 0;
    rp_text_printf(text, NULL, "%s", line);
}

static const cyaml_config_t reading = {.log_fn = keep_first,
                                       .mem_fn = cyaml_mem,
                                       .log_level = CYAML_LOG_ERROR,
                                       .flags = CYAML_CFG_NO_ALIAS};

size_t rp_study_config_line(const rp_study_config *config, const char *key)
{
    size_t line = 1, best = 0;
    for (size_t i = 0; i < config->nodes; i++) {
        const char *path = config->node[i].path;
        size_t n = strlen(path);
        if (n >= best && !strncmp(key, path, n) && (!key[n] || key[n] == '.' || key[n] == '[')) {
            best = n;
            line = config->node[i].line;
        }
    }
    return line;
}

const char *rp_study_config_join(const rp_study_config *config, const rp_study_list *list)
{
    rp_text text = {0};
    rp_status status = RP_OK;
    for (uint32_t i = 0; !status && i < list->n; i++)
        status = rp_text_printf(&text, NULL, i ? ",%s" : "%s", list->item[i]);
    const char *joined = status || !text.data ? NULL : rp_arena_strdup(config->arena, text.data);
    rp_text_release(&text);
    return joined;
}

static rp_status at_key(const rp_study_config *config, const char *key, const char *what,
                        rp_error *err)
{
    return rp_fail(err, RP_EFORMAT, "'%s' line %zu: %s %s", config->path,
                   rp_study_config_line(config, key), key, what);
}

/* ---- what a schema cannot say ---- */

static bool is_choice(const char *choices, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = choices; *at;) {
        size_t len = strcspn(at, "|");
        if (len == n && !strncmp(at, word, n)) return true;
        at += len + (at[len] == '|');
    }
    return false;
}

static rp_status check_choices(const rp_study_config *config, rp_error *err)
{
    for (const rp_study_choice *c = rp_study_choices; c->key; c++)
        for (size_t i = 0; i < config->nodes; i++) {
            const rp_yaml_node *node = &config->node[i];
            size_t n = strlen(c->key);
            bool own = !strncmp(node->path, c->key, n) && (!node->path[n] || node->path[n] == '[');
            if (own && node->text && !is_choice(c->choices, node->text))
                return rp_fail(err, RP_EFORMAT, "'%s' line %zu: %s is '%s', not one of %s",
                               config->path, node->line, node->path, node->text, c->choices);
        }
    return RP_OK;
}

/* Lists are handed on with commas between their elements, so an element has none. */
static rp_status check_commas(const rp_study_config *config, const char *key,
                              const rp_study_list *list, rp_error *err)
{
    for (uint32_t i = 0; i < list->n; i++)
        if (strchr(list->item[i], ',') || !*list->item[i])
            return at_key(config, key,
                          *list->item[i] ? "has a comma within an element" : "has an empty element",
                          err);
    return RP_OK;
}

static rp_status parse_memory(size_t *bytes, const rp_study_config *config, const char *key,
                              const char *text, rp_error *err)
{
    char digits[32];
    size_t n, value, shift = 0;
    if (!text) return RP_OK;
    n = strlen(text);
    const char *units = "KMGT", *unit = n ? strchr(units, text[n - 1]) : NULL;
    if (unit) {
        shift = 10 * (size_t)(unit - units + 1);
        n--;
    }
    snprintf(digits, sizeof digits, "%.*s", n < 31 ? (int)n : 31, text);
    if (n > 20 || !rp_number_size(digits, &value) || !value || value > SIZE_MAX >> shift)
        return rp_fail(err, RP_EFORMAT, "'%s' line %zu: %s should be like 2G, not '%s'",
                       config->path, rp_study_config_line(config, key), key, text);
    *bytes = value << shift;
    return RP_OK;
}

static rp_status check_needed(const rp_study_config *config, rp_error *err)
{
    const rp_study_keys *k = config->keys;
    bool carried = k->data.run_format && !strcmp(k->data.run_format, "top1000");
    if (!k->output) return at_key(config, "output", "is missing: where the study writes", err);
    if (!k->model)
        return at_key(config, "model", "is missing: a Hugging Face directory or a name", err);
    if (!k->data.collection && !carried)
        return at_key(config, "data.collection", "is missing", err);
    if (!k->data.queries.n && !carried) return at_key(config, "data.queries", "is missing", err);
    if (carried && !k->data.run.n) return at_key(config, "data.run", "is missing", err);
    if (k->template_.name && !strcmp(k->template_.name, "custom") && !k->template_.custom)
        return at_key(config, "template.custom", "is missing: the name is 'custom'", err);
    return RP_OK;
}

static rp_status check(rp_study_config *config, rp_error *err)
{
    const rp_study_keys *k = config->keys;
    const struct {
        const char *key;
        const rp_study_list *list;
    } lists[] = {{"features.select", &k->features.select},
                 {"probe.select", &k->probe.select},
                 {"probe.views", &k->probe.views},
                 {"probe.protocols", &k->probe.protocols},
                 {"evaluate.measures", &k->evaluate.measures}};
    rp_status status = check_needed(config, err);
    if (!status) status = check_choices(config, err);
    for (size_t i = 0; !status && i < sizeof lists / sizeof lists[0]; i++)
        status = check_commas(config, lists[i].key, lists[i].list, err);
    if (!status)
        status = parse_memory(&config->memory, config, "capture.memory",
                              config->keys->capture.memory, err);
    if (!status)
        status = parse_memory(&config->probe_memory, config, "probe.memory",
                              config->keys->probe.memory, err);
    return status;
}

/* ---- paths ---- */

/* Is the last part of a path [n], which ends in a slash, a name that "../" takes back? */
static bool is_plain(const char *path, size_t n)
{
    char folder[4096];
    struct stat st;
    if (n < 2 || n > sizeof folder) return false;
    memcpy(folder, path, n - 1);
    folder[n - 1] = 0;
    const char *name = strrchr(folder, '/') ? strrchr(folder, '/') + 1 : folder;
    bool dots = !*name || !strcmp(name, ".") || !strcmp(name, "..");
    return !dots && !lstat(folder, &st) && S_ISDIR(st.st_mode);
}

/* *path <- the same from where we stand, given that it is relative to the folder of study.yaml. */
static rp_status resolve(const rp_study_config *config, char **path, rp_error *err)
{
    const char *slash = strrchr(config->path, '/');
    if (!*path || **path == '/' || !slash) return RP_OK;
    size_t n = (size_t)(slash - config->path) + 1;
    char *full = malloc(n + strlen(*path) + 1);
    if (!full) return rp_fail_memory(err, n + strlen(*path) + 1);
    memcpy(full, config->path, n);
    const char *rest = *path;
    /* "demo/" and "../out" are "out", where demo is a folder and not a link to one. */
    while (!strncmp(rest, "../", 3) && is_plain(full, n)) {
        rest += 3;
        n--;
        while (n && full[n - 1] != '/') n--;
    }
    strcpy(full + n, rest);
    free(*path);
    *path = full;
    return RP_OK;
}

/* The same of a model, which may be a name instead: "name" or "org/name" that is no path. */
static rp_status resolve_model(const rp_study_config *config, char **model, rp_error *err)
{
    char *name = *model ? strdup(*model) : NULL;
    if (!*model) return RP_OK;
    if (!name) return rp_fail_memory(err, strlen(*model) + 1);
    rp_status status = resolve(config, model, err);
    if (!status && rp_study_is_name(name) && !rp_path_exists(*model)) {
        free(*model);
        *model = name;
        return RP_OK;
    }
    free(name);
    return status;
}

static rp_status resolve_all(rp_study_config *config, rp_error *err)
{
    rp_study_keys *k = config->keys;
    rp_study_list *lists[] = {&k->data.queries, &k->data.run, &k->data.qrels};
    rp_status status = resolve(config, &k->output, err);
    if (!status) status = resolve_model(config, &k->model, err);
    if (!status) status = resolve_model(config, &k->base, err);
    if (!status) status = resolve_model(config, &k->features.bert, err);
    if (!status) status = resolve_model(config, &k->features.t5, err);
    if (!status) status = resolve(config, &k->models, err);
    if (!status) status = resolve(config, &k->data.collection, err);
    if (!status) status = resolve(config, &k->probe.transfer, err);
    if (!status) status = resolve(config, &k->probe.transfer_features, err);
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        for (uint32_t j = 0; !status && j < lists[i]->n; j++)
            status = resolve(config, &lists[i]->item[j], err);
    return status;
}

/* Is it a file that the steps write into the output folder? Theirs would replace it. */
static bool is_written(const rp_study_config *config, const char *path, bool joined)
{
    static const char *const names[] = {"features.tsv",
                                        "labels.tsv",
                                        "run.model.txt",
                                        "probes.tsv",
                                        "units.tsv",
                                        "differences.tsv",
                                        "ksparse.tsv",
                                        "predictions.safetensors",
                                        "coefficients.safetensors",
                                        "eval.tsv",
                                        "data/queries.tsv",
                                        "data/run.txt",
                                        "data/qrels.txt"};
    size_t n = sizeof names / sizeof names[0] - (joined ? 0 : 3);
    char own[4096];
    for (size_t i = 0; i < n; i++)
        if (!rp_path_join(own, sizeof own, config->keys->output, names[i], NULL) &&
            rp_path_is_same(own, path))
            return true;
    return false;
}

static rp_status check_file(const rp_study_config *config, const char *key, const char *path,
                            bool joined, rp_error *err)
{
    if (path && is_written(config, path, joined))
        return rp_fail(err, RP_EARG, "'%s' line %zu: %s: '%s' would be replaced by the study's own",
                       config->path, rp_study_config_line(config, key), key, path);
    if (!path || rp_path_exists(path)) return RP_OK;
    return rp_fail(err, RP_EIO, "'%s' line %zu: %s: '%s' does not exist", config->path,
                   rp_study_config_line(config, key), key, path);
}

static rp_status check_files(rp_study_config *config, rp_error *err)
{
    const rp_study_keys *k = config->keys;
    const struct {
        const char *key;
        const rp_study_list *list;
    } lists[] = {{"data.queries", &k->data.queries},
                 {"data.run", &k->data.run},
                 {"data.qrels", &k->data.qrels}};
    rp_status status = check_file(config, "data.collection", k->data.collection, false, err);
    if (!status) status = check_file(config, "probe.transfer", k->probe.transfer, false, err);
    if (!status)
        status =
            check_file(config, "probe.transfer_features", k->probe.transfer_features, false, err);
    if (!status) status = rp_study_place_models(config, err);
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        for (uint32_t j = 0; !status && j < lists[i].list->n; j++) {
            char key[64];
            snprintf(key, sizeof key, "%s[%u]", lists[i].key, j);
            status = check_file(config, key, lists[i].list->item[j], lists[i].list->n > 1, err);
        }
    return status;
}

/* ---- reading ---- */

static rp_status fill(rp_study_config *config, const void *data, size_t size, rp_error *err)
{
    rp_text said = {0};
    cyaml_config_t cyaml = reading;
    cyaml.log_ctx = &said;
    cyaml_err_t failed =
        cyaml_load_data(data, size, &cyaml, &rp_study_schema, (cyaml_data_t **)&config->keys, NULL);
    rp_status status = RP_OK;
    if (failed == CYAML_ERR_OOM)
        status = rp_fail_memory(err, size);
    else if (failed || !config->keys)
        status = rp_fail(err, RP_EFORMAT, "'%s': %s", config->path,
                         said.len ? said.data : cyaml_strerror(failed));
    rp_text_release(&said);
    return status;
}

rp_status rp_study_config_parse(rp_study_config *config, const char *path, const void *data,
                                size_t size, rp_error *err)
{
    *config = (rp_study_config){.path = strdup(path), .arena = rp_arena_new()};
    rp_status status = RP_OK;
    if (!config->path || !config->arena) status = rp_fail_memory(err, strlen(path));
    if (!status) status = rp_yaml_scan(&config->node, &config->nodes, path, data, size, err);
    if (!status) status = rp_yaml_check(config->node, config->nodes, &rp_study_schema, path, err);
    if (!status) status = fill(config, data, size, err);
    if (!status) status = check(config, err);
    if (!status) status = resolve_all(config, err);
    if (status) rp_study_config_release(config);
    return status;
}

rp_status rp_study_config_load(rp_study_config *config, const char *path, rp_error *err)
{
    char *data = NULL;
    size_t size;
    *config = (rp_study_config){0};
    rp_status status = rp_file_read(&data, &size, path, LIMIT, err);
    if (!status) status = rp_study_config_parse(config, path, data, size, err);
    if (!status && (status = check_files(config, err))) rp_study_config_release(config);
    free(data);
    return status;
}

void rp_study_config_release(rp_study_config *config)
{
    if (config->keys) cyaml_free(&reading, &rp_study_schema, config->keys, 0);
    rp_yaml_free(config->node, config->nodes);
    rp_arena_free(config->arena);
    free(config->path);
    free(config->model_dir);
    free(config->base_dir);
    free(config->bert_dir);
    free(config->t5_dir);
    *config = (rp_study_config){0};
}
