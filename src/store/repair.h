/* A complete store of which something is altered or missing becomes an unfinished one again. */
#ifndef RP_STORE_REPAIR_H
#define RP_STORE_REPAIR_H

#include "store/part.h"

/* Compares every file with its checksum. *sound: all agree, and nothing was changed. Else the
 * shards that do agree are parts again (part [shards], and row [rows] their numbers), each file
 * that does not is told to the host, and store.json has become store.partial.json. Without a sound
 * rows.tsv no shard's numbers are known: all are done again. */
rp_status rp_repair_begin(bool *sound, rp_part *part, rp_store_row *row, const char *dir,
                          const rp_layout *layout, const json_t *manifest, const rp_host *host,
                          rp_error *err);

#endif
