#include "model/statedict.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "model/pickle.h"

/* ---- the names that are known ---- */

typedef enum meaning {
    M_ORDERED_DICT,
    M_TENSOR,    /* _rebuild_tensor: storage, offset, size, stride, and what does not matter */
    M_TYPED,     /* the same with a dtype as argument 6 */
    M_PARAMETER, /* its argument 0 */
    M_SIZE,      /* a tuple of numbers */
    M_DEVICE,
    M_STORAGE, /* a type, never called */
    M_DTYPE
} meaning;

static const struct {
    const char *module, *name;
    meaning meaning;
    rp_dtype dtype;
} known[] = {
    {"collections", "OrderedDict", M_ORDERED_DICT, RP_F32},
    {"torch._utils", "_rebuild_tensor", M_TENSOR, RP_F32},
    {"torch._utils", "_rebuild_tensor_v2", M_TENSOR, RP_F32},
    {"torch._utils", "_rebuild_tensor_v3", M_TYPED, RP_F32},
    {"torch._utils", "_rebuild_parameter", M_PARAMETER, RP_F32},
    {"torch._utils", "_rebuild_parameter_with_state", M_PARAMETER, RP_F32},
    {"torch.nn.parameter", "Parameter", M_PARAMETER, RP_F32},
    {"torch", "Size", M_SIZE, RP_F32},
    {"torch", "device", M_DEVICE, RP_F32},
    {"torch", "FloatStorage", M_STORAGE, RP_F32},
    {"torch", "HalfStorage", M_STORAGE, RP_F16},
    {"torch", "BFloat16Storage", M_STORAGE, RP_BF16},
    {"torch", "DoubleStorage", M_STORAGE, RP_F64},
    {"torch", "LongStorage", M_STORAGE, RP_I64},
    {"torch", "IntStorage", M_STORAGE, RP_I32},
    {"torch", "ShortStorage", M_STORAGE, RP_I16},
    {"torch", "CharStorage", M_STORAGE, RP_I8},
    {"torch", "ByteStorage", M_STORAGE, RP_U8},
    {"torch", "BoolStorage", M_STORAGE, RP_BOOL},
    {"torch.storage", "UntypedStorage", M_STORAGE, RP_U8},
    {"torch", "UntypedStorage", M_STORAGE, RP_U8},
    {"torch", "float32", M_DTYPE, RP_F32},
    {"torch", "float16", M_DTYPE, RP_F16},
    {"torch", "bfloat16", M_DTYPE, RP_BF16},
    {"torch", "float64", M_DTYPE, RP_F64},
    {"torch", "int64", M_DTYPE, RP_I64},
    {"torch", "int32", M_DTYPE, RP_I32},
    {"torch", "int16", M_DTYPE, RP_I16},
    {"torch", "int8", M_DTYPE, RP_I8},
    {"torch", "uint8", M_DTYPE, RP_U8},
    {"torch", "uint16", M_DTYPE, RP_U16},
    {"torch", "uint32", M_DTYPE, RP_U32},
    {"torch", "uint64", M_DTYPE, RP_U64},
    {"torch", "bool", M_DTYPE, RP_BOOL},
    {"torch", "float8_e4m3fn", M_DTYPE, RP_F8_E4M3},
    {"torch", "float8_e5m2", M_DTYPE, RP_F8_E5M2},
};
#define NKNOWN (sizeof known / sizeof known[0])

/* Every tensor that the pickle makes, in the order of its making. */
typedef struct tensors {
    rp_pickled *tensor;
    size_t n, cap;
} tensors;

static int shown(size_t len)
{
    return len < 60 ? (int)len : 60;
}

static bool same(const char *word, const char *text, size_t n)
{
    return strlen(word) == n && memcmp(word, text, n) == 0;
}

