#include "model/model.h"

#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "model/handle.h"

static const char *const site_names[RP_SITES] = {
    [RP_SITE_RESID_POST] = "resid_post", [RP_SITE_MLP_OUT] = "mlp_out",
    [RP_SITE_MLP_ACT] = "mlp_act",       [RP_SITE_ATTN_OUT] = "attn_out",
    [RP_SITE_RESID_MID] = "resid_mid",
};

const char *rp_site_name(rp_site site)
{
    return site_names[site];
}

bool rp_site_find(const char *name, rp_site *site)
{
    for (rp_site s = 0; s < RP_SITES; s++) {
        if (strcmp(name, site_names[s]) == 0) {
            *site = s;
            return true;
        }
    }
    return false;
}

static rp_status describe(rp_model *m, rp_error *err)
{
    const rp_config *c = &m->config;
    char config[4096];
    uint64_t sum = 0, print = 0;
    rp_status s = rp_path_join(config, sizeof config, m->path, "config.json", err);
    if (!s) s = rp_checksum_path(&sum, config, err);
    if (!s) s = rp_weights_fingerprint(&print, &m->weights, sum, err);
    m->info = (rp_model_info){
        .family = "llama",
        .path = m->path,
        .layers = c->layers,
        .width = c->width,
        .ffn = c->ffn,
        .heads = c->heads,
        .kv_heads = c->kv_heads,
        .head_dim = c->head_dim,
        .vocabulary = c->vocabulary,
        .max_positions = c->max_positions,
        .dtype = rp_dtype_name(m->weights.embedding->dtype),
        .has_score = m->weights.score != NULL,
        .score_tensor = RP_SCORE_TENSOR,
        .parameters = m->weights.parameters,
        .fingerprint = print,
    };
    return s;
}

rp_status rp_model_open(rp_model **model, const rp_model_source *source, rp_error *err)
{
    const char *dir = source->path;
    *model = NULL;
    rp_model *m = calloc(1, sizeof *m);
    if (!m) return rp_fail_memory(err, sizeof *m);
    rp_status s = RP_OK;
    m->path = strdup(dir);
    if (!m->path) s = rp_fail_memory(err, strlen(dir));
    if (!s) s = rp_config_load(&m->config, dir, err);
    if (!s) s = rp_weights_open(&m->weights, &m->config, dir, err);
    if (!s) s = describe(m, err);
    if (s) {
        rp_model_free(m);
        return s;
    }
    *model = m;
    return RP_OK;
}

void rp_model_free(rp_model *model)
{
    if (!model) return;
    rp_weights_release(&model->weights);
    free(model->path);
    free(model);
}

const rp_model_info *rp_model_about(const rp_model *model)
{
    return &model->info;
}

size_t rp_model_site_width(const rp_model *model, rp_site site)
{
    return site == RP_SITE_MLP_ACT ? model->config.ffn : model->config.width;
}

size_t rp_model_site_first(rp_site site)
{
    return site == RP_SITE_RESID_POST ? 0 : 1;
}

rp_status rp_model_require_score(const rp_model *model, rp_error *err)
{
    if (model->weights.score) return RP_OK;
    return rp_fail(err, RP_EFORMAT, "'%s': no score head: tensor '%s' is missing", model->path,
                   RP_SCORE_TENSOR);
}
