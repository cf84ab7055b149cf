/* Post-processors: the special tokens around one sequence or a pair. */
#include <stdlib.h>

#include "tokenizer/parts.h"

#define PIECE_LIMIT 1024
#define SEGMENT_LIMIT 65536

void rp_postprocessor_release(rp_postprocessor *post)
{
    free(post->single.piece);
    free(post->pair.piece);
    *post = (rp_postprocessor){.sep = -1};
}

static rp_status push(rp_template *t, rp_template_kind kind, int32_t id, int32_t segment,
                      rp_error *err)
{
    rp_status status = rp_grow(&t->piece, &t->cap, t->n + 1, sizeof *t->piece, err);
    if (!status) t->piece[t->n++] = (rp_template_piece){kind, id, segment};
    return status;
}

static rp_status read_id(int32_t *id, const json_t *json, const char *path, rp_error *err)
{
    json_int_t v = json_integer_value(json);
    if (!json_is_integer(json) || v < 0 || v >= (json_int_t)RP_TOKEN_LIMIT)
        return rp_fail(err, RP_EFORMAT,
                       "'%s': the post-processor has an id that is not in 0 ... %zu", path,
                       RP_TOKEN_LIMIT - 1);
    *id = (int32_t)v;
    return RP_OK;
}

/* {"SpecialToken": {"id": "<s>", "type_id": 0}}: all ids of that special token. */
static rp_status read_special(rp_template *t, const json_t *piece, const json_t *specials,
                              int32_t segment, const char *path, rp_error *err)
{
    const char *name = json_string_value(json_object_get(piece, "id"));
    const json_t *ids = json_object_get(name ? json_object_get(specials, name) : NULL, "ids");
    if (!json_is_array(ids))
        return rp_fail(err, RP_EFORMAT,
                       "'%s': the post-processor has no ids for its token '%.200s'", path,
                       name ? name : "");
    rp_status status = RP_OK;
    for (size_t i = 0; i < json_array_size(ids) && !status; i++) {
        int32_t id = -1;
        status = read_id(&id, json_array_get(ids, i), path, err);
        if (!status && t->n >= PIECE_LIMIT)
            status =
                rp_fail(err, RP_EFORMAT, "'%s': the post-processor adds too many tokens", path);
        if (!status) status = push(t, RP_PIECE_TOKEN, id, segment, err);
    }
    return status;
}

static rp_status read_template(rp_template *t, const json_t *json, const json_t *specials,
                               bool pair, const char *path, rp_error *err)
{
    if (!json_is_array(json) || json_array_size(json) > PIECE_LIMIT)
        return rp_fail(err, RP_EFORMAT, "'%s': the post-processor has no list '%s'", path,
                       pair ? "pair" : "single");
    rp_status status = RP_OK;
    for (size_t i = 0; i < json_array_size(json) && !status; i++) {
        const json_t *item = json_array_get(json, i);
        const json_t *token = json_object_get(item, "SpecialToken");
        const json_t *piece = token ? token : json_object_get(item, "Sequence");
        const json_t *type = json_object_get(piece, "type_id");
        json_int_t segment = json_integer_value(type);
        const char *name = json_string_value(json_object_get(piece, "id"));
        if (!name || !json_is_integer(type) || segment < 0 || segment > SEGMENT_LIMIT)
            return rp_fail(err, RP_EFORMAT,
                           "'%s': item %zu of the post-processor's template is wrong", path, i + 1);
        if (token) {
            status = read_special(t, piece, specials, (int32_t)segment, path, err);
            continue;
        }
        bool is_b = !strcmp(name, "B");
        if ((strcmp(name, "A") && !is_b) || (is_b && !pair))
            return rp_fail(err, RP_EFORMAT,
                           "'%s': the post-processor has no sequence '%.200s' here", path, name);
        status = push(t, is_b ? RP_PIECE_B : RP_PIECE_A, 0, (int32_t)segment, err);
    }
    return status;
}

/* [CLS] A [SEP], [CLS] A [SEP] B [SEP]; RoBERTa: <s> A </s>, <s> A </s></s> B </s>, all segment 0.
 */
