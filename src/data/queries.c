#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/memory.h"
#include "data/data.h"
#include "data/source.h"

enum { TSV, BEIR, AUTO };
static const char *const format_names[] = {"tsv", "beir"};

struct rp_queries {
    rp_map *ids; /* qid -> index */
    rp_arena *strings;
    const char **id, **text; /* [n] */
    size_t n, id_cap, text_cap;
    size_t repeated, empty; /* for the warnings */
};

static rp_status add(rp_queries *q, const rp_source *src, const char *id, const char *text,
                     rp_error *err)
{
    size_t *slot = NULL;
    bool fresh = false;
    const char *own_id = NULL;
    rp_status s = rp_source_check_id(src, id, "query id", err);
    if (!s) s = rp_map_put(q->ids, id, strlen(id), &slot, &fresh, &own_id, err);
    if (s) return s;
    if (!fresh) {
        if (strcmp(q->text[*slot], text) != 0) {
            return rp_source_fail(src, err, "query '%.80s' again, with another text", id);
        }
        q->repeated++;
        return RP_OK;
    }
    *slot = q->n;
    s = rp_grow(&q->id, &q->id_cap, q->n + 1, sizeof *q->id, err);
    if (!s) s = rp_grow(&q->text, &q->text_cap, q->n + 1, sizeof *q->text, err);
    if (s) return s;
    const char *own_text = rp_arena_strdup(q->strings, text);
    if (!own_text) return rp_fail_memory(err, strlen(text));
    q->id[q->n] = own_id;
    q->text[q->n++] = own_text;
    if (text[strspn(text, " ")] == '\0') q->empty++;
    return RP_OK;
}

static rp_status add_json(rp_queries *q, const rp_source *src, const char *line, size_t len,
                          rp_error *err)
{
    json_t *object = NULL;
    char id[512];
    const char *text = NULL;
    size_t text_len;
    rp_status s = rp_source_json(src, &object, line, len, err);
    if (!s) s = rp_source_id(src, id, sizeof id, object, "_id", err);
    if (!s) s = rp_source_string(src, &text, &text_len, object, "text", err);
    if (!s && !text) s = rp_source_fail(src, err, "no 'text'");
    if (!s) s = add(q, src, id, text, err);
    json_decref(object);
    return s;
}

static rp_status add_tsv(rp_queries *q, const rp_source *src, char *line, size_t len, rp_error *err)
{
    char *tab = memchr(line, '\t', len);
    if (!tab) return rp_source_fail(src, err, "no tab between id and text: '%.80s'", line);
    *tab = '\0';
    return add(q, src, line, tab + 1, err);
}

static rp_status read_all(rp_queries *q, rp_source *src, size_t format, rp_error *err)
{
    char *line;
    size_t len;
    rp_status s = rp_source_peek(src, &line, &len, err);
    if (!s && format == AUTO) format = line[0] == '{' ? BEIR : TSV;
    while (!s) {
        s = rp_source_next(src, &line, &len, err);
        if (s || !line) break;
        s = format == TSV ? add_tsv(q, src, line, len, err) : add_json(q, src, line, len, err);
    }
    return s;
}

rp_status rp_queries_load(rp_queries **out, const char *path, const char *format,
                          const rp_host *host, rp_error *err)
{
    static const char *const names[] = {"queries.jsonl", NULL};
    char file[PATH_MAX];
    size_t which;
    *out = NULL;
    rp_source src = {0};
    rp_queries *q = calloc(1, sizeof *q);
    if (!q) return rp_fail_memory(err, sizeof *q);
    rp_status s = rp_source_format(&which, format, format_names, AUTO, "queries", err);
    q->ids = rp_map_new();
    q->strings = rp_arena_new();
    if (!s && (!q->ids || !q->strings)) s = rp_fail_memory(err, sizeof *q);
    if (!s) s = rp_source_resolve(file, sizeof file, path, names, false, err);
    if (!s) s = rp_source_open(&src, file, err);
    if (!s) s = read_all(q, &src, which, err);
    rp_source_release(&src);
    if (s) {
        rp_queries_free(q);
        return s;
    }
    if (q->repeated) {
        rp_host_warn(host, "'%s': ignored %zu repeated quer%s", file, q->repeated,
                     q->repeated == 1 ? "y" : "ies");
    }
    if (q->empty) {
        rp_host_warn(host, "'%s': %zu quer%s no text", file, q->empty,
                     q->empty == 1 ? "y has" : "ies have");
    }
    *out = q;
    return RP_OK;
}

void rp_queries_free(rp_queries *q)
{
    if (!q) return;
    rp_map_free(q->ids);
    rp_arena_free(q->strings);
    free(q->id);
    free(q->text);
    free(q);
}

size_t rp_queries_count(const rp_queries *q)
{
    return q->n;
}

const char *rp_queries_id(const rp_queries *q, size_t i)
{
    return q->id[i];
}

const char *rp_queries_text(const rp_queries *q, size_t i)
{
    return q->text[i];
}

size_t rp_queries_find(const rp_queries *q, const char *qid)
{
    return rp_map_get(q->ids, qid, strlen(qid));
}
