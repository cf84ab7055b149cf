#include "feature/columns.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/table.h"

static rp_status add(rp_columns *c, rp_column column, rp_error *err)
{
    rp_status status = rp_grow(&c->column, &c->cap, c->n + 1, sizeof *c->column, err);
    if (!status) c->column[c->n++] = column;
    return status;
}

static size_t find(const rp_columns *c, const char *name)
{
    for (size_t i = 0; i < c->n; i++) {
        if (!strcmp(c->column[i].name, name)) return i;
    }
    return SIZE_MAX;
}

static rp_status fail_lacking(const rp_feature *f, const rp_features_options *o, rp_error *err)
{
    return rp_fail(err, RP_EARG, "no encoder for '%s': give a model directory as '%s'", f->name,
                   rp_feature_lacks(f, o));
}

/* Every element of the list must match a feature that can be computed; others that it matches are
 * left out. */
static rp_status check_encoders(const rp_features_options *o, rp_error *err)
{
    char glob[256];
    for (const char *rest = o->select; rp_globs_next(&rest, glob, sizeof glob);) {
        const rp_feature *lacking = NULL;
        bool any = false;
        for (size_t i = 0; i < rp_features_count; i++) {
            const rp_feature *f = &rp_features_table[i];
            if (!rp_globs_match(glob, f->name)) continue;
            any |= !rp_feature_lacks(f, o);
            if (!lacking && rp_feature_lacks(f, o)) lacking = f;
        }
        if (!any && lacking) return fail_lacking(lacking, o, err);
    }
    return RP_OK;
}

static rp_status select_features(rp_columns *c, const rp_features_options *o, rp_error *err)
{
    const char **names = rp_alloc(rp_features_count, sizeof *names);
    if (!names) return rp_fail_memory(err, rp_features_count * sizeof *names);
    for (size_t i = 0; i < rp_features_count; i++) names[i] = rp_features_table[i].name;
    rp_status status = rp_globs_check(o->select, names, rp_features_count, "feature", err);
    if (!status) status = check_encoders(o, err);
    for (size_t i = 0; i < rp_features_count && !status; i++) {
        const rp_feature *f = &rp_features_table[i];
        bool hidden = rp_feature_lacks(f, o) || !rp_globs_match(o->select, f->name);
        status = add(c, (rp_column){f->name, f->meaning, f, .hidden = hidden}, err);
    }
    free(names);
    return status;
}

static rp_status resolve(rp_columns *c, rp_column *derived, bool *used, const char *definition,
                         const rp_features_options *o, rp_error *err)
{
    const rp_expression *e = derived->expression;
    size_t n = rp_expression_columns(e);
    derived->source = rp_alloc(n + 1, sizeof *derived->source);
    if (!derived->source) return rp_fail_memory(err, n * sizeof *derived->source);
    for (size_t i = 0; i < n; i++) {
        size_t at = find(c, rp_expression_column(e, i));
        if (at == SIZE_MAX) {
            return rp_fail(err, RP_EARG, "'%.200s' position %zu: no column '%.100s'", definition,
                           rp_expression_position(e, i), rp_expression_column(e, i));
        }
        const rp_feature *f = c->column[at].feature;
        if (f && rp_feature_lacks(f, o)) return fail_lacking(f, o, err);
        derived->source[i] = at;
        if (at < rp_features_count) used[at] = true;
    }
    return RP_OK;
}

static rp_status add_derived(rp_columns *c, bool *used, const char *definition,
                             const rp_features_options *o, rp_error *err)
{
    rp_column derived = {0};
    rp_status status = rp_expression_parse(&derived.expression, definition, err);
    if (status) return status;
    derived.name = rp_expression_name(derived.expression);
    derived.meaning = rp_expression_text(derived.expression);
    static const char *const taken[] = {"qid", "docid", "grade", "score"};
    bool is_taken = find(c, derived.name) != SIZE_MAX;
    for (size_t i = 0; i < 4; i++) is_taken |= !strcmp(taken[i], derived.name);
    if (is_taken) {
        status = rp_fail(err, RP_EARG, "'%.200s': there is a column '%.100s' already", definition,
                         derived.name);
    }
    if (!status) status = resolve(c, &derived, used, definition, o, err);
    if (!status) status = add(c, derived, err);
    if (status) {
        free(derived.source);
        rp_expression_free(derived.expression);
    }
    return status;
}

