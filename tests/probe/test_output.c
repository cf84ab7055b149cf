/* The files of a job. Where a number comes from does not matter here, so some are put into the
 * parts by the test, and a second run of the job writes them. */
#include "probe/arrays.h"

static char paths[8][4096];

/* A path that stays: those of the support are for a few calls. */
static const char *keep(size_t slot, const char *path)
{
    snprintf(paths[slot], sizeof paths[slot], "%s", path);
    return paths[slot];
}

enum { FEATURES, TABLE, UNITS, DIFFERENCES, KSPARSE, COEFFICIENTS, PREDICTIONS };

static rp_probe_options options(void)
{
    rp_probe_options o;
    rp_probe_options_init(&o);
    o.features = keep(FEATURES, rp_test_golden("probe/features.tsv"));
    o.output = keep(TABLE, rp_test_path("probes.tsv"));
    o.bootstrap = 50, o.permutations = 0, o.penalty = .1, o.threads = 1;
    return o;
}

static rp_table *written(const char *path)
{
    rp_table *t;
    rp_error err;
    assert_ok(rp_table_read(&t, path, &err), &err);
    return t;
}

static double cell(const rp_table *t, size_t row, const char *column)
{
    rp_error err;
    size_t c;
    double v;
    assert_ok(rp_table_require(t, column, &c, &err), &err);
    assert_ok(rp_table_number(t, row, c, &v, &err), &err);
    return v;
}

static const char *word(const rp_table *t, size_t row, const char *column)
{
    return rp_table_cell(t, row, rp_table_find(t, column));
}

/* The row of probes.tsv. */
static size_t find(const rp_table *t, const char *feature, const char *view, size_t layer,
                   const char *protocol)
{
    for (size_t i = 0; i < rp_table_rows(t); i++)
        if (!strcmp(word(t, i, "feature"), feature) && !strcmp(word(t, i, "view"), view) &&
            (size_t)cell(t, i, "layer") == layer && !strcmp(word(t, i, "protocol"), protocol))
            return i;
    fail_msg("no row for %s %s %zu %s", feature, view, layer, protocol);
    return 0;
}

/* Writes the part of a unit again after `change`, with arrays that can be changed. */
static void alter(const rp_job *job, size_t u, void (*change)(rp_unit_out *, size_t unit))
{
    rp_unit_shape shape = rp_job_shape(job, 0, u);
    const rp_unit_out *from = rp_job_out(job, 0, u);
    rp_unit_out out;
    rp_error err;
    assert_int_equal(job->nplans, 1);
    assert_ok(rp_unit_out_init(&out, &shape, &err), &err);
    memcpy(out.result, from->result, out.labels * sizeof *out.result);
    if (out.sums) memcpy(out.sums, from->sums, out.labels * out.queries * 4 * sizeof *out.sums);
    change(&out, u);
    assert_ok(rp_parts_write(&job->parts, u, &out, 1, &err), &err);
    rp_unit_out_release(&out);
}

/* A job whose parts were altered, written. */
static void run_altered(const arrays *a, const rp_probe_options *o,
                        void (*change)(rp_unit_out *, size_t unit))
{
    rp_job job;
    rp_error err;
    arrays_run(&job, a, o);
    for (size_t u = 0; u < job.nunits; u++) alter(&job, u, change);
    rp_job_release(&job);
    arrays_run(&job, a, o);
    assert_ok(rp_job_write(&job, NULL, 0, &err), &err);
    rp_job_release(&job);
}

/* ---- permutation tests ---- */

/* The first label beats every draw in every unit; the others are in the middle of them. */
static void permute(rp_unit_out *out, size_t unit)
{
    for (size_t p = 0; p < out->labels; p++)
        for (size_t b = 0; b < out->draws; b++) {
            double draw = sin((double)(b * 7 + p * 13 + unit)) / 10;
            out->null[RP_DOCUMENT][p * out->draws + b] = b ? draw : p ? 0 : .5;
            out->null[RP_QUERY][p * out->draws + b] = b ? draw - 1 : -1;
            out->result[p].chance[RP_DOCUMENT] = .1, out->result[p].chance[RP_QUERY] = -.9;
        }
}

