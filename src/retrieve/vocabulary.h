/* Terms in order of first appearance, each with a count of the documents that have it. */
#ifndef RP_RETRIEVE_VOCABULARY_H
#define RP_RETRIEVE_VOCABULARY_H

#include "base/map.h"

typedef struct rp_vocable {
    const char *text; /* NUL-terminated, owned by the map */
    size_t len;
    size_t documents;
    size_t last; /* document that counted it last, + 1 */
} rp_vocable;

typedef struct rp_vocabulary {
    rp_map *map; /* term -> index */
    rp_vocable *term;
    size_t n, cap;
} rp_vocabulary;

rp_status rp_vocabulary_init(rp_vocabulary *v, rp_error *err);
void rp_vocabulary_release(rp_vocabulary *v);
/* *index of a term, which is added if it is new. RP_ENOMEM beyond 2^32 - 1 terms. */
rp_status rp_vocabulary_add(rp_vocabulary *v, size_t *index, const char *text, size_t len,
                            rp_error *err);

#endif
