/* What the tests of features share: a job's table, and its columns as numbers. */
#ifndef RP_TESTS_FEATURE_FIXTURE_H
#define RP_TESTS_FEATURE_FIXTURE_H

#include <stdlib.h>

#include "base/table.h"
#include "support/support.h"

/* Runs the job and reads what it wrote; rp_table_free(). */
static inline rp_table *rp_table_of(const rp_features_options *o, const rp_host *host)
{
    rp_table *table;
    rp_error err;
    assert_ok(rp_features(o, host, &err), &err);
    assert_ok(rp_table_read(&table, o->output, &err), &err);
    return table;
}

/* [rows]; free() */
static inline double *rp_column_of(const rp_table *table, const char *name)
{
    size_t column;
    rp_error err;
    double *value = calloc(rp_table_rows(table) + 1, sizeof *value);
    assert_non_null(value);
    assert_ok(rp_table_require(table, name, &column, &err), &err);
    for (size_t r = 0; r < rp_table_rows(table); r++)
        assert_ok(rp_table_number(table, r, column, &value[r], &err), &err);
    return value;
}

#endif
