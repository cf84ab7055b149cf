#include "study/yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/memory.h"
#include "base/number.h"

#define DEPTH 16     /* levels; the schema has four */
#define NODES 100000 /* far beyond any study */

typedef struct level {
    rp_yaml_kind kind;
    size_t entries; /* of a sequence */
    bool at_value;  /* of a mapping: the key was read */
    char *key;      /* its path */
    size_t key_line;
    char *path;
} level;

typedef struct scanner {
    rp_yaml_node *node;
    size_t n, cap;
    level level[DEPTH];
    size_t depth;
    const char *path; /* of the file */
} scanner;

void rp_yaml_free(rp_yaml_node *nodes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(nodes[i].path);
        free(nodes[i].text);
    }
    free(nodes);
}

static void leave(scanner *s)
{
    level *top = &s->level[--s->depth];
    free(top->key);
    free(top->path);
}

static rp_status make_path(char **out, const char *parent, const char *key, size_t index,
                           rp_error *err)
{
    rp_text text = {0};
    rp_status status = key ? rp_text_printf(&text, err, "%s%s%s", parent, *parent ? "." : "", key)
                           : rp_text_printf(&text, err, "%s[%zu]", parent, index);
    *out = text.data;
    return status;
}

static rp_status add_node(scanner *s, char *path, const yaml_event_t *event, rp_yaml_kind kind,
                          size_t line, rp_error *err)
{
    rp_status status = RP_OK;
    if (s->n >= NODES)
        status =
            rp_fail(err, RP_EFORMAT, "'%s' line %zu: more than %d values", s->path, line, NODES);
    if (!status) status = rp_grow(&s->node, &s->cap, s->n + 1, sizeof *s->node, err);
    if (status) {
        free(path);
        return status;
    }
    rp_yaml_node *node = &s->node[s->n++];
    *node = (rp_yaml_node){.path = path, .kind = kind, .line = line};
    if (kind != RP_YAML_SCALAR) return RP_OK;
    const char *text = (const char *)event->data.scalar.value;
    if (strlen(text) != event->data.scalar.length)
        return rp_fail(err, RP_EFORMAT, "'%s' line %zu: a NUL byte in the text", s->path, line);
    node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    if (!(node->text = strdup(text))) return rp_fail_memory(err, strlen(text));
    return RP_OK;
}

/* A scalar where a mapping wants a key. */
static rp_status take_key(scanner *s, const yaml_event_t *event, size_t line, rp_error *err)
{
    level *top = &s->level[s->depth - 1];
    const char *key = (const char *)event->data.scalar.value;
    free(top->key);
    top->key = NULL;
    /* Paths are made of keys, '.' and '[': a key with one of them could pass for another. */
    if (!*key || strpbrk(key, ".[") || strlen(key) != event->data.scalar.length)
        return rp_fail(err, RP_EFORMAT, "'%s' line %zu: unknown key '%s'", s->path, line, key);
    rp_status status = make_path(&top->key, top->path, key, 0, err);
    for (size_t i = 0; !status && i < s->n; i++)
        if (!strcmp(s->node[i].path, top->key))
            status =
                rp_fail(err, RP_EFORMAT, "'%s' line %zu: key '%s' was given in line %zu already",
                        s->path, line, top->key, s->node[i].line);
    top->at_value = true;
    top->key_line = line;
    return status;
}

static rp_status enter(scanner *s, const char *path, rp_yaml_kind kind, size_t line, rp_error *err)
{
    if (s->depth == DEPTH)
        return rp_fail(err, RP_EFORMAT, "'%s' line %zu: more than %d levels", s->path, line, DEPTH);
    char *copy = strdup(path);
    if (!copy) return rp_fail_memory(err, strlen(path));
    s->level[s->depth++] = (level){.kind = kind, .path = copy};
    return RP_OK;
}

