#include "run/template.h"

#include <stdlib.h>
#include <string.h>

enum kind { LITERAL, QUERY, TITLE, TEXT, BOS, EOS, SEP };

typedef struct piece {
    enum kind kind;
    const char *text; /* of a literal, in the arena */
    int role;         /* RP_SET_QUERY, RP_SET_DOCUMENT or 0 */
    int32_t id;       /* of a special token */
} piece;

struct rp_template {
    const char *name, *custom;
    size_t max_query, max_passage;
    const rp_tokenizer *tokenizer;
    int32_t bos, eos; /* -1: none */
    bool pair;        /* query and document are encoded apart, the post-processor joins them */
    bool processed;   /* the post-processor adds the special tokens */
    bool append_eos;
    rp_arena *arena;
    piece *piece; /* [npieces] */
    size_t npieces, cap;
};

static const struct {
    const char *name, *text;
    bool pair, processed, append_eos;
} templates[] = {
    {"pair", "{query}{title} {text}", true, true, false},
    {"rankllama-pair", "query: {query}document: {title} {text}", true, true, false},
    {"rankllama-string", "query: {query} document: {title} {text}", false, true, false},
    {"rankllama-eos", "query: {query} document: {title} {text}", false, true, true},
    {"custom", NULL, false, false, false},
};
#define NTEMPLATES (sizeof templates / sizeof *templates)

static const struct {
    const char *name;
    enum kind kind;
} placeholders[] = {{"query", QUERY}, {"title", TITLE}, {"text", TEXT},
                    {"bos", BOS},     {"eos", EOS},     {"sep", SEP}};
#define NPLACEHOLDERS (sizeof placeholders / sizeof *placeholders)

static const struct {
    const char *name;
    unsigned set;
} sets[] = {{"all", RP_SET_ALL},
            {"nobos", RP_SET_NOBOS},
            {"query", RP_SET_QUERY},
            {"document", RP_SET_DOCUMENT},
            {"last", RP_SET_LAST}};
#define NSETS (sizeof sets / sizeof *sets)

unsigned rp_set_find(const char *name)
{
    for (size_t i = 0; i < NSETS; i++)
        if (strcmp(sets[i].name, name) == 0) return sets[i].set;
    return 0;
}

const char *rp_set_name(unsigned set)
{
    for (size_t i = 0; i < NSETS; i++)
        if (sets[i].set == set) return sets[i].name;
    return "?";
}

void rp_template_options_init(rp_template_options *options)
{
    *options = (rp_template_options){.name = "auto", .max_query = 32, .max_passage = 164};
}

const char *rp_template_default(bool causal)
{
    return causal ? "rankllama-pair" : "pair";
}

void rp_tokens_release(rp_tokens *tokens)
{
    rp_ids_release(&tokens->ids);
    rp_ids_release(&tokens->set);
    rp_ids_release(&tokens->segment);
    rp_ids_release(&tokens->whole);
    rp_ids_release(&tokens->prefix);
    rp_ids_release(&tokens->content);
    rp_ids_release(&tokens->role);
    rp_text_release(&tokens->text);
    *tokens = (rp_tokens){0};
}

/* ---- compiling ---- */

void rp_template_free(rp_template *t)
{
    if (!t) return;
    free(t->piece);
    rp_arena_free(t->arena);
    free(t);
}

static rp_status add_piece(rp_template *t, enum kind kind, const char *text, size_t len,
                           rp_error *err)
{
    piece *p;
    rp_status status;

    if (kind == LITERAL && len == 0) return RP_OK;
    status = rp_grow(&t->piece, &t->cap, t->npieces + 1, sizeof *t->piece, err);
    if (status != RP_OK) return status;
    p = &t->piece[t->npieces++];
    *p = (piece){.kind = kind, .id = -1};
    if (kind == LITERAL && !(p->text = rp_arena_strndup(t->arena, text, len)))
        return rp_fail_memory(err, len);
    if (kind == QUERY) p->role = RP_SET_QUERY;
    if (kind == TITLE || kind == TEXT) p->role = RP_SET_DOCUMENT;
    return RP_OK;
}

