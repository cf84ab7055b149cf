/* rankprobe features: IR features of the pairs of a run. */
#include <stdio.h>

#include "cli/cli.h"

static const char about[] =
    "Computes the classic IR features of every query-document pair of a run: mslr.* (the 19 term "
    "features of MSLR-WEB30K, over the query's terms), paper.* (the same names as the published "
    "probing code computed them, over the vocabulary of the candidate list) and sim.* "
    "(similarities "
    "of query and passage). A passage is its title and its text, one space between.\n"
    "With --bert and --t5 there are sim.bert_cosine, sim.t5_cosine, paper.euclidean_bert and "
    "paper.manhattan_bert as well: of the means of an encoder's last hidden states, query and "
    "passage encoded separately, 512 tokens at most. Globs leave them out without their encoder.\n"
    "--derive 'NAME = EXPRESSION' adds a column: + - * / ^, parentheses, z(x) (standardised over "
    "all rows), log1p(x), sqrt(x), abs(x) and the names of features and earlier columns. "
    "--derive paper-groups adds the paper's combinations of covered_qt_ratio, mean_tfl and "
    "var_tfidf (group.*), raw and standardised (group.z.*); paper-groups-published the same of "
    "paper.*.\n"
    "--labels writes what every column is worth as a label: share of variance between queries, "
    "constants, duplicates, correlations.";

static int list_features(void)
{
    const char *name, *meaning;
    for (size_t i = 0; (name = rp_features_at(i, &meaning)); i++) {
        printf("%-24s %s\n", name, meaning);
    }
    if (!fflush(stdout) && !ferror(stdout)) return 0;
    const rp_error err = {RP_EIO, "cannot write to standard output"};
    return rp_cli_finish(RP_EIO, &err);
}

static const char example[] =
    "rankprobe features --run bm25.trec --queries queries.tsv \\\n"
    "    --collection collection.tsv.gz --qrels qrels.txt --select 'mslr.*,paper.*' \\\n"
    "    --derive 'log_length = log1p(mslr.stream_length)' --derive paper-groups \\\n"
    "    -o features.tsv --labels labels.tsv";

static int run(rp_features_options *o)
{
    rp_error err;
    if (!o->in.run) return rp_cli_usage("--run is required");
    o->threads = rp_cli_threads();
    return rp_cli_finish(rp_features(o, rp_cli_host(), &err), &err);
}

/* Rows of a table, which the formatter would take for code. */
/* clang-format off */
#define ENCODERS(o) \
    {"", 0, RP_OPT_FLAG, NULL, NULL, "encoders", NULL}, \
    {"bert", 0, RP_OPT_STRING, &(o).bert, "DIR", \
     "directory or name of the BERT of sim.bert_cosine, paper.euclidean_bert, " \
     "paper.manhattan_bert", NULL}, \
    {"t5", 0, RP_OPT_STRING, &(o).t5, "DIR", "directory or name of the T5 of sim.t5_cosine", NULL}, \
    {"models", 0, RP_OPT_STRING, &(o).models, "DIR", \
     "directory of models by name, looked in before the Hugging Face cache", NULL}, \
    {"memory", 0, RP_OPT_BYTES, &(o).memory, "BYTES", "memory for an encoder's activations", NULL}
/* clang-format on */

int rp_cmd_features(int argc, char **argv)
{
    rp_features_options o;
    rp_features_options_init(&o);
    rp_opt_list derive = {0};
    bool list = false;
    const rp_opt options[] = {
        {"", 0, RP_OPT_FLAG, NULL, NULL, "inputs", NULL},
        {"run", 0, RP_OPT_STRING, &o.in.run, "FILE", "candidates of every query", NULL},
        {"queries", 0, RP_OPT_STRING, &o.in.queries, "FILE", "texts of the queries", NULL},
        {"collection", 0, RP_OPT_STRING, &o.in.collection, "FILE",
         "texts of the documents, and their statistics", NULL},
        {"qrels", 0, RP_OPT_STRING, &o.in.qrels, "FILE", "grades; without, all are unjudged", NULL},
        {"run-format", 0, RP_OPT_STRING, &o.in.run_format, "NAME", "format of the run",
         "auto|trec|msmarco|top1000"},
        {"queries-format", 0, RP_OPT_STRING, &o.in.queries_format, "NAME", "format of the queries",
         "auto|tsv|beir"},
        {"collection-format", 0, RP_OPT_STRING, &o.in.collection_format, "NAME",
         "format of the collection", "auto|tsv|beir|tevatron"},
        {"qrels-format", 0, RP_OPT_STRING, &o.in.qrels_format, "NAME", "format of the qrels",
         "auto|trec|beir"},
        {"top", 'k', RP_OPT_SIZE, &o.in.top, "N", "first N candidates of each query; 0 is all",
         NULL},
        {"", 0, RP_OPT_FLAG, NULL, NULL, "features", NULL},
        {"list", 0, RP_OPT_FLAG, &list, NULL, "print the features and what they are", NULL},
        {"select", 's', RP_OPT_STRING, &o.select, "LIST", "names or globs, comma separated", NULL},
        {"derive", 'd', RP_OPT_LIST, &derive, "DEF",
         "a column 'NAME = EXPRESSION', paper-groups or paper-groups-published", NULL},
        {"analyzer", 'a', RP_OPT_STRING, &o.analyzer, "NAME",
         "what a term is, for mslr.* and sim.*", "standard|english|sklearn"},
        {"stats", 0, RP_OPT_STRING, &o.stats, "NAME",
         "where mslr.* and sim.kl count documents: the collection, or the query's candidate list",
         "collection|pool"},
        {"sim-stats", 0, RP_OPT_STRING, &o.sim_stats, "NAME",
         "where the tf*idf of sim.* counts documents: query and candidates, or the collection",
         "pool|collection"},
        {"idf", 0, RP_OPT_STRING, &o.idf, "NAME", "idf of the mslr.*_tfidf columns",
         "lucene|robertson|smooth|plain"},
        {"bm25", 0, RP_OPT_STRING, &o.bm25, "NAME", "preset of mslr.bm25",
         "anserini|msmarco|okapi"},
        {"k1", 0, RP_OPT_NUMBER, &o.k1, "X", "instead of the preset's", NULL},
        {"b", 0, RP_OPT_NUMBER, &o.b, "X", "instead of the preset's", NULL},
        ENCODERS(o),
        {"", 0, RP_OPT_FLAG, NULL, NULL, "output", NULL},
        {"format", 0, RP_OPT_STRING, &o.format, "NAME",
         "a table, or SVMlight lines for learning to rank", "tsv|letor"},
        {"output", 'o', RP_OPT_STRING, &o.output, "FILE", "the features; - is standard output",
         NULL},
        {"labels", 0, RP_OPT_STRING, &o.labels, "FILE", "the label report", NULL},
        {0},
    };
    const rp_usage usage = {"features", "", about, example, options, 0, 0};
    char **operands;
    int n, code = rp_opt_parse(&usage, argc, argv, &operands, &n);
    if (code >= 0) return code;
    if (list) return list_features();
    o.derive = derive.item;
    o.nderive = derive.n;
    return run(&o);
}
