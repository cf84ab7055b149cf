#include "store/repair.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "store/manifest.h"
#include "store/rowfile.h"

/* A file that store.json lists; false, and told: it is not as it was written. */
static bool holds(rp_store_file *file, const json_t *object, const char *path, const char *manifest,
                  const rp_host *host)
{
    rp_error why = {0};
    if (rp_json_size(object, "bytes", SIZE_MAX / 2, &file->bytes, manifest, &why) ||
        rp_json_checksum(object, "checksum", &file->checksum, manifest, &why) ||
        rp_store_file_verify(file, path, &why)) {
        rp_host_warn(host, "%s", why.text);
        return false;
    }
    return true;
}

/* The numbers of all rows, from a sound rows.tsv. */
static rp_status read_rows(rp_store_row *row, size_t rows, const char *path, rp_error *err)
{
    rp_arena *names = rp_arena_new();
    rp_store_row *found = NULL;
    size_t n = 0;
    rp_status status = names ? rp_rowfile_read(&found, &n, names, path, err)
                             : rp_fail_memory(err, rows * sizeof *row);
    if (!status && n != rows)
        status = rp_fail(err, RP_EFORMAT, "'%s' has %zu rows, not %zu", path, n, rows);
    for (size_t r = 0; !status && r < rows; r++) {
        found[r].qid = row[r].qid, found[r].docid = row[r].docid;
        row[r] = found[r];
    }
    free(found);
    rp_arena_free(names);
    return status;
}

static rp_status check_shards(bool *sound, rp_part *part, const char *dir, const rp_layout *layout,
                              const json_t *manifest, const char *manifest_path,
                              const rp_host *host, rp_error *err)
{
    const json_t *shards = json_object_get(manifest, "shards");
    char path[RP_STORE_PATH];
    rp_status status = RP_OK;
    for (size_t s = 0; s < layout->shards && !status; s++) {
        const json_t *files = json_object_get(json_array_get(shards, s), "files");
        part[s].done = true;
        for (size_t v = 0; v < layout->nviews && !status; v++) {
            status = rp_layout_path(path, dir, &layout->view[v], s, err);
            if (!status &&
                !holds(&part[s].file[v], json_array_get(files, v), path, manifest_path, host))
                part[s].done = *sound = false;
        }
        rp_loss_from_json(part[s].loss, layout->nviews, json_object_get(manifest, "loss"),
                          manifest_path);
        if (!status) status = rp_host_progress(host, "checking shards", s + 1, layout->shards, err);
    }
    return status;
}

rp_status rp_repair_begin(bool *sound, rp_part *part, rp_store_row *row, const char *dir,
                          const rp_layout *layout, const json_t *manifest, const rp_host *host,
                          rp_error *err)
{
    char complete[RP_STORE_PATH], unfinished[RP_STORE_PATH], rows[RP_STORE_PATH];
    char parts[RP_STORE_PATH];
    rp_store_file file;
    *sound = true;
    rp_status status = rp_path_join(complete, sizeof complete, dir, RP_STORE_MANIFEST, err);
    if (!status)
        status = rp_path_join(unfinished, sizeof unfinished, dir, RP_STORE_UNFINISHED, err);
    if (!status) status = rp_path_join(rows, sizeof rows, dir, RP_STORE_ROWS, err);
    if (!status) status = rp_path_join(parts, sizeof parts, dir, RP_STORE_PARTS, err);
    if (!status) status = check_shards(sound, part, dir, layout, manifest, complete, host, err);
    if (status) return status;
    bool known = holds(&file, json_object_get(manifest, "rows_file"), rows, complete, host);
    if (*sound && known) return RP_OK;
    *sound = false;
    if (known) status = read_rows(row, layout->rows, rows, err);
    if (!status) status = rp_path_make_dirs(parts, err);
    for (size_t s = 0; s < layout->shards && !status; s++) {
        part[s].done &= known;
        if (part[s].done)
            status = rp_part_save(&part[s], dir, layout, s, row + s * layout->shard_rows, err);
    }
    if (!status && rename(complete, unfinished) != 0) status = rp_fail_errno(err, complete);
    return status;
}
