/*
 * store.json and store.partial.json: the same object, to which the shards are added at the end.
 */
#ifndef RP_STORE_MANIFEST_H
#define RP_STORE_MANIFEST_H

#include "store/part.h"

/* XXH3-64 over "qid NUL docid NUL" of every row. */
rp_status rp_manifest_pairs(uint64_t *sum, const rp_store_row *row, size_t rows, rp_error *err);
/* {"format", "format_version", "version", "command", "settings"}; settings is copied. */
rp_status rp_manifest_new(json_t **manifest, const rp_layout *layout, const rp_store_row *row,
                          const json_t *settings, const char *command, rp_error *err);
/* Loads a manifest and checks its format and version. */
rp_status rp_manifest_load(json_t **manifest, const char *path, rp_error *err);
/* RP_EARG when the settings differ, with the name and both values of the first that does. */
rp_status rp_manifest_match(const json_t *there, const json_t *here, const char *path,
                            rp_error *err);
/* Adds rows_file, loss [nviews] and shards, the files of all parts, and writes store.json. */
rp_status rp_manifest_finish(json_t *manifest, const char *dir, const rp_layout *layout,
                             const rp_part *part, const rp_loss *loss, rp_error *err);
/* loss [nviews] <- that list. Those of single shards are gone: each has the worst of all, which is
 * what is told at the end. */
void rp_loss_from_json(rp_loss *loss, size_t nviews, const json_t *list, const char *path);

#endif
