#include "base/table.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/number.h"

struct rp_table {
    char *path;
    rp_arena *text;
    rp_map *columns;     /* name -> index */
    const char **name;   /* [ncolumns] */
    const char **cell;   /* [rows, ncolumns] */
    size_t *line;        /* [rows] */
    const char **remark; /* [nremarks] comment lines without "# " */
    size_t rows, ncolumns, nremarks, cell_cap, line_cap, remark_cap;
};

static rp_status add_remark(rp_table *t, const char *line, rp_error *err)
{
    rp_status s = rp_grow(&t->remark, &t->remark_cap, t->nremarks + 1, sizeof *t->remark, err);
    if (s) return s;
    line += strspn(line, "# ");
    const char *copy = rp_arena_strdup(t->text, line);
    if (!copy) return rp_fail_memory(err, strlen(line));
    t->remark[t->nremarks++] = copy;
    return RP_OK;
}

static size_t count_cells(const char *line)
{
    size_t n = 1;
    for (const char *p = strchr(line, '\t'); p; p = strchr(p + 1, '\t')) n++;
    return n;
}

/* cell [n] <- the cells of a copy of line. */
static rp_status split(rp_table *t, const char **cell, size_t n, const char *line, size_t len,
                       rp_error *err)
{
    char *copy = rp_arena_strndup(t->text, line, len);
    if (!copy) return rp_fail_memory(err, len);
    for (size_t i = 0; i < n; i++) {
        cell[i] = copy;
        char *tab = strchr(copy, '\t');
        if (!tab) break;
        *tab = '\0';
        copy = tab + 1;
    }
    return RP_OK;
}

static rp_status add_header(rp_table *t, const char *line, size_t len, size_t number, rp_error *err)
{
    t->ncolumns = count_cells(line);
    t->name = calloc(t->ncolumns, sizeof *t->name);
    if (!t->name) return rp_fail_memory(err, t->ncolumns * sizeof *t->name);
    rp_status s = split(t, t->name, t->ncolumns, line, len, err);
    for (size_t i = 0; !s && i < t->ncolumns; i++) {
        size_t *slot = NULL;
        bool fresh = false;
        if (!t->name[i][0]) {
            return rp_fail(err, RP_EFORMAT, "'%s' line %zu: column %zu has no name", t->path,
                           number, i + 1);
        }
        s = rp_map_put(t->columns, t->name[i], strlen(t->name[i]), &slot, &fresh, NULL, err);
        if (s) break;
        if (!fresh) {
            return rp_fail(err, RP_EFORMAT, "'%s' line %zu: column '%s' appears twice", t->path,
                           number, t->name[i]);
        }
        *slot = i;
    }
    return s;
}

static rp_status add_row(rp_table *t, const char *line, size_t len, size_t number, rp_error *err)
{
    size_t cells = count_cells(line);
    if (cells != t->ncolumns) {
        return rp_fail(err, RP_EFORMAT, "'%s' line %zu: %zu columns, the header has %zu", t->path,
                       number, cells, t->ncolumns);
    }
    size_t used = t->rows * t->ncolumns;
    rp_status s = rp_grow(&t->cell, &t->cell_cap, used + t->ncolumns, sizeof *t->cell, err);
    if (!s) s = rp_grow(&t->line, &t->line_cap, t->rows + 1, sizeof *t->line, err);
    if (!s) s = split(t, t->cell + used, t->ncolumns, line, len, err);
    if (s) return s;
    t->line[t->rows++] = number;
    return RP_OK;
}

static rp_status read_lines(rp_table *t, rp_lines *lines, rp_error *err)
{
    for (size_t blank = 0;;) {
        char *line;
        size_t len;
        rp_status s = rp_lines_next(lines, &line, &len, err);
        if (s || !line) return s;
        size_t number = rp_lines_number(lines);
        if (len == 0 && !blank) blank = number;
        if (len == 0) continue;
        if (blank) return rp_fail(err, RP_EFORMAT, "'%s' line %zu: blank line", t->path, blank);
        if (!t->name && line[0] == '#') {
            s = add_remark(t, line, err);
        } else if (!t->name) {
            s = add_header(t, line, len, number, err);
        } else {
            s = add_row(t, line, len, number, err);
        }
        if (s) return s;
    }
}

