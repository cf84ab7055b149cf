#include "feature/expression.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/number.h"

#define DEEPEST 100  /* nested parentheses, signs and powers */
#define LONGEST 4096 /* bytes of a definition, so that its tree is not too deep to walk */

typedef enum operation {
    NUMBER,
    COLUMN,
    NEGATE,
    ADD,
    SUBTRACT,
    MULTIPLY,
    DIVIDE,
    POWER,
    CALL
} operation;

typedef struct node {
    operation op;
    double number;
    size_t index; /* of a column or function */
    struct node *a, *b;
} node;

struct rp_expression {
    rp_arena *arena;
    const char *name, *text;
    node *root;
    const char **column;
    size_t *position;
    size_t ncolumns, column_cap, position_cap;
};

typedef struct parser {
    rp_expression *e;
    const char *definition, *at;
    size_t depth;
    rp_error *err;
} parser;

/* ---- functions ---- */

/* A column that differs by rounding only is a constant: its z is 0, not amplified noise. */
static void standardise(double *x, size_t n)
{
    double mean = 0, squares = 0;
    for (size_t i = 0; i < n; i++) mean += x[i] / (double)n;
    for (size_t i = 0; i < n; i++) squares += (x[i] - mean) * (x[i] - mean) / (double)n;
    double sd = sqrt(squares);
    bool varies = sd > 1e-9 * fabs(mean);
    for (size_t i = 0; i < n; i++) x[i] = varies ? (x[i] - mean) / sd : 0;
}

static void logarithm(double *x, size_t n)
{
    for (size_t i = 0; i < n; i++) x[i] = log1p(x[i]);
}

static void root(double *x, size_t n)
{
    for (size_t i = 0; i < n; i++) x[i] = sqrt(x[i]);
}

static void magnitude(double *x, size_t n)
{
    for (size_t i = 0; i < n; i++) x[i] = fabs(x[i]);
}

static const struct {
    const char *name;
    void (*apply)(double *x, size_t n);
} functions[] = {{"z", standardise}, {"log1p", logarithm}, {"sqrt", root}, {"abs", magnitude}};
#define NFUNCTIONS (sizeof functions / sizeof *functions)

/* ---- parsing ---- */

static void skip_spaces(parser *p)
{
    while (*p->at == ' ' || *p->at == '\t') p->at++;
}

static size_t name_length(const char *at)
{
    size_t n = 0;
    if (!isalpha((unsigned char)*at) && *at != '_') return 0;
    while (isalnum((unsigned char)at[n]) || at[n] == '_' || at[n] == '.') n++;
    return n;
}

static size_t token_length(const char *at)
{
    size_t n = name_length(at);
    if (n) return n;
    while (isdigit((unsigned char)at[n]) || at[n] == '.') n++;
    if (n) return n;
    n = *at != '\0';
    while (n && ((unsigned char)at[n] & 0xc0) == 0x80) n++; /* the rest of a UTF-8 character */
    return n;
}

static rp_status expected(parser *p, const char *what)
{
    size_t n = token_length(p->at), position = (size_t)(p->at - p->definition) + 1;
    if (!n) {
        return rp_fail(p->err, RP_EARG, "'%.200s' position %zu: expected %s, but it ends here",
                       p->definition, position, what);
    }
    return rp_fail(p->err, RP_EARG, "'%.200s' position %zu: expected %s, not '%.*s'", p->definition,
                   position, what, (int)(n < 40 ? n : 40), p->at);
}

static rp_status make(parser *p, node **out, operation op, node *a, node *b)
{
    *out = rp_arena_alloc(p->e->arena, sizeof **out);
    if (!*out) return rp_fail_memory(p->err, sizeof **out);
    **out = (node){.op = op, .a = a, .b = b};
    return RP_OK;
}

static rp_status parse_sum(parser *p, node **out);

static rp_status deeper(parser *p)
{
    if (p->depth < DEEPEST) {
        p->depth++;
        return RP_OK;
    }
    return rp_fail(p->err, RP_EARG, "'%.200s' position %zu: nested more than %d deep",
                   p->definition, (size_t)(p->at - p->definition) + 1, DEEPEST);
}