static void permutations_give_p_values_alone_and_in_their_family(void **state)
{
    (void)state;
    arrays a;
    rp_probe_options o = options();
    o.permutations = 99;
    arrays_golden(&a);
    run_altered(&a, &o, permute);
    rp_table *t = written(o.output);
    const char *first = word(t, 0, "feature");
    size_t i = find(t, first, "a", 1, "sound"),
           base = find(t, first, RP_BASELINE_LENGTH, 0, "sound");
    size_t control = find(t, "control.pair", "a", 1, "sound");
    assert_true(cell(t, i, "p_document") == .01);
    assert_true(cell(t, i, "p_document_maxt") == .01);
    assert_true(cell(t, i, "p_document_bh") < .1);
    assert_true(fabs(cell(t, i, "null_within") - .01) < 1e-9);
    assert_true(cell(t, i, "p_query") > .4 && cell(t, i, "p_query_maxt") > .9);
    assert_true(cell(t, i, "null_between") < -.8);
    assert_true(cell(t, base, "p_document") == .01);
    assert_true(isnan(cell(t, base, "p_document_maxt")) && isnan(cell(t, base, "p_document_bh")));
    assert_true(cell(t, control, "p_document") > .4);
    assert_true(isnan(cell(t, control, "p_document_maxt")));
    rp_table_free(t);
    arrays_release(&a);
}

static void without_permutations_nothing_is_tested_and_controls_are_subtracted(void **state)
{
    (void)state;
    arrays a;
    rp_job job;
    rp_error err;
    rp_probe_options o = options();
    arrays_golden(&a);
    arrays_run(&job, &a, &o);
    assert_ok(rp_job_write(&job, NULL, 0, &err), &err);
    rp_table *t = written(o.output);
    const char *first = word(t, 0, "feature");
    size_t i = find(t, first, "b", 1, "sound"),
           query = find(t, "control.query_id", "b", 1, "sound");
    double selectivity = cell(t, i, "r2") - fmax(cell(t, query, "r2"), 0);
    double got = cell(t, i, "selectivity_query");
    assert_close(&got, &selectivity, 1, 0, 1e-8);
    assert_true(cell(t, query, "r2") < 0); /* takes nothing away, and adds nothing */
    assert_true(isnan(cell(t, i, "selectivity_token")) && isnan(cell(t, i, "p_document")));
    assert_true(isnan(cell(t, i, "l1_ratio")));
    /* no null, and not one of 0: whoever reads it would take what is above 0 for beyond chance */
    for (size_t r = 0; r < rp_table_rows(t); r++)
        assert_true(isnan(cell(t, r, "null_within")) && isnan(cell(t, r, "null_between")));
    rp_table_free(t);
    rp_job_release(&job);
    arrays_release(&a);
}

static void gains_are_of_layers_over_the_baselines_that_are_asked_for(void **state)
{
    (void)state;
    arrays a;
    rp_job job;
    rp_error err;
    rp_probe_options o = options();
    o.gains = "score", o.select = "mslr.*", o.views = "a,baseline.*";
    arrays_golden(&a);
    arrays_run(&job, &a, &o);
    assert_ok(rp_job_write(&job, NULL, 0, &err), &err);
    rp_table *t = written(o.output);
    for (size_t i = 0; i < rp_table_rows(t); i++) {
        bool layer = !strcmp(word(t, i, "view"), "a");
        double gain = cell(t, i, "gain_score");
        assert_true(isnan(cell(t, i, "gain_length")) && isnan(gain) != layer);
        assert_true(!layer ||
                    (cell(t, i, "gain_score_lo") <= gain && gain <= cell(t, i, "gain_score_hi")));
    }
    rp_table_free(t);
    rp_job_release(&job);
    arrays_release(&a);
}

