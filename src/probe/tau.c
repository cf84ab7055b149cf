#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "probe/score.h"

typedef struct point {
    double x, y;
} point;

static int by_x(const void *a, const void *b)
{
    const point *p = a, *q = b;
    if (p->x != q->x) return p->x < q->x ? -1 : 1;
    return p->y < q->y ? -1 : p->y > q->y;
}

/* Sorts y[n], returns the number of exchanges a bubble sort would make. */
static double inversions(double *y, double *buffer, size_t n)
{
    if (n < 2) return 0;
    size_t half = n / 2, i = 0, j = half, k = 0;
    double count = inversions(y, buffer, half) + inversions(y + half, buffer, n - half);
    while (i < half && j < n) {
        if (y[j] < y[i]) {
            count += (double)(half - i);
            buffer[k++] = y[j++];
        } else {
            buffer[k++] = y[i++];
        }
    }
    while (i < half) buffer[k++] = y[i++];
    memcpy(y, buffer, k * sizeof *y);
    return count;
}

static double pairs(size_t n)
{
    return .5 * (double)n * ((double)n - 1);
}

double rp_tau(const double *x, const double *y, size_t n, double *scratch)
{
    point *v = (point *)scratch;
    double *sorted = scratch + 2 * n;
    double ties_x = 0, ties_y = 0, both = 0;
    if (n < 2) return NAN;
    for (size_t i = 0; i < n; i++) v[i] = (point){x[i], y[i]};
    qsort(v, n, sizeof *v, by_x);
    for (size_t i = 1, run = 1, same = 1; i <= n; i++) {
        bool tie = i < n && v[i].x == v[i - 1].x, twin = tie && v[i].y == v[i - 1].y;
        if (!twin) both += pairs(same), same = 0;
        if (!tie) ties_x += pairs(run), run = 0;
        run++, same++;
    }
    for (size_t i = 0; i < n; i++) sorted[i] = v[i].y;
    double swaps = inversions(sorted, scratch, n);
    for (size_t i = 1, run = 1; i <= n; i++, run++)
        if (i == n || sorted[i] != sorted[i - 1]) ties_y += pairs(run), run = 0;
    double all = pairs(n), a = all - ties_x, b = all - ties_y;
    if (!(a > 0) || !(b > 0)) return NAN;
    return (all - ties_x - ties_y + both - 2 * swaps) / sqrt(a) / sqrt(b);
}
