#include "probe/job.h"

#include <limits.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/table.h"

void rp_job_release(rp_job *job)
{
    for (size_t i = 0; job->plan && i < job->nplans; i++) rp_plan_release(&job->plan[i]);
    for (size_t u = 0; job->unit && u < job->nunits; u++) free(job->unit[u].predictions);
    free(job->plan), free(job->unit), free(job->result), free(job->protocols);
    rp_layers_release(&job->layers);
    rp_labels_release(&job->labels);
    rp_rows_release(&job->rows);
    *job = (rp_job){0};
}

static rp_status check_options(const rp_probe_options *o, rp_error *err)
{
    if (strcmp(o->method, "ridge") && strcmp(o->method, "lasso"))
        return rp_fail(err, RP_EARG, "unknown method '%s': it must be ridge or lasso", o->method);
    if (!isnan(o->penalty) && !(o->penalty > 0 && isfinite(o->penalty)))
        return rp_fail(err, RP_EARG, "the penalty must be positive, not %g", o->penalty);
    if (o->folds < 2 || o->folds > 1000)
        return rp_fail(err, RP_EARG, "folds must be between 2 and 1000, not %zu", o->folds);
    if (o->inner < 2 || o->inner > 1000)
        return rp_fail(err, RP_EARG, "inner folds must be between 2 and 1000, not %zu", o->inner);
    if (o->bootstrap == 1 || o->bootstrap > 1000000)
        return rp_fail(err, RP_EARG, "bootstrap must be 0 or 2 to 1000000 draws, not %zu",
                       o->bootstrap);
    if (o->balance < -1 || o->balance > RP_BALANCE_BINS)
        return rp_fail(err, RP_EARG, "balance must be between 0 and %d bins, not %d",
                       RP_BALANCE_BINS, o->balance);
    return RP_OK;
}

/* ---- units ---- */

static bool wanted(const rp_job *job, const char *view)
{
    return rp_globs_match(job->options->views, view);
}

static rp_status check_views(const rp_source *source, const char *views, bool score, rp_error *err)
{
    const char **name = rp_alloc(source->nviews + 2, sizeof *name);
    if (!name) return rp_fail_memory(err, source->nviews * sizeof *name);
    for (size_t v = 0; v < source->nviews; v++) name[v] = source->view[v].name;
    name[source->nviews] = RP_BASELINE_LENGTH;
    name[source->nviews + 1] = RP_BASELINE_SCORE;
    rp_status status = rp_globs_check(views, name, source->nviews + (score ? 2 : 1), "view", err);
    free(name);
    return status;
}

/* Every range of the layers option must name a layer of a view that is probed. */
static rp_status check_layers(const rp_job *job, rp_error *err)
{
    for (size_t i = 0; i < job->layers.n; i++) {
        const rp_layer_range *r = &job->layers.range[i];
        bool found = false;
        for (size_t v = 0; v < job->source->nviews; v++) {
            const rp_store_view *view = &job->source->view[v];
            found |= wanted(job, view->name) && r->first <= view->layer_last &&
                     r->last >= view->layer_first;
        }
        if (!found)
            return rp_fail(err, RP_EARG, "layers '%.80s': no view that is probed has layer %zu",
                           job->options->layers, r->first);
    }
    return RP_OK;
}

/* Do the rows say how many tokens are the query's and the document's? */
static bool has_parts(const rp_source *s)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->row[i].query_tokens || s->row[i].document_tokens) return true;
    return false;
}

