/*
 * The linear system of a ridge training set, reduced to a band (band.h), with all labels as
 * right-hand sides. Primal, A = Z'Z/m of order D and c = Z't/m, or on the kernel side, ZZ'/m of
 * order m and t, where there are many more columns than rows.
 *
 * Extras - a few more columns b beside x, penalised alike - need no matrix of their own: the joint
 * solution is that of x less the part that the extras take over (block elimination),
 *
 *     u = (b'b/m + lambda - c_e' X_e)^-1 (b't/m - c_e' X_t),   w = X_t - X_e u,
 *
 * with X = (A + lambda)^-1 c: the extras are only more right-hand sides.
 */
#ifndef RP_SOLVER_SIDE_H
#define RP_SOLVER_SIDE_H

#include "solver/band.h"
#include "solver/sets.h"

/* Groups of extras, each joined with x in turn: columns first[v]..first[v + 1] - 1 of the extras.
 */
typedef struct rp_joints {
    size_t n;
    const size_t *first; /* [n + 1] */
} rp_joints;

#define RP_SIDE_DECLARE(real, name, band_type)                                                     \
    typedef struct name {                                                                          \
        const rp_set *set;                                                                         \
        const rp_design *d;                                                                        \
        bool primal;                                                                               \
        band_type band;                                                                            \
        real *z;   /* [m, D] training rows (kernel side), NULL */                                  \
        real *rhs; /* [band.n, P + E] Q' c, or Q' t */                                             \
        real *l;   /* a factor */                                                                  \
    } name;                                                                                        \
    rp_status name##_init(name *side, const rp_set *set, const rp_cells *cells, bool primal,       \
                          rp_error *err);                                                          \
    void name##_release(name *side);                                                               \
    /* x [band.n, P + E] <- the rotated solutions at lambda; cross [P + E, E] (NULL without        \
     * extras)                                                                                     \
     * <- c_p' (A + lambda)^-1 c_e. false: not positive definite. */                               \
    bool name##_solve(name *side, real *x, double *cross, double lambda);                          \
    /* w [D, r] <- coefficients on z of rotated solutions x [band.n, r], which are destroyed. */   \
    rp_status name##_weights(real *w, const name *side, real *x, size_t r, rp_error *err);         \
    /* sse [1 + joints, npenalties, P] <- squared errors, in units of t, on the rows at[n] of the  \
     * design; *solved <- penalties (from the first) that could be solved, the others' are NaN. */ \
    rp_status name##_errors(double *sse, size_t *solved, name *side, const double *penalty,        \
                            size_t npenalties, const rp_joints *joints, const size_t *at,          \
                            size_t n, rp_error *err);

RP_SIDE_DECLARE(float, rp_sside, rp_sband)
RP_SIDE_DECLARE(double, rp_dside, rp_dband)

/* u [P, extras of joint v] from a set's te and `cross` at lambda. */
rp_status rp_joint_solve(double *u, const rp_set *set, const rp_design *d, const double *cross,
                         const rp_joints *joints, size_t v, double lambda, rp_error *err);

#endif
