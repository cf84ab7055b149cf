/* The job: a run and its texts in, a table of features out. */
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/memory.h"
#include "feature/encoder.h"
#include "feature/write.h"
#include "retrieve/scan.h"

void rp_features_options_init(rp_features_options *o)
{
    *o = (rp_features_options){.select = "mslr.*,sim.*",
                               .analyzer = "standard",
                               .stats = "collection",
                               .sim_stats = "pool",
                               .idf = "lucene",
                               .bm25 = "anserini",
                               .k1 = NAN,
                               .b = NAN,
                               .memory = (size_t)2 << 30,
                               .format = "tsv",
                               .output = "-"};
    rp_inputs_init(&o->in);
}

/* A topic's list in one analysis, and where its terms are in the collection's statistics. */
typedef struct topic {
    rp_candidates list;
    double *n, *cf;   /* [vocabulary] of the collection */
    double *pooled_n; /* [vocabulary] of the list */
} topic;

typedef struct job {
    const rp_features_options *o;
    const rp_host *host;
    int threads;
    rp_pairs pairs;
    rp_columns columns;
    bool mslr, paper, sim;
    rp_encoder *bert, *t5; /* NULL: no column needs it */
    bool scan, sim_scan;   /* mslr or sim.kl, sim's idf look at the collection */
    rp_feature_settings settings;
    topic *topic;         /* [ntopics] in the analysis of mslr and sim */
    topic *paper_topic;   /* [ntopics] in scikit-learn's; may be the same */
    rp_vocabulary wanted; /* terms to look for in the collection */
    double *n, *cf;       /* [wanted] */
    rp_scan_totals totals;
    size_t empty;
    rp_error *errors; /* [ntopics] */
} job;

static void release_topics(topic *topics, size_t n)
{
    for (size_t i = 0; topics && i < n; i++) {
        rp_candidates_release(&topics[i].list);
        free(topics[i].n);
        free(topics[i].cf);
        free(topics[i].pooled_n);
    }
    free(topics);
}

static void release(job *j)
{
    if (j->paper_topic != j->topic) release_topics(j->paper_topic, j->pairs.ntopics);
    release_topics(j->topic, j->pairs.ntopics);
    rp_vocabulary_release(&j->wanted);
    free(j->n);
    free(j->cf);
    free(j->errors);
    rp_encoder_free(j->bert);
    rp_encoder_free(j->t5);
    rp_columns_release(&j->columns);
    rp_pairs_release(&j->pairs);
}

static rp_status check_choice(const char *value, const char *a, const char *b, const char *what,
                              rp_error *err)
{
    if (!strcmp(value, a) || !strcmp(value, b)) return RP_OK;
    return rp_fail(err, RP_EARG, "no %s '%s'; there are %s, %s", what, value, a, b);
}

static rp_status check(job *j, rp_error *err)
{
    const rp_features_options *o = j->o;
    if (!o->in.run) return rp_fail(err, RP_EARG, "features needs a run");
    rp_status status = rp_analyzer_check(o->analyzer, err);
    if (!status) status = check_choice(o->stats, "collection", "pool", "stats", err);
    if (!status) status = check_choice(o->sim_stats, "pool", "collection", "sim stats", err);
    if (!status) status = check_choice(o->format, "tsv", "letor", "format", err);
    if (!status) status = rp_idf_find(&j->settings.idf, o->idf, err);
    if (!status) status = rp_bm25_find(&j->settings.bm25, o->bm25, o->k1, o->b, err);
    if (!status) status = rp_columns_init(&j->columns, o, err);
    if (status) return status;
    j->mslr = rp_columns_have(&j->columns, RP_MSLR);
    j->paper = rp_columns_have(&j->columns, RP_PAPER);
    j->sim = rp_columns_have(&j->columns, RP_SIM);
    j->sim_scan = j->sim && !strcmp(o->sim_stats, "collection");
    j->scan = ((j->mslr || j->sim) && !strcmp(o->stats, "collection")) || j->sim_scan;
    j->settings.sim_pooled = !j->sim_scan;
    if (j->scan && !o->in.collection) {
        return rp_fail(err, RP_EARG,
                       "no collection to take statistics from; name one, or ask for stats 'pool'");
    }
    return RP_OK;
}

