#include "solver/active.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static const double SLACK = 1e-12; /* violation that counts, relative to the largest |c| */

enum { OUT, IN, BARRED };
enum { MANY = 6, GUESSES = 40, SWEEPS = 20000, TRIES = 4, BATCH = 8 };

void rp_active_release(rp_active *s)
{
    free(s->a), free(s->c), free(s->w), free(s->q), free(s->s), free(s->l);
    free(s->sign), free(s->x), free(s->y), free(s->list), free(s->state);
    *s = (rp_active){0};
}

static void move(double **to, double *fresh, size_t n)
{
    if (n) memcpy(fresh, *to, n * sizeof *fresh);
    free(*to);
    *to = fresh;
}

static rp_status grow(rp_active *s, size_t cap, rp_error *err)
{
    size_t n = s->n;
    double *a = malloc(cap * cap * 8), *l = malloc((cap + 1) * cap * 4); /* large: not zeroed */
    double *c = rp_alloc(cap, 8), *w = rp_alloc(cap, 8), *q = rp_alloc(cap, 8),
           *sign = rp_alloc(cap, 8), *x = rp_alloc(cap, 8), *y = rp_alloc(cap, 16);
    size_t *index = rp_alloc(cap, sizeof *index), *list = rp_alloc(cap, sizeof *list);
    unsigned char *state = rp_alloc(cap, 1);
    if (!a || !l || !c || !w || !q || !sign || !x || !y || !index || !list || !state) {
        free(a), free(l), free(c), free(w), free(q), free(sign), free(x), free(y);
        free(index), free(list), free(state);
        return rp_fail_memory(err, cap * cap * 12);
    }
    for (size_t j = 0; j < n; j++) memcpy(a + j * cap, s->a + j * s->cap, n * sizeof *a);
    move(&s->a, a, 0), move(&s->c, c, n), move(&s->w, w, n), move(&s->q, q, n);
    move(&s->l, l, s->ns * (s->ns + 1) / 2), move(&s->sign, sign, s->ns);
    move(&s->x, x, 0), move(&s->y, y, 0);
    if (s->ns) memcpy(index, s->s, s->ns * sizeof *index);
    if (n) memcpy(state, s->state, n);
    free(s->s), free(s->list), free(s->state);
    s->s = index, s->list = list, s->state = state, s->cap = cap;
    return RP_OK;
}

rp_status rp_active_resize(rp_active *s, size_t n, rp_error *err)
{
    if (n > s->cap) {
        size_t cap = s->cap + s->cap / 2 > n ? s->cap + s->cap / 2 : n;
        rp_status status = grow(s, cap < 32 ? 32 : cap, err);
        if (status) return status;
    }
    for (size_t j = s->n; j < n; j++) s->w[j] = 0, s->state[j] = OUT;
    s->n = n;
    return RP_OK;
}

void rp_active_clear(rp_active *s)
{
    s->n = s->ns = 0;
    s->stale = false;
}

/* ---- the factor ---- */

static double *row_of(const rp_active *s, size_t i)
{
    return s->l + i * (i + 1) / 2;
}

/* Packed rows of the factor are BLAS's packed columns of its transpose. */
static void forward(const rp_active *s, double *x)
{
    cblas_dtpsv(CblasColMajor, CblasUpper, CblasTrans, CblasNonUnit, (int)s->ns, s->l, x, 1);
}

static void backward(const rp_active *s, double *x)
{
    cblas_dtpsv(CblasColMajor, CblasUpper, CblasNoTrans, CblasNonUnit, (int)s->ns, s->l, x, 1);
}

/* Element i of row l of the factor, whose elements before it are there. */
static double element(const rp_active *s, const double *l, size_t i, double a)
{
    const double *row = row_of(s, i);
    return (a - cblas_ddot((int)i, row, 1, l, 1)) / row[i];
}

/* Adds columns j[n] to the support's factor, with the signs of `by`, as far as they do not depend
 * linearly on the support; returns how many. BATCH of them at a time: the factor is read once. */