static rp_status find_name(rp_pickle *p, const char *module, size_t module_len, const char *name,
                           size_t name_len)
{
    for (uint32_t i = 0; i < NKNOWN; i++)
        if (same(known[i].module, module, module_len) && same(known[i].name, name, name_len))
            return rp_pickle_push(p, (rp_pickle_value){.kind = RP_P_GLOBAL, .n = i});
    return rp_fail(p->err, RP_EFORMAT,
                   "'%s': the pickle asks for '%.*s.%.*s', which is not a tensor: refused", p->path,
                   shown(module_len), module, shown(name_len), name);
}

/* ("storage", type, key, location, number of elements) */
static rp_status load_storage(rp_pickle *p, rp_pickle_value id)
{
    const rp_pickle_value *v[5];
    size_t bytes;
    if (id.n != 5 || !rp_pickle_unpack(p, &id, v, 5) || v[0]->kind != RP_P_STRING ||
        !same("storage", v[0]->as.text, v[0]->n) || v[1]->kind != RP_P_GLOBAL ||
        known[v[1]->n].meaning != M_STORAGE || v[2]->kind != RP_P_STRING ||
        v[4]->kind != RP_P_NUMBER || v[4]->as.number < 0 ||
        __builtin_mul_overflow((size_t)v[4]->as.number, rp_dtype_size(known[v[1]->n].dtype),
                               &bytes))
        return rp_pickle_bad(p, "not the description of a storage");
    id.kind = RP_P_STORAGE;
    return rp_pickle_push(p, id);
}

static bool unpack_sizes(const rp_pickle *p, const rp_pickle_value *tuple,
                         size_t sizes[RP_TENSOR_RANK])
{
    const rp_pickle_value *v[RP_TENSOR_RANK];
    if (tuple->n > RP_TENSOR_RANK || !rp_pickle_unpack(p, tuple, v, tuple->n)) return false;
    for (size_t i = 0; i < tuple->n; i++) {
        if (v[i]->kind != RP_P_NUMBER || v[i]->as.number < 0) return false;
        sizes[i] = (size_t)v[i]->as.number;
    }
    return true;
}

/* storage, offset, size, stride, requires_grad, hooks, and for _rebuild_tensor_v3 a dtype */
static rp_status make_tensor(rp_pickle *p, const rp_pickle_value *args, bool typed)
{
    const rp_pickle_value *v[7], *id[5];
    uint32_t n = typed ? 7 : 4;
    if (!rp_pickle_unpack(p, args, v, n) || v[0]->kind != RP_P_STORAGE ||
        !rp_pickle_unpack(p, v[0], id, 5) || v[1]->kind != RP_P_NUMBER || v[1]->as.number < 0 ||
        v[2]->kind != RP_P_TUPLE || v[3]->kind != RP_P_TUPLE || v[2]->n != v[3]->n ||
        (typed && (v[6]->kind != RP_P_GLOBAL || known[v[6]->n].meaning != M_DTYPE)))
        return rp_pickle_bad(p, "not the description of a tensor");
    rp_dtype stored = known[id[1]->n].dtype;
    rp_pickled t = {.key = id[2]->as.text,
                    .key_len = id[2]->n,
                    .bytes = (size_t)id[4]->as.number * rp_dtype_size(stored),
                    .dtype = typed ? known[v[6]->n].dtype : stored,
                    .offset = (size_t)v[1]->as.number,
                    .rank = v[2]->n};
    if (!unpack_sizes(p, v[2], t.shape) || !unpack_sizes(p, v[3], t.stride))
        return rp_pickle_bad(p, "a tensor whose sizes are not at most 4 numbers");
    tensors *made = p->arg;
    rp_status s = rp_grow(&made->tensor, &made->cap, made->n + 1, sizeof t, p->err);
    if (s) return s;
    made->tensor[made->n++] = t;
    return rp_pickle_push(p, (rp_pickle_value){.kind = RP_P_TENSOR, .n = (uint32_t)made->n - 1});
}

