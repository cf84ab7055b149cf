#include "solver/matrix.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

typedef struct pair {
    const rp_matrix *a, *b;
    rp_text name;
} pair;

static rp_status read_pair(void *arg, float *x, const size_t *row, size_t m, rp_error *err)
{
    const pair *p = arg;
    size_t A = p->a->width, B = p->b->width, D = A + B;
    float *right = rp_alloc(m * B, sizeof *right);
    if (!right) return rp_fail_memory(err, m * B * sizeof *right);
    rp_status status = p->a->read(p->a->arg, x, row, m, err);
    if (!status) status = p->b->read(p->b->arg, right, row, m, err);
    for (size_t i = m; i-- && !status;) { /* from the last: rows of a only move back */
        memmove(x + i * D, x + i * A, A * sizeof *x);
        memcpy(x + i * D + A, right + i * B, B * sizeof *x);
    }
    free(right);
    return status;
}

rp_status rp_matrix_join(rp_matrix *joined, const rp_matrix *a, const rp_matrix *b, rp_error *err)
{
    *joined = (rp_matrix){0};
    if (a->n != b->n)
        return rp_fail(err, RP_EARG,
                       "matrices of different rows cannot be joined: %s has %zu, %s %zu", a->name,
                       a->n, b->name, b->n);
    pair *p = rp_alloc(1, sizeof *p);
    if (!p) return rp_fail_memory(err, sizeof *p);
    *p = (pair){.a = a, .b = b};
    rp_status status = rp_text_printf(&p->name, err, "%s + %s", a->name, b->name);
    *joined = (rp_matrix){a->n, a->width + b->width, p->name.data, p, read_pair};
    if (status) rp_matrix_join_release(joined);
    return status;
}

void rp_matrix_join_release(rp_matrix *joined)
{
    pair *p = joined->arg;
    if (p) rp_text_release(&p->name);
    free(p);
    *joined = (rp_matrix){0};
}
