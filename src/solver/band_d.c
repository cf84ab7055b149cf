#include "solver/band.h"

#define REAL double
#define BAND rp_dband
#define NAME(x) rp_dband_##x
#define BLAS(x) cblas_d##x
#define LAPACK(x) LAPACKE_d##x
#include "solver/band_body.h"
