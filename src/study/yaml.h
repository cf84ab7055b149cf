/*
 * A YAML file as a flat list of what stands where. libcyaml fills C structs by a schema but does
 * not say in which line a key stood, takes "3x" for 3 and 5 for true; this list is checked against
 * the same schema first, so that each of these is an error with its line.
 */
#ifndef RP_STUDY_YAML_H
#define RP_STUDY_YAML_H

#include <cyaml/cyaml.h>

#include "base/error.h"

typedef enum rp_yaml_kind { RP_YAML_SCALAR, RP_YAML_SEQUENCE, RP_YAML_MAPPING } rp_yaml_kind;

typedef struct rp_yaml_node {
    char *path; /* "data.queries[1]"; "" is the document */
    char *text; /* of a scalar, else NULL */
    rp_yaml_kind kind;
    bool quoted;
    size_t line; /* from 1; of the key for a member of a mapping */
} rp_yaml_node;

/* Nodes in the file's order. Anchors, aliases, a second document, a key twice are RP_EFORMAT. */
rp_status rp_yaml_scan(rp_yaml_node **nodes, size_t *n, const char *path, const void *data,
                       size_t size, rp_error *err);
void rp_yaml_free(rp_yaml_node *nodes, size_t n);

/* Every node against the schema: unknown keys, wrong kinds, values that are not of their type. */
rp_status rp_yaml_check(const rp_yaml_node *nodes, size_t n, const cyaml_schema_value_t *schema,
                        const char *path, rp_error *err);

#endif
