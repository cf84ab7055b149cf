/*
 * The command line: one cmd_<name>.c a command and one row in main.c. Options are a table of rows,
 * each pointing at a variable whose initial value is the default that --help prints.
 */
#ifndef RP_CLI_H
#define RP_CLI_H

#include "base/error.h"

typedef enum rp_opt_kind {
    RP_OPT_FLAG,   /* bool *; --no-NAME clears it when it starts true */
    RP_OPT_INT,    /* int * */
    RP_OPT_SIZE,   /* size_t *, plain number */
    RP_OPT_BYTES,  /* size_t *, K M G T suffixes (1024) */
    RP_OPT_SEED,   /* uint64_t * */
    RP_OPT_NUMBER, /* double *; a NaN default is not shown: the help sentence says what happens */
    RP_OPT_STRING, /* const char ** */
    RP_OPT_LIST    /* rp_opt_list *: may be given several times */
} rp_opt_kind;

typedef struct rp_opt_list {
    const char *item[64];
    size_t n;
} rp_opt_list;

typedef struct rp_opt {
    const char *name; /* long name; NULL ends the table; "" starts a group whose title is `help` */
    char letter;      /* short name or 0 */
    rp_opt_kind kind;
    void *value;
    const char *arg;     /* FILE, N, ... */
    const char *help;    /* one sentence, lower case */
    const char *choices; /* "a|b|c": anything else is a usage error; NULL: free */
} rp_opt;

typedef struct rp_command {
    const char *name;
    int (*run)(int argc, char **argv); /* argv[0] is the command's name; returns the exit code */
    const char *summary;               /* one line for `rankprobe --help` */
} rp_command;

typedef struct rp_usage {
    const char *name, *operands; /* "search", "COLLECTION QUERIES" */
    const char *about;           /* a short paragraph */
    const char *example;         /* lines that can be typed */
    const rp_opt *options;
    int min_operands, max_operands; /* max -1: any number */
} rp_usage;

/* Parses argv with the command's options and the common ones (-q/--quiet, -j/--threads through
 * rp_cli_threads, -h/--help, --version). *operands points at the first operand, *n is their number.
 * Returns -1 to go on, else the exit code to return (0 after --help, 2 after a usage error, which
 * was printed as "rankprobe: <text>"). */
int rp_opt_parse(const rp_usage *usage, int argc, char **argv, char ***operands, int *n);
int rp_cli_threads(void); /* of -j; 0: all */
/* The host of this process: progress line on stderr, warnings, the command line; SIGINT cancels. */
const rp_host *rp_cli_host(void);
/* "rankprobe: <text>" for a failure; the closing line (wall, CPU, peak memory) unless quiet; the
 * exit code: 0, 1 failed, 2 RP_EARG, 130 cancelled by SIGINT. */
int rp_cli_finish(rp_status status, const rp_error *err);
/* A usage error found by a command: prints "rankprobe: <text>" and where help is, returns 2. */
int rp_cli_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Called once by main: remembers the command line and the time, and catches SIGINT and SIGTERM: the
 * first makes the next progress call cancel, the second kills. A mapped file that is cut while it
 * is read (SIGBUS) ends with a message and code 1. */
rp_status rp_cli_start(int argc, char **argv, rp_error *err);
/* Called before rp_cli_start: where OpenBLAS takes a processor that has AVX2 for one from before
 * AVX sets OPENBLAS_CORETYPE, unless it is set, and begins the program again; else returns. */
void rp_cli_fit_blas(char **argv);
void rp_cli_quiet(bool quiet);
void rp_cli_mute(void); /* prints nothing at all: another process of the job speaks */
void rp_cli_help_for(const char *command); /* whose --help usage errors point to */
/* The name nearest to a mistyped word, NULL when none is near. */
const char *rp_cli_suggest(const char *word, const char *const *names, size_t n);
/* Flushes what was printed as help; the exit code: 0, 1 when it could not be written. */
int rp_cli_flush(void);

int rp_cmd_search(int argc, char **argv);
int rp_cmd_features(int argc, char **argv);
int rp_cmd_score(int argc, char **argv);
int rp_cmd_eval(int argc, char **argv);
int rp_cmd_capture(int argc, char **argv);
int rp_cmd_store(int argc, char **argv);
int rp_cmd_doctor(int argc, char **argv);
int rp_cmd_probe(int argc, char **argv);
int rp_cmd_report(int argc, char **argv);
int rp_cmd_study(int argc, char **argv);

#endif
