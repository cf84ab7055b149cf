#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "run/drive.h"
#include "store/layout.h"

void rp_workload_release(rp_workload *w)
{
    rp_tokens_release(&w->sample);
    rp_template_free(w->template_);
    rp_tokenizer_free(w->tokenizer);
    rp_model_free(w->model);
    rp_pairs_release(&w->pairs);
    *w = (rp_workload){0};
}

rp_status rp_workload_open_tokenizer(rp_workload *w, const rp_template_options *t, rp_error *err)
{
    rp_template_options options = *t;
    const rp_model_info *m = rp_model_about(w->model);
    bool own = m->adapter && rp_tokenizer_is(m->adapter);
    rp_status status = rp_tokenizer_open(&w->tokenizer, own ? m->adapter : m->path, err);

    if (status != RP_OK) return status;
    if (strcmp(t->name, "auto") == 0)
        options.name = t->custom ? "custom" : rp_template_default(m->causal);
    return rp_template_new(&w->template_, &options, w->tokenizer, err);
}

rp_status rp_workload_open(rp_workload *w, const rp_inputs *in, const rp_model_source *model,
                           const rp_template_options *t, bool score, const rp_host *host,
                           rp_error *err)
{
    rp_status status;

    *w = (rp_workload){0};
    if (!model->path) return rp_fail(err, RP_EARG, "no model is given");
    status = rp_model_open(&w->model, model, err);
    if (status == RP_OK && score) status = rp_model_require_score(w->model, err);
    if (status == RP_OK) status = rp_workload_open_tokenizer(w, t, err);
    if (status == RP_OK) status = rp_pairs_load(&w->pairs, in, host, err);
    if (status == RP_OK && w->pairs.n == 0)
        status = rp_fail(err, RP_EFORMAT, "'%s': no pairs in the run", in->run);
    if (status == RP_OK)
        status = rp_template_encode(w->template_, &w->sample, &w->pairs.pair[0], err);
    if (status != RP_OK) rp_workload_release(w);
    return status;
}

/* ---- what outputs record ---- */

/* {"path", "checksum"}; a stream cannot be read twice: no checksum. An absent input is null. */
static rp_status input_to_json(json_t *object, const char *key, const char *path, rp_error *err)
{
    json_t *input = json_null();
    uint64_t sum = 0;
    struct stat st;
    bool stream = path && (strcmp(path, "-") == 0 || stat(path, &st) != 0 ||
                           !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)));

    if (path && !stream) {
        rp_status status = rp_checksum_path(&sum, path, err);
        if (status != RP_OK) return status;
    }
    if (path)
        input = json_pack("{s:o, s:o?}", "path", rp_json_text(path), "checksum",
                          stream ? NULL : rp_json_from_checksum(sum));
    if (json_object_set_new(object, key, input) != 0) return rp_fail_memory(err, sizeof sum);
    return RP_OK;
}

static rp_status inputs_to_json(json_t **json, const rp_inputs *in, rp_error *err)
{
    json_t *inputs = json_object();
    rp_status status = inputs ? RP_OK : rp_fail_memory(err, sizeof *in);

    if (status == RP_OK) status = input_to_json(inputs, "collection", in->collection, err);
    if (status == RP_OK) status = input_to_json(inputs, "queries", in->queries, err);
    if (status == RP_OK) status = input_to_json(inputs, "run", in->run, err);
    if (status == RP_OK &&
        json_object_set_new(inputs, "top", json_integer((json_int_t)in->top)) != 0)
        status = rp_fail_memory(err, sizeof *in);
    *json = inputs;
    return status;
}

static rp_status model_to_json(json_t **json, const rp_workload *w, rp_error *err)
{
    const rp_model_info *m = rp_model_about(w->model);
    uint64_t tokenizer = 0;
    rp_status status = rp_checksum_path(&tokenizer, rp_tokenizer_path(w->tokenizer), err);

    if (status != RP_OK) return status;
    *json = json_pack(
        "{s:o, s:o*, s:s, s:o, s:o, s:I, s:I, s:I, s:s, s:b}", "path", rp_json_text(m->path),
        "adapter", m->adapter ? json_pack("{s:o}", "path", rp_json_text(m->adapter)) : NULL,
        "family", m->family, "fingerprint", rp_json_from_checksum(m->fingerprint), "tokenizer",
        rp_json_from_checksum(tokenizer), "layers", (json_int_t)m->layers, "width",
        (json_int_t)m->width, "parameters", (json_int_t)m->parameters, "dtype", m->dtype,
        "score_head", (int)m->has_score);
    return *json ? RP_OK : rp_fail_memory(err, sizeof *m);
}

/* The first pair's tokens, so that a reader sees what the model saw. */
static json_t *sample_to_json(const rp_workload *w)
{
    json_t *ids = json_array(), *pieces = json_array(), *segments = NULL;
    int failed = !ids || !pieces;

    for (size_t i = 0; !failed && i < w->sample.ids.n; i++) {
        const char *piece = rp_tokenizer_piece(w->tokenizer, w->sample.ids.id[i]);
        failed = json_array_append_new(ids, json_integer(w->sample.ids.id[i])) != 0 ||
                 json_array_append_new(pieces, rp_json_text(piece)) != 0;
    }
    if (rp_model_about(w->model)->segments > 0) {
        segments = json_array();
        for (size_t i = 0; i < w->sample.segment.n; i++)
            failed |= json_array_append_new(segments, json_integer(w->sample.segment.id[i])) != 0;
    }
    if (!failed)
        return json_pack("{s:o, s:o, s:o, s:o, s:o*}", "qid", rp_json_text(w->pairs.pair[0].qid),
                         "docid", rp_json_text(w->pairs.pair[0].docid), "ids", ids, "pieces",
                         pieces, "segments", segments);
    json_decref(ids);
    json_decref(segments);
    json_decref(pieces);
    return NULL;
}

rp_status rp_workload_to_json(json_t **json, const rp_workload *w, const rp_inputs *in,
                              rp_error *err)
{
    json_t *model = NULL, *inputs = NULL;
    rp_status status = model_to_json(&model, w, err);

    *json = NULL;
    if (status == RP_OK) status = inputs_to_json(&inputs, in, err);
    if (status == RP_OK) {
        *json = json_pack("{s:O, s:o, s:o, s:O}", "model", model, "template",
                          rp_template_to_json(w->template_), "sample", sample_to_json(w), "inputs",
                          inputs);
        if (!*json) status = rp_fail_memory(err, sizeof *w);
    }
    json_decref(model);
    json_decref(inputs);
    return status;
}
