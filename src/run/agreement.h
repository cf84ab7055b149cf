/*
 * How far a model's activations are from those of a reference dump, layer by layer and site by
 * site. A tensor agrees when its largest difference is at most RP_AGREEMENT_BAR of its largest
 * value; a score when it is within the bar, absolutely or relatively.
 */
#ifndef RP_RUN_AGREEMENT_H
#define RP_RUN_AGREEMENT_H

#include <stdio.h>

#include "run/drive.h"
#include "run/reference.h"

#define RP_AGREEMENT_BAR 1e-4

/* The differences of one tensor. A NaN on either side makes max_diff NaN. */
typedef struct rp_tally {
    size_t n;
    double max_diff, sum_diff, max_want; /* of |got - want|, of |want| */
    double dot, got, want;               /* got . want, got . got, want . want */
    size_t at;                           /* element of the largest difference, row-major */
    double got_at, want_at;              /* there */
} rp_tally;
/* Adds got [n] and want [n] (f32, perhaps unaligned), elements `first`... of the tensor. */
void rp_tally_add(rp_tally *t, const float *got, const void *want, size_t n, size_t first);
void rp_tally_merge(rp_tally *t, const rp_tally *other);
double rp_tally_relative(const rp_tally *t); /* max |got - want| / max |want|; 0 / 0 is 0 */
double rp_tally_cosine(const rp_tally *t);   /* 1 where both are 0 */
bool rp_tally_agrees(const rp_tally *t);

typedef struct rp_agreement {
    const rp_model *model;
    const rp_reference *reference;
    rp_tally *tally; /* [layers + 1, RP_SITES]; n is 0 where the dump has no such tensor */
    rp_tally embed;
    float *scores; /* [n]; NULL without a score head or scores in the dump */
} rp_agreement;

/* Runs the reference's sequences through the model, which it fits (rp_reference_check). */
rp_status rp_agreement_run(rp_agreement *a, const rp_model *model, const rp_reference *reference,
                           size_t memory, int threads, const rp_host *host, rp_error *err);
void rp_agreement_release(rp_agreement *a);
/* The table, in the order in which the model computes. */
void rp_agreement_print(const rp_agreement *a, FILE *file);
/* True when all agrees; else text [cap] says where it differs first and by how much; pairs, tokens
 * and units count from 0. */
bool rp_agreement_holds(const rp_agreement *a, char *text, size_t cap);

#endif
