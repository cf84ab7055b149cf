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
    volatile double sum = 0;
    if (rp_saved_read(&saved, rp_fuzz_file(data, n), NULL, shape, 2, &err)) return 0;
    for (size_t i = 0; i < 6; i++) {
        sum += saved.out[0].null[0][i] + saved.out[0].null[1][i];
        sum += (double)saved.out[1].predictions[i];
    }
    for (size_t i = 0; i < 16; i++) sum += saved.out[0].sums[i];
    sum += saved.out[0].beta[1] + saved.out[0].intercept[1] + (double)saved.out[0].frequency[1];
    rp_saved_release(&saved);
    return 0;
}
