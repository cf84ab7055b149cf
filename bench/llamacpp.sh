#!/bin/sh
# Tokens a second of `rankprobe capture` beside llama.cpp's prompt processing (llama-bench).
#
#     bench/llamacpp.sh [DATA]
#
# LLAMACPP is a built source tree of llama.cpp (build/bin/llama-bench, convert_hf_to_gguf.py). The same random
# weights on both sides, without a score head; SHAPE, LAYERS, QUERIES, DATA, PYTHON (with gguf, too): as in
# capture.sh. Runs alternate, $ROUNDS (3) of each, all cores: capture of real pairs in f32, bf16 and int8, all included;
# llama-bench in f32, f16, bf16 and q8_0, one prompt of the pairs' mean length at a time, and of 512 tokens, which is
# its best case: weights are loaded and nothing is pooled. Prints the best rate of each.
set -eu
cd "$(dirname "$0")/.."
data=${1:-../shared}
python=${PYTHON:-python3}
rankprobe=${RANKPROBE:-build/rankprobe}
llama=${LLAMACPP:?names a built source tree of llama.cpp}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
head -n $((${QUERIES:-2} * 100)) "$data/data/msmarco-dl/run.bm25.dl19.trec" >"$work/run.trec"
quiet() { "$@" >"$work/log" 2>&1 || { tail -n 20 "$work/log" >&2; exit 1; }; }

quiet "$python" bench/capture_peer.py causal "$work/model" "$data/tokenizers/llama2_tokenizer.model"
for type in f32 f16 bf16 q8_0; do
    quiet "$python" "$llama/convert_hf_to_gguf.py" "$work/model" --outtype "$type" \
        --outfile "$work/$type.gguf"
done
for _ in $(seq "${ROUNDS:-3}"); do
    for compute in f32 bf16 int8; do
        rm -rf "$work/store"
        clock=$("$python" bench/capture_peer.py clock "$rankprobe" capture --model "$work/model" \
            --no-score --run "$work/run.trec" --compute "$compute" ${SHARE:-} \
            --queries "$data/data/msmarco-dl/queries.dl19.tsv" \
            --collection "$data/data/msmarco-dl/collection.tsv.gz" -o "$work/store")
        awk -F'\t' -v what="$compute" -v wall="${clock%%	*}" '/^#/ { next }
            !c { for (c = 1; $c != "tokens"; c++); next } { n += $c; rows++ }
            END { printf "capture %s\t%.1f\t%.0f\n", what, n / wall, n / rows }' \
            "$work/store/rows.tsv" | tee -a "$work/rates"
    done
    mean=$(tail -n 1 "$work/rates" | cut -f 3)
    for type in f32 f16 bf16 q8_0; do
        "$llama/build/bin/llama-bench" -m "$work/$type.gguf" -p "$mean,512" -n 0 -t "$(nproc)" \
            -r 2 -o csv 2>/dev/null |
            "$python" -c 'import csv, sys
for r in csv.DictReader(sys.stdin):
    tokens, rate = r["n_prompt"], float(r["avg_ts"])
    print(f"llama.cpp {sys.argv[1]}, {tokens} tokens\t{rate:.1f}")' "$type" | tee -a "$work/rates"
    done
done
echo "--- best of each, tokens/s"
awk -F'\t' '$2 > best[$1] { best[$1] = $2 } !($1 in at) { at[$1] = ++n; name[n] = $1 }
    END { for (i = 1; i <= n; i++) printf "%-30s %8.1f\n", name[i], best[name[i]] }' "$work/rates"
