/*
 * Derived columns: "name = expression" over columns.
 *
 *   expression: + - * / ^, unary minus, parentheses, numbers, columns, z(...), log1p(...), sqrt,
 * abs ^ binds tightest and to the right (a ^ -2 is allowed), then unary minus, then * /, then + -
 *   a name is letters, digits, _ and dots, not starting with a digit or a dot
 *   z(e) is (e - mean) / sd over all rows (population sd; 0 where sd <= 1e-9 |mean|)
 *
 * A named preset stands for a list of definitions: paper-groups (of the mslr.* columns: group.*)
 * and paper-groups-published (the same of the paper.* columns: paper.group.*).
 */
#ifndef RP_FEATURE_EXPRESSION_H
#define RP_FEATURE_EXPRESSION_H

#include "base/error.h"

typedef struct rp_expression rp_expression;

/* RP_EARG: what is wrong, with the position (from 1) and the token found. */
rp_status rp_expression_parse(rp_expression **e, const char *definition, rp_error *err);
void rp_expression_free(rp_expression *e);
const char *rp_expression_name(const rp_expression *e);
const char *rp_expression_text(const rp_expression *e); /* right of the =, as it was written */
/* Columns that it refers to, in order of appearance, each once. */
size_t rp_expression_columns(const rp_expression *e);
const char *rp_expression_column(const rp_expression *e, size_t i);
/* Position of that column's first mention in the definition, from 1. */
size_t rp_expression_position(const rp_expression *e, size_t i);
/* out [n] <- columns[i] [n], the values of rp_expression_column(e, i). */
rp_status rp_expression_eval(const rp_expression *e, double *out, const double *const *columns,
                             size_t n, rp_error *err);

/* Definitions of a preset (NULL-terminated), or NULL when there is none of that name. */
const char *const *rp_expression_preset(const char *name);

#endif
