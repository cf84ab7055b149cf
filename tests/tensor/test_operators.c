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
    be->panels_pack(panels, w, RP_F32, 0, N, K);
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
            be->panels_pack(got, bytes + 1 + i * K * sizeof(uint16_t), f16 ? RP_F16 : RP_BF16, i,
                            i + be->panel_rows < N ? i + be->panel_rows : N, K);
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

static void layernorm_takes_off_the_mean_before_it_squares(void **state)
{
    (void)state;
    static const size_t widths[] = {1, 7, 16, 40, 768};
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        size_t T = 3, D = widths[i];
        float *x = random_floats(T * D, i), *weight = random_floats(D, 9);
        float *bias = random_floats(D, 10);
        double *want = doubles(T * D);
        for (size_t t = 0; t < T; t++) {
            double mean = 0, var = 0;
            for (size_t d = 0; d < D; d++) {
                x[t * D + d] += 300; /* the mean of squares would leave three digits */
                mean += (double)x[t * D + d] / (double)D;
            }
            for (size_t d = 0; d < D; d++) var += pow((double)x[t * D + d] - mean, 2) / (double)D;
            for (size_t d = 0; d < D; d++)
                want[t * D + d] =
                    ((double)x[t * D + d] - mean) / sqrt(var + 1e-5) * (double)weight[d] +
                    (double)bias[d];
        }
        rp_backend_cpu()->layernorm(x, x, weight, bias, 1e-5f, T, D);
        assert_close(x, want, T * D, 1e-4, 2e-4);
        free(x), free(weight), free(bias), free(want);
    }
}

static void rope_turns_element_i_with_element_i_plus_half(void **state)
{
    (void)state;
    enum { T = 5, H = 3, C = 8, R = 6 }; /* the last two elements of a head stay */
    float *x = random_floats(T * H * C, 4), cosine[T * R / 2], sine[T * R / 2];
    double want[T * H * C];
    for (size_t i = 0; i < T * H * C; i++) want[i] = (double)x[i];
    for (size_t t = 0; t < T; t++) {
        for (size_t i = 0; i < R / 2; i++) {
            double angle = (double)t * pow(10., -(double)i);
            cosine[t * R / 2 + i] = (float)cos(angle);
            sine[t * R / 2 + i] = (float)sin(angle);
            for (size_t h = 0; h < H; h++) {
                size_t low = (t * H + h) * C + i, high = low + R / 2;
                want[low] = (double)x[low] * cos(angle) - (double)x[high] * sin(angle);
                want[high] = (double)x[high] * cos(angle) + (double)x[low] * sin(angle);
            }
        }
    }
    rp_backend_cpu()->rope(x, cosine, sine, T, H, C, R);
    assert_close(x, want, (size_t)T * H * C, 1e-6, 1e-6);
    free(x);
}

/* Query t of head h in double precision; out [C]. */
static void attend(double *out, const float *q, const float *k, const float *v,
                   const rp_attention *a, size_t t, size_t h)
{
    double weight[512], sum = 0, top = -INFINITY;
    size_t H = a->H, G = a->G, C = a->C, g = h / (H / G), n = a->causal ? t + 1 : a->T;
    for (size_t j = 0; j < n; j++) {
        weight[j] = 0;
        for (size_t c = 0; c < C; c++)
            weight[j] += (double)q[(t * H + h) * C + c] * (double)k[(j * G + g) * C + c];
        weight[j] *= (double)a->scale;
        if (a->bias) weight[j] += (double)a->bias[h * (2 * a->reach - 1) + j + a->reach - 1 - t];
        if (weight[j] > top) top = weight[j];
    }
    for (size_t j = 0; j < n; j++) sum += weight[j] = exp(weight[j] - top);
    for (size_t c = 0; c < C; c++) {
        out[c] = 0;
        for (size_t j = 0; j < n; j++) out[c] += weight[j] / sum * (double)v[(j * G + g) * C + c];
    }
}

static void check_attention(rp_attention a, float sharpness, bool biased)
{
    const rp_backend *be = rp_backend_cpu();
    size_t T = a.T, H = a.H, G = a.G, C = a.C;
    float *q = random_floats(T * H * C, 1), *k = random_floats(T * G * C, 2);
    float *v = random_floats(T * G * C, 3), *y = floats(T * H * C);
    float *bias = random_floats(H * (2 * (T + 3) - 1), 4), *work = floats(be->work_size(T, C));
    double *want = doubles(T * H * C);
    a.reach = T + 3;
    a.bias = biased ? bias : NULL;
    a.scale = sharpness / sqrtf((float)C);
    for (size_t t = 0; t < T; t++)
        for (size_t h = 0; h < H; h++) attend(want + (t * H + h) * C, q, k, v, &a, t, h);
    be->attention(y, q, k, v, work, &a);
    assert_close(y, want, T * H * C, 1e-5, 2e-6 * (double)(sharpness > 1 ? sharpness : 1));
    free(q), free(k), free(v), free(y), free(bias), free(work), free(want);
}

