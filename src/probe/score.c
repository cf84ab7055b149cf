#include "probe/score.h"

#include <cblas.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/number.h"
#include "probe/quantile.h"

enum { SUMS = RP_SCORE_SUMS, BLOCK = 128, CHUNK = 32 }; /* draws, sets a matrix product */
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
    for (int k = 0; k < SUMS; k++) s[k] = 0;
    for (size_t i = 0; i < m; i++) my += y[i], me += y[i] - f[i], mb += y[i] - base[i];
    my /= (double)m, me /= (double)m, mb /= (double)m;
    for (size_t i = 0; i < m; i++) {
        double e = y[i] - f[i] - me, t = y[i] - my;
        s[SSE_WITHIN] += e * e, s[SST_WITHIN] += t * t;
    }
    s[SSE_BETWEEN] = (double)m * me * me;
    s[SST_BETWEEN] = (double)m * mb * mb;
}

/* draw[n] is reordered, its NaNs are left out. */
static void interval(double *lo, double *hi, double *draw, size_t n)
{
    size_t defined = 0;
    for (size_t b = 0; b < n; b++)
        if (!isnan(draw[b])) draw[defined++] = draw[b];
    *lo = *hi = NAN;
    if (defined < 2) return;
    *lo = rp_quantile(draw, defined, .025);
    *hi = rp_quantile(draw, defined, .975);
}

/* What resampling queries does to sets of sums. */
typedef struct resampled {
    size_t n, nsets, nqueries;
    double *r2, *within; /* [nsets, n] */
    double *scale;       /* [nsets] SST of all queries */
    ratios *all;         /* [nsets] of all queries */
} resampled;

static void resampled_release(resampled *d)
{
    free(d->r2), free(d->scale), free(d->all);
}

static rp_status resampled_init(resampled *d, const double *const *sums, rp_error *err)
{
    size_t wanted = 2 * d->nsets * d->n;
    d->r2 = rp_alloc(wanted ? wanted : 1, sizeof *d->r2);
    d->scale = rp_alloc(d->nsets, sizeof *d->scale);
    d->all = rp_alloc(d->nsets, sizeof *d->all);
    if (!d->r2 || !d->scale || !d->all) return rp_fail_memory(err, wanted * sizeof *d->r2);
    d->within = d->r2 + d->nsets * d->n;
    for (size_t s = 0; s < d->nsets; s++) {
        double all[SUMS] = {0};
        for (size_t i = 0; i < d->nqueries * SUMS; i++) all[i % SUMS] += sums[s][i];
        d->scale[s] = all[SST_WITHIN] + all[SST_BETWEEN];
        d->all[s] = ratios_of(all, d->scale[s]);
    }
    return RP_OK;
}

/* count[Q] <- how often each query is drawn. A 64-bit word gives two draws by the high bits of a
 * product: a query's probability is off by Q / 2^32 of itself, far below what draws can show. */
static void draw_counts(double *count, size_t Q, uint64_t seed, size_t draw)
{
    rp_rng rng;
    rp_rng_init(&rng, seed, draw);
    memset(count, 0, Q * sizeof *count);
    for (size_t q = 0; q < Q; q += 2) {
        uint64_t word = rp_rng_next(&rng);
        count[(word >> 32) * Q >> 32]++;
        if (q + 1 < Q) count[(word & UINT32_MAX) * Q >> 32]++;
    }
}

/* The ratios of draws first..first + m of sets s..s + wide. packed [Q, wide * SUMS] and total [m,
 * wide * SUMS] are scratch. */
static void resample_block(resampled *d, const double *count, const double *const *sums,
                           size_t first, size_t m, size_t s, size_t wide, double *packed,
                           double *total)
{
    size_t Q = d->nqueries, columns = wide * SUMS;
    for (size_t c = 0; c < wide; c++)
        for (size_t q = 0; q < Q; q++)
            memcpy(packed + q * columns + c * SUMS, sums[s + c] + q * SUMS, SUMS * sizeof *packed);
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)m, (int)columns, (int)Q, 1, count,
                (int)Q, packed, (int)columns, 0, total, (int)columns);
    for (size_t b = 0; b < m; b++)
        for (size_t c = 0; c < wide; c++) {
            ratios r = ratios_of(total + b * columns + c * SUMS, d->scale[s + c]);
            d->r2[(s + c) * d->n + first + b] = r.r2;
            d->within[(s + c) * d->n + first + b] = isnan(d->all[s + c].within) ? NAN : r.within;
        }
}

static rp_status resample(resampled *d, const double *const *sums, uint64_t seed, rp_error *err)
{
    size_t Q = d->nqueries, columns = (d->nsets < CHUNK ? d->nsets : CHUNK) * SUMS;
    if (!d->n) return RP_OK;
    if (Q > INT_MAX) return rp_fail(err, RP_EARG, "%zu queries are too many to resample", Q);
    double *count = rp_alloc(BLOCK * Q, sizeof *count);
    double *packed = rp_alloc(Q * columns, sizeof *packed);
    double *total = rp_alloc(BLOCK * columns, sizeof *total);
    rp_status status = RP_OK;
    if (!count || !packed || !total) {
        status = rp_fail_memory(err, (BLOCK + columns) * Q * sizeof *count);
        goto done;
    }
    for (size_t first = 0; first < d->n; first += BLOCK) {
        size_t m = d->n - first < BLOCK ? d->n - first : BLOCK;
        for (size_t b = 0; b < m; b++) draw_counts(count + b * Q, Q, seed, first + b);
        for (size_t s = 0; s < d->nsets; s += CHUNK) {
            size_t wide = d->nsets - s < CHUNK ? d->nsets - s : CHUNK;
            resample_block(d, count, sums, first, m, s, wide, packed, total);
        }
    }
done:
    free(count), free(packed), free(total);
    return status;
}