static rp_status parse_column(parser *p, node **out, size_t len)
{
    rp_expression *e = p->e;
    rp_status status = make(p, out, COLUMN, NULL, NULL);
    if (status) return status;
    for (size_t i = 0; i < e->ncolumns; i++) {
        if (strlen(e->column[i]) != len || memcmp(e->column[i], p->at, len)) continue;
        (*out)->index = i;
        p->at += len;
        return RP_OK;
    }
    size_t need = e->ncolumns + 1;
    status = rp_grow(&e->column, &e->column_cap, need, sizeof *e->column, p->err);
    if (!status) {
        status = rp_grow(&e->position, &e->position_cap, need, sizeof *e->position, p->err);
    }
    char *copy = status ? NULL : rp_arena_strndup(e->arena, p->at, len);
    if (!status && !copy) status = rp_fail_memory(p->err, len);
    if (status) return status;
    e->column[e->ncolumns] = copy;
    e->position[e->ncolumns] = (size_t)(p->at - p->definition) + 1;
    (*out)->index = e->ncolumns++;
    p->at += len;
    return RP_OK;
}

static rp_status parse_call(parser *p, node **out, size_t len)
{
    size_t f = 0;
    while (f < NFUNCTIONS &&
           (strlen(functions[f].name) != len || memcmp(functions[f].name, p->at, len))) {
        f++;
    }
    if (f == NFUNCTIONS) return expected(p, "z, log1p, sqrt or abs before '('");
    p->at += len;
    skip_spaces(p);
    p->at++;
    node *a;
    rp_status status = parse_sum(p, &a);
    if (status) return status;
    if (*p->at != ')') return expected(p, "an operator or ')'");
    p->at++;
    status = make(p, out, CALL, a, NULL);
    if (!status) (*out)->index = f;
    return status;
}

/* digits [. digits] [e [+-] digits] */
static size_t number_length(const char *at)
{
    static const char digits[] = "0123456789";
    size_t n = strspn(at, digits);
    if (at[n] == '.') n += 1 + strspn(at + n + 1, digits);
    if ((at[n] | 0x20) == 'e') {
        size_t sign = at[n + 1] == '+' || at[n + 1] == '-';
        size_t more = strspn(at + n + 1 + sign, digits);
        if (more) n += 1 + sign + more;
    }
    return n;
}

static rp_status parse_number(parser *p, node **out)
{
    char text[64];
    double value;
    size_t len = number_length(p->at);
    if (len >= sizeof text) return expected(p, "a shorter number");
    memcpy(text, p->at, len);
    text[len] = '\0';
    if (!rp_number_double(text, &value) || !isfinite(value)) return expected(p, "a number");
    rp_status status = make(p, out, NUMBER, NULL, NULL);
    if (status) return status;
    (*out)->number = value;
    p->at += len;
    return RP_OK;
}

static rp_status parse_primary(parser *p, node **out)
{
    skip_spaces(p);
    size_t len = name_length(p->at);
    rp_status status;
    if (len) {
        const char *after = p->at + len;
        while (*after == ' ' || *after == '\t') after++;
        status = *after == '(' ? parse_call(p, out, len) : parse_column(p, out, len);
    } else if (isdigit((unsigned char)*p->at) || *p->at == '.') {
        status = parse_number(p, out);
    } else if (*p->at == '(') {
        p->at++;
        status = parse_sum(p, out);
        if (!status && *p->at != ')') return expected(p, "an operator or ')'");
        if (!status) p->at++;
    } else {
        return expected(p, "a number, a column, a function or '('");
    }
    skip_spaces(p);
    return status;
}

/* factor: '-' factor | primary ['^' factor] */
static rp_status parse_factor(parser *p, node **out)
{
    skip_spaces(p);
    rp_status status = deeper(p);
    if (status) return status;
    if (*p->at == '-') {
        p->at++;
        node *a;
        status = parse_factor(p, &a);
        if (!status) status = make(p, out, NEGATE, a, NULL);
    } else {
        status = parse_primary(p, out);
        if (!status && *p->at == '^') {
            p->at++;
            node *base = *out, *exponent;
            status = parse_factor(p, &exponent);
            if (!status) status = make(p, out, POWER, base, exponent);
        }
    }
    p->depth--;
    return status;
}

static rp_status parse_product(parser *p, node **out)
{
    rp_status status = parse_factor(p, out);
    while (!status && (*p->at == '*' || *p->at == '/')) {
        operation op = *p->at++ == '*' ? MULTIPLY : DIVIDE;
        node *a = *out, *b;
        status = parse_factor(p, &b);
        if (!status) status = make(p, out, op, a, b);
    }
    return status;
}

