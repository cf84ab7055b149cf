/* Opening: which file a path means, the parts of it, its special tokens by role. */
#include "tokenizer/open.h"

#include "base/io.h"

#define MODEL_LIMIT ((size_t)64 << 20) /* bytes of a file that is not a tokenizer.json */

/* ---- the file ---- */

static const char *const names[] = {"tokenizer.json", "tokenizer.model", "spiece.model",
                                    "sentencepiece.bpe.model", "vocab.txt"};

#define NNAMES (sizeof names / sizeof *names)

/* file <- the first of the names that is in the directory; "": none. */
static rp_status find_in(char *file, size_t cap, const char *dir, rp_error *err)
{
    for (size_t i = 0; i < NNAMES; i++) {
        rp_status status = rp_path_join(file, cap, dir, names[i], err);
        if (status || rp_path_exists(file)) return status;
    }
    *file = '\0';
    return RP_OK;
}

bool rp_tokenizer_is(const char *dir)
{
    char file[sizeof((rp_settings *)0)->config_path];
    return find_in(file, sizeof file, dir, NULL) == RP_OK && *file;
}

/* tok->path <- the file that path means: itself, or the first of the names in a directory. */
static rp_status find_file(rp_tokenizer *tok, const char *path, rp_error *err)
{
    char file[sizeof((rp_settings *)0)->config_path];
    if (rp_path_is_dir(path)) {
        rp_status status = find_in(file, sizeof file, path, err);
        if (status) return status;
        if (!*file)
            return rp_fail(err, RP_EIO,
                           "'%s' has no tokenizer: neither %s, %s, %s, %s nor %s is there", path,
                           names[0], names[1], names[2], names[3], names[4]);
        path = file;
    }
    tok->path = strdup(path);
    return tok->path ? RP_OK : rp_fail_memory(err, strlen(path));
}

static bool ends_with(const char *path, const char *end)
{
    size_t n = strlen(path), k = strlen(end);
    return n >= k && !strcmp(path + n - k, end);
}

static rp_status read_recipe(rp_recipe *recipe, char **data, const rp_settings *settings,
                             rp_error *err)
{
    const char *path = settings->path;
    size_t size;
    bool model = ends_with(path, ".model"), text = ends_with(path, ".txt");
    if (!model && !text)
        return rp_settings_load(&recipe->parts, path, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, err);
    rp_status status = rp_file_read(data, &size, path, MODEL_LIMIT, err);
    if (status) return status;
    if (text) return rp_recipe_from_vocabulary(recipe, *data, size, settings, err);
    return rp_tiktoken_is(*data, size)
               ? rp_recipe_from_tiktoken(recipe, *data, size, settings, err)
               : rp_recipe_from_sentencepiece(recipe, *data, size, settings, err);
}

/* ---- the parts ---- */

static rp_status index_pieces(rp_tokenizer *tok, rp_error *err)
{
    const rp_dict *pieces = &tok->lexicon->pieces;
    tok->size = (size_t)(tok->lexicon->unk_id + 1);
    for (size_t i = 0; i < pieces->cap; i++)
        if ((size_t)(pieces->slot[i].id + 1) > tok->size)
            tok->size = (size_t)pieces->slot[i].id + 1;
    for (size_t i = 0; i < tok->added.n; i++)
        if ((size_t)tok->added.token[i].id + 1 > tok->size)
            tok->size = (size_t)tok->added.token[i].id + 1;
    tok->piece = calloc(tok->size + 1, sizeof *tok->piece);
    if (!tok->piece) return rp_fail_memory(err, tok->size * sizeof *tok->piece);
    for (size_t i = 0; i < pieces->cap; i++)
        if (pieces->slot[i].id >= 0)
            tok->piece[pieces->slot[i].id] = pieces->text.data + pieces->slot[i].at;
    /* in Unigram a piece may be there twice, the one that is found not being the unknown one */
    int32_t unk = tok->lexicon->unk_id;
    if (unk >= 0 && !tok->piece[unk]) tok->piece[unk] = tok->lexicon->unk;
    for (size_t i = 0; i < tok->added.n; i++)
        tok->piece[tok->added.token[i].id] = tok->added.token[i].content;
    return RP_OK;
}

static rp_status build_post(rp_tokenizer *tok, const rp_recipe *recipe, rp_error *err)
{
    int32_t id[RP_NROLES];
    if (!recipe->single)
        return rp_postprocessor_init(&tok->post, rp_json_member(recipe->parts, "post_processor"),
                                     tok->path, err);
    for (int i = 0; i < RP_NROLES; i++)
        id[i] = recipe->role[i] ? rp_tokenizer_find(tok, recipe->role[i]) : -1;
    rp_status status = rp_postprocessor_from_spec(&tok->post, recipe->single, recipe->pair,
                                                  rp_role_names, id, RP_NROLES, err);
    tok->post.sep = id[RP_SEP];
    return status;
}

