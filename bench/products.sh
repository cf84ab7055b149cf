#!/bin/sh
# GFLOP/s of one thread of our matrix products and of the known libraries', at the shapes of a model of
# 768 units and of Llama-2 7B; what is not installed (libblis4, libdnnl-dev) is left out.
#
#     bench/products.sh
#
# See bench/products.c.
set -eu
cd "$(dirname "$0")/.."
build=${BUILD:-build}
export OPENBLAS_NUM_THREADS=1 BLIS_NUM_THREADS=1 OMP_NUM_THREADS=1
with=
[ -f /usr/include/dnnl.h ] && with='-DWITH_DNNL' && libraries='-ldnnl'
make -s "$build/librankprobe.a"
# shellcheck disable=SC2086 # options are words
cc -O2 -march=native -std=c11 -D_GNU_SOURCE -Isrc -Iinclude $with bench/products.c \
    "$build/librankprobe.a" -o "$build/products" -lopenblas ${libraries:-} -lxxhash -lpcre2-8 \
    -ljansson -lzstd -lz -lm -fopenmp
"$build/products"
