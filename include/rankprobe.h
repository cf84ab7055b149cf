/*
 * rankprobe: what a ranking language model knows about relevance.
 *
 * The library is a chain of jobs. Each job reads files that researchers already have, or that the
 * job before it wrote, and writes one documented file (docs/FORMATS.md), so any step can be rerun,
 * replaced or fed by another tool. The command line is a thin layer over this page.
 *
 *     rp_search   collection, queries         -> TREC run
 *     rp_features run, texts                  -> features.tsv | LETOR, label report
 *     rp_score    model, run, texts           -> TREC run
 *     rp_doctor   model                       -> what was understood of it
 *     rp_eval     qrels, runs                 -> table
 *     rp_capture  model, run, texts           -> activation store (and the scores)
 *     rp_probe    store, features             -> probes.tsv
 *     rp_report   probes, labels              -> figures, tables, one HTML page
 *     rp_study    study.yaml                  -> all of the above, resumable
 *
 * Conventions. Every function that can fail returns rp_status (0 is success) and explains itself in
 * *err, which may be NULL. The library never prints and never exits: it talks through rp_host.
 * Options structs are filled by their _init function; a NULL path means "none", "-" is a standard
 * stream. Strings in an options struct belong to the caller and must outlive the call. Handles are
 * made by _open and destroyed by _free, which accepts NULL. Outputs appear whole or not at all.
 * Shapes stand in brackets: B pairs, T tokens, L layers, D width, N rows, P features.
 */
#ifndef RANKPROBE_H
#define RANKPROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RP_VERSION "0.1.0"

/* ---- errors and the host ------------------------------------------------------------------- */

typedef enum rp_status {
    RP_OK,
    RP_EARG,     /* the caller asked for something that cannot be: exit code 2 */
    RP_EIO,      /* the operating system refused: file missing, disk full */
    RP_EFORMAT,  /* a file is not what it should be; the text names file, line and value */
    RP_ENOMEM,   /* memory refused, or a size from a file is beyond what is allowed */
    RP_ECOMPUTE, /* a numerical method failed, with the reason */
    RP_ECANCEL   /* the host's progress function asked to stop */
} rp_status;

typedef struct rp_error {
    rp_status status;
    char text[508]; /* what went wrong first, lower case, no full stop */
} rp_error;

/* How the library talks to the program around it. Every member may be NULL. */
typedef struct rp_host {
    void *arg;
    /* `done` of `total` units of `what` (total 0: unknown); a non-zero answer cancels the job.
     * Called from the thread that called the job. */
    int (*progress)(void *arg, const char *what, size_t done, size_t total);
    void (*warn)(void *arg, const char *text); /* something the user should look into, one line */
    void (*note)(void *arg, const char *text); /* what was done, or was done already, one line */
    const char *command;                       /* the command line, written into outputs */
} rp_host;

const char *rp_version(void);

/* ---- what the jobs read -------------------------------------------------------------------- */

/* Where the pairs of a job come from. A format is "auto" (recognised from the content) or
 *   collection: "tsv" (pid TAB text), "beir" (corpus.jsonl or its directory), "tevatron"
 *   queries:    "tsv", "beir"
 *   run:        "trec", "msmarco" (qid pid rank), "top1000" (qid pid query passage)
 *   qrels:      "trec", "beir"
 * Text files may be plain, .gz or .zst (recognised from their first bytes). */
typedef struct rp_inputs {
    const char *collection, *collection_format;
    const char *queries, *queries_format;
    const char *run, *run_format;
    const char *qrels, *qrels_format;
    size_t top; /* the first so many candidates of each query; 0 = all */
} rp_inputs;

void rp_inputs_init(rp_inputs *in);

/* ---- search -------------------------------------------------------------------------------- */

typedef struct rp_search_options {
    rp_inputs in;         /* collection, queries; top = hits a query, default 100 */
    const char *analyzer; /* "standard" (default), "english", "sklearn" */
    const char *bm25;     /* "anserini" (default), "msmarco", "okapi" */
    double k1, b;         /* NaN: the preset's */
    const char *output;   /* TREC run */
    const char *tag;      /* last column, default "rankprobe-bm25" */
    int threads;          /* 0: all */
} rp_search_options;

void rp_search_options_init(rp_search_options *o);
rp_status rp_search(const rp_search_options *o, const rp_host *host, rp_error *err);

/* ---- evaluation ---------------------------------------------------------------------------- */

