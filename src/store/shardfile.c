#include "store/shardfile.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define NAME 32

/* The encoded form of a view: three tensors a layer at most. */
typedef struct encoded {
    size_t layers, rows, width;
    rp_dtype dtype;
    char *codes;         /* [layers, rows, width]; NULL for f32, whose codes are x */
    float *scale, *zero; /* [layers, width] */
    char (*name)[NAME];  /* [3 * layers] */
    rp_tensor *tensor;   /* [3 * layers] */
    rp_loss *loss;       /* [layers] */
} encoded;

static void encoded_release(encoded *e)
{
    free(e->codes);
    free(e->scale);
    free(e->zero);
    free(e->name);
    free(e->tensor);
    free(e->loss);
}

static rp_status encoded_init(encoded *e, const rp_store_view *view, size_t rows, rp_dtype dtype,
                              rp_error *err)
{
    size_t layers = rp_layout_layers(view), width = view->width, bytes;

    *e = (encoded){.layers = layers, .rows = rows, .width = width, .dtype = dtype};
    if (__builtin_mul_overflow(layers * width * rp_dtype_size(dtype), rows, &bytes))
        return rp_fail_memory(err, SIZE_MAX);
    if (dtype != RP_F32) e->codes = rp_alloc(bytes, 1);
    e->scale = rp_alloc(layers * width, sizeof *e->scale);
    e->zero = rp_alloc(layers * width, sizeof *e->zero);
    e->name = rp_alloc(3 * layers, sizeof *e->name);
    e->tensor = rp_alloc(3 * layers, sizeof *e->tensor);
    e->loss = rp_alloc(layers, sizeof *e->loss);
    if ((dtype != RP_F32 && !e->codes) || !e->scale || !e->zero || !e->name || !e->tensor ||
        !e->loss) {
        encoded_release(e);
        return rp_fail_memory(err, bytes);
    }
    return RP_OK;
}

/* Layers are encoded in parallel; the error of the lowest one is reported. */
static rp_status encode(encoded *e, const float *x, const rp_store_view *view,
                        const rp_store_row *row, rp_error *err)
{
    size_t matrix = e->rows * e->width, failed = SIZE_MAX, bad_row = 0, bad_column = 0;
    rp_status status = RP_OK;

#pragma omp parallel for schedule(dynamic)
    for (size_t l = 0; l < e->layers; l++) {
        size_t r = 0, c = 0;
        void *codes = e->codes ? e->codes + l * matrix * rp_dtype_size(e->dtype) : NULL;
        rp_status s =
            rp_quant_encode(codes, e->scale + l * e->width, e->zero + l * e->width, &e->loss[l], &r,
                            &c, x + l * matrix, e->rows, e->width, e->dtype, NULL);
        e->loss[l].layer = view->layer_first + l;
        if (s == RP_OK) continue;
#pragma omp critical
        if (l < failed) {
            failed = l;
            status = s;
            bad_row = r;
            bad_column = c;
        }
    }
    if (status == RP_ENOMEM) return rp_fail_memory(err, e->width * sizeof(double));
    if (status == RP_OK) return RP_OK;
    return rp_fail(err, status,
                   "query '%s' document '%s': %s layer %zu unit %zu is %g, which %s cannot hold",
                   row[bad_row].qid, row[bad_row].docid, view->name, view->layer_first + failed,
                   bad_column, (double)x[failed * matrix + bad_row * e->width + bad_column],
                   rp_store_dtype_name(e->dtype));
}

static size_t list_tensors(encoded *e, const float *x, const rp_store_view *view)
{
    size_t n = 0, matrix = e->rows * e->width;

    for (size_t l = 0; l < e->layers; l++) {
        static const char *const suffix[3] = {"", ".scale", ".zero"};
        const char *codes = e->codes ? e->codes : (const char *)x;
        for (size_t k = 0; k < (e->dtype == RP_I8 ? 3 : 1); k++, n++) {
            rp_tensor *t = &e->tensor[n];
            snprintf(e->name[n], NAME, "layer.%zu%s", view->layer_first + l, suffix[k]);
            *t = (rp_tensor){.name = e->name[n],
                             .dtype = RP_F32,
                             .rank = 1,
                             .shape = {e->width},
                             .count = e->width};
            t->data = (k == 1 ? e->scale : e->zero) + l * e->width;
            if (k > 0) continue;
            *t = (rp_tensor){.name = e->name[n],
                             .dtype = e->dtype,
                             .rank = 2,
                             .shape = {e->rows, e->width},
                             .count = matrix,
                             .data = codes + l * matrix * rp_dtype_size(e->dtype)};
        }
    }
    return n;
}

rp_status rp_shardfile_write(const char *path, rp_loss *loss, const float *x,
                             const rp_store_view *view, size_t first, size_t rows,
                             const rp_store_row *row, rp_dtype dtype, rp_error *err)
{
    char number[32];
    const char *metadata[] = {"view", view->name, "first_row", number, NULL};
    encoded e;
    rp_out out = {0};
    rp_status status = encoded_init(&e, view, rows, dtype, err);

    *loss = (rp_loss){0};
    if (status != RP_OK) return status;
    snprintf(number, sizeof number, "%zu", first);
    status = encode(&e, x, view, row, err);
    if (status == RP_OK) status = rp_out_open(&out, path, err);
    if (status == RP_OK)
        status = rp_safetensors_write(out.file, e.tensor, list_tensors(&e, x, view), metadata, err);
    if (status == RP_OK) status = rp_out_commit(&out, err);
    for (size_t l = 0; status == RP_OK && l < e.layers; l++)
        if (e.loss[l].error > loss->error) *loss = e.loss[l];
    rp_out_release(&out);
    encoded_release(&e);
    return status;
}

