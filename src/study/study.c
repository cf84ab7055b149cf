#include "study/course.h"

#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"

void rp_study_options_init(rp_study_options *o)
{
    *o = (rp_study_options){0};
}

/* ---- one step ---- */

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st;
    (void)kind;
    (void)where;
    return remove(path);
}

/* What an earlier run of the step left; a folder that the study did not make is not touched. */
static rp_status clear(const rp_course *s, const rp_step *step, rp_error *err)
{
    for (size_t i = 0; i < RP_STEP_FILES; i++) {
        const char *path = step->output[i];
        if (!path || !rp_path_is_dir(path)) continue;
        if (!rp_ledger_knows(&s->ledger, step))
            return rp_fail(err, RP_EARG, "'%s' exists and was not made by this study", path);
        if (nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS)) return rp_fail_errno(err, path);
    }
    return RP_OK;
}

/* In a dry run: does the step read what a step before it would have renewed? */
static const char *stale_input(const rp_course *s, const rp_step *step)
{
    for (size_t i = 0; i < RP_STEP_FILES; i++)
        for (size_t k = 0; step->input[i] && k < s->nstale; k++)
            if (!strcmp(step->input[i], s->stale[k])) return s->stale[k];
    return NULL;
}

static rp_status plan(rp_course *s, const rp_step *step, rp_error *err)
{
    char why[512];
    rp_step_state state = RP_STEP_STALE;
    const char *before = stale_input(s, step);
    if (s->options->force)
        snprintf(why, sizeof why, "forced");
    else if (before)
        snprintf(why, sizeof why, "'%s' would be new", before);
    else {
        rp_status status = rp_ledger_look(&s->ledger, &state, why, sizeof why, step, err);
        if (status) return status;
    }
    if (state == RP_STEP_DONE) {
        rp_host_note(&s->host, "%s: up to date", step->name);
        return RP_OK;
    }
    rp_host_note(&s->host, "%s: to do (%s)", step->name, why);
    for (size_t i = 0; i < RP_STEP_FILES; i++)
        if (step->output[i] && s->nstale < sizeof s->stale / sizeof s->stale[0])
            s->stale[s->nstale++] = step->output[i];
    return RP_OK;
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

rp_status rp_course_step(rp_course *s, const rp_step *step, rp_step_run *run, const void *options,
                         rp_error *err)
{
    char why[512] = "forced";
    rp_step_state state = RP_STEP_STALE;
    if (s->options->dry_run) return plan(s, step, err);
    rp_status status = rp_host_progress(&s->host, step->name, 0, 0, err);
    if (!status && !s->options->force)
        status = rp_ledger_look(&s->ledger, &state, why, sizeof why, step, err);
    if (status) return status;
    if (state == RP_STEP_DONE) {
        rp_host_note(&s->host, "%s: up to date", step->name);
        return RP_OK;
    }
    if (state == RP_STEP_STALE && (status = clear(s, step, err))) return status;
    if ((status = rp_ledger_begin(&s->ledger, step, err))) return status;
    rp_host_note(&s->host, "%s: %s (%s)", step->name,
                 state == RP_STEP_STARTED ? "going on" : "started", why);
    double start = seconds();
    if ((status = run(s, options, err))) return status;
    if ((status = rp_ledger_finish(&s->ledger, step, err))) return status;
    rp_host_note(&s->host, "%s: done in %.1f s", step->name, seconds() - start);
    return RP_OK;
}

/* ---- the study ---- */

static rp_status output_path(const char **path, const rp_course *s, const char *name, rp_error *err)
{
    char full[PATH_MAX];
    rp_status status = rp_path_join(full, sizeof full, s->config.keys->output, name, err);
    if (!status && !(*path = rp_arena_strdup(s->config.arena, full)))
        status = rp_fail_memory(err, strlen(full));
    return status;
}

/* The one file of a list, or the joined one. */
static rp_status input_path(const char **path, bool *joined, const rp_course *s,
                            const rp_study_list *list, const char *name, rp_error *err)
{
    *joined = list->n > 1;
    if (*joined) return output_path(path, s, name, err);
    *path = list->n ? list->item[0] : NULL;
    return RP_OK;
}

static rp_status name_paths(rp_course *s, rp_error *err)
{
    const rp_study_data *d = &s->config.keys->data;
    rp_course_paths *p = &s->path;
    const struct {
        const char **path, *name;
    } outputs[] = {{&p->data, "data"},
                   {&p->bm25, "run.bm25.txt"},
                   {&p->features, "features.tsv"},
                   {&p->labels, "labels.tsv"},
                   {&p->store, "store"},
                   {&p->model_run, "run.model.txt"},
                   {&p->probes, "probes.tsv"},
                   {&p->units, "units.tsv"},
                   {&p->differences, "differences.tsv"},
                   {&p->ksparse, "ksparse.tsv"},
                   {&p->predictions, "predictions.safetensors"},
                   {&p->coefficients, "coefficients.safetensors"},
                   {&p->eval, "eval.tsv"},
                   {&p->page, "index.html"},
                   {&p->summary, "summary.txt"},
                   {&p->verdicts, "verdicts.tsv"}};
    rp_status status = RP_OK;
    for (size_t i = 0; !status && i < sizeof outputs / sizeof outputs[0]; i++)
        status = output_path(outputs[i].path, s, outputs[i].name, err);
    if (!status)
        status =
            input_path(&p->queries, &s->joined_queries, s, &d->queries, "data/queries.tsv", err);
    if (!status) status = input_path(&p->run, &s->joined_run, s, &d->run, "data/run.txt", err);
    if (!status)
        status = input_path(&p->qrels, &s->joined_qrels, s, &d->qrels, "data/qrels.txt", err);
    if (!status && s->joined_run && d->run_format && !strcmp(d->run_format, "top1000"))
        status = rp_fail(err, RP_EFORMAT, "'%s' line %zu: several top1000 runs cannot be joined",
                         s->config.path, rp_study_config_line(&s->config, "data.run"));
    s->searched = !p->run;
    if (s->searched) p->run = p->bm25;
    return status;
}

static rp_status run_steps(rp_course *s, rp_error *err)
{
    const bool *score = s->config.keys->capture.score;
    rp_status status = rp_course_join(s, err);
    if (!status) status = rp_course_search(s, err);
    if (!status) status = rp_course_features(s, err);
    if (!status) status = rp_course_capture(s, err);
    if (!status && (!score || *score)) status = rp_course_rank(s, err);
    if (!status) status = rp_course_eval(s, err);
    if (!status) status = rp_course_probe(s, err);
    if (!status) status = rp_course_report(s, err);
    return status;
}

/* Outputs carry the command that made them. The study's is the same whatever its flags were, so
 * that doing a step again gives the same bytes. */
static rp_status make_host(rp_course *s, const rp_host *host, rp_error *err)
{
    rp_text text = {0};
    if (host) s->host = *host;
    rp_status status = rp_text_printf(&text, err, "rankprobe study %s", s->options->study);
    s->command = text.data;
    s->host.command = s->command;
    return status;
}

rp_status rp_study(const rp_study_options *o, const rp_host *host, rp_error *err)
{
    rp_course s = {.options = o};
    if (!o->study) return rp_fail(err, RP_EARG, "study: no study.yaml given");
    rp_status status = rp_study_config_load(&s.config, o->study, err);
    if (status) return status;
    if ((status = make_host(&s, host, err))) goto done;
    if ((status = name_paths(&s, err))) goto done;
    if (!o->dry_run && (status = rp_path_make_dirs(s.config.keys->output, err))) goto done;
    if ((status = rp_ledger_open(&s.ledger, s.config.keys->output, err))) goto done;
    status = run_steps(&s, err);
    if (!status && !o->dry_run) status = rp_ledger_save(&s.ledger, err);
done:
    rp_ledger_release(&s.ledger);
    rp_study_config_release(&s.config);
    free(s.command);
    return status;
}
