#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/memory.h"
#include "data/run.h"

/* The document of a pair, before its text is known. */
typedef struct passage {
    const char *docid, *title, *text; /* text NULL: not seen yet */
} passage;

struct rp_pairs_owner {
    rp_run *run;
    rp_queries *queries;
    rp_qrels *qrels;
    rp_map *wanted; /* docid -> index of passage */
    rp_arena *texts;
    passage *passage; /* [npassages] */
    size_t *of_pair;  /* [n] index of passage */
    size_t npassages, cap;
};

void rp_inputs_init(rp_inputs *in)
{
    *in = (rp_inputs){.collection_format = "auto",
                      .queries_format = "auto",
                      .run_format = "auto",
                      .qrels_format = "auto"};
}

void rp_pairs_release(rp_pairs *pairs)
{
    struct rp_pairs_owner *o = pairs->owner;
    free(pairs->pair);
    free(pairs->first);
    if (o) {
        rp_run_free(o->run);
        rp_queries_free(o->queries);
        rp_qrels_free(o->qrels);
        rp_map_free(o->wanted);
        rp_arena_free(o->texts);
        free(o->passage);
        free(o->of_pair);
        free(o);
    }
    *pairs = (rp_pairs){0};
}

static size_t kept(const rp_run *run, size_t topic, size_t top)
{
    const rp_hit *hits;
    size_t n = rp_run_hits(run, topic, &hits);
    return top && top < n ? top : n;
}

static rp_status allot(rp_pairs *pairs, size_t top, rp_error *err)
{
    struct rp_pairs_owner *o = pairs->owner;
    pairs->ntopics = rp_run_queries(o->run);
    pairs->first = rp_alloc(pairs->ntopics + 1, sizeof *pairs->first);
    if (!pairs->first) return rp_fail_memory(err, pairs->ntopics * sizeof *pairs->first);
    for (size_t t = 0; t < pairs->ntopics; t++) {
        pairs->first[t + 1] = pairs->first[t] + kept(o->run, t, top);
    }
    pairs->n = pairs->first[pairs->ntopics];
    pairs->pair = rp_alloc(pairs->n, sizeof *pairs->pair);
    o->of_pair = rp_alloc(pairs->n, sizeof *o->of_pair);
    if (!pairs->pair || !o->of_pair) return rp_fail_memory(err, pairs->n * sizeof *pairs->pair);
    return RP_OK;
}

static rp_status want(struct rp_pairs_owner *o, size_t pair, const char *docid, rp_error *err)
{
    size_t *slot = NULL;
    bool fresh = false;
    rp_status s = rp_map_put(o->wanted, docid, strlen(docid), &slot, &fresh, NULL, err);
    if (s) return s;
    if (fresh) {
        s = rp_grow(&o->passage, &o->cap, o->npassages + 1, sizeof *o->passage, err);
        if (s) return s;
        o->passage[o->npassages] = (passage){.docid = docid};
        *slot = o->npassages++;
    }
    o->of_pair[pair] = *slot;
    return RP_OK;
}

static rp_status query_text(const char **text, const struct rp_pairs_owner *o, size_t topic,
                            const rp_inputs *in, rp_error *err)
{
    if (rp_run_has_texts(o->run)) {
        *text = rp_run_query_text(o->run, topic);
        return RP_OK;
    }
    const char *qid = rp_run_qid(o->run, topic);
    size_t i = rp_queries_find(o->queries, qid);
    if (i == SIZE_MAX) {
        return rp_fail(err, RP_EFORMAT, "query '%.80s' of '%s' is not in '%s'", qid, in->run,
                       in->queries);
    }
    *text = rp_queries_text(o->queries, i);
    return RP_OK;
}

/* Everything of the pairs but the documents' texts. */
static rp_status join(rp_pairs *pairs, const rp_inputs *in, rp_error *err)
{
    struct rp_pairs_owner *o = pairs->owner;
    for (size_t t = 0; t < pairs->ntopics; t++) {
        const rp_hit *hits;
        const char *text = NULL, *qid = rp_run_qid(o->run, t);
        size_t judged = o->qrels ? rp_qrels_find(o->qrels, qid) : SIZE_MAX;
        rp_status s = query_text(&text, o, t, in, err);
        if (s) return s;
        rp_run_hits(o->run, t, &hits);
        for (size_t i = pairs->first[t]; i < pairs->first[t + 1]; i++) {
            const rp_hit *h = &hits[i - pairs->first[t]];
            rp_pair *p = &pairs->pair[i];
            *p = (rp_pair){.qid = qid,
                           .docid = h->docid,
                           .query = text,
                           .title = "",
                           .score = h->score,
                           .topic = t,
                           .grade = -1};
            if (judged != SIZE_MAX) rp_qrels_grade_at(o->qrels, judged, h->docid, &p->grade);
            s = want(o, i, h->docid, err);
            if (s) return s;
        }
    }
    return RP_OK;
}

