#include "base/error.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *rp_version(void)
{
    return RP_VERSION;
}

/* Values quoted from files may hold anything; a terminal must not obey them. */
static void tame(char *text)
{
    for (char *p = text; *p; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f) *p = '?';
    }
}

rp_status rp_fail(rp_error *err, rp_status status, const char *fmt, ...)
{
    if (!err) return status;
    char text[sizeof err->text]; /* the arguments may point into *err */
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (n < 0) snprintf(text, sizeof text, "%s", fmt);
    if (n >= (int)sizeof text) memcpy(text + sizeof text - 4, "...", 4);
    tame(text);
    memcpy(err->text, text, sizeof text);
    err->status = status;
    return status;
}

rp_status rp_fail_memory(rp_error *err, size_t bytes)
{
    return rp_fail(err, RP_ENOMEM, "no memory for %zu bytes", bytes);
}

rp_status rp_fail_errno(rp_error *err, const char *path)
{
    char reason[128];
    snprintf(reason, sizeof reason, "%s", strerror(errno));
    /* "No such file" becomes "no such file"; "RPC ..." stays. */
    if (islower((unsigned char)reason[1])) reason[0] = (char)tolower((unsigned char)reason[0]);
    return rp_fail(err, RP_EIO, "'%s': %s", path, reason);
}

static void tell(void (*hear)(void *, const char *), void *arg, const char *fmt, va_list ap)
{
    char text[1024];
    if (!hear || vsnprintf(text, sizeof text, fmt, ap) < 0) return;
    tame(text);
    hear(arg, text);
}

void rp_host_warn(const rp_host *host, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    if (host) tell(host->warn, host->arg, fmt, ap);
    va_end(ap);
}

void rp_host_note(const rp_host *host, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    if (host) tell(host->note, host->arg, fmt, ap);
    va_end(ap);
}

rp_status rp_host_progress(const rp_host *host, const char *what, size_t done, size_t total,
                           rp_error *err)
{
    if (host && host->progress && host->progress(host->arg, what, done, total)) {
        return rp_fail(err, RP_ECANCEL, "interrupted");
    }
    return RP_OK;
}
