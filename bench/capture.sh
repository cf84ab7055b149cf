#!/bin/sh
# Tokens a second of `rankprobe capture` against transformers with forward hooks.
#
#     bench/capture.sh [DATA]
#
# DATA holds data/msmarco-dl and tokenizers/ (default ../shared). A Llama of 12 layers, 768 wide
# (feed-forward 2048, 12 heads, vocabulary 32000) with random weights, made once in $TMPDIR; the
# first $TOP (4) BM25 candidates of the 43 queries of TREC DL19; f32, CPU, all cores. Runs are
# interleaved, $ROUNDS (2) of each; the best counts. PYTHON needs torch, transformers and
# sentencepiece. Prints both rates, their ratio, and the share of the machine's sgemm rate.
set -eu
cd "$(dirname "$0")/.."
data=${1:-../shared}
python=${PYTHON:-python3}
rankprobe=${RANKPROBE:-build/rankprobe}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
model=${BENCH_MODEL:-$work/model}
peer() { "$python" bench/capture_peer.py "$@" 2>"$work/log" || { cat "$work/log" >&2; exit 1; }; }

[ -f "$model/model.safetensors" ] || peer model "$model" "$data/tokenizers/llama2_tokenizer.model"
flops=$(peer flops)
: >"$work/times"
for round in $(seq "${ROUNDS:-2}"); do
    rm -rf "$work/store"
    clock=$(peer clock "$rankprobe" capture --model "$model" \
        --run "$data/data/msmarco-dl/run.bm25.dl19.trec" --top "${TOP:-4}" \
        --queries "$data/data/msmarco-dl/queries.dl19.tsv" \
        --collection "$data/data/msmarco-dl/collection.tsv.gz" -o "$work/store")
    tokens=$(awk -F'\t' '/^#/ { next } !c { for (c = 1; $c != "tokens"; c++); next } { n += $c }
        END { print n }' "$work/store/rows.tsv")
    printf 'capture\tall\t%s\t%s\n' "$tokens" "$clock" | tee -a "$work/times"
    [ "$round" = 1 ] && batch='1 2 4 8 16 32' || batch=$best
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
