#include "probe/lasso.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static const double COLLINEAR = 1e-9; /* relative pivot below which a column depends on others */
static const double SLACK = 1e-11;    /* violation that counts, relative to a_max */

enum { OUT, IN, BARRED };

static const double *cross(const rp_lasso *s)
{
    return s->cols->mo->set[s->set].c + s->label * s->width;
}

static bool dead(const rp_lasso *s, size_t j)
{
    return s->cols->mo->set[s->set].inv[j] == 0;
}

static const double *column(const rp_lasso *s, size_t j)
{
    return rp_gram_at(s->cols, s->set, j);
}

static double *row_of(const rp_lasso *s, size_t i)
{
    return s->l + i * (i + 1) / 2;
}

rp_status rp_lasso_init(rp_lasso *s, rp_gram *cols, size_t set, size_t label, rp_error *err)
{
    size_t D = cols->mo->d->width;
    *s = (rp_lasso){.cols = cols, .set = set, .label = label, .width = D};
    s->w = rp_alloc(D, 8), s->q = rp_alloc(D, 8), s->state = rp_alloc(D, 1);
    s->nonzero = rp_alloc(D, sizeof *s->nonzero);
    if (!s->w || !s->q || !s->state || !s->nonzero) {
        rp_lasso_release(s);
        return rp_fail_memory(err, D * 25);
    }
    memcpy(s->q, cross(s), D * sizeof *s->q);
    return RP_OK;
}

void rp_lasso_release(rp_lasso *s)
{
    free(s->w), free(s->q), free(s->state), free(s->s), free(s->l);
    free(s->sign), free(s->x), free(s->y), free(s->nonzero);
    *s = (rp_lasso){0};
}

double rp_lasso_max(const rp_moments *mo, size_t set, size_t label)
{
    size_t D = mo->d->width;
    const double *c = mo->set[set].c + label * D;
    double most = 0;
    for (size_t j = 0; j < D; j++) most = fmax(most, fabs(c[j]));
    return most;
}

/* ---- the factor ---- */

static rp_status reserve(rp_lasso *s, rp_error *err)
{
    if (s->n < s->cap) return RP_OK;
    size_t cap = s->cap ? 2 * s->cap : 32;
    void *index = realloc(s->s, cap * sizeof *s->s);
    if (index) s->s = index;
    void *sign = realloc(s->sign, cap * 8), *x = realloc(s->x, cap * 8),
         *y = realloc(s->y, cap * 8);
    if (sign) s->sign = sign;
    if (x) s->x = x;
    if (y) s->y = y;
    void *l = realloc(s->l, cap * (cap + 1) / 2 * sizeof *s->l);
    if (l) s->l = l;
    if (!index || !sign || !x || !y || !l) return rp_fail_memory(err, cap * (cap + 1) * 4);
    s->cap = cap;
    return RP_OK;
}

static void forward(const rp_lasso *s, double *x)
{
    for (size_t i = 0; i < s->n; i++) {
        const double *l = row_of(s, i);
        x[i] = (x[i] - cblas_ddot((int)i, l, 1, x, 1)) / l[i];
    }
}

static void backward(const rp_lasso *s, double *x)
{
    for (size_t i = s->n; i-- > 0;) {
        const double *l = row_of(s, i);
        x[i] /= l[i];
        cblas_daxpy((int)i, -x[i], l, 1, x, 1);
    }
}

/* Adds column j to the support's factor; false, leaving row n in place unused, when j depends
 * linearly on the support. Room was reserved. */
static bool append(rp_lasso *s, size_t j, double sign)
{
    const double *a = column(s, j);
    double *l = row_of(s, s->n);
    for (size_t i = 0; i < s->n; i++) l[i] = a[s->s[i]];
    forward(s, l);
    double pivot = a[j] - cblas_ddot((int)s->n, l, 1, l, 1);
    if (!(pivot > COLLINEAR * a[j])) return false;
    l[s->n] = sqrt(pivot);
    s->s[s->n] = j, s->sign[s->n] = sign;
    s->state[j] = IN;
    s->n++;
    return true;
}

/* Takes element k out of the support: the rows below move up and are made triangular again. */
static void drop(rp_lasso *s, size_t k)
{
    s->state[s->s[k]] = OUT;
    s->w[s->s[k]] = 0;
    for (size_t i = k + 1; i < s->n;
         i++) { /* row i, less column k after rotation, becomes row i-1 */
        double *l = row_of(s, i), r = hypot(l[i - 1], l[i]), c = l[i - 1] / r, t = l[i] / r;
        l[i - 1] = r, l[i] = 0;
        for (size_t h = i + 1; h < s->n; h++) {
            double *m = row_of(s, h), p = m[i - 1], q = m[i];
            m[i - 1] = c * p + t * q;
            m[i] = c * q - t * p;
        }
        memmove(row_of(s, i - 1), l, i * sizeof *l);
        s->s[i - 1] = s->s[i], s->sign[i - 1] = s->sign[i];
    }
    s->n--;
}

