/* The back ends in bf16 and int8 against plain double-precision loops. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/number.h"
#include "support/support.h"
#include "tensor/cpu/kernels.h"

static const size_t shapes[][3] = {{1, 1, 1},     {5, 16, 8},    {12, 32, 512}, {7, 17, 257},
                                   {13, 33, 511}, {193, 40, 30}, {400, 31, 65}, {2, 100, 1300}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

typedef struct product {
    const rp_backend *be;
    size_t T, N, K;
    float *x, *w, *bias, *y, *panels, *work;
    double *want;
} product;

static void product_init(product *p, const rp_backend *be, size_t T, size_t N, size_t K)
{
    rp_rng rng;
    *p = (product){be,
                   T,
                   N,
                   K,
                   rp_alloc(T * K, 4),
                   rp_alloc(N * K, 4),
                   rp_alloc(N, 4),
                   rp_alloc(T * N, 4),
                   rp_alloc(be->panels_size(N, K), 4),
                   rp_alloc(be->work_size(1, 2), 4),
                   rp_alloc(T * N, 8)};
    assert_true(p->x && p->w && p->bias && p->y && p->panels && p->work && p->want);
    rp_rng_init(&rng, T * 7 + K, 0);
    for (size_t i = 0; i < T * K; i++) p->x[i] = (float)rp_rng_normal(&rng);
    for (size_t i = 0; i < N * K; i++) p->w[i] = (float)rp_rng_normal(&rng);
    for (size_t i = 0; i < N; i++) p->bias[i] = (float)rp_rng_normal(&rng);
}

static void product_run(product *p)
{
    p->be->panels_pack(p->panels, p->w, RP_F32, 0, p->N, p->K);
    p->be->matmul(p->y, p->x, p->panels, p->bias, p->work, p->T, p->N, p->K);
    for (size_t t = 0; t < p->T; t++)
        for (size_t n = 0; n < p->N; n++) {
            double sum = (double)p->bias[n];
            for (size_t k = 0; k < p->K; k++)
                sum += (double)p->x[t * p->K + k] * (double)p->w[n * p->K + k];
            p->want[t * p->N + n] = sum;
        }
}

static void product_release(product *p)
{
    free(p->x), free(p->w), free(p->bias), free(p->y), free(p->panels), free(p->work);
    free(p->want);
}

/* NULL, and a word, where this build has no instructions for it. */
static const rp_backend *find(const char *name)
{
    const rp_backend *be;
    rp_error err;
    if (rp_backend_find(&be, name, &err) == RP_OK) return be;
    print_message("skipped: %s\n", err.text);
    return NULL;
}

static void bf16_is_the_product_of_what_was_rounded(void **state)
{
    const rp_kernel *const way[] = {&rp_kernel_bf16_float, rp_kernel_bf16_pairs};
    const rp_backend *be = find("bf16");
    (void)state;
    for (size_t i = 0; i < SHAPES; i++) {
        product p;
        product_init(&p, be, shapes[i][0], shapes[i][1], shapes[i][2]);
        for (size_t k = 0; k < p.T * p.K; k++)
            p.x[k] = rp_float_from_bfloat(rp_bfloat_from_float(p.x[k]));
        for (size_t k = 0; k < p.N * p.K; k++)
            p.w[k] = rp_float_from_bfloat(rp_bfloat_from_float(p.w[k]));
        product_run(&p);
        assert_close(p.y, p.want, p.T * p.N, 1e-5, 2e-6 * sqrt((double)p.K));
        for (size_t w = 0; w < 2 && way[w]; w++) {
            rp_bf16_matmul(way[w], p.y, p.x, p.panels, p.bias, p.work, p.T, p.N, p.K);
            assert_close(p.y, p.want, p.T * p.N, 1e-5, 2e-6 * sqrt((double)p.K));
        }
        product_release(&p);
    }
}

static void bf16_rounds_to_the_nearest(void **state)
{
    const rp_backend *be = find("bf16");
    (void)state;
    for (size_t i = 0; i < SHAPES; i++) {
        product p;
        product_init(&p, be, shapes[i][0], shapes[i][1], shapes[i][2]);
        product_run(&p);
        assert_close(p.y, p.want, p.T * p.N, 0, .02 * sqrt((double)p.K));
        product_release(&p);
    }
}

