/*
 * Oniguruma patterns (Ruby syntax, what the Rust crate compiles) written as PCRE2 patterns with the
 * same meaning. Where the two differ: \s, \w and \b follow Unicode's White_Space and Alphabetic; ^
 * and $ are per line; (?m) is PCRE2's (?s); \h is a hexadecimal digit; a class may hold classes;
 * {,n} counts from 0; \v is a vertical tab; script names mean the script alone, not its extensions.
 */
#include <ctype.h>
#include <string.h>

#include "tokenizer/regex.h"

#define SPACE "\\p{Z}\\x{09}-\\x{0d}\\x{85}"
#define LETTERS "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}"
/* outside classes, Oniguruma counts the fractions and superscripts of Latin-1 as word characters */
#define WORD LETTERS "\\x{b2}\\x{b3}\\x{b9}\\x{bc}-\\x{be}"

typedef struct reader {
    const char *s;
    size_t i, n;
    int depth;   /* of classes in classes */
    bool ranges; /* a class was just written out: a hyphen here is a hyphen */
    rp_text *out;
    rp_error *err;
    const char *path;
} reader;

static rp_status refuse(const reader *r, const char *what)
{
    return rp_fail(r->err, RP_EFORMAT, "'%s': %s is not supported in the pattern '%.*s'", r->path,
                   what, r->n > 200 ? 200 : (int)r->n, r->s);
}

static rp_status put(reader *r, const char *text)
{
    return rp_text_append(r->out, text, strlen(text), r->err);
}

static rp_status copy(reader *r, size_t n)
{
    rp_status status = rp_text_append(r->out, r->s + r->i, n, r->err);
    r->i += n;
    return status;
}

static int peek(const reader *r, size_t ahead)
{
    return r->i + ahead < r->n ? (unsigned char)r->s[r->i + ahead] : -1;
}

static const struct {
    const char *name, *value;
} property_names[] = {
    {"letter", "L"},
    {"uppercaseletter", "Lu"},
    {"lowercaseletter", "Ll"},
    {"titlecaseletter", "Lt"},
    {"modifierletter", "Lm"},
    {"otherletter", "Lo"},
    {"mark", "M"},
    {"nonspacingmark", "Mn"},
    {"spacingmark", "Mc"},
    {"enclosingmark", "Me"},
    {"number", "N"},
    {"decimalnumber", "Nd"},
    {"letternumber", "Nl"},
    {"othernumber", "No"},
    {"punctuation", "P"},
    {"connectorpunctuation", "Pc"},
    {"dashpunctuation", "Pd"},
    {"openpunctuation", "Ps"},
    {"closepunctuation", "Pe"},
    {"initialpunctuation", "Pi"},
    {"finalpunctuation", "Pf"},
    {"otherpunctuation", "Po"},
    {"symbol", "S"},
    {"mathsymbol", "Sm"},
    {"currencysymbol", "Sc"},
    {"modifiersymbol", "Sk"},
    {"othersymbol", "So"},
    {"separator", "Z"},
    {"spaceseparator", "Zs"},
    {"lineseparator", "Zl"},
    {"paragraphseparator", "Zp"},
    {"other", "C"},
    {"control", "Cc"},
    {"format", "Cf"},
    {"privateuse", "Co"},
    {"unassigned", "Cn"},
    {"surrogate", "Cs"},
    {"alpha", "Alphabetic"},
    {"alphabetic", "Alphabetic"},
    {"digit", "Nd"},
    {"upper", "Uppercase"},
    {"uppercase", "Uppercase"},
    {"lower", "Lowercase"},
    {"lowercase", "Lowercase"},
    {"any", "Any"},
    {"emoji", "Emoji"},
    {"extendedpictographic", "Extended_Pictographic"},
    {"whitespace", "White_Space"},
};

