#include "solver/ridge.h"

#include "solver/problem.h"

/* One penalty, or the best of several; all rows too. */
static void ridge(rp_ridge *out, const problem *p, const double *value, size_t n)
{
    rp_error err;
    rp_ridge_options o = {.npenalties = n, .penalty = value, .all = true};
    assert_ok(rp_ridge_run(out, &p->cells, &o, &err), &err);
}

/* Coefficients of label k, fitted on all rows, on standardised x and y. */
static void standard(double *w, const problem *p, const rp_ridge *r, size_t k)
{
    rp_error err;
    rp_set set;
    assert_ok(rp_set_init(&set, &p->cells, -1, -1, &err), &err);
    for (size_t j = 0; j < p->width; j++)
        w[j] = set.inv[j] > 0 ? r->fit.w[k * p->width + j] / set.inv[j] * set.yinv[k] : 0;
    rp_set_release(&set);
}

static void coefficients_are_scikit_learns(void **state)
{
    (void)state;
    static const char *const designs[] = {"plain", "wild", "twins", "ill", "wide"};
    static const double penalties[] = {.5, .1, .02, .003};
    rp_safetensors *st;
    rp_error err;
    assert_ok(rp_safetensors_open(&st, rp_test_golden("probe/solvers.safetensors"), &err), &err);
    for (size_t i = 0; i < 5; i++) {
        problem p;
        problem_golden(&p, st, designs[i]);
        problem_ready(&p, 2, 0, true);
        double *got = rp_alloc(p.width, sizeof *got), *want = rp_alloc(p.width, sizeof *want);
        assert_true(got && want);
        for (size_t a = 0; a < 4; a++) {
            rp_ridge r;
            ridge(&r, &p, &penalties[a], 1);
            for (size_t k = 0; k < p.labels; k++) {
                standard(got, &p, &r, k);
                for (size_t j = 0; j < p.width; j++)
                    want[j] = golden_at(st, designs[i], "ridge", (k * 4 + a) * p.width + j);
                assert_close(got, want, p.width, 1e-8, 1e-10);
            }
            rp_ridge_release(&r);
        }
        free(got), free(want);
        problem_release(&p);
    }
    rp_safetensors_free(st);
}

static void fill(problem *p, size_t n, size_t D)
{
    rp_rng rng;
    rp_rng_init(&rng, 11, 0);
    problem_alloc(p, n, D, 2);
    for (size_t i = 0; i < n; i++) {
        double common = rp_rng_normal(&rng);
        for (size_t j = 0; j < D; j++)
            p->x[i * D + j] =
                (float)((common + rp_rng_normal(&rng)) * (double)(1 + j % 4) + (double)j);
        p->y[i] = common + .5 * rp_rng_normal(&rng);
        p->y[n + i] = rp_rng_normal(&rng);
    }
}

/* Rows a..b-1 taken out of both x and y. */
static void without(problem *part, const problem *all, size_t a, size_t b)
{
    size_t D = all->width, n = all->n - (b - a), at = 0;
    problem_alloc(part, n, D, all->labels);
    for (size_t i = 0; i < all->n; i++) {
        if (i >= a && i < b) continue;
        memcpy(part->x + at * D, all->x + i * D, D * sizeof *part->x);
        for (size_t k = 0; k < all->labels; k++) part->y[k * n + at] = all->y[k * all->n + i];
        at++;
    }
    problem_ready(part, 2, 0, true);
}

/* Prediction of label k for row i of another problem, in raw units. */
static double predict(const problem *p, const rp_fit *fit, size_t k, const problem *of, size_t i)
{
    double f = fit->b[k];
    for (size_t j = 0; j < p->width; j++)
        f += fit->w[k * p->width + j] * ((double)of->x[i * p->width + j] - p->d.mean[j]) /
             p->d.scale[j];
    return f * p->d.yscale[k] + p->d.ymean[k];
}

