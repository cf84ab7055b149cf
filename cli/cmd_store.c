/* rankprobe store: what is in an activation store, whether it is sound, a layer of it elsewhere. */
#include <string.h>

#include "base/number.h"
#include "cli/cli.h"

static const char about[] = "`info` tells what is in a store, also in an unfinished one. `verify` "
                            "compares every file with the "
                            "size and the checksum that it was written with, names those that "
                            "differ, and exits with 1 where "
                            "one does; `capture --repair` computes them again. `export` writes one "
                            "layer as float32: for NumPy "
                            "(.npy), as safetensors (one tensor, x) or as a table (.tsv: qid, "
                            "docid and a column a unit); the "
                            "rows are those of rows.tsv.";

int rp_cmd_store(int argc, char **argv)
{
    rp_export_options o;
    rp_error err = {0};
    const char *layer = NULL;
    char **operands;
    int n;
    rp_export_options_init(&o);
    const rp_opt options[] = {
        {"", 0, RP_OPT_FLAG, NULL, NULL, "of export", NULL},
        {"view", 0, RP_OPT_STRING, &o.view, "NAME",
         "which view; may be left out where there is one", NULL},
        {"layer", 0, RP_OPT_STRING, &layer, "N", "which layer", NULL},
        {"format", 0, RP_OPT_STRING, &o.format, "NAME", "auto: as the output's name ends, else tsv",
         "auto|npy|safetensors|tsv"},
        {"", 0, RP_OPT_FLAG, NULL, NULL, "output", NULL},
        {"output", 'o', RP_OPT_STRING, &o.output, "FILE", "- is standard output", NULL},
        {0},
    };
    const rp_usage usage = {
        .name = "store",
        .operands = "info|verify|export DIR",
        .about = about,
        .example = "rankprobe store info acts\n"
                   "rankprobe store verify acts\n"
                   "rankprobe store export acts --view mlp_act.last.mean --layer 12 -o layer12.npy",
        .options = options,
        .min_operands = 2,
        .max_operands = 2,
    };
    int code = rp_opt_parse(&usage, argc, argv, &operands, &n);
    if (code >= 0) return code;
    if (layer && !rp_number_size(layer, &o.layer))
        return rp_cli_usage("--layer is a whole number, not '%s'", layer);
    o.store = operands[1];
    rp_status status;
    if (!strcmp(operands[0], "info"))
        status = rp_store_info(o.store, o.output, &err);
    else if (!strcmp(operands[0], "verify"))
        status = rp_store_verify(o.store, o.output, rp_cli_threads(), rp_cli_host(), &err);
    else if (!strcmp(operands[0], "export"))
        status = rp_store_export(&o, rp_cli_host(), &err);
    else
        return rp_cli_usage("'%s' is none of info, verify, export", operands[0]);
    return rp_cli_finish(status, &err);
}
