#include "run/reference.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/memory.h"
#include "base/number.h"
#include "store/layout.h"

#define LIMIT ((size_t)64 << 20) /* bytes of reference.json */
#define FORMAT "rankprobe-reference"

void rp_reference_release(rp_reference *r)
{
    rp_sequences_release(&r->sequences);
    free(r->pair);
    rp_safetensors_free(r->file);
    json_decref(r->about);
    *r = (rp_reference){0};
}

/* ---- reference.json ---- */

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static rp_status read_pairs(rp_reference *r, const json_t *pairs, const char *path, rp_error *err)
{
    size_t n = json_array_size(pairs);

    if (!json_is_array(pairs) || n != r->sequences.n)
        return rp_fail(err, RP_EFORMAT, "'%s': 'pairs' is not a list of %zu, one a sequence", path,
                       r->sequences.n);
    r->pair = rp_alloc(n, sizeof *r->pair);
    if (!r->pair) return rp_fail_memory(err, n * sizeof *r->pair);
    for (size_t i = 0; i < n; i++) {
        const json_t *pair = json_array_get(pairs, i);
        const char *query = text_of(pair, "query"), *text = text_of(pair, "document");
        if (!query || !text)
            return rp_fail(err, RP_EFORMAT, "'%s': pair %zu has no text 'query' or 'document'",
                           path, i + 1);
        r->pair[i] = (rp_pair){.qid = "", .docid = "", .query = query, .title = "", .text = text};
    }
    r->template_ = text_of(r->about, "template");
    if (!r->template_) return rp_fail(err, RP_EFORMAT, "'%s': 'template' is missing", path);
    return RP_OK;
}

static rp_status read_about(rp_reference *r, const char *path, rp_error *err)
{
    const char *format;
    const json_t *pairs;
    size_t version = 0;
    rp_status status = rp_json_load(&r->about, path, LIMIT, err);

    if (status != RP_OK) return status;
    format = text_of(r->about, "format");
    if (!format || strcmp(format, FORMAT) != 0)
        return rp_fail(err, RP_EFORMAT, "'%s': 'format' is not '" FORMAT "'", path);
    status = rp_json_size(r->about, "format_version", SIZE_MAX >> 1, &version, path, err);
    if (status == RP_OK && version != 1)
        status = rp_fail(err, RP_EFORMAT, "'%s': format version %zu; this program reads 1", path,
                         version);
    r->family = text_of(r->about, "family");
    r->made_by = text_of(r->about, "made_by");
    if (status == RP_OK && !r->family)
        status = rp_fail(err, RP_EFORMAT, "'%s': 'family' is missing", path);
    pairs = json_object_get(r->about, "pairs");
    if (status == RP_OK && pairs && !json_is_null(pairs)) status = read_pairs(r, pairs, path, err);
    return status;
}

/* ---- reference.safetensors ---- */

static rp_status need(const rp_reference *r, const rp_tensor **tensor, const char *name,
                      rp_dtype dtype, size_t rows, size_t width, rp_error *err)
{
    const rp_tensor *t = rp_safetensors_find(r->file, name);

    if (!t) return rp_fail(err, RP_EFORMAT, "'%s': tensor '%s' is missing", r->path, name);
    if (t->dtype != dtype)
        return rp_fail(err, RP_EFORMAT, "'%s': tensor '%s' is %s, not %s", r->path, name,
                       rp_dtype_name(t->dtype), rp_dtype_name(dtype));
    if (width == 0 && (t->rank != 1 || (rows > 0 && t->shape[0] != rows)))
        return rp_fail(err, RP_EFORMAT, "'%s': tensor '%s' is not a list of %zu", r->path, name,
                       rows);
    if (width > 0 && (t->rank != 2 || t->shape[0] != rows || t->shape[1] != width))
        return rp_fail(err, RP_EFORMAT, "'%s': tensor '%s' is not [%zu, %zu]", r->path, name, rows,
                       width);
    *tensor = t;
    return RP_OK;
}

/* start [n + 1] of the file, each sequence with a token at least. */
static rp_status read_start(rp_reference *r, const rp_tensor *start, rp_error *err)
{
    rp_sequences *s = &r->sequences;
    size_t n = start->count;

    if (n < 2) return rp_fail(err, RP_EFORMAT, "'%s': no sequences", r->path);
    s->start = rp_alloc(n, sizeof *s->start);
    if (!s->start) return rp_fail_memory(err, n * sizeof *s->start);
    for (size_t i = 0; i < n; i++) {
        int64_t at, before = i ? (int64_t)s->start[i - 1] : -1;
        memcpy(&at, (const char *)start->data + i * sizeof at, sizeof at);
        if (at <= before || (i == 0 && at != 0))
            return rp_fail(err, RP_EFORMAT, "'%s': tensor 'start' does not ascend from 0: %lld",
                           r->path, (long long)at);
        s->start[i] = (size_t)at;
    }
    s->n = n - 1;
    return RP_OK;
}

static rp_status read_sequences(rp_reference *r, rp_error *err)
{
    rp_sequences *s = &r->sequences;
    const rp_tensor *start = NULL, *ids = NULL, *segment = NULL;
    size_t tokens;
    rp_status status = need(r, &start, "start", RP_I64, 0, 0, err);

    if (status == RP_OK) status = read_start(r, start, err);
    if (status != RP_OK) return status;
    tokens = s->start[s->n];
    status = need(r, &ids, "ids", RP_I32, tokens, 0, err);
    r->has_segments = rp_safetensors_find(r->file, "segment") != NULL;
    if (status == RP_OK && r->has_segments)
        status = need(r, &segment, "segment", RP_I32, tokens, 0, err);
    if (status != RP_OK) return status;
    s->id = rp_alloc(tokens, sizeof *s->id);
    s->segment = rp_alloc(tokens, sizeof *s->segment);
    if (!s->id || !s->segment) return rp_fail_memory(err, 2 * tokens * sizeof *s->id);
    memcpy(s->id, ids->data, tokens * sizeof *s->id);
    if (segment) memcpy(s->segment, segment->data, tokens * sizeof *s->segment);
    return RP_OK;
}

