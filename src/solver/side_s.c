#include "solver/side.h"

#define REAL float
#define SIDE rp_sside
#define NAME(x) rp_sside_##x
#define BAND(x) rp_sband_##x
#define BLAS(x) cblas_s##x
#include "solver/side_body.h"
