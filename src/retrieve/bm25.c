#include "retrieve/bm25.h"

#include <math.h>
#include <string.h>

rp_status rp_idf_find(rp_idf *idf, const char *name, rp_error *err)
{
    static const char *const names[] = {"lucene", "robertson", "smooth", "plain"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i], name)) continue;
        *idf = (rp_idf)i;
        return RP_OK;
    }
    return rp_fail(err, RP_EARG, "no idf '%s'; there are lucene, robertson, smooth, plain", name);
}

double rp_idf_value(rp_idf idf, double N, double n)
{
    switch (idf) {
    case RP_IDF_LUCENE:
        return log1p((N - n + .5) / (n + .5));
    case RP_IDF_ROBERTSON:
        return log((N - n + .5) / (n + .5));
    case RP_IDF_SMOOTH:
        return log((1 + N) / (1 + n)) + 1;
    case RP_IDF_PLAIN:
        return n > 0 ? log(N / n) : 0;
    }
    return 0;
}

rp_status rp_bm25_find(rp_bm25 *bm25, const char *preset, double k1, double b, rp_error *err)
{
    static const struct {
        const char *name;
        rp_bm25 bm25;
    } presets[] = {{"anserini", {.9, .4, RP_IDF_LUCENE, false, false}},
                   {"msmarco", {.82, .68, RP_IDF_LUCENE, false, false}},
                   {"okapi", {1.5, .75, RP_IDF_ROBERTSON, true, true}}};
    for (size_t i = 0; i < sizeof presets / sizeof *presets; i++) {
        if (strcmp(presets[i].name, preset)) continue;
        *bm25 = presets[i].bm25;
        if (!isnan(k1)) bm25->k1 = k1;
        if (!isnan(b)) bm25->b = b;
        if (!(bm25->k1 >= 0) || isinf(bm25->k1)) {
            return rp_fail(err, RP_EARG, "k1 is not a number from 0: %g", bm25->k1);
        }
        if (!(bm25->b >= 0 && bm25->b <= 1)) {
            return rp_fail(err, RP_EARG, "b is not between 0 and 1: %g", bm25->b);
        }
        return RP_OK;
    }
    return rp_fail(err, RP_EARG, "no bm25 preset '%s'; there are anserini, msmarco, okapi", preset);
}

double rp_bm25_idf(const rp_bm25 *bm25, double N, double n, double mean_idf)
{
    if (n <= 0) return 0;
    double idf = rp_idf_value(bm25->idf, N, n);
    return bm25->floor && idf < 0 ? .25 * mean_idf : idf;
}

double rp_bm25_weight(const rp_bm25 *bm25, double idf, double f, double L, double avgdl)
{
    if (f <= 0) return 0;
    double norm = bm25->k1 * (1 - bm25->b + bm25->b * L / avgdl);
    return idf * f * (bm25->plus ? bm25->k1 + 1 : 1) / (f + norm);
}
