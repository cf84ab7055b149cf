#include "feature/encoder.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/map.h"
#include "base/memory.h"
#include "tokenizer/tokenizer.h"

#define CHUNK 4096 /* texts that are tokenised together */

/* ---- the texts ---- */

rp_status rp_passages_init(rp_passages *p, const rp_pairs *pairs, rp_error *err)
{
    *p = (rp_passages){.n = pairs->ntopics};
    rp_map *seen = rp_map_new(); /* docid -> index */
    p->item = rp_alloc(pairs->ntopics + pairs->n + 1, sizeof *p->item);
    p->of_pair = rp_alloc(pairs->n + 1, sizeof *p->of_pair);
    rp_status status = RP_OK;
    if (!seen || !p->item || !p->of_pair) {
        status = rp_fail_memory(err, pairs->n * sizeof *p->item);
    }
    for (size_t i = 0; i < pairs->n && !status; i++) {
        const rp_pair *pair = &pairs->pair[i];
        size_t *slot = NULL;
        bool fresh = false;
        p->item[pair->topic] = (rp_passage){"query", pair->qid, "", pair->query};
        status = rp_map_put(seen, pair->docid, strlen(pair->docid), &slot, &fresh, NULL, err);
        if (status) break;
        if (fresh) {
            *slot = p->n++;
            p->item[*slot] = (rp_passage){"document", pair->docid, pair->title, pair->text};
        }
        p->of_pair[i] = *slot;
    }
    rp_map_free(seen);
    return status;
}

void rp_passages_release(rp_passages *p)
{
    free(p->item);
    free(p->of_pair);
    *p = (rp_passages){0};
}

/* ---- the encoder ---- */

struct rp_encoder {
    rp_model *model;
    rp_tokenizer *tokenizer;
    size_t tokens, room; /* of a sequence at most; of them, the text's own */
    uint64_t checksum;   /* of the tokenizer's file */
};

static rp_status measure(rp_encoder *e, rp_error *err)
{
    rp_ids specials = {0};
    size_t most = rp_model_about(e->model)->max_positions;
    rp_status status =
        rp_tokenizer_assemble(e->tokenizer, &specials, NULL, NULL, NULL, 0, NULL, 0, err);
    e->tokens = most < RP_ENCODER_TOKENS ? most : RP_ENCODER_TOKENS;
    if (!status && specials.n >= e->tokens) {
        status = rp_fail(err, RP_EFORMAT,
                         "'%s': %zu special tokens leave no room for a text within %zu tokens",
                         rp_tokenizer_path(e->tokenizer), specials.n, e->tokens);
    }
    e->room = e->tokens - specials.n;
    rp_ids_release(&specials);
    return status;
}

/* An adapter's directory may have the tokenizer, else its base model's has. */
static rp_status open_tokenizer(rp_encoder *e, rp_error *err)
{
    const rp_model_info *m = rp_model_about(e->model);
    bool own = m->adapter && rp_tokenizer_is(m->adapter);
    return rp_tokenizer_open(&e->tokenizer, own ? m->adapter : m->path, err);
}

rp_status rp_encoder_open(rp_encoder **encoder, const rp_model_source *source, rp_error *err)
{
    *encoder = NULL;
    rp_encoder *e = rp_alloc(1, sizeof *e);
    if (!e) return rp_fail_memory(err, sizeof *e);
    rp_status status = rp_model_open(&e->model, source, err);
    if (!status) status = open_tokenizer(e, err);
    if (!status) status = measure(e, err);
    if (!status) status = rp_checksum_path(&e->checksum, rp_tokenizer_path(e->tokenizer), err);
    if (status) {
        rp_encoder_free(e);
        return status;
    }
    *encoder = e;
    return RP_OK;
}

void rp_encoder_free(rp_encoder *encoder)
{
    if (!encoder) return;
    rp_tokenizer_free(encoder->tokenizer);
    rp_model_free(encoder->model);
    free(encoder);
}

