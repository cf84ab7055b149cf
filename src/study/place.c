#include "study/place.h"

#include <string.h>

#include "base/io.h"
#include "model/adapter.h"
#include "model/locate.h"

bool rp_study_is_name(const char *text)
{
    const char *slash = strchr(text, '/');
    return *text && *text != '.' && *text != '/' &&
           (!slash || (slash[1] && !strchr(slash + 1, '/')));
}

static rp_status place(char **dir, const rp_study_config *config, const char *key, const char *name,
                       rp_error *err)
{
    size_t line = rp_study_config_line(config, key);
    rp_error why;
    if (rp_path_exists(name) && !rp_path_is_dir(name))
        return rp_fail(err, RP_EFORMAT, "'%s' line %zu: %s is not a directory", config->path, line,
                       key);
    rp_status status = rp_model_locate(dir, name, config->keys->models, &why);
    if (status == RP_OK) return RP_OK;
    return rp_fail(err, status, "'%s' line %zu: %s: %s", config->path, line, key, why.text);
}

/* The base model that the adapter names; the line is the adapter's. */
static rp_status place_remembered(rp_study_config *config, const char *name, rp_error *err)
{
    size_t line = rp_study_config_line(config, "model");
    rp_error why;
    if (!name)
        return rp_fail(err, RP_EFORMAT, "'%s' line %zu: base is missing: '%s' names none",
                       config->path, line, config->model_dir);
    rp_status status = rp_model_locate(&config->base_dir, name, config->keys->models, &why);
    if (status == RP_OK) return RP_OK;
    return rp_fail(err, status, "'%s' line %zu: base model of adapter '%s': %s", config->path, line,
                   config->model_dir, why.text);
}

static rp_status place_base(rp_study_config *config, rp_error *err)
{
    const char *base = config->keys->base;
    rp_adapter *adapter = NULL;
    if (!rp_adapter_is(config->model_dir)) {
        if (!base) return RP_OK;
        return rp_fail(err, RP_EARG, "'%s' line %zu: base: '%s' is no PEFT adapter", config->path,
                       rp_study_config_line(config, "base"), config->model_dir);
    }
    rp_status status = rp_adapter_open(&adapter, config->model_dir, err);
    if (status) return status;
    status = base ? place(&config->base_dir, config, "base", base, err)
                  : place_remembered(config, rp_adapter_base(adapter), err);
    rp_adapter_free(adapter);
    return status;
}

rp_status rp_study_place_models(rp_study_config *config, rp_error *err)
{
    const rp_study_features *f = &config->keys->features;
    rp_status status = place(&config->model_dir, config, "model", config->keys->model, err);
    if (!status) status = place_base(config, err);
    if (!status && f->bert)
        status = place(&config->bert_dir, config, "features.bert", f->bert, err);
    if (!status && f->t5) status = place(&config->t5_dir, config, "features.t5", f->t5, err);
    return status;
}
