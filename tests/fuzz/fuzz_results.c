#include "report/verdict.h"
#include "support/fuzz.h"

int rp_fuzz_one(const uint8_t *data, size_t n)
{
    rp_results results;
    rp_verdicts verdicts;
    rp_error err;
    if (rp_results_read(&results, rp_fuzz_file(data, n), NULL, &err)) return 0;
    if (!rp_verdicts_make(&verdicts, &results, &err)) rp_verdicts_release(&verdicts);
    rp_results_release(&results);
    return 0;
}