/* Numbers, and among them some that one does not expect: subnormal ones, a zero with a sign, such
 * whose products are subnormal; where all is lost, also too large ones and infinity. */
static float strange(rp_rng *rng, bool lost)
{
    static const float some[] = {1e-40f, -0.f, 3e-39f, 1.5e-20f, -2e-20f, 1e30f, -3e38f, INFINITY};
    size_t r = rp_rng_below(rng, 64);
    return r < (lost ? 8 : 5) ? some[r] : (float)rp_rng_normal(rng) * powf(2, (float)(r % 7) - 3);
}

/* Nothing but speed may depend on which is chosen. */
static void bf16_has_the_same_bits_by_the_instruction_and_in_floats(void **state)
{
    const rp_kernel *const way[] = {&rp_kernel_bf16_float, rp_kernel_bf16_pairs};
    rp_rng rng;
    size_t different = 0, usual = 0;
    (void)state;
    if (!rp_kernel_bf16_pairs) skip();
    rp_rng_init(&rng, 3, 0);
    for (size_t i = 0; i < SHAPES; i++) {
        product p;
        product_init(&p, find("bf16"), shapes[i][0], shapes[i][1], shapes[i][2]);
        for (size_t k = 0; k < p.T * p.K; k++) p.x[k] = strange(&rng, k / p.K % 3 == 2);
        for (size_t k = 0; k < p.N * p.K; k++) p.w[k] = strange(&rng, k / p.K % 3 == 2);
        float *y = rp_alloc(p.T * p.N, sizeof *y);
        assert_non_null(y);
        p.be->panels_pack(p.panels, p.w, RP_F32, 0, p.N, p.K);
        p.be->matmul(y, p.x, p.panels, p.bias, p.work, p.T, p.N, p.K); /* as chosen */
        for (size_t w = 0; w < 2; w++) {
            rp_bf16_matmul(way[w], p.y, p.x, p.panels, p.bias, p.work, p.T, p.N, p.K);
            for (size_t k = 0; k < p.T * p.N; k++) {
                bool same = isnan(y[k]) ? isnan(p.y[k]) : !memcmp(&p.y[k], &y[k], sizeof y[k]);
                different += !same, usual += isfinite(y[k]) && fabsf(y[k]) < 1e6f;
                if (way[w] == rp_kernel_bf16()) assert_true(same);
            }
        }
        free(y);
        product_release(&p);
    }
    assert_true(usual > 1000); /* the sums that tell */
    if (rp_kernel_bf16() == &rp_kernel_bf16_float) assert_int_equal(different, 0);
}

/* Whole numbers up to 127 are their own codes, where the largest is 127. */
static void int8_is_exact_on_its_own_grid(void **state)
{
    const rp_backend *be = find("int8");
    (void)state;
    if (!be) skip();
    for (size_t i = 0; i < SHAPES; i++) {
        product p;
        product_init(&p, be, shapes[i][0], shapes[i][1], shapes[i][2]);
        for (size_t k = 0; k < p.T * p.K; k++)
            p.x[k] = k % p.K % 16 ? (float)((int)(k * 31 % 255) - 127) : 127;
        for (size_t k = 0; k < p.N * p.K; k++)
            p.w[k] = k % p.K % 16 ? (float)((int)(k * 17 % 255) - 127) : -127;
        product_run(&p);
        assert_close(p.y, p.want, p.T * p.N, 1e-6, 1);
        product_release(&p);
    }
}

static double error_of(product *p)
{
    double error = 0, all = 0;
    product_run(p);
    for (size_t i = 0; i < p->T * p->N; i++) {
        double e = (double)p->y[i] - p->want[i];
        error += e * e, all += p->want[i] * p->want[i];
    }
    return sqrt(error / all);
}

static void int8_loses_a_hundredth_also_where_a_unit_is_massive(void **state)
{
    const rp_backend *be = find("int8");
    product p;
    (void)state;
    if (!be) skip();
    product_init(&p, be, 50, 64, 1024);
    assert_true(error_of(&p) < .015);
    for (size_t t = 0; t < p.T; t++) p.x[t * p.K + 700] = 300 + (float)t;
    for (size_t n = 0; n < p.N; n++) p.w[n * p.K + 700] = 0; /* it only costs the others digits */
    assert_true(error_of(&p) < .015);
    product_release(&p);
}

