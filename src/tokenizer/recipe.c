/* What the files that are not a tokenizer.json have in common: their special and added tokens, and
 * which class they are meant for. */
#include "tokenizer/open.h"

#include "base/io.h"

const char *const rp_role_names[RP_NROLES] = {"bos", "eos", "sep", "unk", "pad", "cls", "mask"};

void rp_recipe_release(rp_recipe *recipe)
{
    json_decref(recipe->parts);
    rp_lexicon_free(recipe->lexicon);
    *recipe = (rp_recipe){0};
}

rp_status rp_recipe_set(rp_recipe *recipe, const char *key, json_t *value, rp_error *err)
{
    if (!recipe->parts) recipe->parts = json_object();
    return json_object_set_new(recipe->parts, key, value) ? rp_fail_memory(err, 0) : RP_OK;
}

void rp_recipe_set_roles(rp_recipe *recipe, const rp_settings *settings,
                         const char *const fallback[RP_NROLES])
{
    for (int i = 0; i < RP_NROLES; i++)
        recipe->role[i] = rp_settings_token(settings, rp_role_names[i], fallback[i]);
}

/* ---- added tokens ---- */

static const char *const special_lists[] = {"additional_special_tokens", "extra_special_tokens"};

json_t *rp_recipe_token(const char *content, size_t len, bool special)
{
    return json_pack("{s:s%, s:b, s:b}", "content", content, len, "special", (int)special,
                     "normalized", 0);
}

/* Appends a token of the settings, a string or an object, unless it is promised. */
static rp_status append_named(json_t *list, const json_t *promised, const json_t *token,
                              const char *content, rp_error *err)
{
    if (!content || json_object_get(promised, content)) return RP_OK;
    json_t *made = json_is_object(token) ? json_deep_copy(token)
                                         : rp_recipe_token(content, strlen(content), true);
    if (made) json_object_set_new(made, "special", json_true());
    return json_array_append_new(list, made) ? rp_fail_memory(err, 0) : RP_OK;
}

/* The named tokens and the lists of more. */
static rp_status append_special(const rp_recipe *s, json_t *list, const json_t *promised,
                                const rp_settings *settings, rp_error *err)
{
    rp_status status = RP_OK;
    for (int i = 0; i < RP_NROLES && !status; i++) {
        char key[16];
        snprintf(key, sizeof key, "%s_token", rp_role_names[i]);
        status = append_named(list, promised, rp_settings_get(settings, key), s->role[i], err);
    }
    for (int i = 0; i < 2; i++) {
        const json_t *more = rp_settings_get(settings, special_lists[i]);
        for (size_t k = 0; k < json_array_size(more) && !status; k++) {
            const json_t *token = json_array_get(more, k);
            status = append_named(list, promised, token, rp_settings_content(token), err);
        }
    }
    return status;
}

/* An object whose keys are the named tokens and those on the lists; NULL: no memory. */
static json_t *special_set(const rp_recipe *s, const rp_settings *settings)
{
    json_t *set = json_object();
    bool ok = set != NULL;
    for (int i = 0; i < RP_NROLES && ok; i++)
        if (s->role[i]) ok = !json_object_set_new(set, s->role[i], json_true());
    for (int i = 0; i < 2; i++) {
        const json_t *more = rp_settings_get(settings, special_lists[i]);
        for (size_t k = 0; k < json_array_size(more) && ok; k++) {
            const char *content = rp_settings_content(json_array_get(more, k));
            if (content) ok = !json_object_set_new(set, content, json_true());
        }
    }
    if (ok) return set;
    json_decref(set);
    return NULL;
}

/* The tokens whose ids the settings give, which come first and in the order of these. */
static rp_status append_promised(const rp_recipe *s, json_t *list, json_t *promised,
                                 const rp_settings *settings, rp_error *err)
{
    rp_promise *p;
    size_t n;
    json_t *special = special_set(s, settings);
    rp_status status = rp_settings_promises(&p, &n, settings, err);
    if (!status && !special) status = rp_fail_memory(err, 0);
    for (size_t i = 0; i < n && !status; i++) {
        json_t *token = p[i].token ? json_deep_copy(p[i].token)
                                   : rp_recipe_token(p[i].content, strlen(p[i].content), true);
        /* added_tokens.json does not say what is special */
        if (!p[i].token && !json_object_get(special, p[i].content)) {
            json_object_set_new(token, "special", json_false());
            json_object_set_new(token, "normalized", json_true());
        }
        if (json_array_append_new(list, token) ||
            json_object_set_new(promised, p[i].content, json_true()))
            status = rp_fail_memory(err, 0);
    }
    json_decref(special);
    free(p);
    return status;
}

