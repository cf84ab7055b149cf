/* The tokenizer as a whole: its file, its special tokens, encoding and assembly. */
#include "tokenizer/tokenizer.h"

#include <stdlib.h>

#include "base/io.h"
#include "tokenizer/parts.h"

#define FILE_LIMIT ((size_t)512 << 20)
#define PATH_LIMIT 4096

enum { BOS, EOS, SEP, UNK, PAD, NROLES };
static const char *const roles[NROLES] = {"bos", "eos", "sep", "unk", "pad"};

struct rp_tokenizer {
    char *path;
    rp_normalizer *normalizer;
    rp_splitter *splitter;
    rp_bpe *bpe;
    rp_added added;
    rp_postprocessor post;
    const char **piece; /* [size], NULL: no such id */
    size_t size;
    int32_t special[NROLES];
};

void rp_ids_release(rp_ids *ids)
{
    free(ids->id);
    *ids = (rp_ids){0};
}

rp_status rp_ids_push(rp_ids *ids, int32_t id, rp_error *err)
{
    if (ids->n == ids->cap) {
        rp_status status = rp_grow(&ids->id, &ids->cap, ids->n + 1, sizeof *ids->id, err);
        if (status) return status;
    }
    ids->id[ids->n++] = id;
    return RP_OK;
}

void rp_tokenizer_free(rp_tokenizer *tok)
{
    if (!tok) return;
    rp_normalizer_free(tok->normalizer);
    rp_splitter_free(tok->splitter);
    rp_bpe_free(tok->bpe);
    rp_added_release(&tok->added);
    rp_postprocessor_release(&tok->post);
    free(tok->piece);
    free(tok->path);
    free(tok);
}

/* ---- opening ---- */

static rp_status load_json(json_t **json, const char *path, size_t flags, rp_error *err)
{
    char *data = NULL;
    size_t size = 0;
    json_error_t why;
    rp_status status = rp_file_read(&data, &size, path, FILE_LIMIT, err);
    if (status) return status;
    *json = json_loadb(data, size, flags, &why);
    if (!*json)
        status = rp_fail(err, RP_EFORMAT, "'%s' line %d: %s", path, why.line, why.text);
    else if (!json_is_object(*json))
        status = rp_fail(err, RP_EFORMAT, "'%s' is not a JSON object", path);
    if (status) {
        json_decref(*json);
        *json = NULL;
    }
    free(data);
    return status;
}

static rp_status index_pieces(rp_tokenizer *tok, rp_error *err)
{
    const rp_dict *pieces = &tok->bpe->pieces;
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
    for (size_t i = 0; i < tok->added.n; i++)
        tok->piece[tok->added.token[i].id] = tok->added.token[i].content;
    return RP_OK;
}

static rp_status build(rp_tokenizer *tok, const json_t *json, rp_error *err)
{
    const char *path = tok->path;
    bool bytes;
    rp_status status =
        rp_normalizer_new(&tok->normalizer, rp_json_member(json, "normalizer"), path, err);
    if (!status)
        status = rp_splitter_new(&tok->splitter, &bytes, rp_json_member(json, "pre_tokenizer"),
                                 path, err);
    if (!status) status = rp_bpe_new(&tok->bpe, rp_json_member(json, "model"), bytes, path, err);
    if (!status)
        status = rp_added_init(&tok->added, rp_json_member(json, "added_tokens"), &tok->bpe->pieces,
                               tok->normalizer, path, err);
    if (!status)
        status =
            rp_postprocessor_init(&tok->post, rp_json_member(json, "post_processor"), path, err);
    return status ? status : index_pieces(tok, err);
}

/* ---- special tokens ---- */

/* Roles from one of the files beside tokenizer.json, for those that are not known yet. A value is
 * a string or an object with "content". A file that is absent says nothing. */