static rp_status read_bert(rp_postprocessor *post, const json_t *json, bool roberta,
                           const char *path, rp_error *err)
{
    int32_t cls = -1, sep = -1, second = !roberta;
    rp_status status = read_id(&cls, json_array_get(json_object_get(json, "cls"), 1), path, err);
    if (!status) status = read_id(&sep, json_array_get(json_object_get(json, "sep"), 1), path, err);
    if (status) return status;
    post->sep = sep;
    for (int pair = 0; pair < 2 && !status; pair++) {
        rp_template *t = pair ? &post->pair : &post->single;
        status = push(t, RP_PIECE_TOKEN, cls, 0, err);
        if (!status) status = push(t, RP_PIECE_A, 0, 0, err);
        if (!status) status = push(t, RP_PIECE_TOKEN, sep, 0, err);
        if (!status && pair && roberta) status = push(t, RP_PIECE_TOKEN, sep, 0, err);
        if (!status && pair) status = push(t, RP_PIECE_B, 0, second, err);
        if (!status && pair) status = push(t, RP_PIECE_TOKEN, sep, second, err);
    }
    return status;
}

static rp_status read(rp_postprocessor *post, const json_t *json, int depth, const char *path,
                      rp_error *err)
{
    const char *type = json_string_value(json_object_get(json, "type"));
    if (!type) return rp_fail(err, RP_EFORMAT, "'%s': a post-processor without 'type'", path);
    if (!strcmp(type, "ByteLevel")) return RP_OK; /* only moves offsets */
    if (!strcmp(type, "Sequence")) {
        const json_t *list = json_object_get(json, "processors");
        rp_status status = RP_OK;
        if (!json_is_array(list) || depth >= 32)
            return rp_fail(err, RP_EFORMAT, "'%s': the post-processor has no list 'processors'",
                           path);
        for (size_t i = 0; i < json_array_size(list) && !status; i++)
            status = read(post, json_array_get(list, i), depth + 1, path, err);
        return status;
    }
    if (post->given)
        return rp_fail(err, RP_EFORMAT, "'%s': two templates in one post-processor", path);
    post->given = true;
    if (!strcmp(type, "BertProcessing") || !strcmp(type, "RobertaProcessing"))
        return read_bert(post, json, *type == 'R', path, err);
    if (strcmp(type, "TemplateProcessing"))
        return rp_fail(err, RP_EFORMAT, "'%s': post-processor '%s' is not supported", path, type);
    const json_t *specials = json_object_get(json, "special_tokens");
    rp_status status =
        read_template(&post->single, json_object_get(json, "single"), specials, false, path, err);
    return status ? status
                  : read_template(&post->pair, json_object_get(json, "pair"), specials, true, path,
                                  err);
}

rp_status rp_postprocessor_init(rp_postprocessor *post, const json_t *json, const char *path,
                                rp_error *err)
{
    *post = (rp_postprocessor){.sep = -1};
    rp_status status = json ? read(post, json, 0, path, err) : RP_OK;
    if (status || post->given) return status;
    status = push(&post->single, RP_PIECE_A, 0, 0, err);
    if (!status) status = push(&post->pair, RP_PIECE_A, 0, 0, err);
    return status ? status : push(&post->pair, RP_PIECE_B, 0, 1, err);
}

static rp_status read_spec(rp_template *t, const char *spec, const char *const *role,
                           const int32_t *id, size_t nroles, rp_error *err)
{
    rp_status status = RP_OK;
    for (const char *s = spec + strspn(spec, " "); *s && !status; s += strspn(s, " ")) {
        size_t n = strcspn(s, " :");
        int32_t token = -1;
        for (size_t i = 0; i < nroles; i++)
            if (strlen(role[i]) == n && !strncmp(s, role[i], n)) token = id[i];
        rp_template_kind kind = *s == 'A' ? RP_PIECE_A : *s == 'B' ? RP_PIECE_B : RP_PIECE_TOKEN;
        if (kind != RP_PIECE_TOKEN || token >= 0)
            status = push(t, kind, kind == RP_PIECE_TOKEN ? token : 0, s[n] == ':', err);
        s += strcspn(s, " ");
    }
    return status;
}

rp_status rp_postprocessor_from_spec(rp_postprocessor *post, const char *single, const char *pair,
                                     const char *const *role, const int32_t *id, size_t n,
                                     rp_error *err)
{
    *post = (rp_postprocessor){.sep = -1, .given = true};
    rp_status status = read_spec(&post->single, single, role, id, n, err);
    return status ? status : read_spec(&post->pair, pair, role, id, n, err);
}

int32_t rp_postprocessor_special(const rp_postprocessor *post, const char *role)
{
    const rp_template *t = &post->single;
    if (!strcmp(role, "sep")) return post->sep;
    if (!t->n) return -1;
    const rp_template_piece *p = !strcmp(role, "bos")   ? &t->piece[0]
                                 : !strcmp(role, "eos") ? &t->piece[t->n - 1]
                                                        : NULL;
    return p && p->kind == RP_PIECE_TOKEN ? p->id : -1;
}
