#include "study/ledger.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"

#define LIMIT ((size_t)64 << 20)
#define DEPTH 16

rp_status rp_step_text(rp_step *step, const char *name, const char *value, rp_error *err)
{
    return rp_text_printf(&step->options, err, "%s=%s\n", name, value ? value : "-");
}

rp_status rp_step_number(rp_step *step, const char *name, double value, rp_error *err)
{
    if (isnan(value)) return rp_step_text(step, name, NULL, err);
    return rp_text_printf(&step->options, err, "%s=%.17g\n", name, value);
}

/* ---- marks: what a file or folder looks like from outside ---- */

/* Name, size and time of change of everything under `path`, added up so that order is no matter. */
static rp_status add_mark(uint64_t *mark, const char *path, size_t skip, size_t depth,
                          rp_error *err)
{
    struct stat st;
    if (stat(path, &st)) return rp_fail_errno(err, path);
    uint64_t fields[] = {(uint64_t)st.st_size, (uint64_t)st.st_mtim.tv_sec,
                         (uint64_t)st.st_mtim.tv_nsec};
    if (!S_ISDIR(st.st_mode)) {
        const char *name = path + skip;
        *mark += rp_checksum_bytes(fields, sizeof fields, rp_checksum_bytes(name, strlen(name), 1));
        return RP_OK;
    }
    if (depth == DEPTH) return RP_OK;
    DIR *dir = opendir(path);
    if (!dir) return rp_fail_errno(err, path);
    rp_status status = RP_OK;
    for (struct dirent *d; !status && (d = readdir(dir));) {
        char file[PATH_MAX];
        if (d->d_name[0] == '.') continue;
        status = rp_path_join(file, sizeof file, path, d->d_name, err);
        if (!status) status = add_mark(mark, file, skip, depth + 1, err);
    }
    closedir(dir);
    return status;
}

/* The content of a store is what its manifest says; of all else, its bytes. */
static rp_status hash(uint64_t *sum, const char *path, rp_error *err)
{
    char manifest[PATH_MAX];
    rp_status status = rp_path_join(manifest, sizeof manifest, path, "store.json", err);
    if (status) return status;
    return rp_checksum_path(sum, rp_path_exists(manifest) ? manifest : path, err);
}

/* Records know files by their whole path, so that a study may be called from any folder. */
static const char *key_of(char key[PATH_MAX], const char *path)
{
    return realpath(path, key) ? key : path;
}

static void hex(char out[17], uint64_t value)
{
    snprintf(out, 17, "%016" PRIx64, value);
}

/* sum <- of the content, remembered as long as the mark is the same. *same (may be NULL): the mark
 * was known and did not change. */
static rp_status checksum(rp_ledger *ledger, char sum[17], bool *same, const char *path,
                          rp_error *err)
{
    uint64_t mark = 0, value;
    char text[17], buffer[PATH_MAX];
    const char *key = key_of(buffer, path);
    rp_status status = add_mark(&mark, path, strlen(path), 0, err);
    if (status) return status;
    hex(text, mark);
    json_t *known = json_object_get(ledger->checksum, key);
    const char *old = json_string_value(json_object_get(known, "mark"));
    const char *remembered = json_string_value(json_object_get(known, "sum"));
    bool holds = old && remembered && !strcmp(old, text) && strlen(remembered) == 16;
    if (same) *same = holds;
    if (holds) {
        memcpy(sum, remembered, 17);
        return RP_OK;
    }
    if ((status = hash(&value, path, err))) return status;
    hex(sum, value);
    ledger->changed = true;
    json_t *entry = json_pack("{s:s, s:s}", "mark", text, "sum", sum);
    if (!entry || json_object_set_new(ledger->checksum, key, entry)) return rp_fail_memory(err, 64);
    return RP_OK;
}

/* ---- files of the ledger ---- */

static rp_status record_path(char path[PATH_MAX], const rp_ledger *ledger, const char *name,
                             rp_error *err)
{
    char file[80];
    snprintf(file, sizeof file, "%s.json", name);
    return rp_path_join(path, PATH_MAX, ledger->dir, file, err);
}

