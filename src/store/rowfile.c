#include "store/rowfile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/number.h"
#include "base/table.h"

rp_status rp_rowfile_write(const char *path, const rp_store_row *row, size_t rows, bool score,
                           const char *command, rp_error *err)
{
    rp_provenance provenance = {.host = &(rp_host){.command = command}};
    rp_out out = {0};
    rp_status status = rp_out_open(&out, path, err);

    if (status == RP_OK) status = rp_provenance_write(out.file, &provenance, err);
    if (status == RP_OK)
        fputs("row\tqid\tdocid\ttokens\tscore\tquery_tokens\tdocument_tokens\ttoken_control\n",
              out.file);
    for (size_t r = 0; status == RP_OK && r < rows; r++) {
        fprintf(out.file, "%zu\t%s\t%s\t%zu\t", r, row[r].qid, row[r].docid, row[r].tokens);
        if (score)
            fprintf(out.file, "%.9g", row[r].score);
        else
            fputs("nan", out.file);
        fprintf(out.file, "\t%zu\t%zu\t%.9g\n", row[r].query_tokens, row[r].document_tokens,
                row[r].token_control);
    }
    if (status == RP_OK) status = rp_out_commit(&out, err);
    rp_out_release(&out);
    return status;
}

/* A count in a column that older stores lack (SIZE_MAX). */
static rp_status read_count(size_t *count, const rp_table *t, size_t r, size_t column,
                            rp_error *err)
{
    *count = 0;
    if (column == SIZE_MAX || rp_number_size(rp_table_cell(t, r, column), count)) return RP_OK;
    return rp_fail(err, RP_EFORMAT, "'%s' line %zu: %s is not a number: '%s'", rp_table_path(t),
                   rp_table_line(t, r), rp_table_name(t, column), rp_table_cell(t, r, column));
}

enum {
    ROW,
    QID,
    DOCID,
    TOKENS,
    SCORE,
    NEEDED,
    QUERY_TOKENS = NEEDED,
    DOCUMENT_TOKENS,
    TOKEN_CONTROL,
    COLUMNS
};

/* The rows of a query follow each other, and share its name. */
static rp_status read_names(rp_store_row *row, bool first, rp_arena *names, const char *qid,
                            const char *docid, rp_error *err)
{
    row->qid = !first && strcmp(row[-1].qid, qid) == 0 ? row[-1].qid : rp_arena_strdup(names, qid);
    row->docid = rp_arena_strdup(names, docid);
    return row->qid && row->docid ? RP_OK : rp_fail_memory(err, strlen(qid) + strlen(docid));
}

static rp_status read_row(rp_store_row *row, rp_arena *names, const rp_table *t, size_t r,
                          const size_t column[COLUMNS], rp_error *err)
{
    const char *path = rp_table_path(t);
    size_t number;
    rp_status status;

    if (!rp_number_size(rp_table_cell(t, r, column[ROW]), &number) || number != r)
        return rp_fail(err, RP_EFORMAT, "'%s' line %zu: row is '%s', not %zu", path,
                       rp_table_line(t, r), rp_table_cell(t, r, column[ROW]), r);
    row->token_control = NAN;
    status = read_names(row, r == 0, names, rp_table_cell(t, r, column[QID]),
                        rp_table_cell(t, r, column[DOCID]), err);
    if (status == RP_OK) status = read_count(&row->tokens, t, r, column[TOKENS], err);
    if (status == RP_OK) status = rp_table_number(t, r, column[SCORE], &row->score, err);
    if (status == RP_OK) status = read_count(&row->query_tokens, t, r, column[QUERY_TOKENS], err);
    if (status == RP_OK)
        status = read_count(&row->document_tokens, t, r, column[DOCUMENT_TOKENS], err);
    if (status == RP_OK && column[TOKEN_CONTROL] != SIZE_MAX)
        status = rp_table_number(t, r, column[TOKEN_CONTROL], &row->token_control, err);
    return status;
}

rp_status rp_rowfile_read(rp_store_row **row, size_t *rows, rp_arena *names, const char *path,
                          rp_error *err)
{
    static const char *const name[COLUMNS] = {
        "row",   "qid",          "docid",           "tokens",
        "score", "query_tokens", "document_tokens", "token_control"};
    rp_table *t = NULL;
    size_t column[COLUMNS];
    rp_status status = rp_table_read(&t, path, err);

    *row = NULL, *rows = 0;
    for (size_t c = 0; status == RP_OK && c < NEEDED; c++)
        status = rp_table_require(t, name[c], &column[c], err);
    if (status == RP_OK) {
        for (size_t c = NEEDED; c < COLUMNS; c++) column[c] = rp_table_find(t, name[c]);
        *rows = rp_table_rows(t);
        *row = rp_alloc(*rows, sizeof **row);
        if (!*row) status = rp_fail_memory(err, *rows * sizeof **row);
    }
    for (size_t r = 0; status == RP_OK && r < *rows; r++)
        status = read_row(&(*row)[r], names, t, r, column, err);
    if (status != RP_OK) free(*row), *row = NULL, *rows = 0;
    rp_table_free(t);
    return status;
}