/* recipe->lexicon goes over to the tokenizer. */
static rp_status build(rp_tokenizer *tok, rp_recipe *recipe, rp_error *err)
{
    const json_t *json = recipe->parts, *model = rp_json_member(json, "model");
    const char *path = tok->path;
    tok->lexicon = recipe->lexicon;
    recipe->lexicon = NULL;
    bool bytes = tok->lexicon ? recipe->bytes : rp_lexicon_takes_bytes(model);
    rp_status status =
        rp_normalizer_new(&tok->normalizer, rp_json_member(json, "normalizer"), path, err);
    if (!status)
        status = rp_splitter_new(&tok->splitter, &bytes, rp_json_member(json, "pre_tokenizer"),
                                 path, err);
    if (!status && !tok->lexicon)
        status = rp_lexicon_from_json(&tok->lexicon, model, bytes, path, err);
    if (!status)
        status = rp_added_init(&tok->added, rp_json_member(json, "added_tokens"),
                               &tok->lexicon->pieces, tok->normalizer, path, err);
    if (!status) status = build_post(tok, recipe, err);
    return status ? status : index_pieces(tok, err);
}

/* Added tokens get the next free ids; that these are those which the settings give is checked. */
static rp_status keep_promises(const rp_tokenizer *tok, const rp_settings *settings, rp_error *err)
{
    rp_promise *promise;
    size_t n;
    rp_status status = rp_settings_promises(&promise, &n, settings, err);
    for (size_t i = 0; i < n && !status; i++) {
        int32_t id = rp_tokenizer_find(tok, promise[i].content);
        if (id != promise[i].id)
            status = rp_fail(err, RP_EFORMAT,
                             "'%s': added token '%.200s' has id %d here, the files beside it say "
                             "%ld",
                             tok->path, promise[i].content, id, promise[i].id);
    }
    free(promise);
    return status;
}

/* ---- special tokens ---- */

/* none: the settings say that there is no such token, so that no usual name is tried. */
static void guess_role(rp_tokenizer *tok, int role, bool none)
{
    static const char *const usual[RP_NROLES][5] = {
        [RP_BOS] = {"<s>", "<|begin_of_text|>", "<bos>", "<|endoftext|>", "[CLS]"},
        [RP_EOS] = {"</s>", "<|end_of_text|>", "<eos>", "<|endoftext|>", "[SEP]"},
        [RP_SEP] = {"[SEP]", "<sep>"},
        [RP_UNK] = {"<unk>", "[UNK]"},
        [RP_PAD] = {"<pad>", "[PAD]", "<|padding|>", "<|finetune_right_pad_id|>"},
        [RP_CLS] = {"[CLS]"},
        [RP_MASK] = {"[MASK]", "<mask>"},
    };
    int32_t *id = &tok->special[role];
    if (*id < 0) *id = rp_postprocessor_special(&tok->post, rp_role_names[role]);
    if (*id < 0 && role == RP_UNK) *id = tok->lexicon->unk_id;
    for (int k = 0; k < 5 && *id < 0 && !none && usual[role][k]; k++) {
        int32_t t = rp_dict_id(&tok->added.names, usual[role][k], strlen(usual[role][k]));
        if (t >= 0 && tok->added.token[t].special) *id = tok->added.token[t].id;
    }
}

static void find_specials(rp_tokenizer *tok, const rp_settings *settings)
{
    for (int i = 0; i < RP_NROLES; i++) {
        const char *token = rp_settings_token(settings, rp_role_names[i], NULL);
        tok->special[i] = token ? rp_tokenizer_find(tok, token) : -1;
        guess_role(tok, i, rp_settings_denies(settings, rp_role_names[i]));
    }
}

rp_status rp_tokenizer_open(rp_tokenizer **tok, const char *path, rp_error *err)
{
    rp_settings *settings = calloc(1, sizeof *settings);
    rp_recipe recipe = {0};
    char *data = NULL;
    rp_tokenizer *t = *tok = calloc(1, sizeof *t);
    rp_status status = t && settings ? find_file(t, path, err) : rp_fail_memory(err, sizeof *t);
    if (!status) status = rp_settings_read(settings, t->path, err);
    if (!status) status = read_recipe(&recipe, &data, settings, err);
    if (!status) status = build(t, &recipe, err);
    if (!status && recipe.single) status = keep_promises(t, settings, err);
    if (!status) find_specials(t, settings);
    rp_recipe_release(&recipe);
    if (settings) rp_settings_release(settings);
    free(settings);
    free(data);
    if (status) {
        rp_tokenizer_free(t);
        *tok = NULL;
    }
    return status;
}
