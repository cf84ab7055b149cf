#include "store/writer.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/append.h"
#include "store/claim.h"
#include "store/manifest.h"
#include "store/part.h"
#include "store/repair.h"
#include "store/rowfile.h"
#include "store/shardfile.h"

struct rp_store_writer {
    char *dir;
    rp_claim claim;
    bool repair, append, rehearse;
    rp_layout layout;
    rp_store_row *row;  /* [rows] names of the plan, numbers of the shards that are there */
    json_t *manifest;   /* of the first start */
    rp_part *part;      /* [shards] */
    bool complete, all; /* all: every shard is there */
    const rp_host *host;
};

void rp_store_writer_free(rp_store_writer *w)
{
    if (!w) return;
    for (size_t s = 0; w->part && s < w->layout.shards; s++) rp_part_release(&w->part[s]);
    free(w->part);
    free(w->row);
    rp_claim_release(&w->claim);
    free(w->dir);
    json_decref(w->manifest);
    rp_layout_release(&w->layout);
    free(w);
}

bool rp_store_writer_complete(const rp_store_writer *w)
{
    return w->complete;
}

const rp_layout *rp_store_writer_layout(const rp_store_writer *w)
{
    return &w->layout;
}

bool rp_store_writer_has(const rp_store_writer *w, size_t shard)
{
    return w->complete || w->part[shard].done;
}

/* ---- the directory ---- */

/* What a killed writer may leave: the temporary names of rp_out. */
static bool is_temporary(const char *name)
{
    static const char *const own[] = {"store.json.*-*.tmp",  "store.partial.json.*-*.tmp",
                                      "rows.tsv.*-*.tmp",    "rows.before.tsv.*-*.tmp",
                                      "[0-9]*.json.*-*.tmp", "[0-9]*.safetensors.*-*.tmp"};

    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (fnmatch(own[i], name, 0) == 0) return true;
    return false;
}

/* Deletes left-over temporaries; where several write they may be another's at work, until every
 * shard is there. *others counts what else is there. */
static rp_status sweep(const rp_store_writer *w, const char *path, bool clean, size_t *others,
                       rp_error *err)
{
    DIR *d = opendir(path);
    rp_status status = RP_OK;

    *others = 0;
    if (!d) return errno == ENOENT ? RP_OK : rp_fail_errno(err, path);
    for (struct dirent *e; status == RP_OK && (e = readdir(d)) != NULL;) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        if (strcmp(e->d_name, RP_STORE_LOCK) == 0) continue;
        if (!is_temporary(e->d_name))
            ++*others;
        else if (clean && (!w->claim.shared || w->all) && unlinkat(dirfd(d), e->d_name, 0) != 0 &&
                 errno != ENOENT)
            status = rp_fail_errno(err, path);
    }
    closedir(d);
    return status;
}

static rp_status sweep_views(const rp_store_writer *w, rp_error *err)
{
    char path[RP_STORE_PATH];
    size_t others;
    rp_status status = rp_path_join(path, sizeof path, w->dir, RP_STORE_PARTS, err);

    if (status == RP_OK) status = sweep(w, path, true, &others, err);
    for (size_t v = 0; status == RP_OK && v < w->layout.nviews; v++) {
        status = rp_path_join(path, sizeof path, w->dir, w->layout.view[v].name, err);
        if (status == RP_OK) status = sweep(w, path, true, &others, err);
    }
    return status;
}

static rp_status make_directories(const rp_store_writer *w, rp_error *err)
{
    char path[RP_STORE_PATH];
    rp_status status = rp_path_join(path, sizeof path, w->dir, RP_STORE_PARTS, err);

    if (status == RP_OK) status = rp_path_make_dirs(path, err);
    for (size_t v = 0; status == RP_OK && v < w->layout.nviews; v++) {
        status = rp_path_join(path, sizeof path, w->dir, w->layout.view[v].name, err);
        if (status == RP_OK) status = rp_path_make_dirs(path, err);
    }
    return status;
}

