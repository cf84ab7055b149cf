#include "data/data.h"
#include "support/fuzz.h"

int rp_fuzz_one(const uint8_t *data, size_t n)
{
    rp_error err;
    rp_run *run;
    rp_pairs pairs;
    rp_inputs in;
    rp_inputs_init(&in);
    in.run = rp_fuzz_file(data, n);
    if (rp_run_load(&run, in.run, "auto", &err) == RP_OK) {
        for (size_t i = 0; i < rp_run_queries(run); i++) {
            const rp_hit *hits;
            size_t count = rp_run_hits(run, i, &hits);
            for (size_t k = 1; k < count; k++) {
                if (rp_hit_compare(&hits[k - 1], &hits[k]) >= 0) __builtin_trap();
            }
        }
    }
    rp_run_free(run);
    if (rp_pairs_load(&pairs, &in, NULL, &err) == RP_OK) rp_pairs_release(&pairs);
    return 0;
}
