/* rows.tsv: the pairs of a store in the order of its rows, with their numbers. */
#ifndef RP_STORE_ROWFILE_H
#define RP_STORE_ROWFILE_H

#include "store/layout.h"

/* command (may be NULL) goes into the first line; whole or not at all. */
rp_status rp_rowfile_write(const char *path, const rp_store_row *row, size_t rows, bool score,
                           const char *command, rp_error *err);
/* *row [*rows], to be freed; the names are in the arena. What files of format 1 lack is 0, or NaN
 * for token_control. RP_EFORMAT names file, line and value. */
rp_status rp_rowfile_read(rp_store_row **row, size_t *rows, rp_arena *names, const char *path,
                          rp_error *err);

#endif