/* name[len] of "{name}" becomes a piece. */
static rp_status add_placeholder(rp_template *t, const char *name, size_t len, rp_error *err)
{
    for (size_t i = 0; i < NPLACEHOLDERS; i++) {
        const char *known = placeholders[i].name;
        enum kind kind = placeholders[i].kind;
        rp_status status;
        if (strlen(known) != len || memcmp(known, name, len) != 0) continue;
        status = add_piece(t, kind, NULL, 0, err);
        if (status != RP_OK || kind < BOS) return status;
        t->piece[t->npieces - 1].id = rp_tokenizer_special(t->tokenizer, known);
        if (t->piece[t->npieces - 1].id < 0)
            return rp_fail(err, RP_EFORMAT, "template: the tokenizer has no %s token", known);
        return RP_OK;
    }
    return rp_fail(err, RP_EARG,
                   "template: unknown placeholder '{%.*s}' (query, title, text, bos, eos, sep)",
                   len > 40 ? 40 : (int)len, name);
}

/* Splits the template at its placeholders; "{{" and "}}" are braces. */
static rp_status compile(rp_template *t, const char *text, rp_error *err)
{
    rp_text literal = {0};
    rp_status status = RP_OK;

    for (const char *c = text; status == RP_OK && *c;) {
        const char *close = *c == '{' ? strchr(c, '}') : NULL;
        if ((c[0] == '{' || c[0] == '}') && c[1] == c[0]) {
            status = rp_text_append(&literal, c, 1, err);
            c += 2;
        } else if (*c == '}' || (*c == '{' && !close)) {
            status = rp_fail(err, RP_EARG, "template: single '%c' at byte %zu", *c,
                             (size_t)(c - text) + 1);
        } else if (*c == '{') {
            status = add_piece(t, LITERAL, literal.data, literal.len, err);
            literal.len = 0;
            if (status == RP_OK) status = add_placeholder(t, c + 1, (size_t)(close - c) - 1, err);
            c = close + 1;
        } else {
            status = rp_text_append(&literal, c++, 1, err);
        }
    }
    if (status == RP_OK) status = add_piece(t, LITERAL, literal.data, literal.len, err);
    rp_text_release(&literal);
    return status;
}

/* A literal belongs to the next field of its run (pieces between two special tokens), else to the
 * one before it; a run without a field belongs to nobody. */
static void assign_roles(rp_template *t)
{
    int role = 0;

    for (size_t i = t->npieces; i-- > 0;) {
        piece *p = &t->piece[i];
        if (p->kind == LITERAL)
            p->role = role;
        else
            role = p->role;
    }
    role = 0;
    for (size_t i = 0; i < t->npieces; i++) {
        piece *p = &t->piece[i];
        if (p->kind == LITERAL && p->role == 0)
            p->role = role;
        else
            role = p->role;
    }
}

static rp_status check_fields(const rp_template *t, rp_error *err)
{
    bool query = false, document = false;

    for (size_t i = 0; i < t->npieces; i++) {
        query |= t->piece[i].kind == QUERY;
        document |= t->piece[i].kind == TITLE || t->piece[i].kind == TEXT;
    }
    if (!query) return rp_fail(err, RP_EARG, "template: {query} is not in it");
    if (!document) return rp_fail(err, RP_EARG, "template: neither {text} nor {title} is in it");
    return RP_OK;
}

static rp_status template_init(rp_template *t, const rp_template_options *o, rp_error *err)
{
    size_t kind = 0;
    const char *text;
    rp_status status;

    while (kind < NTEMPLATES && strcmp(templates[kind].name, o->name) != 0) kind++;
    if (kind == NTEMPLATES)
        return rp_fail(err, RP_EARG,
                       "unknown template '%.60s' (auto, pair, rankllama-pair, rankllama-string, "
                       "rankllama-eos, custom)",
                       o->name);
    text = templates[kind].text;
    if (!text && !o->custom) return rp_fail(err, RP_EARG, "the custom template needs its text");
    if (text && o->custom)
        return rp_fail(err, RP_EARG, "a custom text is given, but the template is '%s'", o->name);
    json_t *utf8 = json_string(text ? text : o->custom);
    if (!utf8) return rp_fail(err, RP_EARG, "template: the text is not UTF-8");
    json_decref(utf8);
    if (o->max_query == 0 || o->max_passage == 0)
        return rp_fail(err, RP_EARG, "query and passage need at least one token each");
    t->name = templates[kind].name;
    t->pair = templates[kind].pair;
    t->processed = templates[kind].processed;
    t->append_eos = templates[kind].append_eos;
    t->max_query = o->max_query;
    t->max_passage = o->max_passage;
    t->bos = rp_tokenizer_special(t->tokenizer, "bos");
    t->eos = rp_tokenizer_special(t->tokenizer, "eos");
    if (t->append_eos && t->eos < 0)
        return rp_fail(err, RP_EFORMAT, "template '%s': the tokenizer has no eos token", t->name);
    t->arena = rp_arena_new();
    if (!t->arena) return rp_fail_memory(err, sizeof *t);
    if (o->custom && !(t->custom = rp_arena_strdup(t->arena, o->custom)))
        return rp_fail_memory(err, strlen(o->custom));
    status = compile(t, text ? text : o->custom, err);
    if (status == RP_OK) status = check_fields(t, err);
    if (status == RP_OK) assign_roles(t);
    return status;
}

