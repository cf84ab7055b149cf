/*
 * A machine for pickles that runs no code: constants, tuples, lists, dictionaries and the memo, of
 * protocols 2 to 5. The one thing to know: a pickle's way to the outside, names, calls and
 * persistent identifiers, goes to three functions of the caller (statedict.c), which know what they
 * know and refuse the rest.
 *
 * A value is a number of a node; an opcode makes at most one node and one cell an item that it
 * takes from the stack, so all memory is bounded by the pickle's size. Values may contain each
 * other in circles; nothing here follows them.
 *
 * Source: the opcodes as CPython's Lib/pickletools.py describes them.
 */
#ifndef RP_MODEL_PICKLE_H
#define RP_MODEL_PICKLE_H

#include "base/error.h"

#define RP_PICKLE_LIMIT ((size_t)16 << 20) /* bytes; a checkpoint's has some 200 a tensor */

typedef enum rp_pickle_kind {
    RP_P_NOTHING, /* None, a bool, a float: never part of a tensor */
    RP_P_NUMBER,
    RP_P_STRING,
    RP_P_TUPLE,
    RP_P_LIST,
    RP_P_DICT,
    /* made by the caller's functions */
    RP_P_GLOBAL,  /* .n: index of a name */
    RP_P_STORAGE, /* a tuple that was checked */
    RP_P_TENSOR   /* .n: index of a tensor */
} rp_pickle_kind;

typedef struct rp_pickle_value {
    rp_pickle_kind kind;
    uint32_t n; /* items; bytes of a string */
    union {
        int64_t number;
        const char *text; /* in the pickle, not NUL-terminated */
        struct {
            uint32_t first, last; /* cells; 0: none */
        } items;
    } as;
} rp_pickle_value;

typedef struct rp_pickle_cell {
    uint32_t key, value, next; /* values; the next cell or 0. key: of dictionaries */
} rp_pickle_cell;

typedef struct rp_pickle {
    /* set by the caller, all else 0 */
    const unsigned char *bytes; /* [size] */
    size_t size;
    const char *path; /* for messages */
    rp_error *err;
    /* Each pushes one value or fails. Arguments are copies. */
    rp_status (*name)(struct rp_pickle *p, const char *module, size_t module_len, const char *name,
                      size_t name_len);
    rp_status (*call)(struct rp_pickle *p, rp_pickle_value callee, rp_pickle_value args);
    rp_status (*load)(struct rp_pickle *p, rp_pickle_value id); /* a persistent identifier */
    void *arg;                                                  /* for the caller's functions */

    size_t at; /* in bytes */
    rp_pickle_value *value;
    rp_pickle_cell *cell; /* [ncell], cell 0 is none */
    size_t nvalue, value_cap, ncell, cell_cap;
    uint32_t *stack, *mark, *memo; /* memo: value + 1, 0: empty */
    size_t depth, stack_cap, nmark, mark_cap, nmemo, memo_cap;
} rp_pickle;

/* *root <- what the pickle leaves. RP_EFORMAT: broken, or an opcode that is not known. */
rp_status rp_pickle_run(rp_pickle *p, const rp_pickle_value **root);
void rp_pickle_release(rp_pickle *p);

/* RP_EFORMAT: "'path': byte N of its pickle: <what>" */
rp_status rp_pickle_bad(rp_pickle *p, const char *what);
rp_status rp_pickle_push(rp_pickle *p, rp_pickle_value value);
const rp_pickle_value *rp_pickle_at(const rp_pickle *p, uint32_t value);
/* items [n] <- the first n items of a tuple (or storage); false when there are fewer. Valid until
 * the next push. */
bool rp_pickle_unpack(const rp_pickle *p, const rp_pickle_value *tuple,
                      const rp_pickle_value **items, uint32_t n);

#endif
