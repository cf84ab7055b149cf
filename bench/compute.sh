#!/bin/sh
# What --compute bf16 and int8, and a store in i8, cost in digits and gain in time, on a trained model.
#
#     bench/compute.sh [PAIRS]
#
# demo/model over the demo's corpus (demo/corpus.sh, from the machine's own apt lists): 100 queries x 50
# candidates; the features of the same pairs; ridge probes (`sound`) of every layer. Against f32 with a
# store in f32: time of the capture, the largest difference of a score and of a query's ranking
# (1 - Kendall's tau-a), of R2 within queries and of R2, over all layers and features. RANKPROBE names the binary.
set -eu
cd "$(dirname "$0")/.."
rankprobe=${RANKPROBE:-build/rankprobe}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
demo/corpus.sh out/demo/data
data=out/demo/data
"$rankprobe" search -q "$data/collection.tsv" "$data/queries.demo.tsv" -a english -o "$work/run"
pairs="--run $work/run --queries $data/queries.demo.tsv --collection $data/collection.tsv --top 50"
# shellcheck disable=SC2086 # options are words
"$rankprobe" features -q $pairs -o "$work/features.tsv"

# name, options of capture
one() {
    name=$1
    shift
    # shellcheck disable=SC2086
    "$rankprobe" capture --model demo/model $pairs -o "$work/$name" "$@" 2>"$work/$name.log"
    "$rankprobe" probe "$work/$name" "$work/features.tsv" -q --permutations 0 --bootstrap 0 --gains '' \
        --no-controls --select 'mslr.*,sim.*' -o "$work/$name.tsv"
    grep -v '^#' "$work/$name/rows.tsv" | cut -f 2,3,5 >"$work/$name.scores"
    grep -v '^#' "$work/$name.tsv" | cut -f 1,2,3,10,13 >"$work/$name.r2"
}
compare() {
    grep 's of CPU' "$work/$1.log" | sed 's/rankprobe: //' | awk -v name="$1" '{ printf "%-12s %s of CPU", name, $3 }'
    paste "$work/f32.scores" "$work/$1.scores" | awk -F'\t' '
        NR > 1 { d = $3 - $6; if (d < 0) d = -d; if (d > most) most = d
                 q[NR] = $1; a[NR] = $3; b[NR] = $6; n = NR }
        END { for (i = 2; i <= n; i++) for (j = i + 1; j <= n && q[j] == q[i]; j++) {
                  all++; if ((a[i] - a[j]) * (b[i] - b[j]) < 0) wrong++ }
              printf ", scores within %.2g, 1 - tau %.2g", most, 2 * wrong / all }'
    paste "$work/f32.r2" "$work/$1.r2" | awk -F'\t' '
        NR > 1 && $4 != "nan" { d = $4 - $9; if (d < 0) d = -d; if (d > most) most = d; sum += d; n++
            d = $5 - $10; if (d < 0) d = -d; if ($5 != "nan" && d > within) within = d }
        END { printf ", R2 within %.2g (mean %.2g), R2 within queries within %.2g\n", most, sum / n, within }'
}
one f32
one bf16 --compute bf16
one int8 --compute int8
one f16-store --dtype f16
one i8-store --dtype i8
for name in f32 bf16 int8 f16-store i8-store; do compare "$name"; done
