/* rankprobe probe: fit probes from activations to features. */
#include <malloc.h>
#include <signal.h>

#include "base/comm.h"
#include "cli/cli.h"

static const char about[] =
    "Fits a linear probe from the activations of every layer in STORE to every feature in "
    "FEATURES, joined on (qid, docid), and writes a row a feature, view, layer and protocol: R2 "
    "and its parts within and between queries, 95 % intervals over queries, Kendall's tau, and the "
    "share of the label's variance that is between queries (eta2). The protocol `sound` holds out "
    "whole queries in an outer loop and chooses the penalty in an inner one; `paper-text` (lasso, "
    "a = .1, a random 60:20:20 split of the pairs) and `paper-code` (ridge, alpha = 10, nothing "
    "standardised, a random 75:25 split) have the same query on both sides and are here to be "
    "compared with it. Permutations of the labels within and of whole queries give p values under "
    "`sound`, one by one and corrected for all features and layers together. The labels "
    "control.query_id (a random value a query: what a probe gets by recognising the query), "
    "control.pair (one a pair) and control.token (the mean of one a token: what a bag of words "
    "gives) are the yardstick; ranker.score is the model's own score as a label. The views "
    "baseline.length (tokens, 1/tokens, log tokens, tokens of query and document) and "
    "baseline.score (the model's score) show what needs no activations; the gain is what a layer "
    "adds to them.\n\n"
    "Finished layers are kept in OUTPUT.parts/ until the table is written: the same command goes "
    "on where it was stopped. `mpirun -n P rankprobe probe ...` shares the layers (or, with "
    "--ranks rows, the rows of each) among P processes and writes the same bytes.";

static const char example[] =
    "rankprobe probe store features.tsv --protocols sound,paper-text,paper-code -o probes.tsv\n"
    "rankprobe probe store features.tsv --select 'mslr.*' --layers 0,4-8 --method lasso\n"
    "rankprobe probe store features.tsv -o probes.tsv --units units.tsv --differences steps.tsv\n"
    "mpirun -n 4 rankprobe probe store features.tsv -o probes.tsv\n";

static rp_probe_options o;

