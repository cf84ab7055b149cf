/* The table of features. */
#include "feature/feature.h"

static double covered_number(const rp_evidence *e)
{
    return e->covered;
}

static double covered_ratio(const rp_evidence *e)
{
    return e->terms > 0 ? e->covered / e->terms : 0;
}

static double stream_length(const rp_evidence *e)
{
    return e->length;
}

static double bm25(const rp_evidence *e)
{
    return e->bm25;
}

#define MOMENT(of, what)                                                                           \
    static double what##_##of(const rp_evidence *e)                                                \
    {                                                                                              \
        return e->of.what;                                                                         \
    }
#define MOMENTS(of) MOMENT(of, sum) MOMENT(of, min) MOMENT(of, max) MOMENT(of, mean) MOMENT(of, var)
MOMENTS(tf)
MOMENTS(tfl)
MOMENTS(tfidf)

#define MSLR(name, value, meaning)                                                                 \
    {                                                                                              \
        "mslr." name, meaning, RP_MSLR, value                                                      \
    }
#define PAPER(name, value, meaning)                                                                \
    {                                                                                              \
        "paper." name, meaning, RP_PAPER, value                                                    \
    }
#define SIM(name, value, meaning)                                                                  \
    {                                                                                              \
        "sim." name, meaning, RP_SIM, rp_similarity_##value                                        \
    }

const rp_feature rp_features_table[] = {
    MSLR("covered_qt_number", covered_number, "query terms that occur in the passage"),
    MSLR("covered_qt_ratio", covered_ratio, "the same, of all query terms"),
    MSLR("stream_length", stream_length, "terms of the passage"),
    MSLR("sum_tf", sum_tf, "sum over query terms of occurrences in the passage"),
    MSLR("min_tf", min_tf, "smallest number of occurrences of a query term"),
    MSLR("max_tf", max_tf, "largest number of occurrences of a query term"),
    MSLR("mean_tf", mean_tf, "mean number of occurrences of a query term"),
    MSLR("var_tf", var_tf, "variance of the numbers of occurrences"),
    MSLR("sum_tfl", sum_tfl, "sum over query terms of occurrences / passage length"),
    MSLR("min_tfl", min_tfl, "smallest occurrences / passage length"),
    MSLR("max_tfl", max_tfl, "largest occurrences / passage length"),
    MSLR("mean_tfl", mean_tfl, "mean occurrences / passage length"),
    MSLR("var_tfl", var_tfl, "variance of occurrences / passage length"),
    MSLR("sum_tfidf", sum_tfidf, "sum over query terms of occurrences x idf"),
    MSLR("min_tfidf", min_tfidf, "smallest occurrences x idf"),
    MSLR("max_tfidf", max_tfidf, "largest occurrences x idf"),
    MSLR("mean_tfidf", mean_tfidf, "mean occurrences x idf"),
    MSLR("var_tfidf", var_tfidf, "variance of occurrences x idf"),
    MSLR("bm25", bm25, "BM25 over the query's distinct terms"),
    PAPER("covered_qt_number", covered_number, "query terms that occur anywhere in the list"),
    PAPER("covered_qt_ratio", covered_ratio, "the same / size of the list's vocabulary"),
    PAPER("stream_length", stream_length, "terms of the passage"),
    PAPER("sum_tf", sum_tf, "sum over the list's vocabulary of occurrences"),
    PAPER("min_tf", min_tf, "smallest number of occurrences over the vocabulary"),
    PAPER("max_tf", max_tf, "largest number of occurrences over the vocabulary"),
    PAPER("mean_tf", mean_tf, "mean number of occurrences over the vocabulary"),
    PAPER("var_tf", var_tf, "variance of the occurrences over the vocabulary"),
    PAPER("sum_tfl", sum_tfl, "sum over the vocabulary of occurrences / length"),
    PAPER("min_tfl", min_tfl, "smallest occurrences / length over the vocabulary"),
    PAPER("max_tfl", max_tfl, "largest occurrences / length over the vocabulary"),
    PAPER("mean_tfl", mean_tfl, "mean occurrences / length over the vocabulary"),
    PAPER("var_tfl", var_tfl, "variance of occurrences / length over the vocabulary"),
    PAPER("sum_tfidf", sum_tfidf, "sum of the passage's normalised tf*idf row"),
    PAPER("min_tfidf", min_tfidf, "minimum of the row over the vocabulary"),
    PAPER("max_tfidf", max_tfidf, "maximum of the row"),
    PAPER("mean_tfidf", mean_tfidf, "mean of the row over the vocabulary"),
    PAPER("var_tfidf", var_tfidf, "variance of the row over the vocabulary"),
    PAPER("bm25", bm25, "rank_bm25's BM25Okapi with the list as corpus"),
    {"paper.kl", "KL divergence of the term distributions, 1e-10 inside both logarithms", RP_PAPER,
     rp_similarity_paper_kl},
    {"paper.euclidean_bert", "Euclidean distance of the BERT embeddings, not normalised", RP_BERT,
     rp_similarity_embedded_euclidean},
    {"paper.manhattan_bert", "Manhattan distance of the BERT embeddings, not normalised", RP_BERT,
     rp_similarity_embedded_manhattan},
    SIM("tfidf_cosine", cosine, "cosine of the tf*idf vectors"),
    SIM("euclidean", euclidean, "Euclidean distance of the normalised tf*idf vectors"),
    SIM("manhattan", manhattan, "Manhattan distance of the normalised tf*idf vectors"),
    SIM("kl", kl, "KL divergence of query from Dirichlet-smoothed passage model, mu 2000"),
    SIM("js", js, "Jensen-Shannon divergence of the term distributions"),
    {"sim.bert_cosine", "cosine of the mean-pooled BERT embeddings (--bert)", RP_BERT,
     rp_similarity_embedded_cosine},
    {"sim.t5_cosine", "cosine of the mean-pooled T5 encoder's embeddings (--t5)", RP_T5,
     rp_similarity_embedded_cosine},
};
const size_t rp_features_count = sizeof rp_features_table / sizeof *rp_features_table;

const char *rp_feature_lacks(const rp_feature *f, const rp_features_options *o)
{
    if (f->family == RP_BERT && !o->bert) return "bert";
    if (f->family == RP_T5 && !o->t5) return "t5";
    return NULL;
}

const char *rp_features_at(size_t i, const char **meaning)
{
    if (i >= rp_features_count) return NULL;
    *meaning = rp_features_table[i].meaning;
    return rp_features_table[i].name;
}
