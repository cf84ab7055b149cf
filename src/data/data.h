/*
 * What IR researchers have on disk: collections, queries, qrels, runs; and the pairs that a run
 * makes of them. Formats are recognised from the content or named (rankprobe.h, rp_inputs).
 *
 * Treatments: CRLF, a byte order mark and blank lines at the end are accepted; a blank line
 * elsewhere, a column too few or a non-number is RP_EFORMAT with file, line and value. A duplicate
 * docid or qid with the same text is ignored with a warning, with another text RP_EFORMAT. A
 * duplicate (qid, docid) in a run or in qrels is RP_EFORMAT. A run's unknown qid or docid is
 * RP_EFORMAT naming it and the file that lacks it.
 */
#ifndef RP_DATA_DATA_H
#define RP_DATA_DATA_H

#include "base/error.h"

/* ---- collections, streamed ---- */
typedef struct rp_doc {
    const char *id, *title, *text; /* title is "" when there is none; valid until the next call */
    size_t id_len, title_len, text_len;
} rp_doc;
typedef struct rp_collection rp_collection;
rp_status rp_collection_open(rp_collection **c, const char *path, const char *format,
                             rp_error *err);
rp_status rp_collection_next(rp_collection *c, rp_doc *doc, bool *end, rp_error *err);
/* Once the end is reached: warns of the repeated documents that were ignored; their number. */
size_t rp_collection_warn(const rp_collection *c, const rp_host *host);
void rp_collection_free(rp_collection *c);

/* ---- queries ---- */
typedef struct rp_queries rp_queries;
rp_status rp_queries_load(rp_queries **q, const char *path, const char *format, const rp_host *host,
                          rp_error *err);
void rp_queries_free(rp_queries *q);
size_t rp_queries_count(const rp_queries *q);
const char *rp_queries_id(const rp_queries *q, size_t i);
const char *rp_queries_text(const rp_queries *q, size_t i);
size_t rp_queries_find(const rp_queries *q, const char *qid); /* SIZE_MAX: none */

/* ---- qrels ---- */
typedef struct rp_qrels rp_qrels;
rp_status rp_qrels_load(rp_qrels **q, const char *path, const char *format, rp_error *err);
void rp_qrels_free(rp_qrels *q);
size_t rp_qrels_queries(const rp_qrels *q);
const char *rp_qrels_qid(const rp_qrels *q, size_t i);
size_t rp_qrels_find(const rp_qrels *q, const char *qid); /* SIZE_MAX: none */
/* Grades of query i, in file order: *grades [return value]. */
size_t rp_qrels_grades(const rp_qrels *q, size_t i, const int **grades, const char *const **docids);
/* false: not judged; the query by index (SIZE_MAX is not allowed) or by id */
bool rp_qrels_grade_at(const rp_qrels *q, size_t i, const char *docid, int *grade);
bool rp_qrels_grade(const rp_qrels *q, const char *qid, const char *docid, int *grade);

/* ---- runs ---- */
typedef struct rp_hit {
    const char *docid;
    double score; /* trec: the score column; msmarco: -rank; top1000: -position */
} rp_hit;
typedef struct rp_run rp_run;
/* Hits of a query are sorted as trec_eval sorts them: score descending (compared as float, which
 * is what trec_eval stores), then docid descending. */
rp_status rp_run_load(rp_run **run, const char *path, const char *format, rp_error *err);
/* The same, or equal scores in the order of the rank column (trec) instead of the docid. */
typedef enum rp_ties { RP_TIES_DOCID, RP_TIES_RANK } rp_ties;
rp_status rp_run_load_ties(rp_run **run, const char *path, const char *format, rp_ties ties,
                           rp_error *err);
/* Neighbours of equal score whose order contradicts the rank column. */
size_t rp_run_contradictions(const rp_run *run);
void rp_run_free(rp_run *run);
size_t rp_run_queries(const rp_run *run); /* in order of first appearance */
const char *rp_run_qid(const rp_run *run, size_t i);
size_t rp_run_hits(const rp_run *run, size_t i, const rp_hit **hits); /* their number */
/* The order above, as a qsort comparison of rp_hit. */
int rp_hit_compare(const void *a, const void *b);

/* ---- pairs: a run joined with its texts ---- */
typedef struct rp_pair {
    const char *qid, *docid, *query, *title, *text;
    double score; /* the run's */
    size_t topic; /* index of the query in 0..ntopics-1 */
    int grade;    /* from qrels; -1 when there are none or the pair is not judged */
} rp_pair;
typedef struct rp_pairs {
    size_t n;
    rp_pair *pair; /* [n] query by query, each in the run's order */
    size_t ntopics;
    size_t *first; /* [ntopics + 1] pairs of topic t: first[t] .. first[t + 1] - 1 */
    struct rp_pairs_owner *owner;
} rp_pairs;
/* in.top candidates a query. A `top1000` run carries its own texts: collection, queries may be
 * NULL. */
rp_status rp_pairs_load(rp_pairs *pairs, const rp_inputs *in, const rp_host *host, rp_error *err);
void rp_pairs_release(rp_pairs *pairs);

#endif
