/* The similarities of query and passage. Natural logarithms. */
#include <math.h>

#include "feature/feature.h"

#define MU 2000.0
#define EPSILON 1e-10

/* Sum over the union of both vectors' terms of f(w_q, w_d). */
static double fold(const rp_evidence *e, double (*f)(double q, double d))
{
    double sum = 0;
    size_t i = 0, j = 0;
    while (i < e->nquery_w || j < e->ndoc_w) {
        uint32_t a = i < e->nquery_w ? e->query_w[i].term : UINT32_MAX;
        uint32_t b = j < e->ndoc_w ? e->doc_w[j].term : UINT32_MAX;
        double q = a <= b ? e->query_w[i++].w : 0, d = b <= a ? e->doc_w[j++].w : 0;
        sum += f(q, d);
    }
    return sum;
}

static double product(double q, double d)
{
    return q * d;
}

static double squared(double q, double d)
{
    return (q - d) * (q - d);
}

static double absolute(double q, double d)
{
    return fabs(q - d);
}

double rp_similarity_cosine(const rp_evidence *e)
{
    return fold(e, product);
}

double rp_similarity_euclidean(const rp_evidence *e)
{
    return sqrt(fold(e, squared));
}

double rp_similarity_manhattan(const rp_evidence *e)
{
    return fold(e, absolute);
}

/* Occurrences of the query's terms in the passage come first in its bag. */
static double count_of(const rp_bag *doc, size_t *at, uint32_t term)
{
    while (*at < doc->n && doc->item[*at].term < term) ++*at;
    return *at < doc->n && doc->item[*at].term == term ? doc->item[*at].f : 0;
}

double rp_similarity_kl(const rp_evidence *e)
{
    const rp_bag *query = &e->list->query;
    double sum = 0;
    size_t at = 0;
    if (query->length <= 0 || e->doc->length <= 0) return 0;
    for (size_t i = 0; i < query->n; i++) {
        uint32_t t = query->item[i].term;
        double p = query->item[i].f / query->length;
        double d = (count_of(e->doc, &at, t) + MU * e->background[t]) / (e->doc->length + MU);
        sum += p * log(p / d);
    }
    return sum;
}

double rp_similarity_js(const rp_evidence *e)
{
    const rp_bag *query = &e->list->query, *doc = e->doc;
    double sum = 0;
    size_t i = 0, j = 0;
    if (query->length <= 0 || doc->length <= 0) return 0;
    while (i < query->n || j < doc->n) {
        uint32_t a = i < query->n ? query->item[i].term : UINT32_MAX;
        uint32_t b = j < doc->n ? doc->item[j].term : UINT32_MAX;
        double p = a <= b ? query->item[i++].f / query->length : 0;
        double d = b <= a ? doc->item[j++].f / doc->length : 0;
        double m = (p + d) / 2;
        if (p > 0) sum += p * log(p / m) / 2;
        if (d > 0) sum += d * log(d / m) / 2;
    }
    return sum;
}

double rp_similarity_paper_kl(const rp_evidence *e)
{
    const rp_bag *query = &e->list->query;
    double sum = 0;
    size_t at = 0;
    for (size_t i = 0; i < query->n; i++) {
        double p = query->item[i].f / query->length;
        double f = count_of(e->doc, &at, query->item[i].term);
        double d = e->doc->length > 0 ? f / e->doc->length : 0;
        sum += p * log((p + EPSILON) / (d + EPSILON));
    }
    return sum;
}

/* ---- of embeddings ---- */

double rp_similarity_embedded_cosine(const rp_evidence *e)
{
    double qd = 0, qq = 0, dd = 0;
    for (size_t i = 0; i < e->width; i++) {
        double q = e->query_x[i], d = e->doc_x[i];
        qd += q * d;
        qq += q * q;
        dd += d * d;
    }
    return qq > 0 && dd > 0 ? qd / (sqrt(qq) * sqrt(dd)) : 0;
}

double rp_similarity_embedded_euclidean(const rp_evidence *e)
{
    double sum = 0;
    for (size_t i = 0; i < e->width; i++) sum += squared(e->query_x[i], e->doc_x[i]);
    return sqrt(sum);
}

double rp_similarity_embedded_manhattan(const rp_evidence *e)
{
    double sum = 0;
    for (size_t i = 0; i < e->width; i++) sum += absolute(e->query_x[i], e->doc_x[i]);
    return sum;
}