/* Of shards that were claimed by processes that died. */
static rp_status delete_locks(const rp_store_writer *w, rp_error *err)
{
    char path[RP_STORE_PATH];
    rp_status status = rp_path_join(path, sizeof path, w->dir, RP_STORE_PARTS, err);
    DIR *d = status ? NULL : opendir(path);

    for (struct dirent *e; d && (e = readdir(d)) != NULL;)
        if (fnmatch("[0-9]*.lock", e->d_name, 0) == 0) unlinkat(dirfd(d), e->d_name, 0);
    if (d) closedir(d);
    if (status == RP_OK && w->claim.shared) {
        status = rp_path_join(path, sizeof path, w->dir, RP_STORE_LOCK, err);
        if (status == RP_OK) unlink(path);
    }
    return status;
}

/* The parts and the unfinished manifest go; also what a kill after store.json has left of them. */
static rp_status delete_parts(const rp_store_writer *w, rp_error *err)
{
    char path[RP_STORE_PATH];
    rp_status status = RP_OK;

    for (size_t s = 0; status == RP_OK && s < w->layout.shards; s++) {
        status = rp_part_path(path, w->dir, s, err);
        if (status == RP_OK && unlink(path) != 0 && errno != ENOENT)
            status = rp_fail_errno(err, path);
    }
    if (status == RP_OK) status = rp_path_join(path, sizeof path, w->dir, RP_STORE_OLD_ROWS, err);
    if (status == RP_OK && unlink(path) != 0 && errno != ENOENT && errno != ENOTDIR)
        status = rp_fail_errno(err, path);
    if (status == RP_OK) status = delete_locks(w, err);
    if (status == RP_OK) status = rp_path_join(path, sizeof path, w->dir, RP_STORE_PARTS, err);
    if (status == RP_OK && rmdir(path) != 0 && errno != ENOENT && errno != ENOTEMPTY)
        status = rp_fail_errno(err, path);
    if (status == RP_OK) status = rp_path_join(path, sizeof path, w->dir, RP_STORE_UNFINISHED, err);
    if (status == RP_OK && unlink(path) != 0 && errno != ENOENT) status = rp_fail_errno(err, path);
    return status;
}

/* ---- opening ---- */

static rp_status match(const rp_store_writer *w, const char *path, bool complete,
                       const json_t *wanted, rp_error *err)
{
    bool began = rp_append_began(w->manifest), grown = rp_append_grown(w->manifest);

    if (began && !w->append)
        return rp_fail(err, RP_EARG, "'%s' is being added to: go on with --append", w->dir);
    if (grown && !w->append && !w->repair)
        return rp_fail(err, RP_EARG, "'%s' was added to since: give --append, or --repair", w->dir);
    if (w->append ? !began && !complete : !w->repair || !grown)
        return rp_manifest_match(w->manifest, wanted, path, err);
    rp_status status = rp_append_match(w->manifest, wanted, path, err);
    if (status == RP_OK && !began)
        status = rp_append_same_rows(w->manifest, w->row, w->layout.rows, path, err);
    return status;
}

/* The parts of an older format lack numbers that rows.tsv now has. */
static rp_status check_format(const json_t *manifest, const char *path, rp_error *err)
{
    size_t version = 0;
    rp_status status = rp_json_size(manifest, "format_version", SIZE_MAX / 2, &version, path, err);

    if (status == RP_OK && version != RP_STORE_FORMAT_VERSION)
        status = rp_fail(err, RP_EARG,
                         "'%s' was begun by an older program in format %zu, which cannot be "
                         "continued in format %d: delete the store, or finish it with that program",
                         path, version, RP_STORE_FORMAT_VERSION);
    return status;
}

/* A complete store is checked as a reader checks it. */
static rp_status adopt_complete(rp_store_writer *w, const rp_host *host, rp_error *err)
{
    rp_store *store = NULL;
    bool sound = true;
    rp_status status;

    w->all = true;
    status = sweep_views(w, err);
    if (status == RP_OK && w->repair) status = check_format(w->manifest, RP_STORE_MANIFEST, err);
    if (status == RP_OK && w->repair)
        status =
            rp_repair_begin(&sound, w->part, w->row, w->dir, &w->layout, w->manifest, host, err);
    w->all = sound;
    if (status != RP_OK || !sound) return status;
    status = delete_parts(w, err);
    if (status == RP_OK) status = rp_store_open(&store, w->dir, err);
    rp_store_free(store);
    w->complete = true;
    return status;
}

