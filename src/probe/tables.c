/* The tables beside probes.tsv: units that are selected, differences of layers, k-sparse curves. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "probe/job.h"

#define LISTED .5 /* least selection frequency of a unit that is listed */

typedef rp_status rows_fn(FILE *file, const rp_job *job, size_t plan, rp_error *err);

static rp_status save(const char *path, const char *header, rows_fn *rows, const rp_job *job,
                      const rp_provenance *about, rp_error *err)
{
    rp_out out = {0};
    rp_status status = rp_out_open(&out, path, err);
    if (!status) status = rp_provenance_write(out.file, about, err);
    if (!status) fputs(header, out.file);
    for (size_t i = 0; i < job->nplans && !status; i++) status = rows(out.file, job, i, err);
    if (!status) status = rp_out_commit(&out, err);
    rp_out_release(&out);
    return status;
}

static void write_key(FILE *file, const rp_job *job, size_t plan, size_t unit, size_t label)
{
    fprintf(file, "%s\t%s\t%zu\t%s", job->labels.name[label], job->unit[unit].name,
            job->unit[unit].layer, job->plan[plan].name);
}

/* ---- units ---- */

static rp_status unit_rows(FILE *file, const rp_job *job, size_t plan, rp_error *err)
{
    (void)err;
    for (size_t u = 0; u < job->nunits; u++) {
        const rp_unit_out *out = rp_job_out(job, plan, u);
        size_t D = out->width;
        for (size_t p = 0; out->frequency && p < out->labels; p++)
            for (size_t j = 0; j < D; j++) {
                double often = (double)out->frequency[p * D + j];
                if (!(often >= LISTED)) continue;
                write_key(file, job, plan, u, p);
                fprintf(file, "\t%zu", j);
                rp_cell_write(file, out->coef[p * D + j]);
                rp_cell_write(file, out->beta[p * D + j]);
                rp_cell_write(file, often);
                fputs(often >= RP_UNIT_STABLE ? "\tyes" : "\tno", file);
                rp_cell_write(file, out->result[p].q);
                rp_cell_write(file, out->result[p].bound);
                putc('\n', file);
            }
    }
    return RP_OK;
}

rp_status rp_job_write_units(const rp_job *job, const rp_provenance *about, rp_error *err)
{
    return save(job->options->units,
                "feature\tview\tlayer\tprotocol\tunit\tcoefficient\tbeta\tfrequency\tstable\tq\t"
                "bound\n",
                unit_rows, job, about, err);
}

/* ---- differences ---- */

/* The layers of a view, [first, end) of the units, with the sums of one label. */
typedef struct series {
    size_t plan, first, end, label, best; /* best: a unit, SIZE_MAX: every layer is undefined */
    size_t queries;                       /* that are scored */
    double *sums;                         /* [layers, queries, 4] */
    const double **set;                   /* [layers] into sums */
    rp_score_pair *pair;                  /* [2 * layers] of layers */
    rp_difference *out;                   /* [2 * layers] */
    size_t npairs;
} series;

static void series_release(series *s)
{
    free(s->sums), free(s->set), free(s->pair), free(s->out);
}

static rp_status series_init(series *s, const rp_job *job, size_t plan, size_t first, rp_error *err)
{
    const rp_unit_out *out = rp_job_out(job, plan, first);
    *s = (series){.plan = plan, .first = first, .end = first + 1};
    while (s->end < job->nunits && job->unit[s->end].view == job->unit[first].view) s->end++;
    size_t L = s->end - first;
    s->sums = rp_alloc(L * out->queries, 4 * sizeof *s->sums);
    s->set = rp_alloc(L, sizeof *s->set);
    s->pair = rp_alloc(2 * L, sizeof *s->pair);
    s->out = rp_alloc(2 * L, sizeof *s->out);
    if (s->sums && s->set && s->pair && s->out) return RP_OK;
    series_release(s);
    return rp_fail_memory(err, L * out->queries * 4 * sizeof *s->sums);
}

