/* The code of band.h for one type: REAL, NAME(x), BLAS(x), LAPACK(x) are defined by the includer.
 */
#include <cblas.h>
#include <lapacke.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { B = RP_BAND, FIRST = RP_BAND_FIRST };

void NAME(release)(BAND *s)
{
    free(s->a), free(s->v0), free(s->t0), free(s->t), free(s->diag), free(s->sub);
    *s = (BAND){0};
}

rp_status NAME(init)(BAND *s, size_t order, rp_error *err)
{
    size_t blocks = order ? (order + B - 1) / B : 1, n = blocks * B;
    *s = (BAND){.n = n,
                .blocks = blocks,
                .a = rp_alloc(n * n, sizeof(REAL)),
                .t = rp_alloc(blocks * B * B, sizeof(REAL)),
                .diag = rp_alloc(blocks * B * B, sizeof(REAL)),
                .sub = rp_alloc(blocks * B * B, sizeof(REAL))};
    if (!s->a || !s->t || !s->diag || !s->sub) {
        NAME(release)(s);
        return rp_fail_memory(err, n * n * sizeof(REAL));
    }
    for (size_t i = order; i < n; i++) s->a[i * n + i] = 1;
    return RP_OK;
}

/* P [r, b] = V R: P becomes V, with its ones and zeros, so that products can use it as it lies; R
 * goes to sub [b, b]. */
static rp_status factor_panel(REAL *p, size_t r, size_t b, size_t ld, REAL *t, REAL *sub,
                              rp_error *err)
{
    lapack_int info = LAPACK(geqrt3_work)(LAPACK_COL_MAJOR, (int)r, (int)b, p, (int)ld, t, (int)b);
    if (info) return rp_fail(err, RP_ECOMPUTE, "band reduction: QR failed with code %d", (int)info);
    for (size_t j = 0; j < b; j++)
        for (size_t i = 0; i < b; i++) {
            sub[j * b + i] = i <= j ? p[j * ld + i] : 0;
            if (i <= j) p[j * ld + i] = i == j;
            if (i > j) t[j * b + i] = 0;
        }
    return RP_OK;
}

/* a [r, r] <- Q' a Q with Q = I - V T V', V [r, b]: a - V W' - W V', W = Y - V S / 2, Y = a V T,
 * S = T' V' Y. y, w [r, b] are scratch. */
static void transform(REAL *a, const REAL *v, size_t rows, size_t width, size_t stride,
                      const REAL *t, REAL *y, REAL *w)
{
    int r = (int)rows, b = (int)width, ld = (int)stride;
    REAL m[B * B], q[B * B];
    BLAS(symm)(CblasColMajor, CblasLeft, CblasLower, r, b, 1, a, ld, v, ld, 0, w, r);
    BLAS(gemm)(CblasColMajor, CblasNoTrans, CblasNoTrans, r, b, b, 1, w, r, t, b, 0, y, r);
    BLAS(gemm)(CblasColMajor, CblasTrans, CblasNoTrans, b, b, r, 1, v, ld, y, r, 0, m, b);
    BLAS(gemm)(CblasColMajor, CblasTrans, CblasNoTrans, b, b, b, 1, t, b, m, b, 0, q, b);
    BLAS(gemm)(CblasColMajor, CblasNoTrans, CblasNoTrans, r, b, b, (REAL)-.5, v, ld, q, b, 1, y, r);
    BLAS(syr2k)(CblasColMajor, CblasLower, CblasNoTrans, r, b, -1, v, ld, y, r, 1, a, ld);
}

rp_status NAME(reduce)(BAND *s, rp_error *err)
{
    size_t n = s->n;
    rp_status status = RP_OK;
    REAL *y = rp_alloc(2 * n * B, sizeof *y);
    if (!y) return rp_fail_memory(err, 2 * n * B * sizeof *y);
    for (size_t k = 0; k < s->blocks && !status; k++) {
        for (size_t j = 0; j < B; j++) /* the diagonal block is final */
            memcpy(s->diag + (k * B + j) * B, s->a + (k * B + j) * n + k * B, B * sizeof *y);
        if (k + 1 == s->blocks) break;
        size_t at = (k + 1) * B;
        REAL *v = s->a + k * B * n + at, *t = s->t + k * B * B;
        status = factor_panel(v, n - at, B, n, t, s->sub + k * B * B, err);
        if (!status) transform(s->a + at * n + at, v, n - at, B, n, t, y, y + n * B);
    }
    free(y);
    return status;
}

