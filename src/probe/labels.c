#include <math.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/table.h"
#include "probe/rows.h"
#include "probe/split.h"

enum { SALT_CONTROL_QUERY = 0x63717279, SALT_CONTROL_PAIR = 0x63706169 };

void rp_labels_release(rp_labels *labels)
{
    for (size_t p = 0; labels->name && p < labels->n; p++) free(labels->name[p]);
    for (size_t p = 0; labels->y && p < labels->n; p++) free(labels->y[p]);
    free(labels->name), free(labels->y);
    *labels = (rp_labels){0};
}

bool rp_label_is_control(const char *name)
{
    return !strncmp(name, "control.", 8);
}

/* The next label, all zero; NULL when memory is refused. */
static double *add(rp_labels *labels, const char *name)
{
    size_t p = labels->n;
    labels->name[p] = strdup(name);
    labels->y[p] = rp_alloc(labels->rows, sizeof(double));
    labels->n++;
    return labels->name[p] ? labels->y[p] : NULL;
}

/* where[i] <- the table's row with the features of pair i. */
static rp_status join(size_t *where, const rp_table *table, const rp_rows *rows,
                      const rp_host *host, rp_error *err)
{
    size_t qid, docid, rest = rp_table_rows(table);
    rp_status status;
    if ((status = rp_table_require(table, "qid", &qid, err))) return status;
    if ((status = rp_table_require(table, "docid", &docid, err))) return status;
    rp_map *map = rp_map_new();
    rp_text key = {0};
    if (!map) return rp_fail_memory(err, 1);
    for (size_t i = 0; i < rp_table_rows(table) && !status; i++) {
        size_t *slot;
        bool fresh;
        const char *q = rp_table_cell(table, i, qid), *d = rp_table_cell(table, i, docid);
        key.len = 0;
        if ((status = rp_text_printf(&key, err, "%s\t%s", q, d))) break;
        if ((status = rp_map_put(map, key.data, key.len, &slot, &fresh, NULL, err))) break;
        if (!fresh)
            status = rp_fail(err, RP_EFORMAT, "'%s' line %zu: pair '%s' '%s' appears twice",
                             rp_table_path(table), rp_table_line(table, i), q, d);
        *slot = i;
    }
    for (size_t i = 0; i < rows->n && !status; i++) {
        const rp_store_row *row = &rows->row[i];
        key.len = 0;
        if ((status = rp_text_printf(&key, err, "%s\t%s", row->qid, row->docid))) break;
        where[i] = rp_map_get(map, key.data, key.len);
        if (where[i] == RP_MAP_NONE)
            status =
                rp_fail(err, RP_EFORMAT,
                        "'%s': no features for query '%s' document '%s', which is in the store",
                        rp_table_path(table), row->qid, row->docid);
        rest -= rest > 0;
    }
    if (!status && rest)
        rp_host_warn(host,
                     "'%s': %zu of %zu rows are of pairs that the store does not have; ignored",
                     rp_table_path(table), rest, rp_table_rows(table));
    rp_text_release(&key);
    rp_map_free(map);
    return status;
}

static rp_status read_column(double *y, const rp_table *table, size_t column, const size_t *where,
                             size_t n, rp_error *err)
{
    bool grade = !strcmp(rp_table_name(table, column), "grade");
    for (size_t i = 0; i < n; i++) {
        const char *cell = rp_table_cell(table, where[i], column);
        if (!*cell) {
            y[i] = NAN;
            continue;
        }
        rp_status status = rp_table_number(table, where[i], column, &y[i], err);
        if (status) return status;
        if (isinf(y[i]))
            return rp_fail(err, RP_EFORMAT, "'%s' line %zu: %s is infinite", rp_table_path(table),
                           rp_table_line(table, where[i]), rp_table_name(table, column));
        if (grade && y[i] < 0) y[i] = NAN; /* not judged */
    }
    return RP_OK;
}

static bool is_id(const char *name)
{
    return !strcmp(name, "qid") || !strcmp(name, "docid");
}

static bool scores_finite(const rp_rows *rows)
{
    for (size_t i = 0; i < rows->n; i++)
        if (!isfinite(rows->row[i].score)) return false;
    return true;
}

static bool has_token_control(const rp_rows *rows)
{
    for (size_t i = 0; i < rows->n; i++)
        if (!isfinite(rows->row[i].token_control)) return false;
    return true;
}

/* Takes back a `grade` without any judgement: `features` had no qrels. */
static void drop_empty_grade(rp_labels *labels)
{
    size_t p = labels->n - 1;
    if (strcmp(labels->name[p], "grade") != 0) return;
    for (size_t i = 0; i < labels->rows; i++)
        if (!isnan(labels->y[p][i])) return;
    free(labels->name[p]), free(labels->y[p]);
    labels->n--;
}