/* Support and factor from the non-zero coefficients; false when they depend on each other. */
static bool rebuild(rp_lasso *s, rp_status *status, rp_error *err)
{
    s->n = 0;
    memset(s->state, OUT, s->width);
    for (size_t j = 0; j < s->width; j++) {
        if (s->w[j] == 0) continue;
        if ((*status = reserve(s, err))) return false;
        if (!append(s, j, s->w[j] > 0 ? 1 : -1)) return false;
    }
    s->stale = false;
    return true;
}

/* ---- steps ---- */

static void refresh_gradient(rp_lasso *s)
{
    memcpy(s->q, cross(s), s->width * sizeof *s->q);
    for (size_t i = 0; i < s->n; i++) {
        size_t j = s->s[i];
        cblas_daxpy((int)s->width, -s->w[j], column(s, j), 1, s->q, 1);
    }
}

/* To the minimum on the support with its signs, or to where the first coefficient reaches zero;
 * returns whether one did. */
static bool step(rp_lasso *s, double a)
{
    const double *c = cross(s);
    size_t block = SIZE_MAX;
    double t = 1;
    for (size_t i = 0; i < s->n; i++) s->x[i] = c[s->s[i]] - a * s->sign[i];
    forward(s, s->x);
    backward(s, s->x);
    for (size_t i = 0; i < s->n; i++) {
        double w = s->w[s->s[i]];
        if (s->x[i] * s->sign[i] > 0) continue;
        double ti = w * s->sign[i] > 0 ? w / (w - s->x[i]) : 0;
        if (ti < t || block == SIZE_MAX) t = ti < t ? ti : t, block = i;
    }
    for (size_t i = 0; i < s->n; i++) {
        double *w = &s->w[s->s[i]];
        *w += t * (s->x[i] - *w);
    }
    if (block == SIZE_MAX) return false;
    size_t j = s->s[block];
    drop(s, block);
    if (t == 0) s->state[j] = BARRED; /* entered the wrong way, by rounding: not again and again */
    return true;
}

/* Column j violates but depends on the support: moves along the direction that keeps the residual
 * and shrinks |w|_1, until a coefficient of the support reaches zero and leaves. */
static bool exchange(rp_lasso *s, size_t j, double sign)
{
    const double *a = column(s, j);
    size_t block = SIZE_MAX;
    double most = INFINITY;
    for (size_t i = 0; i < s->n; i++) s->y[i] = a[s->s[i]];
    forward(s, s->y);
    backward(s, s->y);
    for (size_t i = 0; i < s->n; i++) {
        double shrink = sign * s->sign[i] * s->y[i]; /* |w_i| falls at this rate */
        if (!(shrink > 1e-12)) continue;
        double tau = fabs(s->w[s->s[i]]) / shrink;
        if (tau < most) most = tau, block = i;
    }
    if (block == SIZE_MAX) return false;
    for (size_t i = 0; i < s->n; i++) s->w[s->s[i]] -= sign * most * s->y[i];
    s->w[j] = sign * most;
    drop(s, block);
    return true;
}

/* The worst violator outside the support and its violation; the columns that look most promising
 * are made with it. */
static size_t violator(const rp_lasso *s, double a, double *by)
{
    size_t worst = SIZE_MAX;
    *by = 0;
    for (size_t j = 0; j < s->width; j++) {
        double v = fabs(s->q[j]) - a;
        if (v > *by && s->state[j] == OUT && !dead(s, j)) *by = v, worst = j;
    }
    return worst;
}

static rp_status need(rp_lasso *s, size_t j, rp_error *err)
{
    size_t want[RP_GRAM_BLOCK] = {j}, n = 1;
    if (column(s, j)) return RP_OK;
    for (size_t k = 0; k < s->width;
         k++) { /* the largest gradients among the columns not made yet */
        if (k == j || column(s, k) || dead(s, k)) continue;
        double g = fabs(s->q[k]);
        if (n == RP_GRAM_BLOCK && g <= fabs(s->q[want[n - 1]])) continue;
        size_t at = n < RP_GRAM_BLOCK ? n++ : n - 1;
        for (; at > 1 && g > fabs(s->q[want[at - 1]]); at--) want[at] = want[at - 1];
        want[at] = k;
    }
    return rp_gram_need(s->cols, want, n, err);
}