static void held_out_predictions_are_those_of_a_fit_without_the_rows(void **state)
{
    (void)state;
    for (size_t D = 12; D <= 180; D += 168) { /* primal and kernel side */
        problem all;
        rp_ridge r;
        double lambda = .05;
        fill(&all, 100, D);
        problem_ready(&all, 5, 0, true);
        assert_true(rp_ridge_primal(&all.d) == (D == 12));
        ridge(&r, &all, &lambda, 1);
        for (size_t f = 0; f < 5; f++) {
            problem part;
            rp_ridge one;
            without(&part, &all, f * 20, f * 20 + 20);
            ridge(&one, &part, &lambda, 1);
            for (size_t k = 0; k < 2; k++)
                for (size_t i = f * 20; i < f * 20 + 20; i++) {
                    double want = predict(&part, &one.fit, k, &all, i);
                    double got = r.variant[0].f[k * 100 + i] * all.d.yscale[k] + all.d.ymean[k];
                    assert_close(&got, &want, 1, 1e-9, 1e-9);
                }
            rp_ridge_release(&one);
            problem_release(&part);
        }
        rp_ridge_release(&r);
        problem_release(&all);
    }
}

static void the_kernel_side_gives_the_primal_coefficients(void **state)
{
    (void)state;
    problem wide, tall;
    rp_ridge a, b;
    double lambda = .1;
    fill(&wide, 40, 60);
    /* The same problem, every row twice: now there are more rows than columns. */
    problem_alloc(&tall, 80, 60, 2);
    for (size_t i = 0; i < 80; i++) {
        memcpy(tall.x + i * 60, wide.x + (i / 2) * 60, 60 * sizeof *tall.x);
        for (size_t k = 0; k < 2; k++) tall.y[k * 80 + i] = wide.y[k * 40 + i / 2];
    }
    problem_ready(&wide, 2, 0, true);
    problem_ready(&tall, 2, 0, true);
    assert_false(rp_ridge_primal(&wide.d));
    assert_true(rp_ridge_primal(&tall.d));
    ridge(&a, &wide, &lambda, 1);
    ridge(&b, &tall, &lambda, 1);
    assert_close(a.fit.w, b.fit.w, 120, 1e-9, 1e-12);
    rp_ridge_release(&a), rp_ridge_release(&b);
    problem_release(&wide), problem_release(&tall);
}

static void among_penalties_the_one_with_the_smallest_held_out_error_is_chosen(void **state)
{
    (void)state;
    static const double grid[] = {1e4, 1, 1e-4};
    problem p;
    rp_ridge r;
    fill(&p, 100, 12);
    problem_ready(&p, 4, 5, true);
    double best = -INFINITY, got;
    int shrunk = 0;
    for (size_t g = 0; g < 3; g++) {
        ridge(&r, &p, &grid[g], 1);
        best = fmax(best, r.variant[0].cv[0]);
        rp_ridge_release(&r);
    }
    ridge(&r, &p, grid, 3);
    got = r.variant[0].cv[0];
    assert_close(&got, &best, 1, 1e-2, 0); /* chosen by pooled errors, not by the mean R2 */
    for (size_t o = 0; o < 4; o++)         /* noise wants to be shrunk away */
        shrunk += r.variant[0].penalty[o * 2 + 1] == 1e4;
    assert_true(shrunk >= 3);
    rp_ridge_release(&r);
    problem_release(&p);
}

/* A design whose last `extras` labels stand beside x. */
static void with_extras(rp_design *d, rp_cells *cells, const problem *p, const rp_matrix *x,
                        const double *const *column, size_t labels, size_t extras)
{
    rp_error err;
    assert_ok(rp_design_init(d, x, &p->folds, column, labels, extras, true, false, &err), &err);
    assert_ok(rp_cells_init(cells, d, true, &err), &err);
}