/* An unreadable record is no record: the step is done again. */
static json_t *load(const rp_ledger *ledger, const char *name)
{
    char path[PATH_MAX], *text = NULL;
    size_t size;
    if (record_path(path, ledger, name, NULL) || rp_file_read(&text, &size, path, LIMIT, NULL))
        return NULL;
    json_t *json = json_loadb(text, size, 0, NULL);
    free(text);
    if (json_is_object(json)) return json;
    json_decref(json);
    return NULL;
}

static rp_status save(const rp_ledger *ledger, const char *name, const json_t *json, rp_error *err)
{
    char path[PATH_MAX];
    rp_out out;
    rp_status status = record_path(path, ledger, name, err);
    if (!status) status = rp_out_open(&out, path, err);
    if (status) return status;
    if (json_dumpf(json, out.file, JSON_INDENT(1) | JSON_SORT_KEYS))
        status = rp_fail_errno(err, path);
    fputc('\n', out.file);
    if (!status) status = rp_out_commit(&out, err);
    rp_out_release(&out);
    return status;
}

rp_status rp_ledger_open(rp_ledger *ledger, const char *output, rp_error *err)
{
    char dir[PATH_MAX];
    *ledger = (rp_ledger){0};
    rp_status status = rp_path_join(dir, sizeof dir, output, "steps", err);
    if (status) return status;
    ledger->dir = strdup(dir);
    ledger->checksum = ledger->dir ? load(ledger, "checksums") : NULL;
    if (!ledger->checksum) ledger->checksum = json_object();
    if (ledger->dir && ledger->checksum) return RP_OK;
    rp_ledger_release(ledger);
    return rp_fail_memory(err, sizeof dir);
}

void rp_ledger_release(rp_ledger *ledger)
{
    free(ledger->dir);
    json_decref(ledger->checksum);
    *ledger = (rp_ledger){0};
}

bool rp_ledger_knows(const rp_ledger *ledger, const rp_step *step)
{
    char path[PATH_MAX];
    return !record_path(path, ledger, step->name, NULL) && rp_path_exists(path);
}

/* ---- records ---- */

static rp_status sums(rp_ledger *ledger, json_t **json, const char *const *paths, rp_error *err)
{
    char sum[17], key[PATH_MAX];
    rp_status status = RP_OK;
    if (!(*json = json_object())) return rp_fail_memory(err, 64);
    for (size_t i = 0; !status && i < RP_STEP_FILES; i++) {
        if (!paths[i]) continue;
        status = checksum(ledger, sum, NULL, paths[i], err);
        if (!status && json_object_set_new(*json, key_of(key, paths[i]), json_string(sum)))
            status = rp_fail_memory(err, 64);
    }
    return status;
}

rp_status rp_ledger_save(rp_ledger *ledger, rp_error *err)
{
    if (!ledger->changed) return RP_OK;
    rp_status status = save(ledger, "checksums", ledger->checksum, err);
    ledger->changed = status != RP_OK;
    return status;
}

static rp_status write_record(rp_ledger *ledger, const rp_step *step, bool done, rp_error *err)
{
    json_t *inputs = NULL, *outputs = NULL, *record = NULL;
    rp_status status = rp_path_make_dirs(ledger->dir, err);
    if (!status) status = sums(ledger, &inputs, step->input, err);
    if (!status && done) status = sums(ledger, &outputs, step->output, err);
    if (!status) {
        record = json_pack("{s:s, s:s, s:s, s:s, s:O}", "step", step->name, "version", rp_version(),
                           "state", done ? "done" : "started", "options",
                           step->options.data ? step->options.data : "", "inputs", inputs);
        if (!record || (outputs && json_object_set(record, "outputs", outputs)))
            status = rp_fail_memory(err, 256);
    }
    if (!status) status = save(ledger, step->name, record, err);
    if (!status) status = rp_ledger_save(ledger, err);
    json_decref(inputs);
    json_decref(outputs);
    json_decref(record);
    return status;
}

rp_status rp_ledger_begin(rp_ledger *ledger, const rp_step *step, rp_error *err)
{
    return write_record(ledger, step, false, err);
}

rp_status rp_ledger_finish(rp_ledger *ledger, const rp_step *step, rp_error *err)
{
    return write_record(ledger, step, true, err);
}

