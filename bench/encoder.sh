#!/bin/sh
# Encoder similarities: `rankprobe features --bert` against transformers with mean pooling.
#
#     bench/encoder.sh BERT [DATA]
#
# BERT is a Hugging Face directory (all-MiniLM-L6-v2, bert-base-uncased, ...). DATA holds data/msmarco-dl
# (default $RANKPROBE_DATA, then ../shared): the first $TOP (20) of BM25 for every query of TREC
# DL19, with their texts. Prints how far the numbers are apart, and ratios: the whole process counts
# for rankprobe; imports and loading the model do not count for the peer, which sorts the distinct
# texts by length, pads batches of 32 and pools with the attention mask, as sentence-transformers
# does. Runs alternate, $ROUNDS (3) of each. PYTHON needs torch and transformers.
set -eu
cd "$(dirname "$0")/.."
bert=${1:?usage: bench/encoder.sh BERT [DATA]}
data=${2:-${RANKPROBE_DATA:-../shared}}/data/msmarco-dl
python=${PYTHON:-python3}
rankprobe=${RANKPROBE:-build/rankprobe}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

gzip -dc "$data/collection.tsv.gz" | awk -F'\t' -v OFS='\t' -v top="${TOP:-20}" '
    FILENAME == ARGV[1] { query[$1] = $2; next }
    FILENAME == ARGV[2] { split($0, f, " "); if (++seen[f[1]] <= top) { n++; qid[n] = f[1]; pid[n] = f[3] }; next }
    { text[$1] = $2 }
    END { for (i = 1; i <= n; i++) print qid[i], pid[i], query[qid[i]], text[pid[i]] }
' "$data/queries.dl19.tsv" "$data/run.bm25.dl19.trec" - >"$work/top.tsv"
: >"$work/times"
for _ in $(seq "${ROUNDS:-3}"); do
    command time -f '%e %U %S' -o "$work/ours" "$rankprobe" features -q --bert "$bert" \
        --select 'sim.bert_cosine,paper.*_bert' --run "$work/top.tsv" -o "$work/ours.tsv"
    "$python" bench/encoder_peer.py "$bert" "$work/top.tsv" "$work/peer.tsv" >"$work/peer"
    echo "$(cat "$work/ours") $(cat "$work/peer")" | tee -a "$work/times"
done
"$python" bench/encoder_peer.py --compare "$work/ours.tsv" "$work/peer.tsv"
bench/ratios.sh "$work/times"
