#!/bin/sh
# BM25 over a collection: `rankprobe search` against bm25s (PyPI).
#
#     bench/search.sh [DATA]
#
# DATA holds data/msmarco-dl (default $RANKPROBE_DATA, then ../shared). Both do the whole job: read
# the 33,011 passages (.gz) and the 97 queries of TREC DL19 and DL20, the same words
# (scikit-learn's pattern), BM25 of Lucene with k1 .9 and b .4, top 100. The whole process counts
# for rankprobe; imports do not count for bm25s. Runs alternate, $ROUNDS (5) of each; ratios are
# medians over the rounds, with their range. PYTHON needs bm25s.
set -eu
cd "$(dirname "$0")/.."
data=${1:-${RANKPROBE_DATA:-../shared}}/data/msmarco-dl
python=${PYTHON:-python3}
rankprobe=${RANKPROBE:-build/rankprobe}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

cat "$data/queries.dl19.tsv" "$data/queries.dl20.tsv" >"$work/queries.tsv"
: >"$work/times"
for _ in $(seq "${ROUNDS:-5}"); do
    command time -f '%e %U %S' -o "$work/ours" "$rankprobe" search -q -a sklearn -k 100 \
        "$data/collection.tsv.gz" "$work/queries.tsv" -o "$work/run.trec"
    "$python" bench/search_peer.py "$data/collection.tsv.gz" "$work/queries.tsv" \
        "$work/peer.trec" >"$work/peer"
    echo "$(cat "$work/ours") $(cat "$work/peer")" | tee -a "$work/times"
done
"$python" bench/search_peer.py --compare "$work/run.trec" "$work/peer.trec"
bench/ratios.sh "$work/times"