static rp_status adopt_parts(rp_store_writer *w, const rp_host *host, rp_error *err)
{
    char path[RP_STORE_PATH];
    rp_status status = sweep_views(w, err);

    for (size_t s = 0; status == RP_OK && s < w->layout.shards; s++) {
        size_t first = s * w->layout.shard_rows;
        rp_part *part = &w->part[s];
        if (part->done) continue; /* kept as it is */
        status = rp_part_load(part, w->row + first, w->dir, &w->layout, s, err);
        for (size_t v = 0; status == RP_OK && part->done && v < w->layout.nviews; v++) {
            rp_error why;
            status = rp_layout_path(path, w->dir, &w->layout.view[v], s, err);
            if (status != RP_OK || rp_store_file_verify(&part->file[v], path, &why) == RP_OK)
                continue;
            rp_host_warn(host, "%s; shard %zu is computed again", why.text, s);
            part->done = false;
        }
    }
    return status;
}

static rp_status adopt_unfinished(rp_store_writer *w, const char *path, const rp_host *host,
                                  rp_error *err)
{
    rp_status status = check_format(w->manifest, path, err);

    if (status == RP_OK && rp_append_began(w->manifest))
        status = rp_append_keep(w->part, w->dir, &w->layout, w->manifest, path, false, host, err);
    if (status == RP_OK) status = make_directories(w, err);
    return status == RP_OK ? adopt_parts(w, host, err) : status;
}

/* The complete store becomes an unfinished one. */
static rp_status begin_append(rp_store_writer *w, const char *complete, const char *unfinished,
                              const json_t *wanted, const rp_host *host, rp_error *err)
{
    json_t *there = w->manifest;
    rp_status status = check_format(there, complete, err);

    if (status != RP_OK) return status;
    status = rp_append_manifest(&w->manifest, there, wanted, err);
    if (status != RP_OK) return status;
    status = rp_append_keep(w->part, w->dir, &w->layout, w->manifest, complete, true, host, err);
    if (status == RP_OK) status = make_directories(w, err);
    if (status == RP_OK) status = rp_append_save_rows(w->dir, there, complete, err);
    json_decref(there);
    if (status == RP_OK) status = rp_json_save(w->manifest, unfinished, JSON_INDENT(1), err);
    if (status == RP_OK && unlink(complete) != 0) status = rp_fail_errno(err, complete);
    return status == RP_OK ? sweep_views(w, err) : status;
}

static rp_status adopt(rp_store_writer *w, json_t *wanted, const rp_host *host, rp_error *err)
{
    char complete[RP_STORE_PATH], unfinished[RP_STORE_PATH];
    size_t others;
    rp_status status = rp_path_join(complete, sizeof complete, w->dir, RP_STORE_MANIFEST, err);

    if (status == RP_OK)
        status = rp_path_join(unfinished, sizeof unfinished, w->dir, RP_STORE_UNFINISHED, err);
    if (status == RP_OK) status = sweep(w, w->dir, true, &others, err);
    if (status != RP_OK) return status;
    bool there = rp_path_exists(complete);
    if (there || rp_path_exists(unfinished)) {
        const char *path = there ? complete : unfinished;
        status = rp_manifest_load(&w->manifest, path, err);
        if (status == RP_OK) status = match(w, path, there, wanted, err);
        if (status != RP_OK || w->rehearse) return status;
        if (!there) return adopt_unfinished(w, path, host, err);
        if (w->append && rp_append_adds(w->manifest, &w->layout))
            return begin_append(w, complete, unfinished, wanted, host, err);
        return adopt_complete(w, host, err);
    }
    w->manifest = json_incref(wanted);
    status = rp_json_save(wanted, unfinished, JSON_INDENT(1), err);
    return status == RP_OK ? make_directories(w, err) : status;
}

/* In a directory of other things nothing is deleted, and no lock written. Who begins a store begins
 * with a manifest; it is looked for twice, since another may be turning the one into the other. */
static rp_status refuse_foreign(const rp_store_writer *w, rp_error *err)
{
    char complete[RP_STORE_PATH], unfinished[RP_STORE_PATH];
    size_t others = 0;
    rp_status status = rp_path_join(complete, sizeof complete, w->dir, RP_STORE_MANIFEST, err);

    if (status == RP_OK)
        status = rp_path_join(unfinished, sizeof unfinished, w->dir, RP_STORE_UNFINISHED, err);
    if (status == RP_OK && rp_path_is_dir(w->dir)) status = sweep(w, w->dir, false, &others, err);
    if (status != RP_OK || !others || rp_path_exists(complete) || rp_path_exists(unfinished) ||
        rp_path_exists(complete))
        return status;
    return rp_fail(err, RP_EARG, "'%s' is not empty and holds no activation store", w->dir);
}