static size_t append(rp_active *s, const size_t *j, size_t n, const double *by)
{
    size_t before = s->ns;
    for (size_t first = 0; first < n; first += BATCH) {
        size_t base = s->ns, some = n - first < BATCH ? n - first : BATCH;
        for (size_t i = 0; i < base; i++)
            for (size_t r = 0; r < some; r++) {
                double *l = row_of(s, base + r);
                l[i] = element(s, l, i, s->a[j[first + r] * s->cap + s->s[i]]);
            }
        for (size_t r = 0; r < some; r++) {
            size_t col = j[first + r];
            const double *a = s->a + col * s->cap;
            double *l = row_of(s, s->ns), own = a[col] + s->ridge;
            memmove(l, row_of(s, base + r), base * sizeof *l);
            for (size_t i = base; i < s->ns; i++) l[i] = element(s, l, i, a[s->s[i]]);
            double pivot = own - cblas_ddot((int)s->ns, l, 1, l, 1);
            if (!(pivot > s->pivot * own)) continue;
            l[s->ns] = sqrt(pivot);
            s->s[s->ns] = col, s->sign[s->ns] = by[col] > 0 ? 1 : -1;
            s->state[col] = IN;
            s->ns++;
        }
    }
    return s->ns - before;
}

/* Takes element k out of the support: the rows below lose a column of the factor by rotations,
 * which turns them triangular again, and move up. */
static void drop(rp_active *s, size_t k)
{
    double *c = s->y, *t = s->y + s->cap;
    s->state[s->s[k]] = OUT;
    s->w[s->s[k]] = 0;
    for (size_t h = k + 1; h < s->ns; h++) {
        double *l = row_of(s, h), last = l[k];
        for (size_t i = k + 1; i < h; i++) {
            l[i - 1] = c[i] * last + t[i] * l[i];
            last = c[i] * l[i] - t[i] * last;
        }
        double r = hypot(last, l[h]);
        c[h] = last / r, t[h] = l[h] / r;
        l[h - 1] = r;
        memmove(row_of(s, h - 1), l, h * sizeof *l);
        s->s[h - 1] = s->s[h], s->sign[h - 1] = s->sign[h];
    }
    s->ns--;
}

/* Support and factor from the coefficients; what depends on the columns before it is left out. */
static void rebuild(rp_active *s)
{
    size_t n = 0;
    s->ns = 0;
    for (size_t j = 0; j < s->n; j++) {
        s->state[j] = OUT;
        if (s->w[j] != 0) s->list[n++] = j;
    }
    append(s, s->list, n, s->w);
    for (size_t j = 0; j < s->n; j++)
        if (s->state[j] == OUT) s->w[j] = 0;
    s->stale = false;
}

/* ---- steps ---- */

static void gradient(rp_active *s)
{
    if (s->n) memcpy(s->q, s->c, s->n * sizeof *s->q);
    for (size_t j = 0; j < s->n; j++) {
        if (s->w[j] == 0) continue;
        cblas_daxpy((int)s->n, -s->w[j], s->a + j * s->cap, 1, s->q, 1);
        s->q[j] -= s->ridge * s->w[j];
    }
}

/* How many there are; list is filled with them. */
static size_t violators(const rp_active *s, double slack, size_t *worst)
{
    double most = 0;
    size_t n = 0;
    *worst = SIZE_MAX;
    for (size_t j = 0; j < s->n; j++) {
        double v = fabs(s->q[j]) - s->penalty;
        if (!(v > slack) || s->state[j] != OUT || !(s->a[j * s->cap + j] > 0)) continue;
        s->list[n++] = j;
        if (v > most) most = v, *worst = j;
    }
    return n;
}

/* x <- the minimum on the support with its signs. */
static void solve_signs(const rp_active *s)
{
    for (size_t i = 0; i < s->ns; i++) s->x[i] = s->c[s->s[i]] - s->penalty * s->sign[i];
    forward(s, s->x);
    backward(s, s->x);
}

/* In blocks; false when it does not get there, with coefficients and signs that agree. */
static bool pivot(rp_active *s, double slack)
{
    size_t fewest = SIZE_MAX, tries = TRIES, worst;
    for (;;) {
        size_t before = s->ns;
        solve_signs(s);
        for (size_t i = s->ns; i-- > 0;)
            if (!(s->x[i] * s->sign[i] > 0)) drop(s, i);
        if (s->ns < before) continue;
        for (size_t i = 0; i < s->ns; i++) s->w[s->s[i]] = s->x[i];
        gradient(s);
        size_t n = violators(s, slack, &worst);
        if (!n) return true;
        tries = n < fewest ? TRIES : tries - 1;
        fewest = n < fewest ? n : fewest;
        if (!tries || !append(s, s->list, n, s->q)) return false;
    }
}

/* To the minimum on the support with its signs, or to where the first coefficient reaches zero;
 * returns whether one did. */
