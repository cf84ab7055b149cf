#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/comm.h"
#include "run/listing.h"
#include "store/writer.h"

/* Everything a capture holds while it runs. */
typedef struct capture {
    const rp_capture_options *options;
    const rp_host *host;
    rp_workload work;
    rp_listing list;
    rp_store_writer *writer;
    rp_session *session;
    float **x;                 /* [nviews] [layers, shard rows, width] */
    float *scores;             /* [shard rows], NULL without a head */
    size_t process, processes; /* which of those that write the store */
} capture;

void rp_capture_options_init(rp_capture_options *o)
{
    static const char *const views[] = {"resid_post.all.mean"};

    *o = (rp_capture_options){.views = views,
                              .nviews = 1,
                              .dtype = "f32",
                              .shard_rows = 1024,
                              .memory = (size_t)2 << 30,
                              .compute = "f32"};
    rp_inputs_init(&o->in);
    rp_template_options_init(&o->template_);
}

static void capture_release(capture *c)
{
    for (size_t v = 0; c->x && v < c->list.nviews; v++) free(c->x[v]);
    free(c->x);
    free(c->scores);
    rp_session_free(c->session);
    rp_store_writer_free(c->writer);
    rp_listing_release(&c->list);
    rp_workload_release(&c->work);
}

static rp_status open_writer(capture *c, bool only_look, rp_error *err)
{
    const rp_capture_options *o = c->options;
    rp_store_plan plan = {.views = c->list.shape,
                          .nviews = c->list.nviews,
                          .row = c->list.row,
                          .rows = c->list.rows,
                          .shard_rows = o->shard_rows,
                          .score = !o->no_score,
                          .shared = c->processes > 1,
                          .repair = o->repair,
                          .append = o->append,
                          .rehearse = only_look,
                          .command = c->host ? c->host->command : NULL};
    rp_status status = rp_store_dtype_find(&plan.dtype, o->dtype, err);

    if (status == RP_OK) status = rp_workload_to_json(&plan.settings, &c->work, &o->in, err);
    /* Other numbers; stores of f32 are as they were before there was a choice. */
    if (status == RP_OK && o->compute && strcmp(o->compute, "f32") != 0 &&
        json_object_set_new(plan.settings, "compute", json_string(o->compute)) != 0)
        status = rp_fail_memory(err, sizeof plan);
    if (status == RP_OK) status = rp_store_writer_open(&c->writer, o->store, &plan, c->host, err);
    json_decref(plan.settings);
    return status;
}

/* row: bytes of pooled activations of one pair. */
static rp_status refuse_shard(size_t row, size_t rows, size_t memory, rp_error *err)
{
    size_t fit = memory / 2 / row, total;
    bool large = __builtin_mul_overflow(row, rows, &total) || total >= (size_t)10 << 20;
    char instead[64] = "";

    if (fit > 0) snprintf(instead, sizeof instead, ", or at most %zu rows a shard", fit);
    return rp_fail(err, RP_EARG,
                   "a shard of %zu rows holds %zu %s of pooled activations, more than half of the "
                   "memory of %zu %s: allow more%s",
                   rows, large ? (size_t)((double)row * (double)rows / 0x1p20) : total,
                   large ? "MiB" : "bytes", large ? memory >> 20 : memory, large ? "MiB" : "bytes",
                   instead);
}

/* The buffers of one shard, and with what they leave of the memory the session. */
static rp_status make_room(capture *c, rp_error *err)
{
    const rp_capture_options *o = c->options;
    const rp_listing *l = &c->list;
    size_t bytes = 0, row = 0, rows = o->shard_rows < l->rows ? o->shard_rows : l->rows;
    rp_session_options session = {
        .threads = o->threads, .compute = o->compute, .no_share = o->no_share};

    if (c->x) return RP_OK;
    for (size_t v = 0; v < l->nviews; v++)
        row += rp_layout_layers(&l->shape[v]) * l->shape[v].width * sizeof(float);
    if (__builtin_mul_overflow(row, rows, &bytes) || bytes > o->memory / 2)
        return refuse_shard(row, rows, o->memory, err);
    session.memory = o->memory - bytes;
    c->x = rp_alloc(l->nviews, sizeof *c->x);
    if (!o->no_score) c->scores = rp_alloc(rows, sizeof *c->scores);
    if (!c->x || (!o->no_score && !c->scores)) return rp_fail_memory(err, rows * sizeof *c->scores);
    for (size_t v = 0; v < l->nviews; v++) {
        size_t floats = rp_layout_layers(&l->shape[v]) * l->shape[v].width * rows;
        c->x[v] = rp_alloc(floats, sizeof **c->x);
        if (!c->x[v]) return rp_fail_memory(err, floats * sizeof **c->x);
    }
    return rp_session_new(&c->session, c->work.model, &session, err);
}

