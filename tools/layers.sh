#!/bin/bash
# Who may include whom (docs/MAP.md), checked twice: by the #include lines, and by the symbols that
# each module's objects need and define. Also: every global symbol is rp_*.
#
#     BUILD=build tools/layers.sh     after `make`
set -u
cd "$(dirname "$0")/.." || exit 1
build=${BUILD:-build}

declare -A allowed=(
    [base]=""
    [data]="base"
    [retrieve]="base data"
    [feature]="base data retrieve tokenizer model"
    [measure]="base data"
    [tensor]="base"
    [store]="base"
    [tokenizer]="base"
    [model]="base tensor"
    [run]="base data tensor store tokenizer model"
    [solver]="base"
    [probe]="base store solver"
    [report]="base"
    [study]="base data retrieve feature measure tensor store tokenizer model run solver probe report"
)
failed=0
bad() {
    echo "layers: $*"
    failed=1
}

may() { # may MODULE OTHER
    [[ $1 == "$2" || " ${allowed[$1]} " == *" $2 "* ]]
}

# ---- includes ----
for folder in src/*/; do
    module=$(basename "$folder")
    [[ -v allowed[$module] ]] || { bad "src/$module is not in the table of tools/layers.sh"; continue; }
    while IFS=: read -r file line text; do
        [[ $text =~ \"([^\"]*)\" ]] && header=${BASH_REMATCH[1]}
        other=${header%%/*}
        [[ $header == rankprobe.h ]] && continue
        may "$module" "$other" || bad "$file:$line: $module may not include $header"
    done < <(grep -rnE '^#include "' "$folder" --include='*.[ch]')
done
while IFS=: read -r file line text; do
    [[ $text =~ \"([^\"]*)\" ]] && header=${BASH_REMATCH[1]}
    case $header in
    rankprobe.h | cli/* | study/* | base/*) ;;
    *) bad "$file:$line: cli may not include $header" ;;
    esac
done < <(grep -nE '^#include "' cli/*.[ch])

# ---- symbols ----
if [ ! -d "$build/src" ]; then
    bad "no objects in '$build': run make first"
    exit 1
fi
objects() { # objects FOLDER: of the sources that there are; older objects may lie around
    find "$1" -name '*.c' | sed "s|^|$build/|; s|\\.c\$|.o|" | sort
}

declare -A home # symbol -> module
for folder in src/*/; do
    module=$(basename "$folder")
    [ -d "$build/src/$module" ] || continue
    while read -r symbol; do
        [[ -v home[$symbol] ]] && bad "'$symbol' is defined in src/${home[$symbol]} and src/$module"
        home[$symbol]=$module
        [[ $symbol == rp_* ]] || bad "src/$module: global symbol '$symbol' does not start with rp_"
    done < <(objects "src/$module" | xargs nm -g --defined-only |
        awk 'NF == 3 && $2 ~ /[TDBRV]/ && $3 !~ /^(__|\.)/ { print $3 }')
done
for folder in src/*/; do
    module=$(basename "$folder")
    [ -d "$build/src/$module" ] || continue
    while read -r symbol; do
        other=${home[$symbol]:-}
        if [ -z "$other" ]; then
            bad "src/$module needs '$symbol', which no module defines"
        elif ! may "$module" "$other"; then
            bad "src/$module needs '$symbol' of src/$other"
        fi
    done < <(objects "src/$module" | xargs nm -u |
        awk '$2 ~ /^rp_/ { print $2 }' | sort -u)
done
while read -r symbol; do
    [[ $symbol == rp_* || $symbol == main ]] || bad "cli: global symbol '$symbol' does not start with rp_"
done < <(objects cli | xargs nm -g --defined-only | awk 'NF == 3 && $2 ~ /[TDBR]/ && $3 !~ /^(__|\.)/ { print $3 }')
while read -r symbol; do
    other=${home[$symbol]:-cli}
    case $other in
    cli | study | base) continue ;;
    esac
    grep -qE "\b$symbol\(" include/rankprobe.h && continue
    bad "cli needs '$symbol' of src/$other, which is not in rankprobe.h"
done < <(objects cli | xargs nm -u | awk '$2 ~ /^rp_/ { print $2 }' | sort -u)

exit $failed
