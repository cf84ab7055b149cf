#include "base/table.h"
#include "support/fuzz.h"

int rp_fuzz_one(const uint8_t *data, size_t n)
{
    rp_error err;
    rp_table *t;
    if (rp_table_read(&t, rp_fuzz_file(data, n), &err) == RP_OK) {
        double v;
        for (size_t r = 0; r < rp_table_rows(t); r++) {
            for (size_t c = 0; c < rp_table_columns(t); c++) rp_table_number(t, r, c, &v, &err);
        }
        rp_table_comment(t, "seed");
    }
    rp_table_free(t);
    return 0;
}
