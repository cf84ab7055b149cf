#!/bin/sh
# Ridge, 17 penalties, 26 labels, 5 folds by query; then with 1,000 permutations of every label.
#
#     bench/probe_ridge.sh DIR [PAIRS WIDTH]
#
# Ours is the whole command, everything counted. The peers are given standardised rows in memory
# and all labels as one right-hand side, f64; only solving and predicting count. sklearn: Ridge with
# solver="cholesky", a factorisation a penalty. eigh: one eigendecomposition (numpy) a training set
# for all penalties, what a careful user writes.
#   nested    the penalty chosen on 5 inner folds in each of 5 outer ones. A peer does OUTER (1) of
#             the 5 outer folds, scaled up
#   fixed     one penalty (--penalty 1), 5 folds, no inner ones (sklearn alone)
#   permuted  nested, with 1,000 permutations within queries and 1,000 of whole queries. A peer's
#             time is its nested time and that of fitting the permuted labels at one penalty, 2,000
#             right-hand sides a label at once; OUTER folds and LABELS (3) labels of it, scaled up.
#             It does not score them
#   naive     the same, a fit a permutation, label by label; NAIVE (3) fits are timed, scaled up
#             (sklearn alone)
# BLAS of ours and of the peers: as many threads as THREADS ("1 2": first one, then two). Runs
# alternate, $ROUNDS (1) of each. WHAT names some of the four, PEERS one of the peers. Data, PYTHON,
# RANKPROBE, STORIES: as in probe_lasso.sh.
set -eu
# shellcheck source=bench/probe_setup.sh
. "$(dirname "$0")/probe_setup.sh"
keep "$@"
export OUTER="${OUTER:-1}" LABELS="${LABELS:-3}"
sum() { echo "$*" | awk '{ print $1 + $3, $2 + $4 }'; }

activations
peers=${PEERS:-sklearn eigh}
for threads in ${THREADS:-1 2}; do
    export OMP_NUM_THREADS="$threads" OPENBLAS_NUM_THREADS="$threads"
    for what in ${WHAT:-nested fixed permuted naive}; do
        case $what in
            nested) options='--permutations 0' ;;
            fixed) options='--permutations 0 --penalty 1' ;;
            *) options='--permutations 1000' ;;
        esac
        for _ in $(seq "${ROUNDS:-1}"); do
            # shellcheck disable=SC2086 # options are words
            mine=$(ours --method ridge $options --predictions "$work/$what")
            for name in $peers; do
                case $what.$name in
                    fixed.eigh | naive.eigh) continue ;;
                esac
                theirs=$(peer ridge "$data" "$name" "$what")
                case $what in
                    permuted | naive)
                        nested=$work/$name.clock.$threads
                        [ -f "$nested" ] || peer ridge "$data" "$name" nested >"$nested"
                        theirs=$(sum "$theirs $(cat "$nested")")
                        ;;
                    nested) echo "$theirs" >"$work/$name.clock.$threads" ;;
                esac
                echo "${mine% *} $theirs" >>"$work/$name.$what.$threads"
            done
        done
        for name in $peers; do
            [ -f "$work/$name.$what.$threads" ] || continue
            echo "--- $what, $name, $threads threads"
            bench/ratios.sh "$work/$name.$what.$threads"
            case $what in
                nested | fixed) peer compare-folds "$data" "$what" "$name" "$work/$what" ;;
            esac
        done
    done
done
