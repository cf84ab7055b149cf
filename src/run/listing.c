#include "run/listing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"

void rp_listing_release(rp_listing *l)
{
    free(l->view);
    free(l->shape);
    free(l->row);
    free(l->own);
    rp_append_release(&l->there);
    *l = (rp_listing){0};
}

static rp_status add_view(rp_listing *l, const char *name, const rp_model *model, rp_error *err)
{
    rp_view *view = &l->view[l->nviews];
    rp_status status = rp_view_parse(view, name, model, err);

    for (size_t v = 0; status == RP_OK && v < l->there.nviews && v < l->nviews; v++)
        if (strcmp(view->name, l->view[v].name) == 0) return RP_OK; /* the store has it */
    if (status == RP_OK)
        l->shape[l->nviews++] =
            (rp_store_view){view->name, view->width, view->layer_first, view->layer_last};
    return status;
}

static rp_status list_views(rp_listing *l, const rp_workload *work, const rp_capture_options *o,
                            rp_error *err)
{
    static const char *const usual = "resid_post.all.mean";
    const char *const *asked = o->nviews || l->there.nviews ? o->views : &usual;
    size_t more = o->nviews || l->there.nviews ? o->nviews : 1, n = l->there.nviews + more;
    rp_status status = RP_OK;

    if (!o->nviews && !o->append) return rp_fail(err, RP_EARG, "no view is asked for");
    if (o->repair && l->there.nviews) more = 0;
    l->view = rp_alloc(n, sizeof *l->view);
    l->shape = rp_alloc(n, sizeof *l->shape);
    if (!l->view || !l->shape) return rp_fail_memory(err, n * sizeof *l->view);
    for (size_t v = 0; status == RP_OK && v < l->there.nviews; v++)
        status = add_view(l, l->there.view[v], work->model, err);
    for (size_t v = 0; status == RP_OK && v < more; v++)
        status = add_view(l, asked[v], work->model, err);
    return status;
}

/* ---- rows ---- */

static rp_status key_of(rp_text *key, const char *qid, const char *docid, rp_error *err)
{
    key->len = 0;
    rp_status status = rp_text_append(key, qid, strlen(qid) + 1, err);
    return status == RP_OK ? rp_text_append(key, docid, strlen(docid), err) : status;
}

/* Pairs of the store in its order, with their texts where the run has them; *taken [pairs] says
 * which of the run's they are. */
static rp_status take_old(rp_listing *l, bool *taken, const rp_pairs *pairs, rp_error *err)
{
    rp_map *map = rp_map_new();
    rp_text key = {0};
    rp_status status = map ? RP_OK : rp_fail_memory(err, pairs->n);

    for (size_t i = 0; status == RP_OK && i < pairs->n; i++) {
        size_t *slot;
        bool fresh;
        status = key_of(&key, pairs->pair[i].qid, pairs->pair[i].docid, err);
        if (status == RP_OK) status = rp_map_put(map, key.data, key.len, &slot, &fresh, NULL, err);
        if (status == RP_OK) *slot = i;
    }
    for (size_t r = 0; status == RP_OK && r < l->there.rows; r++) {
        const rp_store_row *row = &l->there.row[r];
        status = key_of(&key, row->qid, row->docid, err);
        size_t i = status == RP_OK ? rp_map_get(map, key.data, key.len) : RP_MAP_NONE;
        l->row[r] = *row;
        l->own[r] = (rp_pair){.qid = row->qid, .docid = row->docid};
        if (i != RP_MAP_NONE) l->own[r] = pairs->pair[i], taken[i] = true;
    }
    rp_text_release(&key);
    rp_map_free(map);
    return status;
}

static rp_status list_all(rp_listing *l, const rp_pairs *pairs, bool more, rp_error *err)
{
    size_t most = l->there.rows + pairs->n;
    bool *taken = rp_alloc(pairs->n, sizeof *taken);

    l->own = rp_alloc(most, sizeof *l->own);
    rp_status status = taken && l->own ? take_old(l, taken, pairs, err) : rp_fail_memory(err, most);
    l->rows = l->there.rows;
    for (size_t i = 0; status == RP_OK && more && i < pairs->n; i++)
        if (!taken[i]) l->own[l->rows++] = pairs->pair[i];
    l->pair = l->own;
    free(taken);
    return status;
}

rp_status rp_listing_init(rp_listing *l, const rp_workload *work, const rp_capture_options *o,
                          rp_error *err)
{
    const rp_pairs *pairs = &work->pairs;
    rp_status status = RP_OK;

    *l = (rp_listing){.rows = pairs->n, .pair = pairs->pair};
    if (o->append || o->repair) status = rp_append_look(&l->there, o->store, o->repair, err);
    if (status == RP_OK) status = list_views(l, work, o, err);
    if (status != RP_OK) return status;
    l->row = rp_alloc(l->there.rows + pairs->n, sizeof *l->row);
    if (!l->row) return rp_fail_memory(err, pairs->n * sizeof *l->row);
    if (l->there.rows) status = list_all(l, pairs, o->append, err);
    for (size_t r = l->there.rows; status == RP_OK && r < l->rows; r++)
        l->row[r] = (rp_store_row){.qid = l->pair[r].qid, .docid = l->pair[r].docid};
    return status;
}

rp_status rp_listing_require(const rp_listing *l, size_t first, size_t n,
                             const rp_capture_options *o, rp_error *err)
{
    for (size_t r = first; r < first + n; r++)
        if (!l->pair[r].text)
            return rp_fail(
                err, RP_EARG,
                "query '%.80s' document '%.80s', row %zu of '%s', is to be computed, but "
                "is not in '%s': for new views the run must have all pairs of the store, "
                "for new pairs those of its last shard if that is not full",
                l->pair[r].qid, l->pair[r].docid, r, o->store, o->in.run);
    return RP_OK;
}

size_t rp_listing_first(const rp_listing *l, size_t shard_rows)
{
    if (l->nviews > l->there.nviews) return 0;
    return l->rows > l->there.rows ? l->there.rows / shard_rows * shard_rows : l->rows;
}

rp_status rp_listing_compare(const rp_listing *l, size_t row, const rp_sequence_about *about,
                             const rp_capture_options *o, rp_error *err)
{
    if (row >= l->there.rows) return RP_OK;
    const rp_store_row *old = &l->there.row[row];
    double control = fabs(old->token_control - about->control); /* nine digits are kept */
    if (old->tokens == about->tokens && old->query_tokens == about->query &&
        old->document_tokens == about->document &&
        !(control > 1e-7 * (1 + fabs(old->token_control))))
        return RP_OK;
    return rp_fail(err, RP_EARG,
                   "query '%.80s' document '%.80s', row %zu of '%s', has another text there: %zu "
                   "tokens, here %zu",
                   old->qid, old->docid, row, o->store, old->tokens, about->tokens);
}
