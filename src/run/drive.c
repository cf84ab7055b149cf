#include "run/drive.h"

#include <stdlib.h>

/* Translates the session's progress through layers into pairs. */
typedef struct share {
    const rp_drive *drive;
    size_t pairs; /* of the batch under way */
} share;

static int tell_share(void *arg, const char *what, size_t done, size_t total)
{
    const share *s = arg;
    const rp_host *host = s->drive->host;
    size_t part = total > 0 && done <= total ? s->pairs * done / total : 0;

    (void)what;
    return host->progress(host->arg, s->drive->what, s->drive->done + part, s->drive->total);
}

static void tell_warning(void *arg, const char *text)
{
    const share *s = arg;
    const rp_host *host = s->drive->host;

    if (host && host->warn) host->warn(host->arg, text);
}

/* The end of the batch that begins at sequence `first`: as many as fit, at least one. */
static size_t batch_end(const rp_sequences *s, size_t first, size_t tokens)
{
    size_t end = first + 1;

    while (end < s->n && s->start[end + 1] - s->start[first] <= tokens) end++;
    return end;
}

rp_status rp_drive_forward(rp_drive *drive, const rp_sequences *sequences,
                           const rp_observer *observer, size_t *first, float *scores, rp_error *err)
{
    const rp_host *host = drive->host;
    share s = {.drive = drive};
    rp_host inner = {.arg = &s,
                     .progress = host && host->progress ? tell_share : NULL,
                     .warn = tell_warning,
                     .command = host ? host->command : NULL};
    size_t *start = rp_alloc(sequences->n + 1, sizeof *start);
    rp_status status = RP_OK;

    if (!start) return rp_fail_memory(err, (sequences->n + 1) * sizeof *start);
    for (size_t at = 0, end; status == RP_OK && at < sequences->n; at = end) {
        size_t base = sequences->start[at];
        rp_batch batch = {
            .start = start, .ids = sequences->id + base, .segment = sequences->segment + base};
        end = batch_end(sequences, at, rp_session_tokens(drive->session));
        batch.nseq = s.pairs = end - at;
        for (size_t i = at; i <= end; i++) start[i - at] = sequences->start[i] - base;
        if (first) *first = at;
        status = rp_session_forward(drive->session, &batch, observer, scores ? scores + at : NULL,
                                    &inner, err);
        if (status != RP_OK) break;
        drive->done += end - at;
        status = rp_host_progress(host, drive->what, drive->done, drive->total, err);
    }
    free(start);
    return status;
}
