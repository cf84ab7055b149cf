#!/bin/bash
# run.sh: the demo. Makes the corpus (once), runs the study (only what is not done yet), and prints
# the strongest and weakest features and where the page lies. Needs a built rankprobe in $BUILD.
set -euo pipefail
cd "$(dirname "$0")/.."

rankprobe=${BUILD:-build}/rankprobe
[ -x "$rankprobe" ] || { echo "run.sh: '$rankprobe' is not there: run make first" >&2; exit 1; }
command -v gnuplot >/dev/null || { echo "run.sh: gnuplot is missing: run tools/setup.sh" >&2; exit 1; }

data=out/demo/data
demo/corpus.sh $data
# The judgements of the demo's queries; corpus.sh has those of all.
if [ ! -s $data/qrels.demo.txt ] || [ $data/qrels.txt -nt $data/qrels.demo.txt ]; then
    cut -f1 $data/queries.demo.tsv | awk 'NR == FNR { demo[$1]; next } $1 in demo' - $data/qrels.txt \
        > $data/qrels.demo.tmp
    mv $data/qrels.demo.tmp $data/qrels.demo.txt
fi
exec "$rankprobe" study "$@" demo/study.yaml
