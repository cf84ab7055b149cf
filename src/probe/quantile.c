#include "probe/quantile.h"

#include <math.h>

/* Reorders v so that v[k] is the k-th smallest, with none larger before it (Hoare's quickselect).
 */
static void place(double *v, size_t n, size_t k)
{
    size_t lo = 0, hi = n - 1;
    while (lo < hi) {
        double pivot = v[lo + (hi - lo) / 2];
        size_t i = lo, j = hi;
        while (i <= j) {
            while (v[i] < pivot) i++;
            while (v[j] > pivot) j--;
            if (i > j) break;
            double t = v[i];
            v[i++] = v[j], v[j] = t;
            if (!j) break;
            j--;
        }
        if (k <= j)
            hi = j;
        else if (k >= i)
            lo = i;
        else
            return;
    }
}

double rp_quantile(double *v, size_t n, double q)
{
    if (!n) return NAN;
    double at = q * (double)(n - 1);
    size_t k = (size_t)at;
    place(v, n, k);
    if (k + 1 >= n) return v[k];
    double next = v[k + 1];
    for (size_t i = k + 2; i < n; i++) next = v[i] < next ? v[i] : next;
    return v[k] + (at - (double)k) * (next - v[k]);
}
