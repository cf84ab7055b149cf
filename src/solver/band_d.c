#include "solver/band.h"

#define REAL double
#define BAND rp_dband
#define NAME(x) rp_dband_##x
#define BLAS(x) cblas_d##x
#define LAPACK(x) LAPACKE_d##x
#include "solver/band_body.h"

enum { ITERATIONS = 2 };

rp_status rp_dband_deflate(rp_dband *s, rp_error *err)
{
    size_t n = s->n, b = FIRST;
    double r[FIRST * FIRST], *y = rp_alloc(2 * n * b, sizeof *y);
    rp_status status = RP_OK;
    s->v0 = rp_alloc(n * b, sizeof *s->v0);
    s->t0 = rp_alloc(b * b, sizeof *s->t0);
    if (!s->v0 || !s->t0 || !y) status = rp_fail_memory(err, 3 * n * b * sizeof *y);
    for (size_t j = 0; j < b && !status; j++) /* some columns of a to begin with */
        for (size_t i = 0, c = j * (n / b); i < n; i++)
            s->v0[j * n + i] = i < c ? s->a[i * n + c] : s->a[c * n + i];
    for (int k = 0; k < ITERATIONS && !status; k++) {
        cblas_dsymm(CblasColMajor, CblasLeft, CblasLower, (int)n, (int)b, 1, s->a, (int)n, s->v0,
                    (int)n, 0, y, (int)n);
        double scale = 1 / (cblas_dnrm2((int)(n * b), y, 1) + 1e-300);
        for (size_t i = 0; i < n * b; i++) s->v0[i] = y[i] * scale;
    }
    if (!status) status = factor_panel(s->v0, n, b, n, s->t0, r, err);
    if (!status) transform(s->a, s->v0, n, b, n, s->t0, y, y + n * b);
    free(y);
    return status;
}
