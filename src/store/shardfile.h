/* One view of one shard as a safetensors file. */
#ifndef RP_STORE_SHARDFILE_H
#define RP_STORE_SHARDFILE_H

#include "store/layout.h"
#include "store/quant.h"

/* Writes x [layers of the view, rows, width] as "layer.<l>" [rows, width] in dtype (and for i8
 * "layer.<l>.scale", "layer.<l>.zero" [width]), whole or not at all. first is the number of the
 * first row; row [rows] names the pairs in the error for a number that cannot be stored. */
rp_status rp_shardfile_write(const char *path, rp_loss *loss, const float *x,
                             const rp_store_view *view, size_t first, size_t rows,
                             const rp_store_row *row, rp_dtype dtype, rp_error *err);

/* The file again, mapped. What is opened was checked whole, so that reading cannot fail; any number
 * of threads may read. */
typedef struct rp_shardfile rp_shardfile;
/* RP_EFORMAT names the file and the tensor that is not as view, rows and dtype say. */
rp_status rp_shardfile_open(rp_shardfile **file, const char *path, const rp_store_view *view,
                            size_t rows, rp_dtype dtype, rp_error *err);
void rp_shardfile_free(rp_shardfile *file);
/* x [n, width] <- rows first..first + n - 1 of the file, of a layer that the view has. */
void rp_shardfile_decode(const rp_shardfile *file, float *x, size_t layer, size_t first, size_t n);
/* The rows of a layer as they lie in the file, [rows, width]; NULL unless they are f32 and aligned.
 */
const float *rp_shardfile_rows(const rp_shardfile *file, size_t layer);
/* Hints: the layer's pages will be read soon; they may leave this process's memory. */
void rp_shardfile_expect(const rp_shardfile *file, size_t layer);
void rp_shardfile_forget(const rp_shardfile *file, size_t layer);

#endif
