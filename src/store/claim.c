#include "store/claim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"

/* False: somebody else holds it. */
static bool lock(int file, int how)
{
    return flock(file, how) == 0 || errno != EWOULDBLOCK;
}

static rp_status refuse(const rp_claim *c, rp_error *err)
{
    char path[RP_STORE_PATH], who[256] = "";
    rp_status status = rp_path_join(path, sizeof path, c->dir, RP_STORE_LOCK, err);
    FILE *f = status ? NULL : fopen(path, "r");
    if (f && !fgets(who, sizeof who, f)) who[0] = 0;
    if (f) fclose(f);
    who[strcspn(who, "\n")] = 0;
    return rp_fail(err, RP_EIO, "'%s' is being written by %s", c->dir,
                   who[0]      ? who
                   : c->shared ? "another process"
                               : "other processes, which share it");
}

/* store.lock of one process says who it is; where it cannot be written nobody is told. */
static void sign(const char *path)
{
    char host[128] = "?";
    FILE *f = fopen(path, "w");
    if (!f) return;
    gethostname(host, sizeof host - 1);
    fprintf(f, "process %ld on %s\n", (long)getpid(), host);
    fclose(f);
}

rp_status rp_claim_open(rp_claim *c, const char *dir, bool shared, rp_error *err)
{
    char path[RP_STORE_PATH];
    *c = (rp_claim){dir, -1, -1, -1, shared};
    rp_status status = rp_path_make_dirs(dir, err);
    if (!status) status = rp_path_join(path, sizeof path, dir, RP_STORE_LOCK, err);
    if (status) return status;
    c->held = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (c->held < 0) return rp_fail_errno(err, dir);
    if (!lock(c->held, (shared ? LOCK_SH : LOCK_EX) | LOCK_NB)) {
        status = refuse(c, err);
        rp_claim_release(c);
        return status;
    }
    if (!shared) {
        sign(path);
        return RP_OK;
    }
    c->gate = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (c->gate >= 0 && ftruncate(c->gate, 0) == 0) return RP_OK;
    status = rp_fail_errno(err, path);
    rp_claim_release(c);
    return status;
}

void rp_claim_release(rp_claim *c)
{
    char path[RP_STORE_PATH];
    if (c->held >= 0 && !c->shared && !rp_path_join(path, sizeof path, c->dir, RP_STORE_LOCK, NULL))
        unlink(path);
    if (c->shard >= 0) close(c->shard);
    if (c->gate >= 0) close(c->gate);
    if (c->held >= 0) close(c->held);
    c->held = c->gate = c->shard = -1;
}

/* A finished store's gate is deleted; the next job has another of that name, which is then ours. */
static rp_status same_gate(rp_claim *c, bool *same, rp_error *err)
{
    char path[RP_STORE_PATH];
    struct stat mine, there;
    rp_status status = rp_path_join(path, sizeof path, c->dir, RP_STORE_LOCK, err);
    *same = true;
    if (status || fstat(c->gate, &mine) != 0 || stat(path, &there) != 0) return status;
    if (mine.st_dev == there.st_dev && mine.st_ino == there.st_ino) return RP_OK;
    *same = false;
    close(c->gate);
    c->gate = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    return c->gate < 0 ? rp_fail_errno(err, path) : RP_OK;
}

rp_status rp_claim_enter(rp_claim *c, const rp_host *host, rp_error *err)
{
    const struct timespec pause = {0, 20000000};
    while (c->gate >= 0) {
        bool same = true;
        if (flock(c->gate, LOCK_EX | LOCK_NB) == 0) {
            rp_status status = same_gate(c, &same, err);
            if (status || same) return status;
        } else if (errno == ENOLCK || errno == EOPNOTSUPP) {
            return RP_OK;
        } else if (errno != EWOULDBLOCK && errno != EINTR) {
            return rp_fail_errno(err, c->dir);
        } else { /* not in flock itself, which a signal could not end */
            rp_status status = rp_host_progress(host, "waiting for other processes", 0, 0, err);
            if (status) return status;
            nanosleep(&pause, NULL);
        }
    }
    return RP_OK;
}

void rp_claim_leave(rp_claim *c)
{
    if (c->gate >= 0) flock(c->gate, LOCK_UN);
}

static rp_status shard_path(char path[RP_STORE_PATH], const rp_claim *c, size_t shard,
                            rp_error *err)
{
    char name[64];
    snprintf(name, sizeof name, RP_STORE_PARTS "/%05zu.lock", shard);
    return rp_path_join(path, RP_STORE_PATH, c->dir, name, err);
}

rp_status rp_claim_shard(rp_claim *c, size_t shard, bool *mine, rp_error *err)
{
    char path[RP_STORE_PATH];
    *mine = true;
    if (!c->shared) return RP_OK;
    rp_status status = shard_path(path, c, shard, err);
    if (status) return status;
    c->shard = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (c->shard < 0) return rp_fail_errno(err, path);
    *mine = lock(c->shard, LOCK_EX | LOCK_NB);
    if (!*mine) close(c->shard), c->shard = -1;
    return RP_OK;
}

/* The file goes first: who opens it now finds the shard's part. */
void rp_claim_let_go(rp_claim *c, size_t shard)
{
    char path[RP_STORE_PATH];
    if (c->shard < 0) return;
    if (!shard_path(path, c, shard, NULL)) unlink(path);
    close(c->shard);
    c->shard = -1;
}
