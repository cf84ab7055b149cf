#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "probe/arrays.h"

enum { P = 3, N = 5, Q = 2, D = 4, DRAWS = 6, PLANS = 2 };

static const unsigned everything = RP_WANT_SUMS | RP_WANT_NULL | RP_WANT_PREDICTIONS |
                                   RP_WANT_COEFFICIENTS | RP_WANT_FREQUENCY | RP_WANT_CURVE;
static const rp_unit_shape shape[PLANS] = {{everything, P, N, Q, D, DRAWS},
                                           {RP_WANT_PREDICTIONS, P, N + 1, Q, D, DRAWS}};

/* Two protocols of a unit with numbers of their own everywhere. */
static void make(rp_unit_out *out)
{
    rp_error err;
    for (size_t i = 0; i < PLANS; i++) {
        assert_ok(rp_unit_out_init(&out[i], &shape[i], &err), &err);
        for (size_t p = 0; p < P; p++) {
            rp_result *r = &out[i].result[p];
            r->defined = p != 1;
            r->score.r2 = .5 + (double)p, r->bound = (double)i, r->n = 10 * i + p, r->dead = p;
            r->gain[RP_GAIN_SCORE].hi = 7 + (double)p;
        }
        for (size_t k = 0; k < P * out[i].rows; k++)
            if (k != 3) out[i].predictions[k] = (float)k + .25f * (float)i;
    }
    for (size_t k = 0; k < (size_t)P * D; k++)
        out[0].coef[k] = (double)k, out[0].beta[k] = -(double)k, out[0].frequency[k] = .5f;
    for (size_t k = 0; k < (size_t)P * DRAWS; k++)
        out[0].null[0][k] = (double)k / 8, out[0].null[1][k] = (double)k / 16;
    for (size_t k = 0; k < (size_t)P * Q * 4; k++) out[0].sums[k] = (double)k + .125;
}

static void release(rp_unit_out *out)
{
    for (size_t i = 0; i < PLANS; i++) rp_unit_out_release(&out[i]);
}

/* Parts of a job with one part, number 7; returns the path of the part. */
static const char *one_part(rp_parts *parts, const char *output)
{
    rp_error err;
    rp_unit_out out[PLANS];
    char name[64];
    make(out);
    assert_ok(rp_parts_init(parts, rp_test_path(output), 42, &err), &err);
    assert_ok(rp_parts_write(parts, 7, out, PLANS, &err), &err);
    release(out);
    snprintf(name, sizeof name, "%s.parts/00007.safetensors", output);
    return rp_test_path(name);
}

static void a_part_is_read_as_it_was_written(void **state)
{
    (void)state;
    rp_parts parts;
    rp_saved saved;
    rp_unit_out out[PLANS];
    rp_error err;
    one_part(&parts, "whole");
    make(out);
    assert_ok(rp_saved_open(&saved, &parts, 7, shape, PLANS, &err), &err);
    for (size_t i = 0; i < PLANS; i++) {
        const rp_unit_out *got = &saved.out[i], *want = &out[i];
        for (size_t p = 0; p < P; p++) {
            assert_int_equal(got->result[p].defined, want->result[p].defined);
            assert_int_equal(got->result[p].n, want->result[p].n);
            assert_int_equal(got->result[p].dead, p);
            assert_close(&got->result[p].score.r2, &want->result[p].score.r2, 9, 0, 0);
            assert_close(&got->result[p].gain[0].value, &want->result[p].gain[0].value, 6, 0, 0);
            assert_close(&got->result[p].bound, &want->result[p].bound, 2, 0, 0);
        }
        assert_close(got->predictions, want->predictions, P * want->rows, 0, 0);
    }
    assert_close(saved.out[0].sums, out[0].sums, P * Q * 4, 0, 0);
    assert_close(saved.out[0].null[0], out[0].null[0], P * DRAWS, 0, 0);
    assert_close(saved.out[0].null[1], out[0].null[1], P * DRAWS, 0, 0);
    assert_close(saved.out[0].coef, out[0].coef, P * D, 0, 0);
    assert_close(saved.out[0].intercept, out[0].intercept, P, 0, 0);
    assert_close(saved.out[0].beta, out[0].beta, P * D, 0, 0);
    assert_close(saved.out[0].frequency, out[0].frequency, P * D, 0, 0);
    assert_close(saved.out[0].curve, out[0].curve, P * 3 * RP_CURVE_SIZES * 6, 0, 0);
    assert_null(saved.out[1].coef);
    rp_saved_release(&saved);
    release(out);
    rp_parts_remove(&parts);
    rp_parts_release(&parts);
    assert_int_equal(access(rp_test_path("whole.parts"), F_OK), -1);
}

