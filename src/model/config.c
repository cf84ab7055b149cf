#include "model/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "model/config_reader.h"

#define FILE_LIMIT ((size_t)1 << 20)

/* model_type, the class that transformers would use without its suffix, and who reads the rest. */
static const struct {
    const char *type, *class;
    rp_config_reader *read;
} families[] = {
    {"llama", "Llama", rp_config_read_llama},
    {"mistral", "Mistral", rp_config_read_mistral},
    {"qwen2", "Qwen2", rp_config_read_qwen},
    {"qwen3", "Qwen3", rp_config_read_qwen},
    {"gpt_neox", "GPTNeoX", rp_config_read_neox},
    {"bert", "Bert", rp_config_read_bert},
    {"electra", "Electra", rp_config_read_bert},
    {"roberta", "Roberta", rp_config_read_bert},
    {"xlm-roberta", "XLMRoberta", rp_config_read_bert},
    {"t5", "T5", rp_config_read_t5},
    {"mt5", "MT5", rp_config_read_t5},
};
#define NFAMILIES (sizeof families / sizeof *families)

/* Other suffixes are other models: a bidirectional Llama has the tensors of a causal one. */
static bool suffix_known(const char *suffix)
{
    static const char *const known[] = {
        "Model",          "ForCausalLM",  "ForSequenceClassification", "ForMaskedLM",
        "ForPreTraining", "EncoderModel", "ForConditionalGeneration",  "WithLMHeadModel",
        "LMHeadModel"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(suffix, known[i]) == 0) return true;
    return false;
}

static bool is_class(const char *name, size_t family)
{
    size_t n = strlen(families[family].class);
    return strncmp(name, families[family].class, n) == 0 && suffix_known(name + n);
}

static rp_status fail_family(const rp_keys *in, const char *key)
{
    char what[256] = "must be one of";
    for (size_t i = 0; i < NFAMILIES; i++) {
        size_t n = strlen(what);
        snprintf(what + n, sizeof what - n, "%s %s", i ? "," : "", families[i].type);
    }
    return rp_keys_fail(in, key, what);
}

/* model_type decides; files that old tools wrote have architectures alone. */
static rp_status find_family(const rp_keys *in, size_t *family)
{
    const json_t *type = rp_keys_value(in, "model_type"), *list;
    const char *text = json_string_value(type), *name;
    list = rp_keys_value(in, "architectures");
    name = json_string_value(json_array_get(list, 0));
    *family = NFAMILIES;
    for (size_t i = 0; i < NFAMILIES; i++)
        if (type ? text && strcmp(text, families[i].type) == 0 : name && is_class(name, i))
            *family = i;
    if (!type && !list) return rp_keys_fail(in, "model_type", "");
    if (*family == NFAMILIES) return fail_family(in, type ? "model_type" : "architectures");
    if (list && !(name && is_class(name, *family))) {
        char what[120];
        snprintf(what, sizeof what, "is not a model of type %s that is known here",
                 families[*family].type);
        return rp_keys_fail(in, "architectures", what);
    }
    return RP_OK;
}

/* What no family here has. */
static rp_status check_unsupported(const rp_keys *in)
{
    static const char *const experts[] = {"num_local_experts", "num_experts", "n_routed_experts",
                                          "moe_intermediate_size"};
    bool tied;
    if (rp_keys_value(in, "quantization_config"))
        return rp_keys_fail(in, "quantization_config", "is not supported: quantised weights");
    for (size_t i = 0; i < sizeof experts / sizeof *experts; i++)
        if (rp_keys_value(in, experts[i]))
            return rp_keys_fail(in, experts[i], "is not supported: a mixture of experts");
    return rp_keys_bool(in, &tied, "tie_word_embeddings", false);
}

rp_status rp_config_parse(rp_config *config, const char *text, size_t n, const char *path,
                          rp_error *err)
{
    json_error_t error;
    json_t *root = json_loadb(text, n, JSON_REJECT_DUPLICATES, &error);
    rp_keys in = {root, path, err};
    size_t family = 0;
    rp_status s;
    *config = (rp_config){0};
    if (!root)
        s = rp_fail(err, RP_EFORMAT, "'%s' line %d: %s", path, error.line, error.text);
    else if (!json_is_object(root))
        s = rp_fail(err, RP_EFORMAT, "'%s': not a JSON object", path);
    else if (!(s = check_unsupported(&in)) && !(s = find_family(&in, &family))) {
        config->family = families[family].type;
        s = families[family].read(config, &in);
    }
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

void rp_config_describe(const rp_config *c, char *text, size_t n)
{
    static const char *const activations[] = {
        [RP_SILU] = "silu", [RP_GELU] = "gelu", [RP_GELU_TANH] = "gelu (tanh)", [RP_RELU] = "relu"};
    static const char *const ropes[] = {
        [RP_ROPE_DEFAULT] = "default", [RP_ROPE_LINEAR] = "linear", [RP_ROPE_LLAMA3] = "llama3"};
    int at = snprintf(text, n, "%s %s eps %g, %s%s, %s", c->post_norm ? "post" : "pre",
                      c->norm == RP_NORM_RMS ? "RMSNorm" : "LayerNorm", (double)c->norm_eps,
                      c->gated ? "gated " : "", activations[c->activation],
                      c->causal ? "causal" : "bidirectional");
    text += at, n -= (size_t)at;
    if (c->parallel) at = snprintf(text, n, ", parallel residual"), text += at, n -= (size_t)at;
    if (c->qk_norm) at = snprintf(text, n, ", q/k norm"), text += at, n -= (size_t)at;
    if (c->rope.kind != RP_ROPE_NONE)
        snprintf(text, n, ", rope %s theta %g on %zu of %zu", ropes[c->rope.kind], c->rope.theta,
                 c->rope.width, c->head_dim);
    else if (c->buckets)
        snprintf(text, n, ", %zu relative buckets to %zu", c->buckets, c->distance);
    else
        snprintf(text, n, ", learned positions");
}