/* Takes the sums of the queries that are scored; the pairs to compare. */
static void series_fill(series *s, const rp_job *job, size_t label)
{
    size_t Q = rp_job_out(job, s->plan, s->first)->queries;
    s->label = label, s->best = SIZE_MAX, s->queries = s->npairs = 0;
    for (size_t u = s->first; u < s->end; u++) {
        const rp_result *r = rp_job_result(job, s->plan, u, label);
        if (!r->defined || isnan(r->score.r2)) continue;
        if (s->best == SIZE_MAX ||
            r->score.r2 > rp_job_result(job, s->plan, s->best, label)->score.r2)
            s->best = u;
    }
    if (s->best == SIZE_MAX) return;
    const double *mask = rp_job_out(job, s->plan, s->best)->sums + label * Q * 4;
    for (size_t q = 0; q < Q; q++) s->queries += !isnan(mask[4 * q]);
    for (size_t u = s->first; u < s->end; u++) {
        const double *from = rp_job_out(job, s->plan, u)->sums + label * Q * 4;
        double *to = s->sums + (u - s->first) * s->queries * 4;
        s->set[u - s->first] = to;
        for (size_t q = 0; q < Q; q++)
            if (!isnan(mask[4 * q])) memcpy(to, from + 4 * q, 4 * sizeof *to), to += 4;
        if (u > s->first) s->pair[s->npairs++] = (rp_score_pair){u - s->first, u - s->first - 1};
        if (u != s->best) s->pair[s->npairs++] = (rp_score_pair){u - s->first, s->best - s->first};
    }
}

static void write_difference(FILE *file, const rp_job *job, const series *s, size_t k)
{
    size_t a = s->first + s->pair[k].a, b = s->first + s->pair[k].b;
    const rp_difference *d = &s->out[k];
    const double number[] = {d->r2, d->lo, d->hi, d->within, d->within_lo, d->within_hi};
    /* A layer's comparison with the one before stands first. */
    bool before = s->pair[k].a > 0 && (k == 0 || s->pair[k - 1].a != s->pair[k].a);
    fprintf(file, "%s\t%s\t%s\t%zu\t%zu\t%s", job->labels.name[s->label], job->unit[a].name,
            job->plan[s->plan].name, job->unit[a].layer, job->unit[b].layer,
            before ? "previous" : "best");
    for (size_t i = 0; i < sizeof number / sizeof *number; i++) rp_cell_write(file, number[i]);
    putc('\n', file);
}

static rp_status difference_rows(FILE *file, const rp_job *job, size_t plan, rp_error *err)
{
    const rp_probe_options *o = job->options;
    rp_status status = RP_OK;
    for (size_t u = 0; u < job->nunits && !rp_unit_is_baseline(&job->unit[u]) && !status;) {
        series s;
        if ((status = series_init(&s, job, plan, u, err))) break;
        for (size_t p = 0; p < job->labels.n && !status; p++) {
            series_fill(&s, job, p);
            if (!s.npairs) continue;
            status = rp_score_differences(s.out, s.pair, s.npairs, s.set, s.end - s.first,
                                          s.queries, o->bootstrap, o->seed, err);
            for (size_t k = 0; k < s.npairs && !status; k++) write_difference(file, job, &s, k);
        }
        u = s.end;
        series_release(&s);
    }
    return status;
}

rp_status rp_job_write_differences(const rp_job *job, const rp_provenance *about, rp_error *err)
{
    return save(
        job->options->differences,
        "feature\tview\tprotocol\tlayer\tother_layer\tagainst\tr2_difference\tr2_lo\tr2_hi\t"
        "within_difference\twithin_lo\twithin_hi\n",
        difference_rows, job, about, err);
}

/* ---- k-sparse curves ---- */

static rp_status curve_rows(FILE *file, const rp_job *job, size_t plan, rp_error *err)
{
    static const char *const control[RP_CURVES] = {"none", "random", "rotation"};
    (void)err;
    for (size_t u = 0; u < job->nunits; u++) {
        const rp_unit_out *out = rp_job_out(job, plan, u);
        const double *v = out->curve;
        for (size_t p = 0; v && p < out->labels; p++)
            for (size_t c = 0; c < RP_CURVES; c++)
                for (size_t k = 0; k < RP_CURVE_SIZES; k++, v += RP_CURVE_NUMBERS) {
                    if (rp_curve_size[k] > out->width) continue;
                    write_key(file, job, plan, u, p);
                    fprintf(file, "\t%s\t%zu", control[c], rp_curve_size[k]);
                    for (size_t i = 0; i < RP_CURVE_NUMBERS; i++) rp_cell_write(file, v[i]);
                    putc('\n', file);
                }
    }
    return RP_OK;
}

rp_status rp_job_write_ksparse(const rp_job *job, const rp_provenance *about, rp_error *err)
{
    return save(job->options->ksparse,
                "feature\tview\tlayer\tprotocol\tcontrol\tk\tr2\tr2_lo\tr2_hi\tr2_within\t"
                "r2_within_lo\tr2_within_hi\n",
                curve_rows, job, about, err);
}
