/*
 * Files: mapped input, lines of plain, gzip or zstd text, and output that appears whole or not at
 * all (written to a temporary name beside the target, flushed, renamed).
 */
#ifndef RP_BASE_IO_H
#define RP_BASE_IO_H

#include <stdio.h>

#include "base/error.h"

typedef struct rp_mapping {
    const unsigned char *data; /* read-only pages; NULL for an empty file */
    size_t size;
} rp_mapping;
/* A pointer that Git LFS left in a file's place is refused (RP_EFORMAT), by rp_file_read, too. */
rp_status rp_mapping_open(rp_mapping *map, const char *path, rp_error *err);
void rp_mapping_release(rp_mapping *map);

bool rp_path_exists(const char *path);
bool rp_path_is_dir(const char *path);
bool rp_path_is_same(const char *a, const char *b); /* one regular file, perhaps by two names */
/* out <- dir "/" name; RP_EARG when it does not fit. */
rp_status rp_path_join(char *out, size_t cap, const char *dir, const char *name, rp_error *err);
rp_status rp_path_make_dirs(const char *path, rp_error *err); /* mkdir -p */
/* Whole file, NUL-terminated, at most `limit` bytes (RP_ENOMEM beyond); free(). */
rp_status rp_file_read(char **data, size_t *size, const char *path, size_t limit, rp_error *err);

/* Lines. CR LF is LF, a byte order mark is dropped, the last line needs no newline. */
typedef struct rp_lines rp_lines;
rp_status rp_lines_open(rp_lines **lines, const char *path, rp_error *err); /* "-" is stdin */
/* *line (NUL-terminated, writable, valid until the next call) or NULL at the end. A NUL byte in the
 * text and a line of more than 64 MiB are RP_EFORMAT. */
rp_status rp_lines_next(rp_lines *lines, char **line, size_t *len, rp_error *err);
size_t rp_lines_number(const rp_lines *lines); /* of the line last returned, from 1 */
const char *rp_lines_path(const rp_lines *lines);
void rp_lines_free(rp_lines *lines);

/* Output. file is NULL until opened; commit flushes, checks and renames; release drops the rest.
 * What is meant for stdout is kept in an unnamed temporary file until commit. */
typedef struct rp_out {
    FILE *file;
    char *path, *temporary; /* temporary is NULL for "-" (stdout), /dev/... and pipes */
} rp_out;
rp_status rp_out_open(rp_out *out, const char *path, rp_error *err);
/* RP_EARG when the output is the same file as an input, which it would replace; NULLs are skipped.
 */
rp_status rp_out_check(const char *output, const char *const *inputs, size_t n, rp_error *err);
/* RP_EARG when two outputs of a job have one name (NULL: no such output). */
rp_status rp_out_distinct(const char *output, const char *other, rp_error *err);
rp_status rp_out_commit(rp_out *out, rp_error *err);
void rp_out_release(rp_out *out); /* after commit: nothing; before: the temporary is deleted */

/* The `#` lines above every text table: version, command line, seed, inputs with checksums. */
typedef struct rp_provenance {
    const rp_host *host;
    uint64_t seed;
    bool has_seed;
    const char *const *inputs; /* [ninputs] paths; NULL entries are skipped */
    size_t ninputs;
} rp_provenance;
rp_status rp_provenance_write(FILE *file, const rp_provenance *p, rp_error *err);

/* XXH3-64 of a file's bytes (of a directory: of the names and bytes of its regular files, sorted).
 */
rp_status rp_checksum_path(uint64_t *sum, const char *path, rp_error *err);
uint64_t rp_checksum_bytes(const void *data, size_t n, uint64_t seed);

#endif
