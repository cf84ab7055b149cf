#!/bin/sh
# Tokens a second of one thread against Hugging Face tokenizers (the Rust crate).
#
#     bench/tokenize.sh [DATA] [TOKENIZER ...]
#
# DATA holds data/msmarco-dl (default $RANKPROBE_DATA, then ../shared): 33,011 passages. Tokenizers:
# those of DATA, and the small Unigram one of the tests. Only encoding is timed; texts are in memory. Runs alternate, $ROUNDS (5) of each;
# the ratio is the median over the rounds, with its range. PYTHON needs tokenizers and transformers.
set -eu
cd "$(dirname "$0")/.."
data=${1:-${RANKPROBE_DATA:-../shared}}
[ $# -gt 0 ] && shift
python=${PYTHON:-python3}
build=${BUILD:-build}
collection=$data/data/msmarco-dl/collection.tsv.gz
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
[ $# -gt 0 ] || set -- "$data/tokenizers/gpt-neox-20B_tokenizer.json" \
    "$data/models/stories260k/tokenizer.json" "$data/tokenizers/llama2_tokenizer.model" \
    "$data/tokenizers/llama3_tokenizer.model" "$data/tokenizers/bert-base-uncased-vocab.txt" \
    tests/golden/tokenizer/unigram.json

# shellcheck disable=SC2046
${CC:-cc} -O2 -fopenmp -D_GNU_SOURCE -Iinclude -Isrc -o "$work/tokenize" bench/tokenize.c \
    "$build/librankprobe.a" $(pkg-config --libs jansson libpcre2-8 libutf8proc zlib libzstd) -lm
for tokenizer; do
    echo "$tokenizer"
    : >"$work/times"
    for _ in $(seq "${ROUNDS:-5}"); do
        ours=$("$work/tokenize" "$tokenizer" "$collection")
        peer=$("$python" bench/tokenize_peer.py "$tokenizer" "$collection")
        echo "$ours $peer" | tee -a "$work/times"
    done
    awk '$1 != $3 { print "the numbers of tokens differ"; exit 1 }
         { print $1 / $2 / 1e6, $3 / $4 / 1e6, $4 / $2 }' "$work/times" | sort -g -k 3 | awk '
         { ours[NR] = $1; peer[NR] = $2; ratio[NR] = $3 }
         END { m = int((NR + 1) / 2)
               printf "ours %.2f, peer %.2f million tokens a second; ratio %.1f (%.1f to %.1f)\n",
                      ours[m], peer[m], ratio[m], ratio[1], ratio[NR] }'
done
