#include "model/pickle.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

rp_status rp_pickle_bad(rp_pickle *p, const char *what)
{
    return rp_fail(p->err, RP_EFORMAT, "'%s': byte %zu of its pickle: %s", p->path, p->at, what);
}

const rp_pickle_value *rp_pickle_at(const rp_pickle *p, uint32_t value)
{
    return &p->value[value];
}

static rp_status push(rp_pickle *p, uint32_t value)
{
    rp_status s = rp_grow(&p->stack, &p->stack_cap, p->depth + 1, sizeof *p->stack, p->err);
    if (!s) p->stack[p->depth++] = value;
    return s;
}

rp_status rp_pickle_push(rp_pickle *p, rp_pickle_value value)
{
    rp_status s = rp_grow(&p->value, &p->value_cap, p->nvalue + 1, sizeof *p->value, p->err);
    if (s) return s;
    p->value[p->nvalue++] = value;
    return push(p, (uint32_t)p->nvalue - 1);
}

/* The stack below the last mark is out of reach. */
static size_t reachable(const rp_pickle *p)
{
    return p->depth - (p->nmark ? p->mark[p->nmark - 1] : 0);
}

static rp_status need(rp_pickle *p, size_t n)
{
    return reachable(p) < n ? rp_pickle_bad(p, "its stack is empty") : RP_OK;
}

static rp_status pop_to_mark(rp_pickle *p, size_t *from)
{
    *from = 0;
    if (p->nmark == 0) return rp_pickle_bad(p, "no mark on its stack");
    *from = p->mark[--p->nmark];
    return RP_OK;
}

/* *value <- the next n bytes, little endian, n <= 8. */
static rp_status read_number(rp_pickle *p, uint64_t *value, size_t n)
{
    *value = 0;
    if (n > p->size - p->at) return rp_pickle_bad(p, "truncated");
    for (size_t i = n; i-- > 0;) *value = *value << 8 | p->bytes[p->at + i];
    p->at += n;
    return RP_OK;
}

static rp_status read_bytes(rp_pickle *p, const char **text, uint64_t n)
{
    if (n > p->size - p->at) return rp_pickle_bad(p, "truncated");
    *text = (const char *)p->bytes + p->at;
    p->at += (size_t)n;
    return RP_OK;
}

/* ---- opcodes: constants ---- */

static rp_status do_protocol(rp_pickle *p, size_t unused)
{
    (void)unused;
    uint64_t version;
    rp_status s = read_number(p, &version, 1);
    return s ? s : version < 2 || version > 5 ? rp_pickle_bad(p, "not protocol 2 to 5") : RP_OK;
}

static rp_status do_skip(rp_pickle *p, size_t n)
{
    const char *unused;
    return read_bytes(p, &unused, n);
}

static rp_status do_nothing(rp_pickle *p, size_t skip)
{
    rp_status s = do_skip(p, skip);
    return s ? s : rp_pickle_push(p, (rp_pickle_value){.kind = RP_P_NOTHING});
}

static rp_status do_number(rp_pickle *p, size_t n)
{
    uint64_t value;
    rp_status s = read_number(p, &value, n);
    if (s) return s;
    int64_t number = n == 4 ? (int32_t)(uint32_t)value : (int64_t)value; /* BININT has a sign */
    return rp_pickle_push(p, (rp_pickle_value){.kind = RP_P_NUMBER, .as.number = number});
}

static rp_status do_long(rp_pickle *p, size_t unused)
{
    (void)unused;
    uint64_t n, value;
    rp_status s = read_number(p, &n, 1);
    if (!s && n > 8) s = rp_pickle_bad(p, "a number of more than 8 bytes");
    if (!s) s = read_number(p, &value, (size_t)n);
    if (s) return s;
    if (n > 0 && n < 8 && value >> (8 * n - 1)) value |= ~UINT64_C(0) << 8 * n;
    return rp_pickle_push(p, (rp_pickle_value){.kind = RP_P_NUMBER, .as.number = (int64_t)value});
}

