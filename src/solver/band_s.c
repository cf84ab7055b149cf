#include "solver/band.h"

#define REAL float
#define BAND rp_sband
#define NAME(x) rp_sband_##x
#define BLAS(x) cblas_s##x
#define LAPACK(x) LAPACKE_s##x
#include "solver/band_body.h"

static void narrow(float *to, const double *from, size_t n)
{
    for (size_t i = 0; i < n; i++) to[i] = (float)from[i];
}

rp_status rp_sband_copy(rp_sband *to, const rp_dband *from, rp_error *err)
{
    size_t n = from->n, small = from->blocks * B * B;
    rp_status status = rp_sband_init(to, n, err);
    if (status) return status;
    narrow(to->a, from->a, n * n);
    narrow(to->t, from->t, small);
    narrow(to->diag, from->diag, small);
    narrow(to->sub, from->sub, small);
    if (!from->v0) return RP_OK;
    to->v0 = rp_alloc(n * FIRST, sizeof *to->v0);
    to->t0 = rp_alloc(FIRST * FIRST, sizeof *to->t0);
    if (!to->v0 || !to->t0) {
        rp_sband_release(to);
        return rp_fail_memory(err, n * FIRST * sizeof *to->v0);
    }
    narrow(to->v0, from->v0, n * FIRST);
    narrow(to->t0, from->t0, FIRST * FIRST);
    return RP_OK;
}
