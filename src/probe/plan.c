#include "probe/plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { LEAST_ROWS = 5000, PAPER_BINS = 10 };

void rp_plan_release(rp_plan *plan)
{
    for (size_t g = 0; plan->group && g < plan->ngroups; g++) {
        free(plan->group[g].label), free(plan->group[g].row);
        free(plan->group[g].cell);
    }
    for (size_t p = 0; plan->balance && p < plan->nlabels; p++) free(plan->balance[p]);
    free(plan->group), free(plan->constant), free(plan->balance);
    *plan = (rp_plan){0};
}

typedef struct place {
    uint64_t key;
    size_t row, query;
    int outer, inner;
} place;

static int compare(const void *a, const void *b)
{
    const place *p = a, *q = b;
    if (p->outer != q->outer) return p->outer < q->outer ? -1 : 1;
    if (p->inner != q->inner) return p->inner < q->inner ? -1 : 1;
    if (p->query != q->query) return p->query < q->query ? -1 : 1;
    if (p->key != q->key) return p->key < q->key ? -1 : 1;
    return p->row < q->row ? -1 : p->row > q->row;
}

static int by_key(const void *a, const void *b)
{
    const place *p = a, *q = b;
    if (p->key != q->key) return p->key < q->key ? -1 : 1;
    return p->row < q->row ? -1 : p->row > q->row;
}

/* Sizes as scikit-learn's train_test_split and KFold cut them. */
static void split_text(place *v, size_t n, size_t inner)
{
    size_t fifth = (n + 4) / 5, train = n > 2 * fifth ? n - 2 * fifth : 0;
    for (size_t f = 0, at = 0; f < inner; f++)
        for (size_t k = train / inner + (f < train % inner); k; k--)
            v[at].outer = 1, v[at++].inner = (int)f;
    for (size_t i = train; i < n; i++) v[i].outer = i < n - fifth ? -1 : 0, v[i].inner = (int)inner;
}

static void split_code(place *v, size_t n)
{
    size_t test = (n + 3) / 4;
    for (size_t i = 0; i < n; i++) v[i].outer = i < n - test, v[i].inner = 0;
}

static rp_status cut_cells(rp_group *group, const place *v, size_t n, rp_error *err)
{
    size_t cells = n > 0, at = 0;
    for (size_t i = 1; i < n; i++)
        cells += v[i].outer != v[i - 1].outer || v[i].inner != v[i - 1].inner;
    group->cell = rp_alloc(cells, sizeof *group->cell);
    if (!group->cell) return rp_fail_memory(err, cells * sizeof *group->cell);
    for (size_t i = 0; i < n; i++) {
        if (!i || v[i].outer != v[i - 1].outer || v[i].inner != v[i - 1].inner)
            group->cell[at++] = (rp_cell){i, i, v[i].outer, v[i].inner};
        group->cell[at - 1].end = i + 1;
        group->row[i] = v[i].row;
    }
    group->folds.cell = group->cell;
    group->folds.ncells = cells;
    return RP_OK;
}

/* Puts the rows of `keep` in the folds' order. */
static rp_status arrange(rp_group *group, const rp_plan *plan, const rp_rows *rows,
                         const bool *keep, rp_error *err)
{
    size_t n = 0;
    for (size_t i = 0; i < rows->n; i++) n += keep[i];
    place *v = rp_alloc(n, sizeof *v);
    group->row = rp_alloc(n, sizeof *group->row);
    group->label = rp_alloc(plan->nlabels, sizeof *group->label);
    if (!v || !group->row || !group->label) {
        free(v);
        return rp_fail_memory(err, n * sizeof *v);
    }
    group->folds =
        (rp_folds){.n = n, .row = group->row, .nouter = plan->outer, .ninner = plan->inner};
    size_t at = 0;
    for (size_t i = 0; i < rows->n; i++) {
        size_t q = rows->query[i];
        int inner = plan->inner ? rows->inner[q] : 0;
        if (keep[i]) v[at++] = (place){rows->key[i], i, q, rows->outer[q], inner};
    }
    if (plan->outer == 1) {
        qsort(v, n, sizeof *v, by_key);
        if (plan->inner)
            split_text(v, n, plan->inner);
        else
            split_code(v, n);
    }
    qsort(v, n, sizeof *v, compare);
    rp_status status = cut_cells(group, v, n, err);
    free(v);
    return status;
}

