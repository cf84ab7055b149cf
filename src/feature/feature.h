/*
 * The features: one table row each. To add one, write its function and a row; a family's evidence
 * is prepared once a pair and shared by its features.
 *
 *   mslr.*   the term features of MSLR-WEB30K for one stream, over the query's distinct terms
 *   paper.*  the same names as the published code of "Probing Ranking LLMs" computed them: over the
 *            vocabulary of the candidate list, in scikit-learn's analysis
 *   sim.*    similarities of query and passage
 *
 * A pair without query terms or without passage terms has 0 in every mslr.* and sim.* column but
 * those of encoders, which look at tokens.
 */
#ifndef RP_FEATURE_FEATURE_H
#define RP_FEATURE_FEATURE_H

#include "feature/candidates.h"
#include "retrieve/bm25.h"

/* Features of one evidence. The last two are of embeddings: their names are sim.* or paper.*. */
typedef enum rp_family { RP_MSLR, RP_PAPER, RP_SIM, RP_BERT, RP_T5 } rp_family;

typedef struct rp_moments {
    double sum, min, max, mean, var; /* var: population */
} rp_moments;

/* What a weighted term of query or passage is. */
typedef struct rp_weighted {
    uint32_t term;
    double w;
} rp_weighted;

typedef struct rp_evidence {
    const rp_candidates *list;
    const rp_bag *doc;
    /* mslr and paper */
    double covered, terms, length, bm25; /* terms: M or |V| */
    rp_moments tf, tfl, tfidf;
    /* sim: L2-normalised tf*idf; P(t|C) of the query's terms */
    const rp_weighted *query_w, *doc_w; /* [nquery_w], [ndoc_w] ascending terms */
    size_t nquery_w, ndoc_w;
    const double *background; /* [nquery] */
    /* bert and t5: mean-pooled embeddings (encoder.h) */
    const float *query_x, *doc_x; /* [width] */
    size_t width;
} rp_evidence;

typedef struct rp_feature {
    const char *name, *meaning;
    rp_family family;
    double (*value)(const rp_evidence *e);
} rp_feature;

extern const rp_feature rp_features_table[];
extern const size_t rp_features_count;
/* The option ("bert", "t5") that the feature needs and o does not give; NULL: it can be computed.
 */
const char *rp_feature_lacks(const rp_feature *f, const rp_features_options *o);

/* The similarities' functions, in similarity.c. */
double rp_similarity_cosine(const rp_evidence *e);
double rp_similarity_euclidean(const rp_evidence *e);
double rp_similarity_manhattan(const rp_evidence *e);
double rp_similarity_kl(const rp_evidence *e);
double rp_similarity_js(const rp_evidence *e);
double rp_similarity_paper_kl(const rp_evidence *e);
double rp_similarity_embedded_cosine(const rp_evidence *e); /* 0 where an embedding is 0 */
double rp_similarity_embedded_euclidean(const rp_evidence *e);
double rp_similarity_embedded_manhattan(const rp_evidence *e);

/* ---- from bags to evidence ---- */

/* Document frequencies and lengths of the world that idf looks at. */
typedef struct rp_world {
    double N, avgdl, terms, mean_idf;
    const double *n;  /* [vocabulary of the list] documents with the term */
    const double *cf; /* the same, occurrences */
} rp_world;

typedef struct rp_feature_settings {
    rp_idf idf;         /* of mslr's tf*idf */
    rp_bm25 bm25;       /* of mslr.bm25 */
    rp_world world;     /* of mslr and of sim.kl's P(t|C) */
    rp_world idf_world; /* of sim's idf: the collection, unless sim_pooled */
    rp_world pool;      /* the candidate list itself */
    bool sim_pooled;    /* sim's idf from {query} + candidates */
} rp_feature_settings;

/* Per thread and list: weights that all pairs of a list share. */
typedef struct rp_evidence_maker rp_evidence_maker;
/* family: whose evidence is made, one of terms; list and settings must outlive it. */
rp_status rp_evidence_maker_new(rp_evidence_maker **maker, rp_family family,
                                const rp_candidates *list, const rp_feature_settings *settings,
                                rp_error *err);
void rp_evidence_maker_free(rp_evidence_maker *maker);
/* Evidence of document d; valid until the next call. */
void rp_evidence_make(rp_evidence_maker *maker, rp_evidence *e, size_t d);

#endif
