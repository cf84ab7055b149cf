/* What a job writes as safetensors: predictions and coefficients, straight from the parts. */
#include <stdlib.h>

#include "base/memory.h"
#include "probe/job.h"

typedef struct writer {
    rp_tensor *tensor; /* [n] */
    size_t n;
    rp_arena *names;
    rp_text labels; /* one a line, for the metadata */
} writer;

static void writer_release(writer *w)
{
    rp_text_release(&w->labels);
    rp_arena_free(w->names);
    free(w->tensor);
}

static rp_status writer_init(writer *w, const rp_job *job, size_t most, rp_error *err)
{
    *w = (writer){.tensor = rp_alloc(most, sizeof *w->tensor), .names = rp_arena_new()};
    rp_status status = RP_OK;
    if (!w->tensor || !w->names) status = rp_fail_memory(err, most * sizeof *w->tensor);
    for (size_t p = 0; p < job->labels.n && !status; p++)
        status = rp_text_printf(&w->labels, err, "%s%s", p ? "\n" : "", job->labels.name[p]);
    if (status) writer_release(w);
    return status;
}

/* The tensor VIEW/LAYER/PROTOCOL, or something of it. */
static rp_status add(writer *w, const rp_job *job, size_t plan, size_t unit, const char *tail,
                     const rp_tensor *tensor, rp_error *err)
{
    rp_text name = {0};
    rp_status status = rp_text_printf(&name, err, "%s/%zu/%s%s", job->unit[unit].name,
                                      job->unit[unit].layer, job->plan[plan].name, tail);
    char *copy = status ? NULL : rp_arena_strdup(w->names, name.data);
    rp_text_release(&name);
    if (status) return status;
    if (!copy) return rp_fail_memory(err, 64);
    w->tensor[w->n] = *tensor;
    w->tensor[w->n++].name = copy;
    return RP_OK;
}

static rp_status save(writer *w, const char *path, const char *format, rp_error *err)
{
    const char *metadata[] = {"format", format, "labels", w->labels.data, NULL};
    rp_out out = {0};
    rp_status status = rp_out_open(&out, path, err);
    if (!status) status = rp_safetensors_write(out.file, w->tensor, w->n, metadata, err);
    if (!status) status = rp_out_commit(&out, err);
    rp_out_release(&out);
    return status;
}

rp_status rp_job_write_predictions(const rp_job *job, rp_error *err)
{
    writer w;
    rp_status status = writer_init(&w, job, job->nplans * job->nunits, err);
    if (status) return status;
    for (size_t i = 0; i < job->nplans; i++)
        for (size_t u = 0; u < job->nunits && !status; u++) {
            const rp_unit_out *out = rp_job_out(job, i, u);
            const rp_tensor t = {NULL,
                                 RP_F32,
                                 2,
                                 {out->labels, out->rows},
                                 out->labels * out->rows,
                                 out->predictions};
            status = add(&w, job, i, u, "", &t, err);
        }
    if (!status) status = save(&w, job->options->predictions, "rankprobe-predictions", err);
    writer_release(&w);
    return status;
}

rp_status rp_job_write_coefficients(const rp_job *job, rp_error *err)
{
    writer w;
    rp_status status = writer_init(&w, job, 2 * job->nplans * job->nunits, err);
    if (status) return status;
    for (size_t i = 0; i < job->nplans; i++)
        for (size_t u = 0; u < job->nunits && !status; u++) {
            const rp_unit_out *out = rp_job_out(job, i, u);
            const rp_tensor coef = {
                NULL, RP_F64, 2, {out->labels, out->width}, out->labels * out->width, out->coef};
            const rp_tensor intercept = {NULL,          RP_F64,      1,
                                         {out->labels}, out->labels, out->intercept};
            if (!out->coef) continue; /* nothing is fitted by a transfer */
            status = add(&w, job, i, u, "", &coef, err);
            if (!status) status = add(&w, job, i, u, "/intercept", &intercept, err);
        }
    if (!status) status = save(&w, job->options->coefficients, "rankprobe-coefficients", err);
    writer_release(&w);
    return status;
}
