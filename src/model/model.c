#include "model/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "model/handle.h"
#include "model/locate.h"

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

static void describe_adapter(rp_model *m)
{
    const rp_adapter_info *a = rp_adapter_about(m->adapter);
    snprintf(m->lora, sizeof m->lora,
             "rank %zu, alpha %g%s, %zu modules in %s, %zu tensors of its own", a->rank, a->alpha,
             a->root_scaled ? " over the root of the rank" : "", a->modules, a->dtype, a->saved);
}

static rp_status describe(rp_model *m, rp_error *err)
{
    const rp_config *c = &m->config;
    char config[4096];
    uint64_t sum = 0, print = 0;
    rp_status s = rp_path_join(config, sizeof config, m->path, "config.json", err);
    if (!s) s = rp_checksum_path(&sum, config, err);
    if (!s && m->adapter) sum ^= rp_adapter_fingerprint(m->adapter);
    if (!s) s = rp_checkpoint_fingerprint(&print, &m->weights.files, sum, err);
    rp_config_describe(c, m->details, sizeof m->details);
    if (m->adapter) describe_adapter(m);
    m->info = (rp_model_info){
        .family = c->family,
        .path = m->path,
        .adapter = m->adapter ? rp_adapter_dir(m->adapter) : NULL,
        .lora = m->adapter ? m->lora : NULL,
        .details = m->details,
        .layers = c->layers,
        .width = c->width,
        .ffn = c->ffn,
        .heads = c->heads,
        .kv_heads = c->kv_heads,
        .head_dim = c->head_dim,
        .vocabulary = c->vocabulary,
        .max_positions = c->max_positions,
        .limit_key = c->limit_key,
        .segments = c->segments > 1 ? c->segments : 0,
        .causal = c->causal,
        .dtype = rp_dtype_name(m->weights.embedding->dtype),
        .has_score = m->weights.score.weight != NULL,
        .score_tensor = rp_score_tensor(c),
        .parameters = rp_weights_parameters(&m->weights) +
                      (m->adapter ? rp_adapter_parameters(m->adapter) : 0),
        .fingerprint = print,
    };
    return s;
}

/* m->path and m->adapter from what was asked for. */
static rp_status locate(rp_model *m, const rp_model_source *source, rp_error *err)
{
    rp_status s = rp_model_locate(&m->path, source->path, source->models, err);
    if (s) return s;
    if (!rp_adapter_is(m->path)) {
        if (source->base)
            s = rp_fail(err, RP_EARG, "'%s': a base model is given, but this is no PEFT adapter",
                        m->path);
        return s;
    }
    if ((s = rp_adapter_open(&m->adapter, m->path, err))) return s;
    free(m->path);
    m->path = NULL;
    const char *base = source->base ? source->base : rp_adapter_base(m->adapter);
    if (!base)
        return rp_fail(err, RP_EFORMAT,
                       "'%s/adapter_config.json': key 'base_model_name_or_path' is missing; name "
                       "the base model",
                       rp_adapter_dir(m->adapter));
    rp_error why = {0};
    s = rp_model_locate(&m->path, base, source->models, &why);
    if (!s && rp_adapter_is(m->path))
        s = rp_fail(&why, RP_EFORMAT, "'%s' is a PEFT adapter itself: merge it into its base model",
                    m->path);
    return s ? rp_fail(err, s, "base model of adapter '%s': %s", rp_adapter_dir(m->adapter),
                       why.text)
             : RP_OK;
}

rp_status rp_model_open(rp_model **model, const rp_model_source *source, rp_error *err)
{
    *model = NULL;
    rp_model *m = calloc(1, sizeof *m);
    if (!m) return rp_fail_memory(err, sizeof *m);
    rp_status s = locate(m, source, err);
    if (!s) s = rp_config_load(&m->config, m->path, err);
    if (!s) s = rp_weights_open(&m->weights, &m->config, m->path, m->adapter, err);
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
    rp_adapter_free(model->adapter);
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

rp_status rp_model_check_site(const rp_model *model, rp_site site, rp_error *err)
{
    if (site != RP_SITE_RESID_MID || !model->config.parallel) return RP_OK;
    return rp_fail(err, RP_EARG,
                   "'%s': no site resid_mid: attention and MLP of its blocks are parallel",
                   model->path);
}

rp_status rp_model_require_score(const rp_model *model, rp_error *err)
{
    const rp_model_info *m = &model->info;
    if (m->has_score) return RP_OK;
    if (m->adapter)
        return rp_fail(err, RP_EFORMAT,
                       "'%s': no score head: tensor '%s' is missing, in the base model '%s' too",
                       m->adapter, m->score_tensor, m->path);
    return rp_fail(err, RP_EFORMAT, "'%s': no score head: tensor '%s' is missing", m->path,
                   m->score_tensor);
}
