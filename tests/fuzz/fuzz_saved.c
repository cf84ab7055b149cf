/* Any bytes as a part of a probe job: an answer of numbers or a refusal. The seal is not asked for,
 * so that mutations come as far as the arrays. */
#include "probe/parts.h"
#include "support/fuzz.h"

int rp_fuzz_one(const uint8_t *data, size_t n)
{
    static const rp_unit_shape shape[2] = {
        {RP_WANT_SUMS | RP_WANT_NULL | RP_WANT_COEFFICIENTS | RP_WANT_FREQUENCY, 2, 3, 2, 1, 3},
        {RP_WANT_PREDICTIONS, 2, 3, 2, 1, 3}};
    rp_saved saved;
    rp_error err;
    if (rp_saved_read(&saved, rp_fuzz_file(data, n), NULL, shape, 2, &err)) return 0;
    const rp_unit_out *out = saved.out;
    /* Every number is read. */
    rp_checksum_bytes(out[0].sums, 16 * sizeof *out->sums, 0);
    for (size_t k = 0; k < RP_NULLS; k++)
        rp_checksum_bytes(out[0].null[k], 6 * sizeof *out->null[k], 0);
    rp_checksum_bytes(out[0].coef, 2 * sizeof *out->coef, 0);
    rp_checksum_bytes(out[0].beta, 2 * sizeof *out->beta, 0);
    rp_checksum_bytes(out[0].intercept, 2 * sizeof *out->intercept, 0);
    rp_checksum_bytes(out[0].frequency, 2 * sizeof *out->frequency, 0);
    rp_checksum_bytes(out[1].predictions, 6 * sizeof *out->predictions, 0);
    rp_saved_release(&saved);
    return 0;
}
