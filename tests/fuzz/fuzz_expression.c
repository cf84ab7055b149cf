/* A derived column's definition, parsed and evaluated. */
#include <stdlib.h>
#include <string.h>

#include "feature/expression.h"
#include "support/fuzz.h"

int rp_fuzz_one(const uint8_t *data, size_t n)
{
    const double x[] = {0, -1, 2.5};
    char *text = malloc(n + 1);
    rp_expression *e = NULL;
    rp_error err;
    if (!text) return 0;
    memcpy(text, data, n);
    text[n] = '\0';
    if (rp_expression_parse(&e, text, &err) == RP_OK) {
        size_t columns = rp_expression_columns(e);
        const double **column = calloc(columns + 1, sizeof *column);
        double out[3];
        for (size_t i = 0; column && i < columns; i++) column[i] = x;
        if (column) rp_expression_eval(e, out, column, 3, &err);
        free(column);
    }
    rp_expression_free(e);
    free(text);
    return 0;
}
