#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "solver/sets.h"

rp_status rp_fit_init(rp_fit *fit, size_t labels, size_t width, rp_error *err)
{
    *fit = (rp_fit){labels,
                    width,
                    rp_alloc(labels * width, 8),
                    rp_alloc(labels, 8),
                    rp_alloc(labels, 8),
                    rp_alloc(labels, 8),
                    rp_alloc(labels, 8),
                    rp_alloc(labels, sizeof(size_t))};
    if (fit->w && fit->b && fit->penalty && fit->cv && fit->gap && fit->units) return RP_OK;
    rp_fit_release(fit);
    return rp_fail_memory(err, labels * width * 8);
}

void rp_fit_release(rp_fit *fit)
{
    free(fit->w), free(fit->b), free(fit->penalty);
    free(fit->cv), free(fit->gap), free(fit->units);
    *fit = (rp_fit){0};
}

void rp_fit_store(rp_fit *fit, const rp_set *s, size_t p, const double *w)
{
    size_t D = fit->width;
    double *to = fit->w + p * D, scale = s->yinv[p] > 0 ? 1 / s->yinv[p] : 0, b = s->ymu[p];
    fit->units[p] = 0;
    for (size_t j = 0; j < D; j++) {
        to[j] = w[j] * s->inv[j] * scale;
        b -= to[j] * s->mu[j];
        fit->units[p] += to[j] != 0;
    }
    fit->b[p] = b;
}

size_t rp_penalty_choose(double *cv, const double *sse, size_t n, const rp_set *const *set,
                         size_t folds, size_t p)
{
    size_t best = n, counted = 0;
    double least = INFINITY, sum = 0;
    for (int pass = 0; pass < 2; pass++) /* the smallest error, then the first that is as small */
        for (size_t k = 0; k < n && (pass == 0 || best == n); k++) {
            double pooled = 0;
            for (size_t f = 0; f < folds; f++) {
                double inv = set[f]->m && set[f]->held ? set[f]->yinv[p] : 0;
                if (inv > 0) pooled += sse[f * n + k] / (inv * inv);
            }
            if (pass == 0)
                least = fmin(least, pooled);
            else if (pooled <= least * (1 + RP_CHOICE_TIE))
                best = k;
        }
    if (best == n) best = 0;
    for (size_t f = 0; f < folds; f++) {
        if (!set[f]->m || !set[f]->held || !(set[f]->vy[p] > 0)) continue;
        sum += 1 - sse[f * n + best] / set[f]->vy[p];
        counted++;
    }
    *cv = counted ? sum / (double)counted : NAN;
    return best;
}
