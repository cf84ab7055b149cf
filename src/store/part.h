/*
 * A shard's part file: its checksums, losses and the numbers of its rows, kept while a store is
 * unfinished.
 * It carries a checksum of itself; one that does not agree counts as absent.
 */
#ifndef RP_STORE_PART_H
#define RP_STORE_PART_H

#include "store/layout.h"
#include "store/quant.h"

typedef struct rp_part {
    bool done;
    size_t kept;         /* files of so many views, the first ones, stay as they are */
    rp_store_file *file; /* [nviews] */
    rp_loss *loss;       /* [nviews] */
} rp_part;

rp_status rp_part_init(rp_part *part, size_t nviews, rp_error *err);
void rp_part_release(rp_part *part);
/* out <- DIR/partial/00017.json */
rp_status rp_part_path(char out[RP_STORE_PATH], const char *dir, size_t shard, rp_error *err);
/* row [rows of the shard]: its numbers; scores are ignored when the layout has none. */
rp_status rp_part_save(const rp_part *part, const char *dir, const rp_layout *layout, size_t shard,
                       const rp_store_row *row, rp_error *err);
/* part->done says whether the part file was there, sound, and of this layout; then the numbers of
 * row [rows of the shard] are those that were saved. The names are left alone. */
rp_status rp_part_load(rp_part *part, rp_store_row *row, const char *dir, const rp_layout *layout,
                       size_t shard, rp_error *err);

#endif
