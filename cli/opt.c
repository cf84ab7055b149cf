/* Options as tables, over getopt_long: parsing, usage errors with suggestions, --help. */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "cli/cli.h"

#define WIDTH 80
#define MAX_OPTIONS 96
#define MAX_THREADS 1024 /* OpenMP ends the process where it cannot start what was asked for */

static int threads;
static bool quiet, want_help, want_version;

/* What every command knows. */
static const rp_opt common[] = {
    {"", 0, RP_OPT_FLAG, NULL, NULL, "common options", NULL},
    {"threads", 'j', RP_OPT_INT, &threads, "N", "threads; 0 is all that the machine has", NULL},
    {"quiet", 'q', RP_OPT_FLAG, &quiet, NULL, "no progress, no closing line", NULL},
    {"help", 'h', RP_OPT_FLAG, &want_help, NULL, "this page", NULL},
    {"version", 0, RP_OPT_FLAG, &want_version, NULL, "the version", NULL},
    {0},
};

int rp_cli_threads(void)
{
    return threads;
}

/* ---- suggestions ---- */

/* Edit distance with transpositions, of words short enough for the table. */
static size_t distance(const char *a, const char *b)
{
    enum { CAP = 40 };
    size_t d[CAP + 1][CAP + 1], n = strlen(a), m = strlen(b);
    if (n > CAP || m > CAP) return SIZE_MAX;
    for (size_t i = 0; i <= n; i++) d[i][0] = i;
    for (size_t j = 0; j <= m; j++) d[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        for (size_t j = 1; j <= m; j++) {
            size_t best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            if (d[i - 1][j] + 1 < best) best = d[i - 1][j] + 1;
            if (d[i][j - 1] + 1 < best) best = d[i][j - 1] + 1;
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped && d[i - 2][j - 2] + 1 < best) best = d[i - 2][j - 2] + 1;
            d[i][j] = best;
        }
    }
    return d[n][m];
}

const char *rp_cli_suggest(const char *word, const char *const *names, size_t n)
{
    const char *near = NULL;
    size_t best = strlen(word) < 4 ? 2 : 3; /* distances below it are near */
    for (size_t i = 0; i < n; i++) {
        size_t d = distance(word, names[i]);
        if (d < best) {
            best = d;
            near = names[i];
        }
    }
    for (size_t i = 0; !near && word[0] && i < n; i++) {
        if (strncmp(names[i], word, strlen(word)) == 0) near = names[i];
    }
    return near;
}

/* ---- help ---- */

static void format_bytes(char *out, size_t cap, size_t bytes)
{
    const char *unit = "\0KMGT";
    while (bytes && bytes % 1024 == 0 && unit[1]) {
        bytes /= 1024;
        unit++;
    }
    snprintf(out, cap, "%zu%.1s", bytes, unit);
}

/* The default as text; "" when there is none worth showing. */
static void format_default(char *out, size_t cap, const rp_opt *o)
{
    out[0] = '\0';
    switch (o->kind) {
    case RP_OPT_FLAG:
        break;
    case RP_OPT_INT:
        snprintf(out, cap, "%d", *(const int *)o->value);
        break;
    case RP_OPT_SIZE:
        snprintf(out, cap, "%zu", *(const size_t *)o->value);
        break;
    case RP_OPT_BYTES:
        format_bytes(out, cap, *(const size_t *)o->value);
        break;
    case RP_OPT_SEED:
        snprintf(out, cap, "%llu", (unsigned long long)*(const uint64_t *)o->value);
        break;
    case RP_OPT_NUMBER:
        if (!isnan(*(const double *)o->value)) snprintf(out, cap, "%g", *(const double *)o->value);
        break;
    case RP_OPT_STRING: {
        const char *text = *(const char *const *)o->value;
        if (text) snprintf(out, cap, "%s", text);
        break;
    }
    case RP_OPT_LIST: {
        const rp_opt_list *list = o->value;
        if (list->n) snprintf(out, cap, "%s", list->item[0]);
        break;
    }
    }
}

