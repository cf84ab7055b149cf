/* Fitting the units: in rounds of as many as there are processes, the baselines first. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/comm.h"
#include "base/memory.h"
#include "probe/job.h"
#include "probe/transfer.h"

typedef struct rounds {
    rp_job *job;
    rp_unit_shape *shape;        /* [nplans] scratch */
    unsigned char *there;        /* [nunits] its part is sound */
    size_t *todo, ntodo;         /* [nunits] units to fit */
    size_t done;                 /* units under a protocol, of all processes, before this round */
    rp_saved baseline[RP_GAINS]; /* for gains; empty where there is none */
} rounds;

/* ---- what a job is ---- */

static uint64_t mix(uint64_t sum, const void *data, size_t n)
{
    return rp_checksum_bytes(data, n, sum);
}

static uint64_t mix_text(uint64_t sum, const char *text)
{
    return mix(sum, text ? text : "", text ? strlen(text) + 1 : 0);
}

static uint64_t mix_options(uint64_t sum, const rp_probe_options *o)
{
    const double numbers[] = {o->penalty,
                              o->l1_ratio,
                              (double)o->folds,
                              (double)o->inner,
                              o->pfer,
                              (double)o->bootstrap,
                              (double)o->balance,
                              (double)o->stability,
                              (double)o->permutations};
    sum = mix_text(sum, o->protocols);
    sum = mix_text(sum, o->method);
    sum = mix_text(sum, o->gains);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        double v = isnan(numbers[i]) ? -1 : numbers[i]; /* a NaN has many bit patterns */
        sum = mix(sum, &v, sizeof v);
    }
    return mix(sum, &o->seed, sizeof o->seed);
}

static uint64_t mix_rows(uint64_t sum, const rp_rows *rows, const rp_labels *labels)
{
    for (size_t i = 0; i < rows->n; i++) {
        const rp_store_row *row = &rows->row[i];
        sum = mix_text(mix_text(sum, row->qid), row->docid);
        sum = mix(sum, &row->tokens, sizeof row->tokens);
        sum = mix(sum, &row->score, sizeof row->score);
    }
    for (size_t p = 0; p < labels->n; p++) {
        sum = mix_text(sum, labels->name[p]);
        sum = mix(sum, labels->y[p], labels->rows * sizeof(double));
    }
    return sum;
}

/* Everything that a part depends on. */
static uint64_t fingerprint(const rounds *r)
{
    const rp_job *job = r->job;
    uint64_t sum = mix_text(job->fingerprint, RP_VERSION);
    sum = mix_options(sum, job->options);
    sum = mix_rows(sum, &job->rows, &job->labels);
    sum = mix_rows(sum, &job->other_rows, &job->other_labels);
    for (size_t u = 0; u < job->nunits; u++) {
        const rp_unit *unit = &job->unit[u];
        sum = mix_text(sum, unit->name);
        sum = mix(sum, &unit->layer, sizeof unit->layer);
        for (size_t i = 0; i < job->nplans; i++) {
            const rp_unit_shape shape = rp_job_shape(job, i, u);
            sum = mix(mix_text(sum, job->plan[i].name), &shape.want, sizeof shape.want);
        }
    }
    return sum;
}

/* ---- what is there already ---- */

static rp_status open_part(rp_saved *saved, const rounds *r, size_t u, rp_error *err)
{
    for (size_t i = 0; i < r->job->nplans; i++) r->shape[i] = rp_job_shape(r->job, i, u);
    return rp_saved_open(saved, &r->job->parts, u, r->shape, r->job->nplans, err);
}

/* One process looks, all believe it. */
static rp_status look(rounds *r, rp_error *err)
{
    rp_job *job = r->job;
    size_t kept = 0, strange = 0;
    rp_status status = RP_OK;
    for (size_t u = 0; u < job->nunits && !rp_comm_world()->rank && !status; u++) {
        rp_saved saved;
        rp_error why;
        rp_status found = open_part(&saved, r, u, &why);
        if (!found) rp_saved_release(&saved);
        if (found == RP_ENOMEM) status = rp_fail(err, found, "%s", why.text);
        kept += r->there[u] = !found;
        strange += found == RP_EFORMAT;
    }
    if (strange)
        rp_host_warn(job->host,
                     "'%s': %zu parts are of other inputs or options, or damaged: done again",
                     job->parts.dir, strange);
    if (kept)
        rp_host_note(job->host, "'%s': %zu of %zu units were done before", job->parts.dir, kept,
                     job->nunits);
    status = rp_comm_agree(status, err);
    return status ? status : rp_comm_share(r->there, job->nunits, err);
}

