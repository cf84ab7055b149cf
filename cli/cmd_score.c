/* rankprobe score: rerank a run with a language model. */
#include "cli/cli.h"

static const char about[] =
    "Runs every query-document pair of a run through a ranking language model and writes the pairs "
    "in the order of its scores, as a TREC run. The model is a Hugging Face directory with a score "
    "head. Beside a FILE that is written, FILE.json says what it was made of: model, template, the "
    "tokens of the first pair, inputs with checksums.";

int rp_cmd_score(int argc, char **argv)
{
    rp_score_options o;
    rp_error err = {0};
    char **operands;
    int n, code;

    rp_score_options_init(&o);
    const rp_opt options[] = {
        {"", 0, RP_OPT_FLAG, NULL, NULL, "inputs", NULL},
        {"model", 0, RP_OPT_STRING, &o.model, "DIR", "Hugging Face directory of the model", NULL},
        {"run", 0, RP_OPT_STRING, &o.in.run, "FILE", "candidates of every query", NULL},
        {"queries", 0, RP_OPT_STRING, &o.in.queries, "FILE", "texts of the queries", NULL},
        {"collection", 0, RP_OPT_STRING, &o.in.collection, "FILE", "texts of the documents", NULL},
        {"run-format", 0, RP_OPT_STRING, &o.in.run_format, "NAME", "format of the run",
         "auto|trec|msmarco|top1000"},
        {"queries-format", 0, RP_OPT_STRING, &o.in.queries_format, "NAME", "format of the queries",
         "auto|tsv|beir"},
        {"collection-format", 0, RP_OPT_STRING, &o.in.collection_format, "NAME",
         "format of the collection", "auto|tsv|beir|tevatron"},
        {"top", 0, RP_OPT_SIZE, &o.in.top, "N", "first N candidates of each query; 0 is all", NULL},
        {"", 0, RP_OPT_FLAG, NULL, NULL, "what the model sees", NULL},
        {"template", 0, RP_OPT_STRING, &o.template_.name, "NAME", "how a pair becomes a sequence",
         "rankllama-pair|rankllama-string|rankllama-eos|custom"},
        {"custom", 0, RP_OPT_STRING, &o.template_.custom, "TEXT",
         "the custom template, with {query} {title} {text} {bos} {eos} {sep}", NULL},
        {"max-query", 0, RP_OPT_SIZE, &o.template_.max_query, "N", "tokens of the query at most",
         NULL},
        {"max-passage", 0, RP_OPT_SIZE, &o.template_.max_passage, "N",
         "tokens of the passage at most", NULL},
        {"", 0, RP_OPT_FLAG, NULL, NULL, "output", NULL},
        {"output", 'o', RP_OPT_STRING, &o.output, "FILE", "the reranked run; - is standard output",
         NULL},
        {"tag", 0, RP_OPT_STRING, &o.tag, "NAME", "last column of the run", NULL},
        {"memory", 0, RP_OPT_BYTES, &o.memory, "BYTES", "memory for the model's activations", NULL},
        {0},
    };
    const rp_usage usage = {
        .name = "score",
        .operands = "",
        .about = about,
        .example = "rankprobe score --model rankllama --run bm25.trec --queries queries.tsv \\\n"
                   "    --collection collection.tsv.gz --top 100 -o reranked.trec",
        .options = options,
    };

    code = rp_opt_parse(&usage, argc, argv, &operands, &n);
    if (code >= 0) return code;
    if (!o.model) return rp_cli_usage("--model is required");
    if (!o.in.run) return rp_cli_usage("--run is required");
    o.threads = rp_cli_threads();
    return rp_cli_finish(rp_score(&o, rp_cli_host(), &err), &err);
}