/* ---- units, curves ---- */

static void choose(rp_unit_out *out, size_t unit)
{
    size_t D = out->width;
    for (size_t p = 0; p < out->labels; p++) out->result[p].q = 2.5, out->result[p].bound = .5;
    if (!out->frequency || unit > 1) return;
    for (size_t p = 0; p < out->labels; p++)
        for (size_t j = 0; j < D; j++) out->frequency[p * D + j] = .25f;
    out->frequency[2] = .5f, out->frequency[4] = .75f;
    out->coef[2] = -1.5, out->beta[4] = .125;
}

static void units_that_half_of_the_samples_select_are_listed(void **state)
{
    (void)state;
    arrays a;
    rp_probe_options o = options();
    o.units = keep(UNITS, rp_test_path("units.tsv"));
    arrays_golden(&a);
    run_altered(&a, &o, choose);
    rp_table *t = written(o.units);
    assert_int_equal(rp_table_rows(t), 4); /* two units in the two layers of view a */
    assert_string_equal(word(t, 0, "view"), "a");
    assert_true(cell(t, 0, "unit") == 2 && cell(t, 0, "coefficient") == -1.5);
    assert_true(cell(t, 1, "unit") == 4 && cell(t, 1, "beta") == .125);
    assert_string_equal(word(t, 0, "stable"), "no");
    assert_string_equal(word(t, 1, "stable"), "yes");
    assert_true(cell(t, 1, "frequency") == .75);
    assert_true(cell(t, 3, "layer") == 1 && cell(t, 3, "q") == 2.5 && cell(t, 3, "bound") == .5);
    rp_table_free(t);
    arrays_release(&a);
}

static void bend(rp_unit_out *out, size_t unit)
{
    (void)unit;
    for (size_t i = 0; out->curve && i < out->labels * 3 * RP_CURVE_SIZES * 6; i++)
        out->curve[i] = (double)i;
}

static void curves_have_a_row_for_every_size_that_a_layer_has(void **state)
{
    (void)state;
    arrays a;
    rp_probe_options o = options();
    o.ksparse = keep(KSPARSE, rp_test_path("ksparse.tsv"));
    o.select = "mslr.*,sim.*", o.controls = false, o.views = "a,b";
    arrays_golden(&a);
    run_altered(&a, &o, bend);
    rp_table *t = written(o.ksparse);
    /* 5 labels, 3 controls; 9 sizes up to 10 units in two layers of a, 14 up to 130 in one of b */
    assert_int_equal(rp_table_rows(t), 5 * 3 * (9 + 9 + 14));
    assert_string_equal(word(t, 0, "control"), "none");
    assert_string_equal(word(t, 9, "control"), "random");
    assert_true(cell(t, 9, "k") == 1 && cell(t, 9, "r2") == RP_CURVE_SIZES * 6);
    assert_true(cell(t, 1, "k") == 2 && cell(t, 1, "r2_within_hi") == 11);
    rp_table_free(t);
    arrays_release(&a);
}

/* ---- differences ---- */

