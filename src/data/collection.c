#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "data/data.h"
#include "data/source.h"

#define ID_CAP 512

enum { TSV, BEIR, TEVATRON, AUTO };
static const char *const format_names[] = {"tsv", "beir", "tevatron"};

/* A document seen before: 16 bytes each, so that 10 million of them fit. Two documents are taken
 * for the same when the 64-bit checksums of their identifiers are equal. */
typedef struct seen {
    uint64_t id, text; /* id 0: free */
} seen;

struct rp_collection {
    rp_source src;
    size_t format;
    json_t *object; /* of the row that was last returned */
    char id[ID_CAP];
    seen *table; /* [cap] open addressing, at most 5/8 full */
    size_t cap, n, duplicates;
};

static seen *slot_of(seen *table, size_t cap, uint64_t id)
{
    size_t i = (size_t)id & (cap - 1);
    while (table[i].id && table[i].id != id) i = (i + 1) & (cap - 1);
    return &table[i];
}

static rp_status grow_table(rp_collection *c, rp_error *err)
{
    size_t cap = c->cap ? c->cap * 2 : 1024;
    seen *grown = calloc(cap, sizeof *grown);
    if (!grown) return rp_fail_memory(err, cap * sizeof *grown);
    for (size_t i = 0; i < c->cap; i++) {
        if (c->table[i].id) *slot_of(grown, cap, c->table[i].id) = c->table[i];
    }
    free(c->table);
    c->table = grown;
    c->cap = cap;
    return RP_OK;
}

static rp_status check_duplicate(rp_collection *c, const rp_doc *doc, bool *again, rp_error *err)
{
    if (c->n >= c->cap / 8 * 5) {
        rp_status s = grow_table(c, err);
        if (s) return s;
    }
    uint64_t id = rp_checksum_bytes(doc->id, doc->id_len, 0);
    uint64_t text = rp_checksum_bytes(doc->title, doc->title_len, 0);
    text = rp_checksum_bytes(doc->text, doc->text_len, text);
    if (!id) id = 1;
    seen *s = slot_of(c->table, c->cap, id);
    *again = s->id != 0;
    if (*again && s->text != text) {
        return rp_source_fail(&c->src, err, "document '%.80s' again, with another text", doc->id);
    }
    if (*again) {
        c->duplicates++;
    } else {
        *s = (seen){id, text};
        c->n++;
    }
    return RP_OK;
}

static rp_status recognise(rp_collection *c, rp_error *err)
{
    char *line;
    size_t len;
    rp_status s = rp_source_peek(&c->src, &line, &len, err);
    if (s || c->format != AUTO) return s;
    if (line[0] != '{') {
        c->format = TSV;
        if (strchr(line, '\t')) return RP_OK;
        return rp_source_fail(&c->src, err, "not a collection: neither 'id<TAB>text' nor JSON");
    }
    json_t *object = NULL;
    s = rp_source_json(&c->src, &object, line, len, err);
    if (s) return s;
    c->format = json_object_get(object, "_id") ? BEIR : TEVATRON;
    bool known = c->format == BEIR || json_object_get(object, "docid");
    json_decref(object);
    return known ? RP_OK
                 : rp_source_fail(&c->src, err, "neither '_id' (BEIR) nor 'docid' (Tevatron)");
}

rp_status rp_collection_open(rp_collection **out, const char *path, const char *format,
                             rp_error *err)
{
    static const char *const names[] = {"corpus.jsonl", NULL};
    char file[PATH_MAX];
    *out = NULL;
    rp_collection *c = calloc(1, sizeof *c);
    if (!c) return rp_fail_memory(err, sizeof *c);
    rp_status s = rp_source_format(&c->format, format, format_names, AUTO, "collection", err);
    if (!s) s = rp_source_resolve(file, sizeof file, path, names, false, err);
    if (!s) s = rp_source_open(&c->src, file, err);
    if (!s) s = recognise(c, err);
    if (s) {
        rp_collection_free(c);
        return s;
    }
    *out = c;
    return RP_OK;
}

static rp_status parse_tsv(rp_collection *c, rp_doc *doc, char *line, size_t len, rp_error *err)
{
    char *tab = memchr(line, '\t', len);
    if (!tab) return rp_source_fail(&c->src, err, "no tab between id and text: '%.80s'", line);
    *tab = '\0';
    *doc = (rp_doc){.id = line,
                    .title = "",
                    .text = tab + 1,
                    .id_len = (size_t)(tab - line),
                    .text_len = len - (size_t)(tab + 1 - line)};
    return rp_source_check_id(&c->src, line, "document id", err);
}

static rp_status parse_json(rp_collection *c, rp_doc *doc, const char *line, size_t len,
                            rp_error *err)
{
    json_decref(c->object);
    c->object = NULL;
    *doc = (rp_doc){.id = c->id};
    rp_status s = rp_source_json(&c->src, &c->object, line, len, err);
    if (s) return s;
    const char *key = c->format == BEIR ? "_id" : "docid";
    s = rp_source_id(&c->src, c->id, sizeof c->id, c->object, key, err);
    if (!s) s = rp_source_string(&c->src, &doc->title, &doc->title_len, c->object, "title", err);
    if (!s) s = rp_source_string(&c->src, &doc->text, &doc->text_len, c->object, "text", err);
    if (!s && !doc->text) s = rp_source_fail(&c->src, err, "no 'text'");
    if (!doc->title) doc->title = "";
    doc->id_len = strlen(c->id);
    return s;
}

rp_status rp_collection_next(rp_collection *c, rp_doc *doc, bool *end, rp_error *err)
{
    *end = false;
    for (bool again = true; again;) {
        char *line;
        size_t len;
        rp_status s = rp_source_next(&c->src, &line, &len, err);
        if (s) return s;
        if (!line) {
            *end = true;
            return RP_OK;
        }
        s = c->format == TSV ? parse_tsv(c, doc, line, len, err)
                             : parse_json(c, doc, line, len, err);
        if (!s) s = check_duplicate(c, doc, &again, err);
        if (s) return s;
    }
    return RP_OK;
}

size_t rp_collection_warn(const rp_collection *c, const rp_host *host)
{
    if (c->duplicates) {
        rp_host_warn(host, "'%s': ignored %zu repeated document%s", c->src.path, c->duplicates,
                     c->duplicates == 1 ? "" : "s");
    }
    return c->duplicates;
}

void rp_collection_free(rp_collection *c)
{
    if (!c) return;
    json_decref(c->object);
    rp_source_release(&c->src);
    free(c->table);
    free(c);
}
