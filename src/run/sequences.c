#include "run/sequences.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"

enum { SEED_TOKEN_CONTROL = 0x63746f6b };

/* One pair's tokens until all are packed. */
typedef struct encoded {
    int32_t *id; /* [n], then the segments [n], then the set bits [n] */
    size_t n;
} encoded;

void rp_sequences_release(rp_sequences *s)
{
    free(s->start);
    free(s->id);
    free(s->segment);
    free(s->set);
    *s = (rp_sequences){0};
}

static rp_status check(const rp_tokens *k, const rp_model_info *model, const rp_pair *pair,
                       unsigned wanted, rp_error *err)
{
    unsigned there = 0;

    if (k->ids.n == 0)
        return rp_fail(err, RP_EFORMAT, "query '%s' document '%s': no tokens", pair->qid,
                       pair->docid);
    if (k->ids.n > model->max_positions)
        return rp_fail(err, RP_EFORMAT,
                       "query '%s' document '%s': %zu tokens, more than the model's %s %zu",
                       pair->qid, pair->docid, k->ids.n, model->limit_key, model->max_positions);
    for (size_t i = 0; i < k->ids.n; i++) {
        there |= (unsigned)k->set.id[i];
        if (k->ids.id[i] < 0 || (size_t)k->ids.id[i] >= model->vocabulary)
            return rp_fail(err, RP_EFORMAT,
                           "query '%s' document '%s': token %d is outside of the model's "
                           "vocabulary of %zu",
                           pair->qid, pair->docid, (int)k->ids.id[i], model->vocabulary);
    }
    for (size_t i = 0; model->segments && i < k->segment.n; i++)
        if ((size_t)k->segment.id[i] >= model->segments)
            return rp_fail(err, RP_EFORMAT,
                           "query '%s' document '%s': segment %d is outside of the model's %zu",
                           pair->qid, pair->docid, (int)k->segment.id[i], model->segments);
    for (unsigned bit = 1; bit <= RP_SET_LAST; bit <<= 1)
        if (wanted & bit & ~there)
            return rp_fail(err, RP_EFORMAT, "query '%s' document '%s': token set '%s' is empty",
                           pair->qid, pair->docid, rp_set_name(bit));
    return RP_OK;
}

static rp_status encode_one(encoded *out, rp_tokens *k, const rp_template *t,
                            const rp_model_info *model, const rp_pair *pair, unsigned wanted,
                            rp_error *err)
{
    rp_status status = rp_template_encode(t, k, pair, err);

    if (status == RP_OK) status = check(k, model, pair, wanted, err);
    if (status != RP_OK) return status;
    out->n = k->ids.n;
    out->id = malloc(3 * out->n * sizeof *out->id);
    if (!out->id) return rp_fail_memory(err, 3 * out->n * sizeof *out->id);
    memcpy(out->id, k->ids.id, out->n * sizeof *out->id);
    memcpy(out->id + out->n, k->segment.id, out->n * sizeof *out->id);
    memcpy(out->id + 2 * out->n, k->set.id, out->n * sizeof *out->id);
    return RP_OK;
}

static rp_status pack(rp_sequences *s, const encoded *e, size_t n, rp_error *err)
{
    size_t total = 0;

    for (size_t i = 0; i < n; i++) total += e[i].n;
    s->start = rp_alloc(n + 1, sizeof *s->start);
    s->id = rp_alloc(total, sizeof *s->id);
    s->segment = rp_alloc(total, sizeof *s->segment);
    s->set = rp_alloc(total, sizeof *s->set);
    if (!s->start || !s->id || !s->segment || !s->set) {
        rp_sequences_release(s);
        return rp_fail_memory(err, total * (sizeof *s->id + sizeof *s->set));
    }
    s->n = n;
    for (size_t i = 0; i < n; i++) {
        size_t at = s->start[i];
        memcpy(s->id + at, e[i].id, e[i].n * sizeof *s->id);
        memcpy(s->segment + at, e[i].id + e[i].n, e[i].n * sizeof *s->segment);
        for (size_t j = 0; j < e[i].n; j++) s->set[at + j] = (uint8_t)e[i].id[2 * e[i].n + j];
        s->start[i + 1] = at + e[i].n;
    }
    return RP_OK;
}

rp_status rp_sequences_encode(rp_sequences *out, const rp_template *t, const rp_model_info *model,
                              const rp_pair *pair, size_t n, unsigned wanted, int threads,
                              rp_error *err)
{
    encoded *e = rp_alloc(n, sizeof *e);
    size_t failed = SIZE_MAX;
    rp_error first = {0};

    *out = (rp_sequences){0};
    if (!e) return rp_fail_memory(err, n * sizeof *e);
#pragma omp parallel num_threads(threads > 0 ? threads : omp_get_max_threads())
    {
        rp_tokens k = {0};
#pragma omp for schedule(dynamic, 16)
        for (size_t i = 0; i < n; i++) {
            rp_error why;
            if (encode_one(&e[i], &k, t, model, &pair[i], wanted, &why) == RP_OK) continue;
#pragma omp critical
            if (i < failed) {
                failed = i;
                first = why;
            }
        }
        rp_tokens_release(&k);
    }
    rp_status status =
        failed == SIZE_MAX ? pack(out, e, n, err) : rp_fail(err, first.status, "%s", first.text);
    for (size_t i = 0; i < n; i++) free(e[i].id);
    free(e);
    return status;
}

rp_sequence_about rp_sequences_about(const rp_sequences *s, size_t i)
{
    rp_sequence_about about = {.tokens = s->start[i + 1] - s->start[i]};

    for (size_t t = s->start[i]; t < s->start[i + 1]; t++) {
        rp_rng rng;
        rp_rng_init(&rng, SEED_TOKEN_CONTROL, (uint64_t)s->id[t]);
        about.control += rp_rng_normal(&rng);
        about.query += (s->set[t] & RP_SET_QUERY) != 0;
        about.document += (s->set[t] & RP_SET_DOCUMENT) != 0;
    }
    about.control /= (double)about.tokens;
    return about;
}