static bool step(rp_active *s)
{
    size_t block = SIZE_MAX;
    double t = 1;
    solve_signs(s);
    for (size_t i = 0; i < s->ns; i++) {
        double w = s->w[s->s[i]];
        if (s->x[i] * s->sign[i] > 0) continue;
        double ti = w * s->sign[i] > 0 ? w / (w - s->x[i]) : 0;
        if (ti < t || block == SIZE_MAX) t = ti < t ? ti : t, block = i;
    }
    for (size_t i = 0; i < s->ns; i++) {
        double *w = &s->w[s->s[i]];
        *w = t == 1 ? s->x[i] : *w + t * (s->x[i] - *w);
    }
    if (block == SIZE_MAX) return false;
    size_t j = s->s[block];
    drop(s, block);
    if (t == 0) s->state[j] = BARRED; /* entered the wrong way, by rounding: not again and again */
    return true;
}

/* Column j violates but depends on the support: moves along the direction that keeps the residual
 * and shrinks |w|_1, until a coefficient of the support reaches zero and leaves. */
static bool exchange(rp_active *s, size_t j, double sign)
{
    const double *a = s->a + j * s->cap;
    size_t block = SIZE_MAX;
    double most = INFINITY;
    for (size_t i = 0; i < s->ns; i++) s->y[i] = a[s->s[i]];
    forward(s, s->y);
    backward(s, s->y);
    for (size_t i = 0; i < s->ns; i++) {
        double shrink = sign * s->sign[i] * s->y[i]; /* |w_i| falls at this rate */
        if (!(shrink > 1e-12)) continue;
        double tau = fabs(s->w[s->s[i]]) / shrink;
        if (tau < most) most = tau, block = i;
    }
    if (block == SIZE_MAX) return false;
    for (size_t i = 0; i < s->ns; i++) s->w[s->s[i]] -= sign * most * s->y[i];
    s->w[j] = sign * most;
    drop(s, block);
    return true;
}

void rp_active_descend(rp_active *s, double a, double b, bool guess)
{
    s->penalty = a, s->ridge = b;
    s->stale = true;
    gradient(s);
    for (size_t sweep = 0, same = 0; sweep < (guess ? GUESSES : SWEEPS); sweep++) {
        double most = 0, moved = 0;
        bool changed = false; /* the support */
        for (size_t j = 0; j < s->n; j++) {
            const double *x = s->a + j * s->cap;
            if (!(x[j] > 0) || (s->w[j] == 0 && fabs(s->q[j]) <= a)) continue;
            double g = s->q[j] + s->w[j] * (x[j] + b);
            double w = fabs(g) <= a ? 0 : (g - copysign(a, g)) / (x[j] + b), by = w - s->w[j];
            if (by == 0) continue;
            changed |= (w == 0) != (s->w[j] == 0);
            s->w[j] = w;
            cblas_daxpy((int)s->n, -by, x, 1, s->q, 1);
            s->q[j] -= b * by;
            moved = fmax(moved, fabs(by)), most = fmax(most, fabs(w));
        }
        same = changed ? 0 : same + 1;
        if (moved <= 1e-14 * most || (guess && same == 2)) break;
    }
}

/* Exact steps until nothing violates; false when they did not get there. */
static bool exact(rp_active *s, double slack)
{
    size_t most = 20 * (s->n < 1000 ? s->n : 1000) + 200, j;
    for (size_t steps = 0; steps < most; steps++) {
        if (s->ns && step(s)) continue;
        gradient(s);
        if (!violators(s, slack, &j)) return true;
        double sign = s->q[j] > 0 ? 1 : -1;
        if (append(s, &j, 1, s->q)) continue;
        if (!exchange(s, j, sign))
            s->state[j] = BARRED;
        else if (!append(s, &j, 1, s->w))
            break; /* its weight is in w already */
    }
    return false;
}

void rp_active_solve(rp_active *s, double a, double b)
{
    double slack = 0;
    size_t worst;
    for (size_t j = 0; j < s->n; j++) slack = fmax(slack, SLACK * fabs(s->c[j]));
    for (size_t k = 0; k < s->n; k++)
        if (s->state[k] == BARRED) s->state[k] = OUT;
    if (b != s->ridge) s->stale = true;
    s->penalty = a, s->ridge = b;
    gradient(s);
    if (violators(s, slack, &worst) > MANY + s->ns) rp_active_descend(s, a, b, true);
    for (int attempt = 0; attempt < 2; attempt++) {
        if (s->stale) rebuild(s);
        if (pivot(s, slack) || exact(s, slack)) return;
        s->stale = true; /* the factor has gathered rounding errors: once more with a new one */
    }
    rp_active_descend(s, a, b, false);
}
