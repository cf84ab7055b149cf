#include "report/results.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/memory.h"
#include "base/number.h"

/* Where each number of a row comes from. */
static const struct {
    const char *column;
    size_t offset;
    bool required;
} numbers[] = {
    {"n", offsetof(rp_result, n), true},
    {"queries", offsetof(rp_result, queries), true},
    {"width", offsetof(rp_result, width), false},
    {"r2", offsetof(rp_result, r2), true},
    {"r2_lo", offsetof(rp_result, r2_lo), false},
    {"r2_hi", offsetof(rp_result, r2_hi), false},
    {"r2_within", offsetof(rp_result, within), true},
    {"r2_within_lo", offsetof(rp_result, within_lo), false},
    {"r2_within_hi", offsetof(rp_result, within_hi), false},
    {"r2_between", offsetof(rp_result, between), false},
    {"tau", offsetof(rp_result, tau), false},
    {"eta2", offsetof(rp_result, eta2), true},
    {"null_within", offsetof(rp_result, null_within), false},
    {"p_document_maxt", offsetof(rp_result, p_maxt), false},
};
#define NUMBERS (sizeof numbers / sizeof numbers[0])

typedef struct reader {
    rp_results *results;
    rp_map *map; /* "f name", "v name", "p name" -> index */
    size_t feature, view, protocol, layer, method, status;
    size_t number[NUMBERS];
    size_t *line; /* [rows] line of each row, for errors */
} reader;

static rp_status intern(size_t *index, reader *r, rp_names *names, char kind, const char *name,
                        rp_error *err)
{
    rp_text key = {0};
    size_t *slot;
    bool fresh;
    rp_status status = rp_text_printf(&key, err, "%c %s", kind, name);
    if (!status) status = rp_map_put(r->map, key.data, key.len, &slot, &fresh, NULL, err);
    if (!status && fresh) {
        *slot = names->n;
        status = rp_grow(&names->name, &names->cap, names->n + 1, sizeof *names->name, err);
        if (!status) names->name[names->n++] = name;
    }
    if (!status) *index = *slot;
    rp_text_release(&key);
    return status;
}

static rp_status find_columns(reader *r, rp_error *err)
{
    const rp_table *t = r->results->probes;
    rp_status status = RP_OK;
    const struct {
        const char *name;
        size_t *column;
    } texts[] = {{"feature", &r->feature},
                 {"view", &r->view},
                 {"layer", &r->layer},
                 {"protocol", &r->protocol}};
    for (size_t i = 0; !status && i < sizeof texts / sizeof texts[0]; i++)
        status = rp_table_require(t, texts[i].name, texts[i].column, err);
    r->method = rp_table_find(t, "method");
    r->status = rp_table_find(t, "status");
    for (size_t i = 0; !status && i < NUMBERS; i++) {
        if (numbers[i].required)
            status = rp_table_require(t, numbers[i].column, &r->number[i], err);
        else
            r->number[i] = rp_table_find(t, numbers[i].column);
    }
    return status;
}

static rp_status read_row(reader *r, rp_result *row, size_t i, rp_error *err)
{
    rp_results *res = r->results;
    const rp_table *t = res->probes;
    rp_status status;
    if ((status =
             intern(&row->feature, r, &res->features, 'f', rp_table_cell(t, i, r->feature), err)) ||
        (status = intern(&row->view, r, &res->views, 'v', rp_table_cell(t, i, r->view), err)) ||
        (status = intern(&row->protocol, r, &res->protocols, 'p', rp_table_cell(t, i, r->protocol),
                         err)))
        return status;
    const char *layer = rp_table_cell(t, i, r->layer);
    if (!rp_number_size(layer, &row->layer) || row->layer > 100000)
        return rp_fail(err, RP_EFORMAT, "'%s' line %zu: layer is not a number: '%s'",
                       rp_table_path(t), rp_table_line(t, i), layer);
    row->method = r->method == SIZE_MAX ? "" : rp_table_cell(t, i, r->method);
    row->status = r->status == SIZE_MAX ? "ok" : rp_table_cell(t, i, r->status);
    for (size_t k = 0; k < NUMBERS; k++) {
        double *value = (double *)((char *)row + numbers[k].offset);
        *value = NAN;
        if (r->number[k] == SIZE_MAX) continue;
        if ((status = rp_table_number(t, i, r->number[k], value, err))) return status;
        if (isinf(*value)) *value = NAN;
    }
    res->tested |= !isnan(row->p_maxt);
    if (!rp_view_is_baseline(rp_table_cell(t, i, r->view)) && row->layer > res->layers)
        res->layers = row->layer;
    return RP_OK;
}

static int by_series(const void *a, const void *b)
{
    const rp_result *x = a, *y = b;
    if (x->feature != y->feature) return x->feature < y->feature ? -1 : 1;
    if (x->view != y->view) return x->view < y->view ? -1 : 1;
    if (x->protocol != y->protocol) return x->protocol < y->protocol ? -1 : 1;
    return x->layer < y->layer ? -1 : x->layer > y->layer;
}

