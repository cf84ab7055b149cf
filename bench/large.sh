#!/bin/sh
# Time and peak memory of scoring with a base model of 7 or 13 billion parameters and a RankLlama
# adapter, all of it in the published files' shapes.
#
#     bench/large.sh 7b|13b [DATA]
#
# Makes (in $TMPDIR, removed again; 13 or 26 GB) a Llama-2 base model in bf16, sharded, without a
# score head, and a PEFT adapter of rank 32 on all seven projections with the head, both of random
# weights. Scores the first 20 candidates of one query of TREC DL19. DATA holds data/msmarco-dl and
# tokenizers/llama2_tokenizer.model (default ../shared). PYTHON needs numpy. $MEMORY is what the
# activations may take (default 2G). Prints the closing line of rankprobe: wall, CPU, peak memory.
set -eu
cd "$(dirname "$0")/.."
size=$1 data=${2:-../shared}
rankprobe=${RANKPROBE:-build/rankprobe}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

"${PYTHON:-python3}" bench/large_model.py "$size" "$work/base" "$work/adapter"
cp "$data/tokenizers/llama2_tokenizer.model" "$work/base/tokenizer.model"
du -sh "$work/base" "$work/adapter" | sed 's/^/# /'
head -n 20 "$data/data/msmarco-dl/run.bm25.dl19.trec" >"$work/run.trec"
"$rankprobe" score --model "$work/adapter" --base "$work/base" --memory "${MEMORY:-2G}" \
    --run "$work/run.trec" --queries "$data/data/msmarco-dl/queries.dl19.tsv" \
    --collection "$data/data/msmarco-dl/collection.tsv.gz" -o "$work/reranked.trec"
wc -l <"$work/reranked.trec" | sed 's/$/ pairs scored/'
head -n 3 "$work/reranked.trec"
