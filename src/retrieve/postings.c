#include "retrieve/postings.h"

#include <stdlib.h>

static rp_status add_block(void *arg, const rp_scan_block *block, rp_error *err)
{
    rp_postings *p = arg;
    size_t n = block->first + block->n;
    rp_status status = rp_grow(&p->length, &p->length_cap, n, sizeof *p->length, err);
    if (!status) status = rp_grow(&p->id, &p->id_cap, n, sizeof *p->id, err);
    for (size_t i = 0; i < block->n && !status; i++) {
        p->length[block->first + i] = block->length[i];
        p->id[block->first + i] = rp_arena_strdup(p->ids, block->id[i]);
        if (!p->id[block->first + i]) status = rp_fail_memory(err, 1);
    }
    for (size_t i = 0; i < block->npostings && !status; i++) {
        const rp_posting *from = &block->posting[i];
        rp_posting_list *list = &p->list[from->term];
        if (list->n == list->cap) {
            status = rp_grow(&list->item, &list->cap, list->n + 1, sizeof *list->item, err);
            if (status) break;
        }
        list->item[list->n++] = (rp_occurrence){(uint32_t)block->first + from->doc, from->f};
    }
    p->ndocs = n;
    return status;
}

rp_status rp_postings_collect(rp_postings *p, const rp_scan_options *o, const rp_host *host,
                              rp_error *err)
{
    *p = (rp_postings){.nterms = rp_map_size(o->terms), .ids = rp_arena_new()};
    p->list = rp_alloc(p->nterms + 1, sizeof *p->list);
    if (!p->ids || !p->list) return rp_fail_memory(err, p->nterms * sizeof *p->list);
    return rp_scan(o, &p->totals, add_block, p, host, err);
}

void rp_postings_release(rp_postings *p)
{
    for (size_t i = 0; p->list && i < p->nterms; i++) free(p->list[i].item);
    free(p->list);
    free(p->length);
    free(p->id);
    rp_arena_free(p->ids);
    *p = (rp_postings){0};
}