typedef struct rp_eval_options {
    const char *qrels, *qrels_format;
    const char *const *runs; /* [nruns] */
    size_t nruns;
    const char *run_format;
    const char *measures; /* comma separated; default "ndcg@10,mrr@10,map,p@10,recall@100" */
    int relevance;        /* smallest grade that binary measures call relevant, default 1 */
    const char *ties; /* equal scores: "docid" (default; trec_eval's order), "rank" (the run's) */
    bool per_query;
    bool complete;      /* average over the queries of the qrels, as trec_eval -c */
    const char *output; /* default "-" */
} rp_eval_options;

void rp_eval_options_init(rp_eval_options *o);
rp_status rp_eval(const rp_eval_options *o, const rp_host *host, rp_error *err);

/* ---- features ------------------------------------------------------------------------------ */

typedef struct rp_features_options {
    rp_inputs in; /* collection, queries, run; qrels for the grade column */
    /* Comma separated names or globs, default "mslr.*,sim.*". A glob leaves out the columns of an
     * encoder that is not given. */
    const char *select;
    const char *analyzer;      /* for mslr.* and sim.*, default "standard" */
    const char *stats;         /* "collection" (default), "pool": N, n_i, avgdl of mslr.* */
    const char *sim_stats;     /* "pool" (default), "collection": idf of sim.* */
    const char *idf;           /* "lucene" (default), "robertson", "smooth", "plain" */
    const char *bm25;          /* preset of mslr.bm25, default "anserini" */
    double k1, b;              /* NaN: the preset's */
    const char *const *derive; /* [nderive] "name = expression" over columns */
    size_t nderive;
    /* Encoders of sim.bert_cosine, paper.*_bert and of sim.t5_cosine: Hugging Face directories or
     * names, looked for as rp_score_options says; NULL: none. */
    const char *bert, *t5, *models;
    size_t memory;      /* bytes for activations of an encoder, default 2 GiB */
    const char *format; /* "tsv" (default), "letor" */
    const char *output; /* features.tsv */
    const char *labels; /* label report (tsv), NULL: none */
    int threads;
} rp_features_options;

void rp_features_options_init(rp_features_options *o);
rp_status rp_features(const rp_features_options *o, const rp_host *host, rp_error *err);
/* The i-th feature's name and meaning; NULL beyond the last. */
const char *rp_features_at(size_t i, const char **meaning);

/* ---- models: score and capture ------------------------------------------------------------- */

/* How a pair becomes tokens (docs/FORMATS.md, "Templates"). */
typedef struct rp_template_options {
    /* "auto" (default): "rankllama-pair" for decoders, "pair" for encoders; "rankllama-string",
     * "rankllama-eos", "custom" */
    const char *name;
    const char *custom; /* {query} {title} {text} {bos} {eos} {sep}, for "custom" */
    size_t max_query;   /* tokens, default 32 */
    size_t max_passage; /* tokens, default 164 */
} rp_template_options;

/* `model` is a Hugging Face directory: a model, or a PEFT adapter; or a name such as "org/name"
 * that is looked for in the directory `models` (NULL: none), then in the Hugging Face cache. `base`
 * is the base model of an adapter, spelled in the same ways; NULL: its base_model_name_or_path. */
typedef struct rp_score_options {
    rp_inputs in;
    const char *model, *base, *models;
    rp_template_options template_;
    const char *output;  /* TREC run, reranked; beside it FILE.json: what it was made of */
    const char *tag;     /* default "rankprobe" */
    size_t memory;       /* bytes for weights in compute form and activations, default 2 GiB */
    const char *compute; /* "f32" (default), "bf16", "int8": see rp_capture_options */
    bool no_share;
    int threads;
} rp_score_options;

void rp_score_options_init(rp_score_options *o);
rp_status rp_score(const rp_score_options *o, const rp_host *host, rp_error *err);

typedef struct rp_capture_options {
    rp_inputs in;
    const char *model, *base, *models;
    rp_template_options template_;
    const char *const *views; /* [nviews] "site.tokens.pool", default { "resid_post.all.mean" } */
    size_t nviews;            /* 0: those of the store that is added to, else the default */
    const char *dtype;        /* "f32" (default), "f16", "bf16", "i8" */
    const char *store;        /* directory to write; an unfinished one is continued */
    bool no_score;            /* base models without a score head */
    size_t shard_rows;        /* default 1024 */
    size_t memory;
    /* In what matrices are multiplied: "f32" (default), "bf16", "int8" (only where the machine has
     * AVX-512 VNNI); the last two at the cost of digits (bench/RESULTS.md). */
    const char *compute;
    /* Several processes on one store: this one is number `shard` of `shards` (0: it is alone, or
     * one of those of mpirun). Each begins with every shards-th shard of the store, then takes what
     * nobody is at. */
    size_t shard, shards;
    bool repair; /* a complete store is checked, and what is altered computed again */
    /* Pairs of the run and views that a complete store does not have are added to it, behind what
     * it has; all else must be as it was made. */
    bool append;
    /* The documents of a query share the computation of what their sequences begin with; without
     * that the results are the same to the last bit. */
    bool no_share;
    int threads;
} rp_capture_options;