static bool same_rows(const rp_group *group, const bool *keep, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) kept += keep[i];
    if (kept != group->folds.n) return false;
    for (size_t i = 0; i < group->folds.n; i++)
        if (!keep[group->row[i]]) return false;
    return true;
}

/* "12/340 50/50 ...", drawn of available. */
static rp_status describe(char **text, const size_t *kept, const size_t *available, size_t nbins,
                          rp_error *err)
{
    rp_text out = {0};
    rp_status status = RP_OK;
    for (size_t b = 0; b < nbins && !status; b++)
        status = rp_text_printf(&out, err, "%s%zu/%zu", b ? " " : "", kept[b], available[b]);
    *text = out.data;
    return status;
}

static rp_status choose_rows(bool *keep, rp_plan *plan, size_t p, size_t bins, const rp_rows *rows,
                             const double *y, rp_error *err)
{
    size_t finite = 0, drawn = 0, nbins, available[RP_BALANCE_BINS], kept[RP_BALANCE_BINS];
    double low = INFINITY, high = -INFINITY;
    for (size_t i = 0; i < rows->n; i++) {
        keep[i] = isfinite(y[i]);
        if (!keep[i]) continue;
        finite++;
        low = fmin(low, y[i]), high = fmax(high, y[i]);
    }
    plan->constant[p] = !(high > low);
    if (!bins || plan->constant[p]) return RP_OK;
    rp_status status = rp_balance(keep, &nbins, available, kept, y, rows, bins, LEAST_ROWS, err);
    for (size_t b = 0; b < nbins && !status; b++) drawn += kept[b];
    if (!status && drawn < finite)
        status = describe(&plan->balance[p], kept, available, nbins, err);
    return status;
}

static rp_status group_labels(rp_plan *plan, size_t bins, const rp_rows *rows,
                              const rp_labels *labels, rp_error *err)
{
    rp_status status = RP_OK;
    bool *keep = rp_alloc(rows->n, sizeof *keep);
    plan->nlabels = labels->n;
    plan->constant = rp_alloc(labels->n, sizeof *plan->constant);
    plan->balance = rp_alloc(labels->n, sizeof *plan->balance);
    plan->group = rp_alloc(labels->n, sizeof *plan->group);
    if (!keep || !plan->constant || !plan->balance || !plan->group)
        status = rp_fail_memory(err, rows->n + labels->n * sizeof *plan->group);
    for (size_t p = 0; p < labels->n && !status; p++) {
        size_t g = 0;
        if ((status = choose_rows(keep, plan, p, bins, rows, labels->y[p], err))) break;
        if (plan->constant[p]) continue;
        while (g < plan->ngroups && !same_rows(&plan->group[g], keep, rows->n)) g++;
        if (g == plan->ngroups) {
            plan->ngroups++;
            if ((status = arrange(&plan->group[g], plan, rows, keep, err))) break;
        }
        plan->group[g].label[plan->group[g].nlabels++] = p;
    }
    free(keep);
    return status;
}

rp_status rp_plan_init(rp_plan *plan, const char *name, const rp_probe_options *o,
                       const rp_rows *rows, const rp_labels *labels, rp_error *err)
{
    bool paper = true;
    if (!strcmp(name, "sound")) {
        bool fixed = !isnan(o->penalty);
        *plan = (rp_plan){.name = "sound",
                          .method = strcmp(o->method, "lasso") ? RP_RIDGE : RP_LASSO,
                          .standardise = true,
                          .l1_ratio = o->l1_ratio,
                          .penalty = o->penalty,
                          .outer = o->folds,
                          .inner = fixed ? 0 : o->inner};
        paper = false;
    } else if (!strcmp(name, "paper-text")) {
        *plan = (rp_plan){.name = "paper-text",
                          .method = RP_LASSO,
                          .standardise = true,
                          .l1_ratio = 1,
                          .penalty = .1,
                          .outer = 1,
                          .inner = 5};
    } else if (!strcmp(name, "paper-code")) {
        *plan = (rp_plan){
            .name = "paper-code", .method = RP_RIDGE, .penalty = 10, .per_row = true, .outer = 1};
    } else {
        return rp_fail(err, RP_EARG,
                       "unknown protocol '%s': it must be sound, paper-text or paper-code", name);
    }
    size_t bins = o->balance >= 0 ? (size_t)o->balance : paper ? PAPER_BINS : 0;
    rp_status status = group_labels(plan, bins, rows, labels, err);
    if (status) rp_plan_release(plan);
    return status;
}