rp_status rp_table_read(rp_table **table, const char *path, rp_error *err)
{
    *table = NULL;
    rp_lines *lines = NULL;
    rp_table *t = calloc(1, sizeof *t);
    if (!t) return rp_fail_memory(err, sizeof *t);
    rp_status s = RP_OK;
    t->path = strdup(path);
    t->text = rp_arena_new();
    t->columns = rp_map_new();
    if (!t->path || !t->text || !t->columns) s = rp_fail_memory(err, sizeof *t);
    if (!s) s = rp_lines_open(&lines, path, err);
    if (!s) s = read_lines(t, lines, err);
    if (!s && !t->name) s = rp_fail(err, RP_EFORMAT, "'%s': is empty: no header line", path);
    rp_lines_free(lines);
    if (s) {
        rp_table_free(t);
        return s;
    }
    *table = t;
    return RP_OK;
}

void rp_table_free(rp_table *t)
{
    if (!t) return;
    free(t->path);
    rp_arena_free(t->text);
    rp_map_free(t->columns);
    free(t->name);
    free(t->cell);
    free(t->line);
    free(t->remark);
    free(t);
}

const char *rp_table_path(const rp_table *table)
{
    return table->path;
}

size_t rp_table_rows(const rp_table *table)
{
    return table->rows;
}

size_t rp_table_columns(const rp_table *table)
{
    return table->ncolumns;
}

const char *rp_table_name(const rp_table *table, size_t column)
{
    return table->name[column];
}

size_t rp_table_find(const rp_table *table, const char *name)
{
    return rp_map_get(table->columns, name, strlen(name));
}

rp_status rp_table_require(const rp_table *table, const char *name, size_t *column, rp_error *err)
{
    *column = rp_table_find(table, name);
    if (*column != SIZE_MAX) return RP_OK;
    return rp_fail(err, RP_EFORMAT, "'%s': no column '%s'", table->path, name);
}

const char *rp_table_cell(const rp_table *table, size_t row, size_t column)
{
    return table->cell[row * table->ncolumns + column];
}

size_t rp_table_line(const rp_table *table, size_t row)
{
    return table->line[row];
}

rp_status rp_table_number(const rp_table *table, size_t row, size_t column, double *value,
                          rp_error *err)
{
    const char *cell = rp_table_cell(table, row, column);
    if (rp_number_double(cell, value)) return RP_OK;
    return rp_fail(err, RP_EFORMAT, "'%s' line %zu: %s is not a number: '%.80s'", table->path,
                   table->line[row], table->name[column], cell);
}

const char *rp_table_comment(const rp_table *table, const char *key)
{
    size_t len = strlen(key);
    for (size_t i = 0; i < table->nremarks; i++) {
        const char *r = table->remark[i];
        if (strncmp(r, key, len) == 0 && r[len] == ':')
            return r + len + 1 + strspn(r + len + 1, " ");
    }
    return NULL;
}

/* ---- globs ---- */

bool rp_globs_next(const char **list, char *glob, size_t cap)
{
    while (**list) {
        const char *from = *list + strspn(*list, " ");
        size_t n = strcspn(from, ",");
        *list = from + n + (from[n] == ',');
        while (n && from[n - 1] == ' ') n--;
        if (n == 0) continue;
        if (n >= cap) n = cap - 1;
        memcpy(glob, from, n);
        glob[n] = '\0';
        return true;
    }
    return false;
}

bool rp_globs_match(const char *globs, const char *name)
{
    char glob[256];
    while (rp_globs_next(&globs, glob, sizeof glob)) {
        if (fnmatch(glob, name, 0) == 0) return true;
    }
    return false;
}

rp_status rp_globs_check(const char *globs, const char *const *names, size_t n, const char *what,
                         rp_error *err)
{
    char glob[256];
    size_t count = 0;
    for (; rp_globs_next(&globs, glob, sizeof glob); count++) {
        size_t i = 0;
        while (i < n && fnmatch(glob, names[i], 0) != 0) i++;
        if (i == n) return rp_fail(err, RP_EARG, "no %s matches '%s'", what, glob);
    }
    if (count == 0) return rp_fail(err, RP_EARG, "no %s was named", what);
    return RP_OK;
}
