/*
 * Writing an activation store, shard by shard, so that it can be stopped at any moment.
 *
 * A shard is committed by its part file (partial/00017.json), which is written after the shard's
 * matrices and holds their checksums and the numbers of the rows. The store is committed by
 * store.json, which is written after rows.tsv; then the parts are deleted. Whoever opens the same
 * directory again with the same settings goes on after the committed shards, and ends with the same
 * bytes as if nothing had happened; other settings are refused with the name of the first that
 * differs. An unfinished store of an older format is refused, too; a complete one is left alone,
 * unless it is to be repaired. Several processes may write one store together (claim.h).
 */
#ifndef RP_STORE_WRITER_H
#define RP_STORE_WRITER_H

#include "store/layout.h"
#include "store/quant.h"

typedef struct rp_store_plan {
    const rp_store_view *views; /* [nviews] */
    size_t nviews;
    rp_dtype dtype;
    const rp_store_row *row; /* [rows] qid and docid, which must outlive the writer */
    size_t rows, shard_rows;
    bool score;          /* rows have scores */
    json_t *settings;    /* object: what else must be the same when a store is continued; members
                          * "path" at any depth may differ. Borrowed. */
    const char *command; /* recorded; that of the first start is kept. May be NULL */
    bool shared;         /* with other processes */
    bool repair;         /* what is altered or missing of a complete store is to be put again */
    bool append;         /* rows and views begin with those of a complete store, if there is one
                          * (rp_append_look); row has the numbers of the old ones, too */
    bool rehearse;       /* only look whether it could be opened: settings, other writers */
} rp_store_plan;

/* One shard's numbers: x[v] is [layers of view v, rows, width]. */
typedef struct rp_store_shard {
    const float *const *x;
    /* [rows] all but the names, which are the plan's; score is a float's value,
     * ignored without a head. */
    const rp_store_row *row;
} rp_store_shard;

typedef struct rp_store_writer rp_store_writer;
/* Makes the directory, or continues what is in it. RP_EARG: other settings (the text names the
 * first that differs), or a directory with other things in it; RP_EIO: another process writes it.
 */
rp_status rp_store_writer_open(rp_store_writer **writer, const char *dir, const rp_store_plan *plan,
                               const rp_host *host, rp_error *err);
void rp_store_writer_free(rp_store_writer *writer);
/* The directory holds a complete store made with these settings. */
bool rp_store_writer_complete(const rp_store_writer *writer);
const rp_layout *rp_store_writer_layout(const rp_store_writer *writer);
bool rp_store_writer_has(const rp_store_writer *writer, size_t shard);
/* *mine <- whether the shard is to be computed here: it is not there, and no other process computes
 * it. It is then claimed until it is put, or the writer freed. */
rp_status rp_store_writer_claim(rp_store_writer *writer, size_t shard, bool *mine, rp_error *err);
/* RP_ECOMPUTE names view, layer, unit, qid and docid of a value that is not finite or too large. */
rp_status rp_store_writer_put(rp_store_writer *writer, size_t shard, const rp_store_shard *data,
                              rp_error *err);
/* All shards are there: writes rows.tsv and store.json, deletes the parts. loss [nviews] (may be
 * NULL): the worst of all shards. Where several processes write it may be that others still compute
 * some, or have finished the store: then nothing is done, and rp_store_writer_complete tells which.
 */
rp_status rp_store_writer_finish(rp_store_writer *writer, rp_loss *loss, rp_error *err);

#endif
