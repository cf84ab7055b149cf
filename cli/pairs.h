/* The options of every command that runs a model over pairs: rows for its table of options. */
#ifndef RP_CLI_PAIRS_H
#define RP_CLI_PAIRS_H

#include "cli/cli.h"

/* Rows of a table, which the formatter would take for code. */
/* clang-format off */

/* o: options with base and models, const char * */
#define RP_OPT_BASE(o) \
    {"base", 0, RP_OPT_STRING, &(o).base, "DIR", \
     "base model of an adapter; else the one that the adapter names", NULL}, \
    {"models", 0, RP_OPT_STRING, &(o).models, "DIR", \
     "directory of models by name, looked in before the Hugging Face cache", NULL}

/* o: options with model, base, models, const char *; and in, rp_inputs */
#define RP_OPT_PAIRS(o) \
    {"", 0, RP_OPT_FLAG, NULL, NULL, "inputs", NULL}, \
    {"model", 0, RP_OPT_STRING, &(o).model, "DIR", \
     "directory or name of a model or PEFT adapter", NULL}, \
    RP_OPT_BASE(o), \
    {"run", 0, RP_OPT_STRING, &(o).in.run, "FILE", "candidates of every query", NULL}, \
    {"queries", 0, RP_OPT_STRING, &(o).in.queries, "FILE", "texts of the queries", NULL}, \
    {"collection", 0, RP_OPT_STRING, &(o).in.collection, "FILE", "texts of the documents", NULL}, \
    {"run-format", 0, RP_OPT_STRING, &(o).in.run_format, "NAME", "format of the run", \
     "auto|trec|msmarco|top1000"}, \
    {"queries-format", 0, RP_OPT_STRING, &(o).in.queries_format, "NAME", "format of the queries", \
     "auto|tsv|beir"}, \
    {"collection-format", 0, RP_OPT_STRING, &(o).in.collection_format, "NAME", \
     "format of the collection", "auto|tsv|beir|tevatron"}, \
    {"top", 0, RP_OPT_SIZE, &(o).in.top, "N", "first N candidates of each query; 0 is all", NULL}

/* t: rp_template_options */
#define RP_OPT_TEMPLATE(t) \
    {"", 0, RP_OPT_FLAG, NULL, NULL, "what the model sees", NULL}, \
    {"template", 0, RP_OPT_STRING, &(t).name, "NAME", "how a pair becomes a sequence", \
     "auto|pair|rankllama-pair|rankllama-string|rankllama-eos|custom"}, \
    {"custom", 0, RP_OPT_STRING, &(t).custom, "TEXT", \
     "the custom template, with {query} {title} {text} {bos} {eos} {sep}", NULL}, \
    {"max-query", 0, RP_OPT_SIZE, &(t).max_query, "N", "tokens of the query at most", NULL}, \
    {"max-passage", 0, RP_OPT_SIZE, &(t).max_passage, "N", "tokens of the passage at most", NULL}

/* o: options with memory, compute; share: bool, true */
#define RP_OPT_RUNNING(o, share) \
    {"", 0, RP_OPT_FLAG, NULL, NULL, "how the model runs", NULL}, \
    {"memory", 0, RP_OPT_BYTES, &(o).memory, "BYTES", "for weights in compute form and activations", \
     NULL}, \
    {"compute", 0, RP_OPT_STRING, &(o).compute, "NAME", \
     "in what matrices are multiplied; bf16 and int8 are less exact, and faster where the machine " \
     "has instructions for them (int8 needs them)", "f32|bf16|int8"}, \
    {"share", 0, RP_OPT_FLAG, &(share), NULL, \
     "compute what a query's sequences begin with once; the results are the same bits", NULL}

/* clang-format on */

#endif
