/*
 * Records of a file that belong to queries, in whatever order the file has them, put together query
 * by query: what qrels and runs have in common.
 */
#ifndef RP_DATA_GROUP_H
#define RP_DATA_GROUP_H

#include "base/map.h"
#include "base/memory.h"
#include "data/source.h"

typedef struct rp_record {
    const char *docid;
    double value; /* grade or score */
    long rank;    /* of a run's record */
    size_t query; /* index in order of first appearance */
    size_t line;
    const char *text; /* of a top1000 row that is to keep it, else NULL */
} rp_record;

typedef struct rp_group {
    rp_map *ids; /* qid -> query */
    rp_arena *strings;
    const char **qid;  /* [nqueries] */
    rp_record *record; /* [n] in file order; after finish: query by query, else in file order */
    size_t *first; /* [nqueries + 1] after finish: records of query i: first[i]..first[i + 1] - 1 */
    size_t nqueries, n, qid_cap, record_cap;
} rp_group;

rp_status rp_group_init(rp_group *g, rp_error *err);
void rp_group_release(rp_group *g);
rp_status rp_group_add(rp_group *g, const rp_source *src, const char *qid, const char *docid,
                       double value, rp_error *err);
/* Groups the records; a document that a query has twice is RP_EFORMAT with the second one's line.
 */
rp_status rp_group_finish(rp_group *g, const rp_source *src, rp_error *err);
size_t rp_group_find(const rp_group *g, const char *qid); /* SIZE_MAX: none */

#endif
