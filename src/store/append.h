/*
 * Rows and views that a complete store gains. It becomes an unfinished one with more rows, or more
 * views, whose manifest remembers under "before" what is there: files of the old views in full
 * shards stay as they are. The last shard, unless it was full, is done again. rows.tsv stays until
 * the store is finished, so that who goes on finds the order of the rows there.
 */
#ifndef RP_STORE_APPEND_H
#define RP_STORE_APPEND_H

#include "store/part.h"

typedef struct rp_store_before {
    size_t rows, nviews; /* 0: there is nothing to add to */
    rp_store_row *row;   /* [rows] */
    const char **view;   /* [nviews] names */
    rp_arena *names;
} rp_store_before;
/* What a store holds already, complete or while it is added to. */
rp_status rp_append_look(rp_store_before *before, const char *dir, rp_error *err);
void rp_append_release(rp_store_before *before);

/* Does the manifest of a complete store lack rows or views of the layout? */
bool rp_append_adds(const json_t *there, const rp_layout *layout);
/* Is it one of a store that is being added to? */
bool rp_append_began(const json_t *there);
/* rp_manifest_match, but for what additions may change. */
rp_status rp_append_match(const json_t *there, const json_t *wanted, const char *path,
                          rp_error *err);
/* *manifest <- `wanted` with what complete store `there` holds, and came from. */
rp_status rp_append_manifest(json_t **manifest, const json_t *there, const json_t *wanted,
                             rp_error *err);
/* *shards, *views <- files of the first *views views of the first *shards shards are kept. They are
 * compared with their checksums, and put into part [shards]; with all views a part is done. */
rp_status rp_append_keep(size_t *shards, size_t *views, rp_part *part, const char *dir,
                         const rp_layout *layout, const json_t *manifest, const char *path,
                         const rp_host *host, rp_error *err);
/* The manifest of a finished store remembers nothing of it but "appended". */
void rp_append_done(json_t *manifest);

#endif