/* ---- one unit ---- */

static rp_status read_unit(float *x, const rp_source *source, const rp_rows *rows,
                           const rp_unit *unit, rp_error *err)
{
    size_t view = 0;
    if (!rp_unit_is_baseline(unit)) {
        while (strcmp(source->view[view].name, unit->name) != 0) view++;
        return source->read(source->arg, x, view, unit->layer, err);
    }
    for (size_t i = 0; i < rows->n; i++) {
        const rp_store_row *row = &rows->row[i];
        double tokens = row->tokens ? (double)row->tokens : 1;
        if (unit->width == 1) {
            x[i] = (float)row->score;
            continue;
        }
        x[3 * i] = (float)tokens, x[3 * i + 1] = (float)(1 / tokens);
        x[3 * i + 2] = (float)log(tokens);
    }
    return RP_OK;
}

static void offer_baselines(rp_unit_in *in, const rounds *r, size_t plan, const rp_unit *unit)
{
    if (rp_unit_is_baseline(unit)) return;
    for (size_t g = 0; g < RP_GAINS; g++)
        if (r->baseline[g].out) in->baseline[g] = r->baseline[g].out[plan].predictions;
}

/* The protocols of one of the two stores. */
static rp_status fit_side(rp_unit_out *out, const rounds *r, size_t u, bool other, rp_error *err)
{
    const rp_job *job = r->job;
    const rp_unit *unit = &job->unit[u];
    const rp_rows *rows = other ? &job->other_rows : &job->rows;
    rp_unit_in in = {.rows = rows,
                     .labels = other ? &job->other_labels : &job->labels,
                     .width = unit->width,
                     .options = job->options};
    char what[320];
    float *x = rp_alloc(rows->n * unit->width, sizeof *x);
    if (!x) return rp_fail_memory(err, rows->n * unit->width * sizeof *x);
    snprintf(what, sizeof what, "'%.250s' layer %zu%s", unit->name, unit->layer,
             other ? " of the other store" : "");
    in.x = x, in.what = what;
    rp_status status = read_unit(x, other ? job->other : job->source, rows, unit, err);
    for (size_t i = 0; i < job->nplans && !status; i++) {
        if (rp_job_is_other(job, i) != other) continue;
        size_t sound = rp_job_sound(job);
        in.plan = &job->plan[i];
        offer_baselines(&in, r, i, unit);
        status =
            strcmp(in.plan->name, "transfer")
                ? rp_unit_fit(&out[i], &in, err)
                : rp_unit_transfer(&out[i], &out[sound], &job->plan[sound], &job->labels, &in, err);
        if (!status)
            status = rp_host_progress(job->host, "probes", r->done + i + 1,
                                      job->nunits * job->nplans, err);
    }
    free(x);
    return status;
}

static rp_status fit_unit(const rounds *r, size_t u, rp_error *err)
{
    rp_job *job = r->job;
    rp_unit_out *out = rp_alloc(job->nplans, sizeof *out);
    rp_status status = out ? RP_OK : rp_fail_memory(err, job->nplans * sizeof *out);
    for (size_t i = 0; i < job->nplans && !status; i++) {
        const rp_unit_shape shape = rp_job_shape(job, i, u);
        status = rp_unit_out_init(&out[i], &shape, err);
    }
    if (!status) status = fit_side(out, r, u, false, err);
    if (!status && job->other) status = fit_side(out, r, u, true, err);
    if (!status) status = rp_parts_write(&job->parts, u, out, job->nplans, err);
    for (size_t i = 0; out && i < job->nplans; i++) rp_unit_out_release(&out[i]);
    free(out);
    return status;
}

/* ---- rounds ---- */

/* Fits the baselines, or the others, that have no part. Nobody starts a round that not all start:
 * an error, or a host that wants to stop, stops every process after the same round. */
