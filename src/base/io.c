#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

/* What lies in a clone of a Hugging Face repository where git-lfs is not installed. */
static rp_status check_pointer(const char *data, size_t size, const char *path, rp_error *err)
{
    static const char first[] = "version https://git-lfs.github.com/spec/";
    if (size < sizeof first || memcmp(data, first, sizeof first - 1) != 0) return RP_OK;
    return rp_fail(err, RP_EFORMAT,
                   "'%s': a pointer of Git LFS, not the file itself: get it by 'git lfs pull'",
                   path);
}

rp_status rp_mapping_open(rp_mapping *map, const char *path, rp_error *err)
{
    *map = (rp_mapping){0};
    rp_status s = RP_OK;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* does not wait for a pipe's writer */
    if (fd < 0) return rp_fail_errno(err, path);
    struct stat st;
    if (fstat(fd, &st) != 0) {
        s = rp_fail_errno(err, path);
    } else if (S_ISDIR(st.st_mode)) {
        s = rp_fail(err, RP_EIO, "'%s': is a directory", path);
    } else if (!S_ISREG(st.st_mode)) {
        s = rp_fail(err, RP_EIO, "'%s': is not a regular file", path);
    } else if (st.st_size > 0) {
        void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED) {
            s = rp_fail_errno(err, path);
        } else {
            map->data = p;
            map->size = (size_t)st.st_size;
            s = check_pointer(p, map->size, path, err);
            if (s) rp_mapping_release(map);
        }
    }
    close(fd);
    return s;
}

void rp_mapping_release(rp_mapping *map)
{
    if (map->data) munmap((void *)(uintptr_t)map->data, map->size);
    *map = (rp_mapping){0};
}

bool rp_path_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

bool rp_path_is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool rp_path_is_same(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && S_ISREG(x.st_mode) && x.st_dev == y.st_dev &&
           x.st_ino == y.st_ino;
}

rp_status rp_path_join(char *out, size_t cap, const char *dir, const char *name, rp_error *err)
{
    size_t len = strlen(dir);
    const char *slash = len && dir[len - 1] == '/' ? "" : "/";
    int n = snprintf(out, cap, "%s%s%s", dir, slash, name);
    if (n < 0 || (size_t)n >= cap) {
        return rp_fail(err, RP_EARG, "path too long: '%.100s...%s'", dir, name);
    }
    return RP_OK;
}

rp_status rp_path_make_dirs(const char *path, rp_error *err)
{
    char part[PATH_MAX];
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof part) return rp_fail(err, RP_EARG, "bad path '%.100s'", path);
    memcpy(part, path, len + 1);
    for (size_t i = 1; i <= len; i++) {
        if (part[i] != '/' && part[i] != '\0') continue;
        part[i] = '\0';
        if (mkdir(part, 0777) != 0) {
            int e = errno;
            if (e == EEXIST && !rp_path_is_dir(part)) e = ENOTDIR;
            if (e != EEXIST) {
                errno = e;
                return rp_fail_errno(err, part);
            }
        }
        if (i < len) part[i] = '/';
    }
    return RP_OK;
}

static rp_status read_all(rp_text *text, FILE *file, const char *path, size_t limit, rp_error *err)
{
    for (;;) {
        char block[1 << 14];
        errno = 0;
        size_t n = fread(block, 1, sizeof block, file);
        if (n == 0) break;
        if (n > limit - text->len) {
            return rp_fail(err, RP_ENOMEM, "'%s': larger than %zu bytes", path, limit);
        }
        rp_status s = rp_text_append(text, block, n, err);
        if (s) return s;
    }
    if (ferror(file)) return rp_fail_errno(err, path);
    return rp_text_append(text, "", 0, err);
}

rp_status rp_file_read(char **data, size_t *size, const char *path, size_t limit, rp_error *err)
{
    *data = NULL;
    if (size) *size = 0;
    bool standard = strcmp(path, "-") == 0;
    FILE *file = standard ? stdin : fopen(path, "rbe");
    if (!file) return rp_fail_errno(err, path);
    rp_text text = {0};
    rp_status s = read_all(&text, file, path, limit, err);
    if (!standard) fclose(file);
    if (!s) s = check_pointer(text.data, text.len, path, err);
    if (s) {
        rp_text_release(&text);
        return s;
    }
    *data = text.data;
    if (size) *size = text.len;
    return RP_OK;
}
