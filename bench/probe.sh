#!/bin/sh
# Probing one layer for all labels against scikit-learn on the same protocols: do they agree?
#
#     bench/probe.sh [QUERIES PAIRS WIDTH LABELS]
#
# Ours is the whole command: reading, fitting, scoring with 2,000 bootstrap draws, writing. The peer
# is scikit-learn's fits (its reading is told apart): Ridge with all labels as one right-hand side
# (sound: 17 penalties, 5 x 5 folds by query; paper-code) and Lasso label by label (paper-text) at
# its default tolerance. Its imports are not on the clock. Both on one thread. Activations are
# synthetic, shaped like real ones. Runs alternate, $ROUNDS (3) of each. PYTHON needs numpy,
# scikit-learn, safetensors and xxhash. How fast the engine is at full width: probe_lasso.sh,
# probe_path.sh, probe_ridge.sh, probe_grid.sh.
set -eu
# shellcheck source=bench/probe_setup.sh
. "$(dirname "$0")/probe_setup.sh"
cd "$(dirname "$0")/.."
queries=${1:-100} pairs=${2:-50} width=${3:-192} labels=${4:-48}
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

peer make "$work" "$queries" "$pairs" "$width" "$labels"
echo "$((queries * pairs)) pairs, width $width, $labels labels"
for protocol in ${PROTOCOLS:-sound paper-text paper-code}; do
    : >"$work/times"
    for _ in $(seq "${ROUNDS:-3}"); do
        ours=$(peer clock "$rankprobe" probe "$work/store" "$work/features.tsv" \
            --views 'resid*' --protocols "$protocol" --balance 0 --no-controls --permutations 0 \
            --gains '' --select 'f*' -q -o "$work/probes.tsv")
        theirs=$(peer protocol "$work" "$protocol")
        echo "${ours% *} $theirs" >>"$work/times"
    done
    echo "$protocol: largest difference in R2" \
        "$(peer compare-protocol "$work" "$protocol" "$work/probes.tsv")"
    bench/ratios.sh "$work/times"
done
