#include "model/locate.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/memory.h"

#define PATH_SIZE 4096
#define REF_LIMIT 4096

static rp_status keep(char **dir, const char *path, rp_error *err)
{
    *dir = strdup(path);
    return *dir ? RP_OK : rp_fail_memory(err, strlen(path));
}

/* ---- snapshots ---- */

/* name [] <- the only entry of a directory, "" when there is none; RP_EFORMAT: several. */
static rp_status only_entry(char name[256], const char *path, rp_error *err)
{
    DIR *d = opendir(path);
    rp_status s = RP_OK;
    *name = '\0';
    if (!d) return RP_OK; /* nothing was downloaded */
    for (struct dirent *e; !s && (e = readdir(d));) {
        if (e->d_name[0] == '.') continue;
        if (*name)
            s = rp_fail(err, RP_EFORMAT,
                        "'%s': several snapshots and no refs/main: give the directory of one",
                        path);
        snprintf(name, 256, "%s", e->d_name);
    }
    closedir(d);
    return s;
}

/* name [] <- the commit in refs/main, "" when there is no such file. */
static rp_status read_ref(char name[256], const char *path, rp_error *err)
{
    char *text = NULL;
    *name = '\0';
    if (!rp_path_exists(path)) return RP_OK;
    rp_status s = rp_file_read(&text, NULL, path, REF_LIMIT, err);
    if (s) return s;
    size_t n = strspn(text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-");
    if (n == 0 || n >= 256 || text[n + strspn(text + n, " \r\n")] != '\0')
        s = rp_fail(err, RP_EFORMAT, "'%s': not the name of a snapshot: '%.60s'", path, text);
    else
        snprintf(name, 256, "%.*s", (int)n, text);
    free(text);
    return s;
}

/* The snapshot of a repository in a cache, root/models--org--name; *dir stays NULL without one. */
static rp_status find_snapshot(char **dir, const char *root, const char *repository, rp_error *err)
{
    char folder[PATH_SIZE], snapshots[PATH_SIZE], path[PATH_SIZE], name[256];
    rp_status s = rp_path_join(folder, sizeof folder, root, repository, err);
    if (s || !rp_path_is_dir(folder)) return s;
    if ((s = rp_path_join(path, sizeof path, folder, "refs/main", err))) return s;
    if ((s = read_ref(name, path, err))) return s;
    bool named = *name;
    if ((s = rp_path_join(snapshots, sizeof snapshots, folder, "snapshots", err))) return s;
    if (!named && ((s = only_entry(name, snapshots, err)) || !*name)) return s;
    if ((s = rp_path_join(path, sizeof path, snapshots, name, err))) return s;
    if (rp_path_is_dir(path)) return keep(dir, path, err);
    return rp_fail(err, RP_EFORMAT, "'%s': not a directory%s", path,
                   named ? ", although refs/main names it" : "");
}

/* ---- places ---- */

/* out <- the Hugging Face cache, "" when no variable tells. */
static rp_status cache_path(char out[PATH_SIZE], rp_error *err)
{
    static const struct {
        const char *variable, *below;
    } places[] = {{"HF_HUB_CACHE", ""},
                  {"HF_HOME", "hub"},
                  {"XDG_CACHE_HOME", "huggingface/hub"},
                  {"HOME", ".cache/huggingface/hub"}};
    *out = '\0';
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const char *value = getenv(places[i].variable);
        if (!value || !*value) continue;
        if (*places[i].below) return rp_path_join(out, PATH_SIZE, value, places[i].below, err);
        if (strlen(value) >= PATH_SIZE) return rp_fail(err, RP_EARG, "$HF_HUB_CACHE is too long");
        snprintf(out, PATH_SIZE, "%s", value);
        return RP_OK;
    }
    return RP_OK;
}

/* "name" or "org/name", which no path on a disk need be */
static bool is_repository(const char *name)
{
    const char *slash = strchr(name, '/'), *last = slash ? slash + 1 : name;
    return !strchr("./~", *name) && *last && !strchr("./~", *last) && !strchr(last, '/');
}