static rp_status do_string(rp_pickle *p, size_t length_bytes)
{
    uint64_t n;
    const char *text = NULL;
    rp_status s = read_number(p, &n, length_bytes);
    if (!s) s = read_bytes(p, &text, n);
    return s ? s
             : rp_pickle_push(
                   p, (rp_pickle_value){.kind = RP_P_STRING, .n = (uint32_t)n, .as.text = text});
}

/* ---- opcodes: the stack and the memo ---- */

static rp_status do_mark(rp_pickle *p, size_t unused)
{
    (void)unused;
    rp_status s = rp_grow(&p->mark, &p->mark_cap, p->nmark + 1, sizeof *p->mark, p->err);
    if (!s) p->mark[p->nmark++] = (uint32_t)p->depth;
    return s;
}

static rp_status do_pop(rp_pickle *p, size_t unused)
{
    (void)unused;
    if (reachable(p) == 0 && p->nmark) return p->nmark--, RP_OK; /* as CPython: a mark is popped */
    rp_status s = need(p, 1);
    if (!s) p->depth--;
    return s;
}

static rp_status do_pop_mark(rp_pickle *p, size_t unused)
{
    (void)unused;
    return pop_to_mark(p, &p->depth);
}

static rp_status memo_put(rp_pickle *p, uint64_t slot)
{
    rp_status s = need(p, 1);
    /* Picklers number what they remember from 0 up: a slot costs an opcode. */
    if (!s && slot >= p->size) s = rp_pickle_bad(p, "a memo number that is too large");
    if (!s) s = rp_grow(&p->memo, &p->memo_cap, (size_t)slot + 1, sizeof *p->memo, p->err);
    if (s) return s;
    while (p->nmemo <= slot) p->memo[p->nmemo++] = 0;
    p->memo[slot] = p->stack[p->depth - 1] + 1;
    return RP_OK;
}

static rp_status do_put(rp_pickle *p, size_t n)
{
    uint64_t slot;
    rp_status s = read_number(p, &slot, n);
    return s ? s : memo_put(p, slot);
}

static rp_status do_memoize(rp_pickle *p, size_t unused)
{
    (void)unused;
    return memo_put(p, p->nmemo);
}

static rp_status do_get(rp_pickle *p, size_t n)
{
    uint64_t slot;
    rp_status s = read_number(p, &slot, n);
    if (s) return s;
    if (slot >= p->nmemo || p->memo[slot] == 0)
        return rp_pickle_bad(p, "nothing under this memo number");
    return push(p, p->memo[slot] - 1);
}

/* ---- opcodes: containers ---- */

static rp_status append(rp_pickle *p, rp_pickle_value *container, uint32_t key, uint32_t value)
{
    rp_status s = rp_grow(&p->cell, &p->cell_cap, p->ncell + 1, sizeof *p->cell, p->err);
    if (s) return s;
    uint32_t i = (uint32_t)p->ncell++;
    p->cell[i] = (rp_pickle_cell){.key = key, .value = value};
    if (container->n++)
        p->cell[container->as.items.last].next = i;
    else
        container->as.items.first = i;
    container->as.items.last = i;
    return RP_OK;
}

static rp_status do_empty(rp_pickle *p, size_t kind)
{
    return rp_pickle_push(p, (rp_pickle_value){.kind = (rp_pickle_kind)kind});
}

static rp_status make_tuple(rp_pickle *p, size_t from)
{
    rp_pickle_value tuple = {.kind = RP_P_TUPLE};
    for (size_t i = from; i < p->depth; i++) {
        rp_status s = append(p, &tuple, 0, p->stack[i]);
        if (s) return s;
    }
    p->depth = from;
    return rp_pickle_push(p, tuple);
}

static rp_status do_tuple(rp_pickle *p, size_t n)
{
    rp_status s = need(p, n);
    return s ? s : make_tuple(p, p->depth - n);
}

