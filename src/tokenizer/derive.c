/*
 * BPE whose file lists pieces but no merges (SentencePiece, tiktoken): every way to make a piece of
 * two others is a merge, as transformers derives them.
 */
#include <stdlib.h>

#include "tokenizer/parts.h"

/* One way to make a piece. */
typedef struct way {
    int32_t left, right, made;
} way;
typedef struct ways {
    way *item;
    size_t n, cap;
} ways;
typedef struct rated {
    double score;
    size_t id;
} rated;

static int higher_score(const void *a, const void *b)
{
    const rated *x = a, *y = b;
    if (x->score != y->score) return x->score < y->score ? 1 : -1;
    return (x->id > y->id) - (x->id < y->id);
}

static int lower_left(const void *a, const void *b)
{
    const way *x = a, *y = b;
    if (x->left != y->left) return x->left < y->left ? -1 : 1;
    return (x->right > y->right) - (x->right < y->right);
}

/* The pieces in the order in which they merge. */
static rp_status order_of(rated **order, const rp_piece *piece, size_t n, bool by_score,
                          rp_error *err)
{
    rated *r = *order = rp_alloc(n, sizeof *r);
    if (!r) return rp_fail_memory(err, n * sizeof *r);
    for (size_t i = 0; i < n; i++) r[i] = (rated){by_score ? piece[i].score : 0, i};
    if (by_score) qsort(r, n, sizeof *r, higher_score);
    return RP_OK;
}

static int32_t part(const rp_bpe *bpe, const rp_piece *piece, const char *s, size_t len,
                    bool normal_only)
{
    int32_t id = rp_dict_id(&bpe->base.pieces, s, len);
    return id >= 0 && normal_only && piece[id].type != RP_PIECE_NORMAL ? -1 : id;
}

static rp_status add_ways(ways *all, const rp_bpe *bpe, const rp_piece *piece, size_t id,
                          const rp_derive_options *o, rp_error *err)
{
    const rp_piece *p = &piece[id];
    size_t first = all->n, step;
    if (o->normal_only && p->type != RP_PIECE_NORMAL) return RP_OK;
    for (size_t i = 0; i < p->len; i += step) {
        rp_utf8_at(p->text + i, &step);
        int32_t left = i ? part(bpe, piece, p->text, i, o->normal_only) : -1;
        int32_t right = left < 0 ? -1 : part(bpe, piece, p->text + i, p->len - i, o->normal_only);
        if (right < 0) continue;
        rp_status status = rp_grow(&all->item, &all->cap, all->n + 1, sizeof *all->item, err);
        if (status) return status;
        all->item[all->n++] = (way){left, right, (int32_t)id};
    }
    if (o->by_left && all->n - first > 1)
        qsort(all->item + first, all->n - first, sizeof *all->item, lower_left);
    return RP_OK;
}

static rp_status read_pieces(rp_bpe *bpe, const rp_piece *piece, size_t n, const char *path,
                             rp_error *err)
{
    rp_dict *pieces = &bpe->base.pieces;
    rp_status status = rp_dict_reserve(pieces, n, err);
    for (size_t i = 0; i < n && !status; i++) {
        const rp_piece *p = &piece[i];
        int32_t twin = rp_dict_id(pieces, p->text, p->len);
        if (twin >= 0)
            return rp_fail(err, RP_EFORMAT, "'%s': piece %zu is piece %d once more: '%.*s'", path,
                           i, twin, p->len > 200 ? 200 : (int)p->len, p->text);
        if (p->len > RP_LENGTH_LIMIT)
            return rp_fail(err, RP_EFORMAT, "'%s': piece %zu has %zu bytes, more than %zu", path, i,
                           p->len, RP_LENGTH_LIMIT);
        status = rp_dict_put(pieces, p->text, p->len, (int32_t)i, err);
    }
    return status;
}

static rp_status derive(rp_bpe *bpe, const rp_piece *piece, size_t n, const rp_derive_options *o,
                        const char *path, rp_error *err)
{
    ways all = {0};
    rated *order = NULL;
    rp_status status = read_pieces(bpe, piece, n, path, err);
    if (!status) status = order_of(&order, piece, n, o->by_score, err);
    for (size_t i = 0; i < n && !status; i++)
        status = add_ways(&all, bpe, piece, order[i].id, o, err);
    if (!status) status = rp_bpe_reserve(bpe, all.n, path, err);
    for (size_t i = 0; i < all.n && !status; i++) {
        way w = all.item[i];
        rp_bpe_put(bpe, (rp_merge){w.left, w.right, w.made, (uint32_t)i}, piece[w.made].text,
                   piece[w.made].len);
    }
    free(order);
    free(all.item);
    return status ? status : rp_bpe_finish(bpe, err);
}

rp_status rp_bpe_derive(rp_lexicon **lexicon, const rp_piece *piece, size_t n,
                        const rp_derive_options *options, const char *path, rp_error *err)
{
    rp_bpe *bpe = rp_bpe_new(options->bytes);
    rp_status status = RP_OK;
    *lexicon = NULL;
    if (!bpe) return rp_fail_memory(err, sizeof *bpe);
    bpe->fuse_unk = options->fuse_unk;
    bpe->byte_fallback = options->byte_fallback;
    bpe->ignore_merges = options->ignore_merges;
    if (options->unk) {
        bpe->base.unk = strdup(options->unk);
        if (!bpe->base.unk) status = rp_fail_memory(err, strlen(options->unk));
    }
    if (!status) status = derive(bpe, piece, n, options, path, err);
    if (status)
        rp_lexicon_free(&bpe->base);
    else
        *lexicon = &bpe->base;
    return status;
}