rp_status rp_template_new(rp_template **template_, const rp_template_options *options,
                          const rp_tokenizer *tokenizer, rp_error *err)
{
    rp_template *t = rp_alloc(1, sizeof *t);
    rp_status status;

    *template_ = NULL;
    if (!t) return rp_fail_memory(err, sizeof *t);
    t->tokenizer = tokenizer;
    status = template_init(t, options, err);
    if (status == RP_OK)
        *template_ = t;
    else
        rp_template_free(t);
    return status;
}

json_t *rp_template_to_json(const rp_template *t)
{
    json_t *json = json_pack("{s:s, s:I, s:I}", "name", t->name, "max_query",
                             (json_int_t)t->max_query, "max_passage", (json_int_t)t->max_passage);

    if (json && t->custom && json_object_set_new(json, "custom", json_string(t->custom)) != 0) {
        json_decref(json);
        return NULL;
    }
    return json;
}

/* ---- encoding ---- */

/* Appends a piece's text. An absent title takes the space behind it with it: *eat. */
static rp_status expand(rp_text *out, const piece *p, const rp_pair *pair, bool *eat, rp_error *err)
{
    const char *text = p->kind == QUERY   ? pair->query
                       : p->kind == TITLE ? pair->title
                       : p->kind == TEXT  ? pair->text
                                          : p->text;

    if (*eat && p->kind == LITERAL && *text == ' ') text++;
    *eat = p->kind == TITLE && *text == '\0';
    return rp_text_append(out, text, strlen(text), err);
}

static size_t common_prefix(const rp_ids *a, const rp_ids *b)
{
    size_t n = 0;

    while (n < a->n && n < b->n && a->id[n] == b->id[n]) n++;
    return n;
}

static rp_status push_content(rp_tokens *k, int32_t id, int role, rp_error *err)
{
    rp_status status = rp_ids_push(&k->content, id, err);

    return status == RP_OK ? rp_ids_push(&k->role, role, err) : status;
}

/* Tokens first..end-1 of the run, as far as the limit of their role goes. */
static rp_status keep(const rp_template *t, rp_tokens *k, size_t first, size_t end, int role,
                      size_t used[2], rp_error *err)
{
    size_t limit = role == RP_SET_QUERY ? t->max_query : t->max_passage;
    size_t *n = &used[role == RP_SET_QUERY ? 0 : 1];
    rp_status status = RP_OK;

    for (size_t i = first; status == RP_OK && i < end; i++)
        if (role == 0 || (*n)++ < limit) status = push_content(k, k->whole.id[i], role, err);
    return status;
}

/* Encodes pieces first..end-1, a run of text, as one string. The tokens of a part are found from
 * the encoding of the string up to the part's end: those that both have in common. A token that
 * straddles the border belongs to the part behind it. */
static rp_status encode_run(const rp_template *t, rp_tokens *k, size_t first, size_t end,
                            const rp_pair *pair, size_t used[2], rp_error *err)
{
    size_t token = 0;
    bool eat = false;
    rp_status status = RP_OK;

    k->text.len = 0;
    k->whole.n = 0;
    for (size_t i = first; status == RP_OK && i < end; i++)
        status = expand(&k->text, &t->piece[i], pair, &eat, err);
    if (status != RP_OK || k->text.len == 0) return status;
    status = rp_tokenizer_encode(t->tokenizer, &k->whole, k->text.data, k->text.len, err);
    k->text.len = 0;
    eat = false;
    for (size_t i = first; status == RP_OK && i < end; i++) {
        int role = t->piece[i].role;
        size_t border = k->whole.n;
        status = expand(&k->text, &t->piece[i], pair, &eat, err);
        if (i + 1 < end && t->piece[i + 1].role == role) continue;
        if (status == RP_OK && i + 1 < end) {
            k->prefix.n = 0;
            status = rp_tokenizer_encode(t->tokenizer, &k->prefix, k->text.data, k->text.len, err);
            border = common_prefix(&k->prefix, &k->whole);
        }
        if (status != RP_OK || border < token) continue;
        status = keep(t, k, token, border, role, used, err);
        token = border;
    }
    return status;
}

