/*
 * Quantiles of draws without sorting them.
 */
#ifndef RP_PROBE_QUANTILE_H
#define RP_PROBE_QUANTILE_H

#include <stddef.h>

/* The q-quantile (0 <= q <= 1) of v[n], interpolated between order statistics as numpy does. v must
 * hold no NaN and comes back reordered; expected O(n). NaN when n is 0. */
double rp_quantile(double *v, size_t n, double q);

#endif
