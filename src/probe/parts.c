#include "probe/parts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/comm.h"
#include "base/memory.h"

enum { NAME = 32 };

/* ---- the folder ---- */

/* Beside an output that is a file, or will be; a folder of its own for a stream. */
static bool is_file(const char *output)
{
    struct stat st;
    if (!strcmp(output, "-")) return false;
    return stat(output, &st) != 0 || S_ISREG(st.st_mode);
}

static rp_status make_dir(char *dir, size_t cap, bool temporary, const char *output, rp_error *err)
{
    const char *root = getenv("TMPDIR");
    int n = temporary ? snprintf(dir, cap, "%s/rankprobe-XXXXXX", root && *root ? root : "/tmp")
                      : snprintf(dir, cap, "%s.parts", output);
    if (n < 0 || (size_t)n >= cap) return rp_fail(err, RP_EARG, "'%.200s...': too long", output);
    if (!temporary) return rp_path_make_dirs(dir, err);
    return mkdtemp(dir) ? RP_OK : rp_fail_errno(err, dir);
}

static rp_status lock_dir(int *lock, const char *dir, rp_error *err)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return rp_fail(err, RP_EIO, "'%s': %s", dir, strerror(errno));
    if (!flock(fd, LOCK_EX | LOCK_NB)) {
        *lock = fd;
        return RP_OK;
    }
    bool taken = errno == EWOULDBLOCK;
    close(fd);
    if (!taken) return RP_OK; /* a file system without locks */
    return rp_fail(err, RP_EIO, "'%s': another process writes it", dir);
}

rp_status rp_parts_init(rp_parts *parts, const char *output, uint64_t fingerprint, rp_error *err)
{
    char dir[PATH_MAX] = "";
    rp_status status = RP_OK;
    *parts = (rp_parts){.temporary = !is_file(output), .fingerprint = fingerprint};
    if (!rp_comm_world()->rank) status = make_dir(dir, sizeof dir, parts->temporary, output, err);
    if (!rp_comm_world()->rank && !status) status = lock_dir(&parts->lock, dir, err);
    if ((status = rp_comm_agree(status, err))) return status;
    if ((status = rp_comm_share(dir, sizeof dir, err))) return status;
    parts->dir = strdup(dir);
    return rp_comm_agree(parts->dir ? RP_OK : rp_fail_memory(err, sizeof dir), err);
}

/* "00012.safetensors", or what a process that was killed left of it. */
static bool is_part(const char *name)
{
    size_t digits = strspn(name, "0123456789");
    static const char tail[] = ".safetensors";
    if (digits < 5 || strncmp(name + digits, tail, sizeof tail - 1) != 0) return false;
    const char *rest = name + digits + sizeof tail - 1;
    size_t n = strlen(rest);
    return !n || (n > 4 && !strcmp(rest + n - 4, ".tmp"));
}

void rp_parts_remove(const rp_parts *parts)
{
    DIR *dir = parts->dir ? opendir(parts->dir) : NULL;
    if (!dir) return;
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
        if (is_part(entry->d_name)) unlinkat(dirfd(dir), entry->d_name, 0);
    closedir(dir);
    rmdir(parts->dir);
}

void rp_parts_release(rp_parts *parts)
{
    if (parts->dir && !rp_comm_world()->rank) {
        if (parts->temporary) rp_parts_remove(parts);
        rmdir(parts->dir); /* where nothing is in it */
    }
    if (parts->lock > 0) close(parts->lock);
    free(parts->dir);
    *parts = (rp_parts){0};
}

/* ---- what is in a part ---- */

typedef enum extent { ONE, ROWS, QUERIES, WIDTH, DRAWS } extent;