static rp_status fit_units(rounds *r, bool baselines, rp_error *err)
{
    const rp_job *job = r->job;
    const rp_comm *world = rp_comm_world();
    size_t size = (size_t)world->size;
    rp_status status = RP_OK;
    r->ntodo = 0;
    for (size_t u = 0; u < job->nunits; u++)
        if (rp_unit_is_baseline(&job->unit[u]) == baselines) {
            if (r->there[u])
                r->done += job->nplans;
            else
                r->todo[r->ntodo++] = u;
        }
    for (size_t k = 0; k < r->ntodo && !status; k += size) {
        size_t mine = k + (size_t)world->rank, n = r->ntodo - k < size ? r->ntodo - k : size;
        status = rp_host_progress(job->host, "probes", r->done, job->nunits * job->nplans, err);
        if (!status && mine < r->ntodo) status = fit_unit(r, r->todo[mine], err);
        status = rp_comm_agree(status, err);
        r->done += n * job->nplans;
    }
    return status;
}

static rp_status open_baselines(rounds *r, rp_error *err)
{
    static const char *const name[RP_GAINS] = {RP_BASELINE_LENGTH, RP_BASELINE_SCORE};
    const rp_job *job = r->job;
    rp_status status = RP_OK;
    for (size_t u = 0; u < job->nunits && !status; u++)
        for (size_t g = 0; g < RP_GAINS && !status; g++)
            if (job->gains >> g & 1 && !strcmp(job->unit[u].name, name[g]))
                status = open_part(&r->baseline[g], r, u, err);
    return rp_comm_agree(status, err);
}

/* The first process opens everything for what is to be written. */
static rp_status collect(rounds *r, rp_error *err)
{
    rp_job *job = r->job;
    size_t n = job->nplans * job->nunits * job->labels.n;
    rp_status status = RP_OK;
    if (rp_comm_world()->rank) return rp_comm_agree(status, err);
    job->saved = rp_alloc(job->nunits, sizeof *job->saved);
    job->tested = rp_alloc(RP_NULLS * n, sizeof *job->tested);
    if (!job->saved || !job->tested)
        status = rp_fail_memory(err, RP_NULLS * n * sizeof *job->tested);
    for (size_t u = 0; u < job->nunits && !status; u++)
        status = open_part(&job->saved[u], r, u, err);
    if (!status) status = rp_job_test(job, err);
    return rp_comm_agree(status, err);
}

static void warn_memory(const rp_job *job)
{
    double need = 0, have = .7 * (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    for (size_t u = 0; u < job->nunits; u++)
        for (size_t i = 0; i < job->nplans; i++)
            need = fmax(need, rp_unit_memory(&job->plan[i], job->rows.n, job->unit[u].width,
                                             job->labels.n));
    if (job->options->memory) have = (double)job->options->memory;
    if (need > have)
        rp_host_warn(job->host, "a layer needs about %.1f GB, there are %.1f GB for it", need / 1e9,
                     have / 1e9);
}

rp_status rp_job_run(rp_job *job, rp_error *err)
{
    rounds r = {.job = job,
                .shape = rp_alloc(job->nplans, sizeof *r.shape),
                .there = rp_alloc(job->nunits, 1),
                .todo = rp_alloc(job->nunits, sizeof *r.todo)};
    rp_status status = RP_OK;
    if (!r.shape || !r.there || !r.todo) status = rp_fail_memory(err, job->nunits * sizeof *r.todo);
    status = rp_comm_agree(status, err);
    if (!status) status = rp_parts_init(&job->parts, job->options->output, fingerprint(&r), err);
    if (!status) status = look(&r, err);
    if (!status) warn_memory(job);
    if (!status) status = fit_units(&r, true, err);
    if (!status) status = open_baselines(&r, err);
    if (!status) status = fit_units(&r, false, err);
    if (!status) status = collect(&r, err);
    if (!status)
        status = rp_comm_agree(rp_host_progress(job->host, "probes", r.done, r.done, err), err);
    for (size_t g = 0; g < RP_GAINS; g++) rp_saved_release(&r.baseline[g]);
    free(r.shape), free(r.there), free(r.todo);
    return status;
}
