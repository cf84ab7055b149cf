# shellcheck shell=sh disable=SC2034,SC2154 # variables are for the scripts, and theirs
# What bench/probe.sh and probe_*.sh share: sourced by them after `set -eu`.
#
# python, rankprobe; work, a folder that is gone when the script ends; peer, probe_peer.py. For those
# with a DIR, keep and activations, then ours.
python=${PYTHON:-python3}
rankprobe=${RANKPROBE:-build/rankprobe}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
peer() { "$python" bench/probe_peer.py "$@"; }

# keep "$@": dir, made if it is not there, pairs and width from DIR [PAIRS WIDTH]; then to the root
# of the repository. Without a DIR the script's own first comment is its usage.
keep() {
    [ $# -ge 1 ] || { sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; exit 2; }
    mkdir -p "$1"
    dir=$(cd "$1" && pwd) pairs=${2:-5000} width=${3:-4096}
    cd "$(dirname "$0")/.." || exit
}

# activations [SUFFIX OPTION...]: data, a folder of dir, made by probe_data.py unless it is there.
activations() {
    data=$dir/n$pairs.d$width${1:-}
    [ $# -eq 0 ] || shift
    "$python" bench/probe_data.py "$dir" "${data##*/}" "n=$pairs" "width=$width" "$@"
}

# ours OPTION...: the command on the 26 labels of data, with $threads threads and nothing but fits and
# R2; prints the clock's "wall user system MiB".
select='mslr.*,sim.*,log.*'
ours() {
    peer clock "$rankprobe" probe "$data/store" "$data/features.tsv" --views 'resid*' \
        --select "$select" --no-controls --balance 0 --bootstrap 0 --gains '' -j "$threads" -q \
        -o "$work/probes.tsv" "$@"
}