static rp_status list_units(rp_job *job, rp_error *err)
{
    const rp_source *s = job->source;
    bool score = true;
    size_t most = 2;
    rp_status status;
    for (size_t i = 0; i < s->n; i++) score &= isfinite(s->row[i].score);
    for (size_t v = 0; v < s->nviews; v++)
        most += s->view[v].layer_last - s->view[v].layer_first + 1;
    if ((status = check_views(s, job->options->views, score, err))) return status;
    if ((status = check_layers(job, err))) return status;
    job->unit = rp_alloc(most, sizeof *job->unit);
    if (!job->unit) return rp_fail_memory(err, most * sizeof *job->unit);
    for (size_t v = 0; v < s->nviews; v++) {
        const rp_store_view *view = &s->view[v];
        for (size_t l = view->layer_first; l <= view->layer_last && wanted(job, view->name); l++)
            if (rp_layers_has(&job->layers, l))
                job->unit[job->nunits++] = (rp_unit){v, view->name, l, view->width, NULL};
    }
    if (wanted(job, RP_BASELINE_LENGTH))
        job->unit[job->nunits++] =
            (rp_unit){SIZE_MAX, RP_BASELINE_LENGTH, 0, has_parts(s) ? 5 : 3, NULL};
    if (score && wanted(job, RP_BASELINE_SCORE))
        job->unit[job->nunits++] = (rp_unit){SIZE_MAX, RP_BASELINE_SCORE, 0, 1, NULL};
    for (size_t u = 0; u < job->nunits; u++)
        if (job->unit[u].width > INT_MAX / 64 || s->n > INT_MAX / 64)
            return rp_fail(err, RP_EARG, "%zu rows of width %zu are beyond what a probe can take",
                           s->n, job->unit[u].width);
    return RP_OK;
}

/* ---- protocols ---- */

static rp_status make_plans(rp_job *job, rp_error *err)
{
    size_t n = 1;
    char *rest = NULL;
    job->protocols = strdup(job->options->protocols);
    for (const char *c = job->options->protocols; *c; c++) n += *c == ',';
    job->plan = rp_alloc(n, sizeof *job->plan);
    if (!job->protocols || !job->plan) return rp_fail_memory(err, n * sizeof *job->plan);
    for (char *name = strtok_r(job->protocols, ",", &rest); name;
         name = strtok_r(NULL, ",", &rest)) {
        for (size_t i = 0; i < job->nplans; i++)
            if (!strcmp(job->plan[i].name, name))
                return rp_fail(err, RP_EARG, "protocol '%s' is named twice", name);
        if (!strcmp(name, "sound")) {
            rp_status status =
                rp_rows_split(&job->rows, job->options->folds, job->options->inner, err);
            if (status) return status;
        }
        rp_status status = rp_plan_init(&job->plan[job->nplans], name, job->options, &job->rows,
                                        &job->labels, err);
        if (status) return status;
        job->nplans++;
    }
    return job->nplans ? RP_OK : rp_fail(err, RP_EARG, "no protocol is named");
}

static void warn_constant(const rp_job *job)
{
    for (size_t p = 0; p < job->labels.n; p++)
        if (job->plan[0].constant[p])
            rp_host_warn(job->host, "'%s' has no two values: its probes are undefined",
                         job->labels.name[p]);
}

rp_status rp_job_init(rp_job *job, const rp_source *source, const rp_probe_options *o,
                      const rp_host *host, rp_error *err)
{
    *job = (rp_job){.source = source, .options = o, .host = host};
    rp_status status = check_options(o, err);
    rp_probe_blas_init();
    if (!status) status = rp_rows_init(&job->rows, source, o->seed, err);
    if (!status) status = rp_layers_parse(&job->layers, o->layers, err);
    if (!status) status = list_units(job, err);
    if (!status)
        status = rp_labels_load(&job->labels, &job->rows, o->features, o->select, o->controls, host,
                                err);
    if (!status) status = make_plans(job, err);
    if (!status) {
        size_t n = job->nplans * job->nunits * job->labels.n;
        job->result = rp_alloc(n, sizeof *job->result);
        if (!job->result) status = rp_fail_memory(err, n * sizeof *job->result);
    }
    if (status) {
        rp_job_release(job);
        return status;
    }
    warn_constant(job);
    return RP_OK;
}

/* ---- running ---- */

static rp_status read_unit(float *x, const rp_job *job, const rp_unit *unit, rp_error *err)
{
    if (unit->view != SIZE_MAX)
        return job->source->read(job->source->arg, x, unit->view, unit->layer, err);
    for (size_t i = 0; i < job->rows.n; i++) {
        const rp_store_row *row = &job->rows.row[i];
        double tokens = row->tokens ? (double)row->tokens : 1;
        if (unit->width == 1) {
            x[i] = (float)row->score;
            continue;
        }
        const double length[] = {tokens, 1 / tokens, log(tokens), (double)row->query_tokens,
                                 (double)row->document_tokens};
        for (size_t c = 0; c < unit->width; c++) x[i * unit->width + c] = (float)length[c];
    }
    return RP_OK;
}