/* content and role <- the tokens of every run, and of the special tokens between them. */
static rp_status encode_pieces(const rp_template *t, rp_tokens *k, size_t first, size_t end,
                               const rp_pair *pair, rp_error *err)
{
    size_t used[2] = {0, 0};
    rp_status status = RP_OK;

    for (size_t i = first; status == RP_OK && i < end;) {
        size_t stop = i;
        if (t->piece[i].kind >= BOS) {
            status = push_content(k, t->piece[i++].id, 0, err);
            continue;
        }
        while (stop < end && t->piece[stop].kind < BOS) stop++;
        status = encode_run(t, k, i, stop, pair, used, err);
        i = stop;
    }
    return status;
}

/* ids <- the post-processor's form of a = content[0, cut) and, for a pair, b = the rest. */
static rp_status assemble(const rp_template *t, rp_tokens *k, size_t cut, rp_error *err)
{
    static const int32_t none = 0; /* a pair of two texts without a token is a pair all the same */
    const int32_t *a = k->content.id ? k->content.id : &none, *b = t->pair ? a + cut : NULL;
    rp_span span[2] = {{0, 0}, {0, 0}};
    rp_status status = rp_tokenizer_assemble(t->tokenizer, &k->ids, span, &k->segment, a, cut, b,
                                             k->content.n - cut, err);

    for (size_t i = 0; status == RP_OK && i < k->ids.n; i++) status = rp_ids_push(&k->set, 0, err);
    if (status != RP_OK) return status;
    for (size_t i = span[0].first; i < span[0].end; i++)
        k->set.id[i] = k->role.id[i - span[0].first];
    for (size_t i = span[1].first; b && i < span[1].end; i++)
        k->set.id[i] = k->role.id[cut + i - span[1].first];
    if (!t->append_eos || (k->ids.n > 0 && k->ids.id[k->ids.n - 1] == t->eos)) return RP_OK;
    status = rp_ids_push(&k->ids, t->eos, err);
    if (status == RP_OK)
        status = rp_ids_push(&k->segment, k->segment.n ? k->segment.id[k->segment.n - 1] : 0, err);
    return status == RP_OK ? rp_ids_push(&k->set, 0, err) : status;
}

/* The content as it stands. The second segment begins with the document. */
static rp_status copy_content(rp_tokens *k, rp_error *err)
{
    int32_t segment = 0;
    rp_status status = RP_OK;

    for (size_t i = 0; status == RP_OK && i < k->content.n; i++) {
        if (k->role.id[i] == RP_SET_DOCUMENT) segment = 1;
        status = rp_ids_push(&k->ids, k->content.id[i], err);
        if (status == RP_OK) status = rp_ids_push(&k->set, k->role.id[i], err);
        if (status == RP_OK) status = rp_ids_push(&k->segment, segment, err);
    }
    return status;
}

/* The pair template: pieces up to and with {query} are the first text, the others the second. */
static rp_status encode_pair(const rp_template *t, rp_tokens *k, const rp_pair *pair, rp_error *err)
{
    size_t border = 0, cut;
    rp_status status;

    while (t->piece[border].kind != QUERY) border++;
    status = encode_pieces(t, k, 0, border + 1, pair, err);
    cut = k->content.n;
    if (status == RP_OK) status = encode_pieces(t, k, border + 1, t->npieces, pair, err);
    return status == RP_OK ? assemble(t, k, cut, err) : status;
}

rp_status rp_template_encode(const rp_template *t, rp_tokens *k, const rp_pair *pair, rp_error *err)
{
    rp_status status;

    k->ids.n = k->set.n = k->segment.n = k->content.n = k->role.n = 0;
    if (t->pair) {
        status = encode_pair(t, k, pair, err);
    } else {
        status = encode_pieces(t, k, 0, t->npieces, pair, err);
        if (status == RP_OK)
            status = t->processed ? assemble(t, k, k->content.n, err) : copy_content(k, err);
    }
    for (size_t i = 0; status == RP_OK && i < k->ids.n; i++)
        k->set.id[i] |= RP_SET_ALL | (k->ids.id[i] == t->bos ? 0 : RP_SET_NOBOS) |
                        (i + 1 == k->ids.n ? RP_SET_LAST : 0);
    return status;
}
