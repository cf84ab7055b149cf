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
/* x [rows, width] <- one layer. RP_EFORMAT names the file and the tensor that is not as it should
 * be. */
rp_status rp_shardfile_read(const char *path, float *x, const rp_store_view *view, size_t layer,
                            size_t rows, rp_dtype dtype, rp_error *err);

#endif
