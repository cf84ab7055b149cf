/* The tokens of many pairs, packed, as a batch wants them. */
#ifndef RP_RUN_SEQUENCES_H
#define RP_RUN_SEQUENCES_H

#include "model/model.h"
#include "run/template.h"

typedef struct rp_sequences {
    size_t n;
    size_t *start;    /* [n + 1] */
    int32_t *id;      /* [start[n]] */
    int32_t *segment; /* [start[n]] */
    uint8_t *set;     /* [start[n]] bits of the token sets */
} rp_sequences;

/* Encodes n pairs on `threads` threads (0: all). `wanted` are the set bits that must not be empty.
 * RP_EFORMAT names qid and docid of the first pair that is empty, has an empty wanted set, is
 * longer than the model allows, or holds a token or segment that the model does not have. */
rp_status rp_sequences_encode(rp_sequences *out, const rp_template *t, const rp_model_info *model,
                              const rp_pair *pair, size_t n, unsigned wanted, int threads,
                              rp_error *err);
void rp_sequences_release(rp_sequences *s);

/* Sequence i in numbers. */
typedef struct rp_sequence_about {
    size_t tokens, query, document; /* all, and those of the token sets; a set may be empty */
    double control;                 /* mean over all tokens of a standard normal value a token id */
} rp_sequence_about;
/* The values of the ids are the same in every program and for every seed: a control task that what
 * tokens there are, and nothing else, solves (Hewitt and Liang 2019, here for a pair). */
rp_sequence_about rp_sequences_about(const rp_sequences *s, size_t i);

#endif
