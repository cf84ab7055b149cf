/* rankprobe probe: fit probes from activations to features. */
#include "cli/cli.h"

static const char about[] =
    "Fits a linear probe from the activations of every layer in STORE to every feature in "
    "FEATURES, joined on (qid, docid), and writes a row a feature, view, layer and protocol: R2 "
    "and its parts within and between queries, 95 % intervals over queries, Kendall's tau, and the "
    "share of the label's variance that is between queries (eta2). The protocol `sound` holds out "
    "whole queries in an outer loop and chooses the penalty in an inner one; `paper-text` (lasso, "
    "a = .1, a random 60:20:20 split of the pairs) and `paper-code` (ridge, alpha = 10, nothing "
    "standardised, a random 75:25 split) have the same query on both sides and are here to be "
    "compared with it. The labels control.query_id (a random value a query: what a probe gets by "
    "recognising the query), control.pair (one a pair) and control.token (one a token id, "
    "averaged) "
    "are the yardstick; ranker.score is the model's own score as a label. The views "
    "baseline.length "
    "(tokens, 1/tokens, log tokens, the query's and the document's tokens) and baseline.score (the "
    "model's score) show what needs no activations.";

static const char example[] =
    "rankprobe probe store features.tsv --protocols sound,paper-text,paper-code -o probes.tsv\n"
    "rankprobe probe store features.tsv --select 'mslr.*' --layers 0,4-8 --method lasso\n";

int rp_cmd_probe(int argc, char **argv)
{
    rp_probe_options o;
    rp_error err = {0};
    char **operands;
    int n;
    rp_probe_options_init(&o);
    const rp_opt options[] = {
        {"", 0, RP_OPT_FLAG, NULL, NULL, "what is probed", NULL},
        {"select", 0, RP_OPT_STRING, &o.select, "GLOBS", "labels, comma separated", NULL},
        {"views", 0, RP_OPT_STRING, &o.views, "GLOBS", "views and baselines", NULL},
        {"layers", 0, RP_OPT_STRING, &o.layers, "LIST", "layers, as 0,4-8 (all when not given)",
         NULL},
        {"controls", 0, RP_OPT_FLAG, &o.controls, NULL,
         "the labels control.query_id, control.pair and control.token", NULL},
        {"", 0, RP_OPT_FLAG, NULL, NULL, "how", NULL},
        {"protocols", 'p', RP_OPT_STRING, &o.protocols, "LIST",
         "any of sound, paper-text, paper-code", NULL},
        {"method", 'm', RP_OPT_STRING, &o.method, "NAME", "of sound: ridge or lasso",
         "ridge|lasso"},
        {"penalty", 0, RP_OPT_NUMBER, &o.penalty, "A",
         "of sound: fixed penalty instead of the inner folds' choice", NULL},
        {"folds", 0, RP_OPT_SIZE, &o.folds, "K", "of sound: outer folds by query", NULL},
        {"inner", 0, RP_OPT_SIZE, &o.inner, "K", "of sound: inner folds by query", NULL},
        {"balance", 0, RP_OPT_INT, &o.balance, "BINS",
         "draw evenly from so many bins of a label's range; 0: off; -1: 10 in the paper's "
         "protocols, off in sound",
         NULL},
        {"bootstrap", 0, RP_OPT_SIZE, &o.bootstrap, "B",
         "draws of queries for the intervals; 0: no intervals", NULL},
        {"seed", 0, RP_OPT_SEED, &o.seed, "N", "of folds, splits, controls and draws", NULL},
        {"", 0, RP_OPT_FLAG, NULL, NULL, "output", NULL},
        {"output", 'o', RP_OPT_STRING, &o.output, "FILE", "table of probes (TSV)", NULL},
        {"predictions", 0, RP_OPT_STRING, &o.predictions, "FILE",
         "held-out predictions (safetensors, one tensor [features, rows] a view, layer and "
         "protocol)",
         NULL},
        {0},
    };
    const rp_usage usage = {"probe", "STORE FEATURES", about, example, options, 2, 2};
    int code = rp_opt_parse(&usage, argc, argv, &operands, &n);
    if (code >= 0) return code;
    o.store = operands[0];
    o.features = operands[1];
    o.threads = rp_cli_threads();
    return rp_cli_finish(rp_probe(&o, rp_cli_host(), &err), &err);
}