/* The name of the first option that is not as it was. */
static void tell_option(char *why, size_t cap, const char *old, const char *now)
{
    while (*old && *old == *now) {
        size_t n = strcspn(old, "\n") + 1;
        if (strncmp(old, now, n) != 0) break;
        old += n;
        now += n;
    }
    const char *line = *now ? now : old;
    snprintf(why, cap, "option %.*s changed", (int)strcspn(line, "=\n"), line);
}

/* Is input i an earlier one again, such as a BEIR folder that is collection and queries? */
static bool is_repeated(const rp_step *step, size_t i)
{
    char key[PATH_MAX], other[PATH_MAX];
    const char *mine = key_of(key, step->input[i]);
    for (size_t j = 0; j < i; j++)
        if (step->input[j] && !strcmp(mine, key_of(other, step->input[j]))) return true;
    return false;
}

/* Fills `why` when an input is not what the record says. */
static rp_status look_inputs(rp_ledger *ledger, char *why, size_t cap, const rp_step *step,
                             const json_t *record, rp_error *err)
{
    const json_t *old = json_object_get(record, "inputs");
    size_t n = 0;
    for (size_t i = 0; i < RP_STEP_FILES; i++) {
        char sum[17], key[PATH_MAX];
        if (!step->input[i]) continue;
        rp_status status = checksum(ledger, sum, NULL, step->input[i], err);
        if (status) return status;
        const char *before = json_string_value(json_object_get(old, key_of(key, step->input[i])));
        n += !is_repeated(step, i);
        if (before && !strcmp(before, sum)) continue;
        snprintf(why, cap, before ? "'%s' changed" : "'%s' is new", step->input[i]);
        return RP_OK;
    }
    if (n != json_object_size(old)) snprintf(why, cap, "an input is no longer there");
    return RP_OK;
}

static rp_status look_outputs(rp_ledger *ledger, char *why, size_t cap, const rp_step *step,
                              const json_t *record, rp_error *err)
{
    const json_t *old = json_object_get(record, "outputs");
    for (size_t i = 0; i < RP_STEP_FILES; i++) {
        char sum[17], key[PATH_MAX];
        bool same;
        const char *path = step->output[i];
        if (!path) continue;
        if (!rp_path_exists(path)) {
            snprintf(why, cap, "'%s' is missing", path);
            return RP_OK;
        }
        rp_status status = checksum(ledger, sum, &same, path, err);
        if (status) return status;
        const char *before = json_string_value(json_object_get(old, key_of(key, path)));
        /* A folder's checksum is its manifest's, which does not see that another file is gone. */
        bool altered = !before || strcmp(before, sum) != 0 || (!same && rp_path_is_dir(path));
        if (altered) {
            /* What was there is no longer vouched for: forget its mark, or it would pass next time.
             */
            json_object_del(ledger->checksum, key_of(key, path));
            snprintf(why, cap, "'%s' was altered", path);
            return RP_OK;
        }
    }
    return RP_OK;
}

rp_status rp_ledger_look(rp_ledger *ledger, rp_step_state *state, char *why, size_t cap,
                         const rp_step *step, rp_error *err)
{
    json_t *record = load(ledger, step->name);
    const char *now = step->options.data ? step->options.data : "";
    const char *version = json_string_value(json_object_get(record, "version"));
    const char *options = json_string_value(json_object_get(record, "options"));
    const char *was = json_string_value(json_object_get(record, "state"));
    rp_status status = RP_OK;
    *state = RP_STEP_STALE;
    *why = 0;
    if (!version || !options || !was)
        snprintf(why, cap, "never done");
    else if (strcmp(version, rp_version()) != 0)
        snprintf(why, cap, "made by version %s", version);
    else if (strcmp(options, now) != 0)
        tell_option(why, cap, options, now);
    else
        status = look_inputs(ledger, why, cap, step, record, err);
    if (!status && !*why && strcmp(was, "done") != 0) {
        *state = RP_STEP_STARTED;
        snprintf(why, cap, "interrupted");
    }
    if (!status && !*why) status = look_outputs(ledger, why, cap, step, record, err);
    if (!status && !*why) *state = RP_STEP_DONE;
    json_decref(record);
    return status;
}
