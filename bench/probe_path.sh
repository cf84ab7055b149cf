#!/bin/sh
# Lasso with its penalty chosen on a path of 100, 26 labels x 5 outer folds by query.
#
#     bench/probe_path.sh DIR [PAIRS WIDTH]
#
# Ours is the whole command (`--method lasso`): for every label and outer fold a path from a_max to
# a_max/1000 on 5 inner folds by query, the choice, the fit on all training rows, scores, writing.
# A peer does the same for a (label, outer fold): scikit-learn's LassoCV, celer's path to the end
# (its LassoCV fails with scikit-learn 1.9), cv.glmnet. They are given the same inner folds and the
# outer training rows standardised in memory, and only their fits count. LassoCV and cv.glmnet
# standardise no inner fold anew, which ours does, so their choices may differ. Ours leaves a path
# when the held-out error has been above its minimum for 15 values; glmnet when the deviance hardly
# changes; LassoCV and celer go on to the end. So there are sklearn-stop, celer-stop and skglm-stop
# too: our procedure with their solvers, warm-started, whose R2 should be ours.
# The peers take long: SUBSET (3) problems of the 130, spread over labels and folds, are fitted by
# them, and their times are scaled up. THREADS: as in probe_lasso.sh. Runs alternate, $ROUNDS (1) of
# each.
# Data, PYTHON, PEERS, RANKPROBE, STORIES: as in probe_lasso.sh.
set -eu
# shellcheck source=bench/probe_setup.sh
. "$(dirname "$0")/probe_setup.sh"
keep "$@"
export OPENBLAS_NUM_THREADS=1 SUBSET="${SUBSET:-3}"

activations
peers=${PEERS:-sklearn glmnet sklearn-stop celer-stop skglm-stop celer}
for threads in ${THREADS:-1 2}; do
    export OMP_NUM_THREADS="$threads"
    for _ in $(seq "${ROUNDS:-1}"); do
        mine=$(ours --method lasso --permutations 0 --predictions "$work/predictions")
        for name in $peers; do
            theirs=$(OMP_NUM_THREADS=1 JOBS=$threads peer path "$data" "$name")
            echo "${mine% *} $theirs" >>"$work/$name.$threads"
        done
    done
    for name in $peers; do
        echo "--- $name, $threads threads, $SUBSET of the problems fitted by it"
        bench/ratios.sh "$work/$name.$threads"
    done
done
for name in $peers; do peer compare-folds "$data" path "$name" "$work/predictions"; done
