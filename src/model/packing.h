/*
 * A batch as it is computed. What neighbouring sequences have in common at their beginning - the
 * prompt and the query of a query's documents - is computed once, as a piece of its own (a head),
 * where every token sees only those before it. Since a row's numbers depend on nothing but the row
 * and what it attends to, the results are the same to the last bit.
 */
#ifndef RP_MODEL_PACKING_H
#define RP_MODEL_PACKING_H

#include "model/model.h"

typedef struct rp_piece {
    size_t row, n;   /* its rows of the residual stream */
    size_t token;    /* its first token, of the batch */
    size_t at;       /* its place in the sequence: the tokens of the head before it */
    size_t head;     /* the first row of that head; 0 without one */
    size_t sequence; /* of the batch; heads: the first that has it */
} rp_piece;

typedef struct rp_packing {
    size_t nheads, n;                /* pieces: first the heads, then one a sequence */
    rp_piece *piece;                 /* [n] rows ascending */
    size_t rows, head_rows, longest; /* longest: tokens of a whole sequence */
    size_t cap, *scratch;
} rp_packing;

/* share: whether heads are looked for. What was allocated for an earlier batch is used again. */
rp_status rp_packing_make(rp_packing *packing, const rp_batch *batch, bool share, rp_error *err);
void rp_packing_release(rp_packing *packing);

/* The row of token t of a sequence. */
static inline size_t rp_packing_row(const rp_packing *p, size_t sequence, size_t t)
{
    const rp_piece *piece = &p->piece[p->nheads + sequence];
    return t < piece->at ? piece->head + t : piece->row + t - piece->at;
}

#endif
