#include "solver/side.h"

#define REAL double
#define SIDE rp_dside
#define NAME(x) rp_dside_##x
#define BAND(x) rp_dband_##x
#define BLAS(x) cblas_d##x

static rp_status take(rp_dside *s, rp_dband *full, rp_error *err)
{
    (void)err;
    s->band = *full;
    *full = (rp_dband){0};
    return RP_OK;
}

#include "solver/side_body.h"

#include <lapacke.h>

rp_status rp_joint_solve(double *u, const rp_set *set, const rp_design *d, const double *cross,
                         const rp_joints *joints, size_t v, double lambda, rp_error *err)
{
    size_t P = d->labels, E = d->extras, first = joints->first[v];
    size_t wide = joints->first[v + 1] - first;
    double *s = rp_alloc(wide * wide, sizeof *s);
    if (!s) return rp_fail_memory(err, wide * wide * sizeof *s);
    for (size_t j = 0; j < wide; j++)
        for (size_t i = 0; i < wide; i++) {
            size_t at = (P + first + j) * E + first + i;
            s[j * wide + i] = set->te[at] - cross[at] + (i == j ? lambda : 0);
        }
    for (size_t p = 0; p < P; p++)
        for (size_t i = 0; i < wide; i++)
            u[p * wide + i] = set->te[p * E + first + i] - cross[p * E + first + i];
    lapack_int info =
        LAPACKE_dposv(LAPACK_COL_MAJOR, 'L', (int)wide, (int)P, s, (int)wide, u, (int)wide);
    free(s);
    return info ? rp_fail(err, RP_ECOMPUTE, "ridge: baseline columns are collinear at penalty %g",
                          lambda)
                : RP_OK;
}