static rp_status encode(const capture *c, rp_sequences *sequences, size_t first, size_t rows,
                        rp_error *err)
{
    unsigned wanted = RP_SET_ALL;

    for (size_t v = 0; v < c->list.nviews; v++) wanted |= c->list.view[v].set;
    return rp_sequences_encode(sequences, c->work.template_, rp_model_about(c->work.model),
                               c->list.pair + first, rows, wanted, c->options->threads, err);
}

static void keep_tokens(capture *c, const rp_sequences *sequences, size_t first)
{
    for (size_t r = 0; r < sequences->n; r++) {
        rp_store_row *row = &c->list.row[first + r];
        rp_sequence_about about = rp_sequences_about(sequences, r);
        row->tokens = about.tokens;
        row->query_tokens = about.query;
        row->document_tokens = about.document;
        row->token_control = about.control;
    }
}

static rp_status keep_scores(capture *c, size_t first, size_t rows, rp_error *err)
{
    for (size_t r = 0; c->scores && r < rows; r++) {
        rp_store_row *row = &c->list.row[first + r];
        row->score = (double)c->scores[r];
        if (!(row->score - row->score == 0))
            return rp_fail(err, RP_ECOMPUTE, "query '%s' document '%s': the score is %g", row->qid,
                           row->docid, row->score);
    }
    return RP_OK;
}

static rp_status capture_shard(capture *c, rp_drive *drive, size_t shard, rp_error *err)
{
    const rp_layout *layout = rp_store_writer_layout(c->writer);
    size_t first = shard * layout->shard_rows, rows = rp_layout_shard_rows(layout, shard);
    rp_store_shard data = {(const float *const *)c->x, c->list.row + first};
    rp_sequences sequences;
    rp_pool pool = {c->list.view, c->list.nviews, rows, 0, &sequences, c->x};
    rp_observer observer;
    rp_status status = encode(c, &sequences, first, rows, err);

    if (status != RP_OK) return status;
    keep_tokens(c, &sequences, first);
    observer = rp_pool_observer(&pool);
    status = rp_drive_forward(drive, &sequences, &observer, &pool.first, c->scores, err);
    if (status == RP_OK) status = keep_scores(c, first, rows, err);
    if (status == RP_OK) status = rp_store_writer_put(c->writer, shard, &data, err);
    rp_sequences_release(&sequences);
    return status;
}

/* First every processes-th shard, then what others have left: a process that died, or is slow. */
static rp_status take_shards(capture *c, rp_drive *drive, rp_error *err)
{
    size_t shards = rp_store_writer_layout(c->writer)->shards;
    rp_status status = RP_OK;

    for (int own = 1; own >= 0; own--)
        for (size_t s = 0; status == RP_OK && s < shards; s++) {
            bool mine;
            if ((s % c->processes == c->process) != own) continue;
            status = rp_store_writer_claim(c->writer, s, &mine, err);
            if (status == RP_OK && mine) status = capture_shard(c, drive, s, err);
        }
    return status;
}

static rp_status capture_shards(capture *c, rp_error *err)
{
    const rp_layout *layout = rp_store_writer_layout(c->writer);
    rp_drive drive = {.what = "capturing pairs", .total = layout->rows, .host = c->host};
    rp_status status = RP_OK;

    for (size_t s = 0; status == RP_OK && s < layout->shards; s++) {
        size_t rows = rp_layout_shard_rows(layout, s);
        if (rp_store_writer_has(c->writer, s))
            drive.done += rows;
        else
            status = rp_listing_require(&c->list, s * layout->shard_rows, rows, c->options, err);
    }
    if (status != RP_OK || drive.done == layout->rows) return status;
    status = make_room(c, err);
    drive.session = c->session;
    if (status == RP_OK)
        status = rp_host_progress(c->host, drive.what, drive.done, drive.total, err);
    return status == RP_OK ? take_shards(c, &drive, err) : status;
}