static void attention_is_a_softmax_of_any_length(void **state)
{
    (void)state;
    static const size_t lengths[] = {1, 2, 7, 16, 47, 48, 49, 97, 300};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        size_t T = lengths[i];
        for (int causal = 0; causal < 2; causal++) {
            for (int biased = 0; biased < 2; biased++) {
                check_attention((rp_attention){.T = T, .H = 2, .G = 2, .C = 8, .causal = causal}, 1,
                                biased);
                check_attention((rp_attention){.T = T, .H = 6, .G = 2, .C = 10, .causal = causal},
                                1, biased);
                /* peaked: one weight is nearly 1 */
                check_attention((rp_attention){.T = T, .H = 4, .G = 1, .C = 64, .causal = causal},
                                20, biased);
            }
        }
    }
}

/* The first tokens apart, the others have the bits that they have in one piece. */
static void attention_to_a_head_apart_is_attention_to_all(void **state)
{
    (void)state;
    enum { T = 150, H = 4, G = 2, C = 12 };
    static const size_t heads[] = {1, 15, 47, 48, 49, 149};
    const rp_backend *be = rp_backend_cpu();
    float *q = random_floats(T * H * C, 1), *k = random_floats(T * G * C, 2);
    float *v = random_floats(T * G * C, 3), *y = floats(T * H * C), *part = floats(T * H * C);
    float *work = floats(be->work_size(T, C));
    rp_attention a = {.T = T, .H = H, .G = G, .C = C, .scale = .4f, .causal = true};
    be->attention(y, q, k, v, work, &a);
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        size_t P = a.head = heads[i];
        a.k = k, a.v = v;
        be->attention(part, q + P * H * C, k + P * G * C, v + P * G * C, work, &a);
        assert_memory_equal(part, y + P * H * C, (T - P) * H * C * sizeof *y);
    }
    free(q), free(k), free(v), free(y), free(part), free(work);
}

static double activation_of(rp_activation a, double x)
{
    if (a == RP_SILU) return x / (1 + exp(-x));
    if (a == RP_RELU) return x > 0 ? x : 0;
    if (a == RP_GELU) return x / 2 * erfc(-x * sqrt(.5));
    return x / 2 * (1 + tanh(sqrt(2 / M_PI) * (x + .044715 * x * x * x)));
}

static void activations_are_within_single_precision(void **state)
{
    (void)state;
    enum { N = 40001 };
    static const struct {
        rp_activation activation;
        double rtol, atol;
    } rows[] = {{RP_SILU, 5e-7, 1e-35},
                {RP_RELU, 1e-7, 0},
                {RP_GELU, 5e-7, 5e-7},
                {RP_GELU_TANH, 5e-7, 5e-7}};
    float *x = floats(N), *gated = floats(N);
    double *want = doubles(N);
    for (size_t r = 0; r < 8; r++) {
        rp_activation a = rows[r / 2].activation;
        bool alone = r % 2;
        for (size_t i = 0; i < N; i++) {
            x[i] = ((float)i - 20000) * 0.005f; /* -100 .. 100 */
            gated[i] = (float)(i % 7) - 3;
            want[i] = activation_of(a, (double)x[i]) * (alone ? 1 : (double)gated[i]);
        }
        rp_backend_cpu()->activate(x, alone ? NULL : gated, a, N);
        assert_close(x, want, N, rows[r / 2].rtol, rows[r / 2].atol * (alone ? 1 : 3));
    }
    x[0] = NAN;
    rp_backend_cpu()->activate(x, NULL, RP_GELU, 1);
    assert_true(isnan(x[0]));
    free(x), free(gated), free(want);
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
        cmocka_unit_test(layernorm_takes_off_the_mean_before_it_squares),
        cmocka_unit_test(rope_turns_element_i_with_element_i_plus_half),
        cmocka_unit_test(attention_is_a_softmax_of_any_length),
        cmocka_unit_test(attention_to_a_head_apart_is_attention_to_all),
        cmocka_unit_test(activations_are_within_single_precision),
        cmocka_unit_test(exp_is_within_two_units_in_the_last_place),
        cmocka_unit_test(dot_and_add_take_any_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