/* Prints text wrapped into the columns from..WIDTH; the cursor stands at `column`. A newline in the
 * text begins a new line. */
static void print_wrapped(const char *text, size_t column, size_t from)
{
    while (*text) {
        size_t space = strspn(text, " "), word = strcspn(text + space, " \n");
        if (column > from && column + space + word > WIDTH) {
            printf("\n%*s", (int)from, "");
            column = from;
            text += space;
            space = 0;
        }
        printf("%.*s", (int)(space + word), text);
        text += space + word;
        column += space + word;
        if (*text == '\n') {
            printf("\n%*s", (int)from, "");
            column = from;
            text++;
        }
    }
    putchar('\n');
}

static bool starts_true(const rp_opt *o)
{
    return o->kind == RP_OPT_FLAG && *(const bool *)o->value;
}

static void print_option(const rp_opt *o)
{
    enum { HELP_AT = 26 };
    char left[80], initial[160], text[1024];
    char letter[5] = "    ";
    if (o->letter) snprintf(letter, sizeof letter, "-%c, ", o->letter);
    snprintf(left, sizeof left, "  %s--%s%s%s%s", letter, starts_true(o) ? "no-" : "", o->name,
             o->arg ? " " : "", o->arg ? o->arg : "");
    format_default(initial, sizeof initial, o);
    snprintf(text, sizeof text, "%s%s%s%s%s%s%s%s%s", starts_true(o) ? "switch off: " : "", o->help,
             o->choices ? ": " : "", o->choices ? o->choices : "",
             o->kind == RP_OPT_LIST ? "; may be repeated" : "", initial[0] ? " (default: " : "",
             initial, initial[0] ? ")" : "", "");
    size_t at = strlen(left);
    if (at + 1 > HELP_AT) {
        printf("%s\n%*s", left, HELP_AT, "");
    } else {
        printf("%-*s", HELP_AT, left);
    }
    print_wrapped(text, HELP_AT, HELP_AT);
}

static void print_options(const rp_opt *o)
{
    for (; o->name; o++) {
        if (o->name[0]) {
            print_option(o);
        } else {
            printf("\n%s:\n", o->help);
        }
    }
}

static int print_help(const rp_usage *u)
{
    bool operands = u->operands && *u->operands;
    printf("usage: rankprobe %s [options]%s%s\n\n", u->name, operands ? " " : "",
           operands ? u->operands : "");
    print_wrapped(u->about, 0, 0);
    if (u->options && u->options->name) {
        if (u->options->name[0]) printf("\noptions:\n");
        print_options(u->options);
    }
    print_options(common);
    if (u->example) {
        printf("\nexample:\n");
        for (const char *line = u->example; *line;) {
            size_t n = strcspn(line, "\n");
            printf("  %.*s\n", (int)n, line);
            line += n + (line[n] == '\n');
        }
    }
    return rp_cli_flush();
}

/* ---- parsing ---- */

static bool parse_bytes(const char *text, size_t *value)
{
    static const char units[] = "KMGT";
    char digits[32];
    size_t n = strspn(text, "0123456789"), shift = 0;
    if (n == 0 || n >= sizeof digits) return false;
    memcpy(digits, text, n);
    digits[n] = '\0';
    if (text[n]) {
        const char *unit = strchr(units, text[n]);
        if (!unit || text[n + 1]) return false;
        shift = 10 * (size_t)(unit - units + 1);
    }
    size_t v;
    if (!rp_number_size(digits, &v) || v > SIZE_MAX >> shift) return false;
    *value = v << shift;
    return true;
}

static bool is_choice(const char *choices, const char *text)
{
    size_t len = strlen(text);
    for (const char *c = choices; *c;) {
        size_t n = strcspn(c, "|");
        if (n == len && strncmp(c, text, n) == 0) return true;
        c += n + (c[n] == '|');
    }
    return false;
}

