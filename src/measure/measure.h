/*
 * trec_eval's measures, one row each: name, explanation, function. The numbers are trec_eval's to
 * the last printed digit: ties are broken as rp_hit_compare does, gains are the grades themselves,
 * a document that was not judged is not relevant, and "relevant" for the binary measures is a grade
 * of at least `relevance` (trec_eval -l). After m_ndcg_cut.c, m_map.c, m_P.c, m_recall.c,
 * m_recip_rank.c, m_success.c, m_Rprec.c of usnistgov/trec_eval 9.
 */
#ifndef RP_MEASURE_MEASURE_H
#define RP_MEASURE_MEASURE_H

#include "base/error.h"

/* One query's list as the measures see it. */
typedef struct rp_ranking {
    const int *grade; /* [n] of the retrieved documents, best first; 0 when not judged */
    size_t n;
    const int *ideal; /* [npositive] the positive grades of the qrels, descending */
    size_t npositive;
    size_t nrelevant; /* documents of the qrels with a grade of at least `relevance` */
    int relevance;
} rp_ranking;

typedef struct rp_measure_row {
    const char *name;
    const char *alias; /* trec_eval's name, before its cut-off */
    const char *explanation;
    bool cut; /* takes a cut-off */
    bool needs_cut;
    double (*value)(const rp_ranking *r, size_t k); /* k = SIZE_MAX: the whole list */
} rp_measure_row;

/* The table; a row with a NULL name ends it. */
const rp_measure_row *rp_measure_rows(void);

/* A measure with its cut-off, and the name that heads its column: "ndcg@10". */
typedef struct rp_measure {
    const rp_measure_row *row;
    size_t k;
    char name[40];
} rp_measure;

/* "ndcg@10,mrr@10,map", or trec_eval's spelling "ndcg_cut_10,recip_rank,P_10"; at most cap. RP_EARG
 * names what is not a measure. */
rp_status rp_measures_parse(rp_measure *out, size_t cap, size_t *n, const char *list,
                            rp_error *err);

#endif
