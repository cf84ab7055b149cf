/* A hash map from byte strings to size_t, open addressing; keys are copied. */
#ifndef RP_BASE_MAP_H
#define RP_BASE_MAP_H

#include "base/error.h"

#define RP_MAP_NONE SIZE_MAX

typedef struct rp_map rp_map;
rp_map *rp_map_new(void); /* NULL: no memory */
void rp_map_free(rp_map *map);
size_t rp_map_size(const rp_map *map);
/* The value of a key, RP_MAP_NONE when it is absent. Safe for concurrent readers. */
size_t rp_map_get(const rp_map *map, const char *key, size_t len);
/* Inserts or finds: *slot is the value's place (valid until the next put), *fresh whether it is
 * new. *key_copy (may be NULL) is the map's own NUL-terminated copy, alive as long as the map. */
rp_status rp_map_put(rp_map *map, const char *key, size_t len, size_t **slot, bool *fresh,
                     const char **key_copy, rp_error *err);

#endif
