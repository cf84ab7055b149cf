#include "solver/side.h"

#define REAL float
#define SIDE rp_sside
#define NAME(x) rp_sside_##x
#define BAND(x) rp_sband_##x
#define BLAS(x) cblas_s##x

static rp_status take(rp_sside *s, rp_dband *full, rp_error *err)
{
    rp_status status = rp_dband_deflate(full, err);
    return status ? status : rp_sband_copy(&s->band, full, err);
}

#include "solver/side_body.h"