/* ---- reading ---- */

struct rp_shardfile {
    rp_mapping map;
    size_t rows, width, layer_first, layers;
    rp_dtype dtype;
    const void *(*piece)[3]; /* [layers] codes, scale, zero in the mapping; the last two for i8 */
};

static rp_status find_tensor(const rp_tensor **tensor, const rp_safetensors *st, const char *name,
                             rp_dtype dtype, size_t rows, size_t width, rp_error *err)
{
    const rp_tensor *t = rp_safetensors_find(st, name);
    const char *path = rp_safetensors_path(st);

    if (!t) return rp_fail(err, RP_EFORMAT, "'%s': tensor '%s' is missing", path, name);
    if (t->dtype != dtype)
        return rp_fail(err, RP_EFORMAT, "'%s': tensor '%s' is %s, not %s", path, name,
                       rp_dtype_name(t->dtype), rp_dtype_name(dtype));
    if (rows == 0 ? t->rank != 1 || t->shape[0] != width
                  : t->rank != 2 || t->shape[0] != rows || t->shape[1] != width)
        return rp_fail(err, RP_EFORMAT, "'%s': tensor '%s' is not of shape [%zu, %zu]", path, name,
                       rows ? rows : 1, width);
    *tensor = t;
    return RP_OK;
}

/* Finds the tensors of layer `l` of the view: codes, and for i8 scale and zero. */
static rp_status find_layer(rp_shardfile *f, const rp_safetensors *st, size_t l, rp_error *err)
{
    static const char *const suffix[3] = {"", ".scale", ".zero"};
    rp_status status = RP_OK;

    for (size_t k = 0; status == RP_OK && k < (f->dtype == RP_I8 ? 3 : 1); k++) {
        const rp_tensor *t = NULL;
        char name[NAME];
        snprintf(name, sizeof name, "layer.%zu%s", f->layer_first + l, suffix[k]);
        status = find_tensor(&t, st, name, k ? RP_F32 : f->dtype, k ? 0 : f->rows, f->width, err);
        if (status == RP_OK) f->piece[l][k] = t->data;
    }
    return status;
}

rp_status rp_shardfile_open(rp_shardfile **file, const char *path, const rp_store_view *view,
                            size_t rows, rp_dtype dtype, rp_error *err)
{
    rp_shardfile *f = rp_alloc(1, sizeof *f);
    rp_safetensors *st = NULL;
    rp_status status = RP_OK;

    *file = NULL;
    if (!f) return rp_fail_memory(err, sizeof *f);
    *f = (rp_shardfile){.rows = rows,
                        .width = view->width,
                        .layer_first = view->layer_first,
                        .layers = rp_layout_layers(view),
                        .dtype = dtype};
    f->piece = rp_alloc(f->layers, sizeof *f->piece);
    if (!f->piece) status = rp_fail_memory(err, f->layers * sizeof *f->piece);
    if (status == RP_OK) status = rp_safetensors_open(&st, path, err);
    for (size_t l = 0; status == RP_OK && l < f->layers; l++) status = find_layer(f, st, l, err);
    if (status == RP_OK) f->map = rp_safetensors_take(st);
    rp_safetensors_free(st);
    if (status == RP_OK)
        *file = f;
    else
        rp_shardfile_free(f);
    return status;
}

void rp_shardfile_free(rp_shardfile *f)
{
    if (!f) return;
    rp_mapping_release(&f->map);
    free(f->piece);
    free(f);
}

void rp_shardfile_decode(const rp_shardfile *f, float *x, size_t layer, size_t first, size_t n)
{
    const void *const *piece = f->piece[layer - f->layer_first];
    const char *codes = piece[0];

    rp_quant_decode(x, codes + first * f->width * rp_dtype_size(f->dtype), piece[1], piece[2], n,
                    f->width, f->dtype);
}

const float *rp_shardfile_rows(const rp_shardfile *f, size_t layer)
{
    const void *at = f->piece[layer - f->layer_first][0];

    return f->dtype == RP_F32 && (uintptr_t)at % _Alignof(float) == 0 ? at : NULL;
}

/* glibc's posix_madvise ignores DONTNEED, hence madvise. Pages shared with a neighbour may go, too:
 * they are the file's, and come back when they are read. */
static void advise(const void *data, size_t bytes, int advice)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), at = (uintptr_t)data / page * page;

    (void)madvise((void *)at, bytes + ((uintptr_t)data - at), advice); /* a hint may fail */
}

static void advise_layer(const rp_shardfile *f, size_t layer, int advice)
{
    const void *const *piece = f->piece[layer - f->layer_first];

    advise(piece[0], f->rows * f->width * rp_dtype_size(f->dtype), advice);
    for (size_t k = 1; k < 3; k++)
        if (piece[k]) advise(piece[k], f->width * sizeof(float), advice);
}

void rp_shardfile_expect(const rp_shardfile *f, size_t layer)
{
    advise_layer(f, layer, MADV_WILLNEED);
}

void rp_shardfile_forget(const rp_shardfile *f, size_t layer)
{
    advise_layer(f, layer, MADV_DONTNEED);
}
