#include "data/data.h"
#include "support/fuzz.h"

int rp_fuzz_one(const uint8_t *data, size_t n)
{
    rp_error err;
    rp_queries *q;
    rp_queries_load(&q, rp_fuzz_file(data, n), "auto", NULL, &err);
    rp_queries_free(q);
    return 0;
}
