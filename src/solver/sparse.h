/*
 * k-sparse probes: how well a label is predicted from the k best units of a layer, for k = 1, 2,
 * ... (Gurnee et al. 2023, "Finding Neurons in a Haystack"; adaptive thresholding), with two
 * controls.
 *
 * The one thing to know: the curve means something only beside its controls. Any k units of a layer
 * that is redundant predict a little (`random`); and a label that needs a k-dimensional subspace is
 * read as well from k directions that have nothing to do with units (`rotation`, the same procedure
 * on z R). A code of few units is a curve above the one of the rotation.
 *
 * No penalty is chosen: a ridge of RP_SPARSE_PENALTY on standardised columns, for every k and every
 * control. It takes 1 % off the coefficient of a unit that is alone, keeps every system well posed
 * (twins, fewer rows than units), and leaves nothing that could differ between the points of a
 * curve but their units.
 */
#ifndef RP_SOLVER_SPARSE_H
#define RP_SOLVER_SPARSE_H

#include "solver/sets.h"

#define RP_SPARSE_PENALTY 0.01

/* 1..8, 10, 12, 16, 32, 64, 128, 256, 512, 1024 */
#define RP_CURVE_SIZES 17
extern const size_t rp_curve_size[RP_CURVE_SIZES];
/* How many of them are at most `width`. */
size_t rp_curve_count(size_t width);

typedef enum rp_curve {
    RP_CURVE_UNITS,    /* the units with the largest |r|; as k falls, the largest |coefficient| */
    RP_CURVE_RANDOM,   /* random units, nested, the same for all labels and folds */
    RP_CURVE_ROTATION, /* RP_CURVE_UNITS on z R, R random and the same for all labels and folds */
    RP_CURVES
} rp_curve;

/* One point of the curves of all labels. Arrays are valid during the call. */
typedef struct rp_curve_point {
    rp_curve curve;
    size_t k;
    /* In the units and the order of the design's y. Rows that no outer fold holds out, folds
     * without training rows and labels that are constant there: NaN. */
    const double *pred; /* [P, n] */
    const double *base; /* [P, n] mean of the training rows; NaN where there are none */
    /* Ascending, or drawn order; columns of z R, which are no units, for the rotation. Those of a
     * prediction that is NaN are all D. */
    const unsigned *unit; /* [nouter, P, k] */
} rp_curve_point;

/* Takes points curve by curve, k ascending; a status that is not RP_OK ends the run with it. */
typedef rp_status rp_curve_take(void *arg, const rp_curve_point *point, rp_error *err);

/* All curves of the design's P labels, cells with Gram matrices; extras are not used. x is read
 * once more a curve. Parallel; the same bytes for any number of threads. */
rp_status rp_sparse_run(const rp_design *d, const rp_cells *cells, uint64_t seed,
                        rp_curve_take *take, void *arg, const rp_host *host, rp_error *err);

/* Bytes that it holds at most, beside design and cells. */
double rp_sparse_memory(size_t n, size_t width, size_t labels, size_t nouter, size_t threads);

#endif
