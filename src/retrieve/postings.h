/* The postings of some terms over a whole collection, in memory: what many queries share. */
#ifndef RP_RETRIEVE_POSTINGS_H
#define RP_RETRIEVE_POSTINGS_H

#include "base/memory.h"
#include "retrieve/scan.h"

typedef struct rp_occurrence {
    uint32_t doc, f;
} rp_occurrence;

typedef struct rp_posting_list {
    rp_occurrence *item; /* [n] by document */
    size_t n, cap;
} rp_posting_list;

typedef struct rp_postings {
    size_t nterms;
    rp_posting_list *list; /* [nterms] */
    size_t ndocs, length_cap, id_cap;
    uint32_t *length; /* [ndocs] */
    const char **id;  /* [ndocs] */
    rp_arena *ids;
    rp_scan_totals totals;
} rp_postings;

/* Scans the collection for o->terms. */
rp_status rp_postings_collect(rp_postings *p, const rp_scan_options *o, const rp_host *host,
                              rp_error *err);
void rp_postings_release(rp_postings *p);

#endif
