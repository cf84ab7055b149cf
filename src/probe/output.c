/* probes.tsv, and which files a job writes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/comm.h"
#include "probe/job.h"

static const char header[] =
    "feature\tview\tlayer\tprotocol\tmethod\tpenalty\tn\tqueries\twidth\tr2\tr2_lo\tr2_hi\t"
    "r2_within\tr2_within_lo\tr2_within_hi\tr2_between\ttau\tmse\tr2_cv\teta2\tunits\tdead\t"
    "l1_ratio\tp_document\tp_document_maxt\tp_document_bh\tp_query\tp_query_maxt\tp_query_bh\t"
    "null_within\tnull_between\tselectivity_query\tselectivity_pair\tselectivity_token\t"
    "gain_length\tgain_length_lo\tgain_length_hi\tgain_score\tgain_score_lo\tgain_score_hi\t"
    "gain_input\tgain_input_lo\tgain_input_hi\tgain_other\tgain_other_lo\tgain_other_hi\t"
    "status\n";

void rp_cell_write(FILE *file, double number)
{
    if (isnan(number))
        fputs("\tnan", file); /* never "-nan" */
    else
        fprintf(file, "\t%.9g", number);
}

static void write_cells(FILE *file, const double *number, size_t n)
{
    for (size_t k = 0; k < n; k++) rp_cell_write(file, number[k]);
}

static void write_balance(FILE *file, const rp_job *job)
{
    for (size_t i = 0; i < job->nplans; i++)
        for (size_t p = 0; job->plan[i].balance && p < job->labels.n; p++)
            if (job->plan[i].balance[p])
                fprintf(file, "# balance.%s.%s: %s\n", job->plan[i].name, job->labels.name[p],
                        job->plan[i].balance[p]);
}

static double l1_ratio(const rp_job *job, const rp_plan *plan)
{
    if (plan->method != RP_LASSO) return NAN;
    return strncmp(plan->name, "paper", 5) ? job->options->l1_ratio : 1;
}

/* The R2 that predictions of this correlation have when they are scaled best. */
static double as_r2(double correlation)
{
    return correlation * fabs(correlation);
}

static void write_tests(FILE *file, const rp_job *job, size_t i, size_t u, size_t p)
{
    const rp_result *r = rp_job_result(job, i, u, p);
    const rp_tested *d = rp_job_tested(job, i, RP_DOCUMENT, u, p);
    const rp_tested *q = rp_job_tested(job, i, RP_QUERY, u, p);
    const double number[] = {d->p,
                             d->adjusted,
                             d->q,
                             q->p,
                             q->adjusted,
                             q->q,
                             as_r2(r->chance[RP_DOCUMENT]),
                             as_r2(r->chance[RP_QUERY])};
    write_cells(file, number, sizeof number / sizeof *number);
}

/* What is left of R2 when a control's, in the same unit, is taken away; a control that is worse
 * than its mean takes nothing. */
static void write_selectivity(FILE *file, const rp_job *job, size_t i, size_t u, size_t p)
{
    static const char *const control[] = {"control.query_id", "control.pair", "control.token"};
    for (size_t c = 0; c < sizeof control / sizeof *control; c++) {
        size_t k = 0;
        while (k < job->labels.n && strcmp(job->labels.name[k], control[c])) k++;
        if (k == job->labels.n) {
            rp_cell_write(file, NAN);
            continue;
        }
        double r2 = rp_job_result(job, i, u, k)->score.r2;
        rp_cell_write(file, rp_job_result(job, i, u, p)->score.r2 - (r2 < 0 ? 0 : r2));
    }
}

static void write_row(FILE *file, const rp_job *job, size_t i, size_t u, size_t p)
{
    const rp_result *r = rp_job_result(job, i, u, p);
    const rp_unit *unit = &job->unit[u];
    const rp_score_row *s = &r->score;
    const rp_gain *g = r->gain;
    const char *status = !r->defined ? "undefined" : r->gap > 1e-6 ? "unconverged" : "ok";
    const double scores[] = {r->penalty,
                             (double)r->n,
                             (double)r->queries,
                             (double)unit->width,
                             s->r2,
                             s->r2_lo,
                             s->r2_hi,
                             s->within,
                             s->within_lo,
                             s->within_hi,
                             s->between,
                             s->tau,
                             s->mse,
                             r->cv,
                             r->eta2,
                             r->units,
                             (double)r->dead};
    fprintf(file, "%s\t%s\t%zu\t%s\t%s", job->labels.name[p], unit->name, unit->layer,
            job->plan[i].name, job->plan[i].method == RP_LASSO ? "lasso" : "ridge");
    write_cells(file, scores, sizeof scores / sizeof *scores);
    rp_cell_write(file, l1_ratio(job, &job->plan[i]));
    write_tests(file, job, i, u, p);
    write_selectivity(file, job, i, u, p);
    for (size_t k = 0; k < RP_GAINS; k++) {
        const double gain[] = {g[k].value, g[k].lo, g[k].hi};
        write_cells(file, gain, 3);
    }
    fprintf(file, "\t%s\n", status);
}

static rp_status write_table(const rp_job *job, const rp_provenance *about, rp_error *err)
{
    rp_out out = {0};
    rp_status status = rp_out_open(&out, job->options->output, err);
    if (!status) status = rp_provenance_write(out.file, about, err);
    if (status) goto done;
    if (job->about) fprintf(out.file, "# store: %s\n", job->about);
    write_balance(out.file, job);
    fputs(header, out.file);
    for (size_t i = 0; i < job->nplans; i++)
        for (size_t u = 0; u < job->nunits; u++)
            for (size_t p = 0; p < job->labels.n; p++)
                if (!rp_job_skips(job, u, p)) write_row(out.file, job, i, u, p);
    status = rp_out_commit(&out, err);
done:
    rp_out_release(&out);
    return status;
}

rp_status rp_job_write(const rp_job *job, const char *const *inputs, size_t ninputs, rp_error *err)
{
    const rp_probe_options *o = job->options;
    const rp_provenance about = {job->host, o->seed, true, inputs, ninputs};
    rp_status status = RP_OK;
    if (rp_comm_world()->rank) return rp_comm_agree(status, err);
    if (o->predictions) status = rp_job_write_predictions(job, err);
    if (!status && o->coefficients) status = rp_job_write_coefficients(job, err);
    if (!status && o->units) status = rp_job_write_units(job, &about, err);
    if (!status && o->differences) status = rp_job_write_differences(job, &about, err);
    if (!status && o->ksparse) status = rp_job_write_ksparse(job, &about, err);
    if (!status) status = write_table(job, &about, err);
    if (!status) rp_parts_remove(&job->parts);
    return rp_comm_agree(status, err);
}
