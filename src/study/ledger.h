/*
 * What a study has done already. Each step leaves OUTPUT/steps/<step>.json with the library's
 * version, its options, and the checksums of what it read and wrote; a step whose record still
 * holds is not done again. OUTPUT/steps/checksums.json remembers checksums by size and time of
 * change, so that 26 GB of model are read once: content is hashed again only when a name, size or
 * time of change in the file or folder differs.
 *
 * Outputs count by content: a step that is redone and writes the same bytes redoes nothing after
 * it.
 */
#ifndef RP_STUDY_LEDGER_H
#define RP_STUDY_LEDGER_H

#include <jansson.h>

#include "base/memory.h"

#define RP_STEP_FILES 8

typedef struct rp_step {
    const char *name;
    rp_text options;                  /* "name=value\n" lines: all that shapes the outputs */
    const char *input[RP_STEP_FILES]; /* files or folders; NULL entries are skipped */
    const char *output[RP_STEP_FILES];
} rp_step;

/* Adds a line to the options; NULL values and NaN are written as such. */
rp_status rp_step_text(rp_step *step, const char *name, const char *value, rp_error *err);
rp_status rp_step_number(rp_step *step, const char *name, double value, rp_error *err);

typedef struct rp_ledger {
    char *dir;        /* OUTPUT/steps */
    json_t *checksum; /* path -> {"mark", "sum"} */
    bool changed;     /* checksum is newer than its file */
} rp_ledger;

rp_status rp_ledger_open(rp_ledger *ledger, const char *output, rp_error *err);
void rp_ledger_release(rp_ledger *ledger);

typedef enum rp_step_state {
    RP_STEP_DONE,    /* the record holds */
    RP_STEP_STARTED, /* begun with the same options and inputs, not finished */
    RP_STEP_STALE    /* never done, or something changed */
} rp_step_state;

/* The state of a step and why ("never done", "option bm25 changed", "'run.txt' changed"). */
rp_status rp_ledger_look(rp_ledger *ledger, rp_step_state *state, char *why, size_t cap,
                         const rp_step *step, rp_error *err);
/* Writes the checksums that were found out since; looking alone writes nothing. */
rp_status rp_ledger_save(rp_ledger *ledger, rp_error *err);
/* Was the step ever begun here, so that its outputs are ours to replace? */
bool rp_ledger_knows(const rp_ledger *ledger, const rp_step *step);
rp_status rp_ledger_begin(rp_ledger *ledger, const rp_step *step, rp_error *err);
rp_status rp_ledger_finish(rp_ledger *ledger, const rp_step *step, rp_error *err);

#endif
