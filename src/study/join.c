#include "study/join.h"

#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/map.h"
#include "base/memory.h"
#include "data/data.h"

typedef struct joiner {
    const rp_study_list *list;
    const char *format;
    const rp_host *host;
    rp_map *seen;    /* qid -> index of the file that has it; of queries: of the text */
    rp_arena *texts; /* of queries */
    const char **text;
    size_t ntext, cap;
    FILE *out;
} joiner;

/* *other <- what the key was seen with before, SIZE_MAX for nothing. */
static rp_status see(joiner *j, size_t *other, const char *key, size_t with, rp_error *err)
{
    size_t *slot;
    bool fresh;
    rp_status status = rp_map_put(j->seen, key, strlen(key), &slot, &fresh, NULL, err);
    if (status) return status;
    *other = fresh ? SIZE_MAX : *slot;
    if (fresh) *slot = with;
    return RP_OK;
}

/* A text in one cell of a table. */
static void write_cell(FILE *out, const char *text)
{
    for (; *text; text++) fputc(*text == '\t' || *text == '\n' || *text == '\r' ? ' ' : *text, out);
}

static rp_status add_query(joiner *j, const char *qid, const char *text, size_t file, rp_error *err)
{
    size_t before;
    /* The map's value is the text's place, so that a second one can be compared with it. */
    rp_status status = see(j, &before, qid, j->ntext, err);
    if (status) return status;
    if (before != SIZE_MAX) {
        if (!strcmp(j->text[before], text)) return RP_OK;
        return rp_fail(err, RP_EFORMAT, "'%s': query '%s' has another text in a file before it",
                       j->list->item[file], qid);
    }
    if ((status = rp_grow(&j->text, &j->cap, j->ntext + 1, sizeof *j->text, err))) return status;
    if (!(j->text[j->ntext++] = rp_arena_strdup(j->texts, text)))
        return rp_fail_memory(err, strlen(text));
    fprintf(j->out, "%s\t", qid);
    write_cell(j->out, text);
    fputc('\n', j->out);
    return RP_OK;
}

static rp_status add_queries(joiner *j, size_t file, rp_error *err)
{
    rp_queries *queries;
    rp_status status = rp_queries_load(&queries, j->list->item[file], j->format, j->host, err);
    if (status) return status;
    for (size_t i = 0; !status && i < rp_queries_count(queries); i++)
        status = add_query(j, rp_queries_id(queries, i), rp_queries_text(queries, i), file, err);
    rp_queries_free(queries);
    return status;
}

static rp_status add_run(joiner *j, size_t file, rp_error *err)
{
    rp_run *run;
    rp_status status = rp_run_load(&run, j->list->item[file], j->format, err);
    if (status) return status;
    for (size_t i = 0; !status && i < rp_run_queries(run); i++) {
        const char *qid = rp_run_qid(run, i);
        const rp_hit *hits;
        size_t n = rp_run_hits(run, i, &hits), before;
        status = see(j, &before, qid, file, err);
        if (!status && before != SIZE_MAX)
            status = rp_fail(err, RP_EFORMAT, "'%s': query '%s' is in '%s' too",
                             j->list->item[file], qid, j->list->item[before]);
        for (size_t k = 0; !status && k < n; k++)
            fprintf(j->out, "%s Q0 %s %zu %.9g joined\n", qid, hits[k].docid, k + 1, hits[k].score);
    }
    rp_run_free(run);
    return status;
}

static rp_status add_qrels(joiner *j, size_t file, rp_error *err)
{
    rp_qrels *qrels;
    rp_status status = rp_qrels_load(&qrels, j->list->item[file], j->format, err);
    if (status) return status;
    for (size_t i = 0; !status && i < rp_qrels_queries(qrels); i++) {
        const char *qid = rp_qrels_qid(qrels, i), *const * docids;
        const int *grades;
        size_t n = rp_qrels_grades(qrels, i, &grades, &docids), before;
        status = see(j, &before, qid, file, err);
        if (!status && before != SIZE_MAX)
            status = rp_fail(err, RP_EFORMAT, "'%s': query '%s' is in '%s' too",
                             j->list->item[file], qid, j->list->item[before]);
        for (size_t k = 0; !status && k < n; k++)
            fprintf(j->out, "%s 0 %s %d\n", qid, docids[k], grades[k]);
    }
    rp_qrels_free(qrels);
    return status;
}

static rp_status join(joiner *j, rp_status (*add)(joiner *, size_t, rp_error *), const char *output,
                      rp_error *err)
{
    rp_out out;
    rp_status status = rp_out_open(&out, output, err);
    if (status) return status;
    j->out = out.file;
    j->seen = rp_map_new();
    j->texts = rp_arena_new();
    if (!j->seen || !j->texts) status = rp_fail_memory(err, 4096);
    for (size_t i = 0; !status && i < j->list->n; i++) status = add(j, i, err);
    if (!status) status = rp_out_commit(&out, err);
    rp_out_release(&out);
    rp_map_free(j->seen);
    rp_arena_free(j->texts);
    free(j->text);
    return status;
}

rp_status rp_join_queries(const char *output, const rp_study_list *list, const char *format,
                          const rp_host *host, rp_error *err)
{
    joiner j = {.list = list, .format = format, .host = host};
    return join(&j, add_queries, output, err);
}

rp_status rp_join_runs(const char *output, const rp_study_list *list, const char *format,
                       rp_error *err)
{
    joiner j = {.list = list, .format = format};
    return join(&j, add_run, output, err);
}

rp_status rp_join_qrels(const char *output, const rp_study_list *list, const char *format,
                        rp_error *err)
{
    joiner j = {.list = list, .format = format};
    return join(&j, add_qrels, output, err);
}