/* What torch would call is one of the known names: a constructor that is done here instead. */
static rp_status call(rp_pickle *p, rp_pickle_value callee, rp_pickle_value args)
{
    const rp_pickle_value *v[1];
    switch (known[callee.n].meaning) {
    case M_ORDERED_DICT:
        return args.n ? rp_pickle_bad(p, "an OrderedDict with arguments")
                      : rp_pickle_push(p, (rp_pickle_value){.kind = RP_P_DICT});
    case M_TENSOR:
        return make_tensor(p, &args, false);
    case M_TYPED:
        return make_tensor(p, &args, true);
    case M_PARAMETER:
        if (!rp_pickle_unpack(p, &args, v, 1) || v[0]->kind != RP_P_TENSOR)
            return rp_pickle_bad(p, "not a parameter");
        return rp_pickle_push(p, *v[0]);
    case M_SIZE:
        if (!rp_pickle_unpack(p, &args, v, 1) || v[0]->kind != RP_P_TUPLE)
            return rp_pickle_bad(p, "not a torch.Size");
        return rp_pickle_push(p, *v[0]);
    case M_DEVICE:
        return rp_pickle_push(p, (rp_pickle_value){.kind = RP_P_NOTHING});
    default:
        return rp_pickle_bad(p, "a call of something that is no function");
    }
}

/* ---- the dictionary ---- */

/* The state dict inside a training checkpoint, or the dictionary itself. */
static const rp_pickle_value *state_dict(const rp_pickle *p, const rp_pickle_value *dict)
{
    for (uint32_t c = dict->as.items.first; c; c = p->cell[c].next) {
        const rp_pickle_value *key = rp_pickle_at(p, p->cell[c].key),
                              *value = rp_pickle_at(p, p->cell[c].value);
        if (key->kind == RP_P_STRING && value->kind == RP_P_DICT &&
            (same("state_dict", key->as.text, key->n) || same("model", key->as.text, key->n)))
            return value;
    }
    return dict;
}

static rp_status collect(rp_pickle *p, const rp_pickle_value *dict, rp_pickled **out, size_t *n)
{
    const tensors *made = p->arg;
    if (dict->kind != RP_P_DICT)
        return rp_fail(p->err, RP_EFORMAT, "'%s': holds no dictionary of tensors", p->path);
    dict = state_dict(p, dict);
    rp_pickled *list = *out = rp_alloc(dict->n, sizeof *list);
    if (!list) return rp_fail_memory(p->err, dict->n * sizeof *list);
    for (uint32_t c = dict->as.items.first; c; c = p->cell[c].next) {
        const rp_pickle_value *key = rp_pickle_at(p, p->cell[c].key);
        const rp_pickle_value *value = rp_pickle_at(p, p->cell[c].value);
        if (key->kind != RP_P_STRING)
            return rp_fail(p->err, RP_EFORMAT, "'%s': entry %zu has a key that is no string",
                           p->path, *n);
        if (value->kind != RP_P_TENSOR)
            return rp_fail(p->err, RP_EFORMAT, "'%s': entry '%.*s' is not a tensor", p->path,
                           shown(key->n), key->as.text);
        list[*n] = made->tensor[value->n];
        list[*n].name = key->as.text;
        list[(*n)++].name_len = key->n;
    }
    return RP_OK;
}

rp_status rp_statedict_read(rp_pickled **out, size_t *n, const unsigned char *pickle, size_t size,
                            const char *path, rp_error *err)
{
    tensors made = {0};
    rp_pickle p = {.bytes = pickle,
                   .size = size,
                   .path = path,
                   .err = err,
                   .name = find_name,
                   .call = call,
                   .load = load_storage,
                   .arg = &made};
    const rp_pickle_value *root;
    *out = NULL;
    *n = 0;
    rp_status s = rp_pickle_run(&p, &root);
    if (!s) s = collect(&p, root, out, n);
    if (s) {
        free(*out);
        *out = NULL;
        *n = 0;
    }
    rp_pickle_release(&p);
    free(made.tensor);
    return s;
}