/* Every array is [labels, extent * times]. The doubles come first, so that all are aligned. */
static const struct {
    const char *name;
    size_t offset; /* of the pointer in rp_unit_out */
    unsigned want;
    extent extent;
    size_t times;
    rp_dtype dtype;
} arrays[] = {
    {"sums", offsetof(rp_unit_out, sums), RP_WANT_SUMS, QUERIES, 4, RP_F64},
    {"null.document", offsetof(rp_unit_out, null[RP_DOCUMENT]), RP_WANT_NULL, DRAWS, 1, RP_F64},
    {"null.query", offsetof(rp_unit_out, null[RP_QUERY]), RP_WANT_NULL, DRAWS, 1, RP_F64},
    {"coef", offsetof(rp_unit_out, coef), RP_WANT_COEFFICIENTS, WIDTH, 1, RP_F64},
    {"intercept", offsetof(rp_unit_out, intercept), RP_WANT_COEFFICIENTS, ONE, 1, RP_F64},
    {"beta", offsetof(rp_unit_out, beta), RP_WANT_COEFFICIENTS, WIDTH, 1, RP_F64},
    {"curve", offsetof(rp_unit_out, curve), RP_WANT_CURVE, ONE,
     RP_CURVES *RP_CURVE_SIZES *RP_CURVE_NUMBERS, RP_F64},
    {"predictions", offsetof(rp_unit_out, predictions), RP_WANT_PREDICTIONS, ROWS, 1, RP_F32},
    {"frequency", offsetof(rp_unit_out, frequency), RP_WANT_FREQUENCY, WIDTH, 1, RP_F32},
};
#define NARRAYS (sizeof arrays / sizeof *arrays)

typedef enum kind { REAL, COUNT, TRUTH } kind;
#define FIELD(member, kind)                                                                        \
    {                                                                                              \
        offsetof(rp_result, member), kind                                                          \
    }
static const struct {
    size_t offset;
    kind kind;
} fields[] = {
    FIELD(defined, TRUTH),
    FIELD(score.r2, REAL),
    FIELD(score.r2_lo, REAL),
    FIELD(score.r2_hi, REAL),
    FIELD(score.within, REAL),
    FIELD(score.within_lo, REAL),
    FIELD(score.within_hi, REAL),
    FIELD(score.between, REAL),
    FIELD(score.tau, REAL),
    FIELD(score.mse, REAL),
    FIELD(penalty, REAL),
    FIELD(cv, REAL),
    FIELD(gap, REAL),
    FIELD(eta2, REAL),
    FIELD(units, REAL),
    FIELD(n, COUNT),
    FIELD(queries, COUNT),
    FIELD(dead, COUNT),
    FIELD(chance[RP_DOCUMENT], REAL),
    FIELD(chance[RP_QUERY], REAL),
    FIELD(gain[0].value, REAL),
    FIELD(gain[0].lo, REAL),
    FIELD(gain[0].hi, REAL),
    FIELD(gain[1].value, REAL),
    FIELD(gain[1].lo, REAL),
    FIELD(gain[1].hi, REAL),
    FIELD(gain[2].value, REAL),
    FIELD(gain[2].lo, REAL),
    FIELD(gain[2].hi, REAL),
    FIELD(gain[3].value, REAL),
    FIELD(gain[3].lo, REAL),
    FIELD(gain[3].hi, REAL),
    FIELD(bound, REAL),
    FIELD(q, REAL),
};
#define NFIELDS (sizeof fields / sizeof *fields)

static size_t columns(const rp_unit_shape *shape, size_t a)
{
    const size_t of[] = {1, shape->rows, shape->queries, shape->width, shape->draws};
    return of[arrays[a].extent] * arrays[a].times;
}

static void pack(double *to, const rp_result *r)
{
    for (size_t k = 0; k < NFIELDS; k++) {
        const char *from = (const char *)r + fields[k].offset;
        if (fields[k].kind == REAL) memcpy(&to[k], from, sizeof to[k]);
        if (fields[k].kind == COUNT) to[k] = (double)*(const size_t *)(const void *)from;
        if (fields[k].kind == TRUTH) to[k] = *(const bool *)from;
    }
}

/* false: a count that is none. */
static bool unpack(rp_result *r, const double *from)
{
    for (size_t k = 0; k < NFIELDS; k++) {
        char *to = (char *)r + fields[k].offset;
        double v = from[k];
        if (fields[k].kind == REAL) memcpy(to, &v, sizeof v);
        if (fields[k].kind == TRUTH) *(bool *)to = v != 0;
        if (fields[k].kind != COUNT) continue;
        if (!(v >= 0 && v < 1e15)) return false;
        *(size_t *)(void *)to = (size_t)v;
    }
    return true;
}

