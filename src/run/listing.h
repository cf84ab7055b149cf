/*
 * Rows and views of the store that a capture writes: the run's pairs and the views that are asked
 * for; where it adds to a store, what is there comes first, and what is new after it.
 */
#ifndef RP_RUN_LISTING_H
#define RP_RUN_LISTING_H

#include "run/drive.h"
#include "store/append.h"

typedef struct rp_listing {
    size_t nviews, rows;
    rp_view *view;         /* [nviews] */
    rp_store_view *shape;  /* [nviews] */
    rp_store_row *row;     /* [rows] names, and numbers of those that are there */
    const rp_pair *pair;   /* [rows] text is NULL of one that is in the store alone */
    rp_pair *own;          /* what pair points to, or NULL: the workload's */
    rp_store_before there; /* owner of names; of an ordinary capture empty */
} rp_listing;
rp_status rp_listing_init(rp_listing *l, const rp_workload *work, const rp_capture_options *o,
                          rp_error *err);
void rp_listing_release(rp_listing *l);
/* RP_EARG when a row of first .. first + n - 1 is not in the run, and so cannot be computed. */
rp_status rp_listing_require(const rp_listing *l, size_t first, size_t n,
                             const rp_capture_options *o, rp_error *err);
/* Rows from here on are computed where a store is added to; l->rows: none. */
size_t rp_listing_first(const rp_listing *l, size_t shard_rows);
/* RP_EARG when a row of the store, as it is computed now, is not what it was: another text. */
rp_status rp_listing_compare(const rp_listing *l, size_t row, const rp_sequence_about *about,
                             const rp_capture_options *o, rp_error *err);

#endif
