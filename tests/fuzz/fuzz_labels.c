/* features.tsv joined with the rows of a store. */
#include "probe/rows.h"
#include "support/fuzz.h"

int rp_fuzz_one(const uint8_t *data, size_t n)
{
    static const rp_store_row row[] = {
        {.qid = "q1", .docid = "d1", .tokens = 5, .score = .5, .token_control = .25},
        {.qid = "q1", .docid = "d2", .tokens = 6, .score = .25, .token_control = -1},
        {.qid = "q2", .docid = "d1", .tokens = 7, .score = 1, .token_control = 2}};
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