static void what_is_not_this_jobs_part_is_refused(void **state)
{
    (void)state;
    rp_parts parts;
    rp_saved saved;
    rp_error err;
    size_t n;
    char text[600];
    const char *path = one_part(&parts, "bad");
    char *bytes = rp_test_read(path, &n);
#define REFUSED(why)                                                                               \
    snprintf(text, sizeof text, "'%s': " why, path);                                               \
    assert_fails(rp_saved_open(&saved, &parts, 7, shape, PLANS, &err), &err, RP_EFORMAT, text);    \
    assert_null(saved.file)
    rp_unit_shape other[PLANS] = {shape[0], shape[1]};
    other[1].rows++;
    snprintf(text, sizeof text, "'%s': '1.predictions' is not F32 [3, 7]", path);
    assert_fails(rp_saved_open(&saved, &parts, 7, other, PLANS, &err), &err, RP_EFORMAT, text);
    other[1] = shape[1], other[1].want |= RP_WANT_SUMS;
    snprintf(text, sizeof text, "'%s': no tensor '1.sums'", path);
    assert_fails(rp_saved_open(&saved, &parts, 7, other, PLANS, &err), &err, RP_EFORMAT, text);
    parts.fingerprint = 43;
    REFUSED("of another job");
    parts.fingerprint = 42;
    bytes[n - 1] ^= 1;
    rp_test_write(path, bytes, n);
    REFUSED("was altered");
    bytes[n - 1] ^= 1;
    rp_test_write(path, bytes, n - 8);
    assert_int_equal(rp_saved_open(&saved, &parts, 7, shape, PLANS, &err), RP_EFORMAT);
    rp_test_write(path, bytes, 0);
    REFUSED("too short for a safetensors file");
    assert_int_equal(rp_saved_open(&saved, &parts, 8, shape, PLANS, &err), RP_EIO);
#undef REFUSED
    free(bytes);
    rp_parts_remove(&parts);
    rp_parts_release(&parts);
}

static void only_parts_are_deleted(void **state)
{
    (void)state;
    rp_parts parts;
    one_part(&parts, "mixed");
    rp_test_write_text("mixed.parts/notes.txt", "mine");
    rp_test_write_text("mixed.parts/00009.safetensors.12-3.tmp", "cut");
    rp_parts_remove(&parts);
    assert_int_equal(access(rp_test_path("mixed.parts/notes.txt"), F_OK), 0);
    assert_int_equal(access(rp_test_path("mixed.parts/00007.safetensors"), F_OK), -1);
    assert_int_equal(access(rp_test_path("mixed.parts/00009.safetensors.12-3.tmp"), F_OK), -1);
    rp_parts_release(&parts);
}

/* ---- jobs that stop and go on ---- */

typedef struct watcher {
    size_t stop;     /* cancel when so many are done; 0: never */
    size_t first;    /* what was done when the job began to fit */
    size_t warnings; /* and the last of them */
    char warning[512], note[512];
    bool begun;
} watcher;

static int watch(void *arg, const char *what, size_t done, size_t total)
{
    watcher *w = arg;
    (void)what, (void)total;
    if (w->stop && done >= w->stop) return 1;
    if (!w->begun) w->first = done;
    w->begun = true;
    return 0;
}

static void keep_warning(void *arg, const char *text)
{
    watcher *w = arg;
    w->warnings++;
    snprintf(w->warning, sizeof w->warning, "%s", text);
}

static void keep_note(void *arg, const char *text)
{
    watcher *w = arg;
    snprintf(w->note, sizeof w->note, "%s", text);
}

/* A path that stays: those of the support are for a few calls. */
static const char *keep(const char *path)
{
    static char pool[16][4096];
    static size_t n;
    assert_true(n < 16);
    snprintf(pool[n], sizeof pool[n], "%s", path);
    return pool[n++];
}

static rp_probe_options options(const char *name)
{
    rp_probe_options o;
    rp_probe_options_init(&o);
    o.features = keep(rp_test_golden("probe/features.tsv"));
    o.select = "mslr.*", o.protocols = "sound,paper-code", o.views = "a,baseline.*";
    o.bootstrap = 20, o.permutations = 0, o.threads = 1, o.penalty = .1;
    o.output = keep(rp_test_path(name));
    return o;
}