static rp_status read_roles(rp_tokenizer *tok, const char *dir, const char *name, rp_error *err)
{
    char path[PATH_LIMIT];
    json_t *json = NULL;
    rp_status status = rp_path_join(path, sizeof path, dir, name, err);
    if (status || !rp_path_exists(path)) return status;
    /* model_max_length may be 10^30 */
    status = load_json(&json, path, JSON_DECODE_INT_AS_REAL, err);
    for (int i = 0; i < NROLES && !status; i++) {
        char key[16] = "";
        strcat(strcat(key, roles[i]), "_token");
        const json_t *v = json_object_get(json, key);
        const char *content =
            json_string_value(json_is_object(v) ? json_object_get(v, "content") : v);
        if (content && tok->special[i] < 0) tok->special[i] = rp_tokenizer_find(tok, content);
    }
    json_decref(json);
    return status;
}

static void guess_roles(rp_tokenizer *tok)
{
    static const char *const usual[NROLES][5] = {
        {"<s>", "<|begin_of_text|>", "<bos>", "<|endoftext|>", "[CLS]"},
        {"</s>", "<|end_of_text|>", "<eos>", "<|endoftext|>", "[SEP]"},
        {"[SEP]", "<sep>"},
        {"<unk>", "[UNK]"},
        {"<pad>", "[PAD]", "<|padding|>", "<|finetune_right_pad_id|>"},
    };
    for (int i = 0; i < NROLES; i++) {
        int32_t *id = &tok->special[i];
        if (*id < 0) *id = rp_postprocessor_special(&tok->post, roles[i]);
        if (*id < 0 && i == UNK) *id = tok->bpe->unk_id;
        for (int k = 0; k < 5 && *id < 0 && usual[i][k]; k++) {
            int32_t t = rp_dict_id(&tok->added.names, usual[i][k], strlen(usual[i][k]));
            if (t >= 0 && tok->added.token[t].special) *id = tok->added.token[t].id;
        }
    }
}

static rp_status find_specials(rp_tokenizer *tok, rp_error *err)
{
    char dir[PATH_LIMIT];
    const char *slash = strrchr(tok->path, '/');
    size_t n = slash ? (size_t)(slash - tok->path) : 0;
    if (n >= sizeof dir) return rp_fail(err, RP_EARG, "the path '%.200s' is too long", tok->path);
    memcpy(dir, slash ? tok->path : ".", slash ? n : 1);
    dir[slash ? n : 1] = '\0';
    for (int i = 0; i < NROLES; i++) tok->special[i] = -1;
    rp_status status = read_roles(tok, slash && !n ? "/" : dir, "tokenizer_config.json", err);
    if (!status) status = read_roles(tok, slash && !n ? "/" : dir, "special_tokens_map.json", err);
    if (!status) guess_roles(tok);
    return status;
}

rp_status rp_tokenizer_open(rp_tokenizer **tok, const char *path, rp_error *err)
{
    char file[PATH_LIMIT];
    json_t *json = NULL;
    rp_status status = RP_OK;
    rp_tokenizer *t = *tok = calloc(1, sizeof *t);
    if (!t) return rp_fail_memory(err, sizeof *t);
    if (rp_path_is_dir(path)) {
        status = rp_path_join(file, sizeof file, path, "tokenizer.json", err);
        path = file;
    }
    if (!status) t->path = strdup(path);
    if (!status && !t->path) status = rp_fail_memory(err, strlen(path));
    if (!status) status = load_json(&json, path, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, err);
    if (!status) status = build(t, json, err);
    json_decref(json);
    if (!status) status = find_specials(t, err);
    if (status) {
        rp_tokenizer_free(t);
        *tok = NULL;
    }
    return status;
}

/* ---- pieces ---- */

size_t rp_tokenizer_size(const rp_tokenizer *tok)
{
    return tok->size;
}

const char *rp_tokenizer_piece(const rp_tokenizer *tok, int32_t id)
{
    return id >= 0 && (size_t)id < tok->size ? tok->piece[id] : NULL;
}

int32_t rp_tokenizer_find(const rp_tokenizer *tok, const char *piece)
{
    size_t len = strlen(piece);
    int32_t i = rp_dict_id(&tok->added.names, piece, len);
    return i >= 0 ? tok->added.token[i].id : rp_dict_id(&tok->bpe->pieces, piece, len);
}

int32_t rp_tokenizer_special(const rp_tokenizer *tok, const char *role)
{
    for (int i = 0; i < NROLES; i++)
        if (!strcmp(role, roles[i])) return tok->special[i];
    return -1;
}

