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
    size_t small = from->blocks * RP_BAND * RP_BAND;
    rp_status status = rp_sband_init(to, from->n, err);
    if (status) return status;
    narrow(to->a, from->a, from->n * from->n);
    narrow(to->t, from->t, small);
    narrow(to->diag, from->diag, small);
    narrow(to->sub, from->sub, small);
    return RP_OK;
}
