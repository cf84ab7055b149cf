#include "base/io.h"
#include "support/fuzz.h"

int rp_fuzz_one(const uint8_t *data, size_t n)
{
    rp_error err;
    rp_lines *lines;
    char *line = NULL;
    rp_status s = rp_lines_open(&lines, rp_fuzz_file(data, n), &err);
    do {
        size_t len;
        if (!s) s = rp_lines_next(lines, &line, &len, &err);
        if (!s && line && line[len] != '\0') __builtin_trap();
    } while (!s && line);
    rp_lines_free(lines);
    return 0;
}
