/* features.tsv joined with the rows of a store. */
#include "probe/rows.h"
#include "support/fuzz.h"

int rp_fuzz_one(const uint8_t *data, size_t n)
{
    static const rp_store_row row[] = {
        {"q1", "d1", 5, .5}, {"q1", "d2", 6, .25}, {"q2", "d1", 7, 1}};
    const rp_source source = {.n = 3, .row = row};
    rp_rows rows;
    rp_labels labels;
    rp_error err;
    if (rp_rows_init(&rows, &source, 1, &err)) return 0;
    if (!rp_labels_load(&labels, &rows, rp_fuzz_file(data, n), "*", true, NULL, &err))
        rp_labels_release(&labels);
    rp_rows_release(&rows);
    return 0;
}