static rp_status add_columns(rp_labels *labels, const rp_table *table, const char *select,
                             const rp_rows *rows, const rp_host *host, rp_error *err)
{
    rp_status status = RP_OK;
    size_t *where = rp_alloc(rows->n, sizeof *where);
    if (!where) return rp_fail_memory(err, rows->n * sizeof *where);
    status = join(where, table, rows, host, err);
    for (size_t c = 0; c < rp_table_columns(table) && !status; c++) {
        const char *name = rp_table_name(table, c);
        if (is_id(name) || !rp_globs_match(select, name)) continue;
        double *y = add(labels, name);
        status = y ? read_column(y, table, c, where, rows->n, err)
                   : rp_fail_memory(err, rows->n * sizeof *y);
        if (!status && !strcmp(select, "*")) drop_empty_grade(labels);
    }
    free(where);
    return status;
}

static double normal(uint64_t seed, uint64_t key)
{
    rp_rng rng;
    rp_rng_init(&rng, seed, key);
    return rp_rng_normal(&rng);
}

/* Two labels of one name could not be told apart in probes.tsv. */
static rp_status check_free(const rp_labels *labels, const char *name, const char *path,
                            rp_error *err)
{
    for (size_t p = 0; p < labels->n; p++)
        if (!strcmp(labels->name[p], name))
            return rp_fail(err, RP_EFORMAT,
                           "'%s': column '%s' has the name of a label that the probe makes itself",
                           path, name);
    return RP_OK;
}

static rp_status add_token_control(rp_labels *labels, const rp_rows *rows, const char *path,
                                   rp_error *err)
{
    rp_status status = check_free(labels, "control.token", path, err);
    if (status) return status;
    double *token = add(labels, "control.token");
    if (!token) return rp_fail_memory(err, rows->n * sizeof *token);
    for (size_t i = 0; i < rows->n; i++) token[i] = rows->row[i].token_control;
    return RP_OK;
}

static rp_status add_controls(rp_labels *labels, const rp_rows *rows, const char *path,
                              rp_error *err)
{
    rp_status status = check_free(labels, "control.query_id", path, err);
    if (!status) status = check_free(labels, "control.pair", path, err);
    if (status) return status;
    double *query = add(labels, "control.query_id"), *pair = add(labels, "control.pair");
    if (!query || !pair) return rp_fail_memory(err, rows->n * sizeof(double));
    for (size_t i = 0; i < rows->n; i++) {
        const char *qid = rows->row[i].qid;
        query[i] = normal(rows->seed, rp_split_query_key(rows->seed, qid, SALT_CONTROL_QUERY));
        pair[i] = normal(rows->seed ^ SALT_CONTROL_PAIR, rows->key[i]);
    }
    return has_token_control(rows) ? add_token_control(labels, rows, path, err) : RP_OK;
}

/* Every element of `select` must name something. */
static rp_status check_select(const rp_table *table, const char *select, bool score, rp_error *err)
{
    size_t n = 0, columns = rp_table_columns(table);
    const char **name = rp_alloc(columns + 1, sizeof *name);
    if (!name) return rp_fail_memory(err, columns * sizeof *name);
    for (size_t c = 0; c < columns; c++)
        if (!is_id(rp_table_name(table, c))) name[n++] = rp_table_name(table, c);
    if (score) name[n++] = "ranker.score";
    rp_status status =
        n ? rp_globs_check(select, name, n, "feature", err)
          : rp_fail(err, RP_EFORMAT, "'%s': no feature columns", rp_table_path(table));
    free(name);
    return status;
}

rp_status rp_labels_load(rp_labels *labels, const rp_rows *rows, const char *path,
                         const char *select, bool controls, const rp_host *host, rp_error *err)
{
    *labels = (rp_labels){.rows = rows->n};
    rp_table *table = NULL;
    bool score = scores_finite(rows);
    rp_status status = rp_table_read(&table, path, err);
    if (status) return status;
    labels->name = rp_alloc(rp_table_columns(table) + 4, sizeof *labels->name);
    labels->y = rp_alloc(rp_table_columns(table) + 4, sizeof *labels->y);
    if (!labels->name || !labels->y) {
        status = rp_fail_memory(err, rp_table_columns(table) * sizeof *labels->y);
        goto done;
    }
    if ((status = check_select(table, select, score, err))) goto done;
    if ((status = add_columns(labels, table, select, rows, host, err))) goto done;
    if (score && rp_globs_match(select, "ranker.score")) {
        if ((status = check_free(labels, "ranker.score", path, err))) goto done;
        double *y = add(labels, "ranker.score");
        if (!y) {
            status = rp_fail_memory(err, rows->n * sizeof *y);
            goto done;
        }
        for (size_t i = 0; i < rows->n; i++) y[i] = rows->row[i].score;
    }
    if (controls) status = add_controls(labels, rows, path, err);
done:
    rp_table_free(table);
#ifdef __GLIBC__
    malloc_trim(0); /* the table and its index were many small pieces, larger than what is kept */
#endif
    if (status) rp_labels_release(labels);
    return status;
}