static rp_status writer_init(rp_store_writer *w, const char *dir, const rp_store_plan *plan,
                             rp_error *err)
{
    rp_status status;

    w->dir = strdup(dir);
    if (!w->dir) return rp_fail_memory(err, strlen(dir));
    status = rp_layout_init(&w->layout, plan->views, plan->nviews, plan->dtype, plan->rows,
                            plan->shard_rows, plan->score, err);
    if (status != RP_OK) return status;
    w->part = rp_alloc(w->layout.shards, sizeof *w->part);
    w->row = rp_alloc(plan->rows, sizeof *w->row);
    if (!w->part || !w->row) return rp_fail_memory(err, plan->rows * sizeof *w->row);
    memcpy(w->row, plan->row, plan->rows * sizeof *w->row);
    for (size_t s = 0; status == RP_OK && s < w->layout.shards; s++)
        status = rp_part_init(&w->part[s], plan->nviews, err);
    return status == RP_OK ? refuse_foreign(w, err) : status;
}

rp_status rp_store_writer_open(rp_store_writer **writer, const char *dir, const rp_store_plan *plan,
                               const rp_host *host, rp_error *err)
{
    rp_store_writer *w = rp_alloc(1, sizeof *w);
    json_t *wanted = NULL;
    rp_status status;

    *writer = NULL;
    if (!w) return rp_fail_memory(err, sizeof *w);
    w->claim = (rp_claim){NULL, -1, -1, -1, false};
    w->repair = plan->repair;
    w->append = plan->append;
    w->rehearse = plan->rehearse;
    w->host = host;
    status = writer_init(w, dir, plan, err);
    if (status == RP_OK)
        status =
            rp_manifest_new(&wanted, &w->layout, plan->row, plan->settings, plan->command, err);
    if (status == RP_OK) status = rp_claim_open(&w->claim, w->dir, plan->shared, err);
    if (status == RP_OK) status = rp_claim_enter(&w->claim, w->host, err);
    if (status == RP_OK) status = adopt(w, wanted, host, err);
    rp_claim_leave(&w->claim);
    json_decref(wanted);
    if (status == RP_OK)
        *writer = w;
    else
        rp_store_writer_free(w);
    return status;
}

/* ---- shards ---- */

/* *complete, and whether the store is still the one that this process works on: another job may
 * have gone on from where this one's partners ended it. */
static rp_status look(const rp_store_writer *w, bool *complete, rp_error *err)
{
    char path[RP_STORE_PATH];
    json_t *there = NULL;
    rp_error why = {0};
    rp_status status = rp_path_join(path, sizeof path, w->dir, RP_STORE_MANIFEST, err);

    *complete = status == RP_OK && rp_path_exists(path);
    if (status == RP_OK && !*complete)
        status = rp_path_join(path, sizeof path, w->dir, RP_STORE_UNFINISHED, err);
    if (status == RP_OK) status = rp_manifest_load(&there, path, err);
    if (status == RP_OK && rp_manifest_match(there, w->manifest, path, &why) != RP_OK)
        status = rp_fail(err, RP_EIO, "'%s' was changed by another job meanwhile", w->dir);
    json_decref(there);
    return status;
}

/* What another process may have done since this one looked: put the shard, or finished the store.
 */
static rp_status look_again(rp_store_writer *w, size_t shard, bool *there, rp_error *err)
{
    rp_status status = look(w, &w->complete, err);

    if (status == RP_OK && !w->complete)
        status = rp_part_load(&w->part[shard], w->row + shard * w->layout.shard_rows, w->dir,
                              &w->layout, shard, err);
    *there = rp_store_writer_has(w, shard);
    return status;
}

rp_status rp_store_writer_claim(rp_store_writer *w, size_t shard, bool *mine, rp_error *err)
{
    bool there = false;
    rp_status status;

    *mine = false;
    if (rp_store_writer_has(w, shard)) return RP_OK;
    status = rp_claim_enter(&w->claim, w->host, err);
    if (status == RP_OK && w->claim.shared) status = look_again(w, shard, &there, err);
    if (status == RP_OK && !there) status = rp_claim_shard(&w->claim, shard, mine, err);
    /* Once more: its lock is let go after the part is there, and may have been until just now. */
    if (status == RP_OK && *mine && w->claim.shared) status = look_again(w, shard, &there, err);
    if (*mine && there) rp_claim_let_go(&w->claim, shard);
    *mine &= !there;
    rp_claim_leave(&w->claim);
    return status;
}

