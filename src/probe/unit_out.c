#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "probe/unit.h"

static const rp_result undefined = {
    .score = {NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN},
    .penalty = NAN,
    .cv = NAN,
    .eta2 = NAN,
    .gain = {{NAN, NAN, NAN}, {NAN, NAN, NAN}, {NAN, NAN, NAN}, {NAN, NAN, NAN}},
    .chance = {NAN, NAN},
    .bound = NAN,
    .q = NAN};

void rp_unit_out_release(rp_unit_out *out)
{
    free(out->result), free(out->sums), free(out->null[0]), free(out->null[1]);
    free(out->predictions), free(out->coef), free(out->intercept), free(out->beta);
    free(out->frequency), free(out->curve);
    *out = (rp_unit_out){0};
}

/* labels * each doubles, all NaN; false: no memory. */
static bool room(double **to, size_t labels, size_t each)
{
    if (each && labels > SIZE_MAX / each) return false;
    if (!(*to = rp_alloc(labels * each, sizeof **to))) return false;
    for (size_t i = 0; i < labels * each; i++) (*to)[i] = NAN;
    return true;
}

static bool room_single(float **to, size_t labels, size_t each)
{
    if (each && labels > SIZE_MAX / each) return false;
    if (!(*to = rp_alloc(labels * each, sizeof **to))) return false;
    for (size_t i = 0; i < labels * each; i++) (*to)[i] = NAN;
    return true;
}

rp_status rp_unit_out_init(rp_unit_out *out, const rp_unit_shape *shape, rp_error *err)
{
    size_t curve = RP_CURVES * RP_CURVE_SIZES * RP_CURVE_NUMBERS;
    size_t labels = shape->labels, rows = shape->rows, width = shape->width;
    unsigned want = shape->want;
    *out = (rp_unit_out){.labels = labels,
                         .rows = rows,
                         .queries = shape->queries,
                         .width = width,
                         .draws = shape->draws};
    bool ok = (out->result = rp_alloc(labels, sizeof *out->result)) != NULL;
    for (size_t p = 0; p < labels && ok; p++) out->result[p] = undefined;
    if (want & RP_WANT_SUMS) ok = ok && room(&out->sums, labels, shape->queries * 4);
    for (int k = 0; k < RP_NULLS && (want & RP_WANT_NULL); k++)
        ok = ok && room(&out->null[k], labels, shape->draws);
    if (want & RP_WANT_PREDICTIONS) ok = ok && room_single(&out->predictions, labels, rows);
    if (want & RP_WANT_COEFFICIENTS)
        ok = ok && room(&out->coef, labels, width) && room(&out->intercept, labels, 1) &&
             room(&out->beta, labels, width);
    if (want & RP_WANT_FREQUENCY) ok = ok && room_single(&out->frequency, labels, width);
    if (want & RP_WANT_CURVE) ok = ok && room(&out->curve, labels, curve);
    if (ok) return RP_OK;
    rp_unit_out_release(out);
    return rp_fail_memory(err, labels * (rows + width + shape->draws) * sizeof(double));
}
