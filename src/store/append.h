/*
 * Rows and views that a complete store gains. It becomes an unfinished one with more rows, or more
 * views, whose manifest remembers under "before" what is there: files of the old views in full
 * shards stay as they are. The last shard, unless it was full, is done again. The old rows.tsv is
 * kept aside until the store is finished, so that who goes on finds the old rows there.
 */
#ifndef RP_STORE_APPEND_H
#define RP_STORE_APPEND_H

#include "store/part.h"

#define RP_STORE_OLD_ROWS RP_STORE_PARTS "/rows.before.tsv"

typedef struct rp_store_before {
    size_t rows, nviews; /* 0: there is nothing that is added to, or repaired */
    rp_store_row *row;   /* [rows] */
    const char **view;   /* [nviews] names */
    rp_arena *names;
} rp_store_before;
/* What a store held before it is added to: one that is complete, or that is being added to. With
 * `grown` one that was added to earlier: complete, or being repaired. RP_EFORMAT when its rows.tsv
 * is not as it was written. */
rp_status rp_append_look(rp_store_before *before, const char *dir, bool grown, rp_error *err);
void rp_append_release(rp_store_before *before);

/* Does the manifest of a complete store lack rows or views of the layout? */
bool rp_append_adds(const json_t *there, const rp_layout *layout);
/* Is it one of a store that is being added to; that was added to? */
bool rp_append_began(const json_t *there);
bool rp_append_grown(const json_t *there);
/* rp_manifest_match, but for what additions may change. */
rp_status rp_append_match(const json_t *there, const json_t *wanted, const char *path,
                          rp_error *err);
/* The first rows are still those of the manifest: nobody has changed the store since it was looked
 * at. */
rp_status rp_append_same_rows(const json_t *there, const rp_store_row *row, size_t rows,
                              const char *path, rp_error *err);
/* *manifest <- `wanted` with what complete store `there` holds, and came from. */
rp_status rp_append_manifest(json_t **manifest, const json_t *there, const json_t *wanted,
                             rp_error *err);
/* Files of old views in full shards are compared with their checksums, and put into part [shards]:
 * `kept`, and `done` where these are all views. One that differs is an error where it is `strict`;
 * else it is told, and its shard is done again. */
rp_status rp_append_keep(rp_part *part, const char *dir, const rp_layout *layout,
                         const json_t *manifest, const char *path, bool strict, const rp_host *host,
                         rp_error *err);
/* The rows of the complete store are put aside. */
rp_status rp_append_save_rows(const char *dir, const json_t *manifest, const char *path,
                              rp_error *err);
/* The manifest of a finished store remembers nothing of it but "appended". */
void rp_append_done(json_t *manifest);

#endif
