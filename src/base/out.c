/* Output that appears whole or not at all, the provenance lines above it, and checksums of input.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/io.h"
#include "base/memory.h"

/* A file that is written in place: there is nothing to rename onto a terminal or a pipe. */
static bool is_special(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
}

static rp_status open_temporary(rp_out *out, const char *path, rp_error *err)
{
    static unsigned counter;
    unsigned serial = __atomic_fetch_add(&counter, 1, __ATOMIC_RELAXED);
    char *real = realpath(path, NULL); /* a link stays, what it points to is replaced */
    out->path = real ? real : strdup(path);
    size_t cap = strlen(path) + (real ? strlen(real) : 0) + 48;
    out->temporary = malloc(cap);
    if (!out->path || !out->temporary) return rp_fail_memory(err, cap);
    snprintf(out->temporary, cap, "%s.%ld-%u.tmp", out->path, (long)getpid(), serial);
    int fd = open(out->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd >= 0) out->file = fdopen(fd, "wb");
    if (!out->file) {
        rp_status s = rp_fail_errno(err, path);
        if (fd >= 0) close(fd);
        if (fd >= 0) unlink(out->temporary);
        return s;
    }
    return RP_OK;
}

rp_status rp_out_open(rp_out *out, const char *path, rp_error *err)
{
    *out = (rp_out){0};
    rp_status s = RP_OK;
    bool standard = strcmp(path, "-") == 0;
    if (standard || is_special(path)) {
        out->path = strdup(path);
        if (!out->path) return rp_fail_memory(err, strlen(path));
        out->file = standard ? tmpfile() : fopen(path, "wbe");
        if (!out->file) s = rp_fail_errno(err, standard ? "a temporary file" : path);
    } else if (rp_path_is_dir(path)) {
        s = rp_fail(err, RP_EIO, "'%s': is a directory", path);
    } else {
        s = open_temporary(out, path, err);
    }
    if (s) {
        free(out->path);
        free(out->temporary);
        *out = (rp_out){0};
    }
    return s;
}

rp_status rp_out_check(const char *output, const char *const *inputs, size_t n, rp_error *err)
{
    for (size_t i = 0; output && i < n; i++) {
        if (inputs[i] && rp_path_is_same(output, inputs[i])) {
            return rp_fail(err, RP_EARG, "'%s': is an input; the output would replace it", output);
        }
    }
    return RP_OK;
}

rp_status rp_out_distinct(const char *output, const char *other, rp_error *err)
{
    if (!output || !other) return RP_OK;
    if (strcmp(output, other) != 0 && !rp_path_is_same(output, other)) return RP_OK;
    return rp_fail(err, RP_EARG, "'%s': two outputs cannot be one file", output);
}

static rp_status flush(FILE *file, const char *name, rp_error *err)
{
    if (fflush(file) != 0) return rp_fail_errno(err, name);
    if (ferror(file)) {
        return rp_fail(err, RP_EIO, "'%s': writing failed; is the disk full?", name);
    }
    return RP_OK;
}

/* What was kept back, now that it is whole. */
static rp_status copy_to_stdout(FILE *from, rp_error *err)
{
    char block[1 << 14];
    rewind(from);
    for (size_t n = fread(block, 1, sizeof block, from); n;
         n = fread(block, 1, sizeof block, from)) {
        if (fwrite(block, 1, n, stdout) != n) return rp_fail_errno(err, "standard output");
    }
    if (ferror(from)) return rp_fail_errno(err, "a temporary file");
    return flush(stdout, "standard output", err);
}

rp_status rp_out_commit(rp_out *out, rp_error *err)
{
    bool standard = strcmp(out->path, "-") == 0;
    rp_status s = flush(out->file, standard ? "a temporary file" : out->path, err);
    if (!s && standard) s = copy_to_stdout(out->file, err);
    if (fclose(out->file) != 0 && !s) s = rp_fail_errno(err, out->path);
    out->file = NULL;
    if (!s && out->temporary && rename(out->temporary, out->path) != 0) {
        s = rp_fail_errno(err, out->path);
    }
    if (!s) {
        free(out->temporary);
        out->temporary = NULL; /* nothing left to delete */
    }
    rp_out_release(out);
    return s;
}