/* Drops features that are neither written nor referred to. */
static rp_status compact(rp_columns *c, const bool *used, rp_error *err)
{
    size_t *to = rp_alloc(c->n + 1, sizeof *to), n = 0;
    if (!to) return rp_fail_memory(err, c->n * sizeof *to);
    for (size_t i = 0; i < c->n; i++) {
        bool keep = !c->column[i].feature || !c->column[i].hidden || used[i];
        to[i] = n;
        if (keep) c->column[n++] = c->column[i];
    }
    c->n = n;
    for (size_t i = 0; i < n; i++) {
        const rp_expression *e = c->column[i].expression;
        size_t sources = e ? rp_expression_columns(e) : 0;
        for (size_t j = 0; j < sources; j++) c->column[i].source[j] = to[c->column[i].source[j]];
    }
    free(to);
    return RP_OK;
}

rp_status rp_columns_init(rp_columns *c, const rp_features_options *o, rp_error *err)
{
    *c = (rp_columns){0};
    bool *used = rp_alloc(rp_features_count, sizeof *used);
    if (!used) return rp_fail_memory(err, rp_features_count);
    rp_status status = select_features(c, o, err);
    for (size_t i = 0; i < o->nderive && !status; i++) {
        const char *const *preset = rp_expression_preset(o->derive[i]);
        if (!preset) status = add_derived(c, used, o->derive[i], o, err);
        for (; preset && *preset && !status; preset++) {
            status = add_derived(c, used, *preset, o, err);
        }
    }
    if (!status) status = compact(c, used, err);
    free(used);
    return status;
}

void rp_columns_release(rp_columns *c)
{
    for (size_t i = 0; i < c->n; i++) {
        rp_expression_free(c->column[i].expression);
        free(c->column[i].source);
        free(c->column[i].value);
    }
    free(c->column);
    *c = (rp_columns){0};
}

bool rp_columns_have(const rp_columns *c, rp_family family)
{
    for (size_t i = 0; i < c->n; i++) {
        if (c->column[i].feature && c->column[i].feature->family == family) return true;
    }
    return false;
}

rp_status rp_columns_allocate(rp_columns *c, size_t rows, rp_error *err)
{
    c->rows = rows;
    for (size_t i = 0; i < c->n; i++) {
        c->column[i].value = rp_alloc(rows + 1, sizeof(double));
        if (!c->column[i].value) return rp_fail_memory(err, rows * sizeof(double));
    }
    return RP_OK;
}

void rp_columns_fill(const rp_columns *c, size_t row, rp_family family, const rp_evidence *e)
{
    for (size_t i = 0; i < c->n; i++) {
        const rp_feature *f = c->column[i].feature;
        if (f && f->family == family) c->column[i].value[row] = f->value(e);
    }
}

rp_status rp_columns_derive(rp_columns *c, const rp_pair *pairs, rp_error *err)
{
    for (size_t i = 0; i < c->n; i++) {
        rp_column *column = &c->column[i];
        if (column->feature) continue;
        size_t n = rp_expression_columns(column->expression);
        const double **source = rp_alloc(n + 1, sizeof *source);
        if (!source) return rp_fail_memory(err, n * sizeof *source);
        for (size_t j = 0; j < n; j++) source[j] = c->column[column->source[j]].value;
        rp_status status =
            rp_expression_eval(column->expression, column->value, source, c->rows, err);
        free(source);
        for (size_t r = 0; r < c->rows && !status; r++) {
            if (isfinite(column->value[r])) continue;
            status = rp_fail(err, RP_ECOMPUTE, "column '%s' is %g for query '%s' document '%s'",
                             column->name, column->value[r], pairs[r].qid, pairs[r].docid);
        }
        if (status) return status;
    }
    return RP_OK;
}
