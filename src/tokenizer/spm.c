/*
 * A SentencePiece model: a protobuf message (sentencepiece_model.proto) whose pieces, trainer_spec
 * and normalizer_spec are read; what else it holds is passed over.
 */
#include <math.h>
#include <stdlib.h>

#include "tokenizer/spm.h"

/* What is left of a message. */
typedef struct message {
    const unsigned char *at, *end;
} message;
typedef struct field {
    uint64_t number, value; /* value: of the kinds that are a number */
    unsigned wire;          /* 0 varint, 1 eight bytes, 2 bytes, 5 four bytes */
    message bytes;
} field;

static bool read_varint(message *m, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 64 && m->at < m->end; shift += 7) {
        unsigned char byte = *m->at++;
        *value |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) return true;
    }
    return false;
}

static bool read_fixed(message *m, unsigned n, uint64_t *value)
{
    if ((size_t)(m->end - m->at) < n) return false;
    *value = 0;
    for (unsigned i = 0; i < n; i++) *value |= (uint64_t)*m->at++ << 8 * i;
    return true;
}

/* The next field; false where the message is not one. */
static bool read_field(message *m, field *f)
{
    uint64_t key, size;
    *f = (field){0};
    if (!read_varint(m, &key)) return false;
    f->number = key >> 3;
    f->wire = (unsigned)(key & 7);
    if (!f->number) return false;
    if (f->wire == 0) return read_varint(m, &f->value);
    if (f->wire == 1) return read_fixed(m, 8, &f->value);
    if (f->wire == 5) return read_fixed(m, 4, &f->value);
    if (f->wire != 2 || !read_varint(m, &size) || size > (uint64_t)(m->end - m->at)) return false;
    f->bytes = (message){m->at, m->at + size};
    m->at += size;
    return true;
}

static rp_status fail_message(const rp_spm *spm, const char *what, rp_error *err)
{
    return rp_fail(err, RP_EFORMAT, "'%s' is not a SentencePiece model: %s is cut or malformed",
                   spm->path, what);
}

static rp_slice_text text_of(const field *f)
{
    return (rp_slice_text){(const char *)f->bytes.at, (size_t)(f->bytes.end - f->bytes.at)};
}

static rp_status read_piece(rp_spm *spm, message m, rp_error *err)
{
    rp_piece p = {"", 0, 0, RP_PIECE_NORMAL};
    if (spm->n >= RP_PIECE_LIMIT)
        return rp_fail(err, RP_ENOMEM, "'%s': a vocabulary of more than %zu pieces", spm->path,
                       RP_PIECE_LIMIT);
    while (m.at < m.end) {
        field f;
        if (!read_field(&m, &f)) return fail_message(spm, "a piece", err);
        if (f.number == 1 && f.wire == 2) {
            p.text = text_of(&f).data;
            p.len = text_of(&f).len;
        } else if (f.number == 2 && f.wire == 5) {
            uint32_t bits = (uint32_t)f.value;
            float score;
            memcpy(&score, &bits, sizeof score);
            p.score = score;
        } else if (f.number == 3 && f.wire == 0) {
            p.type = f.value > RP_PIECE_BYTE ? 0 : (int)f.value;
        }
    }
    if (p.type < RP_PIECE_NORMAL)
        return rp_fail(err, RP_EFORMAT, "'%s': the type of piece %zu is not known", spm->path,
                       spm->n);
    if (!rp_utf8_valid(p.text, p.len) || memchr(p.text, '\0', p.len))
        return rp_fail(err, RP_EFORMAT, "'%s': piece %zu is not UTF-8 text", spm->path, spm->n);
    if (!isfinite(p.score))
        return rp_fail(err, RP_EFORMAT, "'%s': the score of piece %zu, '%.*s', is not finite",
                       spm->path, spm->n, p.len > 200 ? 200 : (int)p.len, p.text);
    rp_status status = rp_grow(&spm->piece, &spm->cap, spm->n + 1, sizeof p, err);
    if (!status) spm->piece[spm->n++] = p;
    return status;
}

/* An id is an int32: the varint of a negative one has 64 bits. */
static int32_t id_of(const field *f)
{
    return (int32_t)(uint32_t)f->value;
}

static rp_status read_trainer(rp_spm *spm, message m, rp_error *err)
{
    while (m.at < m.end) {
        field f;
        if (!read_field(&m, &f)) return fail_message(spm, "trainer_spec", err);
        if (f.wire == 0) {
            if (f.number == 3) spm->model_type = f.value > 4 ? 0 : (int)f.value;
            if (f.number == 24) spm->space_is_suffix = f.value != 0;
            if (f.number == 35) spm->byte_fallback = f.value != 0;
            if (f.number == 40) spm->unk_id = id_of(&f);
            if (f.number == 41) spm->bos_id = id_of(&f);
            if (f.number == 42) spm->eos_id = id_of(&f);
        } else if (f.wire == 2) {
            if (f.number == 45) spm->unk = text_of(&f);
            if (f.number == 46) spm->bos = text_of(&f);
            if (f.number == 47) spm->eos = text_of(&f);
        }
    }
    return RP_OK;
}

static rp_status read_normalizer(rp_spm *spm, message m, rp_error *err)
{
    while (m.at < m.end) {
        field f;
        if (!read_field(&m, &f)) return fail_message(spm, "normalizer_spec", err);
        if (f.number == 2 && f.wire == 2) spm->charsmap = text_of(&f);
        if (f.wire != 0) continue;
        if (f.number == 3) spm->dummy_prefix = f.value != 0;
        if (f.number == 4) spm->remove_spaces = f.value != 0;
        if (f.number == 5) spm->escape_spaces = f.value != 0;
    }
    return RP_OK;
}

rp_status rp_spm_read(rp_spm *spm, const char *data, size_t size, const char *path, rp_error *err)
{
    message m = {(const unsigned char *)data, (const unsigned char *)data + size};
    rp_status status = RP_OK;
    *spm = (rp_spm){.path = path,
                    .model_type = RP_SPM_UNIGRAM,
                    .bos_id = 1,
                    .eos_id = 2,
                    .unk = {"<unk>", 5},
                    .bos = {"<s>", 3},
                    .eos = {"</s>", 4},
                    .dummy_prefix = true,
                    .remove_spaces = true,
                    .escape_spaces = true};
    while (m.at < m.end && !status) {
        field f;
        if (!read_field(&m, &f)) return fail_message(spm, "the message", err);
        if (f.wire != 2) continue;
        if (f.number == 1) status = read_piece(spm, f.bytes, err);
        if (f.number == 2) status = read_trainer(spm, f.bytes, err);
        if (f.number == 3) status = read_normalizer(spm, f.bytes, err);
    }
    if (!status && !spm->n)
        status =
            rp_fail(err, RP_EFORMAT, "'%s' is not a SentencePiece model: it has no pieces", path);
    if (!status && spm->model_type != RP_SPM_UNIGRAM && spm->model_type != RP_SPM_BPE)
        status = rp_fail(err, RP_EFORMAT,
                         "'%s': model_type %d is not supported, only UNIGRAM (1) and BPE (2) are",
                         path, spm->model_type);
    if (!status && spm->space_is_suffix)
        status =
            rp_fail(err, RP_EFORMAT, "'%s': treat_whitespace_as_suffix is not supported", path);
    return status;
}

void rp_spm_release(rp_spm *spm)
{
    free(spm->piece);
    *spm = (rp_spm){0};
}
