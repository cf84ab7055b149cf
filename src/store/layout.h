/*
 * What the writer and the reader of an activation store agree on: names, shapes, and the JSON of
 * store.json. The one thing to know: a shard is rows first..first + n - 1 of every view, one
 * safetensors file a view; shard s starts at row s * shard_rows and only the last one is shorter.
 *
 *     DIR/store.json                               written last: the store is complete
 *     DIR/rows.tsv                                 row, qid, docid and numbers of the pair
 *     DIR/<site>.<tokens>.<pool>/00017.safetensors "layer.0" [rows, width] ...
 *     DIR/store.partial.json, DIR/partial/00017.json   only while a capture is under way
 */
#ifndef RP_STORE_LAYOUT_H
#define RP_STORE_LAYOUT_H

#include <jansson.h>

#include "base/memory.h"
#include "base/safetensors.h"

#define RP_STORE_FORMAT "rankprobe-store"
#define RP_STORE_FORMAT_VERSION 2 /* 1 had no query_tokens, document_tokens, token_control */
#define RP_STORE_MANIFEST "store.json"
#define RP_STORE_UNFINISHED "store.partial.json"
#define RP_STORE_PARTS "partial"
#define RP_STORE_ROWS "rows.tsv"
#define RP_STORE_PATH 4096

/* Ceilings for numbers that come from a file; far beyond any model or data set. */
#define RP_STORE_MAX_VIEWS 256
#define RP_STORE_MAX_LAYERS 4096
#define RP_STORE_MAX_WIDTH ((size_t)1 << 22)
#define RP_STORE_MAX_ROWS ((size_t)1 << 36)

typedef struct rp_layout {
    size_t nviews;
    rp_store_view *view; /* [nviews], names in the arena */
    rp_dtype dtype;      /* RP_F32, RP_F16, RP_BF16 or RP_I8 */
    size_t rows, shard_rows, shards;
    bool score;
    rp_arena *arena;
} rp_layout;

/* A file of the store as store.json knows it. */
typedef struct rp_store_file {
    size_t bytes;
    uint64_t checksum; /* XXH3-64 */
} rp_store_file;

/* Copies and checks the shapes; views are made of lower case words "site.tokens.pool". */
rp_status rp_layout_init(rp_layout *layout, const rp_store_view *views, size_t nviews,
                         rp_dtype dtype, size_t rows, size_t shard_rows, bool score, rp_error *err);
void rp_layout_release(rp_layout *layout);
size_t rp_layout_shard_rows(const rp_layout *layout, size_t shard);
size_t rp_layout_layers(const rp_store_view *view);
/* out <- the path of a shard's file of a view. */
rp_status rp_layout_path(char out[RP_STORE_PATH], const char *dir, const rp_store_view *view,
                         size_t shard, rp_error *err);

/* RP_EARG when an output would lie in the store's directory. */
rp_status rp_store_check_output(const char *dir, const char *output, rp_error *err);

/* "f32", "f16", "bf16", "i8"; RP_EARG names the choices. */
rp_status rp_store_dtype_find(rp_dtype *dtype, const char *name, rp_error *err);
const char *rp_store_dtype_name(rp_dtype dtype);

/* The members of "settings" that are the store's own, added to `settings`. */
rp_status rp_layout_to_json(const rp_layout *layout, json_t *settings, rp_error *err);
/* The reverse; `path` is for errors. */
rp_status rp_layout_from_json(rp_layout *layout, const json_t *settings, const char *path,
                              rp_error *err);

/* Members of an object of file `path`, or RP_EFORMAT naming file and key. */
rp_status rp_json_size(const json_t *object, const char *key, size_t limit, size_t *value,
                       const char *path, rp_error *err);
rp_status rp_json_checksum(const json_t *object, const char *key, uint64_t *value, const char *path,
                           rp_error *err);
/* A string; null when text is NULL or not UTF-8, which JSON cannot hold. */
json_t *rp_json_text(const char *text);
/* 0x-less, 16 hex digits. */
json_t *rp_json_from_checksum(uint64_t sum);
/* Parses a whole file of at most `limit` bytes; it must hold an object. */
rp_status rp_json_load(json_t **object, const char *path, size_t limit, rp_error *err);
/* Writes the object and a final newline, whole or not at all. */
rp_status rp_json_save(const json_t *object, const char *path, size_t flags, rp_error *err);
/* Checks that a file has the size and the bytes that were written: RP_EFORMAT "'path' is altered".
 */
rp_status rp_store_file_verify(const rp_store_file *file, const char *path, rp_error *err);
rp_status rp_store_file_measure(rp_store_file *file, const char *path, rp_error *err);

#endif
