#include "retrieve/scan.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "data/data.h"
#include "retrieve/analysis.h"
#include "retrieve/vocabulary.h"

#define BLOCK_DOCUMENTS 2048
#define BLOCK_BYTES ((size_t)512 << 10) /* a block ends with the document that passes it */
#define PROGRESS_EVERY 16384            /* documents */

/* A thread's tools. */
typedef struct worker {
    rp_analyzer *analyzer;
    uint32_t *count;   /* [terms] occurrences in the document at hand, 0 between documents */
    uint32_t *touched; /* [terms] which are not 0 */
} worker;

/* A block being read, analysed, handed over; its memory is used again. */
typedef struct slot {
    rp_text text; /* id NUL title text, one document after the other */
    size_t begin[BLOCK_DOCUMENTS], id_len[BLOCK_DOCUMENTS], title_len[BLOCK_DOCUMENTS],
        text_len[BLOCK_DOCUMENTS];
    const char *id[BLOCK_DOCUMENTS];
    uint32_t length[BLOCK_DOCUMENTS];
    size_t n;
    rp_posting *posting;
    size_t npostings, cap;
    rp_vocabulary vocabulary;
    rp_status status;
    rp_error err;
} slot;

typedef struct scan {
    const rp_scan_options *o;
    size_t nterms;
    int threads;
    worker *worker; /* [threads] */
    slot *slot;     /* [nslots] */
    size_t nslots;
    rp_collection *collection;
    rp_vocabulary vocabulary;
} scan;

static void release(scan *s)
{
    for (int i = 0; s->worker && i < s->threads; i++) {
        rp_analyzer_free(s->worker[i].analyzer);
        free(s->worker[i].count);
        free(s->worker[i].touched);
    }
    for (size_t i = 0; s->slot && i < s->nslots; i++) {
        rp_text_release(&s->slot[i].text);
        free(s->slot[i].posting);
        rp_vocabulary_release(&s->slot[i].vocabulary);
    }
    free(s->worker);
    free(s->slot);
    rp_collection_free(s->collection);
    rp_vocabulary_release(&s->vocabulary);
}

static rp_status prepare(scan *s, const rp_scan_options *o, rp_error *err)
{
    s->o = o;
    s->nterms = rp_map_size(o->terms);
    s->threads = o->threads > 0 ? o->threads : omp_get_max_threads();
    s->nslots = 4 * (size_t)s->threads;
    s->worker = rp_alloc((size_t)s->threads, sizeof *s->worker);
    s->slot = rp_alloc(s->nslots, sizeof *s->slot);
    if (!s->worker || !s->slot) return rp_fail_memory(err, s->nslots * sizeof *s->slot);
    for (int i = 0; i < s->threads; i++) {
        rp_status status = rp_analyzer_new(&s->worker[i].analyzer, o->analyzer, err);
        if (status) return status;
        s->worker[i].count = rp_alloc(s->nterms + 1, sizeof(uint32_t));
        s->worker[i].touched = rp_alloc(s->nterms + 1, sizeof(uint32_t));
        if (!s->worker[i].count || !s->worker[i].touched) {
            return rp_fail_memory(err, s->nterms * sizeof(uint32_t));
        }
    }
    rp_status status = o->vocabulary ? rp_vocabulary_init(&s->vocabulary, err) : RP_OK;
    return status ? status : rp_collection_open(&s->collection, o->collection, o->format, err);
}

static rp_status read_block(slot *b, rp_collection *collection, bool *end, rp_error *err)
{
    b->n = 0;
    b->text.len = 0;
    while (b->n < BLOCK_DOCUMENTS && b->text.len < BLOCK_BYTES) {
        rp_doc doc;
        rp_status status = rp_collection_next(collection, &doc, end, err);
        if (status || *end) return status;
        b->begin[b->n] = b->text.len;
        b->id_len[b->n] = doc.id_len;
        b->title_len[b->n] = doc.title_len;
        b->text_len[b->n] = doc.text_len;
        status = rp_text_append(&b->text, doc.id, doc.id_len, err);
        if (!status) status = rp_text_append(&b->text, "", 1, err);
        if (!status) status = rp_text_append(&b->text, doc.title, doc.title_len, err);
        if (!status) status = rp_text_append(&b->text, doc.text, doc.text_len, err);
        if (status) return status;
        b->n++;
    }
    return RP_OK;
}

static rp_status count_terms(const scan *s, worker *w, slot *b, size_t doc, const rp_term *term,
                             size_t n, rp_error *err)
{
    size_t ntouched = 0;
    for (size_t i = 0; i < n; i++) {
        size_t t = rp_map_get(s->o->terms, term[i].text, term[i].len);
        if (t == RP_MAP_NONE) continue;
        if (!w->count[t]++) w->touched[ntouched++] = (uint32_t)t;
    }
    rp_status status = RP_OK;
    if (b->npostings + ntouched > b->cap) {
        status = rp_grow(&b->posting, &b->cap, b->npostings + ntouched, sizeof *b->posting, err);
    }
    for (size_t i = 0; i < ntouched; i++) {
        uint32_t t = w->touched[i];
        if (!status) b->posting[b->npostings++] = (rp_posting){t, (uint32_t)doc, w->count[t]};
        w->count[t] = 0;
    }
    return status;
}

