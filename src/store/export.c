/* A layer of a store in other programs' formats. */
#include <stdlib.h>
#include <string.h>

#include "store/layout.h"

enum { TILE = 256 }; /* rows at a time */

void rp_export_options_init(rp_export_options *o)
{
    *o = (rp_export_options){.layer = SIZE_MAX, .output = "-", .format = "auto"};
}

static rp_status find_view(size_t *view, const rp_store *store, const rp_export_options *o,
                           rp_error *err)
{
    char names[512] = "";
    size_t n = rp_store_views(store), used = 0;
    for (*view = 0; *view < n; ++*view) {
        const char *name = rp_store_view_at(store, *view)->name;
        if (o->view ? !strcmp(name, o->view) : n == 1) return RP_OK;
        int more = snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "", name);
        if (more > 0) used += (size_t)more < sizeof names - used ? (size_t)more : 0;
    }
    if (!o->view)
        return rp_fail(err, RP_EARG, "'%s' has several views, say which: %s", o->store, names);
    return rp_fail(err, RP_EARG, "'%s' has no view '%.80s': %s", o->store, o->view, names);
}

typedef enum kind { TSV, NPY, SAFETENSORS } kind;

static rp_status find_kind(kind *k, const rp_export_options *o, rp_error *err)
{
    static const char *const names[] = {"tsv", "npy", "safetensors"};
    const char *dot = strrchr(o->output, '.');
    bool automatic = !o->format || !strcmp(o->format, "auto");
    *k = TSV;
    for (int i = 0; i < 3; i++)
        if (!strcmp(automatic ? (dot ? dot + 1 : "") : o->format, names[i])) {
            *k = (kind)i;
            return RP_OK;
        }
    if (automatic) return RP_OK;
    return rp_fail(err, RP_EARG, "unknown format '%.40s': it must be auto, npy, safetensors or tsv",
                   o->format);
}

/* NumPy's format, version 1.0 (numpy.lib.format): magic, length of the header, the header as a
 * Python literal, padded so that the data begin at a multiple of 64. */
static void npy_header(FILE *f, size_t rows, size_t width)
{
    char text[128];
    int n =
        snprintf(text, sizeof text,
                 "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu, %zu), }", rows, width);
    int padded = (10 + n + 1 + 63) / 64 * 64 - 10;
    fprintf(f, "\x93NUMPY");
    fputc(1, f), fputc(0, f);
    fputc(padded & 255, f), fputc(padded >> 8, f);
    fprintf(f, "%-*s\n", padded - 1, text);
}

static void safetensors_header(FILE *f, size_t rows, size_t width)
{
    char text[256];
    int n = snprintf(text, sizeof text,
                     "{\"x\":{\"dtype\":\"F32\",\"shape\":[%zu,%zu],\"data_offsets\":[0,%zu]}}",
                     rows, width, rows * width * sizeof(float));
    int padded = (n + 7) / 8 * 8;
    for (int i = 0; i < 8; i++) fputc((int)((uint64_t)padded >> 8 * i & 255), f);
    fprintf(f, "%-*s", padded, text);
}

static void tsv_header(FILE *f, size_t width)
{
    fputs("qid\tdocid", f);
    for (size_t j = 0; j < width; j++) fprintf(f, "\tu%zu", j);
    fputc('\n', f);
}

static void tsv_row(FILE *f, const rp_store_row *row, const float *x, size_t width)
{
    fprintf(f, "%s\t%s", row->qid, row->docid);
    for (size_t j = 0; j < width; j++) fprintf(f, "\t%.9g", (double)x[j]);
    fputc('\n', f);
}

/* Rows from `first` on, at most TILE: *x is where they lie in the store, or the buffer. */
static rp_status next_rows(const float **x, size_t *m, float *buffer, const rp_store *store,
                           size_t view, size_t layer, size_t first, rp_error *err)
{
    size_t n = rp_store_rows(store) - first, row[TILE];
    rp_status status = rp_store_map_rows(store, x, m, view, layer, first, err);
    if (status || *x) {
        *m = *m < TILE ? *m : TILE;
        return status;
    }
    *m = n < TILE ? n : TILE, *x = buffer;
    for (size_t i = 0; i < *m; i++) row[i] = first + i;
    return rp_store_read_rows(store, buffer, view, layer, row, *m, err);
}

static rp_status write_rows(FILE *f, const rp_store *store, size_t view, size_t layer, kind k,
                            const rp_host *host, rp_error *err)
{
    size_t n = rp_store_rows(store), width = rp_store_view_at(store, view)->width, m;
    const float *x;
    float *buffer = rp_alloc(TILE * width, sizeof *buffer);
    rp_status status = buffer ? RP_OK : rp_fail_memory(err, TILE * width * sizeof *buffer);
    for (size_t first = 0, calls = 1; first < n && !status; first += m, calls++) {
        status = next_rows(&x, &m, buffer, store, view, layer, first, err);
        for (size_t i = 0; i < m && !status && k == TSV; i++)
            tsv_row(f, rp_store_row_at(store, first + i), x + i * width, width);
        if (!status && k != TSV) fwrite(x, sizeof *x, m * width, f); /* checked at the end */
        if (calls % 256 == 0) rp_store_forget(store, view, layer);
        if (!status) status = rp_host_progress(host, "exporting rows", first + m, n, err);
    }
    free(buffer);
    return status;
}

rp_status rp_store_export(const rp_export_options *o, const rp_host *host, rp_error *err)
{
    rp_store *store = NULL;
    rp_out out = {0};
    size_t view = 0, rows, width;
    kind k;
    rp_status status = find_kind(&k, o, err);
    if (!status) status = rp_store_open(&store, o->store, err);
    if (!status) status = find_view(&view, store, o, err);
    if (!status) {
        const rp_store_view *v = rp_store_view_at(store, view);
        if (o->layer < v->layer_first || o->layer > v->layer_last)
            status = rp_fail(err, RP_EARG, "'%s': %s has layers %zu to %zu; say which", o->store,
                             v->name, v->layer_first, v->layer_last);
    }
    if (!status) status = rp_store_check_output(o->store, o->output, err);
    if (!status) status = rp_out_open(&out, o->output, err);
    if (!status) {
        rows = rp_store_rows(store), width = rp_store_view_at(store, view)->width;
        if (k == NPY)
            npy_header(out.file, rows, width);
        else if (k == SAFETENSORS)
            safetensors_header(out.file, rows, width);
        else
            tsv_header(out.file, width);
        status = write_rows(out.file, store, view, o->layer, k, host, err);
    }
    if (!status) status = rp_out_commit(&out, err);
    rp_out_release(&out);
    rp_store_free(store);
    return status;
}
