#!/bin/sh
# Agreement with transformers, model by model: `rankprobe doctor --reference` over a matrix of small
# random checkpoints of every family, dtype, container and adapter, with real tokenizers.
#
#     bench/agreement.sh [DATA]
#
# DATA holds tokenizers/ (default ../shared). PYTHON needs torch, transformers, peft and sentencepiece.
# Prints a line a model: the largest difference of any site and layer, relative to the largest value
# there, and doctor's verdict, which tokens and scores have part in; then the number of models that
# agree. $MODELS (if set) holds directories of models to check beside them, references made on the spot.
set -eu
cd "$(dirname "$0")/.."
data=${1:-../shared}
python=${PYTHON:-python3}
rankprobe=${RANKPROBE:-build/rankprobe}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

"$python" bench/agreement_models.py "$data/tokenizers" "$work" 2>"$work/log" || { cat "$work/log" >&2; exit 1; }
for model in ${MODELS:-}; do
    name=$(realpath "$model" | awk -F/ '{ print $(NF - 1) "." $NF }')
    ln -s "$(realpath "$model")" "$work/models/$name"
    "$python" tools/make_reference.py "$model" "$work/references/$name" 2>"$work/log" || { cat "$work/log" >&2; exit 1; }
done
agree=0 all=0
for reference in "$work"/references/*; do
    name=$(basename "$reference")
    all=$((all + 1))
    if "$rankprobe" doctor -q --models "$work/models" "$work/models/$name" --reference "$reference" \
        >"$work/said" 2>"$work/why"; then
        agree=$((agree + 1))
    fi
    worst=$(awk '/^site.layer/ { on = 1; next } on && NF == 5 && $4 + 0 > worst { worst = $4 + 0 }
        END { print worst + 0 }' "$work/said")
    printf '%-34s %-10s %s\n' "$name" "$worst" "$(sed -n 's/^verdict *//p' "$work/said" | grep . || cat "$work/why")"
done
echo "$agree of $all agree"
[ "$agree" = "$all" ]