rp_status rp_reference_open(rp_reference *r, const char *dir, rp_error *err)
{
    char about[4096], tensors[4096];
    rp_status status = rp_path_join(about, sizeof about, dir, "reference.json", err);

    *r = (rp_reference){0};
    if (status == RP_OK)
        status = rp_path_join(tensors, sizeof tensors, dir, "reference.safetensors", err);
    if (status == RP_OK) status = rp_safetensors_open(&r->file, tensors, err);
    if (status == RP_OK) {
        r->path = rp_safetensors_path(r->file);
        status = read_sequences(r, err);
    }
    if (status == RP_OK) status = read_about(r, about, err);
    if (status == RP_OK && rp_safetensors_find(r->file, "scores"))
        status = need(r, &r->scores, "scores", RP_F32, r->sequences.n, 0, err);
    if (status == RP_OK) r->embed = rp_safetensors_find(r->file, "embed");
    if (status != RP_OK) rp_reference_release(r);
    return status;
}

/* ---- against a model ---- */

static void tensor_name(char name[64], rp_site site, size_t layer)
{
    snprintf(name, 64, "%s.%zu", rp_site_name(site), layer);
}

const void *rp_reference_values(const rp_reference *r, rp_site site, size_t layer)
{
    char name[64];
    const rp_tensor *t;

    tensor_name(name, site, layer);
    t = rp_safetensors_find(r->file, name);
    return t ? t->data : NULL;
}

static rp_status check_tokens(const rp_reference *r, const rp_model_info *m, rp_error *err)
{
    const rp_sequences *s = &r->sequences;

    for (size_t i = 0; i < s->n; i++)
        if (s->start[i + 1] - s->start[i] > m->max_positions)
            return rp_fail(
                err, RP_EFORMAT, "'%s': sequence %zu has %zu tokens, more than the model's %s %zu",
                r->path, i + 1, s->start[i + 1] - s->start[i], m->limit_key, m->max_positions);
    for (size_t t = 0; t < s->start[s->n]; t++) {
        if (s->id[t] < 0 || (size_t)s->id[t] >= m->vocabulary)
            return rp_fail(err, RP_EFORMAT,
                           "'%s': token %d is outside of the model's vocabulary of %zu", r->path,
                           (int)s->id[t], m->vocabulary);
        if (m->segments && (s->segment[t] < 0 || (size_t)s->segment[t] >= m->segments))
            return rp_fail(err, RP_EFORMAT, "'%s': segment %d is outside of the model's %zu",
                           r->path, (int)s->segment[t], m->segments);
    }
    return RP_OK;
}

static bool is_there(const rp_reference *r, rp_site site, size_t layers)
{
    for (size_t l = rp_model_site_first(site); l <= layers; l++)
        if (rp_reference_values(r, site, l)) return true;
    return false;
}

static rp_status check_site(const rp_reference *r, const rp_model *model, rp_site site,
                            rp_error *err)
{
    size_t layers = rp_model_about(model)->layers, tokens = r->sequences.start[r->sequences.n];
    bool there = site == RP_SITE_RESID_POST || is_there(r, site, layers);
    const rp_tensor *tensor;
    rp_status status = there ? rp_model_check_site(model, site, err) : RP_OK;

    for (size_t l = rp_model_site_first(site); status == RP_OK && there && l <= layers; l++) {
        char name[64];
        tensor_name(name, site, l);
        status = need(r, &tensor, name, RP_F32, tokens, rp_model_site_width(model, site), err);
    }
    return status;
}

/* Is it a tensor that this module reads, of a layer that the model has? */
static bool is_known(const char *name, size_t layers)
{
    static const char *const known[] = {"ids", "start", "segment", "scores", "embed"};
    const char *dot = strchr(name, '.');
    char site_name[32];
    rp_site site;
    size_t layer;

    for (size_t k = 0; k < sizeof known / sizeof *known; k++)
        if (strcmp(name, known[k]) == 0) return true;
    if (!dot || dot - name >= (ptrdiff_t)sizeof site_name) return false;
    snprintf(site_name, sizeof site_name, "%.*s", (int)(dot - name), name);
    return rp_site_find(site_name, &site) && rp_number_size(dot + 1, &layer) &&
           layer >= rp_model_site_first(site) && layer <= layers;
}

rp_status rp_reference_check(const rp_reference *r, const rp_model *model, rp_error *err)
{
    const rp_model_info *m = rp_model_about(model);
    const rp_tensor *embed;
    rp_status status;

    if (strcmp(r->family, m->family) != 0)
        return rp_fail(err, RP_EFORMAT, "'%s': of a model of family '%s', this one is '%s'",
                       r->path, r->family, m->family);
    for (size_t i = 0; i < rp_safetensors_count(r->file); i++) {
        const char *name = rp_safetensors_at(r->file, i)->name;
        if (!is_known(name, m->layers))
            return rp_fail(err, RP_EFORMAT, "'%s': tensor '%s' is none of a model of %zu layers",
                           r->path, name, m->layers);
    }
    status = check_tokens(r, m, err);
    for (rp_site site = 0; status == RP_OK && site < RP_SITES; site++)
        status = check_site(r, model, site, err);
    if (status == RP_OK && r->embed)
        status = need(r, &embed, "embed", RP_F32, r->sequences.n, m->width, err);
    return status;
}