const rp_model_info *rp_encoder_about(const rp_encoder *encoder)
{
    return rp_model_about(encoder->model);
}

size_t rp_encoder_tokens(const rp_encoder *encoder)
{
    return encoder->tokens;
}

uint64_t rp_encoder_tokenizer_checksum(const rp_encoder *encoder)
{
    return encoder->checksum;
}

/* ---- texts to sequences ---- */

typedef struct sequence {
    rp_ids ids, segment;
} sequence;

static rp_status check(const rp_encoder *e, const sequence *s, const rp_passage *text,
                       rp_error *err)
{
    const rp_model_info *m = rp_model_about(e->model);
    for (size_t i = 0; i < s->ids.n; i++) {
        if (s->ids.id[i] < 0 || (size_t)s->ids.id[i] >= m->vocabulary) {
            return rp_fail(err, RP_EFORMAT,
                           "%s '%s': token %d is outside of the vocabulary of %zu of '%s'",
                           text->kind, text->id, (int)s->ids.id[i], m->vocabulary, m->path);
        }
        if (m->segments && (size_t)s->segment.id[i] >= m->segments) {
            return rp_fail(err, RP_EFORMAT, "%s '%s': segment %d is outside of the %zu of '%s'",
                           text->kind, text->id, (int)s->segment.id[i], m->segments, m->path);
        }
    }
    return RP_OK;
}

/* joined and plain are scratch. */
static rp_status encode(const rp_encoder *e, sequence *s, rp_text *joined, rp_ids *plain,
                        const rp_passage *text, rp_error *err)
{
    joined->len = plain->n = s->ids.n = s->segment.n = 0;
    rp_status status = rp_text_append(joined, text->title, strlen(text->title), err);
    if (!status && joined->len) status = rp_text_append(joined, " ", 1, err);
    if (!status) status = rp_text_append(joined, text->text, strlen(text->text), err);
    if (!status) status = rp_tokenizer_encode(e->tokenizer, plain, joined->data, joined->len, err);
    size_t n = plain->n < e->room ? plain->n : e->room;
    if (!status) {
        status = rp_tokenizer_assemble(e->tokenizer, &s->ids, NULL, &s->segment, plain->id, n, NULL,
                                       0, err);
    }
    return status ? status : check(e, s, text, err);
}

/* The error is that of the first text that has one, whatever the number of threads. */
static rp_status encode_all(const rp_encoder *e, sequence *s, const rp_passage *texts, size_t n,
                            int threads, rp_error *err)
{
    size_t failed = SIZE_MAX;
    rp_error first = {0};
#pragma omp parallel num_threads(threads > 0 ? threads : omp_get_max_threads())
    {
        rp_text joined = {0};
        rp_ids plain = {0};
#pragma omp for schedule(dynamic, 16)
        for (size_t i = 0; i < n; i++) {
            rp_error why;
            if (!encode(e, &s[i], &joined, &plain, &texts[i], &why)) continue;
#pragma omp critical
            if (i < failed) {
                failed = i;
                first = why;
            }
        }
        rp_text_release(&joined);
        rp_ids_release(&plain);
    }
    return failed == SIZE_MAX ? RP_OK : rp_fail(err, first.status, "%s", first.text);
}

/* ---- sequences to embeddings ---- */

typedef struct embedder {
    const rp_encoder *encoder;
    const rp_encoder_work *work;
    rp_session *session;
    sequence *sequence;        /* [CHUNK] */
    rp_ids ids, segment;       /* of a batch */
    size_t start[CHUNK + 1];   /* of a batch */
    size_t done, under, total; /* texts; under: of the batch under way */
} embedder;

/* Translates the session's progress through layers into texts. */
static int tell_share(void *arg, const char *what, size_t done, size_t total)
{
    const embedder *m = arg;
    const rp_host *host = m->work->host;
    size_t part = total && done <= total ? m->under * done / total : 0;
    (void)what;
    return host->progress(host->arg, m->work->what, m->done + part, m->total);
}

