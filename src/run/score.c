#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "run/drive.h"
#include "store/layout.h"

#define CHUNK 4096 /* pairs that are tokenised together */

void rp_score_options_init(rp_score_options *o)
{
    *o = (rp_score_options){
        .output = "-", .tag = "rankprobe", .memory = (size_t)2 << 30, .compute = "f32"};
    rp_inputs_init(&o->in);
    rp_template_options_init(&o->template_);
}

static rp_status score_pairs(float *scores, const rp_workload *w, const rp_score_options *o,
                             const rp_host *host, rp_error *err)
{
    rp_drive drive = {.what = "scoring pairs", .total = w->pairs.n, .host = host};
    rp_status status = rp_session_new(&drive.session, w->model,
                                      &(rp_session_options){.memory = o->memory,
                                                            .threads = o->threads,
                                                            .compute = o->compute,
                                                            .no_share = o->no_share},
                                      err);

    for (size_t first = 0; status == RP_OK && first < w->pairs.n; first += CHUNK) {
        rp_sequences sequences;
        size_t n = w->pairs.n - first < CHUNK ? w->pairs.n - first : CHUNK;
        status = rp_sequences_encode(&sequences, w->template_, rp_model_about(w->model),
                                     w->pairs.pair + first, n, RP_SET_ALL, o->threads, err);
        if (status == RP_OK)
            status = rp_drive_forward(&drive, &sequences, NULL, NULL, scores + first, err);
        rp_sequences_release(&sequences);
    }
    rp_session_free(drive.session);
    return status;
}

static rp_status check_scores(const float *scores, const rp_pairs *pairs, rp_error *err)
{
    for (size_t i = 0; i < pairs->n; i++)
        if (!(scores[i] - scores[i] == 0))
            return rp_fail(err, RP_ECOMPUTE, "query '%s' document '%s': the score is %g",
                           pairs->pair[i].qid, pairs->pair[i].docid, (double)scores[i]);
    return RP_OK;
}

/* Query by query in the run's order, hits as trec_eval sorts them. */
static rp_status write_run(FILE *file, const float *scores, const rp_pairs *pairs, const char *tag,
                           rp_error *err)
{
    rp_hit *hit = rp_alloc(pairs->n, sizeof *hit);

    if (!hit) return rp_fail_memory(err, pairs->n * sizeof *hit);
    for (size_t i = 0; i < pairs->n; i++)
        hit[i] = (rp_hit){pairs->pair[i].docid, (double)scores[i]};
    for (size_t t = 0; t < pairs->ntopics; t++) {
        size_t first = pairs->first[t], n = pairs->first[t + 1] - first;
        qsort(hit + first, n, sizeof *hit, rp_hit_compare);
        for (size_t i = 0; i < n; i++)
            fprintf(file, "%s Q0 %s %zu %.9g %s\n", pairs->pair[first].qid, hit[first + i].docid,
                    i + 1, hit[first + i].score, tag);
    }
    free(hit);
    return RP_OK;
}

/* A TREC run has no place for comments: what it was made of stands beside it, in FILE.json. */
static rp_status write_about(const rp_workload *w, const rp_score_options *o, const rp_host *host,
                             rp_error *err)
{
    rp_text path = {0};
    json_t *about = NULL;
    rp_status status = rp_workload_to_json(&about, w, &o->in, err);

    if (status == RP_OK &&
        (json_object_set_new(about, "version", json_string(RP_VERSION)) != 0 ||
         json_object_set_new(about, "command", rp_json_text(host ? host->command : NULL)) != 0 ||
         json_object_set_new(about, "pairs", json_integer((json_int_t)w->pairs.n)) != 0))
        status = rp_fail_memory(err, sizeof *w);
    if (status == RP_OK) status = rp_text_printf(&path, err, "%s.json", o->output);
    if (status == RP_OK) status = rp_json_save(about, path.data, JSON_INDENT(1), err);
    rp_text_release(&path);
    json_decref(about);
    return status;
}

rp_status rp_score(const rp_score_options *o, const rp_host *host, rp_error *err)
{
    rp_workload w;
    rp_out out = {0};
    float *scores = NULL;
    const rp_model_source source = {o->model, o->base, o->models};
    const char *const inputs[] = {o->in.collection, o->in.queries, o->in.run};
    rp_status status = rp_out_check(o->output, inputs, 3, err);

    if (status == RP_OK)
        status = rp_workload_open(&w, &o->in, &source, &o->template_, true, host, err);
    if (status != RP_OK) return status;
    scores = rp_alloc(w.pairs.n, sizeof *scores);
    if (!scores) status = rp_fail_memory(err, w.pairs.n * sizeof *scores);
    /* The output is opened first: a path that cannot be written costs no model run. */
    if (status == RP_OK) status = rp_out_open(&out, o->output, err);
    if (status == RP_OK) status = score_pairs(scores, &w, o, host, err);
    if (status == RP_OK) status = check_scores(scores, &w.pairs, err);
    if (status == RP_OK) status = write_run(out.file, scores, &w.pairs, o->tag, err);
    if (status == RP_OK && out.temporary) status = write_about(&w, o, host, err);
    if (status == RP_OK) status = rp_out_commit(&out, err);
    rp_out_release(&out);
    free(scores);
    rp_workload_release(&w);
    return status;
}
