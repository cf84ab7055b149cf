/* Pairs in the shapes of a run, a model that may be changed, and a store of them: "whole". */
#ifndef RP_TESTS_CLI_CAPTURE_H
#define RP_TESTS_CLI_CAPTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/number.h"
#include "support/support.h"

enum { QUERIES = 6, EACH = 20 };

#define MPIRUN                                                                                     \
    "env ASAN_OPTIONS=detect_leaks=0 OMPI_ALLOW_RUN_AS_ROOT=1 "                                    \
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 mpirun --oversubscribe "
#define CAPTURE_OF(run, views)                                                                     \
    "\"$RANKPROBE\" capture -q -j 1 --model $TMP/model --run $TMP/" run                            \
    " --queries $TMP/queries.tsv --collection $TMP/docs.tsv --shard-rows 4 --max-query 20 "        \
    "--max-passage 60 " views " -o $TMP/"
#define CAPTURE CAPTURE_OF("run", "--view resid_post --view mlp_act.last")
/* All files of two stores, but the lines that hold the command. */
#define SAME(a, b)                                                                                 \
    "cd $TMP && rm -rf a b && cp -r " a " a && cp -r " b " b && "                                  \
    "sed -i '/\"command\":/d' a/store.json b/store.json && "                                       \
    "sed -i '/^# command/d' a/rows.tsv b/rows.tsv && sed -i '/rows_file/,/}/d' a/store.json "      \
    "b/store.json && diff -r a b"

static inline int shell(const char *command)
{
    char *err = NULL;
    int code = rp_test_command(NULL, &err, command);
    if (code) print_message("%s: %s\n", command, err);
    free(err);
    return code;
}

static const char *const word[] = {"kettle", "tram", "lantern", "of",
                                   "the",    "blue", "stone",   "sings"};

static inline rp_status add(rp_text *text, rp_rng *rng, size_t words, rp_error *err)
{
    rp_status status = RP_OK;
    for (size_t w = 0; w < words && !status; w++)
        status = rp_text_printf(text, err, "%s%s", w ? " " : "", word[rp_rng_below(rng, 8)]);
    return status ? status : rp_text_printf(text, err, "\n");
}

static inline int make(void **state)
{
    rp_text run = {0}, queries = {0}, docs = {0};
    rp_error err;
    rp_rng rng;
    rp_status status = RP_OK;
    (void)state;
    rp_rng_init(&rng, 9, 0);
    for (size_t q = 0; q < QUERIES && !status; q++) {
        status = rp_text_printf(&queries, &err, "q%zu\t", q);
        if (!status) status = add(&queries, &rng, 5, &err);
        for (size_t d = 0; d < EACH && !status; d++) {
            size_t id = q * EACH + d;
            status =
                rp_text_printf(&run, &err, "q%zu Q0 d%zu %zu %zu bm25\n", q, id, d + 1, 99 - d);
            if (!status) status = rp_text_printf(&docs, &err, "d%zu\t", id);
            if (!status) status = add(&docs, &rng, 3 + rp_rng_below(&rng, 12), &err);
        }
    }
    if (status) return -1;
    rp_test_write("run", run.data, run.len);
    rp_test_write("queries.tsv", queries.data, queries.len);
    rp_test_write("docs.tsv", docs.data, docs.len);
    rp_text_release(&run), rp_text_release(&queries), rp_text_release(&docs);
    if (shell("cp -r tests/golden/run/model $TMP/model && chmod -R u+w $TMP/model")) return -1;
    return shell(CAPTURE "whole");
}

#endif