static size_t series_index(const rp_results *res, const rp_result *row)
{
    return (row->feature * res->views.n + row->view) * res->protocols.n + row->protocol;
}

static rp_status index_series(rp_results *res, rp_error *err)
{
    qsort(res->row, res->rows, sizeof *res->row, by_series);
    for (size_t i = 1; i < res->rows; i++) {
        const rp_result *row = &res->row[i];
        if (by_series(row - 1, row) == 0)
            return rp_fail(err, RP_EFORMAT,
                           "'%s': two rows for feature '%s', view '%s', protocol '%s', layer %zu",
                           rp_table_path(res->probes), res->features.name[row->feature],
                           res->views.name[row->view], res->protocols.name[row->protocol],
                           row->layer);
    }
    size_t n = res->views.n * res->protocols.n;
    if (n && res->features.n > SIZE_MAX / sizeof(size_t) / n - 1)
        return rp_fail_memory(err, SIZE_MAX);
    n *= res->features.n;
    if (!(res->series = rp_alloc(n + 1, sizeof *res->series))) return rp_fail_memory(err, n * 8);
    for (size_t i = 0; i < res->rows; i++) res->series[series_index(res, &res->row[i]) + 1]++;
    for (size_t i = 0; i < n; i++) res->series[i + 1] += res->series[i];
    return RP_OK;
}

static rp_status read_probes(rp_results *res, const char *path, rp_error *err)
{
    reader r = {.results = res};
    rp_status status = rp_table_read(&res->probes, path, err);
    if (!status) status = find_columns(&r, err);
    if (status) goto done;
    size_t n = rp_table_rows(res->probes);
    if (!n) {
        status = rp_fail(err, RP_EFORMAT, "'%s': no probes in it", path);
        goto done;
    }
    r.map = rp_map_new();
    res->row = rp_alloc(n, sizeof *res->row);
    if (!r.map || !res->row) {
        status = rp_fail_memory(err, n * sizeof *res->row);
        goto done;
    }
    res->rows = n;
    for (size_t i = 0; i < n; i++)
        if ((status = read_row(&r, &res->row[i], i, err))) goto done;
    status = index_series(res, err);
done:
    rp_map_free(r.map);
    return status;
}

rp_status rp_results_read(rp_results *res, const char *probes, const char *labels, rp_error *err)
{
    *res = (rp_results){0};
    rp_status status = read_probes(res, probes, err);
    if (!status && labels) {
        size_t column;
        status = rp_table_read(&res->labels, labels, err);
        if (!status) status = rp_table_require(res->labels, "label", &column, err);
    }
    if (status) rp_results_release(res);
    return status;
}

void rp_results_release(rp_results *res)
{
    rp_table_free(res->probes);
    rp_table_free(res->labels);
    free(res->features.name);
    free(res->views.name);
    free(res->protocols.name);
    free(res->row);
    free(res->series);
    *res = (rp_results){0};
}

size_t rp_results_series(const rp_results *res, const rp_result **rows, size_t feature, size_t view,
                         size_t protocol)
{
    size_t i = (feature * res->views.n + view) * res->protocols.n + protocol;
    *rows = res->row + res->series[i];
    return res->series[i + 1] - res->series[i];
}

const rp_result *rp_results_at(const rp_results *res, size_t feature, size_t view, size_t protocol,
                               size_t layer)
{
    const rp_result *rows;
    size_t n = rp_results_series(res, &rows, feature, view, protocol);
    for (size_t i = 0; i < n; i++)
        if (rows[i].layer == layer) return &rows[i];
    return NULL;
}

size_t rp_names_find(const rp_names *names, const char *name)
{
    for (size_t i = 0; i < names->n; i++)
        if (!strcmp(names->name[i], name)) return i;
    return SIZE_MAX;
}

bool rp_feature_is_control(const char *name)
{
    return !strncmp(name, "control.", 8);
}

bool rp_view_is_baseline(const char *name)
{
    return !strncmp(name, "baseline.", 9);
}

size_t rp_results_label(const rp_results *res, const char *feature)
{
    if (!res->labels) return SIZE_MAX;
    size_t column = rp_table_find(res->labels, "label");
    for (size_t i = 0; i < rp_table_rows(res->labels); i++)
        if (!strcmp(rp_table_cell(res->labels, i, column), feature)) return i;
    return SIZE_MAX;
}

const char *rp_results_label_text(const rp_results *res, const char *feature, const char *column)
{
    size_t row = rp_results_label(res, feature);
    size_t at = row == SIZE_MAX ? SIZE_MAX : rp_table_find(res->labels, column);
    return at == SIZE_MAX ? "" : rp_table_cell(res->labels, row, at);
}

double rp_results_eta2(const rp_results *res, size_t feature)
{
    double value;
    const char *text = rp_results_label_text(res, res->features.name[feature], "eta2");
    if (*text && rp_number_double(text, &value)) return value;
    for (size_t i = 0; i < res->rows; i++)
        if (res->row[i].feature == feature && !isnan(res->row[i].eta2)) return res->row[i].eta2;
    return NAN;
}