static rp_status finish(capture *c, rp_error *err)
{
    rp_loss *loss = rp_alloc(c->list.nviews, sizeof *loss);
    rp_status status = loss ? rp_store_writer_finish(c->writer, loss, err)
                            : rp_fail_memory(err, c->list.nviews * sizeof *loss);

    if (status == RP_OK && !rp_store_writer_complete(c->writer))
        rp_host_note(c->host, "'%s': other processes are still at it; the last one finishes it",
                     c->options->store);
    for (size_t v = 0; status == RP_OK && v < c->list.nviews; v++)
        if (loss[v].error > 0)
            rp_host_note(c->host,
                         "%s as %s: relative error of the worst column %.2g (layer %zu, unit %zu)",
                         c->list.view[v].name, c->options->dtype, loss[v].error, loss[v].layer,
                         loss[v].column);
    free(loss);
    return status;
}

/* A complete store becomes an unfinished one when it is added to: whatever could keep the new rows
 * from being computed, or make them rows of another text, is found before. */
static rp_status rehearse(capture *c, rp_error *err)
{
    const rp_listing *l = &c->list;
    size_t shard_rows = c->options->shard_rows, first = rp_listing_first(l, shard_rows);
    rp_status status = RP_OK;

    if (!l->there.rows || first == l->rows) return RP_OK;
    status = open_writer(c, true, err); /* other settings are the first thing to be told */
    rp_store_writer_free(c->writer);
    c->writer = NULL;
    if (status == RP_OK) status = rp_listing_require(l, first, l->rows - first, c->options, err);
    if (status == RP_OK) status = make_room(c, err);
    for (size_t n; status == RP_OK && first < l->rows; first += n) {
        rp_sequences sequences;
        n = l->rows - first < shard_rows ? l->rows - first : shard_rows;
        status = encode(c, &sequences, first, n, err);
        if (status != RP_OK) return status;
        for (size_t r = 0; status == RP_OK && r < n; r++) {
            rp_sequence_about about = rp_sequences_about(&sequences, r);
            status = rp_listing_compare(l, first + r, &about, c->options, err);
        }
        rp_sequences_release(&sequences);
        if (status == RP_OK)
            status = rp_host_progress(c->host, "reading pairs", first + n, l->rows, err);
    }
    return status;
}

static rp_status check_options(capture *c, rp_error *err)
{
    const rp_capture_options *o = c->options;
    size_t machine = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE);

    if (!o->store) return rp_fail(err, RP_EARG, "no store directory is given");
    if (o->shard_rows == 0) return rp_fail(err, RP_EARG, "a shard needs at least one row");
    if (o->shards && o->shard >= o->shards)
        return rp_fail(err, RP_EARG, "shard %zu of %zu: they are counted from 0", o->shard,
                       o->shards);
    if (o->shards && rp_comm_world()->size > 1)
        return rp_fail(err, RP_EARG,
                       "processes of mpirun share the work by themselves, without a "
                       "shard to be given");
    c->process = o->shards ? o->shard : (size_t)rp_comm_world()->rank;
    c->processes = o->shards ? o->shards : (size_t)rp_comm_world()->size;
    if (o->append && o->repair)
        return rp_fail(err, RP_EARG, "a store is repaired first, then added to, not both at once");
    if (o->memory > machine)
        return rp_fail(err, RP_ENOMEM, "memory of %zu MiB is more than the machine's %zu MiB",
                       o->memory >> 20, machine >> 20);
    return RP_OK;
}

static rp_status run(capture *c, rp_error *err)
{
    const rp_capture_options *o = c->options;
    const rp_model_source source = {o->model, o->base, o->models};
    rp_status status = check_options(c, err);

    if (status == RP_OK)
        status =
            rp_workload_open(&c->work, &o->in, &source, &o->template_, !o->no_score, c->host, err);
    if (status == RP_OK) status = rp_listing_init(&c->list, &c->work, o, err);
    if (status == RP_OK)
        status = o->append ? rehearse(c, err) : o->repair ? make_room(c, err) : RP_OK;
    if (status == RP_OK) status = open_writer(c, false, err);
    if (status != RP_OK) return status;
    if (rp_store_writer_complete(c->writer)) {
        rp_host_note(c->host, "'%s' is complete: nothing to do", o->store);
        return RP_OK;
    }
    status = capture_shards(c, err);
    return status == RP_OK ? finish(c, err) : status;
}

rp_status rp_capture(const rp_capture_options *o, const rp_host *host, rp_error *err)
{
    capture c = {.options = o, .host = host};
    rp_status status = run(&c, err);

    capture_release(&c);
    return rp_comm_agree(status, err);
}
