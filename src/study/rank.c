#include "study/rank.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/memory.h"
#include "data/data.h"

/* Rows of a query stand together: first .. the row returned - 1. */
static size_t end_of_query(const rp_store *store, size_t first)
{
    size_t end = first;
    while (end < rp_store_rows(store) &&
           !strcmp(rp_store_row_at(store, end)->qid, rp_store_row_at(store, first)->qid))
        end++;
    return end;
}

static rp_status write_query(FILE *file, const rp_store *store, size_t first, size_t end,
                             rp_hit *hits, const char *dir, rp_error *err)
{
    for (size_t i = first; i < end; i++) {
        const rp_store_row *row = rp_store_row_at(store, i);
        if (isnan(row->score))
            return rp_fail(err, RP_EFORMAT, "'%s': query '%s', document '%s' has no score", dir,
                           row->qid, row->docid);
        hits[i - first] = (rp_hit){row->docid, row->score};
    }
    qsort(hits, end - first, sizeof *hits, rp_hit_compare);
    for (size_t i = 0; i < end - first; i++)
        fprintf(file, "%s Q0 %s %zu %.9g rankprobe\n", rp_store_row_at(store, first)->qid,
                hits[i].docid, i + 1, hits[i].score);
    return RP_OK;
}

rp_status rp_store_rank(const char *run, const char *dir, rp_error *err)
{
    rp_store *store;
    rp_out out = {0};
    rp_status status = rp_store_open(&store, dir, err);
    if (status) return status;
    size_t n = rp_store_rows(store);
    rp_hit *hits = rp_alloc(n ? n : 1, sizeof *hits);
    if (!hits) {
        status = rp_fail_memory(err, n * sizeof *hits);
        goto done;
    }
    if ((status = rp_out_open(&out, run, err))) goto done;
    for (size_t first = 0; !status && first < n;) {
        size_t end = end_of_query(store, first);
        status = write_query(out.file, store, first, end, hits, dir, err);
        first = end;
    }
    if (!status) status = rp_out_commit(&out, err);
done:
    rp_out_release(&out);
    free(hits);
    rp_store_free(store);
    return status;
}
