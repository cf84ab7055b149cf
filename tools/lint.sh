#!/bin/bash
# Formatting, layers, sizes, shell scripts, the manual page. `make lint` builds first.
# A tool that is not installed is a skipped check (tools/setup.sh ci installs them all).
# Last line: "N passed, N failed, N skipped".
set -u
cd "$(dirname "$0")/.." || exit 1
passed=0 failed=0 skipped=0

check() { # check NAME TOOL COMMAND...: passes when the command succeeds and prints nothing
    local name=$1 tool=$2 output
    shift 2
    if ! command -v "$tool" >/dev/null; then
        echo "$name: skipped, $tool is not installed"
        skipped=$((skipped + 1))
    elif output=$("$@" 2>&1) && [ -z "$output" ]; then
        echo "$name: ok"
        passed=$((passed + 1))
    else
        echo "$name: FAILED"
        printf '%s\n' "$output" | sed 's/^/    /'
        failed=$((failed + 1))
    fi
}

sources() { find include src cli tests bench demo -name '*.[ch]' ! -path '*/build*' 2>/dev/null | sort; }
scripts() { find tools tests bench demo .ci -name '*.sh' -o -path .ci/run 2>/dev/null | sort; }

formatting() { sources | xargs clang-format --dry-run -Werror; }

file_lengths() { # 500 lines; 700 for kernels; generated tables are not read
    sources | grep -v '_table\.c$' | xargs awk '
        function judge() {
            limit = file ~ /^src\/tensor\// ? 700 : 500
            if (file != "" && n > limit) print file ": " n " lines, the ceiling is " limit
        }
        FNR == 1 { judge(); file = FILENAME }
        { n = FNR }
        END { judge() }'
}

function_lengths() { # 60 lines between the braces; 120 where the loops over layers are
    # shellcheck disable=SC2016
    sources | grep -v '^tests/' | xargs awk '
        /^\{$/ { start = FNR; name = previous }
        /^\}/ && start {
            limit = FILENAME ~ /^src\/(tensor|model)\// ? 120 : 60
            if (FNR - start - 1 > limit)
                print FILENAME ":" start ": " FNR - start - 1 " lines: " name
            start = 0
        }
        { previous = $0 }'
}

trailing_blanks() {
    ! { find . -type d \( -name .git -o -name 'build*' -o -name out -o -name golden -o -name corpus \
        -o -path ./demo/model \) -prune -o -type f \
        \( -name '*.[ch]' -o -name '*.sh' -o -name '*.py' -o -name '*.md' -o -name Makefile \
        -o -name '*.1' -o -name '*.yaml' -o -path ./.ci/run \) -print0 |
        xargs -0 grep -nE '[[:blank:]]+$'; }
}

shell_scripts() { scripts | xargs shellcheck -x -S warning; }
manual() { mandoc -T lint -W warning man/rankprobe.1; }
python_compiles() {
    find tools bench demo -name '*.py' -print0 |
        xargs -0 -r python3 -c 'import ast, sys
for path in sys.argv[1:]:
    ast.parse(open(path).read(), path)'
}

check "formatting" clang-format formatting
check "layers and names" nm tools/layers.sh
check "file lengths" awk file_lengths
check "function lengths" awk function_lengths
check "trailing blanks" grep trailing_blanks
check "shell scripts" shellcheck shell_scripts
check "python scripts" python3 python_compiles
check "manual page" mandoc manual

printf '%d passed, %d failed, %d skipped\n' $passed $failed $skipped
[ $failed -eq 0 ]
