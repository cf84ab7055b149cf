/* The permutation tests of a job. A family: every label that is no control in every layer of every
 * view, under one protocol and one kind of permutation. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "probe/job.h"

typedef struct family {
    size_t n, *unit, *label; /* [n] */
    double *t;               /* [n, draws] */
    rp_tested *out;          /* [n] */
} family;

static void family_release(family *f)
{
    free(f->unit), free(f->label), free(f->t), free(f->out);
}

static rp_status family_init(family *f, const rp_job *job, size_t draws, rp_error *err)
{
    size_t most = job->nunits * job->labels.n;
    *f = (family){0, rp_alloc(most, sizeof *f->unit), rp_alloc(most, sizeof *f->label),
                  draws && most > SIZE_MAX / draws ? NULL : rp_alloc(most * draws, sizeof *f->t),
                  rp_alloc(most, sizeof *f->out)};
    if (f->unit && f->label && f->t && f->out) return RP_OK;
    family_release(f);
    return rp_fail_memory(err, most * draws * sizeof *f->t);
}

static rp_status test_family(rp_job *job, family *f, size_t plan, size_t kind, rp_error *err)
{
    size_t draws = job->options->permutations + 1;
    f->n = 0;
    for (size_t u = 0; u < job->nunits; u++)
        for (size_t p = 0; p < job->labels.n; p++) {
            const double *null = rp_job_out(job, plan, u)->null[kind];
            if (!null || rp_unit_is_baseline(&job->unit[u])) continue;
            if (rp_label_is_control(job->labels.name[p])) continue;
            memcpy(f->t + f->n * draws, null + p * draws, draws * sizeof *null);
            f->unit[f->n] = u, f->label[f->n++] = p;
        }
    rp_status status = f->n ? rp_tests_compute(f->out, f->t, f->n, draws, err) : RP_OK;
    for (size_t i = 0; i < f->n && !status; i++)
        *rp_job_tested(job, plan, kind, f->unit[i], f->label[i]) = f->out[i];
    return status;
}

/* Controls and baselines: each alone. */
static rp_status test_others(rp_job *job, size_t plan, size_t kind, rp_error *err)
{
    size_t draws = job->options->permutations + 1;
    rp_status status = RP_OK;
    for (size_t u = 0; u < job->nunits; u++)
        for (size_t p = 0; p < job->labels.n && !status; p++) {
            const double *null = rp_job_out(job, plan, u)->null[kind];
            rp_tested *tested = rp_job_tested(job, plan, kind, u, p);
            if (!null) continue;
            if (!rp_unit_is_baseline(&job->unit[u]) && !rp_label_is_control(job->labels.name[p]))
                continue;
            status = rp_tests_compute(tested, null + p * draws, 1, draws, err);
            tested->adjusted = tested->q = NAN;
        }
    return status;
}

rp_status rp_job_test(rp_job *job, rp_error *err)
{
    size_t n = job->nplans * RP_NULLS * job->nunits * job->labels.n;
    family f = {0};
    rp_status status = RP_OK;
    for (size_t i = 0; i < n; i++) job->tested[i] = (rp_tested){NAN, NAN, NAN, NAN, NAN};
    if (!job->options->permutations) return RP_OK;
    status = family_init(&f, job, job->options->permutations + 1, err);
    for (size_t i = 0; i < job->nplans && !status; i++)
        for (size_t kind = 0; kind < RP_NULLS && !status; kind++) {
            status = test_family(job, &f, i, kind, err);
            if (!status) status = test_others(job, i, kind, err);
        }
    family_release(&f);
    return status;
}
