#include "store/quant.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/number.h"

/* Per column: sums for the loss, range for the scale. */
typedef struct columns {
    double *mean, *signal, *noise; /* [width] */
    float *low, *high;
} columns;

static rp_status columns_new(columns *c, size_t width, rp_error *err)
{
    *c = (columns){.mean = rp_alloc(width, 3 * sizeof(double)),
                   .low = rp_alloc(width, 2 * sizeof(float))};
    if (!c->mean || !c->low) {
        free(c->mean);
        free(c->low);
        return rp_fail_memory(err, width * (3 * sizeof(double) + 2 * sizeof(float)));
    }
    c->signal = c->mean + width;
    c->noise = c->signal + width;
    c->high = c->low + width;
    return RP_OK;
}

static void columns_release(columns *c)
{
    free(c->mean);
    free(c->low);
}

static void measure_columns(columns *c, const float *x, size_t rows, size_t width)
{
    memcpy(c->low, x, width * sizeof *x);
    memcpy(c->high, x, width * sizeof *x);
    for (size_t r = 0; r < rows; r++)
        for (size_t j = 0; j < width; j++) {
            float v = x[r * width + j];
            c->mean[j] += v;
            c->low[j] = v < c->low[j] ? v : c->low[j];
            c->high[j] = v > c->high[j] ? v : c->high[j];
        }
    for (size_t j = 0; j < width; j++) c->mean[j] /= (double)rows;
}

static void make_scales(float *scale, float *zero, const columns *c, size_t width)
{
    for (size_t j = 0; j < width; j++) {
        scale[j] = (float)(((double)c->high[j] - c->low[j]) / 254);
        zero[j] = (float)(((double)c->high[j] + c->low[j]) / 2);
        /* A range below float's resolution cannot be divided by: the column counts as constant. */
        if (!(scale[j] >= 1e-37f)) scale[j] = 0;
    }
}

static void encode_row_i8(int8_t *code, const float *x, const float *scale, const float *zero,
                          size_t width)
{
    for (size_t j = 0; j < width; j++) {
        double q = scale[j] > 0 ? ((double)x[j] - zero[j]) / scale[j] : 0;
        q = q > 127 ? 127 : q < -127 ? -127 : q;
        code[j] = (int8_t)lrint(q);
    }
}

static void encode_row(void *codes, const float *scale, const float *zero, const float *x,
                       size_t row, size_t width, rp_dtype dtype)
{
    uint16_t *half = (uint16_t *)codes + row * width;

    switch (dtype) {
    case RP_F16:
        for (size_t j = 0; j < width; j++) half[j] = rp_half_from_float(x[j]);
        break;
    case RP_BF16:
        for (size_t j = 0; j < width; j++) half[j] = rp_bfloat_from_float(x[j]);
        break;
    default:
        encode_row_i8((int8_t *)codes + row * width, x, scale, zero, width);
    }
}

static bool row_is_finite(const float *x, size_t width, float limit, size_t *column)
{
    bool good = true;

    for (size_t j = 0; j < width; j++) good &= fabsf(x[j]) <= limit;
    for (size_t j = 0; !good && j < width; j++)
        if (!(fabsf(x[j]) <= limit)) {
            *column = j;
            break;
        }
    return good;
}

static float largest(rp_dtype dtype)
{
    if (dtype == RP_F16) return 65504.0f;
    if (dtype == RP_BF16) return 3.3895314e38f;
    return 3.4028235e38f;
}

static void find_worst(rp_loss *loss, const columns *c, size_t width)
{
    *loss = (rp_loss){0};
    for (size_t j = 0; j < width; j++) {
        double error = c->signal[j] > 0 ? sqrt(c->noise[j] / c->signal[j]) : 0;
        /* A column whose spread is float rounding of its mean is constant for our purpose. */
        if (c->high[j] == c->low[j] || error <= loss->error) continue;
        loss->error = error;
        loss->column = j;
    }
}

rp_status rp_quant_encode(void *codes, float *scale, float *zero, rp_loss *loss, size_t *row,
                          size_t *column, const float *x, size_t rows, size_t width, rp_dtype dtype,
                          rp_error *err)
{
    columns c;
    float *back = NULL;
    rp_status status;

    *loss = (rp_loss){0};
    for (size_t r = 0; r < rows; r++)
        if (!row_is_finite(x + r * width, width, largest(dtype), column)) {
            *row = r;
            return rp_fail(err, RP_ECOMPUTE, "activation %g is beyond the range of the dtype",
                           (double)x[r * width + *column]);
        }
    if (dtype == RP_F32) {
        if (codes) memcpy(codes, x, rows * width * sizeof *x);
        return RP_OK;
    }
    status = columns_new(&c, width, err);
    if (status != RP_OK) return status;
    back = rp_alloc(width, sizeof *back);
    if (!back) {
        status = rp_fail_memory(err, width * sizeof *back);
        goto done;
    }
    measure_columns(&c, x, rows, width);
    if (dtype == RP_I8) make_scales(scale, zero, &c, width);
    for (size_t r = 0; r < rows; r++) {
        const float *in = x + r * width;
        encode_row(codes, scale, zero, in, r, width, dtype);
        rp_quant_decode(back, (char *)codes + r * width * rp_dtype_size(dtype), scale, zero, 1,
                        width, dtype);
        for (size_t j = 0; j < width; j++) {
            double noise = (double)in[j] - back[j], signal = in[j] - c.mean[j];
            c.noise[j] += noise * noise;
            c.signal[j] += signal * signal;
        }
    }
    find_worst(loss, &c, width);
done:
    free(back);
    columns_release(&c);
    return status;
}

typedef float loose_float __attribute__((aligned(1))); /* in a mapped file, anywhere */

static void decode_row_i8(float *restrict x, const int8_t *code, const loose_float *scale,
                          const loose_float *zero, size_t width)
{
    for (size_t j = 0; j < width; j++) x[j] = zero[j] + scale[j] * (float)code[j];
}

void rp_quant_decode(float *x, const void *codes, const void *scale, const void *zero, size_t rows,
                     size_t width, rp_dtype dtype)
{
    const char *in = codes;
    size_t stride = width * rp_dtype_size(dtype);
    uint16_t block[512];

    for (size_t r = 0; r < rows; r++, in += stride, x += width) {
        if (dtype == RP_F32) {
            memcpy(x, in, stride);
        } else if (dtype == RP_I8) {
            decode_row_i8(x, (const int8_t *)in, scale, zero, width);
        } else {
            for (size_t j = 0; j < width; j += 512) {
                size_t n = width - j < 512 ? width - j : 512;
                memcpy(block, in + 2 * j, 2 * n);
                if (dtype == RP_F16)
                    rp_floats_from_half(x + j, block, n);
                else
                    rp_floats_from_bfloat(x + j, block, n);
            }
        }
    }
}
