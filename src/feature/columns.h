/*
 * Which columns a features table has, and their values: selected features, then derived columns.
 * A feature that only an expression refers to is computed and not written.
 */
#ifndef RP_FEATURE_COLUMNS_H
#define RP_FEATURE_COLUMNS_H

#include "feature/expression.h"
#include "feature/feature.h"

typedef struct rp_column {
    const char *name, *meaning; /* of a derived column: its expression */
    const rp_feature *feature;  /* NULL: derived */
    rp_expression *expression;
    size_t *source; /* [its columns] columns that the expression refers to */
    bool hidden;
    double *value; /* [rows] */
} rp_column;

typedef struct rp_columns {
    rp_column *column; /* [n] features in the table's order, then derived in the order given */
    size_t n, cap;
    size_t rows;
} rp_columns;

/* The columns that o->select and o->derive ask for. RP_EARG names a glob that matches nothing, and
 * a feature that was asked for (by name, by a glob that matches no other, in an expression) without
 * the encoder that it needs. */
rp_status rp_columns_init(rp_columns *c, const rp_features_options *o, rp_error *err);
void rp_columns_release(rp_columns *c);
bool rp_columns_have(const rp_columns *c, rp_family family);
/* Room for the values. */
rp_status rp_columns_allocate(rp_columns *c, size_t rows, rp_error *err);
/* Row <- the family's features. */
void rp_columns_fill(const rp_columns *c, size_t row, rp_family family, const rp_evidence *e);
/* Evaluates the derived columns. RP_ECOMPUTE for a value that is not finite, with the pair. */
rp_status rp_columns_derive(rp_columns *c, const rp_pair *pairs, rp_error *err);

#endif
