/*
 * Memory: checked allocation and an arena. An arena is for many small things that die together;
 * everything else has one owner and one _free.
 */
#ifndef RP_BASE_MEMORY_H
#define RP_BASE_MEMORY_H

#include "base/error.h"

/* n * size bytes, zeroed, 64-byte aligned; NULL when it overflows or memory is refused. free(). */
void *rp_alloc(size_t n, size_t size);
/* Bytes that the machine can give without swapping, as the kernel estimates it; SIZE_MAX where it
 * does not say. */
size_t rp_memory_available(void);
/* Grows *array (element `size`, capacity *cap) so that `need` elements fit; amortised doubling. */
rp_status rp_grow(void *array, size_t *cap, size_t need, size_t size, rp_error *err);

typedef struct rp_arena rp_arena;
rp_arena *rp_arena_new(void);
void rp_arena_free(rp_arena *arena);
void *rp_arena_alloc(rp_arena *arena, size_t bytes);                 /* NULL: no memory */
char *rp_arena_strndup(rp_arena *arena, const char *text, size_t n); /* NUL-terminated */
char *rp_arena_strdup(rp_arena *arena, const char *text);

/* A growing byte string, always NUL-terminated once something was appended. */
typedef struct rp_text {
    char *data;
    size_t len, cap;
} rp_text;
void rp_text_release(rp_text *text);
rp_status rp_text_append(rp_text *text, const char *data, size_t n, rp_error *err);
rp_status rp_text_printf(rp_text *text, rp_error *err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
