#include "support/fuzz.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/number.h"

#define INPUT_LIMIT ((size_t)1 << 20)

static char dir[PATH_MAX - 300];
static char made[16][PATH_MAX]; /* files in dir, to be removed at the end */
static size_t nmade;

static void remove_made(void)
{
    for (size_t i = 0; i < nmade; i++) unlink(made[i]);
    rmdir(dir);
}

const char *rp_fuzz_dir_file(const char *name, const uint8_t *data, size_t n)
{
    if (!dir[0]) {
        const char *base = getenv("TMPDIR");
        snprintf(dir, sizeof dir, "%s/rankprobe-fuzz-XXXXXX", base ? base : "/tmp");
        if (!mkdtemp(dir)) exit(1);
        atexit(remove_made);
    }
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    size_t i = 0;
    while (i < nmade && strcmp(made[i], path) != 0) i++;
    if (i == nmade && nmade < 16) memcpy(made[nmade++], path, sizeof path);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, 1, n, f) != n || fclose(f) != 0) exit(1);
    return dir;
}

const char *rp_fuzz_file(const uint8_t *data, size_t n)
{
    static char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/input", rp_fuzz_dir_file("input", data, n));
    return path;
}

#ifdef RP_LIBFUZZER

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    return rp_fuzz_one(data, n);
}

#else

typedef struct input {
    uint8_t *data;
    size_t n;
} input;

static input *corpus;
static size_t ncorpus;

static int visible(const struct dirent *d)
{
    return d->d_name[0] != '.';
}

static void load_corpus(const char *folder)
{
    struct dirent **entry;
    int n = scandir(folder, &entry, visible, alphasort);
    if (n <= 0) {
        fprintf(stderr, "no corpus in '%s'\n", folder);
        exit(1);
    }
    corpus = calloc((size_t)n, sizeof *corpus);
    for (int i = 0; i < n; i++) {
        char path[PATH_MAX], *data;
        snprintf(path, sizeof path, "%s/%s", folder, entry[i]->d_name);
        input *in = &corpus[ncorpus];
        if (rp_file_read(&data, &in->n, path, INPUT_LIMIT, NULL) == RP_OK) {
            in->data = (uint8_t *)data;
            ncorpus++;
        }
        free(entry[i]);
    }
    free(entry);
}

static size_t smaller(rp_rng *rng, size_t n, size_t limit)
{
    return rp_rng_below(rng, (n < limit ? n : limit) + 1);
}

/* One change of data [n <= cap]; returns the new length. */
static size_t mutate(rp_rng *rng, uint8_t *data, size_t n, size_t cap)
{
    static const uint8_t telling[] = "\0\x01\x7f\x80\xff\n\r\t \"\\{}[]:,-.0129eE#<>&/";
    size_t at = n ? rp_rng_below(rng, n) : 0, len;
    switch (rp_rng_below(rng, 7)) {
    case 0:
        if (n) data[at] ^= (uint8_t)(1u << rp_rng_below(rng, 8));
        return n;
    case 1:
        if (n) data[at] = telling[rp_rng_below(rng, sizeof telling - 1)];
        return n;
    case 2: /* insert */
        len = 1 + rp_rng_below(rng, 8);
        if (n + len > cap) return n;
        memmove(data + at + len, data + at, n - at);
        for (size_t i = 0; i < len; i++) {
            data[at + i] = telling[rp_rng_below(rng, sizeof telling - 1)];
        }
        return n + len;
    case 3: /* delete */
        len = smaller(rng, n - at, 32);
        memmove(data + at, data + at + len, n - at - len);
        return n - len;
    case 4: /* repeat */
        len = smaller(rng, n - at, 256);
        if (n + len > cap) return n;
        memmove(data + at + len, data + at, n - at);
        return n + len;
    case 5:
        return at; /* truncate */
    default: {     /* splice with another input */
        const input *other = &corpus[rp_rng_below(rng, ncorpus)];
        size_t from = other->n ? rp_rng_below(rng, other->n) : 0;
        len = smaller(rng, other->n - from, 256);
        if (at + len > cap) return n;
        if (len) memcpy(data + at, other->data + from, len);
        return at + len > n ? at + len : n;
    }
    }
}

static void run_one(const uint8_t *data, size_t n)
{
    uint8_t *exact = malloc(n ? n : 1); /* its own block, so that a read past the end is seen */
    if (!exact) exit(1);
    if (n) memcpy(exact, data, n);
    rp_fuzz_one(exact, n);
    free(exact);
}

int main(int argc, char **argv)
{
    const char *base = strrchr(argv[0], '/'), *runs_text = getenv("RP_FUZZ_RUNS");
    base = base ? base + 1 : argv[0];
    if (strncmp(base, "fuzz_", 5) == 0) base += 5;
    char folder[256], last[300];
    snprintf(folder, sizeof folder, "tests/fuzz/corpus/%s", argc > 1 ? argv[1] : base);
    snprintf(last, sizeof last, "/tmp/rankprobe-fuzz-%s-%ld", base, (long)getpid());
    size_t runs = 400;
    if (runs_text) rp_number_size(runs_text, &runs);
    load_corpus(folder);
    for (size_t i = 0; i < ncorpus; i++) run_one(corpus[i].data, corpus[i].n);
    uint8_t *data = malloc(2 * INPUT_LIMIT);
    if (!data) return 1;
    for (size_t i = 0; i < runs; i++) {
        rp_rng rng;
        rp_rng_init(&rng, 1, i);
        const input *in = &corpus[rp_rng_below(&rng, ncorpus)];
        size_t n = in->n;
        if (n) memcpy(data, in->data, n);
        for (size_t k = 1 + rp_rng_below(&rng, 6); k; k--) {
            n = mutate(&rng, data, n, 2 * INPUT_LIMIT);
        }
        FILE *f = fopen(last, "wb"); /* what a crash leaves behind */
        if (f) {
            fwrite(data, 1, n, f);
            fclose(f);
        }
        run_one(data, n);
    }
    unlink(last);
    printf("%s: %zu inputs, %zu mutations\n", base, ncorpus, runs);
    free(data);
    for (size_t i = 0; i < ncorpus; i++) free(corpus[i].data);
    free(corpus);
    return 0;
}

#endif
