/*
 * A random rotation R of the D units: orthogonal to rounding, spread over all units, and applied to
 * a vector in O(D log D).
 *
 * The one thing to know: R is never a matrix. It is a butterfly of ceil(log2 D) + 8 rounds; in
 * each, all units are paired at random (one is left over when D is odd) and each pair is turned by
 * an angle of its own. Angles lie within 22.5 degrees of a diagonal: those near an axis mix
 * nothing, and uniform ones would need twice the rounds. Then a unit is spread as a column of a
 * matrix drawn uniformly from O(D) is: the mean of R_ij^4 is about 3 / D^2 (tested).
 */
#ifndef RP_SOLVER_ROTATION_H
#define RP_SOLVER_ROTATION_H

#include "base/error.h"

typedef struct rp_rotation {
    size_t width, rounds;
    unsigned *pair; /* [rounds, D]: the units pair[2i], pair[2i + 1] are turned by angle i */
    double *turn;   /* [rounds, D / 2, 2]: cosine, sine */
} rp_rotation;

/* Same seed and width, same rotation. D < 2: the identity. */
rp_status rp_rotation_init(rp_rotation *r, size_t width, uint64_t seed, rp_error *err);
void rp_rotation_release(rp_rotation *r);

#define RP_LANES 8 /* vectors that are turned at a time: a cache line a unit */

/* v [D, RP_LANES] <- R' v: each column is a vector. */
void rp_rotation_panel(const rp_rotation *r, double *v);
/* z [m, D] <- z R, row by row. */
rp_status rp_rotation_rows(const rp_rotation *r, double *z, size_t m, rp_error *err);
/* a [D, D], symmetric, both triangles given: a <- R' a R, both triangles. Parallel over rows. */
rp_status rp_rotation_gram(const rp_rotation *r, double *a, rp_error *err);

#endif
