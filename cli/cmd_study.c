/* rankprobe study: the whole pipeline from one study.yaml. */
#include <stdio.h>
#include <stdlib.h>

#include "base/io.h"
#include "cli/cli.h"
#include "study/config.h"

#define SUMMARY_LIMIT ((size_t)1 << 20)

static const char about[] =
    "Does all that a study.yaml asks for: finds candidates (or takes a run), computes features, "
    "captures activations, ranks, evaluates, fits probes and writes the page, each into the "
    "study's "
    "output folder. What is done already and still holds is not done again: a step is redone when "
    "its options, its inputs or this program's version changed, or its output was. A study that "
    "was "
    "stopped goes on where it was. Ends with a summary on standard output.";

/* The summary that the report left in the study's output folder. */
static rp_status print_summary(const char *study, rp_error *err)
{
    rp_study_config config;
    char path[4096], *text = NULL;
    size_t n = 0;
    rp_status status = rp_study_config_load(&config, study, err);
    if (status) return status;
    status = rp_path_join(path, sizeof path, config.keys->output, "summary.txt", err);
    rp_study_config_release(&config);
    if (!status) status = rp_file_read(&text, &n, path, SUMMARY_LIMIT, err);
    if (!status && (fwrite(text, 1, n, stdout) != n || fflush(stdout)))
        status = rp_fail_errno(err, "standard output");
    free(text);
    return status;
}

int rp_cmd_study(int argc, char **argv)
{
    rp_study_options o;
    rp_study_options_init(&o);
    const rp_opt options[] = {
        {"force", 'f', RP_OPT_FLAG, &o.force, NULL, "do every step again", NULL},
        {"dry-run", 'n', RP_OPT_FLAG, &o.dry_run, NULL, "only say what would be done, and why",
         NULL},
        {0},
    };
    const rp_usage usage = {
        .name = "study",
        .operands = "STUDY.YAML",
        .about = about,
        .example = "rankprobe study demo/study.yaml\nrankprobe study --dry-run demo/study.yaml",
        .options = options,
        .min_operands = 1,
        .max_operands = 1,
    };
    char **operands;
    int n, code = rp_opt_parse(&usage, argc, argv, &operands, &n);
    if (code >= 0) return code;
    o.study = operands[0];
    o.threads = rp_cli_threads();
    rp_error err = {0};
    rp_status status = rp_study(&o, rp_cli_host(), &err);
    if (!status && !o.dry_run) status = print_summary(o.study, &err);
    return rp_cli_finish(status, &err);
}
