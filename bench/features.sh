#!/bin/sh
# Features of a run: `rankprobe features` against the published approach in Python.
#
#     bench/features.sh [DATA]
#
# DATA holds data/msmarco-dl (default $RANKPROBE_DATA, then ../shared). The BM25 top 100 of TREC
# DL19 with its texts as one file (qid pid query passage), 4,300 pairs; paper.* and sim.*, 25
# columns, the list's own statistics. The peer does what the published code does, a query at a time:
# CountVectorizer, TfidfVectorizer, BM25Okapi, numpy over dense rows. The whole process counts for
# rankprobe; imports do not count for the peer. Runs alternate, $ROUNDS (5) of each; ratios are
# medians over the rounds, with their range. PYTHON needs scikit-learn, rank_bm25 and scipy.
set -eu
cd "$(dirname "$0")/.."
data=${1:-${RANKPROBE_DATA:-../shared}}/data/msmarco-dl
python=${PYTHON:-python3}
rankprobe=${RANKPROBE:-build/rankprobe}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

gzip -dc "$data/collection.tsv.gz" | awk -F'\t' -v OFS='\t' '
    FILENAME == ARGV[1] { query[$1] = $2; next }
    FILENAME == ARGV[2] { split($0, f, " "); n++; qid[n] = f[1]; pid[n] = f[3]; next }
    { text[$1] = $2 }
    END { for (i = 1; i <= n; i++) print qid[i], pid[i], query[qid[i]], text[pid[i]] }
' "$data/queries.dl19.tsv" "$data/run.bm25.dl19.trec" - >"$work/top.tsv"
: >"$work/times"
for _ in $(seq "${ROUNDS:-5}"); do
    command time -f '%e %U %S' -o "$work/ours" "$rankprobe" features -q -a sklearn --stats pool \
        --select 'paper.*,sim.*' --run "$work/top.tsv" -o "$work/ours.tsv"
    "$python" bench/features_peer.py "$work/top.tsv" "$work/peer.tsv" >"$work/peer"
    echo "$(cat "$work/ours") $(cat "$work/peer")" | tee -a "$work/times"
done
"$python" bench/features_peer.py --compare "$work/ours.tsv" "$work/peer.tsv"
bench/ratios.sh "$work/times"
