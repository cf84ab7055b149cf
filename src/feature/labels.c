#include "feature/labels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define TINY 1e-9
#define SAME 1e-6

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Sums of squares within queries, given the column's values. */
static double within(const double *x, const size_t *first, size_t nqueries)
{
    double sum = 0;
    for (size_t q = 0; q < nqueries; q++) {
        size_t begin = first[q], end = first[q + 1];
        double mean = 0;
        for (size_t i = begin; i < end; i++) mean += x[i];
        mean /= (double)(end - begin);
        for (size_t i = begin; i < end; i++) sum += (x[i] - mean) * (x[i] - mean);
    }
    return sum;
}

static void measure(rp_label *l, double *z, const double *x, const size_t *first, size_t nqueries)
{
    size_t n = first[nqueries];
    *l = (rp_label){.n = n, .eta2 = NAN, .duplicate_of = SIZE_MAX, .constant = true};
    if (!n) return;
    memcpy(z, x, n * sizeof *z);
    qsort(z, n, sizeof *z, compare_doubles);
    l->min = z[0];
    l->max = z[n - 1];
    l->distinct = 1;
    for (size_t i = 1, last = 0; i < n; i++) {
        /* what the table's nine digits tell apart */
        if (z[i] - z[last] <= TINY * fmax(fabs(z[i]), fabs(z[last]))) continue;
        l->distinct++;
        last = i;
    }
    double total = 0;
    for (size_t i = 0; i < n; i++) l->mean += x[i];
    l->mean /= (double)n;
    for (size_t i = 0; i < n; i++) total += (x[i] - l->mean) * (x[i] - l->mean);
    l->sd = sqrt(total / (double)n);
    l->constant = l->distinct == 1 || l->sd <= TINY * fabs(l->mean);
    l->few = l->distinct < RP_LABEL_FEW;
    double inner = within(x, first, nqueries);
    if (!l->constant) {
        l->eta2 = fmax(0, 1 - inner / total);
        l->constant_within = sqrt(inner / (double)n) <= TINY * fmax(fabs(l->mean), l->sd);
    }
    for (size_t i = 0; i < n; i++) z[i] = l->constant ? 0 : (x[i] - l->mean) / l->sd;
}

static bool is_same(const double *a, const double *b, size_t n, double sign)
{
    for (size_t i = 0; i < n; i++) {
        if (fabs(a[i] - sign * b[i]) > SAME) return false;
    }
    return true;
}

rp_status rp_labels_measure(rp_label *label, double *r, const double *const *column,
                            size_t ncolumns, const size_t *first, size_t nqueries, rp_error *err)
{
    size_t n = first[nqueries];
    double *z = rp_alloc(ncolumns * n + 1, sizeof *z); /* [columns, n] standardised */
    if (!z) return rp_fail_memory(err, ncolumns * n * sizeof *z);
#pragma omp parallel for schedule(dynamic)
    for (size_t c = 0; c < ncolumns; c++) {
        measure(&label[c], z + c * n, column[c], first, nqueries);
    }
#pragma omp parallel for schedule(dynamic)
    for (size_t a = 0; a < ncolumns; a++) {
        for (size_t b = 0; b <= a; b++) {
            double sum = 0;
            for (size_t i = 0; i < n; i++) sum += z[a * n + i] * z[b * n + i];
            bool defined = !label[a].constant && !label[b].constant;
            sum = defined ? fmax(-1, fmin(1, sum / (double)n)) : NAN;
            r[a * ncolumns + b] = r[b * ncolumns + a] = sum;
            if (b < a && label[a].duplicate_of == SIZE_MAX && fabs(sum) > 1 - SAME &&
                is_same(z + a * n, z + b * n, n, sum > 0 ? 1 : -1)) {
                label[a].duplicate_of = b;
            }
        }
    }
    free(z);
    return RP_OK;
}

static void write_flags(FILE *file, const rp_label *l, const rp_columns *columns,
                        const size_t *shown)
{
    const char *comma = "";
    if (l->constant) {
        fputs("constant", file);
        comma = ",";
    }
    if (l->constant_within) {
        fprintf(file, "%sconstant-within-query", comma);
        comma = ",";
    }
    if (l->duplicate_of != SIZE_MAX) {
        fprintf(file, "%sduplicate-of:%s", comma, columns->column[shown[l->duplicate_of]].name);
        comma = ",";
    }
    if (l->few) fprintf(file, "%sfew-distinct", comma);
}

static void write_rows(FILE *file, const rp_columns *columns, const size_t *shown, size_t n,
                       const rp_label *label, const double *r)
{
    fputs("label\tn\tdistinct\tmean\tsd\tmin\tmax\teta2\tflags", file);
    for (size_t i = 0; i < n; i++) fprintf(file, "\tr.%s", columns->column[shown[i]].name);
    for (size_t i = 0; i < n; i++) {
        const rp_label *l = &label[i];
        fprintf(file, "\n%s\t%zu\t%zu\t%.9g\t%.9g\t%.9g\t%.9g\t", columns->column[shown[i]].name,
                l->n, l->distinct, l->mean, l->sd, l->min, l->max);
        isnan(l->eta2) ? fputs("nan\t", file) : fprintf(file, "%.9g\t", l->eta2);
        write_flags(file, l, columns, shown);
        for (size_t j = 0; j < n; j++) {
            double value = r[i * n + j];
            isnan(value) ? fputs("\tnan", file) : fprintf(file, "\t%.6f", value);
        }
    }
    putc('\n', file);
}

rp_status rp_labels_write(FILE *file, const rp_columns *columns, const rp_pairs *pairs,
                          rp_error *err)
{
    size_t n = 0;
    size_t *shown = rp_alloc(columns->n + 1, sizeof *shown);
    const double **value = rp_alloc(columns->n + 1, sizeof *value);
    rp_label *label = rp_alloc(columns->n + 1, sizeof *label);
    double *r = rp_alloc(columns->n * columns->n + 1, sizeof *r);
    rp_status status = RP_OK;
    if (!shown || !value || !label || !r) {
        status = rp_fail_memory(err, columns->n * columns->n * sizeof *r);
        goto done;
    }
    for (size_t i = 0; i < columns->n; i++) {
        if (columns->column[i].hidden) continue;
        value[n] = columns->column[i].value;
        shown[n++] = i;
    }
    status = rp_labels_measure(label, r, value, n, pairs->first, pairs->ntopics, err);
    if (!status) write_rows(file, columns, shown, n, label, r);
done:
    free(shown);
    free(value);
    free(label);
    free(r);
    return status;
}
