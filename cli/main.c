/* rankprobe: the table of commands. To add one: cli/cmd_<name>.c, a prototype in cli.h, a row here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

static const rp_command commands[] = {
    {"search", rp_cmd_search, "BM25 over a collection, many queries at once"},
    {"features", rp_cmd_features, "classic IR features of query-document pairs"},
    {"score", rp_cmd_score, "rerank a run with a language model"},
    {"eval", rp_cmd_eval, "trec_eval's measures of runs"},
    {"capture", rp_cmd_capture, "pooled activations of every layer of a ranking model"},
    {"store", rp_cmd_store,
     "what is in an activation store, whether it is sound, a layer for NumPy"},
    {"doctor", rp_cmd_doctor, "what was understood of a model, and whether it is right"},
    {"probe", rp_cmd_probe, "fit probes from activations to features"},
    {"report", rp_cmd_report, "figures, tables and a page from probes"},
    {"study", rp_cmd_study, "the whole pipeline, from one study.yaml, resumable"},
};
#define NCOMMANDS (sizeof commands / sizeof commands[0])

static void print_help(FILE *to)
{
    fputs("rankprobe " RP_VERSION ": what a ranking language model knows about relevance\n\n"
          "usage: rankprobe COMMAND [options] OPERANDS\n\ncommands:\n",
          to);
    for (size_t i = 0; i < NCOMMANDS; i++) {
        fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].summary);
    }
    fputs("\n"
          "'rankprobe COMMAND --help' explains a command, with an example. Every command knows\n"
          "-q (quiet), -j N (threads), -h (help) and --version.\n\n"
          "  rankprobe search collection.tsv.gz queries.tsv -o bm25.trec\n"
          "  rankprobe eval qrels.txt bm25.trec\n"
          "  rankprobe study study.yaml\n",
          to);
}

static const rp_command *find(const char *name)
{
    for (size_t i = 0; i < NCOMMANDS; i++) {
        if (strcmp(commands[i].name, name) == 0) return &commands[i];
    }
    return NULL;
}

static int unknown(const char *name)
{
    const char *names[NCOMMANDS];
    for (size_t i = 0; i < NCOMMANDS; i++) names[i] = commands[i].name;
    const char *near = rp_cli_suggest(name, names, NCOMMANDS);
    if (name[0] == '-') return rp_cli_usage("unknown option '%s' before the command", name);
    if (near) return rp_cli_usage("unknown command '%s'; did you mean '%s'?", name, near);
    return rp_cli_usage("unknown command '%s'", name);
}

static int help(int argc, char **argv)
{
    const rp_command *c = argc > 2 ? find(argv[2]) : NULL;
    if (argc > 2 && !c) return unknown(argv[2]);
    if (c) {
        char *args[] = {argv[2], (char[]){"--help"}, NULL};
        return c->run(2, args);
    }
    print_help(stdout);
    return rp_cli_flush();
}

int main(int argc, char **argv)
{
    rp_error err;
    rp_cli_fit_blas(argv);
    rp_status s = rp_cli_start(argc, argv, &err);
    if (s) return rp_cli_finish(s, &err);
    if (argc < 2) {
        print_help(stderr);
        return 2;
    }
    const char *name = argv[1];
    if (strcmp(name, "--version") == 0) {
        printf("rankprobe %s\n", rp_version());
        return rp_cli_flush();
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        return help(argc, argv);
    }
    const rp_command *c = find(name);
    return c ? c->run(argc - 1, argv + 1) : unknown(name);
}
