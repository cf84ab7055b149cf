/*
 * Verdicts: one for each feature, view and protocol.
 *
 * The rule of the paper: strong when R2 > .85 in some layer, absent when R2 < .1 in the last layer,
 * else intermediate. Layer 0 is the embedding output, before any block; it counts only where a view
 * has no other layer.
 *
 * Ours, under a protocol that splits by query: a finding survives when, in its best layer, the
 * lower end of the interval of R2_within is above 0 and above its null: the 97.5 % quantile of
 * R2_within of permuted labels where the table has it, else the upper end of the interval of
 * control.pair (a random number for each pair), which no model can know.
 */
#ifndef RP_REPORT_VERDICT_H
#define RP_REPORT_VERDICT_H

#include "report/results.h"

#define RP_VERDICT_STRONG 0.85
#define RP_VERDICT_ABSENT 0.10

typedef enum rp_verdict_kind {
    RP_VERDICT_UNDEFINED, /* the label is constant, or every layer is undefined */
    RP_VERDICT_IS_ABSENT,
    RP_VERDICT_IS_INTERMEDIATE,
    RP_VERDICT_IS_STRONG
} rp_verdict_kind;

typedef struct rp_verdict {
    rp_verdict_kind kind;
    const rp_result *best, *last, *input; /* input: layer 0; each may be NULL */
    double null_hi; /* of R2_within in the best layer: what survives lies above; NaN: unknown */
    bool judged;    /* `survives` means something: the protocol has intervals of R2_within */
    bool survives;
} rp_verdict;

typedef struct rp_verdicts {
    const rp_results *results;
    rp_verdict *verdict; /* [features * views * protocols] */
} rp_verdicts;

rp_status rp_verdicts_make(rp_verdicts *verdicts, const rp_results *results, rp_error *err);
void rp_verdicts_release(rp_verdicts *verdicts);
const rp_verdict *rp_verdicts_at(const rp_verdicts *verdicts, size_t feature, size_t view,
                                 size_t protocol);
const char *rp_verdict_name(rp_verdict_kind kind); /* "strong" ... */

/* The protocol that splits by query (`sound`, else the first), and the published one to set beside
 * it (`paper-text`, else `paper-code`); SIZE_MAX where the file has none. */
size_t rp_results_sound(const rp_results *results);
size_t rp_results_published(const rp_results *results);

/* R2 of a feature under `protocol` with nothing but a baseline view ("baseline.length"); NaN. */
double rp_results_baseline(const rp_results *results, size_t feature, size_t protocol,
                           const char *view);

/* verdicts.tsv: a row for each feature, view and protocol (docs/FORMATS.md). */
rp_status rp_verdicts_write(const rp_verdicts *verdicts, const char *path, const rp_host *host,
                            const char *const *inputs, size_t ninputs, rp_error *err);

#endif
