/*
 * The fits alone: what probe_lasso.sh gives as the second figure of ours.
 *
 *     probe_fit STORE FEATURES SELECT ridge|lasso PENALTY|path THREADS
 *
 * Layer 0 of the first view, protocol `sound` without controls. Prints wall and CPU seconds from
 * means and deviations to certified coefficients of every fold, and the most and the mean of units;
 * the store was checked and its pages are in memory before.
 */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "base/number.h"
#include "probe/plan.h"
#include "solver/lasso.h"
#include "solver/ridge.h"

static double clock_of(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static rp_status read_rows(void *store, float *x, const size_t *row, size_t m, rp_error *err)
{
    return rp_store_read_rows(store, x, 0, rp_store_view_at(store, 0)->layer_first, row, m, err);
}

static rp_status fit(const rp_matrix *x, const rp_group *group, const rp_labels *labels,
                     const rp_plan *plan, rp_error *err)
{
    rp_design d;
    rp_cells cells = {0};
    rp_fit *fits = rp_alloc(plan->outer + 1, sizeof *fits);
    const double **y = rp_alloc(group->nlabels, sizeof *y);
    double value[RP_RIDGE_GRID], wall = clock_of(CLOCK_MONOTONIC);
    double cpu = clock_of(CLOCK_PROCESS_CPUTIME_ID), units = 0;
    bool lasso = plan->method == RP_LASSO;
    for (size_t p = 0; p < group->nlabels; p++) y[p] = labels->y[group->label[p]];
    rp_status status = rp_design_init(&d, x, &group->folds, y, group->nlabels, 0, true, false, err);
    if (!status)
        status = rp_cells_init(&cells, &d, lasso ? plan->penalty != plan->penalty : true, err);
    if (!status && lasso) {
        status = rp_lasso_run(fits, &cells, plan->penalty, 1, false, NULL, err);
        for (size_t o = 0; o < plan->outer && !status; o++)
            for (size_t p = 0; p < group->nlabels; p++) units += (double)fits[o].units[p];
    } else if (!status) {
        rp_ridge ridge;
        rp_ridge_options o = {.npenalties = rp_ridge_grid(value, plan->penalty), .penalty = value};
        status = rp_ridge_run(&ridge, &cells, &o, err);
        if (!status) rp_ridge_release(&ridge);
    }
    printf("%.3f %.3f", clock_of(CLOCK_MONOTONIC) - wall, clock_of(CLOCK_PROCESS_CPUTIME_ID) - cpu);
    if (lasso) printf(" %.1f", units / (double)(plan->outer * group->nlabels));
    printf("\n");
    return status;
}

int main(int argc, char **argv)
{
    rp_store *store = NULL;
    rp_rows rows = {0};
    rp_labels labels = {0};
    rp_plan plan = {0};
    rp_probe_options o;
    rp_error err = {0};
    float *all = NULL;
    if (argc != 7) return 2;
    rp_probe_options_init(&o);
    o.method = argv[4], o.balance = 0;
    if (strcmp(argv[5], "path") != 0) rp_number_double(argv[5], &o.penalty);
    omp_set_num_threads(atoi(argv[6]));
    rp_solver_blas_init();
    rp_status status = rp_store_open(&store, argv[1], &err);
    if (status) goto done;
    rp_source source = {.n = rp_store_rows(store), .row = rp_store_row_at(store, 0)};
    const rp_store_view *view = rp_store_view_at(store, 0);
    rp_matrix x = {source.n, view->width, "x", store, read_rows};
    all = rp_alloc(source.n * view->width, sizeof *all);
    if (!all) status = rp_fail_memory(&err, source.n * view->width * sizeof *all);
    if (!status) status = rp_store_read(store, all, 0, view->layer_first, &err);
    if (!status) status = rp_rows_init(&rows, &source, o.seed, &err);
    if (!status) status = rp_rows_split(&rows, o.folds, o.inner, &err);
    if (!status) status = rp_labels_load(&labels, &rows, argv[2], argv[3], false, NULL, &err);
    if (!status) status = rp_plan_init(&plan, "sound", &o, &rows, &labels, &err);
    if (!status) status = fit(&x, &plan.group[0], &labels, &plan, &err);
done:
    if (status) fprintf(stderr, "probe_fit: %s\n", err.text);
    return status != RP_OK;
}