static rp_status do_tuple_mark(rp_pickle *p, size_t unused)
{
    (void)unused;
    size_t from;
    rp_status s = pop_to_mark(p, &from);
    return s ? s : make_tuple(p, from);
}

/* Moves the stack from `from` on into the list, or pairwise into the dictionary, below it. */
static rp_status fill(rp_pickle *p, size_t from, rp_pickle_kind expected)
{
    size_t step = expected == RP_P_DICT ? 2 : 1, n = p->depth - from;
    rp_status s = RP_OK;
    p->depth = from;
    if ((s = need(p, 1))) return s;
    rp_pickle_value *container = &p->value[p->stack[from - 1]];
    if (container->kind != expected || n % step)
        return rp_pickle_bad(p, "items for something that is no list or dictionary");
    for (size_t i = from; !s && i < from + n; i += step)
        s = append(p, container, p->stack[i], p->stack[i + step - 1]);
    return s;
}

static rp_status do_item(rp_pickle *p, size_t kind)
{
    size_t n = kind == RP_P_DICT ? 2 : 1;
    rp_status s = need(p, n);
    return s ? s : fill(p, p->depth - n, (rp_pickle_kind)kind);
}

static rp_status do_items(rp_pickle *p, size_t kind)
{
    size_t from;
    rp_status s = pop_to_mark(p, &from);
    return s ? s : fill(p, from, (rp_pickle_kind)kind);
}

static rp_status read_line(rp_pickle *p, const char **text, size_t *n)
{
    *text = (const char *)p->bytes + p->at;
    const char *end = memchr(*text, '\n', p->size - p->at);
    if (!end) return rp_pickle_bad(p, "truncated");
    *n = (size_t)(end - *text);
    p->at += *n + 1;
    return RP_OK;
}

static rp_status do_global(rp_pickle *p, size_t unused)
{
    (void)unused;
    const char *module, *name;
    size_t module_len = 0, name_len = 0;
    rp_status s = read_line(p, &module, &module_len);
    if (!s) s = read_line(p, &name, &name_len);
    return s ? s : p->name(p, module, module_len, name, name_len);
}

static rp_status do_stack_global(rp_pickle *p, size_t unused)
{
    (void)unused;
    rp_status s = need(p, 2);
    if (s) return s;
    p->depth -= 2;
    rp_pickle_value module = *rp_pickle_at(p, p->stack[p->depth]),
                    name = *rp_pickle_at(p, p->stack[p->depth + 1]);
    if (module.kind != RP_P_STRING || name.kind != RP_P_STRING)
        return rp_pickle_bad(p, "a name that is no string");
    return p->name(p, module.as.text, module.n, name.as.text, name.n);
}

bool rp_pickle_unpack(const rp_pickle *p, const rp_pickle_value *tuple,
                      const rp_pickle_value **items, uint32_t n)
{
    if ((tuple->kind != RP_P_TUPLE && tuple->kind != RP_P_STORAGE) || tuple->n < n) return false;
    for (uint32_t i = 0, c = tuple->as.items.first; i < n; i++, c = p->cell[c].next)
        items[i] = rp_pickle_at(p, p->cell[c].value);
    return true;
}

/* A call of REDUCE or NEWOBJ: the callee and a tuple of its arguments. */
static rp_status do_call(rp_pickle *p, size_t unused)
{
    (void)unused;
    rp_status s = need(p, 2);
    if (s) return s;
    p->depth -= 2;
    rp_pickle_value callee = *rp_pickle_at(p, p->stack[p->depth]);
    rp_pickle_value args = *rp_pickle_at(p, p->stack[p->depth + 1]);
    if (callee.kind != RP_P_GLOBAL || args.kind != RP_P_TUPLE)
        return rp_pickle_bad(p, "a call of something unknown");
    return p->call(p, callee, args);
}

static rp_status do_load(rp_pickle *p, size_t unused)
{
    (void)unused;
    rp_status s = need(p, 1);
    return s ? s : p->load(p, *rp_pickle_at(p, p->stack[--p->depth]));
}