rp_status rp_store_writer_put(rp_store_writer *w, size_t shard, const rp_store_shard *data,
                              rp_error *err)
{
    size_t first = shard * w->layout.shard_rows, rows = rp_layout_shard_rows(&w->layout, shard);
    rp_part *part = &w->part[shard];
    char path[RP_STORE_PATH];
    rp_status status = RP_OK;

    for (size_t v = 0; status == RP_OK && v < w->layout.nviews; v++) {
        if (v < part->kept) continue;
        status = rp_layout_path(path, w->dir, &w->layout.view[v], shard, err);
        if (status == RP_OK)
            status = rp_shardfile_write(path, &part->loss[v], data->x[v], &w->layout.view[v], first,
                                        rows, w->row + first, w->layout.dtype, err);
        if (status == RP_OK) status = rp_store_file_measure(&part->file[v], path, err);
    }
    if (status == RP_OK) status = rp_part_save(part, w->dir, &w->layout, shard, data->row, err);
    if (status != RP_OK) return status;
    for (size_t r = 0; r < rows; r++) {
        rp_store_row *row = &w->row[first + r], named = *row;
        *row = data->row[r];
        row->qid = named.qid;
        row->docid = named.docid;
    }
    part->done = true;
    rp_claim_let_go(&w->claim, shard);
    return RP_OK;
}

/* ---- finishing ---- */

static rp_status finish(rp_store_writer *w, rp_loss *loss, rp_error *err)
{
    const char *command = json_string_value(json_object_get(w->manifest, "command"));
    char path[RP_STORE_PATH];
    size_t others;
    rp_loss *worst = rp_alloc(w->layout.nviews, sizeof *worst);
    rp_status status = rp_path_join(path, sizeof path, w->dir, RP_STORE_ROWS, err);

    if (status == RP_OK && !worst) status = rp_fail_memory(err, w->layout.nviews * sizeof *worst);
    for (size_t s = 0; status == RP_OK && s < w->layout.shards; s++) {
        if (!w->part[s].done)
            status = rp_fail(err, RP_EARG, "shard %zu of '%s' is not there yet", s, w->dir);
        for (size_t v = 0; v < w->layout.nviews; v++)
            if (w->part[s].loss[v].error > worst[v].error) worst[v] = w->part[s].loss[v];
    }
    w->all = status == RP_OK;
    rp_append_done(w->manifest);
    if (status == RP_OK && w->claim.shared) status = sweep(w, w->dir, true, &others, err);
    if (status == RP_OK && w->claim.shared) status = sweep_views(w, err);
    if (status == RP_OK)
        status = rp_rowfile_write(path, w->row, w->layout.rows, w->layout.score, command, err);
    if (status == RP_OK)
        status = rp_manifest_finish(w->manifest, w->dir, &w->layout, w->part, worst, err);
    if (status == RP_OK) status = delete_parts(w, err);
    if (status == RP_OK) w->complete = true;
    if (status == RP_OK && loss) memcpy(loss, worst, w->layout.nviews * sizeof *worst);
    free(worst);
    return status;
}

/* What other processes have put; *all: every shard is there. */
static rp_status refresh(rp_store_writer *w, bool *all, rp_error *err)
{
    rp_status status = look(w, &w->complete, err);

    *all = false;
    if (status != RP_OK || w->complete) return status;
    *all = true;
    for (size_t s = 0; status == RP_OK && s < w->layout.shards; s++) {
        size_t first = s * w->layout.shard_rows;
        if (!w->part[s].done)
            status = rp_part_load(&w->part[s], w->row + first, w->dir, &w->layout, s, err);
        *all &= w->part[s].done;
    }
    return status;
}

rp_status rp_store_writer_finish(rp_store_writer *w, rp_loss *loss, rp_error *err)
{
    bool all = true;
    rp_status status = rp_claim_enter(&w->claim, w->host, err);

    if (status == RP_OK && w->claim.shared) status = refresh(w, &all, err);
    if (status == RP_OK && all) status = finish(w, loss, err);
    rp_claim_leave(&w->claim);
    return status;
}
