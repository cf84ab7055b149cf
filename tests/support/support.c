#include "support/support.h"

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static double element(const void *p, bool is_float, size_t i)
{
    return is_float ? (double)((const float *)p)[i] : ((const double *)p)[i];
}

void rp_test_close(const void *got, bool got_float, const void *want, bool want_float, size_t n,
                   double rtol, double atol, const char *what, const char *file, int line)
{
    size_t worst = n, bad = 0;
    double excess = 0;
    for (size_t i = 0; i < n; i++) {
        double g = element(got, got_float, i), w = element(want, want_float, i);
        if (g == w || (isnan(g) && isnan(w))) continue;
        double over = fabs(g - w) - (atol + rtol * fabs(w));
        if (isnan(over)) over = INFINITY;
        if (over <= 0) continue;
        if (bad++ == 0 || over > excess) {
            excess = over;
            worst = i;
        }
    }
    if (!bad) return;
    print_error("%s: %zu of %zu elements differ; worst is [%zu]: %.9g, wanted %.9g\n", what, bad, n,
                worst, element(got, got_float, worst), element(want, want_float, worst));
    _fail(file, line);
}

void rp_test_ok(rp_status status, const rp_error *err, const char *what, const char *file, int line)
{
    if (status == RP_OK) return;
    print_error("%s: status %d: %s\n", what, (int)status, err ? err->text : "");
    _fail(file, line);
}

void rp_test_fails(rp_status got, const rp_error *err, rp_status status, const char *text,
                   const char *what, const char *file, int line)
{
    if (got == status && strcmp(err->text, text) == 0) return;
    print_error("%s:\n  status %d, wanted %d\n  text   \"%s\"\n  wanted \"%s\"\n", what, (int)got,
                (int)status, got ? err->text : "", text);
    _fail(file, line);
}

/* ---- files ---- */

static char tmpdir[PATH_MAX];
static pid_t tmpdir_owner;

static char *slot(void)
{
    static char ring[8][PATH_MAX];
    static unsigned next;
    return ring[next++ % 8];
}

static int unlock_entry(const char *path, const struct stat *st, int kind, struct FTW *walk)
{
    (void)st, (void)walk;
    if (kind == FTW_D) return chmod(path, 0700);
    return 0;
}

static int delete_entry(const char *path, const struct stat *st, int kind, struct FTW *walk)
{
    (void)st, (void)kind, (void)walk;
    return remove(path);
}

static void remove_tmpdir(void)
{
    if (getpid() != tmpdir_owner) return; /* a forked child leaves it alone */
    nftw(tmpdir, unlock_entry, 16, FTW_PHYS);
    nftw(tmpdir, delete_entry, 16, FTW_DEPTH | FTW_PHYS);
}

const char *rp_test_tmpdir(void)
{
    if (!tmpdir[0]) {
        const char *base = getenv("TMPDIR");
        snprintf(tmpdir, sizeof tmpdir, "%s/rankprobe-test-XXXXXX", base ? base : "/tmp");
        if (!mkdtemp(tmpdir)) {
            fprintf(stderr, "cannot make a temporary directory: %s\n", strerror(errno));
            exit(1);
        }
        tmpdir_owner = getpid();
        atexit(remove_tmpdir);
    }
    return tmpdir;
}

static const char *join(const char *dir, const char *name)
{
    char *path = slot();
    int n = snprintf(path, PATH_MAX, "%s/%s", dir, name);
    if (n < 0 || n >= PATH_MAX) fail_msg("path too long: %s", name);
    return path;
}

const char *rp_test_path(const char *name)
{
    return join(rp_test_tmpdir(), name);
}

const char *rp_test_write(const char *path, const void *bytes, size_t n)
{
    if (path[0] != '/') path = rp_test_path(path);
    FILE *f = fopen(path, "wb");
    if (!f) fail_msg("cannot write '%s': %s", path, strerror(errno));
    bool ok = fwrite(bytes, 1, n, f) == n;
    if (fclose(f) != 0 || !ok) fail_msg("cannot write '%s'", path);
    return path;
}

const char *rp_test_write_text(const char *path, const char *text)
{
    return rp_test_write(path, text, strlen(text));
}

static char *slurp(FILE *f, size_t *n)
{
    size_t len = 0, cap = 1 << 14;
    char *data = malloc(cap);
    for (;;) {
        if (!data) fail_msg("no memory");
        size_t got = fread(data + len, 1, cap - len - 1, f);
        len += got;
        if (got == 0) break;
        if (len + 1 >= cap) data = realloc(data, cap *= 2);
    }
    data[len] = '\0';
    if (n) *n = len;
    return data;
}

char *rp_test_read(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    if (!f) fail_msg("cannot read '%s': %s", path, strerror(errno));
    char *data = slurp(f, n);
    fclose(f);
    return data;
}

const char *rp_test_golden(const char *rel)
{
    const char *path = join("tests/golden", rel);
    if (access(path, R_OK) != 0) fail_msg("'%s' is missing", path);
    return path;
}

const char *rp_test_shared(const char *rel)
{
    const char *base = getenv("RANKPROBE_DATA");
    const char *path = join(base && *base ? base : "../shared", rel);
    if (access(path, R_OK) == 0) return path;
    print_message("skipped: '%s' is not here (set RANKPROBE_DATA)\n", path);
    return NULL;
}

/* ---- the program under test ---- */

int rp_test_command(char **out, char **err, const char *command)
{
    const char *build = getenv("BUILD");
    char program[PATH_MAX], here[PATH_MAX];
    if (!build || !*build) build = "build";
    if (!getcwd(here, sizeof here)) fail_msg("no working directory");
    const char *path = build[0] == '/' ? build : join(here, build);
    snprintf(program, sizeof program, "%s/rankprobe", path);
    setenv("RANKPROBE", program, 1);
    setenv("TMP", rp_test_tmpdir(), 1);
    const char *out_path = rp_test_path("command.out"), *err_path = rp_test_path("command.err");
    size_t cap = strlen(command) + 2 * PATH_MAX + 32;
    char *line = malloc(cap);
    if (!line) fail_msg("no memory");
    snprintf(line, cap, "{ %s\n} >'%s' 2>'%s' </dev/null", command, out_path, err_path);
    int status = system(line);
    free(line);
    if (out) *out = rp_test_read(out_path, NULL);
    if (err) *err = rp_test_read(err_path, NULL);
    if (status == -1) fail_msg("cannot run a shell");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
