/* rankprobe score: rerank a run with a language model. */
#include "cli/pairs.h"

static const char about[] =
    "Runs every query-document pair of a run through a ranking language model and writes the pairs "
    "in the order of its scores, as a TREC run. The model is a Hugging Face directory, or a name, "
    "of a model with a score head or of a PEFT adapter. Beside a FILE that is written, FILE.json "
    "says what it was made of: model, template, the tokens of the first pair, inputs with "
    "checksums.";

int rp_cmd_score(int argc, char **argv)
{
    rp_score_options o;
    rp_error err = {0};
    char **operands;
    int n, code;

    rp_score_options_init(&o);
    bool share = true;
    const rp_opt options[] = {
        RP_OPT_PAIRS(o),
        RP_OPT_TEMPLATE(o.template_),
        {"", 0, RP_OPT_FLAG, NULL, NULL, "output", NULL},
        {"output", 'o', RP_OPT_STRING, &o.output, "FILE", "the reranked run; - is standard output",
         NULL},
        {"tag", 0, RP_OPT_STRING, &o.tag, "NAME", "last column of the run", NULL},
        RP_OPT_RUNNING(o, share),
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
    o.no_share = !share;
    o.threads = rp_cli_threads();
    return rp_cli_finish(rp_score(&o, rp_cli_host(), &err), &err);
}
