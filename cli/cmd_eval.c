#include "cli/cli.h"

int rp_cmd_eval(int argc, char **argv)
{
    rp_eval_options o;
    rp_eval_options_init(&o);
    const rp_opt options[] = {
        {"measures", 'm', RP_OPT_STRING, &o.measures, "LIST",
         "comma separated: ndcg, mrr, map, recall, success, each alone or with a cut-off such as "
         "ndcg@10; p@k; rprec; trec_eval's names (ndcg_cut_10, P_10, recip_rank) mean the same",
         NULL},
        {"relevance", 'l', RP_OPT_INT, &o.relevance, "GRADE",
         "smallest grade that all measures but ndcg call relevant", NULL},
        {"ties", 0, RP_OPT_STRING, &o.ties, "ORDER",
         "equal scores by document id, descending, as trec_eval does, or by the rank column",
         "docid|rank"},
        {"per-query", 'p', RP_OPT_FLAG, &o.per_query, NULL, "a row for every query too", NULL},
        {"complete", 'c', RP_OPT_FLAG, &o.complete, NULL,
         "average over all queries of the qrels; those that the run lacks count as 0", NULL},
        {"run-format", 0, RP_OPT_STRING, &o.run_format, "NAME", "format of the runs",
         "auto|trec|msmarco|top1000"},
        {"qrels-format", 0, RP_OPT_STRING, &o.qrels_format, "NAME", "format of the qrels",
         "auto|trec|beir"},
        {"output", 'o', RP_OPT_STRING, &o.output, "FILE", "the table; - is standard output", NULL},
        {0},
    };
    const rp_usage usage = {
        .name = "eval",
        .operands = "QRELS RUN...",
        .about =
            "Evaluates runs with trec_eval's measures: its numbers to the last digit, its order "
            "of ties (score, then document id, both descending). Prints a table with a row a "
            "run and a column a measure. Files may be plain, .gz or .zst; the format is "
            "recognised from the content.",
        .example =
            "rankprobe eval qrels.dl19.txt run.bm25.trec run.rankllama.trec\n"
            "rankprobe eval -l 2 -m map,recall@100 -p qrels.dl19.txt run.bm25.trec -o map.tsv",
        .options = options,
        .min_operands = 2,
        .max_operands = -1,
    };
    char **operands;
    int n, code = rp_opt_parse(&usage, argc, argv, &operands, &n);
    if (code >= 0) return code;
    o.qrels = operands[0];
    o.runs = (const char *const *)(operands + 1);
    o.nruns = (size_t)n - 1;
    rp_error err;
    rp_status s = rp_eval(&o, rp_cli_host(), &err);
    return rp_cli_finish(s, &err);
}