static rp_status pack(embedder *m, size_t first, size_t end, rp_error *err)
{
    rp_status status = RP_OK;
    m->ids.n = m->segment.n = 0;
    for (size_t i = first; i < end && !status; i++) {
        const sequence *s = &m->sequence[i];
        for (size_t t = 0; t < s->ids.n && !status; t++) {
            status = rp_ids_push(&m->ids, s->ids.id[t], err);
            if (!status) status = rp_ids_push(&m->segment, s->segment.id[t], err);
        }
        m->start[i - first + 1] = m->ids.n;
    }
    return status;
}

static rp_status check_finite(const float *x, size_t width, const rp_passage *text, rp_error *err)
{
    for (size_t i = 0; i < width; i++) {
        if (isfinite(x[i])) continue;
        return rp_fail(err, RP_ECOMPUTE, "%s '%s': its embedding is not finite", text->kind,
                       text->id);
    }
    return RP_OK;
}

/* out [n, D] <- of the chunk's n sequences, in batches that fit the session. */
static rp_status embed_chunk(embedder *m, float *out, const rp_passage *texts, size_t n,
                             rp_error *err)
{
    const rp_host *host = m->work->host;
    const rp_host inner = {.arg = m, .progress = host && host->progress ? tell_share : NULL};
    size_t D = rp_encoder_about(m->encoder)->width, limit = rp_session_tokens(m->session);
    rp_status status = RP_OK;
    for (size_t first = 0, end; first < n && !status; first = end) {
        size_t tokens = m->sequence[first].ids.n;
        end = first + 1;
        if (tokens) { /* a session takes no empty sequence */
            for (; end < n && m->sequence[end].ids.n; end++) {
                if ((tokens += m->sequence[end].ids.n) > limit) break;
            }
            m->under = end - first;
            status = pack(m, first, end, err);
            const rp_batch batch = {end - first, m->start, m->ids.id, m->segment.id};
            if (!status)
                status = rp_session_embed(m->session, out + first * D, &batch, &inner, err);
        }
        for (size_t i = first; i < end && !status; i++) {
            status = check_finite(out + i * D, D, &texts[i], err);
        }
        m->done += end - first;
        if (!status) status = rp_host_progress(host, m->work->what, m->done, m->total, err);
    }
    return status;
}

rp_status rp_encoder_embed(const rp_encoder *encoder, float *out, const rp_passage *texts, size_t n,
                           const rp_encoder_work *work, rp_error *err)
{
    size_t D = rp_encoder_about(encoder)->width;
    embedder *m = rp_alloc(1, sizeof *m);
    if (!m) return rp_fail_memory(err, sizeof *m);
    *m = (embedder){.encoder = encoder, .work = work, .total = n};
    memset(out, 0, n * D * sizeof *out);
    m->sequence = rp_alloc(CHUNK, sizeof *m->sequence);
    rp_status status = m->sequence ? RP_OK : rp_fail_memory(err, CHUNK * sizeof *m->sequence);
    if (!status) {
        status = rp_session_new(
            &m->session, encoder->model,
            &(rp_session_options){.memory = work->memory, .threads = work->threads}, err);
    }
    for (size_t at = 0; at < n && !status; at += CHUNK) {
        size_t some = n - at < CHUNK ? n - at : CHUNK;
        status = encode_all(encoder, m->sequence, texts + at, some, work->threads, err);
        if (!status) status = embed_chunk(m, out + at * D, texts + at, some, err);
    }
    for (size_t i = 0; m->sequence && i < CHUNK; i++) {
        rp_ids_release(&m->sequence[i].ids);
        rp_ids_release(&m->sequence[i].segment);
    }
    free(m->sequence);
    rp_ids_release(&m->ids);
    rp_ids_release(&m->segment);
    rp_session_free(m->session);
    free(m);
    return status;
}