void rp_capture_options_init(rp_capture_options *o);
rp_status rp_capture(const rp_capture_options *o, const rp_host *host, rp_error *err);

/* Is a model read right? Writes as "key value" lines what was understood of it - shapes, tokenizer,
 * template, the tokens of a sample pair - and runs the pair; against a reference dump
 * (tools/make_reference.py) also how far every layer and site is from it. RP_ECOMPUTE, after
 * everything was written, when an activation is not finite or the model differs from its
 * reference. */
typedef struct rp_doctor_options {
    const char *model, *base, *models;
    rp_template_options template_;
    const char *query, *document; /* the sample pair; NULL: one of the library's */
    const char *reference;        /* directory of a reference dump, NULL: none */
    const char *output;           /* default "-" */
    size_t memory;                /* as of capture */
    int threads;
} rp_doctor_options;

void rp_doctor_options_init(rp_doctor_options *o);
rp_status rp_doctor(const rp_doctor_options *o, const rp_host *host, rp_error *err);

/* ---- the activation store, for reading ----------------------------------------------------- */

typedef struct rp_store rp_store;

typedef struct rp_store_row {
    const char *qid, *docid;
    size_t tokens; /* length of the sequence */
    double score;  /* NaN without a score head */
    /* Tokens of the sets `query` and `document`; 0 in stores of format 1, which do not say. */
    size_t query_tokens, document_tokens;
    /* Mean over the sequence of a random normal value a token id: the control task of Hewitt and
     * Liang (2019) for a pair. NaN in stores of format 1. */
    double token_control;
} rp_store_row;

typedef struct rp_store_view {
    const char *name;               /* "resid_post.all.mean" */
    size_t width;                   /* D */
    size_t layer_first, layer_last; /* resid_post starts at 0, the embedding output; others at 1 */
} rp_store_view;

/* Opens a complete store; RP_EFORMAT names a missing, truncated or altered file. */
rp_status rp_store_open(rp_store **store, const char *dir, rp_error *err);
void rp_store_free(rp_store *store);
size_t rp_store_rows(const rp_store *store);
const rp_store_row *rp_store_row_at(const rp_store *store, size_t row);
size_t rp_store_views(const rp_store *store);
const rp_store_view *rp_store_view_at(const rp_store *store, size_t view);
/* x [N, width] row-major <- the layer's activations, dequantised. */
rp_status rp_store_read(const rp_store *store, float *x, size_t view, size_t layer, rp_error *err);
/* x [n, width] <- the rows row[n] of the layer, in any order; rows that follow each other are read
 * fastest. For many threads and many calls: a shard is checked when it is first read, and stays
 * mapped until the store is freed. RP_EARG: there is no such row; RP_EFORMAT names an altered
 * shard; x is then undefined. */
rp_status rp_store_read_rows(const rp_store *store, float *x, size_t view, size_t layer,
                             const size_t *row, size_t n, rp_error *err);
/* Rows as they lie in the mapped store, without a copy: *x [*n, width], from `row` to the end of
 * its shard at most, until the store is freed. *x is NULL where values are not kept as f32, or not
 * aligned. Errors and threads as rp_store_read_rows. */
rp_status rp_store_map_rows(const rp_store *store, const float **x, size_t *n, size_t view,
                            size_t layer, size_t row, rp_error *err);
/* Hints about the mapped shards of a layer, at any time, from any thread: it will be read soon; it
 * need not be kept in this process's memory (it can still be read). Others are ignored. */
void rp_store_expect(const rp_store *store, size_t view, size_t layer);
void rp_store_forget(const rp_store *store, size_t view, size_t layer);

/* What is in a store, also an unfinished one, as "key value" lines. */
rp_status rp_store_info(const char *dir, const char *output, rp_error *err);
/* Compares every file of a complete store with its size and checksum, and its tensors with what
 * store.json says; writes a line for each that is bad, and a last line with the counts. RP_EFORMAT,
 * after everything was written, when one is. threads 0: all. */