void rp_score_sums(double *sums, const rp_scored *in)
{
    for (size_t q = 0; q < in->nqueries; q++) {
        size_t at = in->first[q];
        query_sums(sums + q * SUMS, in->y + at, in->f + at, in->base + at, in->first[q + 1] - at);
    }
}

rp_status rp_score_tau(double *tau, const rp_scored *in, rp_error *err)
{
    double sum = 0;
    size_t defined = 0, most = 0;
    for (size_t q = 0; q < in->nqueries; q++)
        if (in->first[q + 1] - in->first[q] > most) most = in->first[q + 1] - in->first[q];
    double *scratch = rp_alloc(most, 3 * sizeof *scratch);
    if (!scratch) return rp_fail_memory(err, most * 3 * sizeof *scratch);
    for (size_t q = 0; q < in->nqueries; q++) {
        size_t at = in->first[q];
        double t = rp_tau(in->f + at, in->y + at, in->first[q + 1] - at, scratch);
        if (!isnan(t)) sum += t, defined++;
    }
    *tau = defined ? sum / (double)defined : NAN;
    free(scratch);
    return RP_OK;
}

static double mean_error(const double *sums, size_t nqueries, size_t n)
{
    double sse = 0;
    for (size_t q = 0; q < nqueries; q++)
        sse += sums[q * SUMS + SSE_WITHIN] + sums[q * SUMS + SSE_BETWEEN];
    return sse / (double)n;
}

rp_status rp_score_resample(rp_score_row *out, const double *const *sums, size_t nlabels, size_t n,
                            size_t nqueries, size_t ndraws, uint64_t seed, rp_error *err)
{
    resampled d = {.n = ndraws, .nsets = nlabels, .nqueries = nqueries};
    rp_status status = resampled_init(&d, sums, err);
    if (!status) status = resample(&d, sums, seed, err);
    for (size_t p = 0; p < nlabels && !status; p++) {
        out[p].r2 = d.all[p].r2, out[p].within = d.all[p].within;
        out[p].between = d.all[p].between;
        out[p].mse = mean_error(sums[p], nqueries, n);
        interval(&out[p].r2_lo, &out[p].r2_hi, d.r2 + p * ndraws, ndraws);
        interval(&out[p].within_lo, &out[p].within_hi, d.within + p * ndraws, ndraws);
    }
    resampled_release(&d);
    return status;
}

rp_status rp_score_compute(rp_score_row *out, double *sums, const rp_scored *in, size_t ndraws,
                           uint64_t seed, rp_error *err)
{
    const double *const set[] = {sums};
    rp_score_sums(sums, in);
    rp_status status = rp_score_resample(out, set, 1, in->n, in->nqueries, ndraws, seed, err);
    return status ? status : rp_score_tau(&out->tau, in, err);
}

rp_status rp_score_differences(rp_difference *out, const rp_score_pair *pair, size_t npairs,
                               const double *const *sums, size_t nsets, size_t nqueries,
                               size_t ndraws, uint64_t seed, rp_error *err)
{
    resampled d = {.n = ndraws, .nsets = nsets, .nqueries = nqueries};
    double *r2 = rp_alloc(ndraws ? ndraws : 1, 2 * sizeof *r2), *within = r2 + ndraws;
    rp_status status = r2 ? RP_OK : rp_fail_memory(err, 2 * ndraws * sizeof *r2);
    if (status || (status = resampled_init(&d, sums, err)) ||
        (status = resample(&d, sums, seed, err)))
        goto done;
    for (size_t i = 0; i < npairs; i++) {
        size_t a = pair[i].a, b = pair[i].b;
        out[i] = (rp_difference){.r2 = d.all[a].r2 - d.all[b].r2,
                                 .within = d.all[a].within - d.all[b].within};
        for (size_t k = 0; k < ndraws; k++) {
            r2[k] = d.r2[a * ndraws + k] - d.r2[b * ndraws + k];
            within[k] = d.within[a * ndraws + k] - d.within[b * ndraws + k];
        }
        interval(&out[i].lo, &out[i].hi, r2, ndraws);
        interval(&out[i].within_lo, &out[i].within_hi, within, ndraws);
    }
done:
    resampled_release(&d);
    free(r2);
    return status;
}

rp_status rp_score_difference(rp_difference *out, const double *sums_a, const double *sums_b,
                              size_t nqueries, size_t draws, uint64_t seed, rp_error *err)
{
    const double *const sums[] = {sums_a, sums_b};
    return rp_score_differences(out, &(rp_score_pair){0, 1}, 1, sums, 2, nqueries, draws, seed,
                                err);
}