/* Workers share what is common; the error of the first unit that failed is the job's. */
typedef struct shared {
    size_t done, failed;
    rp_status status;
    rp_error error;
} shared;

static void fail(shared *sh, size_t unit, rp_status status, const rp_error *error)
{
#pragma omp critical(rp_probe_failed)
    if (!sh->status || unit < sh->failed)
        sh->status = status, sh->failed = unit, sh->error = *error;
}

static bool stopped(shared *sh)
{
    rp_status status;
#pragma omp critical(rp_probe_failed)
    status = sh->status;
    return status != RP_OK;
}

static void advance(rp_job *job, shared *sh)
{
    size_t done;
    rp_error error = {0};
#pragma omp atomic capture
    done = ++sh->done;
    if (omp_get_thread_num()) return; /* the host is called from its own thread */
    rp_status status =
        rp_host_progress(job->host, "probes", done, job->nunits * job->nplans, &error);
    if (status) fail(sh, job->nunits, status, &error);
}

static rp_status run_unit(rp_job *job, size_t u, shared *sh, rp_error *err)
{
    rp_unit *unit = &job->unit[u];
    size_t n = job->rows.n, cells = job->labels.n * n;
    char what[320];
    snprintf(what, sizeof what, "'%.250s' layer %zu", unit->name, unit->layer);
    float *x = rp_alloc(n * unit->width, sizeof *x);
    if (job->options->predictions)
        unit->predictions = rp_alloc(job->nplans * cells, sizeof *unit->predictions);
    rp_status status = RP_OK;
    if (!x || (job->options->predictions && !unit->predictions))
        status = rp_fail_memory(err, n * unit->width * sizeof *x);
    if (!status) status = read_unit(x, job, unit, err);
    for (size_t i = 0; i < job->nplans && !status && !stopped(sh); i++) {
        status = rp_unit_fit(rp_job_result(job, i, u, 0),
                             unit->predictions ? unit->predictions + i * cells : NULL,
                             &job->plan[i], &job->rows, &job->labels, x, unit->width, what,
                             job->options->bootstrap, err);
        advance(job, sh);
    }
    free(x);
    return status;
}

/* As many workers as threads, units and memory allow. */
static int count_workers(const rp_job *job)
{
    double need = 0, have = .7 * (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    for (size_t u = 0; u < job->nunits; u++)
        for (size_t i = 0; i < job->nplans; i++)
            need = fmax(need, rp_unit_memory(&job->plan[i], job->rows.n, job->unit[u].width,
                                             job->labels.n));
    double most = job->options->threads > 0 ? job->options->threads : omp_get_max_threads();
    if (need > have)
        rp_host_warn(job->host, "a layer needs about %.1f GB, the machine has %.1f GB for it",
                     need / 1e9, have / 1e9);
    double fit = fmin(fmin(most, (double)job->nunits), floor(have / need));
    return fit >= 1 ? (int)fit : 1;
}

rp_status rp_job_run(rp_job *job, rp_error *err)
{
    shared sh = {0};
    long nunits = (long)job->nunits;
    rp_status status = rp_host_progress(job->host, "probes", 0, job->nunits * job->nplans, err);
    if (status) return status;
#pragma omp parallel for schedule(dynamic, 1) num_threads(count_workers(job))
    for (long u = 0; u < nunits; u++) {
        if (stopped(&sh)) continue;
        rp_error error = {0};
        rp_status s = run_unit(job, (size_t)u, &sh, &error);
        if (s) fail(&sh, (size_t)u, s, &error);
    }
    if (sh.status) return rp_fail(err, sh.status, "%s", sh.error.text);
    return rp_host_progress(job->host, "probes", job->nunits * job->nplans,
                            job->nunits * job->nplans, err);
}
