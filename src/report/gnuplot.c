#include "report/gnuplot.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "report/palette.h"

extern char **environ;

/* A view or protocol as part of a file name. */
static void append_name(char *name, size_t cap, const char *part)
{
    size_t n = strlen(name);
    if (!*part || n + 2 >= cap) return;
    name[n++] = '.';
    for (; *part && n + 1 < cap; part++)
        name[n++] = isalnum((unsigned char)*part) || strchr("._-", *part) ? *part : '_';
    name[n] = 0;
}

static void quote(FILE *file, const char *text, bool tic)
{
    fputc('\'', file);
    for (; *text; text++) {
        if (*text == '\'')
            fputs("\u2019", file); /* gnuplot's own way of doubling it fails at a string's start */
        else if (*text == '%' && tic)
            fputs("%%", file);
        else
            fputc((unsigned char)*text < ' ' ? ' ' : *text, file);
    }
    fputc('\'', file);
}

void rp_figure_quote(FILE *file, const char *text)
{
    quote(file, text, false);
}

void rp_figure_quote_tic(FILE *file, const char *text)
{
    quote(file, text, true);
}

void rp_figure_number(FILE *file, double value)
{
    if (isnan(value))
        fputs("nan", file);
    else
        fprintf(file, "%.6g", value);
}

static void write_head(const rp_figure *figure, rp_figure_size size)
{
    FILE *f = figure->script.file;
    const char *name = figure->name;
    fprintf(f,
            "# rankprobe %s. In this folder, `gnuplot %s.gp` draws %s.svg, .pdf and .png again.\n"
            "if (!exists('format')) { do for [format in 'page svg pdf png'] { load '%s.gp' }\n"
            "exit }\n"
            "reset\n"
            "set encoding utf8\n",
            rp_version(), name, name, name);
    fprintf(
        f,
        "if (format eq 'page') { set terminal svg noenhanced size %u,%u font 'sans-serif,12' }\n"
        "if (format eq 'svg') { set terminal svg noenhanced size %u,%u font 'sans-serif,12' "
        "background rgb '#ffffff' }\n"
        "if (format eq 'pdf') { set terminal pdfcairo noenhanced size %.2fin,%.2fin "
        "font 'sans-serif,9' }\n"
        "if (format eq 'png') { set terminal pngcairo noenhanced size %u,%u "
        "font 'sans-serif,18' linewidth 2 background rgb '#ffffff' }\n"
        "if (format ne 'page') { set output '%s.'.format }\n",
        size.panel_width, size.panel_height, size.width, size.height, size.width / 96.0,
        size.height / 96.0, size.width * 2, size.height * 2, name);
    fprintf(f,
            "set datafile separator \"\\t\"\n"
            "set datafile missing 'nan'\n"
            "set border 3 linecolor rgb '#%06x'\n"
            "set tics nomirror scale 0.4 textcolor rgb '#%06x'\n"
            "set grid ytics linetype 1 linewidth 0.5 linecolor rgb '#%06x'\n"
            "set style fill transparent solid 0.12 noborder\n"
            "unset key\n",
            rp_palette_muted.light, rp_palette_muted.light, rp_palette_grid.light);
}

rp_status rp_figure_open(rp_figure *figure, const char *dir, const char *kind, const char *view,
                         const char *protocol, rp_figure_size size, rp_error *err)
{
    *figure = (rp_figure){.dir = dir};
    snprintf(figure->name, sizeof figure->name, "%s", kind);
    append_name(figure->name, sizeof figure->name - 8, protocol);
    append_name(figure->name, sizeof figure->name - 8, view);
    char file[272];
    rp_status status;
    snprintf(file, sizeof file, "%s.gp", figure->name);
    status = rp_path_join(figure->script_path, sizeof figure->script_path, dir, file, err);
    snprintf(file, sizeof file, "%s.tsv", figure->name);
    if (!status) status = rp_path_join(figure->data_path, sizeof figure->data_path, dir, file, err);
    if (!status) status = rp_out_open(&figure->script, figure->script_path, err);
    if (!status) status = rp_out_open(&figure->data, figure->data_path, err);
    if (status)
        rp_figure_release(figure);
    else
        write_head(figure, size);
    return status;
}

void rp_figure_panel(rp_figure *figure)
{
    figure->panels++;
    fprintf(figure->script.file, "\nif (format eq 'page') { set output '%s.%zu.svg' }\n",
            figure->name, figure->panels);
}

void rp_figure_release(rp_figure *figure)
{
    rp_out_release(&figure->script);
    rp_out_release(&figure->data);
}

/* Starts gnuplot in the folder with its words going into *words. */
static int spawn(pid_t *pid, int *words, const char *dir, const char *file)
{
    int ends[2];
    posix_spawn_file_actions_t actions;
    if (pipe(ends)) return errno;
    int failed = posix_spawn_file_actions_init(&actions);
    if (failed) {
        close(ends[0]);
        close(ends[1]);
        return failed;
    }
    char *argv[] = {"gnuplot", (char *)file, NULL};
    if (!(failed = posix_spawn_file_actions_addchdir_np(&actions, dir)) &&
        !(failed = posix_spawn_file_actions_adddup2(&actions, ends[1], 2)) &&
        !(failed = posix_spawn_file_actions_adddup2(&actions, ends[1], 1)) &&
        !(failed = posix_spawn_file_actions_addclose(&actions, ends[0])))
        failed = posix_spawnp(pid, "gnuplot", &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (failed)
        close(ends[0]);
    else
        *words = ends[0];
    return failed;
}

/* Reads everything that gnuplot says, so that it never blocks, and keeps the end of it: the error
 * comes after any warnings. */
static void listen_to(int words, char *said, size_t cap)
{
    char buffer[512];
    size_t n = 0;
    ssize_t got;
    while ((got = read(words, buffer, sizeof buffer)) > 0 || (got < 0 && errno == EINTR))
        for (ssize_t i = 0; i < got; i++) {
            if (n + 1 == cap) {
                memmove(said, said + cap / 2, n - cap / 2);
                n -= cap / 2;
            }
            bool space = isspace((unsigned char)buffer[i]);
            if (!space || (n && said[n - 1] != ' ')) said[n++] = space ? ' ' : buffer[i];
        }
    while (n && said[n - 1] == ' ') n--;
    said[n] = 0;
    close(words);
}

static rp_status run(const rp_figure *figure, rp_error *err)
{
    char said[300], file[272];
    pid_t pid;
    int words = -1, state;
    snprintf(file, sizeof file, "%s.gp", figure->name);
    int failed = spawn(&pid, &words, figure->dir, file);
    if (failed == ENOENT)
        return rp_fail(
            err, RP_EIO,
            "gnuplot not found in PATH: it draws the figures (Debian package gnuplot-nox); "
            "script and data are in '%s'",
            figure->script_path);
    if (failed) return rp_fail(err, RP_EIO, "gnuplot could not be started: %s", strerror(failed));
    listen_to(words, said, sizeof said);
    while (waitpid(pid, &state, 0) < 0)
        if (errno != EINTR) return rp_fail_errno(err, "gnuplot");
    if (WIFEXITED(state) && WEXITSTATUS(state) == 0) return RP_OK;
    return rp_fail(err, RP_EIO, "gnuplot failed on '%s': %s", figure->script_path,
                   *said ? said : "it said nothing");
}

rp_status rp_figure_draw(rp_figure *figure, rp_error *err)
{
    fprintf(figure->script.file, "unset output\n");
    rp_status status = rp_out_commit(&figure->data, err);
    if (!status) status = rp_out_commit(&figure->script, err);
    return status ? status : run(figure, err);
}
