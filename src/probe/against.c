/* Another store of the same pairs - the base model's, one of random weights - as a baseline. */
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/memory.h"
#include "probe/job.h"

/* where[i] <- the row of `other` with the pair of row i. */
static rp_status join(size_t *where, const rp_rows *rows, const rp_source *other, rp_error *err)
{
    rp_map *map = rp_map_new();
    rp_text key = {0};
    rp_status status = map ? RP_OK : rp_fail_memory(err, 1);
    for (size_t i = 0; i < other->n && !status; i++) {
        size_t *slot;
        bool fresh;
        key.len = 0;
        status = rp_text_printf(&key, err, "%s\t%s", other->row[i].qid, other->row[i].docid);
        if (!status) status = rp_map_put(map, key.data, key.len, &slot, &fresh, NULL, err);
        if (!status) *slot = i;
    }
    for (size_t i = 0; i < rows->n && !status; i++) {
        const rp_store_row *row = &rows->row[i];
        key.len = 0;
        if ((status = rp_text_printf(&key, err, "%s\t%s", row->qid, row->docid))) break;
        where[i] = rp_map_get(map, key.data, key.len);
        if (where[i] == RP_MAP_NONE)
            status =
                rp_fail(err, RP_EARG, "against: the other store has no query '%s' document '%s'",
                        row->qid, row->docid);
    }
    rp_text_release(&key);
    rp_map_free(map);
    return status;
}

rp_status rp_job_against(rp_job *job, const rp_source *other, rp_error *err)
{
    if (rp_job_sound(job) == SIZE_MAX)
        return rp_fail(err, RP_EARG, "a gain over another store is of the protocol 'sound'");
    for (size_t u = 0; u < job->nunits; u++) {
        const rp_unit *unit = &job->unit[u];
        if (!rp_unit_is_baseline(unit) &&
            rp_source_view(other, unit->name, unit->layer) == SIZE_MAX)
            return rp_fail(err, RP_EARG, "against: the other store has no layer %zu of view '%s'",
                           unit->layer, unit->name);
    }
    job->against_row = rp_alloc(job->rows.n, sizeof *job->against_row);
    if (!job->against_row) return rp_fail_memory(err, job->rows.n * sizeof *job->against_row);
    job->against = other;
    job->gains |= 1u << RP_GAIN_OTHER;
    return join(job->against_row, &job->rows, other, err);
}

size_t rp_source_view(const rp_source *source, const char *name, size_t layer)
{
    for (size_t v = 0; v < source->nviews; v++)
        if (!strcmp(source->view[v].name, name) && layer >= source->view[v].layer_first &&
            layer <= source->view[v].layer_last)
            return v;
    return SIZE_MAX;
}
