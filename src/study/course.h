/*
 * The course of a study: the configuration, the paths of what it writes, and the steps in their
 * order.
 *
 *     OUTPUT/data/queries.tsv, run.txt, qrels.txt   several files joined (only where there are)
 *     OUTPUT/run.bm25.txt                           search (only without a run)
 *     OUTPUT/features.tsv, labels.tsv               features
 *     OUTPUT/store/                                 capture
 *     OUTPUT/run.model.txt                          rank: the model's scores as a run
 *     OUTPUT/probes.tsv                             probe
 *     OUTPUT/units.tsv, differences.tsv, ksparse.tsv, predictions.safetensors,
 *            coefficients.safetensors               probe (those that are asked for)
 *     OUTPUT/eval.tsv                               eval (only with qrels)
 *     OUTPUT/index.html, summary.txt, verdicts.tsv, figures/   report
 *     OUTPUT/steps/                                 ledger.h
 */
#ifndef RP_STUDY_COURSE_H
#define RP_STUDY_COURSE_H

#include "study/config.h"
#include "study/ledger.h"

typedef struct rp_course_paths {
    const char *data, *queries, *run, *qrels; /* what the jobs read: given, joined or found */
    const char *bm25, *features, *labels, *store, *model_run, *probes, *eval, *page, *summary,
        *verdicts;
    const char *units, *differences, *ksparse, *predictions, *coefficients;
} rp_course_paths;

typedef struct rp_course {
    const rp_study_options *options;
    rp_study_config config;
    rp_course_paths path;
    rp_ledger ledger;
    rp_host host; /* the caller's, with a command that does not depend on --force */
    char *command;
    bool joined_queries, joined_run, joined_qrels, searched;
    const char *stale[32]; /* outputs that a dry run would have renewed */
    size_t nstale;
} rp_course;

/* Runs the job of a step unless its record vouches for the outputs, and tells the host. `options`
 * are the job's. */
typedef rp_status rp_step_run(rp_course *course, const void *options, rp_error *err);
rp_status rp_course_step(rp_course *course, const rp_step *step, rp_step_run *run,
                         const void *options, rp_error *err);

/* The steps (steps.c): each describes itself to rp_course_step. */
rp_status rp_course_join(rp_course *course, rp_error *err);
rp_status rp_course_search(rp_course *course, rp_error *err);
rp_status rp_course_features(rp_course *course, rp_error *err);
rp_status rp_course_capture(rp_course *course, rp_error *err);
rp_status rp_course_rank(rp_course *course, rp_error *err);
rp_status rp_course_probe(rp_course *course, rp_error *err);
rp_status rp_course_eval(rp_course *course, rp_error *err);
rp_status rp_course_report(rp_course *course, rp_error *err);

#endif
