#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "probe/design.h"

rp_status rp_fit_init(rp_fit *fit, size_t labels, size_t width, rp_error *err)
{
    *fit = (rp_fit){rp_alloc(labels * width, 8), rp_alloc(labels, 8),
                    rp_alloc(labels, 8),         rp_alloc(labels, 8),
                    rp_alloc(labels, 8),         rp_alloc(labels, sizeof(size_t))};
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

void rp_fit_store(rp_fit *fit, const rp_moments *mo, size_t p, const double *w)
{
    size_t D = mo->d->width;
    const rp_set *s = &mo->set[0];
    double *to = fit->w + p * D, scale = s->yinv[p] > 0 ? 1 / s->yinv[p] : 0, b = s->ymu[p];
    fit->units[p] = 0;
    for (size_t j = 0; j < D; j++) {
        to[j] = w[j] * s->inv[j] * scale;
        b -= to[j] * s->mu[j];
        fit->units[p] += to[j] != 0;
    }
    fit->b[p] = b;
}

size_t rp_grid_choose(const rp_moments *mo, const double *sse, size_t npenalties, size_t p,
                      double *cv)
{
    size_t best = 0, P = mo->d->labels, folds = 0;
    double least = INFINITY, sum = 0;
    for (size_t k = 0; k < npenalties; k++) {
        double pooled = 0;
        for (size_t s = 1; s < mo->nsets; s++) {
            double inv = mo->set[s].yinv[p];
            if (inv > 0) pooled += sse[((s - 1) * npenalties + k) * P + p] / (inv * inv);
        }
        if (pooled < least) least = pooled, best = k;
    }
    for (size_t s = 1; s < mo->nsets; s++) {
        if (!(mo->set[s].vy[p] > 0)) continue;
        sum += 1 - sse[((s - 1) * npenalties + best) * P + p] / mo->set[s].vy[p];
        folds++;
    }
    *cv = folds ? sum / (double)folds : NAN;
    return best;
}
