#!/bin/sh
# Ridge on a layer that is larger than memory: time and peak memory; and what a lasso says to it.
#
#     bench/probe_tall.sh DIR [ROWS WIDTH]
#
# Makes DIR/store (7,000,000 rows of 1,024 columns in f32: 27 GiB) and three labels, runs `probe`
# with protocol `sound`, 5 x 5 folds, 17 penalties, intervals and gains over baselines, but no
# permutations; then asks for a lasso with memory for half of x, which is refused. DIR/store is
# deleted at the end, or when it is interrupted (KEEP=1: not). PYTHON needs numpy, safetensors, xxhash.
set -eu
# shellcheck source=bench/probe_setup.sh
. "$(dirname "$0")/probe_setup.sh"
keep "$@"
rows=${2:-7000000} width=${3:-1024}
need=$((rows * width * 4 / 1048576 + 1024))
have=$(df -Pm "$dir" | awk 'NR == 2 { print $4 }')
tidy() { [ -n "${KEEP:-}" ] || rm -rf "$dir/store" "$dir"/probes.tsv.parts "$dir"/lasso.tsv.parts; }
trap 'tidy; rm -rf "$work"' EXIT
if [ ! -e "$dir/store/store.json" ]; then
    [ "$have" -gt "$need" ] || { echo "$0: $dir has $have MiB free, $need are needed" >&2; exit 1; }
    rm -rf "$dir/store"
    "$python" bench/probe_tall.py "$dir" "$rows" "$width"
fi
awk -v rows="$rows" -v width="$width" '/^MemTotal/ {
    printf "x: %.1f GiB in f32; this machine: %.1f GiB\n", rows * width * 4 / 2 ^ 30, $2 / 2 ^ 20 }' \
    /proc/meminfo
"$rankprobe" probe "$dir/store" "$dir/features.tsv" --permutations 0 -o "$dir/probes.tsv"
grep -v '^#' "$dir/probes.tsv" | cut -f 1,2,5,10,13 | grep -E '^feature|resid'
"$rankprobe" probe "$dir/store" "$dir/features.tsv" --method lasso --permutations 0 \
    --memory $((rows * width * 2)) -o "$dir/lasso.tsv" || [ $? -eq 1 ]