rp_status rp_recipe_add_tokens(rp_recipe *recipe, json_t *first, const rp_settings *settings,
                               rp_error *err)
{
    json_t *all = json_array(), *given = json_array(), *promised = json_object();
    rp_status status = all && given && promised ? RP_OK : rp_fail_memory(err, 0);
    if (!status) status = append_promised(recipe, given, promised, settings, err);
    for (size_t i = 0; i < json_array_size(first) && !status; i++) {
        json_t *token = json_array_get(first, i);
        const char *content = json_string_value(json_object_get(token, "content"));
        if (!json_object_get(promised, content) && json_array_append(all, token))
            status = rp_fail_memory(err, 0);
    }
    if (!status && json_array_extend(all, given)) status = rp_fail_memory(err, 0);
    if (!status) status = append_special(recipe, all, promised, settings, err);
    json_decref(given);
    json_decref(promised);
    json_decref(first);
    if (!status) return rp_recipe_set(recipe, "added_tokens", all, err);
    json_decref(all);
    return status;
}

/* ---- Llama's template ---- */

rp_status rp_recipe_llama_template(rp_recipe *recipe, const rp_settings *settings, rp_error *err)
{
    static const char *const single[2][2] = {{"A", "A eos"}, {"bos A", "bos A eos"}};
    static const char *const pair[2][2] = {{"A B:1", "A eos B:1 eos:1"},
                                           {"bos A bos:1 B:1", "bos A eos bos:1 B:1 eos:1"}};
    bool bos, eos;
    rp_status status = rp_settings_bool(settings, "add_bos_token", true, &bos, err);
    if (!status) status = rp_settings_bool(settings, "add_eos_token", false, &eos, err);
    if (status) return status;
    recipe->single = single[bos][eos];
    recipe->pair = pair[bos][eos];
    return RP_OK;
}

/* ---- which class ---- */

/* The class that AutoTokenizer takes for config.json's model_type; the type itself where there is
 * none that is known here. */
static rp_status class_of_model(rp_class *from, const rp_settings *settings, rp_error *err)
{
    static const char *const rows[][2] = {{"llama", ""},
                                          {"t5", "T5Tokenizer"},
                                          {"mt5", "T5Tokenizer"},
                                          {"xlm-roberta", "XLMRobertaTokenizer"},
                                          {"bert", "BertTokenizer"},
                                          {"distilbert", "BertTokenizer"},
                                          {"electra", "BertTokenizer"}};
    json_t *json = NULL;
    const char *type = NULL;
    rp_status status =
        rp_path_join(from->path, sizeof from->path, settings->dir, "config.json", err);
    if (status || !rp_path_exists(from->path)) return status;
    status = rp_settings_load(&json, from->path, JSON_DECODE_INT_AS_REAL, err);
    if (!status) status = rp_json_string(json, "model_type", &type, from->path, err);
    from->key = "model_type";
    snprintf(from->name, sizeof from->name, "%s", !status && type ? type : "");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcmp(from->name, rows[i][0])) continue;
        strcpy(from->name, rows[i][1]);
        break;
    }
    json_decref(json);
    return status;
}

rp_status rp_class_find(rp_class *from, const rp_settings *settings, rp_error *err)
{
    const char *value;
    *from = (rp_class){.key = "tokenizer_class"};
    memcpy(from->path, settings->config_path, sizeof from->path);
    rp_status status = rp_json_string(settings->config, from->key, &value, from->path, err);
    if (status) return status;
    if (!value) return class_of_model(from, settings, err);
    char *name = from->name;
    snprintf(name, sizeof from->name, "%s", value);
    size_t n = strlen(name);
    if (n > 4 && !strcmp(name + n - 4, "Fast")) name[n - 4] = '\0';
    if (!strcmp(name, "PreTrainedTokenizer") || !strcmp(name, "TokenizersBackend")) *name = '\0';
    return RP_OK;
}

rp_status rp_class_fail(const rp_class *from, const char *file, rp_error *err)
{
    return rp_fail(err, RP_EFORMAT,
                   "'%s': %s '%s' with %s is not supported without a tokenizer.json", from->path,
                   from->key, from->name, file);
}