static rp_status count_vocabulary(rp_vocabulary *v, size_t doc, const rp_term *term, size_t n,
                                  rp_error *err)
{
    for (size_t i = 0; i < n; i++) {
        size_t index;
        rp_status status = rp_vocabulary_add(v, &index, term[i].text, term[i].len, err);
        if (status) return status;
        rp_vocable *t = &v->term[index];
        if (t->last == doc + 1) continue;
        t->last = doc + 1;
        t->documents++;
    }
    return RP_OK;
}

static rp_status analyse_block(const scan *s, worker *w, slot *b, rp_error *err)
{
    b->npostings = 0;
    rp_status status = RP_OK;
    if (s->o->vocabulary) {
        rp_vocabulary_release(&b->vocabulary);
        status = rp_vocabulary_init(&b->vocabulary, err);
    }
    for (size_t i = 0; i < b->n && !status; i++) {
        const char *id = b->text.data + b->begin[i], *title = id + b->id_len[i] + 1;
        const rp_term *term;
        size_t n;
        b->id[i] = id;
        status = rp_analyzer_run(w->analyzer, &term, &n, title, b->title_len[i],
                                 title + b->title_len[i], b->text_len[i], err);
        b->length[i] = (uint32_t)n;
        if (!status) status = count_terms(s, w, b, i, term, n, err);
        if (!status && s->o->vocabulary) {
            status = count_vocabulary(&b->vocabulary, i, term, n, err);
        }
    }
    return status;
}

static rp_status hand_over(scan *s, const slot *b, rp_scan_totals *totals, rp_scan_sink *sink,
                           void *arg, rp_error *err)
{
    for (size_t i = 0; i < b->vocabulary.n; i++) {
        const rp_vocable *t = &b->vocabulary.term[i];
        size_t index;
        rp_status status = rp_vocabulary_add(&s->vocabulary, &index, t->text, t->len, err);
        if (status) return status;
        s->vocabulary.term[index].documents += t->documents;
    }
    rp_scan_block block = {.first = totals->documents,
                           .n = b->n,
                           .id = b->id,
                           .length = b->length,
                           .npostings = b->npostings,
                           .posting = b->posting};
    for (size_t i = 0; i < b->n; i++) totals->terms += b->length[i];
    totals->documents += b->n;
    if (totals->documents >= UINT32_MAX) {
        return rp_fail(err, RP_EFORMAT, "'%s': 2^32 documents or more", s->o->collection);
    }
    return sink(arg, &block, err);
}

/* The next slot, with a block read into it; NULL when there is none to read, or no slot. */
static slot *next_slot(scan *s, size_t *filled, bool *end, rp_status *status, rp_error *err)
{
    if (*filled == s->nslots || *end || *status) return NULL;
    slot *b = &s->slot[*filled];
    *status = read_block(b, s->collection, end, err);
    if (*status || !b->n) return NULL;
    ++*filled;
    return b;
}

/* Fills the slots in order: a thread reads a block, then analyses it while the others read. */
static rp_status fill_slots(scan *s, size_t *filled, bool *end, rp_error *err)
{
    rp_status status = RP_OK;
    *filled = 0;
#pragma omp parallel num_threads(s->threads)
    for (bool more = true; more;) {
        slot *b;
#pragma omp critical(rp_scan_read)
        b = next_slot(s, filled, end, &status, err);
        more = b != NULL;
        if (b) b->status = analyse_block(s, &s->worker[omp_get_thread_num()], b, &b->err);
    }
    for (size_t i = 0; i < *filled && !status; i++) {
        status = s->slot[i].status;
        if (status && err) *err = s->slot[i].err;
    }
    return status;
}

static double mean_idf(const rp_vocabulary *v, double N)
{
    double sum = 0;
    for (size_t i = 0; i < v->n; i++) {
        double n = (double)v->term[i].documents;
        sum += log(N - n + .5) - log(n + .5);
    }
    return v->n ? sum / (double)v->n : 0;
}

rp_status rp_scan(const rp_scan_options *o, rp_scan_totals *totals, rp_scan_sink *sink, void *arg,
                  const rp_host *host, rp_error *err)
{
    scan s = {0};
    bool end = false;
    size_t reported = 0;
    *totals = (rp_scan_totals){.mean_idf = NAN};
    rp_status status = prepare(&s, o, err);
    while (!status && !end) {
        size_t filled;
        status = fill_slots(&s, &filled, &end, err);
        for (size_t i = 0; i < filled && !status; i++) {
            status = hand_over(&s, &s.slot[i], totals, sink, arg, err);
        }
        if (!status && (totals->documents - reported >= PROGRESS_EVERY || end)) {
            reported = totals->documents;
            status = rp_host_progress(host, "documents", reported, 0, err);
        }
    }
    if (!status && !totals->documents) {
        status = rp_fail(err, RP_EFORMAT, "'%s': no documents", o->collection);
    }
    if (!status) rp_collection_warn(s.collection, host);
    if (!status && o->vocabulary) {
        totals->mean_idf = mean_idf(&s.vocabulary, (double)totals->documents);
    }
    release(&s);
    return status;
}
