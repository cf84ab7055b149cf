/* rankprobe capture: pooled activations of every layer of a ranking model. */
#include <stdlib.h>
#include <string.h>

#include "base/comm.h"
#include "base/number.h"
#include "cli/pairs.h"

static const char about[] =
    "Runs every query-document pair of a run through a ranking language model and keeps the "
    "activations of every layer, pooled over the tokens, in a store: a directory of safetensors "
    "files and a table of the pairs with their scores. A capture that was stopped goes on when the "
    "same command is given again; one that is complete is left alone. A view is "
    "SITE[.TOKENS[.POOL]] with the sites resid_post, mlp_out, mlp_act, attn_out, resid_mid, the "
    "token sets all, nobos, query, document, last, and the pools mean, max.";

/* "2/8": the third of eight. */
static int parse_shard(rp_capture_options *o, const char *text)
{
    char first[32];
    const char *slash = text ? strchr(text, '/') : NULL;
    size_t n = slash ? (size_t)(slash - text) : 0;

    if (!text) return 0;
    if (n > 0 && n < sizeof first) {
        memcpy(first, text, n);
        first[n] = 0;
        if (rp_number_size(first, &o->shard) && rp_number_size(slash + 1, &o->shards) &&
            o->shard < o->shards)
            return 0;
    }
    return rp_cli_usage("--shard is i/n with i from 0 to n - 1, not '%s'", text);
}

static int run(int argc, char **argv)
{
    rp_capture_options o;
    rp_error err = {0};
    char **operands;
    const char *shard = NULL;
    int n, code;

    rp_capture_options_init(&o);
    const char *usual = "resid_post.all.mean";
    rp_opt_list views = {{usual}, 1};
    bool score = true;
    bool share = true;
    const rp_opt options[] = {
        RP_OPT_PAIRS(o),
        RP_OPT_TEMPLATE(o.template_),
        {"", 0, RP_OPT_FLAG, NULL, NULL, "what is kept", NULL},
        {"view", 0, RP_OPT_LIST, &views, "VIEW",
         "what to pool; where --append is given and this is not, what the store has", NULL},
        {"score", 0, RP_OPT_FLAG, &score, NULL,
         "the scores beside the activations, which a model without a score head cannot give", NULL},
        {"", 0, RP_OPT_FLAG, NULL, NULL, "output", NULL},
        {"output", 'o', RP_OPT_STRING, &o.store, "DIR", "the store; an unfinished one is continued",
         NULL},
        {"dtype", 0, RP_OPT_STRING, &o.dtype, "NAME",
         "how activations are kept; the error of the worst column is told", "f32|f16|bf16|i8"},
        {"append", 0, RP_OPT_FLAG, &o.append, NULL,
         "add to a complete store what it lacks of the run's pairs and of the views", NULL},
        {"repair", 0, RP_OPT_FLAG, &o.repair, NULL,
         "check a complete store, and compute again what is altered or missing", NULL},
        {"shard", 0, RP_OPT_STRING, &shard, "I/N",
         "this is process I (from 0) of N that write the store together, on one machine or on a "
         "shared file system; mpirun needs no such option",
         NULL},
        {"shard-rows", 0, RP_OPT_SIZE, &o.shard_rows, "N", "pairs in one file of the store", NULL},
        RP_OPT_RUNNING(o, share),
        {0},
    };
    const rp_usage usage = {
        .name = "capture",
        .operands = "",
        .about = about,
        .example =
            "rankprobe capture --model rankllama --run bm25.trec --queries queries.tsv \\\n"
            "    --collection collection.tsv.gz --view resid_post --view mlp_act.last -o acts",
        .options = options,
    };

    code = rp_opt_parse(&usage, argc, argv, &operands, &n);
    if (code >= 0) return code;
    if (!o.model) return rp_cli_usage("--model is required");
    if (!o.in.run) return rp_cli_usage("--run is required");
    if (!o.store) return rp_cli_usage("--output is required");
    if ((code = parse_shard(&o, shard))) return code;
    o.views = views.item;
    o.nviews = o.append && views.item[0] == usual ? 0 : views.n;
    o.no_score = !score;
    o.no_share = !share;
    o.threads = rp_cli_threads();
    return rp_cli_finish(rp_capture(&o, rp_cli_host(), &err), &err);
}

int rp_cmd_capture(int argc, char **argv)
{
    rp_error err = {0};
    rp_status status = rp_comm_init(&err);
    if (rp_comm_world()->rank) rp_cli_mute();
    int code = status ? rp_cli_finish(status, &err) : run(argc, argv);
    rp_comm_finalise();
    return code;
}
