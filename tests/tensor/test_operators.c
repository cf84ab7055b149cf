/* The CPU back end against plain double-precision loops. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/number.h"
#include "support/support.h"
#include "tensor/backend.h"
#include "tensor/cpu/simd.h"

static float *floats(size_t n)
{
    float *p = rp_alloc(n, sizeof *p);
    assert_non_null(p);
    return p;
}

static float *random_floats(size_t n, uint64_t seed)
{
    float *p = floats(n);
    rp_rng rng;
    rp_rng_init(&rng, seed, 0);
    for (size_t i = 0; i < n; i++) p[i] = (float)rp_rng_normal(&rng);
    return p;
}

static double *doubles(size_t n)
{
    double *p = calloc(n, sizeof *p);
    assert_non_null(p);
    return p;
}

static float *panels_of(const float *w, size_t N, size_t K)
{
    const rp_backend *be = rp_backend_cpu();
    float *panels = floats(be->panels_size(N, K));
    be->panels_pack(panels, w, RP_F32, 0, N, N, K);
    return panels;
}

static void check_product(size_t T, size_t N, size_t K, bool with_bias)
{
    const rp_backend *be = rp_backend_cpu();
    float *x = random_floats(T * K, 1), *w = random_floats(N * K, 2), *bias = random_floats(N, 3);
    float *y = floats(T * N), *panels = panels_of(w, N, K), *work = floats(be->work_size(1, 2));
    double *want = doubles(T * N);
    for (size_t t = 0; t < T; t++) {
        for (size_t n = 0; n < N; n++) {
            want[t * N + n] = with_bias ? (double)bias[n] : 0;
            for (size_t k = 0; k < K; k++)
                want[t * N + n] += (double)x[t * K + k] * (double)w[n * K + k];
        }
    }
    be->matmul(y, x, panels, with_bias ? bias : NULL, work, T, N, K);
    assert_close(y, want, T * N, 1e-5, 2e-6 * sqrt((double)K));
    free(x), free(w), free(bias), free(y), free(panels), free(work), free(want);
}

static void products_of_any_shape_are_right(void **state)
{
    (void)state;
    static const size_t shape[][3] = {{1, 1, 1},     {5, 16, 8},    {6, 16, 256},  {7, 17, 257},
                                      {13, 33, 511}, {193, 40, 30}, {400, 31, 65}, {2, 100, 700}};
    for (size_t i = 0; i < sizeof shape / sizeof *shape; i++) {
        check_product(shape[i][0], shape[i][1], shape[i][2], false);
        check_product(shape[i][0], shape[i][1], shape[i][2], true);
    }
}

static void a_row_of_a_product_has_the_same_bits_wherever_it_stands(void **state)
{
    (void)state;
    enum { T = 600, N = 45, K = 333 };
    const rp_backend *be = rp_backend_cpu();
    float *w = random_floats(N * K, 1), *bias = random_floats(N, 2), *x = random_floats(T * K, 3);
    float *y = floats(T * N), *alone = floats(N), *panels = panels_of(w, N, K);
    float *work = floats(be->work_size(1, 2));
    for (size_t t = 7; t < T; t += 7) memcpy(x + t * K, x, K * sizeof *x);
    be->matmul(alone, x, panels, bias, work, 1, N, K);
    for (size_t n = 1; n <= T; n += 83) {
        be->matmul(y, x, panels, bias, work, n, N, K);
        for (size_t t = 0; t < n; t += 7) assert_memory_equal(y + t * N, alone, N * sizeof *y);
    }
    free(w), free(bias), free(x), free(y), free(alone), free(panels), free(work);
}

static void panels_are_made_from_half_floats_at_odd_addresses(void **state)
{
    (void)state;
    enum { N = 19, K = 300 };
    const rp_backend *be = rp_backend_cpu();
    float *w = random_floats(N * K, 5), *rounded = floats(N * K);
    float *got = floats(be->panels_size(N, K));
    unsigned char *bytes = malloc(1 + N * K * sizeof(uint16_t));
    assert_non_null(bytes);
    for (int f16 = 0; f16 < 2; f16++) {
        for (size_t i = 0; i < N * K; i++) {
            uint16_t h = f16 ? rp_half_from_float(w[i]) : rp_bfloat_from_float(w[i]);
            memcpy(bytes + 1 + i * sizeof h, &h, sizeof h);
            rounded[i] = f16 ? rp_float_from_half(h) : rp_float_from_bfloat(h);
        }
        float *want = panels_of(rounded, N, K);
        for (size_t i = 0; i < N; i += be->panel_rows)
            be->panels_pack(got, bytes + 1, f16 ? RP_F16 : RP_BF16, i,
                            i + be->panel_rows < N ? i + be->panel_rows : N, N, K);
        assert_memory_equal(got, want, be->panels_size(N, K) * sizeof *got);
        free(want);
    }
    free(w), free(rounded), free(got), free(bytes);
}

static void rmsnorm_divides_by_the_root_mean_square(void **state)
{
    (void)state;
    static const size_t widths[] = {1, 7, 16, 40, 768};
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        size_t T = 3, D = widths[i];
        float *x = random_floats(T * D, i), *weight = random_floats(D, 9), *y = floats(T * D);
        double *want = doubles(T * D);
        for (size_t t = 0; t < T; t++) {
            double sum = 0;
            for (size_t d = 0; d < D; d++) sum += (double)x[t * D + d] * (double)x[t * D + d];
            for (size_t d = 0; d < D; d++)
                want[t * D + d] =
                    (double)x[t * D + d] / sqrt(sum / (double)D + 1e-5) * (double)weight[d];
        }
        rp_backend_cpu()->rmsnorm(y, x, weight, 1e-5f, T, D);
        assert_close(y, want, T * D, 1e-6, 1e-7);
        free(x), free(weight), free(y), free(want);
    }
}

static void rope_turns_element_i_with_element_i_plus_half(void **state)
{
    (void)state;
    enum { T = 5, H = 3, C = 6 };
    float *x = random_floats(T * H * C, 4), cosine[T * C / 2], sine[T * C / 2];
    double want[T * H * C];
    for (size_t t = 0; t < T; t++) {
        for (size_t i = 0; i < C / 2; i++) {
            double angle = (double)t * pow(10., -(double)i);
            cosine[t * C / 2 + i] = (float)cos(angle);
            sine[t * C / 2 + i] = (float)sin(angle);
            for (size_t h = 0; h < H; h++) {
                size_t low = (t * H + h) * C + i, high = low + C / 2;
                want[low] = (double)x[low] * cos(angle) - (double)x[high] * sin(angle);
                want[high] = (double)x[high] * cos(angle) + (double)x[low] * sin(angle);
            }
        }
    }
    rp_backend_cpu()->rope(x, cosine, sine, T, H, C);
    assert_close(x, want, (size_t)T * H * C, 1e-6, 1e-6);
    free(x);
}

/* One query's output in double precision. */
static void attend(double *out, const float *q, const float *k, const float *v, size_t t, size_t h,
                   size_t H, size_t G, size_t C)
{
    double weight[512], sum = 0, top = -INFINITY;
    size_t g = h / (H / G);
    for (size_t j = 0; j <= t; j++) {
        weight[j] = 0;
        for (size_t c = 0; c < C; c++)
            weight[j] += (double)q[(t * H + h) * C + c] * (double)k[(j * G + g) * C + c];
        weight[j] /= sqrt((double)C);
        if (weight[j] > top) top = weight[j];
    }
    for (size_t j = 0; j <= t; j++) sum += weight[j] = exp(weight[j] - top);
    for (size_t c = 0; c < C; c++) {
        out[c] = 0;
        for (size_t j = 0; j <= t; j++) out[c] += weight[j] / sum * (double)v[(j * G + g) * C + c];
    }
}

