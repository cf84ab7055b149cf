/*
 * A fuzz target is tests/fuzz/fuzz_<what>.c with one function, rp_fuzz_one, that feeds the bytes to
 * a parser; the answer may be any error, never a crash, a leak or a sanitizer's complaint. The
 * driver replays tests/fuzz/corpus/<what>/ and mutations of it with a fixed seed (RP_FUZZ_RUNS of
 * them, default 400). Built with -DRP_LIBFUZZER -fsanitize=fuzzer the same file is a libFuzzer
 * target.
 */
#ifndef RP_TESTS_FUZZ_H
#define RP_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int rp_fuzz_one(const uint8_t *data, size_t n); /* returns 0 */
/* The bytes as a file, for parsers that want a path; valid until the next call. */
const char *rp_fuzz_file(const uint8_t *data, size_t n);
/* The same under a directory of its own, for parsers that want one: returns the directory. */
const char *rp_fuzz_dir_file(const char *name, const uint8_t *data, size_t n);

#endif
