#include "measure/measure.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/number.h"

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t count_relevant(const rp_ranking *r, size_t k)
{
    size_t n = 0;
    for (size_t i = 0; i < smaller(k, r->n); i++) n += r->grade[i] >= r->relevance;
    return n;
}

static double dcg(const int *grade, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        if (grade[i] > 0) sum += (double)grade[i] / log2((double)(i + 2));
    }
    return sum;
}

static double ndcg(const rp_ranking *r, size_t k)
{
    double ideal = dcg(r->ideal, smaller(k, r->npositive));
    return ideal > 0 ? dcg(r->grade, smaller(k, r->n)) / ideal : 0;
}

static double mrr(const rp_ranking *r, size_t k)
{
    for (size_t i = 0; i < smaller(k, r->n); i++) {
        if (r->grade[i] >= r->relevance) return 1.0 / (double)(i + 1);
    }
    return 0;
}

static double map(const rp_ranking *r, size_t k)
{
    double sum = 0;
    size_t found = 0;
    for (size_t i = 0; i < smaller(k, r->n); i++) {
        if (r->grade[i] < r->relevance) continue;
        found++;
        sum += (double)found / (double)(i + 1);
    }
    return r->nrelevant ? sum / (double)r->nrelevant : 0;
}

static double precision(const rp_ranking *r, size_t k)
{
    return (double)count_relevant(r, k) / (double)k;
}

static double recall(const rp_ranking *r, size_t k)
{
    return r->nrelevant ? (double)count_relevant(r, k) / (double)r->nrelevant : 0;
}

static double success(const rp_ranking *r, size_t k)
{
    return count_relevant(r, k) ? 1 : 0;
}

static double rprec(const rp_ranking *r, size_t k)
{
    (void)k;
    return r->nrelevant ? (double)count_relevant(r, r->nrelevant) / (double)r->nrelevant : 0;
}

static const rp_measure_row rows[] = {
    {"ndcg", "ndcg_cut",
     "normalised discounted cumulative gain; the gain is the grade, the discount log2(rank + 1)",
     true, false, ndcg},
    {"mrr", "recip_rank", "1 / rank of the first relevant document, 0 when there is none", true,
     false, mrr},
    {"map", "map_cut", "average precision: the mean over relevant documents of the precision there",
     true, false, map},
    {"p", "P", "share of the first k that is relevant, k counted even when fewer are retrieved",
     true, true, precision},
    {"recall", "recall", "share of the relevant documents that is retrieved", true, false, recall},
    {"success", "success", "1 when a relevant document is retrieved, else 0", true, false, success},
    {"rprec", "Rprec", "precision at rank R, R being the number of relevant documents", false,
     false, rprec},
    {0},
};

const rp_measure_row *rp_measure_rows(void)
{
    return rows;
}

static const rp_measure_row *find_row(const char *name)
{
    for (const rp_measure_row *r = rows; r->name; r++) {
        if (strcasecmp(name, r->name) == 0 || strcasecmp(name, r->alias) == 0) return r;
    }
    return NULL;
}

/* "ndcg@10", "ndcg_cut_10", "ndcg_cut.10", "map" */
static rp_status parse_one(rp_measure *m, const char *text, rp_error *err)
{
    char name[32];
    size_t len = strlen(text), digits = len;
    while (digits && isdigit((unsigned char)text[digits - 1])) digits--;
    bool cut = digits && digits < len && strchr("@_.", text[digits - 1]);
    snprintf(name, sizeof name, "%.*s", cut ? (int)digits - 1 : (int)len, text);
    m->k = SIZE_MAX;
    m->row = len < sizeof name ? find_row(name) : NULL;
    if (!m->row) {
        char known[160] = "";
        for (const rp_measure_row *r = rows; r->name; r++) {
            size_t used = strlen(known);
            snprintf(known + used, sizeof known - used, "%s%s%s", used ? ", " : "", r->name,
                     r->needs_cut ? "@k"
                     : r->cut     ? "[@k]"
                                  : "");
        }
        return rp_fail(err, RP_EARG, "unknown measure '%.40s': there are %s", text, known);
    }
    if (cut && (!rp_number_size(text + digits, &m->k) || m->k == 0)) {
        return rp_fail(err, RP_EARG, "measure '%s': the cut-off is not a positive number", text);
    }
    if (cut && !m->row->cut) {
        return rp_fail(err, RP_EARG, "measure '%s': %s takes no cut-off", text, m->row->name);
    }
    if (!cut && m->row->needs_cut) {
        return rp_fail(err, RP_EARG, "measure '%s' needs a cut-off, such as %s@10", text,
                       m->row->name);
    }
    snprintf(m->name, sizeof m->name, "%s", m->row->name);
    if (cut) snprintf(m->name, sizeof m->name, "%s@%zu", m->row->name, m->k);
    return RP_OK;
}

rp_status rp_measures_parse(rp_measure *out, size_t cap, size_t *n, const char *list, rp_error *err)
{
    *n = 0;
    while (*list) {
        char text[64];
        list += strspn(list, " ,");
        size_t len = strcspn(list, " ,");
        if (len == 0) break;
        snprintf(text, sizeof text, "%.*s", (int)smaller(len, sizeof text - 1), list);
        list += len;
        if (*n == cap) return rp_fail(err, RP_EARG, "more than %zu measures", cap);
        rp_status s = parse_one(&out[*n], text, err);
        if (s) return s;
        for (size_t i = 0; i < *n; i++) {
            if (strcmp(out[i].name, out[*n].name) == 0) {
                return rp_fail(err, RP_EARG, "measure '%s' is named twice", text);
            }
        }
        (*n)++;
    }
    return *n ? RP_OK : rp_fail(err, RP_EARG, "no measure was named");
}