static uint64_t checksum(const rp_tensor *tensor, size_t n)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum = rp_checksum_bytes(tensor[i].data, tensor[i].count * rp_dtype_size(tensor[i].dtype),
                                sum);
    return sum;
}

/* ---- writing ---- */

typedef struct writer {
    rp_tensor *tensor;
    char (*name)[NAME];
    double *result; /* [nplans, P, NFIELDS] */
    size_t n;
} writer;

static void add(writer *w, size_t plan, const char *name, rp_dtype dtype, size_t labels,
                size_t each, const void *data)
{
    snprintf(w->name[w->n], NAME, "%zu.%s", plan, name);
    w->tensor[w->n] = (rp_tensor){w->name[w->n], dtype, 2, {labels, each}, labels * each, data};
    w->n++;
}

static void list_arrays(writer *w, const rp_unit_out *out, size_t nplans, rp_dtype dtype)
{
    for (size_t i = 0; i < nplans; i++) {
        const rp_unit_out *o = &out[i];
        const rp_unit_shape shape = {0, o->labels, o->rows, o->queries, o->width, o->draws};
        for (size_t a = 0; a < NARRAYS; a++) {
            const void *data;
            memcpy(&data, (const char *)o + arrays[a].offset, sizeof data);
            if (data && arrays[a].dtype == dtype)
                add(w, i, arrays[a].name, dtype, o->labels, columns(&shape, a), data);
        }
    }
}

static void list_results(writer *w, const rp_unit_out *out, size_t nplans)
{
    for (size_t i = 0; i < nplans; i++) {
        double *result = w->result + i * out->labels * NFIELDS;
        for (size_t p = 0; p < out->labels; p++) pack(result + p * NFIELDS, &out[i].result[p]);
        add(w, i, "result", RP_F64, out->labels, NFIELDS, result);
    }
}

static rp_status part_path(char *path, const rp_parts *parts, size_t unit, rp_error *err)
{
    char name[NAME];
    snprintf(name, sizeof name, "%05zu.safetensors", unit);
    return rp_path_join(path, PATH_MAX, parts->dir, name, err);
}

rp_status rp_parts_write(const rp_parts *parts, size_t unit, const rp_unit_out *out, size_t nplans,
                         rp_error *err)
{
    static const char *const metadata[] = {"format", "rankprobe-part", "version", RP_VERSION, NULL};
    size_t most = nplans * (NARRAYS + 1) + 1;
    uint64_t seal[2] = {parts->fingerprint, 0};
    char path[PATH_MAX];
    rp_out file = {0};
    writer w = {rp_alloc(most, sizeof *w.tensor), rp_alloc(most, NAME),
                rp_alloc(nplans * out->labels, NFIELDS * sizeof *w.result), 0};
    rp_status status = part_path(path, parts, unit, err);
    if (!status && (!w.tensor || !w.name || !w.result))
        status = rp_fail_memory(err, nplans * out->labels * NFIELDS * sizeof *w.result);
    if (status) goto done;
    add(&w, 0, "seal", RP_U64, 1, 2, seal);
    list_results(&w, out, nplans);
    list_arrays(&w, out, nplans, RP_F64);
    list_arrays(&w, out, nplans, RP_F32);
    seal[1] = checksum(w.tensor + 1, w.n - 1);
    if ((status = rp_out_open(&file, path, err))) goto done;
    if ((status = rp_safetensors_write(file.file, w.tensor, w.n, metadata, err))) goto done;
    status = rp_out_commit(&file, err);
done:
    rp_out_release(&file);
    free(w.tensor), free(w.name), free(w.result);
    return status;
}

/* ---- reading ---- */

void rp_saved_release(rp_saved *saved)
{
    for (size_t i = 0; saved->out && i < saved->nplans; i++) free(saved->out[i].result);
    free(saved->out);
    rp_safetensors_free(saved->file);
    *saved = (rp_saved){0};
}

