#!/bin/sh
# Does capture's time grow as the pairs do, and do two processes take half as long?
#
#     bench/scaling.sh
#
# demo/model over the demo's corpus (demo/corpus.sh): the first 5,000, 15,000 and 50,000 pairs of held-out
# queries x 50 candidates, all cores; then 10,000 pairs by one process of one thread and by two (mpirun -n 2;
# and two plain processes with --shard), in turn, $ROUNDS (3) times. RANKPROBE names the binary.
set -eu
cd "$(dirname "$0")/.."
rankprobe=${RANKPROBE:-build/rankprobe}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
demo/corpus.sh out/demo/data
data=out/demo/data
head -n 1000 "$data/queries.heldout.tsv" >"$work/queries"
"$rankprobe" search -q "$data/collection.tsv" "$work/queries" -a english -o "$work/all"
awk '$4 <= 50' "$work/all" >"$work/top"
pairs="--queries $work/queries --collection $data/collection.tsv"
for n in 5000 15000 50000; do
    head -n "$n" "$work/top" >"$work/run"
    # shellcheck disable=SC2086 # options are words
    "$rankprobe" capture --model demo/model --run "$work/run" $pairs -o "$work/store.$n" 2>&1 |
        awk -v n="$n" '/s of CPU/ { sub("rankprobe: ", ""); split($0, a, " ")
            printf "%6d pairs: %s; %.2f ms of CPU a pair\n", n, $0, 1000 * a[3] / n }'
done
head -n 10000 "$work/top" >"$work/run"
capture="capture -q -j 1 --model demo/model --run $work/run $pairs --shard-rows 256"
clock() {
    start=$(date +%s.%N)
    "$@"
    end=$(date +%s.%N)
    seconds=$(echo "$start $end" | awk '{ print $2 - $1 }')
}
both() {
    # shellcheck disable=SC2086
    "$rankprobe" $capture -o "$work/two.$round" --shard 0/2 &
    # shellcheck disable=SC2086
    "$rankprobe" $capture -o "$work/two.$round" --shard 1/2
    wait
}
for round in $(seq "${ROUNDS:-3}"); do
    # shellcheck disable=SC2086
    clock "$rankprobe" $capture -o "$work/one.$round"
    one=$seconds
    # shellcheck disable=SC2086
    clock mpirun --oversubscribe -n 2 "$rankprobe" $capture -o "$work/ranks.$round"
    ranks=$seconds
    clock both
    echo "$one $ranks $seconds"
done | awk '{ printf "one process %.1f s; mpirun -n 2 %.1f s, %.2fx; two with --shard %.1f s, %.2fx\n",
    $1, $2, $1 / $2, $3, $1 / $3 }'
