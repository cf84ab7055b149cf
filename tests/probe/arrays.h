/* A source of activations that lives in memory, and the job on it. */
#ifndef RP_TESTS_ARRAYS_H
#define RP_TESTS_ARRAYS_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/number.h"
#include "base/safetensors.h"
#include "base/table.h"
#include "probe/job.h"
#include "support/support.h"

typedef struct arrays {
    rp_source source;
    rp_store_row *row;
    rp_store_view view[4];
    const float *x[4][4]; /* [view][layer] */
    char (*id)[2][24];    /* names made by the test */
    rp_table *table;      /* or of the golden rows */
    rp_safetensors *st;
    float *made;
} arrays;

static inline rp_status arrays_read(void *arg, float *x, size_t view, size_t layer,
                                    const size_t *row, size_t m, rp_error *err)
{
    const arrays *a = arg;
    if (view >= 4 || layer >= 4 || !a->x[view][layer])
        return rp_fail(err, RP_EIO, "no view %zu layer %zu", view, layer);
    size_t width = a->view[view].width;
    for (size_t i = 0; i < m; i++)
        memcpy(x + i * width, a->x[view][layer] + row[i] * width, width * sizeof *x);
    return RP_OK;
}

static inline void arrays_finish(arrays *a, size_t n, size_t nviews)
{
    a->source = (rp_source){n, a->row, nviews, a->view, a, arrays_read, NULL};
}

/* nq queries of m pairs; x [n, width] for layer 0 of view "made" is left zero, in a->made. */
static inline void arrays_make(arrays *a, size_t nq, size_t m, size_t width)
{
    size_t n = nq * m;
    *a = (arrays){0};
    a->row = rp_alloc(n, sizeof *a->row);
    a->id = rp_alloc(n, sizeof *a->id);
    a->made = rp_alloc(n * width, sizeof *a->made);
    assert_true(a->row && a->id && a->made);
    for (size_t i = 0; i < n; i++) {
        snprintf(a->id[i][0], 24, "q%zu", i / m);
        snprintf(a->id[i][1], 24, "d%zu", i);
        a->row[i] = (rp_store_row){.qid = a->id[i][0],
                                   .docid = a->id[i][1],
                                   .tokens = 20 + i * 7 % 90,
                                   .score = NAN,
                                   .token_control = NAN};
    }
    a->view[0] = (rp_store_view){"made", width, 0, 0};
    a->x[0][0] = a->made;
    arrays_finish(a, n, 1);
}

/* tests/golden/probe: views a (layers 0, 1) and b (layer 1). */
static inline void arrays_golden(arrays *a)
{
    rp_error err;
    *a = (arrays){0};
    assert_ok(rp_table_read(&a->table, rp_test_golden("probe/rows.tsv"), &err), &err);
    assert_ok(rp_safetensors_open(&a->st, rp_test_golden("probe/data.safetensors"), &err), &err);
    size_t n = rp_table_rows(a->table);
    a->row = rp_alloc(n, sizeof *a->row);
    assert_non_null(a->row);
    for (size_t i = 0; i < n; i++) {
        double tokens, score;
        assert_ok(rp_table_number(a->table, i, 3, &tokens, &err), &err);
        assert_ok(rp_table_number(a->table, i, 4, &score, &err), &err);
        a->row[i] = (rp_store_row){.qid = rp_table_cell(a->table, i, 1),
                                   .docid = rp_table_cell(a->table, i, 2),
                                   .tokens = (size_t)tokens,
                                   .score = score,
                                   .token_control = NAN};
    }
    a->view[0] = (rp_store_view){"a", 10, 0, 1};
    a->view[1] = (rp_store_view){"b", 130, 1, 1};
    a->x[0][0] = rp_safetensors_find(a->st, "a.0")->data;
    a->x[0][1] = rp_safetensors_find(a->st, "a.1")->data;
    a->x[1][1] = rp_safetensors_find(a->st, "b.1")->data;
    arrays_finish(a, n, 2);
}

static inline void arrays_release(arrays *a)
{
    free(a->row), free(a->id), free(a->made);
    rp_table_free(a->table);
    rp_safetensors_free(a->st);
}

/* Writes features.tsv with the columns name[k] = y[k][n] for the rows of a; returns its path. */
static inline const char *arrays_features(const arrays *a, const char *const *name,
                                          const double *const *y, size_t columns)
{
    rp_text text = {0};
    rp_error err;
    assert_ok(rp_text_printf(&text, &err, "qid\tdocid"), &err);
    for (size_t k = 0; k < columns; k++)
        assert_ok(rp_text_printf(&text, &err, "\t%s", name[k]), &err);
    for (size_t i = 0; i < a->source.n; i++) {
        assert_ok(rp_text_printf(&text, &err, "\n%s\t%s", a->row[i].qid, a->row[i].docid), &err);
        for (size_t k = 0; k < columns; k++)
            assert_ok(rp_text_printf(&text, &err, "\t%.17g", y[k][i]), &err);
    }
    assert_ok(rp_text_printf(&text, &err, "\n"), &err);
    const char *path = rp_test_write("features.tsv", text.data, text.len);
    rp_text_release(&text);
    return path;
}

/* The job is to be released. */
static inline void arrays_run(rp_job *job, const arrays *a, const rp_probe_options *o)
{
    rp_error err;
    assert_ok(rp_job_init(job, &a->source, o, NULL, &err), &err);
    assert_ok(rp_job_run(job, &err), &err);
}

/* The result of a label in a unit of a finished job. */
static inline const rp_result *arrays_result(const rp_job *job, size_t plan, const char *view,
                                             size_t layer, const char *label)
{
    for (size_t u = 0; u < job->nunits; u++)
        for (size_t p = 0; p < job->labels.n; p++)
            if (!strcmp(job->unit[u].name, view) && job->unit[u].layer == layer &&
                !strcmp(job->labels.name[p], label))
                return rp_job_result(job, plan, u, p);
    fail_msg("no result for %s layer %zu %s", view, layer, label);
    return NULL;
}

#endif
