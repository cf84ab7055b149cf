/*
 * One streaming pass over a collection: every document is analysed once, only the terms asked for
 * are kept. Documents are read in blocks of fixed size, blocks are analysed in parallel and handed
 * over in order, so the outcome does not depend on the number of threads.
 */
#ifndef RP_RETRIEVE_SCAN_H
#define RP_RETRIEVE_SCAN_H

#include "base/error.h"
#include "base/map.h"

typedef struct rp_posting {
    uint32_t term; /* value in the map of terms */
    uint32_t doc;  /* index within the block */
    uint32_t f;    /* occurrences */
} rp_posting;

typedef struct rp_scan_block {
    size_t first;           /* documents before this block */
    size_t n;               /* documents */
    const char *const *id;  /* [n] */
    const uint32_t *length; /* [n] analysed terms */
    size_t npostings;
    const rp_posting *posting; /* [npostings] document by document */
} rp_scan_block;

typedef struct rp_scan_options {
    const char *collection, *format;
    const char *analyzer;
    const rp_map *terms; /* terms to look for, values 0 .. size - 1 */
    bool vocabulary;     /* count every term's documents, for mean_idf */
    int threads;         /* 0: all */
} rp_scan_options;

typedef struct rp_scan_totals {
    size_t documents, terms; /* N, sum of lengths */
    double mean_idf;         /* of the whole vocabulary, robertson; NaN without `vocabulary` */
} rp_scan_totals;

/* Called from the thread that called rp_scan, blocks in order. */
typedef rp_status rp_scan_sink(void *arg, const rp_scan_block *block, rp_error *err);

/* An empty collection and one of 2^32 documents or more are RP_EFORMAT. */
rp_status rp_scan(const rp_scan_options *o, rp_scan_totals *totals, rp_scan_sink *sink, void *arg,
                  const rp_host *host, rp_error *err);

#endif