/* ---- encoding ---- */

typedef struct work {
    rp_text repaired, text, spare;
    rp_found_list outer, inner;
    rp_slices slices;
    rp_bpe_scratch bpe;
} work;

static void work_release(work *w)
{
    rp_text_release(&w->repaired);
    rp_text_release(&w->text);
    rp_text_release(&w->spare);
    free(w->outer.item);
    free(w->inner.item);
    rp_slices_release(&w->slices);
    rp_bpe_scratch_release(&w->bpe);
}

/* A stretch without added tokens, normalised. */
static rp_status encode_words(const rp_tokenizer *tok, work *w, rp_ids *out, const char *text,
                              size_t len, bool start, rp_error *err)
{
    rp_status status = rp_splitter_apply(tok->splitter, &w->slices, text, len, start, err);
    for (size_t i = 0; i < w->slices.n && !status; i++)
        status = rp_bpe_encode(tok->bpe, &w->bpe, out, w->slices.base + w->slices.slice[i].at,
                               w->slices.slice[i].len, err);
    return status;
}

/* A stretch without added tokens that are matched as written. */
static rp_status encode_part(const rp_tokenizer *tok, work *w, rp_ids *out, const char *text,
                             size_t len, bool start, rp_error *err)
{
    rp_status status = RP_OK;
    if (tok->normalizer) {
        w->text.len = 0;
        status = rp_text_append(&w->text, text, len, err);
        if (!status)
            status = rp_normalizer_apply(tok->normalizer, &w->text, &w->spare, &w->slices.match,
                                         &start, err);
        text = w->text.data;
        len = w->text.len;
    }
    if (!status) status = rp_added_find(&tok->added, &w->inner, true, text, len, err);
    for (size_t i = 0; i < w->inner.n && !status; i++) {
        rp_found f = w->inner.item[i];
        status = f.id >= 0 ? rp_ids_push(out, f.id, err)
                           : encode_words(tok, w, out, text + f.at, f.end - f.at,
                                          start && f.at == 0, err);
    }
    return status;
}

rp_status rp_tokenizer_encode(const rp_tokenizer *tok, rp_ids *out, const char *text, size_t len,
                              rp_error *err)
{
    work w = {0};
    rp_status status = RP_OK;
    if (!rp_utf8_valid(text, len)) {
        status = rp_utf8_repair(&w.repaired, text, len, err);
        text = w.repaired.data;
        len = w.repaired.len;
    }
    if (!status) status = rp_added_find(&tok->added, &w.outer, false, text, len, err);
    for (size_t i = 0; i < w.outer.n && !status; i++) {
        rp_found f = w.outer.item[i];
        status = f.id >= 0 ? rp_ids_push(out, f.id, err)
                           : encode_part(tok, &w, out, text + f.at, f.end - f.at, f.at == 0, err);
    }
    work_release(&w);
    return status;
}

/* ---- assembly ---- */

rp_status rp_tokenizer_assemble(const rp_tokenizer *tok, rp_ids *out, rp_span *spans,
                                rp_ids *segment, const int32_t *a, size_t na, const int32_t *b,
                                size_t nb, rp_error *err)
{
    const rp_template *t = b ? &tok->post.pair : &tok->post.single;
    rp_status status = RP_OK;
    size_t base = out->n;
    if (spans) spans[0] = spans[1] = (rp_span){0};
    for (size_t i = 0; i < t->n && !status; i++) {
        const rp_template_piece *p = &t->piece[i];
        bool is_b = p->kind == RP_PIECE_B;
        const int32_t *ids = p->kind == RP_PIECE_TOKEN ? &p->id : is_b ? b : a;
        size_t n = p->kind == RP_PIECE_TOKEN ? 1 : is_b ? nb : na, first = out->n - base;
        for (size_t k = 0; k < n && !status; k++) {
            status = rp_ids_push(out, ids[k], err);
            if (!status && segment) status = rp_ids_push(segment, p->segment, err);
        }
        if (spans && p->kind != RP_PIECE_TOKEN && !status)
            spans[is_b] = (rp_span){first, out->n - base};
    }
    return status;
}
