#!/bin/sh
# Lassos at one penalty, 26 labels x 5 folds by query: ours against the known solvers.
#
#     bench/probe_lasso.sh DIR [PAIRS WIDTH]
#
# DIR keeps the activations that probe_data.py makes once (mixtures of real captures; 5,000 pairs,
# 4,096 columns). All minimise (1/2m) |t - z w|^2 + .1 |w|_1 for the same 130 problems, x and y
# standardised with their training rows.
# Ours is the whole command, everything counted: process, reading, standardising, fits certified by
# their duality gap, scores, writing. Of a peer only the fits count; it is handed the standardised
# rows in memory in the layout it likes best. That favours the peers; a second line compares fits
# with fits (probe_fit.c: from means and deviations to certified coefficients). They are scikit-learn's Lasso
# (f64, and sklearn32: f32), celer, skglm and glmnet, at their default tolerances and (-tight) at
# 1e-9 (glmnet: thresh 1e-14). THREADS ("1 2"): with 2 ours gets two threads and a peer two
# processes that share its problems out evenly, which its users would do; BLAS has one thread.
# SUBSET=13 lets a peer fit 13 of the 130 problems, spread over labels and folds, and scales its
# times up. Runs alternate, $ROUNDS (3) of each. Then, once a peer: the largest difference of
# held-out R2, problem by problem, and of the objective, on all rows, against the tight peers.
# PYTHON needs numpy, scipy, scikit-learn, celer, skglm, safetensors and xxhash; R glmnet. PEERS
# names some of them. RANKPROBE, STORIES: see probe_data.py.
set -eu
# shellcheck source=bench/probe_setup.sh
. "$(dirname "$0")/probe_setup.sh"
keep "$@"
export OPENBLAS_NUM_THREADS=1
fit=${BUILD:-build}/bench/probe_fit
make -s "$fit"
fit_all() { ours --method lasso --penalty .1 --permutations 0 "$@"; }

activations
peers=${PEERS:-sklearn sklearn32 sklearn-tight celer celer-tight skglm skglm-tight glmnet
    glmnet-tight}
for threads in ${THREADS:-1 2}; do
    export OMP_NUM_THREADS="$threads"
    for _ in $(seq "${ROUNDS:-3}"); do
        for name in $peers; do
            mine=$(fit_all)
            theirs=$(OMP_NUM_THREADS=1 JOBS=$threads peer lasso "$data" "$name")
            echo "${mine% *} $theirs" >>"$work/$name.$threads"
            echo "$("$fit" "$data/store" "$data/features.tsv" "$select" lasso .1 \
                "$threads") $theirs" >>"$work/$name.$threads.fit"
        done
    done
    for name in $peers; do
        echo "--- $name, $threads threads, ${SUBSET:-all} of the problems fitted by it"
        bench/ratios.sh "$work/$name.$threads"
        awk '{ print $5 / $2, $2, $5 }' "$work/$name.$threads.fit" | sort -g | awk '
            { ratio[NR] = $1; ours[NR] = $2; peer[NR] = $3 }
            END { m = int((NR + 1) / 2)
                  printf "fits alone: ours %.2f, peer %.1f s of CPU; ratio %.0f (%.0f to %.0f)\n",
                      ours[m], peer[m], ratio[m], ratio[1], ratio[NR] }'
    done
done
fit_all --predictions "$work/predictions" --coefficients "$work/coefficients" >"$work/log"
for name in $peers; do
    peer compare-folds "$data" lasso "$name" "$work/predictions"
    case $name in
        *-tight) peer compare-objective "$data" "$name" "$work/coefficients" ;;
    esac
done