static rp_status take_value(scanner *s, const yaml_event_t *event, rp_yaml_kind kind, size_t line,
                            rp_error *err)
{
    level *top = s->depth ? &s->level[s->depth - 1] : NULL;
    char *path = NULL;
    rp_status status = RP_OK;
    if (!top) {
        path = strdup("");
        if (!path) status = rp_fail_memory(err, 1);
    } else if (top->kind == RP_YAML_SEQUENCE) {
        status = make_path(&path, top->path, NULL, top->entries++, err);
    } else if (!top->at_value) {
        if (kind == RP_YAML_SCALAR) return take_key(s, event, line, err);
        return rp_fail(err, RP_EFORMAT, "'%s' line %zu: a key must be text", s->path, line);
    } else {
        path = top->key;
        line = top->key_line;
        top->key = NULL;
        top->at_value = false;
    }
    if (status) return status;
    if ((status = add_node(s, path, event, kind, line, err))) return status;
    return kind == RP_YAML_SCALAR ? RP_OK : enter(s, path, kind, line, err);
}

static rp_status take_event(scanner *s, const yaml_event_t *event, rp_error *err)
{
    size_t line = event->start_mark.line + 1;
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        return rp_fail(err, RP_EFORMAT, "'%s' line %zu: aliases are not allowed", s->path, line);
    case YAML_DOCUMENT_START_EVENT:
        if (s->n)
            return rp_fail(err, RP_EFORMAT, "'%s' line %zu: a second document", s->path, line);
        return RP_OK;
    case YAML_SCALAR_EVENT:
        return take_value(s, event, RP_YAML_SCALAR, line, err);
    case YAML_SEQUENCE_START_EVENT:
        return take_value(s, event, RP_YAML_SEQUENCE, line, err);
    case YAML_MAPPING_START_EVENT:
        return take_value(s, event, RP_YAML_MAPPING, line, err);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        leave(s);
        return RP_OK;
    default:
        return RP_OK;
    }
}

