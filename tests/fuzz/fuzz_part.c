/* A shard's part file of any bytes: it counts as done only when it is sound. */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/part.h"
#include "support/fuzz.h"

int rp_fuzz_one(const uint8_t *data, size_t n)
{
    const rp_store_view view = {"resid_post.all.mean", 3, 0, 1};
    const char *dir = rp_fuzz_dir_file("00000.json", data, n);
    char parts[RP_STORE_PATH], from[RP_STORE_PATH], to[RP_STORE_PATH];
    rp_store_row row[2];
    rp_layout layout;
    rp_part part;
    rp_error err;

    if (rp_path_join(parts, sizeof parts, dir, "partial", &err) != RP_OK) return 0;
    mkdir(parts, 0777);
    if (rp_path_join(from, sizeof from, dir, "00000.json", &err) != RP_OK) return 0;
    if (rp_part_path(to, dir, 0, &err) != RP_OK || rename(from, to) != 0) return 0;
    if (rp_layout_init(&layout, &view, 1, RP_F32, 2, 2, true, &err) != RP_OK) return 0;
    if (rp_part_init(&part, 1, &err) == RP_OK) rp_part_load(&part, row, dir, &layout, 0, &err);
    rp_part_release(&part);
    rp_layout_release(&layout);
    unlink(to);
    rmdir(parts);
    return 0;
}
