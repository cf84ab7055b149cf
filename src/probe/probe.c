/* rp_probe: the job of job.h on an activation store. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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
                            .folds = 5,
                            .inner = 5,
                            .bootstrap = 2000,
                            .controls = true,
                            .balance = -1,
                            .seed = 1,
                            .output = "-"};
}

static rp_status read_rows(void *arg, float *x, size_t view, size_t layer, const size_t *row,
                           size_t n, rp_error *err)
{
    return rp_store_read_rows(arg, x, view, layer, row, n, err);
}

static void forget(void *arg, size_t view, size_t layer)
{
    rp_store_forget(arg, view, layer);
}

static rp_status open_source(rp_source *source, rp_store *store, rp_error *err)
{
    rp_store_view *view = rp_alloc(rp_store_views(store), sizeof *view);
    source->view = view;
    source->nviews = rp_store_views(store);
    source->n = rp_store_rows(store);
    source->arg = store;
    source->read = read_rows;
    source->forget = forget;
    source->row = source->n ? rp_store_row_at(store, 0) : NULL; /* rows are contiguous */
    if (!view) return rp_fail_memory(err, source->nviews * sizeof *view);
    for (size_t v = 0; v < source->nviews; v++) view[v] = *rp_store_view_at(store, v);
    return RP_OK;
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

rp_status rp_probe(const rp_probe_options *o, const rp_host *host, rp_error *err)
{
    rp_store *store = NULL;
    rp_source source = {0};
    rp_job job = {0};
    char manifest[RP_STORE_PATH], *about = NULL;
    rp_status status;
    if (!o->store || !o->features || !o->output)
        return rp_fail(err, RP_EARG, "a probe needs a store, features and an output");
    if ((status = rp_out_check(o->output, &o->features, 1, err))) return status;
    if ((status = rp_out_check(o->predictions, &o->features, 1, err))) return status;
    if ((status = rp_out_distinct(o->output, o->predictions, err))) return status;
    if ((status = check_writable(o->output, err))) return status;
    if ((status = check_writable(o->predictions, err))) return status;
    if ((status = rp_store_open(&store, o->store, err))) return status;
    if ((status = open_source(&source, store, err))) goto done;
    status = rp_path_join(manifest, sizeof manifest, o->store, RP_STORE_MANIFEST, err);
    if (status) goto done;
    if ((status = rp_job_init(&job, &source, o, host, err))) goto done;
    job.about = about = describe(manifest);
    if ((status = rp_job_run(&job, err))) goto done;
    const char *inputs[] = {manifest, o->features};
    status = rp_job_write(&job, inputs, 2, err);
done:
    rp_job_release(&job);
    free((void *)source.view);
    free(about);
    rp_store_free(store);
    return status;
}
