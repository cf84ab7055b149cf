/*
 * store.json and store.partial.json: the same object, to which the shards are added at the end.
 */
#ifndef RP_STORE_MANIFEST_H
#define RP_STORE_MANIFEST_H

#include "store/layout.h"

/* {"format", "format_version", "version", "command", "settings"}; settings is copied. */
rp_status rp_manifest_new(json_t **manifest, const rp_layout *layout, const rp_store_row *row,
                          const json_t *settings, const char *command, rp_error *err);
/* Loads a manifest and checks its format and version. */
rp_status rp_manifest_load(json_t **manifest, const char *path, rp_error *err);
/* RP_EARG when the settings differ, with the name and both values of the first that does. */
rp_status rp_manifest_match(const json_t *there, const json_t *here, const char *path,
                            rp_error *err);

#endif