static const rp_opt options[] = {
    {"", 0, RP_OPT_FLAG, NULL, NULL, "what is probed", NULL},
    {"select", 0, RP_OPT_STRING, &o.select, "GLOBS", "labels, comma separated", NULL},
    {"views", 0, RP_OPT_STRING, &o.views, "GLOBS", "views and baselines", NULL},
    {"layers", 0, RP_OPT_STRING, &o.layers, "LIST", "layers, as 0,4-8 (all when not given)", NULL},
    {"controls", 0, RP_OPT_FLAG, &o.controls, NULL, "the labels control.*", NULL},
    {"transfer", 0, RP_OPT_STRING, &o.transfer, "STORE",
     "a store of other pairs: adds the protocols transfer (fitted here, scored there) and "
     "refit (sound, there)",
     NULL},
    {"transfer-features", 0, RP_OPT_STRING, &o.transfer_features, "FILE", "features of those pairs",
     NULL},
    {"", 0, RP_OPT_FLAG, NULL, NULL, "how", NULL},
    {"protocols", 'p', RP_OPT_STRING, &o.protocols, "LIST", "any of sound, paper-text, paper-code",
     NULL},
    {"method", 'm', RP_OPT_STRING, &o.method, "NAME", "of sound", "ridge|lasso"},
    {"penalty", 0, RP_OPT_NUMBER, &o.penalty, "A",
     "of sound: fixed penalty instead of the inner folds' choice", NULL},
    {"l1-ratio", 0, RP_OPT_NUMBER, &o.l1_ratio, "RHO",
     "of the lasso's penalty; below 1, above 0: the elastic net", NULL},
    {"folds", 0, RP_OPT_SIZE, &o.folds, "K", "of sound: outer folds by query", NULL},
    {"inner", 0, RP_OPT_SIZE, &o.inner, "K", "of sound: inner folds by query", NULL},
    {"balance", 0, RP_OPT_INT, &o.balance, "BINS",
     "draw evenly from so many bins of a label's range; 0: off; -1: 10 in the paper's "
     "protocols, off in sound",
     NULL},
    {"bootstrap", 0, RP_OPT_SIZE, &o.bootstrap, "B",
     "draws of queries for the intervals; 0: no intervals", NULL},
    {"permutations", 0, RP_OPT_SIZE, &o.permutations, "B",
     "of the labels, for p values under sound, whatever the method; 0: none", NULL},
    {"gains", 0, RP_OPT_STRING, &o.gains, "NAMES",
     "over the baselines length, score, input (layer 0); '' for none", NULL},
    {"against", 0, RP_OPT_STRING, &o.against, "STORE",
     "a store of the same pairs (base model, random weights): gains over its layers", NULL},
    {"stability", 0, RP_OPT_SIZE, &o.stability, "PAIRS",
     "of half-samples of the queries, for --units", NULL},
    {"pfer", 0, RP_OPT_NUMBER, &o.pfer, "V", "expected false selections aimed at, for --units",
     NULL},
    {"memory", 0, RP_OPT_BYTES, &o.memory, "SIZE",
     "memory for a layer, of all processes; 0: 80 % of the machine's", NULL},
    {"ranks", 0, RP_OPT_STRING, &o.ranks, "NAME",
     "what the processes of mpirun share: layers, or the rows of one layer at a time",
     "layers|rows"},
    {"seed", 0, RP_OPT_SEED, &o.seed, "N", "of folds, splits, controls and draws", NULL},
    {"", 0, RP_OPT_FLAG, NULL, NULL, "output", NULL},
    {"output", 'o', RP_OPT_STRING, &o.output, "FILE", "table of probes (TSV)", NULL},
    {"predictions", 0, RP_OPT_STRING, &o.predictions, "FILE",
     "held-out predictions (safetensors, one tensor [features, rows] a view, layer and "
     "protocol)",
     NULL},
    {"coefficients", 0, RP_OPT_STRING, &o.coefficients, "FILE",
     "probes fitted on all rows (safetensors, [features, width] and intercepts)", NULL},
    {"units", 0, RP_OPT_STRING, &o.units, "FILE",
     "units that at least half of the half-samples select (TSV)", NULL},
    {"differences", 0, RP_OPT_STRING, &o.differences, "FILE",
     "every layer against the one before and the best, with paired intervals (TSV)", NULL},
    {"ksparse", 0, RP_OPT_STRING, &o.ksparse, "FILE",
     "R2 of the best 1, 2, ... 1024 units, with controls (TSV)", NULL},
    {0},
};

static int run(int argc, char **argv)
{
    rp_error err = {0};
    char **operands;
    int n;
    rp_probe_options_init(&o);
    const rp_usage usage = {"probe", "STORE FEATURES", about, example, options, 2, 2};
    int code = rp_opt_parse(&usage, argc, argv, &operands, &n);
    if (code >= 0) return code;
    o.store = operands[0];
    o.features = operands[1];
    o.threads = rp_cli_threads();
    return rp_cli_finish(rp_probe(&o, rp_cli_host(), &err), &err);
}

/* A layer takes and gives back gigabytes in matrices of a hundred megabytes. Given back to the
 * system, each page costs a fault and a clearing again: a tenth of the time. */
static void keep_memory(void)
{
#ifdef __GLIBC__
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_MMAP_MAX, 0);
    mallopt(M_TRIM_THRESHOLD, -1);
#endif
}

int rp_cmd_probe(int argc, char **argv)
{
    rp_error err = {0};
    keep_memory();
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is an error, after which the parts are deleted */
    rp_status status = rp_comm_init(&err);
    if (rp_comm_world()->rank) rp_cli_mute();
    int code = status ? rp_cli_finish(status, &err) : run(argc, argv);
    rp_comm_finalise();
    return code;
}