static void check_attention(size_t T, size_t H, size_t G, size_t C, float scale)
{
    const rp_backend *be = rp_backend_cpu();
    float *q = random_floats(T * H * C, 1), *k = random_floats(T * G * C, 2);
    float *v = random_floats(T * G * C, 3), *y = floats(T * H * C),
          *work = floats(be->work_size(T, C));
    double *want = doubles(T * H * C);
    for (size_t i = 0; i < T * H * C; i++) q[i] *= scale;
    for (size_t t = 0; t < T; t++)
        for (size_t h = 0; h < H; h++) attend(want + (t * H + h) * C, q, k, v, t, h, H, G, C);
    be->attention(y, q, k, v, work, T, H, G, C);
    assert_close(y, want, T * H * C, 1e-5, 2e-6 * (double)(scale > 1 ? scale : 1));
    free(q), free(k), free(v), free(y), free(work), free(want);
}

static void attention_is_a_causal_softmax_of_any_length(void **state)
{
    (void)state;
    static const size_t lengths[] = {1, 2, 7, 16, 47, 48, 49, 97, 300};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        check_attention(lengths[i], 2, 2, 8, 1);
        check_attention(lengths[i], 6, 2, 10, 1);
        check_attention(lengths[i], 4, 1, 64, 20); /* peaked: one weight is nearly 1 */
    }
}

