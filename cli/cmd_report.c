/* rankprobe report: tables, figures and one page from what the other commands wrote. */
#include "cli/cli.h"

static const char about[] =
    "Makes one self-contained page of a probes.tsv: what is encoded in which layer by the "
    "published "
    "rule, what survives a split by query, the labels' own diagnostics and the provenance. Beside "
    "it "
    "lie verdicts.tsv, summary.txt and figures/ with every figure as SVG, PDF and PNG, its gnuplot "
    "script and its data. gnuplot must be installed.";

int rp_cmd_report(int argc, char **argv)
{
    rp_report_options o;
    rp_report_options_init(&o);
    const rp_opt options[] = {
        {"labels", 0, RP_OPT_STRING, &o.labels, "FILE", "label report of rankprobe features", NULL},
        {"eval", 0, RP_OPT_STRING, &o.eval, "FILE", "table of rankprobe eval", NULL},
        {"store", 0, RP_OPT_STRING, &o.store, "DIR",
         "activation store, for what it says of model and template", NULL},
        {"title", 0, RP_OPT_STRING, &o.title, "TEXT", "title of the page", NULL},
        {"output", 'o', RP_OPT_STRING, &o.output, "DIR", "folder to write into", NULL},
        {0},
    };
    const rp_usage usage = {
        .name = "report",
        .operands = "PROBES",
        .about = about,
        .example = "rankprobe report probes.tsv --labels labels.tsv --eval eval.tsv -o report",
        .options = options,
        .min_operands = 1,
        .max_operands = 1,
    };
    char **operands;
    int n, code = rp_opt_parse(&usage, argc, argv, &operands, &n);
    if (code >= 0) return code;
    if (!o.output) return rp_cli_usage("report needs an output folder: -o DIR");
    o.probes = operands[0];
    rp_error err = {0};
    rp_status status = rp_report(&o, rp_cli_host(), &err);
    return rp_cli_finish(status, &err);
}
