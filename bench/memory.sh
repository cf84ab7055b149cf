#!/bin/sh
# Peak memory of capturing every layer of a whole 7B model, beside transformers with forward hooks.
#
#     bench/memory.sh [DATA]
#
# The model: Llama-2 7B's shapes in bf16, random weights, made in $TMPDIR (13 GB, removed again). Ours: `rankprobe
# capture` of the first $PAIRS (20) pairs of TREC DL19's BM25 run, in f32, --memory $MEMORY (2G). The peer: the same model
# in bf16, as it lies on disk (in f32 it would be 26 GB), the same number of sequences of the same lengths, in batches
# of 1. PYTHON needs torch and transformers. Peak: the largest resident set, pages of mapped files included, as the
# kernel counts it.
set -eu
cd "$(dirname "$0")/.."
data=${1:-../shared}
python=${PYTHON:-python3}
rankprobe=${RANKPROBE:-build/rankprobe}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
"$python" bench/large_model.py 7b "$work/model" "$work/adapter"
cp "$data/tokenizers/llama2_tokenizer.model" "$work/model/tokenizer.model"
head -n "${PAIRS:-20}" "$data/data/msmarco-dl/run.bm25.dl19.trec" >"$work/run.trec"
mine=$("$python" bench/capture_peer.py peak "$rankprobe" capture --model "$work/model" --no-score \
    --memory "${MEMORY:-2G}" --run "$work/run.trec" \
    --queries "$data/data/msmarco-dl/queries.dl19.tsv" \
    --collection "$data/data/msmarco-dl/collection.tsv.gz" -o "$work/store")
theirs=$(COMPUTE=bf16 SHAPE=7b LAYERS=32 "$python" bench/capture_peer.py peak \
    "$python" bench/capture_peer.py run "$work/model" "$work/store/rows.tsv" 1)
echo "capture       ${mine% *} s, ${mine#* } MiB at most"
echo "transformers  ${theirs% *} s, ${theirs#* } MiB at most"
echo "$mine $theirs" | awk '{ printf "ratio         %.1f times the memory\n", $4 / $2 }'
