/*
 * What transformers (5.24) makes of a SentencePiece model or a vocab.txt, by the class that
 * tokenizer_config.json names: the parts as that class's tokenizer.json would have them.
 */
#include "tokenizer/open.h"
#include "tokenizer/spm.h"

#define MARK "\xe2\x96\x81"   /* U+2581, SentencePiece's visible space */
#define SENTINEL_LIMIT 100000 /* T5's <extra_id_...> */

static rp_status take(json_t *json, rp_error *err)
{
    return json ? RP_OK : rp_fail_memory(err, 0);
}

/* Control pieces and, where they are added tokens, the user's own. */
static rp_status piece_tokens(json_t **list, const rp_spm *spm, bool user_defined, rp_error *err)
{
    *list = json_array();
    rp_status status = take(*list, err);
    for (size_t i = 0; i < spm->n && !status; i++) {
        const rp_piece *p = &spm->piece[i];
        if (p->type != RP_PIECE_CONTROL && !(user_defined && p->type == RP_PIECE_USER_DEFINED))
            continue;
        if (json_array_append_new(*list,
                                  rp_recipe_token(p->text, p->len, p->type == RP_PIECE_CONTROL)))
            status = rp_fail_memory(err, 0);
    }
    if (status) {
        json_decref(*list);
        *list = NULL;
    }
    return status;
}

/* ---- Llama (legacy: the slow tokenizer's spaces) ---- */

static json_t *metaspace(const char *scheme, bool split)
{
    return json_pack("{s:s, s:s, s:s, s:b}", "type", "Metaspace", "replacement", MARK,
                     "prepend_scheme", scheme, "split", (int)split);
}

static rp_status llama(rp_recipe *s, const rp_spm *spm, const rp_settings *settings, rp_error *err)
{
    static const char *const roles[RP_NROLES] = {
        [RP_BOS] = "<s>", [RP_EOS] = "</s>", [RP_UNK] = "<unk>"};
    const rp_derive_options options = {.fuse_unk = true, .byte_fallback = true};
    bool legacy, prefix;
    json_t *tokens;
    rp_status status = rp_settings_bool(settings, "legacy", false, &legacy, err);
    if (!status) status = rp_settings_bool(settings, "add_prefix_space", true, &prefix, err);
    if (!status)
        status = rp_bpe_derive(&s->lexicon, spm->piece, spm->n, &options, settings->path, err);
    if (status) return status;
    const char *scheme = !prefix ? "never" : legacy ? "always" : "first";
    status = rp_recipe_set(s, "pre_tokenizer", metaspace(scheme, false), err);
    rp_recipe_set_roles(s, settings, roles);
    if (!status) status = rp_recipe_llama_template(s, settings, err);
    if (!status) status = piece_tokens(&tokens, spm, true, err);
    return status ? status : rp_recipe_add_tokens(s, tokens, settings, err);
}

/* ---- SentencePiece itself ---- */

/* A string of the file, kept with the parts. */
static const char *keep(rp_recipe *s, const char *key, rp_slice_text text)
{
    json_t *value = json_stringn(text.data, text.len);
    return rp_recipe_set(s, key, value, NULL) ? NULL : json_string_value(value);
}

static rp_status append(json_t *list, json_t *value, rp_error *err)
{
    return json_array_append_new(list, value) ? rp_fail_memory(err, 0) : RP_OK;
}

static json_t *replace(const char *kind, const char *what, const char *with)
{
    return json_pack("{s:s, s:{s:s}, s:s}", "type", "Replace", "pattern", kind, what, "content",
                     with);
}

static rp_status charsmap(json_t **json, const rp_spm *spm, rp_error *err)
{
    rp_text text = {0};
    rp_status status = rp_base64_encode(&text, spm->charsmap.data, spm->charsmap.len, err);
    if (!status) {
        *json = json_pack("{s:s, s:s}", "type", "Precompiled", "precompiled_charsmap", text.data);
        status = take(*json, err);
    }
    rp_text_release(&text);
    return status;
}

static rp_status set_normalizers(rp_recipe *s, const rp_spm *spm, bool legacy, rp_error *err)
{
    json_t *list = json_array(), *map = NULL;
    rp_status status = take(list, err);
    if (!status && spm->charsmap.len) status = charsmap(&map, spm, err);
    if (!status && map) status = append(list, map, err);
    if (!status && spm->remove_spaces) {
        status = append(list, replace("Regex", "\\A +| +\\z", ""), err);
        if (!status) status = append(list, replace("Regex", " {2,}", " "), err);
    }
    if (!status && spm->escape_spaces) status = append(list, replace("String", " ", MARK), err);
    /* Metaspace puts no prefix before a mark, SentencePiece does */
    if (!status && spm->dummy_prefix && legacy)
        status = append(list, replace("Regex", "\\A" MARK, MARK MARK), err);
    if (status) {
        json_decref(list);
        return status;
    }
    return rp_recipe_set(s, "normalizer",
                         json_pack("{s:s, s:o}", "type", "Sequence", "normalizers", list), err);
}

