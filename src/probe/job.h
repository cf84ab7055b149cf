/*
 * The job behind rp_probe: units (layers of views, and the baselines) one at a time, each under
 * every protocol, and the files that come out. Separate from the store so that tests can probe an
 * array. The one thing to know: a finished unit lives on disk (parts.h); what is written at the end
 * is read from there, so it makes no difference which process fitted a unit, or when.
 */
#ifndef RP_PROBE_JOB_H
#define RP_PROBE_JOB_H

#include "probe/layers.h"
#include "probe/parts.h"
#include "probe/tests.h"
#include "probe/unit.h"

#define RP_BASELINE_LENGTH "baseline.length" /* x = T, 1/T, log T, T query, T document */
#define RP_BASELINE_SCORE "baseline.score"   /* x = the ranker's score */

typedef struct rp_unit {
    size_t view;      /* of the source; SIZE_MAX: a baseline */
    const char *name; /* of the view */
    size_t layer, width;
} rp_unit;

typedef struct rp_job {
    const rp_source *source, *other; /* other: of --transfer, or NULL */
    const rp_probe_options *options;
    const rp_host *host;
    rp_rows rows, other_rows;
    rp_labels labels, other_labels; /* the same labels in the same order */
    rp_layers layers;
    char *protocols; /* the options', cut at commas */
    size_t nplans;   /* protocols; the last two are the other store's when there is one */
    size_t nunits;
    rp_plan *plan;            /* [nplans] */
    rp_unit *unit;            /* [nunits] baselines last */
    const rp_source *against; /* of --against, or NULL */
    size_t *against_row;      /* [rows] the same pair there */
    unsigned gains;           /* bit RP_GAIN_x: wanted */
    rp_parts parts;
    rp_saved *saved;      /* [nunits] after rp_job_run, in the first process */
    rp_tested *tested;    /* [nplans][RP_NULLS][nunits][labels] the same; NaN: not tested */
    const char *about;    /* a line on the store for the output, NULL: none; the caller's */
    uint64_t fingerprint; /* of what is behind x; the caller's, 0: nothing */
} rp_job;

/* Checks the options, joins the labels, lays out the protocols. */
rp_status rp_job_init(rp_job *job, const rp_source *source, const rp_probe_options *o,
                      const rp_host *host, rp_error *err);
/* Adds the protocols `transfer` and `refit` on another source; options.transfer_features has its
 * labels. */
rp_status rp_job_transfer(rp_job *job, const rp_source *other, rp_error *err);
/* Adds gains over the same layers of another store with the same pairs (and maybe more). */
rp_status rp_job_against(rp_job *job, const rp_source *other, rp_error *err);
/* Index of the view that has this layer, SIZE_MAX: none. */
size_t rp_source_view(const rp_source *source, const char *name, size_t layer);
/* Fits what is not in the parts yet. Collective (base/comm.h); afterwards the first process has the
 * results. RP_ECANCEL keeps the parts. */
rp_status rp_job_run(rp_job *job, rp_error *err);
/* Writes the options' outputs and deletes the parts. inputs [ninputs]: paths for the `#` lines. */
rp_status rp_job_write(const rp_job *job, const char *const *inputs, size_t ninputs, rp_error *err);
void rp_job_release(rp_job *job);

bool rp_unit_is_baseline(const rp_unit *unit);
/* The pair is not probed: the score of a ranker from its score. */
bool rp_job_skips(const rp_job *job, size_t unit, size_t label);
static inline bool rp_job_is_other(const rp_job *job, size_t plan)
{
    return job->other && plan + 2 >= job->nplans;
}
size_t rp_job_sound(const rp_job *job); /* index of the protocol `sound`; SIZE_MAX: not asked for */
/* What is kept of a unit under a protocol. */
rp_unit_shape rp_job_shape(const rp_job *job, size_t plan, size_t unit);
static inline const rp_unit_out *rp_job_out(const rp_job *job, size_t plan, size_t unit)
{
    return &job->saved[unit].out[plan];
}
static inline const rp_result *rp_job_result(const rp_job *job, size_t plan, size_t unit,
                                             size_t label)
{
    return &rp_job_out(job, plan, unit)->result[label];
}
static inline rp_tested *rp_job_tested(const rp_job *job, size_t plan, size_t kind, size_t unit,
                                       size_t label)
{
    return &job->tested[((plan * RP_NULLS + kind) * job->nunits + unit) * job->labels.n + label];
}

/* Fills `tested` from the parts. */
rp_status rp_job_test(rp_job *job, rp_error *err);

/* The files of rp_job_write, each whole or not at all. */
rp_status rp_job_write_predictions(const rp_job *job, rp_error *err);
rp_status rp_job_write_coefficients(const rp_job *job, rp_error *err);
rp_status rp_job_write_units(const rp_job *job, const rp_provenance *about, rp_error *err);
rp_status rp_job_write_differences(const rp_job *job, const rp_provenance *about, rp_error *err);
rp_status rp_job_write_ksparse(const rp_job *job, const rp_provenance *about, rp_error *err);
/* TAB and the number with nine digits; never "-nan". */
void rp_cell_write(FILE *file, double number);

#endif
