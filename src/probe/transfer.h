/* Out of distribution: what was fitted on one store, scored on another. */
#ifndef RP_PROBE_TRANSFER_H
#define RP_PROBE_TRANSFER_H

#include "probe/unit.h"

/* out <- the scores (and predictions, sums) of fitted->coef on the rows, labels and x of `in`.
 * R2 is against the training mean: of `trained`'s labels over the rows that plan fits. */
rp_status rp_unit_transfer(rp_unit_out *out, const rp_unit_out *fitted, const rp_plan *plan,
                           const rp_labels *trained, const rp_unit_in *in, rp_error *err);

#endif