static void differences_are_to_the_layer_before_and_to_the_best(void **state)
{
    (void)state;
    arrays a;
    rp_job job;
    rp_error err;
    rp_probe_options o = options();
    o.differences = keep(DIFFERENCES, rp_test_path("differences.tsv"));
    o.select = "mslr.*,sim.*", o.controls = false, o.protocols = "sound,paper-code";
    arrays_golden(&a);
    arrays_run(&job, &a, &o);
    assert_ok(rp_job_write(&job, NULL, 0, &err), &err);
    rp_table *t = written(o.differences), *probes = written(o.output);
    /* Of two layers: one pair with the one before, one with the best; 4 labels that vary. */
    assert_int_equal(rp_table_rows(t), 4 * 2 * 2);
    for (size_t i = 0; i < rp_table_rows(t); i++) {
        size_t x = find(probes, word(t, i, "feature"), "a", (size_t)cell(t, i, "layer"),
                        word(t, i, "protocol"));
        size_t y = find(probes, word(t, i, "feature"), "a", (size_t)cell(t, i, "other_layer"),
                        word(t, i, "protocol"));
        double want = cell(probes, x, "r2") - cell(probes, y, "r2");
        double got = cell(t, i, "r2_difference");
        bool best = !strcmp(word(t, i, "against"), "best");
        assert_close(&got, &want, 1, 0, 1e-8);
        assert_true(cell(t, i, "r2_lo") <= got && got <= cell(t, i, "r2_hi"));
        assert_true(best ? got <= 0 : cell(t, i, "other_layer") == 0);
    }
    rp_table_free(t), rp_table_free(probes);
    rp_job_release(&job);
    arrays_release(&a);
}

/* ---- coefficients, transfer ---- */

/* y = intercept + x coef is the ridge: the gradient on standardised x and y vanishes. */
static void coefficients_are_those_of_the_ridge_on_all_rows(void **state)
{
    (void)state;
    arrays a;
    rp_job job;
    rp_error err;
    rp_probe_options o = options();
    o.coefficients = keep(COEFFICIENTS, rp_test_path("coefficients.safetensors"));
    o.select = "mslr.*", o.controls = false, o.views = "b";
    arrays_golden(&a);
    arrays_run(&job, &a, &o);
    assert_ok(rp_job_write(&job, NULL, 0, &err), &err);
    rp_safetensors *st;
    assert_ok(rp_safetensors_open(&st, o.coefficients, &err), &err);
    assert_int_equal(rp_safetensors_count(st), 2);
    const rp_tensor *coef = rp_safetensors_find(st, "b/1/sound");
    const rp_tensor *b = rp_safetensors_find(st, "b/1/sound/intercept");
    assert_true(coef && b && coef->dtype == RP_F64 && b->rank == 1);
    assert_int_equal(coef->shape[1], 130);
    size_t n = a.source.n, D = 130;
    const float *x = a.x[1][1];
    const double *w = coef->data, *y = job.labels.y[0];
    double sum = 0, squares = 0, my = 0, *e = rp_alloc(n, sizeof *e);
    assert_non_null(e);
    for (size_t i = 0; i < n; i++) {
        e[i] = y[i] - *(const double *)b->data;
        for (size_t j = 0; j < D; j++) e[i] -= (double)x[i * D + j] * w[j];
        sum += e[i], my += y[i] / (double)n;
    }
    for (size_t i = 0; i < n; i++) squares += (y[i] - my) * (y[i] - my) / (double)n;
    assert_true(fabs(sum) / (double)n < 1e-9 * sqrt(squares));
    for (size_t j = 0; j < D; j++) {
        double mean = 0, sd = 0, g = 0, zero = 0;
        for (size_t i = 0; i < n; i++) mean += (double)x[i * D + j] / (double)n;
        for (size_t i = 0; i < n; i++)
            sd += ((double)x[i * D + j] - mean) * ((double)x[i * D + j] - mean) / (double)n;
        for (size_t i = 0; i < n; i++)
            g += ((double)x[i * D + j] - mean) / sqrt(sd) * e[i] / (double)n / sqrt(squares);
        g -= .1 * w[j] * sqrt(sd) / sqrt(squares);
        assert_close(&g, &zero, 1, 0, 1e-8);
    }
    free(e);
    rp_safetensors_free(st);
    rp_job_release(&job);
    arrays_release(&a);
}

