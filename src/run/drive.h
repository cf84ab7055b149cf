/*
 * Driving a model over pairs: what score and capture share. A workload holds everything that is
 * read before the model runs; a drive cuts sequences into batches that fit the session and tells
 * the host how far it is, in pairs.
 */
#ifndef RP_RUN_DRIVE_H
#define RP_RUN_DRIVE_H

#include "run/pool.h"

typedef struct rp_workload {
    rp_pairs pairs;
    rp_model *model;
    rp_tokenizer *tokenizer;
    rp_template *template_;
    rp_tokens sample; /* the first pair's tokens */
} rp_workload;
/* The tokenizer of w->model, which is the adapter's where it brings one, else its base model's; and
 * the template. */
rp_status rp_workload_open_tokenizer(rp_workload *w, const rp_template_options *t, rp_error *err);
/* Reads pairs, model and tokenizer, compiles the template, encodes the first pair. RP_EFORMAT when
 * score is asked for and the model has no score head. */
rp_status rp_workload_open(rp_workload *w, const rp_inputs *in, const rp_model_source *model,
                           const rp_template_options *t, bool score, const rp_host *host,
                           rp_error *err);
void rp_workload_release(rp_workload *w);
/* What outputs record: {"model", "template", "sample", "inputs"}. Free with json_decref. */
rp_status rp_workload_to_json(json_t **json, const rp_workload *w, const rp_inputs *in,
                              rp_error *err);

typedef struct rp_drive {
    rp_session *session;
    const char *what;    /* "scoring pairs" */
    size_t done, total;  /* pairs */
    const rp_host *host; /* the caller's */
} rp_drive;
/* Runs all sequences, batch by batch. observer (may be NULL) sees the activations of a batch;
 * *first (may be NULL) is then the sequence that the observer is told as 0. scores [sequences->n]
 * may be NULL. Adds the pairs to drive->done. */
rp_status rp_drive_forward(rp_drive *drive, const rp_sequences *sequences,
                           const rp_observer *observer, size_t *first, float *scores,
                           rp_error *err);

#endif