static int longer_first(const void *a, const void *b)
{
    const rp_piece *x = *(const rp_piece *const *)a, *y = *(const rp_piece *const *)b;
    if (x->len != y->len) return x->len < y->len ? 1 : -1;
    return (x > y) - (x < y);
}

/* The pattern of all pieces of the user's own, the longest first; empty where there are none. */
static rp_status own_pattern(rp_text *pattern, const rp_spm *spm, rp_error *err)
{
    const rp_piece **own = rp_alloc(spm->n, sizeof *own);
    size_t n = 0;
    rp_status status = own ? RP_OK : rp_fail_memory(err, spm->n * sizeof *own);
    for (size_t i = 0; i < spm->n && !status; i++)
        if (spm->piece[i].type == RP_PIECE_USER_DEFINED && spm->piece[i].len)
            own[n++] = &spm->piece[i];
    if (!status) qsort(own, n, sizeof *own, longer_first);
    for (size_t i = 0; i < n && !status; i++) {
        if (i) status = rp_text_append(pattern, "|", 1, err);
        for (size_t k = 0; k < own[i]->len && !status; k++) {
            const char c[] = {'\\', own[i]->text[k]};
            bool quote = strchr("\\^$.[]|()?*+{}-#& \t\n\v\f\r", c[1]) != NULL;
            status = rp_text_append(pattern, quote ? c : c + 1, quote ? 2 : 1, err);
        }
    }
    free(own);
    return status;
}

static rp_status set_splitters(rp_recipe *s, const rp_spm *spm, bool legacy, const char *own,
                               rp_error *err)
{
    json_t *list = json_array();
    rp_status status = take(list, err);
    if (!status && spm->dummy_prefix)
        status = append(list, metaspace(legacy ? "always" : "first", false), err);
    if (!status && own)
        status = append(list,
                        json_pack("{s:s, s:{s:s}, s:s}", "type", "Split", "pattern", "Regex", own,
                                  "behavior", "Isolated"),
                        err);
    if (status) {
        json_decref(list);
        return status;
    }
    return rp_recipe_set(s, "pre_tokenizer",
                         json_pack("{s:s, s:o}", "type", "Sequence", "pretokenizers", list), err);
}

/* What transformers makes of a model whose class it does not know: the file's own options. */
static rp_status plain(rp_recipe *s, const rp_spm *spm, const rp_settings *settings, rp_error *err)
{
    rp_text own = {0};
    bool legacy, has_own;
    json_t *tokens;
    rp_status status = rp_settings_bool(settings, "legacy", true, &legacy, err);
    if (!status) status = own_pattern(&own, spm, err);
    if (!status) status = set_normalizers(s, spm, legacy, err);
    if (!status) status = set_splitters(s, spm, legacy, own.data, err);
    has_own = own.data != NULL;
    rp_text_release(&own);
    if (status) return status;
    const char *const roles[RP_NROLES] = {
        [RP_BOS] = spm->bos_id < 0 ? NULL : keep(s, "bos", spm->bos),
        [RP_EOS] = spm->eos_id < 0 ? NULL : keep(s, "eos", spm->eos),
        [RP_UNK] = keep(s, "unk", spm->unk)};
    const rp_derive_options options = {.fuse_unk = true,
                                       .byte_fallback = spm->byte_fallback,
                                       .ignore_merges = has_own,
                                       .by_score = true,
                                       .normal_only = true,
                                       .unk = roles[RP_UNK]};
    rp_recipe_set_roles(s, settings, roles);
    status = rp_bpe_derive(&s->lexicon, spm->piece, spm->n, &options, settings->path, err);
    if (!status) status = rp_recipe_llama_template(s, settings, err);
    if (!status) status = piece_tokens(&tokens, spm, false, err);
    return status ? status : rp_recipe_add_tokens(s, tokens, settings, err);
}

/* ---- T5 and XLM-RoBERTa ---- */

/* The parts that both have: a text is words, each of which begins with a mark. */
static rp_status set_words(rp_recipe *s, const rp_spm *spm, const char *scheme, rp_error *err)
{
    json_t *map = NULL;
    rp_status status = spm->charsmap.len ? charsmap(&map, spm, err) : RP_OK;
    if (!status && map) status = rp_recipe_set(s, "normalizer", map, err);
    if (status) return status;
    return rp_recipe_set(s, "pre_tokenizer",
                         json_pack("{s:s, s:[{s:s}, o]}", "type", "Sequence", "pretokenizers",
                                   "type", "WhitespaceSplit", metaspace(scheme, true)),
                         err);
}

