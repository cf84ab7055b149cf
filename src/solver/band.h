/*
 * A symmetric matrix as Q B Q' with B of half-bandwidth RP_BAND: after that one reduction, solving
 * (A + lambda I) x = r costs O(n) a right-hand side for every lambda. The reduction is block
 * Householder (Bischof, Lang and Sun 2000): 4/3 n^3 flops, all in matrix-matrix products, where a
 * Cholesky factorisation costs 1/3 n^3 for each lambda.
 *
 * In f32 (rp_sband) and f64 (rp_dband); band_body.h is compiled once for each. The error of the
 * reduction is relative to the norm of A, and activations have a few directions with hundreds of
 * times the variance of the rest. So before a reduction in f32 they are split off in f64
 * (rp_dband_deflate): what is left to f32 has a small norm.
 */
#ifndef RP_SOLVER_BAND_H
#define RP_SOLVER_BAND_H

#include "base/error.h"

#define RP_BAND 128
#define RP_BAND_FIRST 32 /* strong directions that are split off */

/* n: order, the given order rounded up to a multiple of RP_BAND (rows and columns of the identity
 * are added). a [n, n] column-major: before the reduction the matrix (lower triangle), after it the
 * Householder vectors of panel k in rows (k + 1) RP_BAND.. of columns k RP_BAND... */
#define RP_BAND_DECLARE(real, name)                                                                \
    typedef struct name {                                                                          \
        size_t n, blocks;                                                                          \
        real *a;       /* [n, n] */                                                                \
        real *v0, *t0; /* [n, FIRST], [FIRST, FIRST] a first rotation, or NULL */                  \
        real *t;       /* [blocks, b, b] the panels' triangular factors */                         \
        real *diag;    /* [blocks, b, b] B's diagonal blocks (lower) */                            \
        real *sub;     /* [blocks, b, b] B's blocks below the diagonal */                          \
    } name;                                                                                        \
    /* Allocates, a being zero but for the ones of the added part. */                              \
    rp_status name##_init(name *band, size_t order, rp_error *err);                                \
    void name##_release(name *band);                                                               \
    /* Reduces a in place. */                                                                      \
    rp_status name##_reduce(name *band, rp_error *err);                                            \
    /* x [n, r] <- Q' x, or Q x. scratch [RP_BAND, r]. */                                          \
    void name##_rotate(const name *band, real *x, size_t r, bool transposed, real *scratch);       \
    /* l [2 blocks, b, b] <- Cholesky factor of B + lambda I; false: not positive definite. */     \
    bool name##_factor(real *l, const name *band, real lambda);                                    \
    /* x [n, r] <- (B + lambda I)^-1 x. */                                                         \
    void name##_solve(const real *l, const name *band, real *x, size_t r);

RP_BAND_DECLARE(float, rp_sband)
RP_BAND_DECLARE(double, rp_dband)

/* Rotates a, not reduced yet, so that its leading block holds nearly all of the RP_BAND_FIRST
 * largest eigenvalues: subspace iteration, a QR factorisation, one similarity transformation. */
rp_status rp_dband_deflate(rp_dband *band, rp_error *err);
/* The same in f32, reduced or not. */
rp_status rp_sband_copy(rp_sband *to, const rp_dband *from, rp_error *err);

#endif