static rp_status open_encoder(const job *j, rp_encoder **encoder, rp_family family,
                              const char *path, rp_error *err)
{
    const rp_model_source source = {.path = path, .models = j->o->models};
    if (!path) return RP_OK;
    if (rp_columns_have(&j->columns, family)) return rp_encoder_open(encoder, &source, err);
    rp_host_warn(j->host, "no column needs the encoder '%s'", path);
    return RP_OK;
}

static rp_status first_error(const job *j, rp_error *err)
{
    for (size_t t = 0; t < j->pairs.ntopics; t++) {
        if (!j->errors[t].status) continue;
        if (err) *err = j->errors[t];
        return j->errors[t].status;
    }
    return RP_OK;
}

static rp_status analyse_topic(job *j, topic *topics, size_t t, rp_analyzer *analyzer,
                               rp_error *err)
{
    topic *to = &topics[t];
    size_t begin = j->pairs.first[t];
    rp_status status = rp_candidates_init(&to->list, j->pairs.pair + begin,
                                          j->pairs.first[t + 1] - begin, analyzer, err);
    if (status) return status;
    size_t n = to->list.vocabulary.n;
    to->pooled_n = rp_alloc(n + 1, sizeof *to->pooled_n);
    if (!to->pooled_n) return rp_fail_memory(err, n * sizeof *to->pooled_n);
    for (size_t i = 0; i < n; i++) {
        to->pooled_n[i] = (double)to->list.vocabulary.term[i].documents;
    }
    return RP_OK;
}

/* Analyses all candidate lists, topics in parallel. */
static rp_status analyse_topics(job *j, topic **topics, const char *analyzer_name, rp_error *err)
{
    *topics = rp_alloc(j->pairs.ntopics + 1, sizeof **topics);
    if (!*topics) return rp_fail_memory(err, j->pairs.ntopics * sizeof **topics);
    topic *all = *topics;
#pragma omp parallel num_threads(j->threads)
    {
        rp_analyzer *analyzer;
        rp_error own = {0};
        rp_analyzer_new(&analyzer, analyzer_name, &own);
#pragma omp for schedule(dynamic)
        for (size_t t = 0; t < j->pairs.ntopics; t++) {
            if (analyzer) {
                analyse_topic(j, all, t, analyzer, &j->errors[t]);
            } else {
                j->errors[t] = own;
            }
        }
        rp_analyzer_free(analyzer);
    }
    return first_error(j, err);
}

/* ---- the collection's statistics ---- */

static rp_status count_block(void *arg, const rp_scan_block *block, rp_error *err)
{
    (void)err;
    job *j = arg;
    for (size_t i = 0; i < block->npostings; i++) {
        j->n[block->posting[i].term] += 1;
        j->cf[block->posting[i].term] += block->posting[i].f;
    }
    return RP_OK;
}

/* The terms whose statistics are needed: the queries', and the passages' for sim's idf. */
static size_t needed(const job *j, const topic *t)
{
    return j->sim_scan ? t->list.vocabulary.n : t->list.nquery;
}

static rp_status scan_collection(job *j, rp_error *err)
{
    rp_status status = rp_vocabulary_init(&j->wanted, err);
    for (size_t t = 0; t < j->pairs.ntopics && !status; t++) {
        const rp_vocabulary *v = &j->topic[t].list.vocabulary;
        for (size_t i = 0; i < needed(j, &j->topic[t]) && !status; i++) {
            size_t index;
            status = rp_vocabulary_add(&j->wanted, &index, v->term[i].text, v->term[i].len, err);
        }
    }
    if (status) return status;
    j->n = rp_alloc(j->wanted.n + 1, sizeof *j->n);
    j->cf = rp_alloc(j->wanted.n + 1, sizeof *j->cf);
    if (!j->n || !j->cf) return rp_fail_memory(err, j->wanted.n * sizeof *j->n);
    const rp_scan_options scan = {.collection = j->o->in.collection,
                                  .format = j->o->in.collection_format,
                                  .analyzer = j->o->analyzer,
                                  .terms = j->wanted.map,
                                  .vocabulary = j->settings.bm25.floor && j->mslr,
                                  .threads = j->threads};
    return rp_scan(&scan, &j->totals, count_block, j, j->host, err);
}