/* [*n] pieces: those of the model from `from` on, between the first and the last. */
static rp_status list_pieces(rp_piece **list, size_t *n, const char *const *first, size_t nfirst,
                             const rp_spm *spm, size_t from, size_t nlast, rp_error *err)
{
    size_t kept = spm->n > from ? spm->n - from : 0;
    rp_piece *p = *list = rp_alloc(nfirst + kept + nlast, sizeof *p);
    if (!p) return rp_fail_memory(err, (kept + nlast) * sizeof *p);
    for (size_t i = 0; i < nfirst; i++) p[i] = (rp_piece){first[i], strlen(first[i]), 0, 0};
    if (kept) memcpy(p + nfirst, spm->piece + from, kept * sizeof *p);
    *n = nfirst + kept;
    return RP_OK;
}

/* Appends <extra_id_0> ... to the pieces, the last one first, and to the added tokens. */
static rp_status add_sentinels(rp_piece *piece, size_t *n, size_t count, rp_text *names,
                               json_t *tokens, rp_error *err)
{
    rp_status status = RP_OK;
    char name[32];
    size_t *at = rp_alloc(count, sizeof *at);
    if (!at) return rp_fail_memory(err, count * sizeof *at);
    for (size_t i = count; i-- > 0 && !status;) {
        int len = snprintf(name, sizeof name, "<extra_id_%zu>", i);
        at[i] = names->len;
        status = rp_text_append(names, name, (size_t)len + 1, err);
    }
    for (size_t i = count; i-- > 0 && !status;)
        piece[(*n)++] = (rp_piece){names->data + at[i], strlen(names->data + at[i]), 0, 0};
    for (size_t i = 0; i < count && !status; i++)
        status = append(
            tokens, rp_recipe_token(names->data + at[i], strlen(names->data + at[i]), true), err);
    free(at);
    return status;
}

static rp_status t5(rp_recipe *s, const rp_spm *spm, const rp_settings *settings, rp_error *err)
{
    static const char *const roles[RP_NROLES] = {
        [RP_EOS] = "</s>", [RP_UNK] = "<unk>", [RP_PAD] = "<pad>"};
    const json_t *extra = json_object_get(settings->config, "extra_ids");
    double count = json_is_number(extra) ? json_number_value(extra) : extra ? -1 : 100;
    rp_text names = {0};
    rp_piece *piece = NULL;
    json_t *tokens = NULL;
    size_t n = 0;
    if (!(count >= 0 && count <= SENTINEL_LIMIT))
        return rp_fail(err, RP_EFORMAT, "'%s': 'extra_ids' is not in 0 ... %d",
                       settings->config_path, SENTINEL_LIMIT);
    rp_recipe_set_roles(s, settings, roles);
    s->single = "A eos";
    s->pair = "A eos B eos";
    rp_status status = set_words(s, spm, "always", err);
    if (!status) status = list_pieces(&piece, &n, NULL, 0, spm, 0, (size_t)count, err);
    if (!status) status = piece_tokens(&tokens, spm, true, err);
    if (!status) status = add_sentinels(piece, &n, (size_t)count, &names, tokens, err);
    /* the class says 2 whatever the file says */
    if (!status)
        status = rp_unigram_from_pieces(&s->lexicon, piece, n, 2, false, settings->path, err);
    free(piece);
    rp_text_release(&names);
    if (!status) return rp_recipe_add_tokens(s, tokens, settings, err);
    json_decref(tokens);
    return status;
}

/* fairseq's vocabulary: four tokens of its own instead of the file's first three. */
static rp_status xlm_roberta(rp_recipe *s, const rp_spm *spm, const rp_settings *settings,
                             rp_error *err)
{
    static const char *const roles[RP_NROLES] = {
        [RP_BOS] = "<s>",   [RP_EOS] = "</s>", [RP_SEP] = "</s>",   [RP_UNK] = "<unk>",
        [RP_PAD] = "<pad>", [RP_CLS] = "<s>",  [RP_MASK] = "<mask>"};
    static const int order[] = {RP_BOS, RP_PAD, RP_EOS, RP_UNK};
    const char *first[4];
    rp_piece *piece = NULL;
    json_t *tokens = NULL;
    size_t n = 0;
    bool prefix;
    rp_recipe_set_roles(s, settings, roles);
    s->single = "bos A eos";
    s->pair = "bos A eos eos B eos";
    for (int i = 0; i < 4; i++) {
        const char *given = s->role[order[i]];
        first[i] = given ? given : roles[order[i]];
    }
    rp_status status = rp_settings_bool(settings, "add_prefix_space", true, &prefix, err);
    if (!status) status = set_words(s, spm, prefix ? "always" : "never", err);
    if (!status) status = list_pieces(&piece, &n, first, 4, spm, 3, 1, err);
    if (!status) {
        const char *mask = s->role[RP_MASK] ? s->role[RP_MASK] : roles[RP_MASK];
        piece[n++] = (rp_piece){mask, strlen(mask), 0, 0};
        status = rp_unigram_from_pieces(&s->lexicon, piece, n, 3, false, settings->path, err);
    }
    free(piece);
    if (!status) status = piece_tokens(&tokens, spm, true, err);
    return status ? status : rp_recipe_add_tokens(s, tokens, settings, err);
}

