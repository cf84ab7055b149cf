/*
 * The job behind rp_probe: units (layers of views, and the baselines), protocols, threads, and the
 * files that come out. Separate from the store so that tests can probe an array.
 */
#ifndef RP_PROBE_JOB_H
#define RP_PROBE_JOB_H

#include "probe/layers.h"
#include "probe/unit.h"

#define RP_BASELINE_LENGTH "baseline.length" /* x = T, 1/T, log T, T query, T document */
#define RP_BASELINE_SCORE "baseline.score"   /* x = the ranker's score */

typedef struct rp_unit {
    size_t view;      /* of the source; SIZE_MAX: a baseline */
    const char *name; /* of the view */
    size_t layer, width;
    float *predictions; /* [nplans][labels, rows] or NULL */
} rp_unit;

typedef struct rp_job {
    const rp_source *source;
    const rp_probe_options *options;
    const rp_host *host;
    rp_rows rows;
    rp_labels labels;
    rp_layers layers;
    char *protocols; /* the options', cut at commas */
    size_t nplans, nunits;
    rp_plan *plan;     /* [nplans] */
    rp_unit *unit;     /* [nunits] baselines last */
    rp_result *result; /* [nplans][nunits][labels] */
    const char *about; /* a line on the store for the output, NULL: none; the caller's */
} rp_job;

/* Checks the options, joins the labels, lays out the protocols. */
rp_status rp_job_init(rp_job *job, const rp_source *source, const rp_probe_options *o,
                      const rp_host *host, rp_error *err);
rp_status rp_job_run(rp_job *job, rp_error *err);
/* Writes options.output and options.predictions. inputs [ninputs]: paths for the `#` lines. */
rp_status rp_job_write(const rp_job *job, const char *const *inputs, size_t ninputs, rp_error *err);
void rp_job_release(rp_job *job);

static inline rp_result *rp_job_result(const rp_job *job, size_t plan, size_t unit, size_t label)
{
    return &job->result[(plan * job->nunits + unit) * job->labels.n + label];
}

#endif
