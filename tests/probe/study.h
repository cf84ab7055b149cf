/*
 * The rows of a small study, for tests of what is made of queries and folds alone.
 */
#ifndef RP_TESTS_PROBE_STUDY_H
#define RP_TESTS_PROBE_STUDY_H

#include <stdio.h>

#include "probe/orbit.h"
#include "probe/split.h"
#include "support/support.h"

enum { MOST_QUERIES = 40, MOST_ROWS = 400, FOLDS = 5 };

/* Rows of a small study; everything points into the struct. */
typedef struct study {
    rp_rows rows;
    size_t query[MOST_ROWS], count[MOST_QUERIES], row[MOST_ROWS];
    const char *qid[MOST_QUERIES];
    char name[MOST_QUERIES][8];
    int outer[MOST_QUERIES], inner[MOST_QUERIES];
    uint64_t key[MOST_ROWS];
} study;

/* nqueries queries of size[q % nsizes] rows each. */
static inline void study_init(study *s, size_t nqueries, const size_t *size, size_t nsizes,
                              uint64_t seed)
{
    rp_error err;
    size_t n = 0;
    for (size_t q = 0; q < nqueries; q++) {
        snprintf(s->name[q], sizeof s->name[q], "q%zu", q);
        s->qid[q] = s->name[q];
        s->count[q] = size[q % nsizes];
        for (size_t i = 0; i < s->count[q]; i++, n++) {
            char docid[16];
            snprintf(docid, sizeof docid, "d%zu", n);
            s->query[n] = q;
            s->key[n] = rp_split_pair_key(seed, s->qid[q], docid);
            s->row[n] = n;
        }
    }
    assert_in_range(n, 1, MOST_ROWS);
    s->rows = (rp_rows){.n = n,
                        .nqueries = nqueries,
                        .query = s->query,
                        .qid = s->qid,
                        .count = s->count,
                        .outer = s->outer,
                        .inner = s->inner,
                        .key = s->key,
                        .seed = seed};
    assert_ok(rp_rows_split(&s->rows, FOLDS, 2, &err), &err);
}

static inline void orbit_init(rp_orbit *o, const study *s, const size_t *row, size_t n,
                              const rp_orbit_options *options)
{
    rp_error err;
    assert_ok(rp_orbit_init(o, &s->rows, row, n, options, &err), &err);
}

#endif
