/*
 * Failing, warning and reporting progress. The one thing to know: nothing under src/ prints.
 *
 *     return rp_fail(err, RP_EFORMAT, "'%s' line %zu: rank is not a number: '%s'", path, line,
 * field);
 */
#ifndef RP_BASE_ERROR_H
#define RP_BASE_ERROR_H

#include "rankprobe.h"

/* Fills *err (unless NULL) and returns `status`, so that a failure is one statement. */
rp_status rp_fail(rp_error *err, rp_status status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* RP_ENOMEM with the number of bytes that were wanted. */
rp_status rp_fail_memory(rp_error *err, size_t bytes);
/* RP_EIO: "'path': <strerror(errno)>", read errno at once. */
rp_status rp_fail_errno(rp_error *err, const char *path);

/* Tells the host; all accept a NULL host. */
void rp_host_warn(const rp_host *host, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void rp_host_note(const rp_host *host, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* RP_ECANCEL when the host asks to stop ("interrupted"). */
rp_status rp_host_progress(const rp_host *host, const char *what, size_t done, size_t total,
                           rp_error *err);

#endif
