/*
 * study.yaml in memory. The one thing to know: every error names the file and the line, and an
 * unknown key is an error, with the nearest key that exists.
 *
 *     title: Debian package descriptions
 *     output: ../out/demo                       # folder of everything the study writes
 *     model: model                              # Hugging Face directory, or a name
 *     data:
 *       collection: ../out/demo/data/collection.tsv
 *       queries: [../out/demo/data/queries.demo.tsv]
 *       run: []                                 # none: BM25 finds the candidates
 *       qrels: [../out/demo/data/qrels.txt]
 *       top: 50
 *
 * Paths are relative to the folder of the file; a model that is no path there may be a name such as
 * org/name. docs/FORMATS.md lists every key with its default.
 */
#ifndef RP_STUDY_CONFIG_H
#define RP_STUDY_CONFIG_H

#include "base/error.h"

typedef struct rp_study_list {
    char **item; /* [n] */
    uint32_t n;
} rp_study_list;

/* Numbers that may be left out are pointers; NULL: the job's own default. */
typedef struct rp_study_data {
    char *collection, *collection_format, *queries_format, *run_format, *qrels_format;
    rp_study_list queries, run, qrels; /* several files are joined */
    uint64_t *top;
} rp_study_data;

typedef struct rp_study_search {
    char *analyzer, *bm25;
    double *k1, *b;
    uint64_t *top;
} rp_study_search;

typedef struct rp_study_features {
    rp_study_list select, derive;
    char *analyzer, *stats, *sim_stats, *idf, *bm25;
    double *k1, *b;
    char *bert, *t5; /* encoders */
} rp_study_features;

typedef struct rp_study_template {
    char *name, *custom;
    uint64_t *max_query, *max_passage;
} rp_study_template;

typedef struct rp_study_capture {
    rp_study_list views;
    char *dtype, *memory;
    uint64_t *shard_rows;
    bool *score; /* false: a base model without a score head */
} rp_study_capture;

typedef struct rp_study_probe {
    rp_study_list select, views, protocols;
    char *layers, *method, *gains, *memory;
    char *transfer, *transfer_features; /* another store and its features */
    double *penalty, *l1_ratio, *pfer;
    uint64_t *folds, *inner, *bootstrap, *permutations, *stability, *seed;
    int64_t *balance;
    bool *controls;
    bool *predictions, *coefficients, *units, *differences, *ksparse; /* files beside probes.tsv */
} rp_study_probe;

typedef struct rp_study_evaluate {
    rp_study_list measures;
    uint64_t *relevance;
} rp_study_evaluate;

/* What the YAML maps to. Sections are always there; keys that were left out are NULL or empty. */
typedef struct rp_study_keys {
    char *title, *output, *model, *base, *models;
    rp_study_data data;
    rp_study_search search;
    rp_study_features features;
    rp_study_template template_;
    rp_study_capture capture;
    rp_study_probe probe;
    rp_study_evaluate evaluate;
} rp_study_keys;

typedef struct rp_study_config {
    rp_study_keys *keys;        /* paths in it are ready to open */
    char *model_dir, *base_dir; /* where model and base lie, known after _load; base_dir: of an
                                 * adapter's base model, else NULL */
    char *bert_dir, *t5_dir;    /* the same of the features' encoders; NULL: none */
    size_t memory;              /* bytes of capture.memory; 0: the job's default */
    size_t probe_memory;        /* the same of probe.memory */
    char *path;                 /* of study.yaml */
    struct rp_yaml_node *node;  /* [nodes] for errors found later */
    size_t nodes;
    struct rp_arena *arena; /* resolved paths and joined lists */
} rp_study_config;

rp_status rp_study_config_load(rp_study_config *config, const char *path, rp_error *err);
/* The same from bytes in memory; `path` is for errors and relative paths. Files are not looked at.
 */
rp_status rp_study_config_parse(rp_study_config *config, const char *path, const void *data,
                                size_t size, rp_error *err);
void rp_study_config_release(rp_study_config *config);
/* Line of a key such as "data.queries" or "data.queries[1]"; of its section when it is not there.
 */
size_t rp_study_config_line(const rp_study_config *config, const char *key);
/* "a,b,c" in the config's arena, NULL for an empty list or without memory. */
const char *rp_study_config_join(const rp_study_config *config, const rp_study_list *list);

#endif