static int set_int(const rp_opt *o, const char *text)
{
    long v;
    if (!rp_number_int(text, &v) || v < 0 || v > 1000000) {
        return rp_cli_usage("option '--%s' needs a whole number, not '%s'", o->name, text);
    }
    if (o->value == &threads && v > MAX_THREADS) {
        return rp_cli_usage("option '--%s' is at most %d, not '%s'", o->name, MAX_THREADS, text);
    }
    *(int *)o->value = (int)v;
    return -1;
}

static int set_size(const rp_opt *o, const char *text)
{
    size_t v;
    bool bytes = o->kind == RP_OPT_BYTES;
    if (bytes ? !parse_bytes(text, &v) : !rp_number_size(text, &v)) {
        return rp_cli_usage("option '--%s' needs a %s, not '%s'", o->name,
                            bytes ? "size such as 512M or 2G" : "whole number", text);
    }
    if (o->kind == RP_OPT_SEED) {
        *(uint64_t *)o->value = v;
    } else {
        *(size_t *)o->value = v;
    }
    return -1;
}

static int set_number(const rp_opt *o, const char *text)
{
    double v;
    if (!rp_number_double(text, &v) || !isfinite(v)) {
        return rp_cli_usage("option '--%s' needs a number, not '%s'", o->name, text);
    }
    *(double *)o->value = v;
    return -1;
}

static int set_text(const rp_opt *o, const char *text, bool *given)
{
    if (o->choices && !is_choice(o->choices, text)) {
        return rp_cli_usage("option '--%s' is one of %s, not '%s'", o->name, o->choices, text);
    }
    if (o->kind == RP_OPT_STRING) {
        *(const char **)o->value = text;
        return -1;
    }
    rp_opt_list *list = o->value;
    if (!*given) list->n = 0; /* the first one replaces the default */
    if (list->n == sizeof list->item / sizeof list->item[0]) {
        return rp_cli_usage("option '--%s' is given more than %zu times", o->name, list->n);
    }
    list->item[list->n++] = text;
    return -1;
}

static int set(const rp_opt *o, const char *text, bool no, bool *given)
{
    int code = -1;
    switch (o->kind) {
    case RP_OPT_FLAG:
        *(bool *)o->value = !no;
        break;
    case RP_OPT_INT:
        code = set_int(o, text);
        break;
    case RP_OPT_SIZE:
    case RP_OPT_BYTES:
    case RP_OPT_SEED:
        code = set_size(o, text);
        break;
    case RP_OPT_NUMBER:
        code = set_number(o, text);
        break;
    case RP_OPT_STRING:
    case RP_OPT_LIST:
        code = set_text(o, text, given);
        break;
    }
    *given = true;
    return code;
}

/* One command's options and the common ones in getopt_long's form. */
typedef struct parser {
    const rp_opt *opt[MAX_OPTIONS];
    bool no[MAX_OPTIONS]; /* --no-NAME */
    bool given[MAX_OPTIONS];
    struct option longs[MAX_OPTIONS + 1];
    char names[MAX_OPTIONS][48]; /* of --no-NAME */
    char shorts[3 * MAX_OPTIONS];
    int n;
} parser;

static void add(parser *p, const rp_opt *o, bool no)
{
    if (p->n == MAX_OPTIONS) return;
    snprintf(p->names[p->n], sizeof p->names[0], "%s%s", no ? "no-" : "", o->name);
    int takes = o->kind == RP_OPT_FLAG ? no_argument : required_argument;
    p->longs[p->n] = (struct option){p->names[p->n], takes, NULL, 256 + p->n};
    p->opt[p->n] = o;
    p->no[p->n] = no;
    p->n++;
    if (o->letter && !no) {
        size_t len = strlen(p->shorts);
        snprintf(p->shorts + len, sizeof p->shorts - len, "%c%s", o->letter,
                 takes == required_argument ? ":" : "");
    }
}

static void add_all(parser *p, const rp_opt *o)
{
    for (; o && o->name; o++) {
        if (!o->name[0]) continue;
        add(p, o, false);
        if (starts_true(o)) add(p, o, true);
    }
}

