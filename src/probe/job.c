#include "probe/job.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/comm.h"
#include "base/memory.h"
#include "base/table.h"

void rp_job_release(rp_job *job)
{
    for (size_t i = 0; job->plan && i < job->nplans; i++) rp_plan_release(&job->plan[i]);
    for (size_t u = 0; job->saved && u < job->nunits; u++) rp_saved_release(&job->saved[u]);
    free(job->against_row), free(job->plan), free(job->unit), free(job->saved), free(job->tested),
        free(job->protocols);
    rp_parts_release(&job->parts);
    rp_layers_release(&job->layers);
    rp_labels_release(&job->labels), rp_labels_release(&job->other_labels);
    rp_rows_release(&job->rows), rp_rows_release(&job->other_rows);
    *job = (rp_job){0};
}

/* ---- options ---- */

static rp_status check_count(const char *what, size_t n, size_t least, size_t most, rp_error *err)
{
    if (n >= least && n <= most) return RP_OK;
    return rp_fail(err, RP_EARG, "%s must be between %zu and %zu, not %zu", what, least, most, n);
}

static rp_status check_numbers(const rp_probe_options *o, rp_error *err)
{
    rp_status status;
    if (!isnan(o->penalty) && !(o->penalty > 0 && isfinite(o->penalty)))
        return rp_fail(err, RP_EARG, "the penalty must be positive, not %g", o->penalty);
    if (!(o->l1_ratio > 0 && o->l1_ratio <= 1))
        return rp_fail(err, RP_EARG, "the L1 ratio must be above 0 and at most 1, not %g",
                       o->l1_ratio);
    if (!(o->pfer > 0 && isfinite(o->pfer)))
        return rp_fail(err, RP_EARG, "the expected false selections must be positive, not %g",
                       o->pfer);
    if ((status = check_count("folds", o->folds, 2, 1000, err))) return status;
    if ((status = check_count("inner folds", o->inner, 2, 1000, err))) return status;
    if (o->bootstrap == 1 || o->bootstrap > 1000000)
        return rp_fail(err, RP_EARG, "bootstrap must be 0 or 2 to 1000000 draws, not %zu",
                       o->bootstrap);
    if ((status = check_count("permutations", o->permutations, 0, 1000000, err))) return status;
    if ((status = check_count("pairs of half-samples", o->stability, 0, 10000, err))) return status;
    if (o->balance < -1 || o->balance > RP_BALANCE_BINS)
        return rp_fail(err, RP_EARG, "balance must be between 0 and %d bins, not %d",
                       RP_BALANCE_BINS, o->balance);
    return RP_OK;
}

static rp_status read_gains(unsigned *gains, const char *names, rp_error *err)
{
    char name[64];
    while (rp_globs_next(&names, name, sizeof name)) {
        if (!strcmp(name, "length"))
            *gains |= 1u << RP_GAIN_LENGTH;
        else if (!strcmp(name, "score"))
            *gains |= 1u << RP_GAIN_SCORE;
        else if (!strcmp(name, "input"))
            *gains |= 1u << RP_GAIN_INPUT;
        else if (*name)
            return rp_fail(err, RP_EARG, "unknown gain '%s': it must be length, score or input",
                           name);
    }
    return RP_OK;
}

