/* Fitting the units: in rounds of as many as there are processes, the baselines first. */
#include <math.h>
#include <omp.h>
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
    size_t step;                 /* the protocol that is being fitted */
    bool team;                   /* all processes fit every unit together */
    rp_saved baseline[RP_GAINS]; /* narrow ones, for gains; empty where there is none */
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
        sum = mix(sum, &row->query_tokens, sizeof row->query_tokens);
        sum = mix(sum, &row->document_tokens, sizeof row->document_tokens);
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

/* The columns of a baseline unit, made of the rows themselves. */
static void fill_baseline(double *const *column, const rp_rows *rows, size_t width)
{
    for (size_t i = 0; i < rows->n; i++) {
        const rp_store_row *row = &rows->row[i];
        double tokens = row->tokens ? (double)row->tokens : 1;
        const double length[] = {tokens, 1 / tokens, log(tokens), (double)row->query_tokens,
                                 (double)row->document_tokens};
        for (size_t c = 0; c < width; c++) column[c][i] = width == 1 ? row->score : length[c];
    }
}

/* x of a unit: rows of the source, or a baseline's columns. */
typedef struct rows_of {
    const rp_source *source;
    size_t view, layer, width;
    const size_t *map; /* rows of the source, NULL: as they are */
    double *column[5]; /* [width] of a baseline */
    char name[320];
    rp_matrix x;
} rows_of;

static rp_status read_source(void *arg, float *x, const size_t *row, size_t m, rp_error *err)
{
    const rows_of *u = arg;
    size_t there[RP_TILE];
    rp_status status = RP_OK;
    if (!u->map) return u->source->read(u->source->arg, x, u->view, u->layer, row, m, err);
    for (size_t at = 0; at < m && !status; at += RP_TILE) {
        size_t some = m - at < RP_TILE ? m - at : RP_TILE;
        for (size_t i = 0; i < some; i++) there[i] = u->map[row[at + i]];
        status =
            u->source->read(u->source->arg, x + at * u->width, u->view, u->layer, there, some, err);
    }
    return status;
}

static rp_status read_columns(void *arg, float *x, const size_t *row, size_t m, rp_error *err)
{
    const rows_of *u = arg;
    (void)err;
    for (size_t i = 0; i < m; i++)
        for (size_t c = 0; c < u->width; c++) x[i * u->width + c] = (float)u->column[c][row[i]];
    return RP_OK;
}

static void close_rows(rows_of *u)
{
    if (u->source && u->source->forget && !u->column[0])
        u->source->forget(u->source->arg, u->view, u->layer);
    for (size_t c = 0; c < 5; c++) free(u->column[c]);
}

static rp_status open_rows(rows_of *u, const rp_source *source, const rp_rows *rows,
                           const rp_unit *unit, rp_error *err)
{
    *u = (rows_of){.source = source, .layer = unit->layer, .width = unit->width};
    snprintf(u->name, sizeof u->name, "'%.250s' layer %zu", unit->name, unit->layer);
    u->x = (rp_matrix){rows->n, unit->width, u->name, u, read_source};
    if (!rp_unit_is_baseline(unit)) {
        u->view = rp_source_view(source, unit->name, unit->layer);
        return RP_OK;
    }
    u->x.read = read_columns;
    for (size_t c = 0; c < unit->width; c++)
        if (!(u->column[c] = rp_alloc(rows->n, sizeof(double))))
            return rp_fail_memory(err, rows->n * sizeof(double));
    fill_baseline(u->column, rows, unit->width);
    return RP_OK;
}

enum { NARROW = RP_GAIN_SCORE + 1 };
static const char *const baseline_name[NARROW] = {RP_BASELINE_LENGTH, RP_BASELINE_SCORE};

/* The columns of the baselines that gains are wanted over. */
static rp_status open_columns(rows_of *base, const rounds *r, const rp_source *source,
                              const rp_rows *rows, rp_error *err)
{
    rp_status status = RP_OK;
    for (size_t u = 0; u < r->job->nunits && !status; u++)
        for (size_t g = 0; g < NARROW && !status; g++)
            if (r->baseline[g].out && !strcmp(r->job->unit[u].name, baseline_name[g]))
                status = open_rows(&base[g], source, rows, &r->job->unit[u], err);
    return status;
}

/* The wide baselines: the view's embedding output, the same layer of another store. */
static rp_status open_wide(rows_of *base, const rounds *r, const rp_unit *unit, rp_error *err)
{
    const rp_job *job = r->job;
    rp_status status = RP_OK;
    rp_unit input = *unit, same = *unit;
    input.layer = 0;
    if (job->gains >> RP_GAIN_INPUT & 1 && unit->layer > 0 &&
        rp_source_view(job->source, unit->name, 0) != SIZE_MAX)
        status = open_rows(&base[RP_GAIN_INPUT], job->source, &job->rows, &input, err);
    if (status || !job->against) return status;
    size_t view = rp_source_view(job->against, unit->name, unit->layer);
    same.width = job->against->view[view].width;
    status = open_rows(&base[RP_GAIN_OTHER], job->against, &job->rows, &same, err);
    base[RP_GAIN_OTHER].map = job->against_row;
    return status;
}

static void offer_baselines(rp_unit_in *in, const rounds *r, size_t plan, const rows_of *base)
{
    bool sound = plan == rp_job_sound(r->job);
    for (size_t g = 0; g < RP_GAINS; g++) {
        in->baseline[g] = (rp_baseline){0};
        if (r->baseline[g].out)
            in->baseline[g] = (rp_baseline){.f = r->baseline[g].out[plan].predictions,
                                            .width = base[g].width,
                                            .column = (const double *const *)base[g].column};
        else if (g >= NARROW && base[g].source && sound)
            in->baseline[g].x = &base[g].x;
    }
}

