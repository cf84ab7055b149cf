/* The host of the process: the command line, progress, warnings, interruption, the closing line. */
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"

#define TTY_EVERY 0.1 /* seconds between two drawings on a terminal */
#define LOG_EVERY 30.0

static volatile sig_atomic_t interrupted;

static struct {
    bool quiet, mute, terminal, drawn; /* drawn: a progress line stands on the terminal */
    double start;
    char *command;
    char what[64];      /* of the progress that is being drawn */
    size_t first;       /* units that were done when it began */
    double since, last; /* when it began, when it was last drawn */
    rp_host host;
    const char *help_for; /* the command's name, for usage errors */
} self;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void on_signal(int number)
{
    interrupted = 1;
    signal(number, SIG_DFL); /* the second one kills */
}

/* A mapped file became shorter, or its disk failed: there is nothing to go on with. */
static void on_bus_error(int number, siginfo_t *info, void *context)
{
    static const char text[] =
        "rankprobe: a file that is being read was cut or replaced, or its disk failed\n";
    (void)context;
    signal(number, SIG_DFL);
    if (info->si_code != BUS_ADRERR) {
        raise(number);
        return;
    }
    ssize_t written = write(STDERR_FILENO, text, sizeof text - 1);
    (void)written;
    _exit(1);
}

static void clear_line(void)
{
    if (self.drawn) fputs("\r\033[K", stderr);
    self.drawn = false;
}

/* 75 s -> "1:15", 3700 s -> "1:01:40" */
static void format_time(char *out, size_t cap, double seconds)
{
    unsigned long t = seconds < 0       ? 0
                      : seconds > 3.6e8 ? 360000000ul
                                        : (unsigned long)(seconds + .5);
    if (t >= 3600) {
        snprintf(out, cap, "%lu:%02lu:%02lu", t / 3600, t / 60 % 60, t % 60);
    } else {
        snprintf(out, cap, "%lu:%02lu", t / 60, t % 60);
    }
}

static void draw(size_t done, size_t total, double t)
{
    double spent = t - self.since, rate = 0;
    if (done > self.first && spent > 0) rate = (double)(done - self.first) / spent;
    char left[32] = "";
    if (self.terminal) clear_line();
    fprintf(stderr, "%s%s: %zu", self.terminal ? "" : "rankprobe: ", self.what, done);
    if (total) fprintf(stderr, " of %zu (%.0f %%)", total, 100.0 * (double)done / (double)total);
    if (rate > 0) fprintf(stderr, ", %.*f/s", rate < 10 ? 1 : 0, rate);
    if (rate > 0 && total > done) {
        format_time(left, sizeof left, (double)(total - done) / rate);
        fprintf(stderr, ", %s left", left);
    }
    if (self.terminal) {
        fflush(stderr);
    } else {
        putc('\n', stderr);
    }
    self.drawn = self.terminal;
}

static int progress(void *arg, const char *what, size_t done, size_t total)
{
    (void)arg;
    if (interrupted) {
        clear_line();
        return 1;
    }
    if (self.quiet || self.mute) return 0;
    double t = now();
    if (strncmp(what, self.what, sizeof self.what - 1) != 0) {
        clear_line();
        snprintf(self.what, sizeof self.what, "%s", what);
        self.first = done;
        self.since = self.last = t;
    }
    if (t - self.last < (self.terminal ? TTY_EVERY : LOG_EVERY)) return 0;
    self.last = t;
    draw(done, total, t);
    return 0;
}

static void warn(void *arg, const char *text)
{
    (void)arg;
    if (self.mute) return;
    clear_line();
    fprintf(stderr, "rankprobe: warning: %s\n", text);
}

static void note(void *arg, const char *text)
{
    (void)arg;
    if (self.quiet || self.mute) return;
    clear_line();
    fprintf(stderr, "rankprobe: %s\n", text);
}

/* Appends a word as a shell would need it. */
static void quote(FILE *to, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "-_./,:=@+%";
    if (*word && word[strspn(word, plain)] == '\0') {
        fputs(word, to);
        return;
    }
    putc('\'', to);
    for (; *word; word++) fputs(*word == '\'' ? "'\\''" : (char[]){*word, '\0'}, to);
    putc('\'', to);
}

/* Where a standard stream was closed, the first file that is opened would get its number, and what
 * is printed would land in it. One that can neither be read nor written as asked takes the place.
 */
static void hold_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0) open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    }
}

rp_status rp_cli_start(int argc, char **argv, rp_error *err)
{
    hold_streams();
    self.start = now();
    self.terminal = isatty(STDERR_FILENO);
    size_t size;
    FILE *line = open_memstream(&self.command, &size);
    if (!line) return rp_fail_memory(err, 1);
    fputs("rankprobe", line);
    for (int i = 1; i < argc; i++) {
        putc(' ', line);
        quote(line, argv[i]);
    }
    if (fclose(line) != 0) return rp_fail_memory(err, 1);
    self.host =
        (rp_host){.progress = progress, .warn = warn, .note = note, .command = self.command};
    self.help_for = NULL;
    struct sigaction act = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
    act = (struct sigaction){.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};
    sigaction(SIGBUS, &act, NULL);
    return RP_OK;
}

void rp_cli_quiet(bool quiet)
{
    self.quiet = quiet;
}

void rp_cli_mute(void)
{
    self.mute = true;
    FILE *null = freopen("/dev/null", "w", stdout);
    (void)null; /* what cannot be written there is not missed */
}

void rp_cli_help_for(const char *command)
{
    self.help_for = command;
}

const rp_host *rp_cli_host(void)
{
    return &self.host;
}

static double seconds_of(struct timeval t)
{
    return (double)t.tv_sec + 1e-6 * (double)t.tv_usec;
}

static void print_closing(void)
{
    struct rusage u, c;
    getrusage(RUSAGE_SELF, &u);
    getrusage(RUSAGE_CHILDREN, &c);
    double cpu = seconds_of(u.ru_utime) + seconds_of(u.ru_stime) + seconds_of(c.ru_utime) +
                 seconds_of(c.ru_stime);
    long peak = u.ru_maxrss > c.ru_maxrss ? u.ru_maxrss : c.ru_maxrss;
    fprintf(stderr, "rankprobe: %.2f s, %.2f s of CPU, %.0f MiB at most\n", now() - self.start, cpu,
            (double)peak / 1024.0);
}

int rp_cli_finish(rp_status status, const rp_error *err)
{
    clear_line();
    if (self.mute) {
        /* the first process says it */
    } else if (status) {
        fprintf(stderr, "rankprobe: %s\n", err ? err->text : "failed");
    } else if (!self.quiet) {
        print_closing();
    }
    free(self.command);
    self.command = NULL;
    self.host.command = NULL;
    switch (status) {
    case RP_OK:
        return 0;
    case RP_EARG:
        return 2;
    case RP_ECANCEL:
        return 130;
    default:
        return 1;
    }
}

int rp_cli_usage(const char *fmt, ...)
{
    va_list ap;
    if (self.mute) return 2;
    va_start(ap, fmt);
    fputs("rankprobe: ", stderr);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fprintf(stderr, "\ntry 'rankprobe %s%s--help'\n", self.help_for ? self.help_for : "",
            self.help_for ? " " : "");
    return 2;
}

int rp_cli_flush(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout)) return 0;
    rp_error err;
    rp_fail_errno(&err, "standard output");
    fprintf(stderr, "rankprobe: %s\n", err.text);
    return 1;
}
