/*
 * Every bad file and command line of tests/cli/bad.tsv gives its message and exit code, prints
 * nothing on standard output and leaves no file behind. In the table $B is the folder of bad files,
 * $TMP a temporary directory; the message is the first line of standard error after warnings.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/table.h"
#include "support/support.h"

#define BAD_FILES "tests/cli/bad"
#define TEXTS "--queries " BAD_FILES "/queries.tsv --collection " BAD_FILES "/passages.tsv"

static rp_table *table;
static size_t row_of_name[512];

/* The message with $B and $TMP replaced; free(). */
static char *expand(const char *message)
{
    rp_text out = {0};
    while (*message) {
        const char *value = NULL;
        size_t skip_bytes = 1;
        if (strncmp(message, "$B", 2) == 0) {
            value = BAD_FILES;
            skip_bytes = 2;
        } else if (strncmp(message, "$TMP", 4) == 0) {
            value = rp_test_tmpdir();
            skip_bytes = 4;
        }
        rp_text_append(&out, value ? value : message, value ? strlen(value) : 1, NULL);
        message += skip_bytes;
    }
    rp_text_append(&out, "", 0, NULL);
    return out.data;
}

/* The first line that is not a warning, without "rankprobe: "; cut in place. */
static const char *first_message(char *err)
{
    static const char prefix[] = "rankprobe: ", warning[] = "rankprobe: warning: ";
    while (strncmp(err, warning, sizeof warning - 1) == 0) {
        err += strcspn(err, "\n");
        err += *err == '\n';
    }
    err[strcspn(err, "\n")] = '\0';
    return strncmp(err, prefix, sizeof prefix - 1) == 0 ? err + sizeof prefix - 1 : err;
}

/* Files in the temporary directory, the two that hold the command's streams not counted. */
static size_t count_files(void)
{
    size_t n = 0;
    DIR *dir = opendir(rp_test_tmpdir());
    assert_non_null(dir);
    for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        n += e->d_name[0] != '.' && strncmp(e->d_name, "command.", 8) != 0;
    }
    closedir(dir);
    return n;
}

static void gives_its_message(void **state)
{
    size_t row = *(const size_t *)*state;
    double code;
    rp_error error;
    assert_ok(rp_table_number(table, row, 0, &code, &error), &error);
    const char *command = rp_table_cell(table, row, 1);
    size_t before = count_files();
    char *out, *err, *want = expand(rp_table_cell(table, row, 2));
    int got = rp_test_command(&out, &err, command);
    const char *message = first_message(err);
    if (got != (int)code || strcmp(message, want) != 0 || *out) {
        print_error(
            "line %zu: %s\n  exit %d, wanted %d\n  got    %s\n  wanted %s\n  stdout %.60s\n",
            rp_table_line(table, row), command, got, (int)code, message, want, out);
        fail();
    }
    if (count_files() != before) fail_msg("line %zu: a file was left behind", row);
    free(out);
    free(err);
    free(want);
}

int main(void)
{
    rp_error err;
    setenv("B", BAD_FILES, 1);
    setenv("TEXTS", TEXTS, 1);
    setenv("PAIRS", "--run " BAD_FILES "/run.trec " TEXTS, 1);
    if (rp_table_read(&table, "tests/cli/bad.tsv", &err)) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    size_t n = rp_table_rows(table);
    if (rp_table_columns(table) != 3 || n > 512) return 1;
    struct CMUnitTest *tests = calloc(n, sizeof *tests);
    if (!tests) return 1;
    for (size_t i = 0; i < n; i++) {
        row_of_name[i] = i;
        tests[i] = (struct CMUnitTest){.name = rp_table_cell(table, i, 1),
                                       .test_func = gives_its_message,
                                       .initial_state = &row_of_name[i]};
    }
    int failed = _cmocka_run_group_tests("bad", tests, n, NULL, NULL);
    free(tests);
    rp_table_free(table);
    return failed;
}
