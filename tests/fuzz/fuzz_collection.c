#include "data/data.h"
#include "support/fuzz.h"

int rp_fuzz_one(const uint8_t *data, size_t n)
{
    rp_error err;
    rp_collection *c;
    rp_doc doc;
    bool end = false;
    rp_status s = rp_collection_open(&c, rp_fuzz_file(data, n), "auto", &err);
    while (!s && !end) s = rp_collection_next(c, &doc, &end, &err);
    rp_collection_free(c);
    return 0;
}