/* The attributes of a state dict are its versions; tensors have none that matter. */
static rp_status do_build(rp_pickle *p, size_t unused)
{
    (void)unused;
    rp_status s = need(p, 2);
    if (s) return s;
    p->depth--;
    rp_pickle_kind built = rp_pickle_at(p, p->stack[p->depth - 1])->kind;
    return built == RP_P_DICT || built == RP_P_TENSOR
               ? RP_OK
               : rp_pickle_bad(p, "attributes of something unknown");
}

static const struct {
    rp_status (*run)(rp_pickle *p, size_t arg);
    size_t arg;
} opcodes[256] = {
    [0x80] = {do_protocol, 0},     [0x95] = {do_skip, 8},    /* FRAME */
    ['N'] = {do_nothing, 0},       [0x88] = {do_nothing, 0}, /* NEWTRUE */
    [0x89] = {do_nothing, 0},                                /* NEWFALSE */
    ['G'] = {do_nothing, 8},                                 /* BINFLOAT */
    ['K'] = {do_number, 1},        ['M'] = {do_number, 2},
    ['J'] = {do_number, 4},        [0x8a] = {do_long, 0},   /* LONG1 */
    [0x8c] = {do_string, 1},                                /* SHORT_BINUNICODE */
    ['X'] = {do_string, 4},        [0x8d] = {do_string, 8}, /* BINUNICODE8 */
    ['('] = {do_mark, 0},          ['0'] = {do_pop, 0},
    ['1'] = {do_pop_mark, 0},      ['q'] = {do_put, 1},
    ['r'] = {do_put, 4},           [0x94] = {do_memoize, 0},
    ['h'] = {do_get, 1},           ['j'] = {do_get, 4},
    [']'] = {do_empty, RP_P_LIST}, ['}'] = {do_empty, RP_P_DICT},
    [')'] = {do_tuple, 0},         [0x85] = {do_tuple, 1},
    [0x86] = {do_tuple, 2},        [0x87] = {do_tuple, 3},
    ['t'] = {do_tuple_mark, 0},    ['a'] = {do_item, RP_P_LIST},
    ['e'] = {do_items, RP_P_LIST}, ['s'] = {do_item, RP_P_DICT},
    ['u'] = {do_items, RP_P_DICT}, ['c'] = {do_global, 0},
    [0x93] = {do_stack_global, 0}, ['Q'] = {do_load, 0},
    ['R'] = {do_call, 0},          [0x81] = {do_call, 0}, /* NEWOBJ */
    ['b'] = {do_build, 0},
};

rp_status rp_pickle_run(rp_pickle *p, const rp_pickle_value **root)
{
    if (p->size > RP_PICKLE_LIMIT)
        return rp_fail(p->err, RP_EFORMAT, "'%s': a pickle of %zu bytes, more than %zu", p->path,
                       p->size, RP_PICKLE_LIMIT);
    rp_status s = rp_grow(&p->cell, &p->cell_cap, 1, sizeof *p->cell, p->err);
    p->ncell = 1;
    while (!s) {
        if (p->at == p->size) return rp_pickle_bad(p, "truncated");
        unsigned char op = p->bytes[p->at++];
        if (op == '.') break;
        if (!opcodes[op].run)
            return rp_fail(p->err, RP_EFORMAT,
                           "'%s': byte %zu of its pickle: opcode 0x%02x has no place in a "
                           "dictionary of tensors",
                           p->path, p->at - 1, op);
        s = opcodes[op].run(p, opcodes[op].arg);
    }
    if (!s) s = need(p, 1);
    if (!s) *root = rp_pickle_at(p, p->stack[p->depth - 1]);
    return s;
}

void rp_pickle_release(rp_pickle *p)
{
    free(p->value);
    free(p->cell);
    free(p->stack);
    free(p->mark);
    free(p->memo);
    *p = (rp_pickle){0};
}