static rp_status check_options(rp_job *job, rp_error *err)
{
    const rp_probe_options *o = job->options;
    if (strcmp(o->method, "ridge") && strcmp(o->method, "lasso"))
        return rp_fail(err, RP_EARG, "unknown method '%s': it must be ridge or lasso", o->method);
    if (o->l1_ratio != 1 && strcmp(o->method, "lasso"))
        return rp_fail(err, RP_EARG, "an L1 ratio is of the lasso: the method is %s", o->method);
    if (strcmp(o->ranks, "layers") && strcmp(o->ranks, "rows"))
        return rp_fail(err, RP_EARG, "unknown ranks '%s': it must be layers or rows", o->ranks);
    if (o->units && !o->stability)
        return rp_fail(err, RP_EARG, "a list of units needs stability selection: at least 1 pair");
    if (!o->transfer != !o->transfer_features)
        return rp_fail(err, RP_EARG, "transfer needs both a store and its features");
    rp_status status = check_numbers(o, err);
    return status ? status : read_gains(&job->gains, o->gains, err);
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
                job->unit[job->nunits++] = (rp_unit){v, view->name, l, view->width};
    }
    if (wanted(job, RP_BASELINE_LENGTH))
        job->unit[job->nunits++] = (rp_unit){SIZE_MAX, RP_BASELINE_LENGTH, 0, has_parts(s) ? 5 : 3};
    if (score && wanted(job, RP_BASELINE_SCORE))
        job->unit[job->nunits++] = (rp_unit){SIZE_MAX, RP_BASELINE_SCORE, 0, 1};
    for (size_t u = 0; u < job->nunits; u++)
        if (job->unit[u].width > INT_MAX / 64 || s->n > INT_MAX / 64)
            return rp_fail(err, RP_EARG, "%zu rows of width %zu are beyond what a probe can take",
                           s->n, job->unit[u].width);
    return RP_OK;
}

/* ---- protocols ---- */

static rp_status make_plans(rp_job *job, rp_error *err)
{
    size_t n = 3; /* and two of a transfer */
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
    rp_status status = check_options(job, err);
    rp_solver_blas_init();
    if (!status) status = rp_rows_init(&job->rows, source, o->seed, err);
    if (!status) status = rp_layers_parse(&job->layers, o->layers, err);
    if (!status) status = list_units(job, err);
    if (!status)
        status = rp_labels_load(&job->labels, &job->rows, o->features, o->select, o->controls, host,
                                err);
    if (!status) status = make_plans(job, err);
    if (!status && (o->units || o->ksparse) && rp_job_sound(job) == SIZE_MAX)
        status = rp_fail(err, RP_EARG, "units and k-sparse curves are of the protocol 'sound'");
    if (status) {
        rp_job_release(job);
        return status;
    }
    warn_constant(job);
    return RP_OK;
}

/* ---- transfer ---- */

/* The other store must have every view that is probed, as wide, and every layer of it. */
static rp_status match_views(const rp_job *job, const rp_source *other, rp_error *err)
{
    for (size_t u = 0; u < job->nunits; u++) {
        const rp_unit *unit = &job->unit[u];
        const rp_store_view *view = NULL;
        if (rp_unit_is_baseline(unit)) continue;
        for (size_t v = 0; v < other->nviews && !view; v++)
            if (!strcmp(other->view[v].name, unit->name)) view = &other->view[v];
        if (!view || unit->layer < view->layer_first || unit->layer > view->layer_last)
            return rp_fail(err, RP_EARG, "transfer: the other store has no layer %zu of view '%s'",
                           unit->layer, unit->name);
        if (view->width != unit->width)
            return rp_fail(err, RP_EARG,
                           "transfer: view '%s' has width %zu here and %zu in the other store",
                           unit->name, unit->width, view->width);
    }
    return RP_OK;
}

/* The columns of a baseline must mean the same there. */
static rp_status match_baselines(const rp_job *job, const rp_source *other, rp_error *err)
{
    for (size_t u = 0; u < job->nunits; u++) {
        const rp_unit *unit = &job->unit[u];
        if (!rp_unit_is_baseline(unit)) continue;
        bool score = !strcmp(unit->name, RP_BASELINE_SCORE), lacks = false;
        for (size_t i = 0; i < other->n && score; i++) lacks |= !isfinite(other->row[i].score);
        if (lacks || (!score && unit->width > 3 && !has_parts(other)))
            return rp_fail(err, RP_EARG, "transfer: the other store has no %s for the view '%s'",
                           score ? "scores" : "tokens of query and document", unit->name);
    }
    return RP_OK;
}