/* x [m, r] <- (I - V T V') x, or its transpose, V [m, b]; ld is of both x and V. */
static void reflect(REAL *x, const REAL *v, const REAL *t, int m, int b, int ld, int r,
                    bool transposed, REAL *scratch)
{
    BLAS(gemm)(CblasColMajor, CblasTrans, CblasNoTrans, b, r, m, 1, v, ld, x, ld, 0, scratch, b);
    BLAS(trmm)
    (CblasColMajor, CblasLeft, CblasUpper, transposed ? CblasTrans : CblasNoTrans, CblasNonUnit, b,
     r, 1, t, b, scratch, b);
    BLAS(gemm)(CblasColMajor, CblasNoTrans, CblasNoTrans, m, r, b, -1, v, ld, scratch, b, 1, x, ld);
}

void NAME(rotate)(const BAND *s, REAL *x, size_t r, bool transposed, REAL *scratch)
{
    size_t n = s->n, panels = s->blocks - 1;
    int ld = (int)n, cols = (int)r;
    if (s->v0 && transposed) reflect(x, s->v0, s->t0, ld, FIRST, ld, cols, true, scratch);
    for (size_t i = 0; i < panels; i++) {
        size_t k = transposed ? i : panels - 1 - i, at = (k + 1) * B;
        reflect(x + at, s->a + k * B * n + at, s->t + k * B * B, (int)(n - at), B, ld, cols,
                transposed, scratch);
    }
    if (s->v0 && !transposed) reflect(x, s->v0, s->t0, ld, FIRST, ld, cols, false, scratch);
}

bool NAME(factor)(REAL *l, const BAND *s, REAL lambda)
{
    for (size_t k = 0; k < s->blocks; k++) {
        REAL *d = l + 2 * k * B * B, *w = d + B * B, *before = d - B * B;
        memcpy(d, s->diag + k * B * B, B * B * sizeof *d);
        for (size_t j = 0; j < B; j++) d[j * B + j] += lambda;
        if (k) BLAS(syrk)(CblasColMajor, CblasLower, CblasNoTrans, B, B, -1, before, B, 1, d, B);
        if (LAPACK(potrf_work)(LAPACK_COL_MAJOR, 'L', B, d, B)) return false;
        if (k + 1 == s->blocks) break;
        memcpy(w, s->sub + k * B * B, B * B * sizeof *w); /* w = sub l^-T */
        BLAS(trsm)
        (CblasColMajor, CblasRight, CblasLower, CblasTrans, CblasNonUnit, B, B, 1, d, B, w, B);
    }
    return true;
}

void NAME(solve)(const REAL *l, const BAND *s, REAL *x, size_t r)
{
    int ld = (int)s->n, cols = (int)r;
    for (size_t k = 0; k < s->blocks; k++) {
        const REAL *d = l + 2 * k * B * B, *w = d + B * B;
        BLAS(trsm)
        (CblasColMajor, CblasLeft, CblasLower, CblasNoTrans, CblasNonUnit, B, cols, 1, d, B,
         x + k * B, ld);
        if (k + 1 < s->blocks) BLAS(gemm)
        (CblasColMajor, CblasNoTrans, CblasNoTrans, B, cols, B, -1, w, B, x + k * B, ld, 1,
         x + (k + 1) * B, ld);
    }
    for (size_t k = s->blocks; k-- > 0;) {
        const REAL *d = l + 2 * k * B * B, *w = d + B * B;
        if (k + 1 < s->blocks) BLAS(gemm)
        (CblasColMajor, CblasTrans, CblasNoTrans, B, cols, B, -1, w, B, x + (k + 1) * B, ld, 1,
         x + k * B, ld);
        BLAS(trsm)
        (CblasColMajor, CblasLeft, CblasLower, CblasTrans, CblasNonUnit, B, cols, 1, d, B,
         x + k * B, ld);
    }
}