rp_status rp_store_verify(const char *dir, const char *output, int threads, const rp_host *host,
                          rp_error *err);
typedef struct rp_export_options {
    const char *store;
    const char *view; /* NULL: the only one */
    size_t layer;
    const char *output; /* default "-" */
    const char *format; /* "npy", "safetensors" (one tensor, x), "tsv" (qid, docid, u0 ...); "auto"
                         * (default): by the output's name, else tsv */
} rp_export_options;
void rp_export_options_init(rp_export_options *o);
/* A layer's x [rows, width] as f32, shard by shard: no more of it is held. */
rp_status rp_store_export(const rp_export_options *o, const rp_host *host, rp_error *err);

/* ---- probes -------------------------------------------------------------------------------- */

typedef struct rp_probe_options {
    const char *store;
    const char *features;  /* features.tsv */
    const char *select;    /* labels: comma separated names or globs, default "*" */
    const char *views;     /* globs, default "*" */
    const char *layers;    /* "0,4-8", default all */
    const char *protocols; /* comma separated, default "sound"; also "paper-text", "paper-code" */
    const char *method;    /* of `sound`: "ridge" (default), "lasso" */
    double penalty;        /* of `sound`: fixed penalty; NaN: chosen by inner folds */
    double l1_ratio;       /* of the lasso: 1 (default); below, above 0: the elastic net */
    size_t folds, inner;   /* 5, 5 */
    size_t bootstrap;      /* draws, default 2000 */
    size_t permutations;   /* of the labels, for p values under `sound`, by ridge's predictions
                            * whatever the method; default 1000, 0: off */
    bool controls;         /* the controls' labels, default true */
    int balance;           /* bins of a label's range to draw evenly from; 0: off; -1 (default): off
                            * in `sound`, 10 in the paper's protocols (docs/METHOD.md) */
    const char *gains;   /* over which baselines: "length,score" (default), also "input" (the view's
                          * layer 0; costs a fit of twice the width); "": none */
    const char *against; /* a store of the same pairs - the base model's, one of random weights -
                          * as one more baseline, layer by layer; NULL: none */
    size_t stability;    /* pairs of half-samples behind `units`, default 50 */
    double pfer;         /* expected false selections that stability selection aims at, 1 */
    uint64_t seed;       /* default 1 */
    size_t memory;       /* bytes for a layer and what is made of it, of all processes; 0
                          * (default): 80 % of the machine. Fewer threads are taken to fit */
    const char *ranks;   /* what the processes of mpirun share: "layers" (default), or the "rows" of
                          * one layer at a time, for very tall stores */
    const char *transfer; /* another store, NULL: none. Protocols `transfer`, fitted on the first
                           * store and scored on this one, and `refit`, `sound` on this one */
    const char *transfer_features; /* its features.tsv */
    const char *output;            /* probes.tsv */
    /* More files, NULL: none. What is in each: docs/FORMATS.md. */
    const char *predictions, *coefficients;    /* safetensors */
    const char *units, *differences, *ksparse; /* TSV */
    int threads;
} rp_probe_options;

void rp_probe_options_init(rp_probe_options *o);
/* Finished units are kept beside the output, in OUTPUT.parts/, until it is written: a second call
 * with the same inputs and options goes on from there. Under mpirun (and after rp_comm_init, which
 * the command calls) the processes share the units, and the first writes. An OpenBLAS that does not
 * know the processor is slow; unlike the command, a caller sets OPENBLAS_CORETYPE before the start.
 */
rp_status rp_probe(const rp_probe_options *o, const rp_host *host, rp_error *err);

/* ---- report and study ---------------------------------------------------------------------- */

typedef struct rp_report_options {
    const char *probes; /* probes.tsv */
    const char *labels; /* label report of `features`, or NULL */
    const char *eval;   /* table of `eval`, or NULL */
    const char *store;  /* activation store, for what it says of model and template, or NULL */
    const char *title;
    const char *output; /* directory: index.html, summary.txt, verdicts.tsv, figures/ */
} rp_report_options;

void rp_report_options_init(rp_report_options *o);
rp_status rp_report(const rp_report_options *o, const rp_host *host, rp_error *err);

typedef struct rp_study_options {
    const char *study; /* study.yaml */
    bool force;        /* redo everything */
    bool dry_run;      /* say what would be done */
    int threads;
} rp_study_options;

void rp_study_options_init(rp_study_options *o);
rp_status rp_study(const rp_study_options *o, const rp_host *host, rp_error *err);

#ifdef __cplusplus
}
#endif
#endif