/* The solvers' own steps are not shown, but they ask whether to stop. */
static int still(void *arg, const char *what, size_t done, size_t total)
{
    const rounds *r = arg;
    (void)what, (void)done, (void)total;
    return rp_host_progress(r->job->host, "probes", r->done + r->step,
                            r->job->nunits * r->job->nplans, NULL) != RP_OK;
}

/* The protocols of one of the two stores. */
static rp_status fit_side(rp_unit_out *out, rounds *r, size_t u, bool other, rp_error *err)
{
    const rp_job *job = r->job;
    const rp_unit *unit = &job->unit[u];
    const rp_source *source = other ? job->other : job->source;
    const rp_rows *rows = other ? &job->other_rows : &job->rows;
    const rp_host host = {.arg = r, .progress = still};
    rows_of x, base[RP_GAINS] = {0};
    rp_unit_in in = {.rows = rows,
                     .labels = other ? &job->other_labels : &job->labels,
                     .x = &x.x,
                     .options = job->options,
                     .team = r->team,
                     .host = &host};
    rp_status status = open_rows(&x, source, rows, unit, err);
    if (!status && !rp_unit_is_baseline(unit)) status = open_columns(base, r, source, rows, err);
    if (!status && !rp_unit_is_baseline(unit) && !other) status = open_wide(base, r, unit, err);
    for (r->step = 0; r->step < job->nplans && !status; r->step++) {
        size_t i = r->step, sound = rp_job_sound(job);
        if (rp_job_is_other(job, i) != other) continue;
        in.plan = &job->plan[i];
        if (!rp_unit_is_baseline(unit)) offer_baselines(&in, r, i, base);
        status =
            strcmp(in.plan->name, "transfer")
                ? rp_unit_fit(&out[i], &in, err)
                : rp_unit_transfer(&out[i], &out[sound], &job->plan[sound], &job->labels, &in, err);
        if (!status)
            status = rp_host_progress(job->host, "probes", r->done + i + 1,
                                      job->nunits * job->nplans, err);
        if (r->team) status = rp_comm_agree(status, err);
    }
    for (size_t g = 0; g < RP_GAINS; g++) close_rows(&base[g]);
    close_rows(&x);
    return status;
}

static rp_status fit_unit(rounds *r, size_t u, rp_error *err)
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
    if (!status && (!r->team || !rp_comm_world()->rank))
        status = rp_parts_write(&job->parts, u, out, job->nplans, err);
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
    size_t size = r->team ? 1 : (size_t)world->size;
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
        size_t mine = k + (r->team ? 0 : (size_t)world->rank),
               n = r->ntodo - k < size ? r->ntodo - k : size;
        status = rp_host_progress(job->host, "probes", r->done, job->nunits * job->nplans, err);
        if (!status && mine < r->ntodo) status = fit_unit(r, r->todo[mine], err);
        status = rp_comm_agree(status, err);
        r->done += n * job->nplans;
    }
    return status;
}

static rp_status open_baselines(rounds *r, rp_error *err)
{
    const rp_job *job = r->job;
    rp_status status = RP_OK;
    for (size_t u = 0; u < job->nunits && !status; u++)
        for (size_t g = 0; g < NARROW && !status; g++)
            if (job->gains >> g & 1 && !strcmp(job->unit[u].name, baseline_name[g]))
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

static double memory_of(const rp_job *job, int threads)
{
    double need = 0;
    for (size_t u = 0; u < job->nunits; u++)
        for (size_t i = 0; i < job->nplans; i++) {
            rp_unit_shape shape = rp_job_shape(job, i, u);
            double unit = rp_unit_memory(&job->plan[i], &shape, threads);
            shape.want = 0, shape.width *= 2;
            if (job->gains >> RP_GAIN_INPUT && !rp_unit_is_baseline(&job->unit[u]) &&
                i == rp_job_sound(job)) /* a wide baseline is fitted beside the unit */
                unit += rp_unit_memory(&job->plan[i], &shape, threads);
            need = fmax(need, unit);
        }
    return need;
}

/* As many threads as were asked for and memory holds. */
static rp_status set_threads(const rp_job *job, rp_error *err)
{
    int threads = job->options->threads > 0 ? job->options->threads : omp_get_max_threads();
    double have = .8 * (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    if (job->options->memory) have = (double)job->options->memory;
    have /= rp_comm_world()->size;
    while (threads > 1 && memory_of(job, threads) > have) threads--;
    double need = memory_of(job, threads);
    if (need > have)
        return rp_fail(err, RP_ENOMEM,
                       "a layer of %zu rows needs about %.2f GiB of memory, there are %.2f GiB for "
                       "it (--memory)",
                       job->rows.n, need / 0x1p30, have / 0x1p30);
    omp_set_num_threads(threads);
    return RP_OK;
}

rp_status rp_job_run(rp_job *job, rp_error *err)
{
    rounds r = {.job = job,
                .team = !strcmp(job->options->ranks, "rows") && rp_comm_world()->size > 1,
                .shape = rp_alloc(job->nplans, sizeof *r.shape),
                .there = rp_alloc(job->nunits, 1),
                .todo = rp_alloc(job->nunits, sizeof *r.todo)};
    rp_status status = RP_OK;
    if (!r.shape || !r.there || !r.todo) status = rp_fail_memory(err, job->nunits * sizeof *r.todo);
    status = rp_comm_agree(status, err);
    if (!status) status = rp_parts_init(&job->parts, job->options->output, fingerprint(&r), err);
    if (!status) status = look(&r, err);
    if (!status) status = rp_comm_agree(set_threads(job, err), err);
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
