#include "feature/candidates.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* By term. Bags are short, which is where Shell's sort beats qsort. */
static void sort_counts(rp_count *item, size_t n)
{
    size_t gap = 1;
    while (gap < n / 3) gap = 3 * gap + 1;
    for (; gap; gap /= 3) {
        for (size_t i = gap; i < n; i++) {
            rp_count c = item[i];
            size_t j = i;
            for (; j >= gap && item[j - gap].term > c.term; j -= gap) item[j] = item[j - gap];
            item[j] = c;
        }
    }
}

/* Appends the bag of the analysed terms; its item pointer is set when all bags are there. */
static rp_status add_bag(rp_candidates *c, rp_bag *bag, uint32_t **count, size_t *count_cap,
                         const rp_term *term, size_t n, rp_error *err)
{
    size_t begin = c->ncounts;
    rp_status status = rp_grow(&c->counts, &c->counts_cap, begin + n + 1, sizeof *c->counts, err);
    for (size_t i = 0; i < n && !status; i++) {
        size_t index, had = *count_cap;
        status = rp_vocabulary_add(&c->vocabulary, &index, term[i].text, term[i].len, err);
        if (!status) status = rp_grow(count, count_cap, index + 1, sizeof **count, err);
        if (status) return status;
        if (*count_cap > had) memset(*count + had, 0, (*count_cap - had) * sizeof **count);
        if (!(*count)[index]++) c->counts[c->ncounts++] = (rp_count){(uint32_t)index, 0};
    }
    for (size_t i = begin; i < c->ncounts; i++) {
        c->counts[i].f = (*count)[c->counts[i].term];
        (*count)[c->counts[i].term] = 0;
    }
    bag->n = c->ncounts - begin;
    bag->length = (double)n;
    sort_counts(c->counts + begin, bag->n);
    return status;
}

static rp_status count_lists(rp_candidates *c, rp_error *err)
{
    c->occurrences = rp_alloc(c->vocabulary.n + 1, sizeof *c->occurrences);
    if (!c->occurrences) return rp_fail_memory(err, c->vocabulary.n * sizeof *c->occurrences);
    const rp_count *at = c->counts;
    c->query.item = at;
    at += c->query.n;
    for (size_t d = 0; d < c->ndocs; d++) {
        rp_bag *bag = &c->doc[d];
        bag->item = at;
        at += bag->n;
        c->terms += bag->length;
        for (size_t i = 0; i < bag->n; i++) {
            c->vocabulary.term[bag->item[i].term].documents++;
            c->occurrences[bag->item[i].term] += bag->item[i].f;
        }
    }
    for (size_t t = 0; t < c->vocabulary.n; t++) {
        c->nvocables += c->vocabulary.term[t].documents > 0;
    }
    return RP_OK;
}

rp_status rp_candidates_init(rp_candidates *c, const rp_pair *pairs, size_t n,
                             rp_analyzer *analyzer, rp_error *err)
{
    *c = (rp_candidates){.ndocs = n};
    uint32_t *count = NULL; /* [vocabulary] occurrences in the text at hand */
    size_t count_cap = 0, nterms;
    const rp_term *term;
    rp_status status = rp_vocabulary_init(&c->vocabulary, err);
    c->doc = rp_alloc(n + 1, sizeof *c->doc);
    if (!c->doc && !status) status = rp_fail_memory(err, n * sizeof *c->doc);
    const char *query = pairs[0].query;
    if (!status) {
        status = rp_analyzer_run(analyzer, &term, &nterms, NULL, 0, query, strlen(query), err);
    }
    if (!status) status = add_bag(c, &c->query, &count, &count_cap, term, nterms, err);
    c->nquery = c->vocabulary.n;
    for (size_t i = 0; i < n && !status; i++) {
        const rp_pair *p = &pairs[i];
        status = rp_analyzer_run(analyzer, &term, &nterms, p->title, strlen(p->title), p->text,
                                 strlen(p->text), err);
        if (!status) status = add_bag(c, &c->doc[i], &count, &count_cap, term, nterms, err);
    }
    free(count);
    return status ? status : count_lists(c, err);
}

void rp_candidates_release(rp_candidates *c)
{
    rp_vocabulary_release(&c->vocabulary);
    free(c->doc);
    free(c->occurrences);
    free(c->counts);
    *c = (rp_candidates){0};
}
