/*
 * What every test uses. Tests run with the root of the repository as working directory; a test that
 * needs the optional shared data skips, with a sentence, where it is absent:
 *
 *     const char *path = rp_test_shared("data/msmarco-dl/qrels.dl19.txt");
 *     if (!path) skip();
 *
 * Returned paths stay valid for the next seven calls.
 */
#ifndef RP_TESTS_SUPPORT_H
#define RP_TESTS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"

/* got [n] and want [n], float or double: |got - want| <= atol + rtol |want| for every element.
 * Names the worst one; a NaN matches only a NaN. */
#define assert_close(got, want, n, rtol, atol)                                                     \
    rp_test_close((got),                                                                           \
                  _Generic(*(got) + 0, float                                                       \
                           : true, double                                                          \
                           : false),                                                               \
                  (want),                                                                          \
                  _Generic(*(want) + 0, float                                                      \
                           : true, double                                                          \
                           : false),                                                               \
                  (n), (rtol), (atol), #got, __FILE__, __LINE__)

/* The call succeeds; its error text is shown when it does not. */
#define assert_ok(call, err) rp_test_ok((call), (err), #call, __FILE__, __LINE__)
/* The call fails with this status and exactly this text. */
#define assert_fails(call, err, status, text)                                                      \
    rp_test_fails((call), (err), (status), (text), #call, __FILE__, __LINE__)

void rp_test_close(const void *got, bool got_float, const void *want, bool want_float, size_t n,
                   double rtol, double atol, const char *what, const char *file, int line);
void rp_test_ok(rp_status status, const rp_error *err, const char *what, const char *file,
                int line);
void rp_test_fails(rp_status got, const rp_error *err, rp_status status, const char *text,
                   const char *what, const char *file, int line);

/* A directory of this process's own, removed when it ends. */
const char *rp_test_tmpdir(void);
/* Path of a file in it. */
const char *rp_test_path(const char *name);
/* Writes the file (relative: in the temporary directory) and returns its path. */
const char *rp_test_write(const char *path, const void *bytes, size_t n);
const char *rp_test_write_text(const char *path, const char *text);
/* The whole file, NUL-terminated; free(). Fails the test when it cannot be read. */
char *rp_test_read(const char *path, size_t *n);
/* tests/golden/<rel>; fails the test when it is missing. */
const char *rp_test_golden(const char *rel);
/* $RANKPROBE_DATA/<rel> (default ../shared); prints a sentence and returns NULL when it is absent.
 */
const char *rp_test_shared(const char *rel);

/* Runs a shell command in which $RANKPROBE is the program under test and $TMP the temporary
 * directory. Returns its exit code; *out and *err (may be NULL) are to be freed. */
int rp_test_command(char **out, char **err, const char *command);

#endif
