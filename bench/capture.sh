#!/bin/sh
# Tokens a second of `rankprobe capture` against transformers with forward hooks.
#
#     bench/capture.sh [DATA]
#
# DATA holds data/msmarco-dl and tokenizers/ (default ../shared). SHAPE=small: a Llama of 12 layers, 768
# wide (feed-forward 2048, 12 heads); SHAPE=7b: LAYERS (2) layers of Llama-2 7B's. Vocabulary 32000, random
# weights, made once in $TMPDIR; the BM25 top 100 of the first $QUERIES (2) queries of TREC DL19; CPU, all
# cores. COMPUTE=f32, or bf16: weights and products of both sides. Runs are interleaved, $ROUNDS (3) of
# each; the best counts; BATCHES are those of the peer (1 to 32). PYTHON needs torch, transformers and sentencepiece. Prints both rates, their
# ratio, and, in f32, the share of the machine's sgemm rate that all tokens would take of it, those that
# capture computes once for a query's documents included.
set -eu
cd "$(dirname "$0")/.."
data=${1:-../shared}
python=${PYTHON:-python3}
rankprobe=${RANKPROBE:-build/rankprobe}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
model=${BENCH_MODEL:-$work/model}
export COMPUTE="${COMPUTE:-f32}"
head -n $((${QUERIES:-2} * 100)) "$data/data/msmarco-dl/run.bm25.dl19.trec" >"$work/run.trec"
peer() { "$python" bench/capture_peer.py "$@" 2>"$work/log" || { cat "$work/log" >&2; exit 1; }; }

[ -f "$model/model.safetensors" ] || peer model "$model" "$data/tokenizers/llama2_tokenizer.model"
flops=$(peer flops)
: >"$work/times"
for round in $(seq "${ROUNDS:-3}"); do
    rm -rf "$work/store"
    # shellcheck disable=SC2086 # an option, or nothing
    clock=$(peer clock "$rankprobe" capture --model "$model" \
        --run "$work/run.trec" --compute "$COMPUTE" ${SHARE:-} \
        --queries "$data/data/msmarco-dl/queries.dl19.tsv" \
        --collection "$data/data/msmarco-dl/collection.tsv.gz" -o "$work/store")
    tokens=$(awk -F'\t' '/^#/ { next } !c { for (c = 1; $c != "tokens"; c++); next } { n += $c }
        END { print n }' "$work/store/rows.tsv")
    printf 'capture\tall\t%s\t%s\n' "$tokens" "$clock" | tee -a "$work/times"
    [ "$round" = 1 ] && batch=${BATCHES:-1 2 4 8 16 32} || batch=$best
    # shellcheck disable=SC2086 # a list of batch sizes
    peer run "$model" "$work/store/rows.tsv" $batch | tee -a "$work/times"
    best=$(awk -F'\t' '$1 == "peer" && (!t || $4 < t) { t = $4; split($2, b, " "); print b[2] }' \
        "$work/times" | tail -n 1)
done
peer sgemm | tee -a "$work/times"
awk -F'\t' -v flops="$flops" '
$1 == "sgemm" { if ($3 > sgemm) sgemm = $3; next }
$3 / $4 > rate[$1] { rate[$1] = $3 / $4; what[$1] = $2 }
!cpu[$1] || $5 / $3 < cpu[$1] { cpu[$1] = $5 / $3 }
END {
    printf "capture  %.0f tokens/s, all included (%.0f tokens a CPU second)\n",
        rate["capture"], 1 / cpu["capture"]
    printf "peer     %.0f tokens/s at %s, loading excluded (%.0f tokens a CPU second)\n",
        rate["peer"], what["peer"], 1 / cpu["peer"]
    printf "ratio    %.2f (%.2f in CPU time)\n", rate["capture"] / rate["peer"],
        cpu["peer"] / cpu["capture"]
    printf "sgemm    capture multiplies at %.0f %% of the rate of the best of numpy and torch, %.1f GFLOP/s\n",
        100 * rate["capture"] * flops / sgemm / 1e9, sgemm
}' "$work/times"