/* At the p or P of \p{...}. */
static rp_status property(reader *r)
{
    bool negated = r->s[r->i] == 'P';
    char name[64];
    size_t n = 0;
    r->i++;
    if (peek(r, 0) != '{') return refuse(r, "\\p without braces");
    r->i++;
    if (peek(r, 0) == '^') {
        negated = !negated;
        r->i++;
    }
    for (; peek(r, 0) >= 0 && peek(r, 0) != '}'; r->i++) {
        int c = peek(r, 0);
        if (c == ' ' || c == '_' || c == '-') continue;
        if (!isalnum(c) || n + 1 == sizeof name) return refuse(r, "this \\p{...}");
        name[n++] = (char)tolower(c);
    }
    if (peek(r, 0) != '}' || !n) return refuse(r, "this \\p{...}");
    r->i++;
    name[n] = '\0';
    const char *value = n <= 2 ? name : NULL;
    for (size_t k = 0; !value && k < sizeof property_names / sizeof *property_names; k++)
        if (!strcmp(name, property_names[k].name)) value = property_names[k].value;
    if (!value && (!strcmp(name, "space") || !strcmp(name, "punct") || !strcmp(name, "graph") ||
                   !strcmp(name, "print") || !strcmp(name, "alnum") || !strcmp(name, "word") ||
                   !strcmp(name, "cntrl") || !strcmp(name, "xdigit") || !strcmp(name, "blank")))
        return refuse(r, "a POSIX name in \\p{...}");
    return rp_text_printf(r->out, r->err, "\\%c{%s%s}", negated ? 'P' : 'p',
                          value ? "" : "sc:", value ? value : name);
}

static rp_status four_hex(reader *r)
{
    for (size_t k = 1; k <= 4; k++)
        if (peek(r, k) < 0 || !isxdigit(peek(r, k))) return refuse(r, "\\u without four digits");
    rp_status status = rp_text_printf(r->out, r->err, "\\x{%.4s}", r->s + r->i + 1);
    r->i += 5;
    return status;
}

typedef struct escape {
    char c;
    const char *outside, *inside; /* NULL: refused */
} escape;
static const escape escapes[] = {
    {'s', "[" SPACE "]", SPACE},
    {'S', "[^" SPACE "]", "\\S\\x{180e}"}, /* PCRE2's \s has U+180E, White_Space has not */
    {'w', "[" WORD "]", LETTERS},
    {'W', "[^" WORD "]", NULL},
    {'b', "(?:(?<=[" WORD "])(?![" WORD "])|(?<![" WORD "])(?=[" WORD "]))", "\\x{08}"},
    {'B', "(?:(?<=[" WORD "])(?=[" WORD "])|(?<![" WORD "])(?![" WORD "]))", NULL},
    {'h', "[0-9a-fA-F]", "0-9a-fA-F"},
    {'H', "[^0-9a-fA-F]", NULL},
    {'v', "\\x{0b}", "\\x{0b}"},
    {'d', "\\d", "\\d"},
    {'D', "\\D", "\\D"},
    {'A', "\\A", NULL},
    {'z', "\\z", NULL},
    {'Z', "\\Z", NULL},
    {'R', "(?>\\r\\n|[\\n-\\r\\x{85}\\x{2028}\\x{2029}])", NULL},
    {'X', "\\X", NULL},
    {'n', "\\n", "\\n"},
    {'r', "\\r", "\\r"},
    {'t', "\\t", "\\t"},
    {'f', "\\f", "\\f"},
    {'a', "\\a", "\\a"},
    {'e', "\\e", "\\e"},
};

/* At the character after a backslash. */
static rp_status escaped(reader *r, bool inside)
{
    int c = peek(r, 0);
    if (c < 0) return refuse(r, "a backslash at the end");
    if (c == 'p' || c == 'P') return property(r);
    if (c == 'u') return four_hex(r);
    for (size_t k = 0; k < sizeof escapes / sizeof *escapes; k++) {
        if (escapes[k].c != c) continue;
        const char *text = inside ? escapes[k].inside : escapes[k].outside;
        char what[] = "\\? here";
        what[1] = (char)c;
        if (!text) return refuse(r, what);
        r->i++;
        r->ranges = inside && strchr("sSwhdD", c);
        return put(r, text);
    }
    /* \xC3\xA9 are bytes of one character there, two characters here; so is octal */
    int d = peek(r, 1), e = peek(r, 2);
    if (c == 'x' && d != '{' && d > '7') return refuse(r, "\\x above 7f without braces");
    if ((c == '2' || c == '3') && d >= '0' && d <= '7' && e >= '0' && e <= '7')
        return refuse(r, "an octal escape above 177");
    if (isalpha(c) && c != 'x') {
        char what[] = "\\?";
        what[1] = (char)c;
        return refuse(r, what);
    }
    size_t n = 1;
    while (c == 'x' && d == '{' && peek(r, n) >= 0 && peek(r, n - 1) != '}') n++;
    rp_status status = put(r, "\\");
    return status ? status : copy(r, n);
}