static int row_of(const parser *p, int c)
{
    if (c >= 256) return c - 256;
    for (int i = 0; i < p->n; i++) {
        if (p->opt[i]->letter == c && !p->no[i]) return i;
    }
    return -1;
}

static int unknown_option(const parser *p, const char *word)
{
    const char *names[MAX_OPTIONS];
    char name[48];
    word += 2; /* "--name=value" */
    for (int i = 0; i < p->n; i++) names[i] = p->names[i];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(word, "="), word);
    const char *near = rp_cli_suggest(name, names, (size_t)p->n);
    if (near) return rp_cli_usage("unknown option '--%s'; did you mean '--%s'?", name, near);
    return rp_cli_usage("unknown option '--%s'", name);
}

/* What getopt_long did not like: optopt is a letter, a long option's value, or 0. */
static int complain(const parser *p, int c, const char *word)
{
    int row = row_of(p, optopt);
    if (c == ':' && row >= 0) return rp_cli_usage("option '--%s' needs a value", p->names[row]);
    if (optopt >= 256) return rp_cli_usage("option '--%s' takes no value", p->names[optopt - 256]);
    if (optopt) return rp_cli_usage("unknown option '-%c'", optopt);
    return unknown_option(p, word);
}

/* getopt_long takes any unambiguous beginning of a name; a script that relies on one breaks with
 * the next option that begins alike, so only whole names are taken. */
static bool is_abbreviated(const parser *p, int row, const char *word)
{
    return strncmp(word, "--", 2) == 0 && strcspn(word + 2, "=") < strlen(p->names[row]);
}

static int take(parser *p, int c, char **argv)
{
    int row = c == '?' || c == ':' ? -1 : row_of(p, c);
    if (row < 0) return complain(p, c, argv[optind - 1]);
    const char *word = argv[optind - 1];
    if (optarg == word) word = argv[optind - 2];
    if (c >= 256 && is_abbreviated(p, row, word)) return unknown_option(p, word);
    return set(p->opt[row], optarg, p->no[row], &p->given[row]);
}

static int check_operands(const rp_usage *u, int n)
{
    if (n < u->min_operands) {
        return rp_cli_usage("'%s' needs %s", u->name, u->operands ? u->operands : "an operand");
    }
    if (u->max_operands >= 0 && n > u->max_operands) {
        return rp_cli_usage("'%s' takes %s, and %d more were given", u->name,
                            u->max_operands ? u->operands : "no operands", n - u->max_operands);
    }
    return -1;
}

/* Help shows the defaults, so it is looked for before anything is set. */
static bool asks_for(parser *p, int argc, char **argv, const char *option)
{
    int c;
    bool found = false;
    optind = 0;
    while ((c = getopt_long(argc, argv, p->shorts, p->longs, NULL)) != -1) {
        int row = c == '?' || c == ':' ? -1 : row_of(p, c);
        if (row >= 0 && strcmp(p->names[row], option) == 0) found = true;
    }
    optind = 0;
    return found;
}

int rp_opt_parse(const rp_usage *u, int argc, char **argv, char ***operands, int *n)
{
    parser *p = calloc(1, sizeof *p);
    if (!p) return rp_cli_usage("no memory");
    int code = -1, c;
    p->shorts[0] = ':';
    add_all(p, u->options);
    add_all(p, common);
    opterr = 0;
    rp_cli_help_for(u->name);
    if (asks_for(p, argc, argv, "help")) {
        code = print_help(u);
        goto done;
    }
    if (asks_for(p, argc, argv, "version")) {
        printf("rankprobe %s\n", rp_version());
        code = rp_cli_flush();
        goto done;
    }
    while (code < 0 && (c = getopt_long(argc, argv, p->shorts, p->longs, NULL)) != -1) {
        code = take(p, c, argv);
    }
    *operands = argv + optind;
    *n = argc - optind;
    if (code < 0) code = check_operands(u, *n);
    rp_cli_quiet(quiet);
done:
    free(p);
    return code;
}
