#include "probe/tests.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "probe/quantile.h"

static const double TIE = 1e-5, SPREAD = 1e-7;

typedef struct hypothesis {
    size_t at;
    const double *t;       /* [ndraws] */
    double mean, inv, key; /* inv is 0 where the draws do not vary; key: z_0, later p */
} hypothesis;

static double studentised(const hypothesis *h, size_t b)
{
    return (h->t[b] - h->mean) * h->inv;
}

/* False when some draw is not finite. */
static bool describe(hypothesis *h, size_t ndraws)
{
    double sum = 0, square = 0, m = (double)ndraws;
    for (size_t b = 0; b < ndraws; b++) sum += h->t[b];
    h->mean = sum / m;
    if (!isfinite(h->mean)) return false;
    for (size_t b = 0; b < ndraws; b++) square += (h->t[b] - h->mean) * (h->t[b] - h->mean);
    double sd = sqrt(square / m);
    if (!isfinite(sd)) return false;
    h->inv = sd > SPREAD * fmax(1, fabs(h->mean)) ? 1 / sd : 0;
    h->key = studentised(h, 0);
    return true;
}

static int descending(const void *a, const void *b)
{
    const hypothesis *p = a, *q = b;
    if (p->key != q->key) return p->key > q->key ? -1 : 1;
    return p->at < q->at ? -1 : p->at > q->at;
}

/* p and its step-down adjustment, from the smallest statistic up: max[b] is the largest z_b of the
 * hypotheses at h and after it. */
static void step_down(rp_tested *out, const hypothesis *h, size_t n, size_t ndraws, double *max)
{
    for (size_t b = 0; b < ndraws; b++) max[b] = -INFINITY;
    for (size_t i = n; i-- > 0;) {
        size_t raw = 0, family = 0;
        double least = h[i].key - TIE;
        for (size_t b = 0; b < ndraws; b++) {
            double z = studentised(&h[i], b);
            max[b] = z > max[b] ? z : max[b];
            raw += z >= least, family += max[b] >= least;
        }
        out[h[i].at].p = (double)raw / (double)ndraws;
        out[h[i].at].adjusted = (double)family / (double)ndraws;
    }
    for (size_t i = 1; i < n; i++)
        out[h[i].at].adjusted = fmax(out[h[i].at].adjusted, out[h[i - 1].at].adjusted);
}

static void discover(rp_tested *out, hypothesis *h, size_t n)
{
    for (size_t i = 0; i < n; i++) h[i].key = out[h[i].at].p;
    qsort(h, n, sizeof *h, descending);
    double least = 1;
    for (size_t i = 0; i < n; i++) {
        double q = h[i].key * ((double)n / (double)(n - i));
        least = q < least ? q : least;
        out[h[i].at].q = least;
    }
}

rp_status rp_tests_compute(rp_tested *out, const double *t, size_t n, size_t ndraws, rp_error *err)
{
    if (ndraws < 2) return rp_fail(err, RP_EARG, "a test needs 1 permutation or more");
    hypothesis *h = rp_alloc(n ? n : 1, sizeof *h);
    double *draw = rp_alloc(ndraws, sizeof *draw);
    if (!h || !draw) {
        free(h), free(draw);
        return rp_fail_memory(err, n * sizeof *h);
    }
    size_t tested = 0;
    for (size_t i = 0; i < n; i++) {
        out[i] = (rp_tested){NAN, NAN, NAN, NAN, NAN};
        h[tested] = (hypothesis){.at = i, .t = t + i * ndraws};
        if (!describe(&h[tested], ndraws)) continue;
        memcpy(draw, t + i * ndraws + 1, (ndraws - 1) * sizeof *draw);
        out[i].null95 = rp_quantile(draw, ndraws - 1, .95);
        out[i].null97 = rp_quantile(draw, ndraws - 1, .975);
        tested++;
    }
    qsort(h, tested, sizeof *h, descending);
    step_down(out, h, tested, ndraws, draw);
    discover(out, h, tested);
    free(h), free(draw);
    return RP_OK;
}
