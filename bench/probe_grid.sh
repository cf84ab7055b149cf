#!/bin/sh
# The whole grid of the paper: 26 features x 32 layers x 5 folds, 10,000 pairs, 4,096 columns.
#
#     bench/probe_grid.sh DIR [PAIRS WIDTH LAYERS]
#
# One command as a user gives it: protocol `sound` (ridge, 17 penalties, 5 x 5 folds by query) with
# controls, baselines and gains over them, 1,000 permutations of both kinds, 2,000 bootstrap draws.
# The store is f16, 2.6 GB on disk, read as it is worked on; its layers are different mixtures of
# real columns (probe_data.py). Prints wall and CPU seconds and the peak of memory. OMP_NUM_THREADS
# (2) threads. No peer does all of it; probe_ridge.sh gives the ratios of a layer. METHOD=lasso and
# OPTIONS change the command. RANKPROBE, PYTHON, STORIES: as in probe_lasso.sh.
set -eu
# shellcheck source=bench/probe_setup.sh
. "$(dirname "$0")/probe_setup.sh"
keep "$@"
pairs=${2:-10000} layers=${4:-32}
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-2}"

activations ".l$layers.f16" "layers=$layers" dtype=f16
# shellcheck disable=SC2086 # options are words
peer clock "$rankprobe" probe "$data/store" "$data/features.tsv" \
    --method "${METHOD:-ridge}" --permutations 1000 --bootstrap 2000 -j "$OMP_NUM_THREADS" -q \
    -o "$work/probes.tsv" ${OPTIONS:-} >"$work/clock"
awk '{ printf "%.1f s of wall, %.1f s of CPU (%.1f in the system), %d MiB at most\n",
        $1, $2 + $3, $3, $4 }' "$work/clock"
awk '/^#/ { next } !c { for (i = 1; i <= NF; i++) if ($i == "status") c = i; next } { n[$c]++ }
    END { for (s in n) printf "%d rows %s\n", n[s], s }' "$work/probes.tsv"
