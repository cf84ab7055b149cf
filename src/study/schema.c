#include "study/schema.h"

#include "study/config.h"

#define PRESENT CYAML_FLAG_POINTER
#define OPTIONAL (CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL)

#define TEXT(key, type, member)                                                                    \
    CYAML_FIELD_STRING_PTR(key, OPTIONAL, type, member, 0, CYAML_UNLIMITED)
#define COUNT(key, type, member) CYAML_FIELD_UINT_PTR(key, OPTIONAL, type, member)
#define WHOLE(key, type, member) CYAML_FIELD_INT_PTR(key, OPTIONAL, type, member)
#define NUMBER(key, type, member) CYAML_FIELD_FLOAT_PTR(key, OPTIONAL, type, member)
#define TRUTH(key, type, member) CYAML_FIELD_BOOL_PTR(key, OPTIONAL, type, member)
#define LIST(key, type, member)                                                                    \
    CYAML_FIELD_SEQUENCE_COUNT(key, OPTIONAL, type, member.item, member.n, &text_schema, 0,        \
                               CYAML_UNLIMITED)
#define SECTION(key, type, member, fields)                                                         \
    CYAML_FIELD_MAPPING(key, CYAML_FLAG_OPTIONAL, type, member, fields)

static const cyaml_schema_value_t text_schema = {
    CYAML_VALUE_STRING(PRESENT, char, 0, CYAML_UNLIMITED)};

static const cyaml_schema_field_t data_fields[] = {
    TEXT("collection", rp_study_data, collection),
    TEXT("collection_format", rp_study_data, collection_format),
    LIST("queries", rp_study_data, queries),
    TEXT("queries_format", rp_study_data, queries_format),
    LIST("run", rp_study_data, run),
    TEXT("run_format", rp_study_data, run_format),
    LIST("qrels", rp_study_data, qrels),
    TEXT("qrels_format", rp_study_data, qrels_format),
    COUNT("top", rp_study_data, top),
    CYAML_FIELD_END};

static const cyaml_schema_field_t search_fields[] = {
    TEXT("analyzer", rp_study_search, analyzer), TEXT("bm25", rp_study_search, bm25),
    NUMBER("k1", rp_study_search, k1),           NUMBER("b", rp_study_search, b),
    COUNT("top", rp_study_search, top),          CYAML_FIELD_END};

static const cyaml_schema_field_t feature_fields[] = {
    LIST("select", rp_study_features, select),
    LIST("derive", rp_study_features, derive),
    TEXT("analyzer", rp_study_features, analyzer),
    TEXT("stats", rp_study_features, stats),
    TEXT("sim_stats", rp_study_features, sim_stats),
    TEXT("idf", rp_study_features, idf),
    TEXT("bm25", rp_study_features, bm25),
    NUMBER("k1", rp_study_features, k1),
    NUMBER("b", rp_study_features, b),
    TEXT("bert", rp_study_features, bert),
    TEXT("t5", rp_study_features, t5),
    CYAML_FIELD_END};

static const cyaml_schema_field_t template_fields[] = {
    TEXT("name", rp_study_template, name), TEXT("custom", rp_study_template, custom),
    COUNT("max_query", rp_study_template, max_query),
    COUNT("max_passage", rp_study_template, max_passage), CYAML_FIELD_END};

static const cyaml_schema_field_t capture_fields[] = {
    LIST("views", rp_study_capture, views),   TEXT("dtype", rp_study_capture, dtype),
    TEXT("memory", rp_study_capture, memory), COUNT("shard_rows", rp_study_capture, shard_rows),
    TRUTH("score", rp_study_capture, score),  CYAML_FIELD_END};

static const cyaml_schema_field_t probe_fields[] = {
    LIST("select", rp_study_probe, select),
    LIST("views", rp_study_probe, views),
    LIST("protocols", rp_study_probe, protocols),
    TEXT("layers", rp_study_probe, layers),
    TEXT("method", rp_study_probe, method),
    NUMBER("penalty", rp_study_probe, penalty),
    NUMBER("l1_ratio", rp_study_probe, l1_ratio),
    COUNT("folds", rp_study_probe, folds),
    COUNT("inner", rp_study_probe, inner),
    COUNT("bootstrap", rp_study_probe, bootstrap),
    COUNT("permutations", rp_study_probe, permutations),
    WHOLE("balance", rp_study_probe, balance),
    TEXT("gains", rp_study_probe, gains),
    COUNT("stability", rp_study_probe, stability),
    NUMBER("pfer", rp_study_probe, pfer),
    TEXT("memory", rp_study_probe, memory),
    COUNT("seed", rp_study_probe, seed),
    TRUTH("controls", rp_study_probe, controls),
    TEXT("transfer", rp_study_probe, transfer),
    TEXT("transfer_features", rp_study_probe, transfer_features),
    TRUTH("predictions", rp_study_probe, predictions),
    TRUTH("coefficients", rp_study_probe, coefficients),
    TRUTH("units", rp_study_probe, units),
    TRUTH("differences", rp_study_probe, differences),
    TRUTH("ksparse", rp_study_probe, ksparse),
    CYAML_FIELD_END};

static const cyaml_schema_field_t evaluate_fields[] = {
    LIST("measures", rp_study_evaluate, measures), COUNT("relevance", rp_study_evaluate, relevance),
    CYAML_FIELD_END};

static const cyaml_schema_field_t study_fields[] = {
    TEXT("title", rp_study_keys, title),
    TEXT("output", rp_study_keys, output),
    TEXT("model", rp_study_keys, model),
    TEXT("base", rp_study_keys, base),
    TEXT("models", rp_study_keys, models),
    SECTION("data", rp_study_keys, data, data_fields),
    SECTION("search", rp_study_keys, search, search_fields),
    SECTION("features", rp_study_keys, features, feature_fields),
    SECTION("template", rp_study_keys, template_, template_fields),
    SECTION("capture", rp_study_keys, capture, capture_fields),
    SECTION("probe", rp_study_keys, probe, probe_fields),
    SECTION("evaluate", rp_study_keys, evaluate, evaluate_fields),
    CYAML_FIELD_END};

const cyaml_schema_value_t rp_study_schema = {
    CYAML_VALUE_MAPPING(PRESENT, rp_study_keys, study_fields)};

const rp_study_choice rp_study_choices[] = {
    {"data.collection_format", "auto|tsv|beir|tevatron"},
    {"data.queries_format", "auto|tsv|beir"},
    {"data.run_format", "auto|trec|msmarco|top1000"},
    {"data.qrels_format", "auto|trec|beir"},
    {"search.analyzer", "standard|english|sklearn"},
    {"search.bm25", "anserini|msmarco|okapi"},
    {"features.analyzer", "standard|english|sklearn"},
    {"features.stats", "collection|pool"},
    {"features.sim_stats", "pool|collection"},
    {"features.idf", "lucene|robertson|smooth|plain"},
    {"features.bm25", "anserini|msmarco|okapi"},
    {"template.name", "auto|pair|rankllama-pair|rankllama-string|rankllama-eos|custom"},
    {"capture.dtype", "f32|f16|bf16|i8"},
    {"probe.protocols", "sound|paper-text|paper-code"},
    {"probe.method", "ridge|lasso"},
    {NULL, NULL}};
