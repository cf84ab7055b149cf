/*
 * One text file being read row by row, for the readers of this module: finding it in a BEIR
 * directory, looking at its first row without taking it, refusing blank rows in the middle.
 */
#ifndef RP_DATA_SOURCE_H
#define RP_DATA_SOURCE_H

#include <jansson.h>

#include "base/io.h"

typedef struct rp_source {
    rp_lines *lines;
    char *path;
    char *held; /* the row that was looked at and not yet taken, NULL: none */
    size_t held_len;
} rp_source;

/* Zero *src first; release accepts that. */
rp_status rp_source_open(rp_source *src, const char *path, rp_error *err);
void rp_source_release(rp_source *src);
/* *line (writable, NUL-terminated) or NULL at the end. Blank rows at the end are dropped. */
rp_status rp_source_next(rp_source *src, char **line, size_t *len, rp_error *err);
/* The same, and the next call gives it again. An empty file is RP_EFORMAT. */
rp_status rp_source_peek(rp_source *src, char **line, size_t *len, rp_error *err);
/* RP_EFORMAT: "'path' line N: ..." */
rp_status rp_source_fail(const rp_source *src, rp_error *err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* RP_EARG unless format is NULL, "auto" or one of the n names; *which <- its index, n for auto. */
rp_status rp_source_format(size_t *which, const char *format, const char *const *names, size_t n,
                           const char *what, rp_error *err);

/* The JSON object of a row; json_decref. */
rp_status rp_source_json(const rp_source *src, json_t **object, const char *line, size_t len,
                         rp_error *err);
/* A member that is a string; *text is NULL when it is absent or null. */
rp_status rp_source_string(const rp_source *src, const char **text, size_t *len,
                           const json_t *object, const char *key, rp_error *err);
/* An identifier, which some files write as a number: into id (cap bytes). */
rp_status rp_source_id(const rp_source *src, char *id, size_t cap, const json_t *object,
                       const char *key, rp_error *err);
/* Identifiers go into TREC files: RP_EFORMAT when one is empty or holds a blank. */
rp_status rp_source_check_id(const rp_source *src, const char *id, const char *what, rp_error *err);

/* Splits line in place at tabs, or at runs of blanks; returns how many fields there are (at most
 * cap are stored). */
size_t rp_fields_tab(char *line, char **field, size_t cap);
size_t rp_fields_blank(char *line, char **field, size_t cap);
/* The same count, the line untouched. */
size_t rp_fields_count(const char *line);

/* out <- the file that `path` means: itself, or in a directory the first that exists of the NULL
 * terminated names (each also with .gz and .zst), or else the only *.tsv when `only_tsv`. */
rp_status rp_source_resolve(char *out, size_t cap, const char *path, const char *const *names,
                            bool only_tsv, rp_error *err);

#endif
