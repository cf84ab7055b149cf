#include "probe/score.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/number.h"

enum { SUMS = 4, BLOCK = 64 };
enum { SSE_WITHIN, SSE_BETWEEN, SST_WITHIN, SST_BETWEEN };

typedef struct ratios {
    double r2, within, between;
} ratios;

/* Without variation to explain there is no R2. 1e-18: what centring leaves of a constant. */
static double ratio(double sse, double sst, double scale)
{
    return sst > 1e-18 * scale ? 1 - sse / sst : NAN;
}

static ratios ratios_of(const double *s, double scale)
{
    double sse = s[SSE_WITHIN] + s[SSE_BETWEEN], sst = s[SST_WITHIN] + s[SST_BETWEEN];
    return (ratios){ratio(sse, sst, scale), ratio(s[SSE_WITHIN], s[SST_WITHIN], scale),
                    ratio(s[SSE_BETWEEN], s[SST_BETWEEN], scale)};
}

/* The four sums of one query, m rows. */
static void query_sums(double *s, const double *y, const double *f, const double *base, size_t m)
{
    double my = 0, me = 0, mb = 0;
    for (size_t i = 0; i < m; i++) my += y[i], me += y[i] - f[i], mb += y[i] - base[i];
    my /= (double)m, me /= (double)m, mb /= (double)m;
    for (size_t i = 0; i < m; i++) {
        double e = y[i] - f[i] - me, t = y[i] - my;
        s[SSE_WITHIN] += e * e, s[SST_WITHIN] += t * t;
    }
    s[SSE_BETWEEN] = (double)m * me * me;
    s[SST_BETWEEN] = (double)m * mb * mb;
}

static double mean_tau(const rp_scored *in, size_t p, double *scratch)
{
    double sum = 0;
    size_t defined = 0;
    for (size_t q = 0; q < in->nqueries; q++) {
        size_t at = p * in->n + in->first[q];
        double tau = rp_tau(in->f + at, in->y + at, in->first[q + 1] - in->first[q], scratch);
        if (isnan(tau)) continue;
        sum += tau, defined++;
    }
    return defined ? sum / (double)defined : NAN;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void interval(double *lo, double *hi, double *draw, size_t n)
{
    *lo = *hi = NAN;
    if (n < 2) return;
    qsort(draw, n, sizeof *draw, ascending);
    for (int side = 0; side < 2; side++) {
        double at = (side ? .975 : .025) * (double)(n - 1);
        size_t i = (size_t)at;
        double next = i + 1 < n ? draw[i + 1] : draw[i];
        *(side ? hi : lo) = draw[i] + (at - (double)i) * (next - draw[i]);
    }
}

/* total[draws, P * SUMS] <- the sums of resampled queries. */
static rp_status resample(double *total, const double *sums, const rp_scored *in, size_t draws,
                          uint64_t seed, rp_error *err)
{
    size_t Q = in->nqueries, wide = in->nlabels * SUMS;
    double *count = rp_alloc(BLOCK * Q, sizeof *count);
    if (!count) return rp_fail_memory(err, BLOCK * Q * sizeof *count);
    for (size_t first = 0; first < draws; first += BLOCK) {
        size_t m = draws - first < BLOCK ? draws - first : BLOCK;
        for (size_t i = 0; i < m * Q; i++) count[i] = 0;
        for (size_t b = 0; b < m; b++) {
            rp_rng rng;
            rp_rng_init(&rng, seed, first + b);
            for (size_t q = 0; q < Q; q++) count[b * Q + rp_rng_below(&rng, Q)]++;
        }
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)m, (int)wide, (int)Q, 1, count,
                    (int)Q, sums, (int)wide, 0, total + first * wide, (int)wide);
    }
    free(count);
    return RP_OK;
}

static void intervals(rp_score_row *out, const double *total, size_t p, size_t nlabels,
                      size_t draws, double scale, double *r2, double *within)
{
    size_t n = 0, nw = 0;
    for (size_t b = 0; b < draws; b++) {
        ratios r = ratios_of(total + (b * nlabels + p) * SUMS, scale);
        if (!isnan(r.r2)) r2[n++] = r.r2;
        if (!isnan(r.within) && !isnan(out->within)) within[nw++] = r.within;
    }
    interval(&out->r2_lo, &out->r2_hi, r2, n);
    interval(&out->within_lo, &out->within_hi, within, nw);
}

rp_status rp_score_compute(rp_score_row *out, const rp_scored *in, size_t draws, uint64_t seed,
                           rp_error *err)
{
    size_t P = in->nlabels, Q = in->nqueries, wide = P * SUMS;
    double *sums = rp_alloc(Q * wide, sizeof *sums), *total = rp_alloc(draws * wide, sizeof *total);
    double *scratch = rp_alloc(3 * in->n + 2 * draws, sizeof *scratch);
    rp_status status = RP_OK;
    if (!sums || !total || !scratch) {
        status = rp_fail_memory(err, (Q + draws) * wide * sizeof *sums);
        goto done;
    }
    for (size_t p = 0; p < P; p++)
        for (size_t q = 0; q < Q; q++) {
            size_t at = p * in->n + in->first[q];
            query_sums(sums + (q * P + p) * SUMS, in->y + at, in->f + at, in->base + at,
                       in->first[q + 1] - in->first[q]);
        }
    if ((status = resample(total, sums, in, draws, seed, err))) goto done;
    for (size_t p = 0; p < P; p++) {
        double all[SUMS] = {0};
        for (size_t q = 0; q < Q; q++)
            for (int k = 0; k < SUMS; k++) all[k] += sums[(q * P + p) * SUMS + (size_t)k];
        double scale = all[SST_WITHIN] + all[SST_BETWEEN];
        ratios r = ratios_of(all, scale);
        out[p] = (rp_score_row){.r2 = r.r2, .within = r.within, .between = r.between};
        out[p].mse = (all[SSE_WITHIN] + all[SSE_BETWEEN]) / (double)in->n;
        out[p].tau = mean_tau(in, p, scratch);
        intervals(&out[p], total, p, P, draws, scale, scratch, scratch + draws);
    }
done:
    free(sums), free(total), free(scratch);
    return status;
}