static rp_status class_char(reader *r)
{
    int c = peek(r, 0);
    bool ranges = r->ranges;
    r->ranges = false;
    if (c == '\\') return r->i++, escaped(r, true);
    if (c == '-' && ranges) return r->i++, put(r, "\\-");
    if (c == '&' && peek(r, 1) == '&') return refuse(r, "&&");
    if (c == '[') {
        if (peek(r, 1) == ':') return refuse(r, "a POSIX bracket");
        if (peek(r, 1) == '^') return refuse(r, "a negated class in a class");
        r->depth++;
        r->i++;
        return RP_OK;
    }
    if (c != ']') return copy(r, 1);
    if (--r->depth == 0) return copy(r, 1);
    r->i++;
    return RP_OK;
}

/* At '('. */
static rp_status group(reader *r)
{
    if (peek(r, 1) == '*') return refuse(r, "(*");
    if (peek(r, 1) != '?') return copy(r, 1);
    int c = peek(r, 2), d = peek(r, 3);
    if (c == ':' || c == '=' || c == '!' || c == '>' || c == '#') return copy(r, 3);
    if (c == '<' && (d == '=' || d == '!')) return copy(r, 4);
    if (c == '<' && d >= 0 && isalpha(d)) return copy(r, 3);
    rp_status status = copy(r, 2);
    while (!status) {
        c = peek(r, 0);
        if (c == ':' || c == ')') return copy(r, 1);
        if (c != 'i' && c != 'm' && c != 'x' && c != '-') return refuse(r, "this kind of group");
        char flag[2] = {c == 'm' ? 's' : (char)c, '\0'};
        status = put(r, flag);
        r->i++;
    }
    return status;
}

/* At '{': a quantifier or a brace. */
static rp_status braces(reader *r)
{
    size_t k = 1, low = 0, high = 0;
    while (peek(r, k) >= 0 && isdigit(peek(r, k))) k++, low++;
    bool comma = peek(r, k) == ',';
    if (comma) k++;
    while (comma && peek(r, k) >= 0 && isdigit(peek(r, k))) k++, high++;
    if (peek(r, k) != '}' || !(low || high)) return r->i++, put(r, "\\{");
    int next = peek(r, k + 1);
    if (next == '+') return refuse(r, "{n,m}+");
    if (next == '?' && !comma) return refuse(r, "{n}?");
    if (low) return copy(r, k + 1);
    rp_status status = put(r, "{0");
    r->i++;
    return status ? status : copy(r, k);
}

rp_status rp_regex_translate(rp_text *out, const char *text, size_t len, const char *path,
                             rp_error *err)
{
    reader r = {.s = text, .n = len, .out = out, .err = err, .path = path};
    rp_status status = put(&r, "");
    while (!status && r.i < r.n) {
        int c = peek(&r, 0);
        if (r.depth) {
            status = class_char(&r);
        } else if (c == '\\') {
            r.i++;
            status = escaped(&r, false);
        } else if (c == '[') {
            /* a leading ^ and a ] right after it belong to the class as they are */
            size_t n = peek(&r, 1) == '^' ? 2 : 1;
            if (peek(&r, n) == ']') n++;
            r.depth = 1;
            r.ranges = false;
            status = copy(&r, n);
        } else if (c == '(') {
            status = group(&r);
        } else if (c == '{') {
            status = braces(&r);
        } else {
            status = copy(&r, 1);
        }
    }
    return status;
}
