/* rp_probe: the job of job.h on an activation store. */
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/comm.h"
#include "base/io.h"
#include "base/memory.h"
#include "probe/job.h"
#include "store/layout.h"

void rp_probe_options_init(rp_probe_options *o)
{
    *o = (rp_probe_options){.select = "*",
                            .views = "*",
                            .protocols = "sound",
                            .method = "ridge",
                            .penalty = NAN,
                            .l1_ratio = 1,
                            .folds = 5,
                            .inner = 5,
                            .bootstrap = 2000,
                            .permutations = 1000,
                            .controls = true,
                            .balance = -1,
                            .gains = "length,score",
                            .ranks = "layers",
                            .stability = 50,
                            .pfer = 1,
                            .seed = 1,
                            .output = "-"};
}

/* Bytes of a layer, as f32, that may be in memory: x may be larger than that. */
#define RESIDENT ((size_t)64 << 20)
/* A page fault maps the pages around it, too, where the file is in memory already. */
#define WINDOW ((size_t)64 << 10)

/* A store as a source. */
typedef struct opened {
    rp_store *store;
    rp_source source;
    char manifest[RP_STORE_PATH];
    _Atomic(size_t) resident; /* bytes mapped, at most, since pages were given back */
} opened;

/* Bytes of the windows in which row[n] lie, of `bytes` each. Rows far apart map much more than
 * what is read of them. */
static size_t touch(const size_t *row, size_t n, size_t bytes)
{
    size_t windows = 0, last = SIZE_MAX;
    for (size_t i = 0; i < n; i++) {
        size_t first = row[i] * bytes / WINDOW, end = ((row[i] + 1) * bytes - 1) / WINDOW;
        windows += end - first + (first != last);
        last = end;
    }
    return windows * WINDOW;
}

static rp_status read_rows(void *arg, float *x, size_t view, size_t layer, const size_t *row,
                           size_t n, rp_error *err)
{
    opened *o = arg;
    size_t each = o->source.view[view].width * sizeof *x;
    rp_status status = rp_store_read_rows(o->store, x, view, layer, row, n, err);
    if (status || o->source.n * each <= RESIDENT) return status;
    size_t bytes = touch(row, n, each);
    if (atomic_fetch_add(&o->resident, bytes) + bytes >= RESIDENT) {
        atomic_store(&o->resident, 0);
        rp_store_forget(o->store, view, layer);
    }
    return status;
}

static void forget(void *arg, size_t view, size_t layer)
{
    rp_store_forget(((opened *)arg)->store, view, layer);
}

static void opened_release(opened *o)
{
    free((void *)o->source.view);
    rp_store_free(o->store);
}

static rp_status opened_init(opened *o, const char *dir, rp_error *err)
{
    rp_source *source = &o->source;
    rp_status status = rp_store_open(&o->store, dir, err);
    if (status) return status;
    rp_store_view *view = rp_alloc(rp_store_views(o->store), sizeof *view);
    *source = (rp_source){.n = rp_store_rows(o->store),
                          .nviews = rp_store_views(o->store),
                          .view = view,
                          .arg = o,
                          .read = read_rows,
                          .forget = forget};
    source->row = source->n ? rp_store_row_at(o->store, 0) : NULL; /* rows are contiguous */
    if (!view) return rp_fail_memory(err, source->nviews * sizeof *view);
    for (size_t v = 0; v < source->nviews; v++) view[v] = *rp_store_view_at(o->store, v);
    return rp_path_join(o->manifest, sizeof o->manifest, dir, RP_STORE_MANIFEST, err);
}

/* The store's settings - model, template and all - as one line of JSON. */
static char *describe(const char *manifest)
{
    json_t *json = NULL;
    if (rp_json_load(&json, manifest, (size_t)1 << 28, NULL)) return NULL;
    char *text = json_dumps(json_object_get(json, "settings"), JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(json);
    return text;
}

/* A file that cannot be written is better known now than after the work. */
static rp_status check_writable(const char *path, rp_error *err)
{
    rp_out out = {0};
    struct stat st;
    if (!path || (stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
        return RP_OK; /* a pipe is opened once only */
    rp_status status = rp_out_open(&out, path, err);
    rp_out_release(&out);
    return status;
}

/* No output may be an input or another output, and all must be writable. */
static rp_status check_outputs(const rp_probe_options *o, rp_error *err)
{
    const char *const out[] = {o->output, o->predictions, o->coefficients,
                               o->units,  o->differences, o->ksparse};
    const char *const in[] = {o->features, o->transfer_features};
    size_t n = sizeof out / sizeof *out;
    rp_status status = RP_OK;
    for (size_t i = 0; i < n && !status; i++) {
        status = rp_out_check(out[i], in, sizeof in / sizeof *in, err);
        for (size_t k = 0; k < i && !status; k++) status = rp_out_distinct(out[i], out[k], err);
    }
    for (size_t i = 0; i < n && !status && !rp_comm_world()->rank; i++)
        status = check_writable(out[i], err);
    return status;
}

static rp_status add_transfer(rp_job *job, opened *other, rp_error *err)
{
    uint64_t sum;
    if (!job->options->transfer) return RP_OK;
    rp_status status = opened_init(other, job->options->transfer, err);
    if (!status) status = rp_job_transfer(job, &other->source, err);
    if (!status) status = rp_checksum_path(&sum, other->manifest, err);
    if (!status) job->fingerprint = rp_checksum_bytes(&sum, sizeof sum, job->fingerprint);
    return status;
}

static rp_status add_against(rp_job *job, opened *other, rp_error *err)
{
    uint64_t sum;
    if (!job->options->against) return RP_OK;
    rp_status status = opened_init(other, job->options->against, err);
    if (!status) status = rp_job_against(job, &other->source, err);
    if (!status) status = rp_checksum_path(&sum, other->manifest, err);
    if (!status) job->fingerprint = rp_checksum_bytes(&sum, sizeof sum, job->fingerprint + 1);
    return status;
}

static rp_status prepare(rp_job *job, opened *own, opened *other, opened *against,
                         const rp_probe_options *o, const rp_host *host, rp_error *err)
{
    rp_status status;
    if (!o->store || !o->features || !o->output)
        return rp_fail(err, RP_EARG, "a probe needs a store, features and an output");
    if ((status = check_outputs(o, err))) return status;
    if ((status = opened_init(own, o->store, err))) return status;
    if ((status = rp_job_init(job, &own->source, o, host, err))) return status;
    if ((status = rp_checksum_path(&job->fingerprint, own->manifest, err))) return status;
    status = add_transfer(job, other, err);
    return status ? status : add_against(job, against, err);
}

rp_status rp_probe(const rp_probe_options *o, const rp_host *host, rp_error *err)
{
    opened own = {0}, other = {0}, against = {0};
    rp_job job = {0};
    rp_host quiet = host ? *host : (rp_host){0};
    char *about = NULL;
    quiet.warn = quiet.note = NULL;
    if (rp_comm_world()->rank) host = &quiet; /* the first process says it */
    rp_status status = rp_comm_agree(prepare(&job, &own, &other, &against, o, host, err), err);
    if (status) goto done;
    job.about = about = describe(own.manifest);
    if ((status = rp_job_run(&job, err))) goto done;
    const char *inputs[] = {own.manifest, o->features, o->transfer ? other.manifest : NULL,
                            o->transfer_features, o->against ? against.manifest : NULL};
    status = rp_job_write(&job, inputs, sizeof inputs / sizeof *inputs, err);
done:
    rp_job_release(&job);
    opened_release(&own), opened_release(&other), opened_release(&against);
    free(about);
    return status;
}
