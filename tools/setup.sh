#!/bin/sh
# Installs the Debian packages that are missing. Says nothing when none is.
#
#     tools/setup.sh        what the build, the tests and the figures need
#     tools/setup.sh ci     also what lint and the sanitizers need
set -u

packages="gcc libc6-dev make pkg-config libopenblas-dev liblapacke-dev libjansson-dev libcyaml-dev libyaml-dev
    libpcre2-dev libutf8proc-dev libstemmer-dev zlib1g-dev libzstd-dev libxxhash-dev
    gnuplot-nox libcmocka-dev libopenmpi-dev openmpi-bin"
[ "${1:-}" = ci ] && packages="$packages clang clang-format libomp-dev libclang-rt-dev mandoc shellcheck"

say() { echo "setup: $*" >&2; }

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    say "this is not a Debian; nothing was installed. What these packages hold is needed:"
    # shellcheck disable=SC2086
    printf '    %s\n' $packages >&2
    exit 0
fi

missing=
for package in $packages; do
    dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed ||
        missing="$missing $package"
done
[ -z "$missing" ] && exit 0

as_root=
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        say "not root and no sudo; install these first: apt-get install$missing"
        exit 1
    fi
    as_root="sudo"
fi

say "installing$missing"
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086
if ! { $as_root apt-get -q update &&
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends \
        $missing; } >"$log" 2>&1 </dev/null; then
    tail -n 20 "$log" >&2
    say "the installation failed; try: apt-get install$missing"
    exit 1
fi