/* Copies the collection's statistics of a list's terms to where its features look for them. */
static rp_status look_up(const job *j, topic *t, rp_error *err)
{
    size_t n = t->list.vocabulary.n;
    t->n = rp_alloc(n + 1, sizeof *t->n);
    t->cf = rp_alloc(n + 1, sizeof *t->cf);
    if (!t->n || !t->cf) return rp_fail_memory(err, n * sizeof *t->n);
    for (size_t i = 0; i < needed(j, t); i++) {
        const rp_vocable *v = &t->list.vocabulary.term[i];
        size_t at = rp_map_get(j->wanted.map, v->text, v->len);
        t->n[i] = j->n[at];
        t->cf[i] = j->cf[at];
    }
    return RP_OK;
}

static rp_world pool_of(const topic *t)
{
    const rp_candidates *list = &t->list;
    rp_world w = {.N = (double)list->ndocs,
                  .avgdl = list->terms / (double)list->ndocs,
                  .terms = list->terms,
                  .n = t->pooled_n,
                  .cf = list->occurrences};
    for (size_t i = 0; i < list->vocabulary.n; i++) {
        if (w.n[i] <= 0) continue;
        w.mean_idf += log(w.N - w.n[i] + .5) - log(w.n[i] + .5);
    }
    if (list->nvocables) w.mean_idf /= (double)list->nvocables;
    return w;
}

static rp_world world_of(const job *j, const topic *t)
{
    return (rp_world){.N = (double)j->totals.documents,
                      .avgdl = (double)j->totals.terms / (double)j->totals.documents,
                      .terms = (double)j->totals.terms,
                      .mean_idf = j->totals.mean_idf,
                      .n = t->n,
                      .cf = t->cf};
}

/* ---- values ---- */

static rp_status fill_family(job *j, const topic *topics, size_t t, rp_family family,
                             const rp_feature_settings *settings, rp_error *err)
{
    const rp_candidates *list = &topics[t].list;
    rp_evidence_maker *maker;
    rp_status status = rp_evidence_maker_new(&maker, family, list, settings, err);
    for (size_t d = 0; d < list->ndocs && !status; d++) {
        rp_evidence e;
        rp_evidence_make(maker, &e, d);
        rp_columns_fill(&j->columns, j->pairs.first[t] + d, family, &e);
    }
    rp_evidence_maker_free(maker);
    return status;
}

static rp_status fill_topic(job *j, size_t t, rp_error *err)
{
    rp_feature_settings settings = j->settings;
    rp_status status = RP_OK;
    if (j->paper) {
        settings.pool = pool_of(&j->paper_topic[t]);
        status = fill_family(j, j->paper_topic, t, RP_PAPER, &settings, err);
    }
    if (status || !j->topic) return status;
    if (j->scan) status = look_up(j, &j->topic[t], err);
    if (status) return status;
    settings.pool = pool_of(&j->topic[t]);
    rp_world collection = j->scan ? world_of(j, &j->topic[t]) : settings.pool;
    bool pooled = !strcmp(j->o->stats, "pool");
    settings.world = pooled ? settings.pool : collection;
    if (j->mslr) status = fill_family(j, j->topic, t, RP_MSLR, &settings, err);
    settings.idf_world = j->sim_scan ? collection : settings.pool;
    if (j->sim && !status) status = fill_family(j, j->topic, t, RP_SIM, &settings, err);
    return status;
}

static rp_status fill(job *j, rp_error *err)
{
    rp_status status = rp_columns_allocate(&j->columns, j->pairs.n, err);
    if (status) return status;
#pragma omp parallel for schedule(dynamic) num_threads(j->threads)
    for (size_t t = 0; t < j->pairs.ntopics; t++) fill_topic(j, t, &j->errors[t]);
    return first_error(j, err);
}

