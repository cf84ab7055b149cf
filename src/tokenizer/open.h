/*
 * From a file, or a directory, to a tokenizer: which file it is, what the JSON files beside it say,
 * and what transformers makes of a file that is not a tokenizer.json.
 */
#ifndef RP_TOKENIZER_OPEN_H
#define RP_TOKENIZER_OPEN_H

#include <stdio.h>
#include <stdlib.h>

#include "tokenizer/parts.h"

/* ---- the JSON files beside a tokenizer (settings.c) ------------------------------- */

typedef struct rp_settings {
    const char *path;             /* of the tokenizer's own file */
    char dir[4096];               /* that holds it */
    char config_path[4096];       /* of tokenizer_config.json */
    json_t *config, *map, *added; /* that, special_tokens_map, added_tokens; NULL: absent */
} rp_settings;
/* Of the directory that holds `file`. Release after a failure, too. Their integers are reals. */
rp_status rp_settings_read(rp_settings *settings, const char *file, rp_error *err);
void rp_settings_release(rp_settings *settings);
/* A JSON object in a file. */
rp_status rp_settings_load(json_t **json, const char *path, size_t flags, rp_error *err);
/* A boolean of tokenizer_config.json. */
rp_status rp_settings_bool(const rp_settings *settings, const char *key, bool fallback, bool *value,
                           rp_error *err);
/* A member of tokenizer_config.json, else of special_tokens_map.json; may be a JSON null. */
const json_t *rp_settings_get(const rp_settings *settings, const char *key);
/* The text of a token that is a string or an object with "content"; NULL: neither. */
const char *rp_settings_content(const json_t *token);
/* "bos" -> the text of bos_token; NULL where it is null; fallback where it is not mentioned. */
const char *rp_settings_token(const rp_settings *settings, const char *role, const char *fallback);
/* "bos" -> bos_token is there and null: the tokenizer has none. */
bool rp_settings_denies(const rp_settings *settings, const char *role);

/* A token of the settings' added_tokens_decoder (or added_tokens.json) and the id it gives. */
typedef struct rp_promise {
    long id;
    const char *content;
    const json_t *token; /* the object with its options; NULL: none */
} rp_promise;
/* *list <- [*n] by id; free(). */
rp_status rp_settings_promises(rp_promise **list, size_t *n, const rp_settings *settings,
                               rp_error *err);

/* ---- files that are not a tokenizer.json (recipe.c, classes.c, tiktoken.c) -------- */

/* What such a file is made into. */
typedef struct rp_recipe {
    json_t *parts; /* as tokenizer.json has them: normalizer, pre_tokenizer, added_tokens */
    rp_lexicon *lexicon;
    bool bytes; /* the lexicon's words are raw bytes */
    const char
        *role[RP_NROLES];      /* special tokens, alive as long as settings and file; NULL: none */
    const char *single, *pair; /* templates of rp_postprocessor_from_spec */
} rp_recipe;
void rp_recipe_release(rp_recipe *recipe);
rp_status rp_recipe_from_sentencepiece(rp_recipe *recipe, const char *data, size_t size,
                                       const rp_settings *settings, rp_error *err);
rp_status rp_recipe_from_tiktoken(rp_recipe *recipe, const char *data, size_t size,
                                  const rp_settings *settings, rp_error *err);
rp_status rp_recipe_from_vocabulary(rp_recipe *recipe, const char *data, size_t size,
                                    const rp_settings *settings, rp_error *err);
/* Does the file begin with a line of tiktoken's, base64 and a number? */
bool rp_tiktoken_is(const char *data, size_t size);

/* The class of transformers that a file is meant for: tokenizer_config.json's tokenizer_class
 * without "Fast", else the one of config.json's model_type, or the type itself where that is not
 * known. */
typedef struct rp_class {
    char name[128];  /* "": nothing but the file counts */
    const char *key; /* what said so */
    char path[4096]; /* and where */
} rp_class;
rp_status rp_class_find(rp_class *from, const rp_settings *settings, rp_error *err);
/* RP_EFORMAT: that class is not supported with such a file ("a vocab.txt"). */
rp_status rp_class_fail(const rp_class *from, const char *file, rp_error *err);

/* For the three above. A member of parts, which takes `value` (NULL: RP_ENOMEM). */
rp_status rp_recipe_set(rp_recipe *recipe, const char *key, json_t *value, rp_error *err);
/* role <- the settings' special tokens; where they do not mention one, the fallback. */
void rp_recipe_set_roles(rp_recipe *recipe, const rp_settings *settings,
                         const char *const fallback[RP_NROLES]);
/* An added token that is taken as written. */
json_t *rp_recipe_token(const char *content, size_t len, bool special);
/* The part added_tokens: those of the list `first`, which is taken, those of the settings, and the
 * roles. */
rp_status rp_recipe_add_tokens(rp_recipe *recipe, json_t *first, const rp_settings *settings,
                               rp_error *err);
/* single, pair <- Llama's, by add_bos_token (true) and add_eos_token (false). */
rp_status rp_recipe_llama_template(rp_recipe *recipe, const rp_settings *settings, rp_error *err);

#endif