static void assert_transfer(const char *method)
{
    arrays a;
    rp_job job;
    rp_error err;
    rp_probe_options o = options();
    o.method = method, o.permutations = 19;
    o.transfer = "the same", o.transfer_features = o.features;
    o.select = "mslr.*,sim.*", o.predictions = keep(PREDICTIONS, rp_test_path("p.safetensors"));
    arrays_golden(&a);
    assert_ok(rp_job_init(&job, &a.source, &o, NULL, &err), &err);
    assert_ok(rp_job_transfer(&job, &a.source, &err), &err);
    assert_ok(rp_job_run(&job, &err), &err);
    assert_ok(rp_job_write(&job, NULL, 0, &err), &err);
    rp_table *t = written(o.output);
    assert_int_equal(rp_table_rows(t), 3 * 5 * 7);
    for (size_t i = 0; i < rp_table_rows(t); i++) {
        if (strcmp(word(t, i, "protocol"), "sound")) continue;
        const char *feature = word(t, i, "feature"), *view = word(t, i, "view");
        size_t layer = (size_t)cell(t, i, "layer");
        size_t refit = find(t, feature, view, layer, "refit");
        size_t transfer = find(t, feature, view, layer, "transfer");
        static const char *const same[] = {"r2", "r2_hi",      "r2_within",    "tau",        "eta2",
                                           "n",  "p_document", "p_query_maxt", "null_within"};
        for (size_t k = 0; k < sizeof same / sizeof *same; k++) {
            double x = cell(t, i, same[k]), y = cell(t, refit, same[k]);
            assert_close(&x, &y, 1, 0, 0);
        }
        assert_string_equal(word(t, i, "status"), word(t, transfer, "status"));
        if (strcmp(word(t, i, "status"), "ok")) continue;
        bool control = rp_label_is_control(feature);
        assert_true(isnan(cell(t, refit, "p_query")) == control);
        assert_true(isnan(cell(t, transfer, "p_query")));
        /* It has seen these rows; a lasso without units is the mean, here and there. */
        assert_true(cell(t, transfer, "r2") > cell(t, i, "r2") || cell(t, i, "units") == 0);
        double x = cell(t, i, "eta2"), y = cell(t, transfer, "eta2");
        assert_close(&y, &x, 1, 1e-7, 0);
    }
    rp_table_free(t);
    rp_job_release(&job);
    arrays_release(&a);
}

static void a_transfer_to_the_same_store_is_the_fit_itself(void **state)
{
    (void)state;
    assert_transfer("ridge");
    assert_transfer("lasso");
}

static void a_transfer_needs_the_same_views_and_labels(void **state)
{
    (void)state;
    arrays a, b;
    rp_job job;
    rp_error err;
    rp_probe_options o = options();
    o.transfer = "other", o.transfer_features = o.features;
    arrays_golden(&a);
    arrays_golden(&b);
    b.view[1].width = 129;
    assert_ok(rp_job_init(&job, &a.source, &o, NULL, &err), &err);
    assert_fails(rp_job_transfer(&job, &b.source, &err), &err, RP_EARG,
                 "transfer: view 'b' has width 130 here and 129 in the other store");
    b.view[1].name = "c";
    assert_fails(rp_job_transfer(&job, &b.source, &err), &err, RP_EARG,
                 "transfer: the other store has no layer 1 of view 'b'");
    rp_job_release(&job);
    arrays_release(&a), arrays_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(permutations_give_p_values_alone_and_in_their_family),
        cmocka_unit_test(without_permutations_nothing_is_tested_and_controls_are_subtracted),
        cmocka_unit_test(gains_are_of_layers_over_the_baselines_that_are_asked_for),
        cmocka_unit_test(units_that_half_of_the_samples_select_are_listed),
        cmocka_unit_test(curves_have_a_row_for_every_size_that_a_layer_has),
        cmocka_unit_test(differences_are_to_the_layer_before_and_to_the_best),
        cmocka_unit_test(coefficients_are_those_of_the_ridge_on_all_rows),
        cmocka_unit_test(a_transfer_to_the_same_store_is_the_fit_itself),
        cmocka_unit_test(a_transfer_needs_the_same_views_and_labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