/* out <- "org--name" */
static rp_status join_parts(char out[PATH_SIZE], const char *before, const char *name,
                            rp_error *err)
{
    const char *slash = strchr(name, '/');
    int n =
        slash ? snprintf(out, PATH_SIZE, "%s%.*s--%s", before, (int)(slash - name), name, slash + 1)
              : snprintf(out, PATH_SIZE, "%s%s", before, name);
    return n < PATH_SIZE ? RP_OK : rp_fail(err, RP_EARG, "name too long: '%.100s...'", name);
}

/* *dir <- root/name where that is a directory */
static rp_status try_place(char **dir, const char *root, const char *name, rp_error *err)
{
    char path[PATH_SIZE];
    if (*dir || !*name) return RP_OK;
    rp_status s = rp_path_join(path, sizeof path, root, name, err);
    return s || !rp_path_is_dir(path) ? s : keep(dir, path, err);
}

static rp_status find_repository(char **dir, const char *name, const char *models,
                                 const char *cache, rp_error *err)
{
    char joined[PATH_SIZE], repository[PATH_SIZE];
    rp_status s = join_parts(joined, "", name, err);
    if (!s) s = join_parts(repository, "models--", name, err);
    if (!s && models) s = try_place(dir, models, name, err);
    if (!s && models) s = try_place(dir, models, joined, err);
    if (!s && models && strchr(name, '/')) s = try_place(dir, models, strchr(name, '/') + 1, err);
    if (!s && models && !*dir) s = find_snapshot(dir, models, repository, err);
    if (!s && *cache && !*dir) s = find_snapshot(dir, cache, repository, err);
    return s;
}

/* A path that is somebody else's: into a cache of Hugging Face, or by its last component. */
static rp_status find_foreign(char **dir, const char *name, const char *models, const char *cache,
                              rp_error *err)
{
    static const char mark[] = "/models--";
    char part[PATH_SIZE];
    const char *folder = strstr(name, mark);
    size_t end = strlen(name);
    if (end >= sizeof part) return RP_OK;
    if (folder) {
        folder += sizeof mark - 1;
        snprintf(part, sizeof part, "%.*s", (int)strcspn(folder, "/"), folder);
        char *dashes = strstr(part, "--"); /* no name has two in a row */
        if (dashes) memmove(dashes + 1, dashes + 2, strlen(dashes + 2) + 1);
        if (dashes) *dashes = '/';
        return is_repository(part) ? find_repository(dir, part, models, cache, err) : RP_OK;
    }
    while (end > 0 && name[end - 1] == '/') end--;
    size_t begin = end;
    while (begin > 0 && name[begin - 1] != '/') begin--;
    if (!models || end == begin || name[begin] == '.') return RP_OK;
    snprintf(part, sizeof part, "%.*s", (int)(end - begin), name + begin);
    return try_place(dir, models, part, err);
}

static rp_status not_found(const char *name, const char *models, const char *cache, rp_error *err)
{
    const char *where = models ? models : cache;
    if (!is_repository(name) && models)
        return rp_fail(err, RP_EIO,
                       "'%s': no such directory, nor is its last part in '%s': give the directory "
                       "of the (base) model",
                       name, models);
    if (!is_repository(name))
        return rp_fail(err, RP_EIO, "'%s': no such directory: give that of the (base) model", name);
    if (!models || !*cache)
        return rp_fail(err, RP_EIO, "'%s': not a directory%s%s%s", name, *where ? ", nor in '" : "",
                       where, *where ? "'" : "");
    return rp_fail(err, RP_EIO, "'%s': not a directory, nor in '%s', nor in the cache '%s'", name,
                   models, cache);
}

rp_status rp_model_locate(char **dir, const char *name, const char *models, rp_error *err)
{
    char cache[PATH_SIZE];
    *dir = NULL;
    if (!*name) return rp_fail(err, RP_EARG, "a model without a name");
    if (rp_path_is_dir(name)) return keep(dir, name, err);
    rp_status s = cache_path(cache, err);
    if (!s)
        s = is_repository(name) ? find_repository(dir, name, models, cache, err)
                                : find_foreign(dir, name, models, cache, err);
    return s || *dir ? s : not_found(name, models, cache, err);
}
