/* The tokenizer as a whole: encoding and assembly. */
#include "tokenizer/tokenizer.h"

#include <stdlib.h>

#include "tokenizer/parts.h"

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
    rp_lexicon_free(tok->lexicon);
    rp_added_release(&tok->added);
    rp_postprocessor_release(&tok->post);
    free(tok->piece);
    free(tok->path);
    free(tok);
}

/* ---- pieces ---- */

const char *rp_tokenizer_path(const rp_tokenizer *tok)
{
    return tok->path;
}

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
    return i >= 0 ? tok->added.token[i].id : rp_dict_id(&tok->lexicon->pieces, piece, len);
}

int32_t rp_tokenizer_special(const rp_tokenizer *tok, const char *role)
{
    for (int i = 0; i < RP_NROLES; i++)
        if (!strcmp(role, rp_role_names[i])) return tok->special[i];
    return -1;
}

/* ---- encoding ---- */

typedef struct work {
    rp_text repaired, text, spare;
    rp_found_list outer, inner;
    rp_slices slices;
    rp_scratch scratch;
} work;

static void work_release(work *w)
{
    rp_text_release(&w->repaired);
    rp_text_release(&w->text);
    rp_text_release(&w->spare);
    free(w->outer.item);
    free(w->inner.item);
    rp_slices_release(&w->slices);
    rp_scratch_release(&w->scratch);
}

/* A stretch without added tokens, normalised. */
static rp_status encode_words(const rp_tokenizer *tok, work *w, rp_ids *out, const char *text,
                              size_t len, bool start, rp_error *err)
{
    rp_status status = rp_splitter_apply(tok->splitter, &w->slices, text, len, start, err);
    for (size_t i = 0; i < w->slices.n && !status; i++)
        status =
            rp_lexicon_encode(tok->lexicon, &w->scratch, out,
                              w->slices.base + w->slices.slice[i].at, w->slices.slice[i].len, err);
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