static void silu_times_up_is_within_single_precision(void **state)
{
    (void)state;
    enum { N = 40001 };
    float *gate = floats(N), *up = floats(N);
    double *want = doubles(N);
    for (size_t i = 0; i < N; i++) {
        gate[i] = ((float)i - 20000) * 0.005f; /* -100 .. 100 */
        up[i] = (float)(i % 7) - 3;
        want[i] = (double)gate[i] / (1 + exp(-(double)gate[i])) * (double)up[i];
    }
    rp_backend_cpu()->silu_mul(gate, up, N);
    assert_close(gate, want, N, 5e-7, 1e-35);
    free(gate), free(up), free(want);
}

static void exp_is_within_two_units_in_the_last_place(void **state)
{
    (void)state;
    double worst = 0;
    for (double x = -87.2; x < 88.2; x += 1e-4) {
        rp_vec e = rp_vec_exp(rp_vec_all((float)x));
        double want = exp((double)(float)x), d = fabs((double)e[0] - want) / want;
        if (d > worst) worst = d;
    }
    if (!(worst < 2.4e-7)) fail_msg("exp is off by %g", worst);
    print_message("exp: relative error at most %.2g\n", worst);
    rp_vec nan = rp_vec_exp(rp_vec_all(NAN)), low = rp_vec_exp(rp_vec_all(-INFINITY));
    assert_true(isnan(nan[0]));
    assert_true(low[0] >= 0 && low[0] < 1e-37f);
}

static void dot_and_add_take_any_length(void **state)
{
    (void)state;
    for (size_t n = 0; n < 80; n++) {
        float *a = random_floats(n, 1), *b = random_floats(n, 2), *sum = floats(n);
        double *want = doubles(n + 1), dot = 0;
        for (size_t i = 0; i < n; i++) {
            dot += (double)a[i] * (double)b[i];
            want[i] = (double)a[i] + (double)b[i];
        }
        float got = rp_backend_cpu()->dot(a, b, n);
        assert_close(&got, &dot, 1, 1e-5, 1e-5);
        memcpy(sum, a, n * sizeof *a);
        rp_backend_cpu()->add(sum, b, n);
        assert_close(sum, want, n, 1e-6, 1e-7);
        free(a), free(b), free(sum), free(want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_of_any_shape_are_right),
        cmocka_unit_test(a_row_of_a_product_has_the_same_bits_wherever_it_stands),
        cmocka_unit_test(panels_are_made_from_half_floats_at_odd_addresses),
        cmocka_unit_test(rmsnorm_divides_by_the_root_mean_square),
        cmocka_unit_test(rope_turns_element_i_with_element_i_plus_half),
        cmocka_unit_test(attention_is_a_causal_softmax_of_any_length),
        cmocka_unit_test(silu_times_up_is_within_single_precision),
        cmocka_unit_test(exp_is_within_two_units_in_the_last_place),
        cmocka_unit_test(dot_and_add_take_any_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