/* Puts the other store's labels in the order of the first's. */
static rp_status match_labels(rp_labels *to, const rp_job *job, rp_labels *from, rp_error *err)
{
    size_t n = job->labels.n;
    *to = (rp_labels){n, from->rows, rp_alloc(n, sizeof *to->name), rp_alloc(n, sizeof *to->y)};
    if (!to->name || !to->y) return rp_fail_memory(err, n * sizeof *to->y);
    for (size_t p = 0; p < n; p++) {
        size_t k = 0;
        while (k < from->n && (!from->name[k] || strcmp(from->name[k], job->labels.name[p]))) k++;
        if (k == from->n)
            return rp_fail(err, RP_EARG, "transfer: '%s' has no label '%s'",
                           job->options->transfer_features, job->labels.name[p]);
        to->name[p] = from->name[k], to->y[p] = from->y[k];
        from->name[k] = NULL, from->y[k] = NULL;
    }
    return RP_OK;
}

static rp_status transfer_plans(rp_job *job, size_t sound, rp_error *err)
{
    size_t n = job->nplans;
    rp_status status =
        rp_rows_split(&job->other_rows, job->options->folds, job->options->inner, err);
    if (status) return status;
    job->plan[n] = (rp_plan){.name = "transfer", .method = job->plan[sound].method};
    status = rp_plan_init(&job->plan[n + 1], "sound", job->options, &job->other_rows,
                          &job->other_labels, err);
    if (status) return status;
    job->plan[n + 1].name = "refit";
    job->nplans += 2;
    return RP_OK;
}

rp_status rp_job_transfer(rp_job *job, const rp_source *other, rp_error *err)
{
    const rp_probe_options *o = job->options;
    rp_labels labels = {0};
    size_t sound = rp_job_sound(job);
    if (sound == SIZE_MAX)
        return rp_fail(err, RP_EARG,
                       "transfer needs the protocol 'sound': what it fits is carried");
    rp_status status = match_views(job, other, err);
    if (!status) status = match_baselines(job, other, err);
    if (!status) status = rp_rows_init(&job->other_rows, other, o->seed, err);
    if (!status)
        status = rp_labels_load(&labels, &job->other_rows, o->transfer_features, o->select,
                                o->controls, job->host, err);
    if (!status) status = match_labels(&job->other_labels, job, &labels, err);
    if (!status) status = transfer_plans(job, sound, err);
    if (!status) job->other = other;
    rp_labels_release(&labels);
    return status;
}

/* ---- what is kept ---- */

bool rp_unit_is_baseline(const rp_unit *unit)
{
    return unit->view == SIZE_MAX;
}

bool rp_job_skips(const rp_job *job, size_t unit, size_t label)
{
    return !strcmp(job->unit[unit].name, RP_BASELINE_SCORE) &&
           !strcmp(job->labels.name[label], "ranker.score");
}

size_t rp_job_sound(const rp_job *job)
{
    for (size_t i = 0; i < job->nplans; i++)
        if (!strcmp(job->plan[i].name, "sound")) return i;
    return SIZE_MAX;
}

rp_unit_shape rp_job_shape(const rp_job *job, size_t plan, size_t unit)
{
    const rp_probe_options *o = job->options;
    const rp_plan *p = &job->plan[plan];
    bool base = rp_unit_is_baseline(&job->unit[unit]), other = rp_job_is_other(job, plan);
    bool sound = !strcmp(p->name, "sound") || !strcmp(p->name, "refit");
    bool fitted = strcmp(p->name, "transfer") != 0;
    const rp_rows *rows = other ? &job->other_rows : &job->rows;
    unsigned want = 0;
    if (o->differences && !base) want |= RP_WANT_SUMS;
    if (o->permutations && sound) want |= RP_WANT_NULL;
    if (o->predictions || (base && job->gains && fitted)) want |= RP_WANT_PREDICTIONS;
    if (fitted && (o->coefficients || (o->units && sound && !base) || (job->other && !other)))
        want |= RP_WANT_COEFFICIENTS;
    if (o->units && sound && !base) want |= RP_WANT_FREQUENCY;
    if (o->ksparse && sound && !base) want |= RP_WANT_CURVE;
    return (rp_unit_shape){want,           job->labels.n,         rows->n,
                           rows->nqueries, job->unit[unit].width, o->permutations + 1};
}