static rp_status parse_sum(parser *p, node **out)
{
    rp_status status = parse_product(p, out);
    while (!status && (*p->at == '+' || *p->at == '-')) {
        operation op = *p->at++ == '+' ? ADD : SUBTRACT;
        node *a = *out, *b;
        status = parse_product(p, &b);
        if (!status) status = make(p, out, op, a, b);
    }
    return status;
}

static rp_status parse_definition(parser *p)
{
    rp_expression *e = p->e;
    skip_spaces(p);
    size_t len = name_length(p->at);
    if (!len) return expected(p, "'name = expression'");
    e->name = rp_arena_strndup(e->arena, p->at, len);
    if (!e->name) return rp_fail_memory(p->err, len);
    p->at += len;
    skip_spaces(p);
    if (*p->at != '=') return expected(p, "'=' after the name");
    p->at++;
    skip_spaces(p);
    e->text = rp_arena_strdup(e->arena, p->at);
    if (!e->text) return rp_fail_memory(p->err, strlen(p->at));
    rp_status status = parse_sum(p, &e->root);
    if (!status && *p->at) return expected(p, "an operator or the end");
    return status;
}

rp_status rp_expression_parse(rp_expression **out, const char *definition, rp_error *err)
{
    *out = NULL;
    if (strlen(definition) > LONGEST) {
        return rp_fail(err, RP_EARG, "an expression is longer than %d bytes: '%.40s...'", LONGEST,
                       definition);
    }
    rp_expression *e = calloc(1, sizeof *e);
    if (!e) return rp_fail_memory(err, sizeof *e);
    parser p = {.e = e, .definition = definition, .at = definition, .err = err};
    e->arena = rp_arena_new();
    rp_status status = e->arena ? parse_definition(&p) : rp_fail_memory(err, 1);
    if (status) {
        rp_expression_free(e);
        return status;
    }
    *out = e;
    return RP_OK;
}

void rp_expression_free(rp_expression *e)
{
    if (!e) return;
    free(e->column);
    free(e->position);
    rp_arena_free(e->arena);
    free(e);
}

const char *rp_expression_name(const rp_expression *e)
{
    return e->name;
}

const char *rp_expression_text(const rp_expression *e)
{
    return e->text;
}

size_t rp_expression_columns(const rp_expression *e)
{
    return e->ncolumns;
}

const char *rp_expression_column(const rp_expression *e, size_t i)
{
    return e->column[i];
}

size_t rp_expression_position(const rp_expression *e, size_t i)
{
    return e->position[i];
}

/* ---- evaluation ---- */

static void combine(operation op, double *a, const double *b, size_t n)
{
    switch (op) {
    case ADD:
        for (size_t i = 0; i < n; i++) a[i] += b[i];
        break;
    case SUBTRACT:
        for (size_t i = 0; i < n; i++) a[i] -= b[i];
        break;
    case MULTIPLY:
        for (size_t i = 0; i < n; i++) a[i] *= b[i];
        break;
    case DIVIDE:
        for (size_t i = 0; i < n; i++) a[i] /= b[i];
        break;
    default:
        for (size_t i = 0; i < n; i++) a[i] = pow(a[i], b[i]);
    }
}

static rp_status evaluate(const node *t, double *out, const double *const *columns, size_t n,
                          rp_error *err)
{
    if (t->op == NUMBER) {
        for (size_t i = 0; i < n; i++) out[i] = t->number;
        return RP_OK;
    }
    if (t->op == COLUMN) {
        if (n) memcpy(out, columns[t->index], n * sizeof *out);
        return RP_OK;
    }
    rp_status status = evaluate(t->a, out, columns, n, err);
    if (status) return status;
    if (t->op == CALL) {
        functions[t->index].apply(out, n);
        return RP_OK;
    }
    if (t->op == NEGATE) {
        for (size_t i = 0; i < n; i++) out[i] = -out[i];
        return RP_OK;
    }
    double *right = rp_alloc(n + 1, sizeof *right);
    if (!right) return rp_fail_memory(err, n * sizeof *right);
    status = evaluate(t->b, right, columns, n, err);
    if (!status) combine(t->op, out, right, n);
    free(right);
    return status;
}

rp_status rp_expression_eval(const rp_expression *e, double *out, const double *const *columns,
                             size_t n, rp_error *err)
{
    return evaluate(e->root, out, columns, n, err);
}
