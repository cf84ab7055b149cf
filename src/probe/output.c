#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/memory.h"
#include "base/safetensors.h"
#include "probe/job.h"
#include "probe/lasso.h"

static void write_balance(FILE *file, const rp_job *job)
{
    for (size_t i = 0; i < job->nplans; i++)
        for (size_t p = 0; p < job->labels.n; p++)
            if (job->plan[i].balance[p])
                fprintf(file, "# balance.%s.%s: %s\n", job->plan[i].name, job->labels.name[p],
                        job->plan[i].balance[p]);
}

static void write_row(FILE *file, const rp_job *job, size_t i, size_t u, size_t p)
{
    const rp_result *r = rp_job_result(job, i, u, p);
    const rp_unit *unit = &job->unit[u];
    const rp_score_row *s = &r->score;
    const char *status = !r->defined ? "undefined" : r->gap > RP_LASSO_LIMIT ? "unconverged" : "ok";
    fprintf(file, "%s\t%s\t%zu\t%s\t%s\t", job->labels.name[p], unit->name, unit->layer,
            job->plan[i].name, job->plan[i].method == RP_LASSO ? "lasso" : "ridge");
    const double number[] = {r->penalty,
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
    for (size_t k = 0; k < sizeof number / sizeof *number; k++) {
        if (isnan(number[k])) /* never "-nan" */
            fputs("nan\t", file);
        else
            fprintf(file, "%.9g\t", number[k]);
    }
    fprintf(file, "%s\n", status);
}

static rp_status write_table(const rp_job *job, const char *const *inputs, size_t ninputs,
                             rp_error *err)
{
    rp_out out = {0};
    rp_provenance about = {job->host, job->options->seed, true, inputs, ninputs};
    rp_status status = rp_out_open(&out, job->options->output, err);
    if (!status) status = rp_provenance_write(out.file, &about, err);
    if (status) goto done;
    if (job->about) fprintf(out.file, "# store: %s\n", job->about);
    write_balance(out.file, job);
    fputs("feature\tview\tlayer\tprotocol\tmethod\tpenalty\tn\tqueries\twidth\tr2\tr2_lo\tr2_hi\t"
          "r2_within\tr2_within_lo\tr2_within_hi\tr2_between\ttau\tmse\tr2_cv\teta2\tunits\tdead\t"
          "status\n",
          out.file);
    for (size_t i = 0; i < job->nplans; i++)
        for (size_t u = 0; u < job->nunits; u++)
            for (size_t p = 0; p < job->labels.n; p++) {
                bool itself = !strcmp(job->unit[u].name, RP_BASELINE_SCORE) &&
                              !strcmp(job->labels.name[p], "ranker.score");
                if (!itself) write_row(out.file, job, i, u, p);
            }
    status = rp_out_commit(&out, err);
done:
    rp_out_release(&out);
    return status;
}

/* Label names, one a line, for the metadata. */
static rp_status join_names(rp_text *names, const rp_job *job, rp_error *err)
{
    rp_status status = RP_OK;
    for (size_t p = 0; p < job->labels.n && !status; p++)
        status = rp_text_printf(names, err, "%s%s", p ? "\n" : "", job->labels.name[p]);
    return status;
}

static rp_status write_predictions(const rp_job *job, rp_error *err)
{
    size_t n = job->nplans * job->nunits, cells = job->labels.n * job->rows.n;
    rp_out out = {0};
    rp_text names = {0};
    rp_tensor *tensor = rp_alloc(n, sizeof *tensor);
    rp_arena *arena = rp_arena_new();
    rp_status status = RP_OK;
    if (!tensor || !arena) status = rp_fail_memory(err, n * sizeof *tensor);
    for (size_t i = 0; i < n && !status; i++) {
        const rp_unit *unit = &job->unit[i % job->nunits];
        size_t plan = i / job->nunits;
        rp_text name = {0};
        status =
            rp_text_printf(&name, err, "%s/%zu/%s", unit->name, unit->layer, job->plan[plan].name);
        char *copy = status ? NULL : rp_arena_strdup(arena, name.data);
        rp_text_release(&name);
        if (!copy && !status) status = rp_fail_memory(err, 64);
        tensor[i] = (rp_tensor){
            copy, RP_F32, 2, {job->labels.n, job->rows.n}, cells, unit->predictions + plan * cells};
    }
    if (!status) status = join_names(&names, job, err);
    if (!status) status = rp_out_open(&out, job->options->predictions, err);
    if (!status) {
        const char *metadata[] = {"format", "rankprobe-predictions", "labels", names.data, NULL};
        status = rp_safetensors_write(out.file, tensor, n, metadata, err);
    }
    if (!status) status = rp_out_commit(&out, err);
    rp_out_release(&out);
    rp_text_release(&names);
    rp_arena_free(arena);
    free(tensor);
    return status;
}

rp_status rp_job_write(const rp_job *job, const char *const *inputs, size_t ninputs, rp_error *err)
{
    if (job->options->predictions) {
        rp_status status = write_predictions(job, err);
        if (status) return status;
    }
    return write_table(job, inputs, ninputs, err);
}