/* *data <- the tensor's numbers, when it is exactly what is expected. */
static rp_status take(const void **data, const rp_saved *saved, size_t plan, const char *name,
                      rp_dtype dtype, size_t labels, size_t each, rp_error *err)
{
    char key[NAME];
    const char *path = rp_safetensors_path(saved->file);
    snprintf(key, sizeof key, "%zu.%s", plan, name);
    const rp_tensor *t = rp_safetensors_find(saved->file, key);
    if (!t) return rp_fail(err, RP_EFORMAT, "'%s': no tensor '%s'", path, key);
    if (t->dtype != dtype || t->rank != 2 || t->shape[0] != labels || t->shape[1] != each)
        return rp_fail(err, RP_EFORMAT, "'%s': '%s' is not %s [%zu, %zu]", path, key,
                       rp_dtype_name(dtype), labels, each);
    if (t->count && (uintptr_t)t->data % rp_dtype_size(dtype))
        return rp_fail(err, RP_EFORMAT, "'%s': '%s' is not aligned", path, key);
    *data = t->data;
    return RP_OK;
}

static rp_status check_seal(const rp_saved *saved, const rp_parts *parts, rp_error *err)
{
    const void *data;
    uint64_t seal[2];
    size_t n = rp_safetensors_count(saved->file), m = 0;
    const char *path = rp_safetensors_path(saved->file);
    rp_status status = take(&data, saved, 0, "seal", RP_U64, 1, 2, err);
    if (status) return status;
    memcpy(seal, data, sizeof seal);
    if (seal[0] != parts->fingerprint)
        return rp_fail(err, RP_EFORMAT, "'%s': of another job", path);
    rp_tensor *rest = rp_alloc(n, sizeof *rest);
    if (!rest) return rp_fail_memory(err, n * sizeof *rest);
    for (size_t i = 0; i < n; i++)
        if (rp_safetensors_at(saved->file, i)->data != data)
            rest[m++] = *rp_safetensors_at(saved->file, i);
    uint64_t sum = checksum(rest, m);
    free(rest);
    if (sum != seal[1]) return rp_fail(err, RP_EFORMAT, "'%s': was altered", path);
    return RP_OK;
}

static rp_status read_plan(rp_saved *saved, size_t plan, const rp_unit_shape *shape, rp_error *err)
{
    rp_unit_out *out = &saved->out[plan];
    const void *data;
    *out = (rp_unit_out){.labels = shape->labels,
                         .rows = shape->rows,
                         .queries = shape->queries,
                         .width = shape->width,
                         .draws = shape->draws,
                         .result = rp_alloc(shape->labels, sizeof *out->result)};
    if (!out->result) return rp_fail_memory(err, shape->labels * sizeof *out->result);
    rp_status status = take(&data, saved, plan, "result", RP_F64, shape->labels, NFIELDS, err);
    for (size_t p = 0; p < shape->labels && !status; p++)
        if (!unpack(&out->result[p], (const double *)data + p * NFIELDS))
            status = rp_fail(err, RP_EFORMAT, "'%s': a result of label %zu is not a count",
                             rp_safetensors_path(saved->file), p);
    for (size_t a = 0; a < NARRAYS && !status; a++) {
        if (!(shape->want & arrays[a].want)) continue;
        status = take(&data, saved, plan, arrays[a].name, arrays[a].dtype, shape->labels,
                      columns(shape, a), err);
        if (!status) memcpy((char *)out + arrays[a].offset, &data, sizeof data);
    }
    return status;
}

rp_status rp_saved_read(rp_saved *saved, const char *path, const rp_parts *parts,
                        const rp_unit_shape *shape, size_t nplans, rp_error *err)
{
    *saved = (rp_saved){.nplans = nplans};
    rp_status status = rp_safetensors_open(&saved->file, path, err);
    if (status) return status;
    saved->out = rp_alloc(nplans, sizeof *saved->out);
    if (!saved->out) status = rp_fail_memory(err, nplans * sizeof *saved->out);
    if (!status && parts) status = check_seal(saved, parts, err);
    for (size_t i = 0; i < nplans && !status; i++) status = read_plan(saved, i, &shape[i], err);
    if (status) rp_saved_release(saved);
    return status;
}

rp_status rp_saved_open(rp_saved *saved, const rp_parts *parts, size_t unit,
                        const rp_unit_shape *shape, size_t nplans, rp_error *err)
{
    char path[PATH_MAX];
    rp_status status = part_path(path, parts, unit, err);
    return status ? status : rp_saved_read(saved, path, parts, shape, nplans, err);
}
