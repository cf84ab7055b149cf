/*
 * TSV tables: `#` comment lines, a header line, rows. Cells are strings; numbers are parsed on
 * demand so that an error can name file, line and value.
 */
#ifndef RP_BASE_TABLE_H
#define RP_BASE_TABLE_H

#include "base/error.h"

typedef struct rp_table rp_table;
/* A row with another number of cells than the header, or a duplicate column, is RP_EFORMAT. */
rp_status rp_table_read(rp_table **table, const char *path, rp_error *err);
void rp_table_free(rp_table *table);
const char *rp_table_path(const rp_table *table);
size_t rp_table_rows(const rp_table *table);
size_t rp_table_columns(const rp_table *table);
const char *rp_table_name(const rp_table *table, size_t column);
size_t rp_table_find(const rp_table *table, const char *name); /* SIZE_MAX: no such column */
/* The same, RP_EFORMAT naming file and column when it is absent. */
rp_status rp_table_require(const rp_table *table, const char *name, size_t *column, rp_error *err);
const char *rp_table_cell(const rp_table *table, size_t row, size_t column);
size_t rp_table_line(const rp_table *table, size_t row);
rp_status rp_table_number(const rp_table *table, size_t row, size_t column, double *value,
                          rp_error *err);
/* Value of a comment line "# key: value", NULL when there is none. */
const char *rp_table_comment(const rp_table *table, const char *key);

/* The next element of a comma separated list, blanks trimmed; moves *list on, false at the end. */
bool rp_globs_next(const char **list, char *glob, size_t cap);
/* Does `name` match the comma separated list of globs (fnmatch)? */
bool rp_globs_match(const char *globs, const char *name);
/* RP_EARG naming the first element of `globs` that matches none of names[n]. */
rp_status rp_globs_check(const char *globs, const char *const *names, size_t n, const char *what,
                         rp_error *err);

#endif