/* Duality gap relative to the mean of t^2, from correlations alone. */
static double duality_gap(const rp_lasso *s, double a)
{
    const double *c = cross(s);
    double yy = s->cols->mo->set[s->set].yy[s->label], wc = 0, wq = 0, one = 0, most = 0;
    for (size_t j = 0; j < s->width; j++) {
        double q = fabs(s->q[j]);
        if (q > most) most = q;
        wc += s->w[j] * c[j], wq += s->w[j] * s->q[j], one += fabs(s->w[j]);
    }
    if (!(yy > 0)) return 0;
    double rr = fmax(yy - wc - wq, 0), ry = yy - wc, k = most > a ? a / most : 1;
    return fmax(.5 * rr + a * one - (k * ry - .5 * k * k * rr), 0) / yy;
}

/* Coordinate descent until the gap is small enough or it stops falling. */
rp_status rp_lasso_descend(rp_lasso *s, double a, rp_error *err)
{
    rp_status status;
    double best = INFINITY;
    for (size_t j = 0; j < s->width; j++) {
        if (s->w[j] != 0 && (status = need(s, j, err))) return status;
    }
    for (size_t epoch = 0, worse = 0; epoch < 20000 && worse < 200; epoch++) {
        for (size_t j = 0; j < s->width; j++) {
            if (dead(s, j)) continue;
            bool zero = s->w[j] == 0;
            if (zero && fabs(s->q[j]) <= a) continue;
            if ((status = need(s, j, err))) return status;
            const double *x = column(s, j);
            double g = s->q[j] + s->w[j] * x[j];
            double w = fabs(g) <= a ? 0 : (g - copysign(a, g)) / x[j], by = w - s->w[j];
            if (by == 0) continue;
            s->w[j] = w;
            cblas_daxpy((int)s->width, -by, x, 1, s->q, 1);
        }
        s->gap = duality_gap(s, a);
        if (s->gap <= RP_LASSO_TARGET) break;
        worse = s->gap < .999 * best ? 0 : worse + 1;
        best = fmin(best, s->gap);
    }
    s->stale = true;
    return RP_OK;
}

/* Exact steps until nothing violates; *ok false when it did not get there. */
static rp_status exact(rp_lasso *s, double a, double slack, bool *ok, rp_error *err)
{
    size_t most = 20 * (s->width < 1000 ? s->width : 1000) + 200;
    rp_status status = RP_OK;
    *ok = false;
    for (size_t j = 0; j < s->width; j++)
        if (s->state[j] == BARRED) s->state[j] = OUT;
    if (s->stale && !rebuild(s, &status, err)) {
        s->stale = true;
        return status;
    }
    for (; s->steps < most; s->steps++) {
        if (s->n && step(s, a)) continue;
        refresh_gradient(s);
        double by;
        size_t j = violator(s, a, &by);
        if (j == SIZE_MAX || by <= slack) {
            *ok = true;
            return RP_OK;
        }
        double sign = s->q[j] > 0 ? 1 : -1;
        if ((status = need(s, j, err)) || (status = reserve(s, err))) return status;
        if (append(s, j, sign)) continue;
        if (!exchange(s, j, sign) ||
            !append(s, j, sign)) { /* j's weight, if any, is in w already */
            s->stale = true;
            return RP_OK;
        }
    }
    return RP_OK;
}

static void gradient_of_all(rp_lasso *s)
{
    memcpy(s->q, cross(s), s->width * sizeof *s->q);
    for (size_t j = 0; j < s->width; j++)
        if (s->w[j] != 0) cblas_daxpy((int)s->width, -s->w[j], column(s, j), 1, s->q, 1);
}

rp_status rp_lasso_solve(rp_lasso *s, double a, rp_error *err)
{
    double slack = SLACK * rp_lasso_max(s->cols->mo, s->set, s->label);
    rp_status status = RP_OK;
    s->steps = 0;
    for (int attempt = 0; attempt < 2; attempt++) {
        bool ok;
        if ((status = exact(s, a, slack, &ok, err))) return status;
        if (!ok) gradient_of_all(s);
        s->gap = duality_gap(s, a);
        if (s->gap <= RP_LASSO_TARGET) return RP_OK;
        s->stale = true; /* the factor has gathered rounding errors: once more with a new one */
    }
    return rp_lasso_descend(s, a, err);
}

double rp_lasso_held(const rp_lasso *s)
{
    const rp_set *set = &s->cols->mo->set[s->set];
    const double *vc = set->vc + s->label * s->width;
    double e = set->vy[s->label];
    size_t n = 0;
    for (size_t j = 0; j < s->width; j++)
        if (s->w[j] != 0) s->nonzero[n++] = j;
    for (size_t i = 0; i < n; i++) { /* v is symmetric: the diagonal once, what is below it twice */
        size_t j = s->nonzero[i];
        const double *v = s->cols->v[s->set * s->width + j];
        double below[2] = {0};
        for (size_t k = 0; k < i; k++) below[k % 2] += v[s->nonzero[k]] * s->w[s->nonzero[k]];
        e += s->w[j] * (v[j] * s->w[j] + 2 * (below[0] + below[1]) - 2 * vc[j]);
    }
    return e;
}