static rp_status fill_embedded(job *j, const rp_encoder *encoder, rp_family family,
                               const rp_passages *texts, rp_error *err)
{
    if (!encoder) return RP_OK;
    size_t D = rp_encoder_about(encoder)->width;
    const rp_encoder_work work = {.memory = j->o->memory,
                                  .threads = j->threads,
                                  .what = family == RP_BERT ? "embedding texts by bert"
                                                            : "embedding texts by t5",
                                  .host = j->host};
    float *x = rp_alloc(texts->n + 1, D * sizeof *x);
    if (!x) return rp_fail_memory(err, texts->n * D * sizeof *x);
    rp_status status = rp_encoder_embed(encoder, x, texts->item, texts->n, &work, err);
    for (size_t i = 0; i < j->pairs.n && !status; i++) {
        const rp_evidence e = {.query_x = x + j->pairs.pair[i].topic * D,
                               .doc_x = x + texts->of_pair[i] * D,
                               .width = D};
        rp_columns_fill(&j->columns, i, family, &e);
    }
    free(x);
    return status;
}

/* One encoder after the other, so that only one's embeddings are in memory. */
static rp_status fill_similarities(job *j, rp_error *err)
{
    rp_passages texts;
    if (!j->bert && !j->t5) return RP_OK;
    rp_status status = rp_passages_init(&texts, &j->pairs, err);
    if (!status) status = fill_embedded(j, j->bert, RP_BERT, &texts, err);
    if (!status) status = fill_embedded(j, j->t5, RP_T5, &texts, err);
    rp_passages_release(&texts);
    return status;
}

static void count_empty(job *j)
{
    const topic *topics = j->topic ? j->topic : j->paper_topic;
    for (size_t t = 0; topics && t < j->pairs.ntopics; t++) {
        const rp_candidates *list = &topics[t].list;
        for (size_t d = 0; d < list->ndocs; d++) j->empty += !list->nquery || !list->doc[d].n;
    }
    if (j->empty) {
        rp_host_warn(j->host,
                     "%zu of %zu pairs have no query terms or no passage terms: their features "
                     "of terms are 0",
                     j->empty, j->pairs.n);
    }
}

static rp_status run(job *j, rp_error *err)
{
    const rp_inputs *in = &j->o->in;
    const char *const inputs[] = {in->collection, in->queries, in->run, in->qrels};
    rp_status status = check(j, err);
    if (!status) status = rp_out_check(j->o->output, inputs, 4, err);
    if (!status) status = rp_out_check(j->o->labels, inputs, 4, err);
    if (!status) status = rp_out_distinct(j->o->output, j->o->labels, err);
    if (!status) status = open_encoder(j, &j->bert, RP_BERT, j->o->bert, err);
    if (!status) status = open_encoder(j, &j->t5, RP_T5, j->o->t5, err);
    if (!status) status = rp_pairs_load(&j->pairs, &j->o->in, j->host, err);
    if (status) return status;
    j->errors = rp_alloc(j->pairs.ntopics + 1, sizeof *j->errors);
    if (!j->errors) return rp_fail_memory(err, j->pairs.ntopics * sizeof *j->errors);
    if (j->mslr || j->sim) status = analyse_topics(j, &j->topic, j->o->analyzer, err);
    bool same = j->topic && !strcmp(j->o->analyzer, "sklearn");
    if (j->paper && same) j->paper_topic = j->topic;
    if (j->paper && !same && !status) {
        status = analyse_topics(j, &j->paper_topic, "sklearn", err);
    }
    if (j->scan && !status) status = scan_collection(j, err);
    if (!status) status = fill(j, err);
    if (!status) status = fill_similarities(j, err);
    if (!status) status = rp_columns_derive(&j->columns, j->pairs.pair, err);
    if (status) return status;
    count_empty(j);
    const rp_features_origin origin = {.o = j->o,
                                       .host = j->host,
                                       .bert = j->bert,
                                       .t5 = j->t5,
                                       .scanned = j->scan,
                                       .documents = (double)j->totals.documents,
                                       .avgdl = (double)j->totals.terms /
                                                (double)(j->scan ? j->totals.documents : 1),
                                       .empty = j->empty};
    return rp_features_write(&j->columns, &j->pairs, &origin, err);
}

rp_status rp_features(const rp_features_options *o, const rp_host *host, rp_error *err)
{
    job j = {.o = o, .host = host};
    j.threads = o->threads > 0 ? o->threads : omp_get_max_threads();
    rp_status status = run(&j, err);
    release(&j);
    return status;
}
