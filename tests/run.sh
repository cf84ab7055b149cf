#!/bin/sh
# Runs test binaries one by one and adds up what they say. BUILD is the build folder.
#
#     BUILD=build tests/run.sh build/tests/base/test_map ...
#
# Prints one line a binary, the whole output of those that fail, and last
# "N passed, N failed, N skipped"; exits 1 when something failed.

cd "$(dirname "$0")/.." || exit 1
export BUILD="${BUILD:-build}" CMOCKA_MESSAGE_OUTPUT=TAP LC_ALL=C
# Without the interceptor: where a library's thread-local block happens to lie 16 bytes into a page, it
# takes it for another glibc's and sends the leak checker to wild addresses ("Tracer caught signal 11").
export ASAN_OPTIONS="${ASAN_OPTIONS:-detect_leaks=1:allocator_may_return_null=1:intercept_tls_get_addr=0}"
export UBSAN_OPTIONS="${UBSAN_OPTIONS:-print_stacktrace=1}"

log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
trap 'exit 130' INT TERM
total_passed=0 total_failed=0 total_skipped=0 crashes=

for binary in "$@"; do
    timeout "${RP_TEST_LIMIT:-600}" "$binary" >"$log" 2>&1
    code=$?
    skipped=$(grep -c '^\(not \)*ok [0-9]* *# SKIP' "$log") # cmocka says "not ok 3 # SKIP name"
    passed=$(grep '^ok ' "$log" | grep -vc '# SKIP')
    failed=$(grep '^not ok ' "$log" | grep -vc '# SKIP')
    planned=$(sed -n 's/^1\.\.\([0-9][0-9]*\).*/\1/p' "$log" | head -n 1)
    if [ -z "$planned" ]; then
        # no cmocka plan: a fuzz target or a script; it passes or fails as a whole
        if [ $code -eq 0 ]; then passed=1; else failed=1; fi
    elif [ $code -ne 0 ]; then
        # what never reported was killed by a crash or by the time limit
        missing=$((planned - passed - failed - skipped))
        [ $missing -gt 0 ] && failed=$((failed + missing))
        [ "$failed" -eq 0 ] && failed=1
        [ $code -eq 1 ] || [ $missing -le 0 ] || crashes="$crashes $binary"
    fi
    total_passed=$((total_passed + passed))
    total_failed=$((total_failed + failed))
    total_skipped=$((total_skipped + skipped))
    if [ "$failed" -gt 0 ]; then
        printf '%s: %d passed, %d FAILED, %d skipped (exit code %d)\n' \
            "$binary" "$passed" "$failed" "$skipped" "$code"
        sed 's/^/    /' "$log"
    else
        printf '%s: %d passed' "$binary" "$passed"
        [ "$skipped" -gt 0 ] && printf ', %d skipped' "$skipped"
        printf '\n'
        grep '^#.*skipped: \|^skipped: ' "$log" | sed 's/^/    /' | sort -u
    fi
done

[ -n "$crashes" ] && printf 'crashed:%s\n' "$crashes"
printf '%d passed, %d failed, %d skipped\n' $total_passed $total_failed $total_skipped
[ $total_failed -eq 0 ]