/* ---- which class ---- */

typedef rp_status (*maker)(rp_recipe *s, const rp_spm *spm, const rp_settings *settings,
                           rp_error *err);

rp_status rp_recipe_from_sentencepiece(rp_recipe *recipe, const char *data, size_t size,
                                       const rp_settings *settings, rp_error *err)
{
    static const struct {
        const char *class;
        int model_type;
        maker make;
    } rows[] = {
        {"", RP_SPM_BPE, plain},
        {"", RP_SPM_UNIGRAM, t5},
        {"LlamaTokenizer", RP_SPM_BPE, llama},
        {"T5Tokenizer", RP_SPM_UNIGRAM, t5},
        {"XLMRobertaTokenizer", RP_SPM_UNIGRAM, xlm_roberta},
    };
    static const char fairseq[] = "sentencepiece.bpe.model";
    rp_class from;
    rp_spm spm;
    size_t len = strlen(settings->path), tail = sizeof fairseq - 1;
    rp_status status = rp_class_find(&from, settings, err);
    if (status) return status;
    /* the name that XLM-RoBERTa's file has */
    if (!*from.name && len >= tail && !strcmp(settings->path + len - tail, fairseq))
        strcpy(from.name, "XLMRobertaTokenizer");
    status = rp_spm_read(&spm, data, size, settings->path, err);
    maker make = NULL;
    for (size_t i = 0; i < sizeof rows / sizeof *rows && !status; i++)
        if (!strcmp(from.name, rows[i].class) && spm.model_type == rows[i].model_type)
            make = rows[i].make;
    if (!status && !make)
        status = rp_class_fail(
            &from, spm.model_type == RP_SPM_BPE ? "a BPE model" : "a Unigram model", err);
    if (!status) status = make(recipe, &spm, settings, err);
    rp_spm_release(&spm);
    return status;
}

/* ---- BERT's vocab.txt ---- */

rp_status rp_recipe_from_vocabulary(rp_recipe *recipe, const char *data, size_t size,
                                    const rp_settings *settings, rp_error *err)
{
    static const char *const roles[RP_NROLES] = {[RP_SEP] = "[SEP]",
                                                 [RP_UNK] = "[UNK]",
                                                 [RP_PAD] = "[PAD]",
                                                 [RP_CLS] = "[CLS]",
                                                 [RP_MASK] = "[MASK]"};
    static const char *const classes[] = {"", "BertTokenizer", "DistilBertTokenizer",
                                          "ElectraTokenizer", "MobileBertTokenizer"};
    rp_class from;
    bool lower, chinese, accents;
    rp_status status = rp_class_find(&from, settings, err);
    bool known = false;
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        known = known || !strcmp(from.name, classes[i]);
    if (!status && !known) status = rp_class_fail(&from, "a vocab.txt", err);
    if (!status) status = rp_settings_bool(settings, "do_lower_case", true, &lower, err);
    if (!status) status = rp_settings_bool(settings, "tokenize_chinese_chars", true, &chinese, err);
    if (!status) status = rp_settings_bool(settings, "strip_accents", lower, &accents, err);
    if (status) return status;
    rp_recipe_set_roles(recipe, settings, roles);
    recipe->single = "cls A sep";
    recipe->pair = "cls A sep B:1 sep:1";
    status = rp_wordpiece_from_lines(&recipe->lexicon, data, size,
                                     recipe->role[RP_UNK] ? recipe->role[RP_UNK] : roles[RP_UNK],
                                     settings->path, err);
    if (!status)
        status = rp_recipe_set(recipe, "normalizer",
                               json_pack("{s:s, s:b, s:b, s:b, s:b}", "type", "BertNormalizer",
                                         "clean_text", 1, "handle_chinese_chars", (int)chinese,
                                         "strip_accents", (int)accents, "lowercase", (int)lower),
                               err);
    if (!status)
        status = rp_recipe_set(recipe, "pre_tokenizer",
                               json_pack("{s:s}", "type", "BertPreTokenizer"), err);
    return status ? status : rp_recipe_add_tokens(recipe, json_array(), settings, err);
}