static void a_value_that_is_not_finite_reaches_the_result(void **state)
{
    static const char *const names[] = {"f32", "bf16", "int8"};
    (void)state;
    for (size_t b = 0; b < 3; b++) {
        const rp_backend *be = find(names[b]);
        product p;
        if (!be) continue;
        product_init(&p, be, 14, 40, 600);
        p.x[3 * p.K + 5] = NAN;
        p.be->panels_pack(p.panels, p.w, RP_F32, 0, p.N, p.K);
        p.be->matmul(p.y, p.x, p.panels, p.bias, p.work, p.T, p.N, p.K);
        for (size_t n = 0; n < p.N; n++) {
            assert_true(isnan(p.y[3 * p.N + n]));
            assert_false(isnan(p.y[4 * p.N + n]));
        }
        product_release(&p);
    }
}

static void a_row_has_the_same_bits_wherever_it_stands(void **state)
{
    static const char *const names[] = {"f32", "bf16", "int8"};
    (void)state;
    for (size_t b = 0; b < 3; b++) {
        const rp_backend *be = find(names[b]);
        product p;
        if (!be) continue;
        product_init(&p, be, 1700, 45, 733); /* more than what is multiplied at a time */
        float *alone = rp_alloc(p.N, sizeof *alone);
        assert_non_null(alone);
        p.x[20] = 1000; /* an outlier */
        for (size_t t = 7; t < p.T; t += 7) memcpy(p.x + t * p.K, p.x, p.K * sizeof *p.x);
        p.be->panels_pack(p.panels, p.w, RP_F32, 0, p.N, p.K);
        p.be->matmul(alone, p.x, p.panels, p.bias, p.work, 1, p.N, p.K);
        for (size_t n = 1; n <= p.T; n += 177) {
            p.be->matmul(p.y, p.x, p.panels, p.bias, p.work, n, p.N, p.K);
            for (size_t t = 0; t < n; t += 7)
                assert_memory_equal(p.y + t * p.N, alone, p.N * sizeof *alone);
        }
        free(alone);
        product_release(&p);
    }
}

static void panels_may_be_packed_in_pieces(void **state)
{
    static const char *const names[] = {"f32", "bf16", "int8"};
    (void)state;
    for (size_t b = 0; b < 3; b++) {
        const rp_backend *be = find(names[b]);
        product p;
        if (!be) continue;
        product_init(&p, be, 1, 100, 700);
        size_t n = p.be->panels_size(p.N, p.K), step = p.be->panel_rows;
        float *pieces = rp_alloc(n, sizeof *pieces);
        assert_non_null(pieces);
        p.be->panels_pack(p.panels, p.w, RP_F32, 0, p.N, p.K);
        for (size_t i = 0; i < p.N; i += step)
            p.be->panels_pack(pieces, p.w + i * p.K, RP_F32, i, i + step < p.N ? i + step : p.N,
                              p.K);
        assert_memory_equal(pieces, p.panels, n * sizeof *pieces);
        free(pieces);
        product_release(&p);
    }
}

static void what_is_unknown_is_named(void **state)
{
    const rp_backend *be;
    rp_error err;
    (void)state;
    assert_fails(rp_backend_find(&be, "f64", &err), &err, RP_EARG,
                 "unknown compute 'f64': it must be f32, bf16 or int8");
    assert_ok(rp_backend_find(&be, NULL, &err), &err);
    assert_string_equal(be->name, "f32");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bf16_is_the_product_of_what_was_rounded),
        cmocka_unit_test(bf16_rounds_to_the_nearest),
        cmocka_unit_test(bf16_has_the_same_bits_by_the_instruction_and_in_floats),
        cmocka_unit_test(int8_is_exact_on_its_own_grid),
        cmocka_unit_test(int8_loses_a_hundredth_also_where_a_unit_is_massive),
        cmocka_unit_test(a_value_that_is_not_finite_reaches_the_result),
        cmocka_unit_test(a_row_has_the_same_bits_wherever_it_stands),
        cmocka_unit_test(panels_may_be_packed_in_pieces),
        cmocka_unit_test(what_is_unknown_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