rp_status rp_yaml_scan(rp_yaml_node **nodes, size_t *n, const char *path, const void *data,
                       size_t size, rp_error *err)
{
    scanner s = {.path = path};
    yaml_parser_t parser;
    yaml_event_t event;
    rp_status status = RP_OK;
    *nodes = NULL;
    *n = 0;
    if (!yaml_parser_initialize(&parser)) return rp_fail_memory(err, sizeof parser);
    yaml_parser_set_input_string(&parser, data, size);
    for (bool end = false; !status && !end;) {
        if (!yaml_parser_parse(&parser, &event)) {
            status =
                rp_fail(err, RP_EFORMAT, "'%s' line %zu: %s", path, parser.problem_mark.line + 1,
                        parser.problem ? parser.problem : "not YAML");
            break;
        }
        end = event.type == YAML_STREAM_END_EVENT;
        status = take_event(&s, &event, err);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    while (s.depth) leave(&s);
    if (status) {
        rp_yaml_free(s.node, s.n);
        return status;
    }
    *nodes = s.node;
    *n = s.n;
    return RP_OK;
}

/* ---- against the schema ---- */

/* Edit distance, for short keys. */
static size_t distance(const char *a, const char *b)
{
    size_t row[64], n = strlen(b);
    if (n >= 63 || strlen(a) >= 63) return 64;
    for (size_t k = 0; k <= n; k++) row[k] = k;
    for (size_t i = 0; a[i]; i++) {
        size_t corner = row[0];
        row[0] = i + 1;
        for (size_t k = 0; k < n; k++) {
            size_t change = corner + (a[i] != b[k]);
            corner = row[k + 1];
            size_t shift = (row[k] < corner ? row[k] : corner) + 1;
            row[k + 1] = change < shift ? change : shift;
        }
    }
    return row[n];
}

static rp_status unknown(const rp_yaml_node *node, const char *key,
                         const cyaml_schema_field_t *fields, const char *path, rp_error *err)
{
    const char *nearest = NULL;
    size_t least = 4;
    for (; fields->key; fields++) {
        size_t d = distance(key, fields->key);
        if (d < least && d < strlen(fields->key)) {
            least = d;
            nearest = fields->key;
        }
    }
    if (nearest)
        return rp_fail(err, RP_EFORMAT, "'%s' line %zu: unknown key '%s', did you mean '%s'?", path,
                       node->line, node->path, nearest);
    return rp_fail(err, RP_EFORMAT, "'%s' line %zu: unknown key '%s'", path, node->line,
                   node->path);
}

/* The schema of a node, found from the top along its path; NULL after an error. */
static const cyaml_schema_value_t *find_schema(const rp_yaml_node *node,
                                               const cyaml_schema_value_t *schema, const char *path,
                                               rp_error *err)
{
    const char *at = node->path;
    while (*at) {
        if (*at == '[') {
            /* Parents come first, so a '[' is only met where the schema has a sequence. */
            schema = schema->sequence.entry;
            at += strcspn(at, "]") + 1;
        } else {
            char key[128];
            if (*at == '.') at++;
            size_t n = strcspn(at, ".[");
            snprintf(key, sizeof key, "%.*s", n > 127 ? 127 : (int)n, at);
            const cyaml_schema_field_t *field = schema->mapping.fields;
            while (field->key && strcmp(field->key, key) != 0) field++;
            if (!field->key || n > 127) {
                unknown(node, key, schema->mapping.fields, path, err);
                return NULL;
            }
            schema = &field->value;
            at += n;
        }
    }
    return schema;
}

static bool is_bool(const char *text)
{
    return !strcmp(text, "true") || !strcmp(text, "false");
}

static rp_status check_node(const rp_yaml_node *node, const cyaml_schema_value_t *schema,
                            const char *path, rp_error *err)
{
    static const char *const kinds[] = {"a single value", "a list", "a section of keys"};
    size_t size;
    long integer;
    double number;
    const char *wanted = NULL, *what = *node->path ? node->path : "the file";
    bool blank = node->kind == RP_YAML_SCALAR && !node->quoted &&
                 (!*node->text || !strcmp(node->text, "~") || !strcmp(node->text, "null"));
    if (schema->type == CYAML_MAPPING)
        wanted = node->kind == RP_YAML_MAPPING ? NULL : kinds[RP_YAML_MAPPING];
    else if (schema->type == CYAML_SEQUENCE)
        wanted = node->kind == RP_YAML_SEQUENCE ? NULL : "a list, like [a, b]";
    else if (node->kind != RP_YAML_SCALAR || blank)
        wanted = schema->type == CYAML_STRING ? "text" : "a value";
    else if (schema->type == CYAML_UINT)
        wanted = rp_number_size(node->text, &size) ? NULL : "a whole number";
    else if (schema->type == CYAML_INT)
        wanted = rp_number_int(node->text, &integer) ? NULL : "a whole number";
    else if (schema->type == CYAML_FLOAT)
        wanted = rp_number_double(node->text, &number) ? NULL : "a number";
    else if (schema->type == CYAML_BOOL)
        wanted = is_bool(node->text) ? NULL : "true or false";
    if (!wanted) return RP_OK;
    if (node->kind == RP_YAML_SCALAR && !blank)
        return rp_fail(err, RP_EFORMAT, "'%s' line %zu: %s should be %s, not '%s'", path,
                       node->line, what, wanted, node->text);
    return rp_fail(err, RP_EFORMAT, "'%s' line %zu: %s should be %s, not %s", path, node->line,
                   what, wanted, blank ? "empty" : kinds[node->kind]);
}

rp_status rp_yaml_check(const rp_yaml_node *nodes, size_t n, const cyaml_schema_value_t *schema,
                        const char *path, rp_error *err)
{
    if (!n) return rp_fail(err, RP_EFORMAT, "'%s': empty", path);
    for (size_t i = 0; i < n; i++) {
        rp_error found = {0};
        const cyaml_schema_value_t *own = find_schema(&nodes[i], schema, path, &found);
        if (!own) return rp_fail(err, found.status, "%s", found.text);
        rp_status status = check_node(&nodes[i], own, path, err);
        if (status) return status;
    }
    return RP_OK;
}