void rp_out_release(rp_out *out)
{
    if (out->file) fclose(out->file);
    if (out->temporary) unlink(out->temporary);
    free(out->temporary);
    free(out->path);
    *out = (rp_out){0};
}

/* ---- provenance ---- */

static void write_tamed(FILE *file, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        putc(c < 0x20 || c == 0x7f ? ' ' : c, file);
    }
}

rp_status rp_provenance_write(FILE *file, const rp_provenance *p, rp_error *err)
{
    fprintf(file, "# rankprobe: %s\n", RP_VERSION);
    if (p->host && p->host->command) {
        fputs("# command: ", file);
        write_tamed(file, p->host->command);
        putc('\n', file);
    }
    if (p->has_seed) fprintf(file, "# seed: %" PRIu64 "\n", p->seed);
    for (size_t i = 0; i < p->ninputs; i++) {
        const char *path = p->inputs[i];
        if (!path) continue;
        uint64_t sum = 0;
        bool readable =
            strcmp(path, "-") != 0 && !is_special(path); /* those cannot be read twice */
        rp_status s = readable ? rp_checksum_path(&sum, path, err) : RP_OK;
        if (s) return s;
        fputs("# input: ", file);
        write_tamed(file, path);
        if (readable) fprintf(file, " xxh3:%016" PRIx64, sum);
        putc('\n', file);
    }
    return RP_OK;
}

/* ---- checksums ---- */

uint64_t rp_checksum_bytes(const void *data, size_t n, uint64_t seed)
{
    return XXH3_64bits_withSeed(data, n, seed);
}

static rp_status add_file(XXH3_state_t *state, const char *path, rp_error *err)
{
    enum { BLOCK = 1 << 18 };
    rp_status s = RP_OK;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return rp_fail_errno(err, path);
    unsigned char *block = malloc(BLOCK);
    if (!block) s = rp_fail_memory(err, BLOCK);
    while (!s) {
        ssize_t n = read(fd, block, BLOCK);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) s = rp_fail_errno(err, path);
        if (n <= 0) break;
        XXH3_64bits_update(state, block, (size_t)n);
    }
    free(block);
    close(fd);
    return s;
}

static int visible(const struct dirent *d)
{
    return d->d_name[0] != '.';
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name); /* not the locale's order */
}

static rp_status add_dir(XXH3_state_t *state, const char *dir, size_t depth, rp_error *err)
{
    struct dirent **entry = NULL;
    int n = scandir(dir, &entry, visible, by_bytes);
    if (n < 0) return rp_fail_errno(err, dir);
    rp_status s = RP_OK;
    for (int i = 0; i < n; i++) {
        char path[PATH_MAX];
        struct stat st;
        if (!s) s = rp_path_join(path, sizeof path, dir, entry[i]->d_name, err);
        if (!s && stat(path, &st) == 0) {
            bool file = S_ISREG(st.st_mode), sub = S_ISDIR(st.st_mode) && depth < 16;
            if (file || sub) {
                XXH3_64bits_update(state, entry[i]->d_name, strlen(entry[i]->d_name) + 1);
            }
            if (file) s = add_file(state, path, err);
            if (sub) s = add_dir(state, path, depth + 1, err);
        }
        free(entry[i]);
    }
    free(entry);
    return s;
}

rp_status rp_checksum_path(uint64_t *sum, const char *path, rp_error *err)
{
    XXH3_state_t *state = XXH3_createState();
    if (!state) return rp_fail_memory(err, 1024);
    XXH3_64bits_reset(state);
    rp_status s = rp_path_is_dir(path) ? add_dir(state, path, 0, err) : add_file(state, path, err);
    *sum = XXH3_64bits_digest(state);
    XXH3_freeState(state);
    return s;
}