static void columns_beside_x_are_as_good_as_columns_of_x(void **state)
{
    (void)state;
    static const double grid[] = {10, 1, .1};
    static const size_t first[] = {0, 2};
    for (size_t D = 10; D <= 150; D += 140) { /* primal and kernel side */
        problem p, q;
        rp_error err;
        rp_design d;
        rp_cells cells;
        rp_ridge joint, plain;
        fill(&p, 80, D + 2); /* its last two columns are the baseline */
        fill(&q, 80, D);
        double *extra = rp_alloc(160, sizeof *extra);
        assert_non_null(extra);
        for (size_t i = 0; i < 80; i++) {
            memcpy(q.x + i * D, p.x + i * (D + 2), D * sizeof *q.x);
            for (size_t c = 0; c < 2; c++) extra[c * 80 + i] = (double)p.x[i * (D + 2) + D + c];
        }
        memcpy(q.y, p.y, 160 * sizeof *q.y);
        problem_ready(&p, 4, 3, true);
        problem_ready(&q, 4, 3, true);
        const double *const column[] = {q.y, q.y + 80, extra, extra + 80};
        with_extras(&d, &cells, &q, &q.matrix, column, 2, 2);
        rp_ridge_options o = {.npenalties = 3, .penalty = grid, .joints = {1, first}};
        assert_ok(rp_ridge_run(&joint, &cells, &o, &err), &err);
        ridge(&plain, &p, grid, 3);
        assert_close(joint.variant[1].f, plain.variant[0].f, 160, 1e-7, 1e-8);
        assert_close(joint.variant[1].penalty, plain.variant[0].penalty, 8, 0, 0);
        ridge(&plain, (rp_ridge_release(&plain), &q), grid, 3);
        assert_close(joint.variant[0].f, plain.variant[0].f, 160, 1e-9, 1e-10);
        rp_ridge_release(&joint), rp_ridge_release(&plain);
        rp_cells_release(&cells), rp_design_release(&d);
        problem_release(&p), problem_release(&q);
        free(extra);
    }
}

static void inner_errors_in_f32_are_those_in_f64(void **state)
{
    (void)state;
    enum { N = 260, D = 200, K = 9 };
    problem p;
    rp_error err;
    rp_set set;
    rp_sside s;
    rp_dside t;
    rp_joints none = {0, NULL};
    double penalty[K], got[2 * K], want[2 * K];
    size_t at[N], n = 0, solved;
    fill(&p, N, D);
    problem_ready(&p, 2, 2, true);
    assert_ok(rp_set_init(&set, &p.cells, 0, 1, &err), &err);
    for (size_t k = 0; k < p.folds.ncells; k++)
        for (size_t i = p.cell[k].first; i < p.cell[k].end; i++)
            if (rp_cell_held(&p.cell[k], 0, 1)) at[n++] = i;
    for (size_t k = 0; k < K; k++) penalty[k] = pow(10, 3 - .5 * (double)k);
    for (int primal = 0; primal < 2; primal++) {
        assert_ok(rp_sside_init(&s, &set, &p.cells, primal, &err), &err);
        assert_ok(rp_dside_init(&t, &set, &p.cells, primal, &err), &err);
        assert_ok(rp_sside_errors(got, &solved, &s, penalty, K, &none, at, n, &err), &err);
        assert_int_equal(solved, K);
        assert_ok(rp_dside_errors(want, &solved, &t, penalty, K, &none, at, n, &err), &err);
        assert_close(got, want, 2 * K, 2e-5, 0);
        rp_sside_release(&s), rp_dside_release(&t);
    }
    rp_set_release(&set);
    problem_release(&p);
}

static void columns_that_vary_only_in_the_fold_left_out_are_dead(void **state)
{
    (void)state;
    static const double grid[] = {1, 1e-4};
    for (int lengths = 0; lengths < 2; lengths++) { /* all lengths equal; two in fold 0 differ */
        problem p;
        rp_set set;
        rp_ridge r;
        rp_error err;
        problem_alloc(&p, 50, 3, 1);
        for (size_t i = 0; i < p.n; i++) {
            float t = lengths && i < 2 ? 194 : 198;
            p.x[i * 3] = t, p.x[i * 3 + 1] = 1 / t, p.x[i * 3 + 2] = logf(t);
            p.y[i] = sin((double)(i * i));
        }
        problem_ready(&p, 5, 2, true);
        for (int o = -1; o < 1; o++) {
            assert_ok(rp_set_init(&set, &p.cells, o, -1, &err), &err);
            assert_int_equal(set.dead, lengths && o < 0 ? 0 : 3);
            rp_set_release(&set);
        }
        ridge(&r, &p, grid, 2);
        assert_false(r.bad[0]);
        rp_ridge_release(&r);
        problem_release(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(coefficients_are_scikit_learns),
        cmocka_unit_test(held_out_predictions_are_those_of_a_fit_without_the_rows),
        cmocka_unit_test(the_kernel_side_gives_the_primal_coefficients),
        cmocka_unit_test(among_penalties_the_one_with_the_smallest_held_out_error_is_chosen),
        cmocka_unit_test(columns_beside_x_are_as_good_as_columns_of_x),
        cmocka_unit_test(inner_errors_in_f32_are_those_in_f64),
        cmocka_unit_test(columns_that_vary_only_in_the_fold_left_out_are_dead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