static rp_status keep(struct rp_pairs_owner *o, const rp_doc *doc, rp_error *err)
{
    size_t i = rp_map_get(o->wanted, doc->id, doc->id_len);
    if (i == RP_MAP_NONE) return RP_OK;
    o->passage[i].title = rp_arena_strndup(o->texts, doc->title, doc->title_len);
    o->passage[i].text = rp_arena_strndup(o->texts, doc->text, doc->text_len);
    if (o->passage[i].title && o->passage[i].text) return RP_OK;
    return rp_fail_memory(err, doc->text_len);
}

/* One pass over the collection; only the wanted texts stay in memory. */
static rp_status stream(struct rp_pairs_owner *o, const rp_inputs *in, const rp_host *host,
                        rp_error *err)
{
    rp_collection *c = NULL;
    rp_status s = rp_collection_open(&c, in->collection, in->collection_format, err);
    for (size_t n = 0; !s; n++) {
        rp_doc doc;
        bool end = false;
        s = rp_collection_next(c, &doc, &end, err);
        if (s || end) break;
        s = keep(o, &doc, err);
        if (!s && n % 4096 == 0) s = rp_host_progress(host, "reading documents", n, 0, err);
    }
    if (!s) rp_collection_warn(c, host);
    rp_collection_free(c);
    return s;
}

static rp_status attach(rp_pairs *pairs, const rp_inputs *in, rp_error *err)
{
    const struct rp_pairs_owner *o = pairs->owner;
    const rp_pair *lacking = NULL;
    size_t missing = 0;
    for (size_t i = 0; i < pairs->n; i++) {
        const passage *p = &o->passage[o->of_pair[i]];
        pairs->pair[i].title = p->title;
        pairs->pair[i].text = p->text;
        if (!p->text && missing++ == 0) lacking = &pairs->pair[i];
    }
    if (!missing) return RP_OK;
    return rp_fail(err, RP_EFORMAT,
                   "document '%.80s' (query '%.80s') of '%s' is not in '%s'; %zu of %zu pairs lack "
                   "their text",
                   lacking->docid, lacking->qid, in->run, in->collection, missing, pairs->n);
}

/* A top1000 run: the texts are in it. A document must have one text. */
static rp_status attach_own(rp_pairs *pairs, const rp_inputs *in, rp_error *err)
{
    struct rp_pairs_owner *o = pairs->owner;
    for (size_t i = 0; i < pairs->n; i++) {
        rp_pair *pair = &pairs->pair[i];
        passage *p = &o->passage[o->of_pair[i]];
        pair->text = rp_run_passage(o->run, pair->topic, i - pairs->first[pair->topic]);
        if (!p->text) p->text = pair->text;
        if (strcmp(p->text, pair->text) != 0) {
            return rp_fail(err, RP_EFORMAT, "'%s': document '%.80s' (query '%.80s') has two texts",
                           in->run, pair->docid, pair->qid);
        }
        pair->text = p->text;
    }
    return RP_OK;
}

static rp_status load_inputs(struct rp_pairs_owner *o, const rp_inputs *in, const rp_host *host,
                             rp_error *err)
{
    if (!in->run) return rp_fail(err, RP_EARG, "no run was given");
    rp_status s = rp_run_load_texts(&o->run, in->run, in->run_format, err);
    if (s) return s;
    bool own = rp_run_has_texts(o->run);
    if (!own && !in->queries) return rp_fail(err, RP_EARG, "no queries were given");
    if (!own && !in->collection) return rp_fail(err, RP_EARG, "no collection was given");
    if (!own) s = rp_queries_load(&o->queries, in->queries, in->queries_format, host, err);
    if (!s && in->qrels) s = rp_qrels_load(&o->qrels, in->qrels, in->qrels_format, err);
    return s;
}

rp_status rp_pairs_load(rp_pairs *pairs, const rp_inputs *in, const rp_host *host, rp_error *err)
{
    *pairs = (rp_pairs){.owner = calloc(1, sizeof *pairs->owner)};
    struct rp_pairs_owner *o = pairs->owner;
    if (!o) return rp_fail_memory(err, sizeof *o);
    rp_status s = RP_OK;
    o->wanted = rp_map_new();
    o->texts = rp_arena_new();
    if (!o->wanted || !o->texts) s = rp_fail_memory(err, sizeof *o);
    if (!s) s = load_inputs(o, in, host, err);
    if (!s) s = allot(pairs, in->top, err);
    if (!s) s = join(pairs, in, err);
    if (!s && rp_run_has_texts(o->run)) {
        s = attach_own(pairs, in, err);
    } else if (!s) {
        s = stream(o, in, host, err);
        if (!s) s = attach(pairs, in, err);
    }
    if (s) rp_pairs_release(pairs);
    return s;
}