static rp_status job(const rp_probe_options *o, watcher *w)
{
    arrays a;
    rp_job j;
    rp_error err;
    const rp_host host = {.arg = w, .progress = watch, .warn = keep_warning, .note = keep_note};
    arrays_golden(&a);
    assert_ok(rp_job_init(&j, &a.source, o, &host, &err), &err);
    w->warnings = 0; /* those of constant labels */
    rp_status status = rp_job_run(&j, &err);
    if (!status) assert_ok(rp_job_write(&j, NULL, 0, &err), &err);
    rp_job_release(&j);
    arrays_release(&a);
    return status;
}

static size_t count_parts(const char *output)
{
    char path[4096];
    size_t n = 0;
    snprintf(path, sizeof path, "%s.parts", output);
    DIR *dir = opendir(path);
    for (struct dirent *e = dir ? readdir(dir) : NULL; e; e = readdir(dir))
        n += strstr(e->d_name, ".safetensors") != NULL;
    if (dir) closedir(dir);
    return n;
}

static void assert_same_files(const char *a, const char *b)
{
    size_t n, m;
    char *x = rp_test_read(a, &n), *y = rp_test_read(b, &m);
    assert_int_equal(n, m);
    assert_memory_equal(x, y, n);
    free(x), free(y);
}

static void a_job_that_was_stopped_goes_on_and_writes_the_same_bytes(void **state)
{
    (void)state;
    rp_probe_options once = options("once.tsv"), twice = options("twice.tsv");
    watcher w = {0};
    once.predictions = keep(rp_test_path("once.safetensors"));
    twice.predictions = keep(rp_test_path("twice.safetensors"));
    assert_int_equal(job(&once, &w), RP_OK);
    assert_int_equal(w.first, 0);
    assert_int_equal(count_parts(once.output), 0);
    w = (watcher){.stop = 6}; /* 4 units under 2 protocols: within the third */
    assert_int_equal(job(&twice, &w), RP_ECANCEL);
    assert_int_equal(access(twice.output, F_OK), -1);
    assert_int_equal(count_parts(twice.output), 2);
    w = (watcher){0};
    assert_int_equal(job(&twice, &w), RP_OK);
    assert_int_equal(w.first, 4);
    assert_int_equal(w.warnings, 0);
    assert_non_null(strstr(w.note, "2 of 4 units were done before"));
    assert_same_files(once.output, twice.output);
    assert_same_files(once.predictions, twice.predictions);
    assert_int_equal(count_parts(twice.output), 0);
}

static void a_part_that_was_cut_or_is_of_other_options_is_done_again(void **state)
{
    (void)state;
    rp_probe_options o = options("other.tsv"), fresh = options("fresh.tsv");
    watcher w = {.stop = 6};
    assert_int_equal(job(&o, &w), RP_ECANCEL);
    o.seed = fresh.seed = 3;
    w = (watcher){.stop = 8};
    assert_int_equal(job(&o, &w), RP_ECANCEL);
    assert_int_equal(w.first, 0);
    assert_int_equal(w.warnings, 1);
    assert_non_null(strstr(w.warning, "2 parts are of other inputs or options, or damaged"));
    assert_int_equal(count_parts(o.output), 3);
    assert_int_equal(truncate(rp_test_path("other.tsv.parts/00003.safetensors"), 900), 0);
    w = (watcher){0};
    assert_int_equal(job(&o, &w), RP_OK);
    assert_int_equal(w.warnings, 1);
    assert_int_equal(job(&fresh, &w), RP_OK);
    assert_same_files(o.output, fresh.output);
}

static void the_parts_of_a_stream_die_with_the_job(void **state)
{
    (void)state;
    const char *tmp = keep(rp_test_path("tmp"));
    rp_probe_options o = options("unused");
    watcher w = {.stop = 6};
    o.output = "-";
    assert_int_equal(mkdir(tmp, 0777), 0);
    setenv("TMPDIR", tmp, 1);
    assert_int_equal(job(&o, &w), RP_ECANCEL);
    unsetenv("TMPDIR");
    assert_int_equal(rmdir(tmp), 0); /* it is empty */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_part_is_read_as_it_was_written),
        cmocka_unit_test(what_is_not_this_jobs_part_is_refused),
        cmocka_unit_test(only_parts_are_deleted),
        cmocka_unit_test(a_job_that_was_stopped_goes_on_and_writes_the_same_bytes),
        cmocka_unit_test(a_part_that_was_cut_or_is_of_other_options_is_done_again),
        cmocka_unit_test(the_parts_of_a_stream_die_with_the_job),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
