#include "data/data.h"
#include "support/fuzz.h"

int rp_fuzz_one(const uint8_t *data, size_t n)
{
    rp_error err;
    rp_qrels *q;
    if (rp_qrels_load(&q, rp_fuzz_file(data, n), "auto", &err) == RP_OK) {
        for (size_t i = 0; i < rp_qrels_queries(q); i++) {
            const char *const *docids;
            const int *grades;
            int grade;
            size_t count = rp_qrels_grades(q, i, &grades, &docids);
            for (size_t k = 0; k < count; k++) {
                bool found = rp_qrels_grade(q, rp_qrels_qid(q, i), docids[k], &grade);
                if (!found || grade != grades[k]) __builtin_trap();
            }
        }
    }
    rp_qrels_free(q);
    return 0;
}
