/* rankprobe search: BM25. */
#include "cli/cli.h"

static const char about[] =
    "Ranks the documents of a collection for many queries by BM25, in one pass over the "
    "collection: there is no index, only the postings of the queries' terms are kept in memory. "
    "A document is its title and its text, one space between. Statistics are those of the whole "
    "collection; a term that is twice in a query counts twice. The run is sorted as trec_eval "
    "sorts it (score, then document id, both descending), so what you see is what is evaluated.";

int rp_cmd_search(int argc, char **argv)
{
    rp_search_options o;
    rp_search_options_init(&o);
    const rp_opt options[] = {
        {"top", 'k', RP_OPT_SIZE, &o.in.top, "N", "hits of each query; 0 is all that match", NULL},
        {"analyzer", 'a', RP_OPT_STRING, &o.analyzer, "NAME",
         "what a term is: words, lower case (standard); the same stopped and stemmed (english); "
         "scikit-learn's CountVectorizer (sklearn)",
         "standard|english|sklearn"},
        {"bm25", 0, RP_OPT_STRING, &o.bm25, "NAME",
         "preset: anserini (k1 .9, b .4), msmarco (.82, .68), okapi (rank_bm25: 1.5, .75)",
         "anserini|msmarco|okapi"},
        {"k1", 0, RP_OPT_NUMBER, &o.k1, "X", "instead of the preset's", NULL},
        {"b", 0, RP_OPT_NUMBER, &o.b, "X", "instead of the preset's", NULL},
        {"collection-format", 0, RP_OPT_STRING, &o.in.collection_format, "NAME",
         "format of the collection", "auto|tsv|beir|tevatron"},
        {"queries-format", 0, RP_OPT_STRING, &o.in.queries_format, "NAME", "format of the queries",
         "auto|tsv|beir"},
        {"output", 'o', RP_OPT_STRING, &o.output, "FILE", "the run; - is standard output", NULL},
        {"tag", 0, RP_OPT_STRING, &o.tag, "NAME", "last column of the run", NULL},
        {0},
    };
    const rp_usage usage = {
        .name = "search",
        .operands = "COLLECTION QUERIES",
        .about = about,
        .example = "rankprobe search collection.tsv.gz queries.tsv -o bm25.trec\n"
                   "rankprobe search -a english -k 1000 scifact/ scifact/ > bm25.trec",
        .options = options,
        .min_operands = 2,
        .max_operands = 2,
    };
    char **operands;
    int n, code = rp_opt_parse(&usage, argc, argv, &operands, &n);
    if (code >= 0) return code;
    o.in.collection = operands[0];
    o.in.queries = operands[1];
    o.threads = rp_cli_threads();
    rp_error err;
    return rp_cli_finish(rp_search(&o, rp_cli_host(), &err), &err);
}
