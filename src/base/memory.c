#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { LARGE = 2 << 20 }; /* a huge page */

void *rp_alloc(size_t n, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes) || bytes > SIZE_MAX / 2) return NULL;
    size_t align = bytes >= LARGE ? LARGE : 64;
    bytes = bytes ? (bytes + align - 1) / align * align : align;
    void *p = aligned_alloc(align, bytes);
    if (!p) return NULL;
    /* A matrix of a hundred megabytes is 25,000 page faults otherwise; only a hint. */
    if (align == LARGE) madvise(p, bytes, MADV_HUGEPAGE);
    return memset(p, 0, bytes);
}

size_t rp_memory_available(void)
{
    size_t kib = SIZE_MAX >> 10;
    char line[128];
    FILE *f = fopen("/proc/meminfo", "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "MemAvailable: %zu kB", &kib) == 1) break;
    if (f) fclose(f);
    return kib << 10;
}

rp_status rp_grow(void *array, size_t *cap, size_t need, size_t size, rp_error *err)
{
    if (need <= *cap) return RP_OK;
    size_t grown = *cap < 8 ? 16 : *cap > SIZE_MAX / 2 ? need : *cap * 2;
    if (grown < need) grown = need;
    size_t bytes;
    if (__builtin_mul_overflow(grown, size, &bytes)) return rp_fail_memory(err, SIZE_MAX);
    void *old;
    memcpy(&old, array, sizeof old);
    void *p = realloc(old, bytes);
    if (!p) return rp_fail_memory(err, bytes);
    memcpy(array, &p, sizeof p);
    *cap = grown;
    return RP_OK;
}

/* ---- arena ---- */

#define CHUNK_FIRST ((size_t)16 << 10)
#define CHUNK_LAST ((size_t)1 << 20)

typedef struct chunk {
    struct chunk *next;
    size_t used, size; /* bytes after this header */
} chunk;
#define CHUNK_HEAD ((sizeof(chunk) + 15) / 16 * 16)

struct rp_arena {
    chunk *head; /* the one that is being filled */
    size_t size; /* of the next chunk */
};

rp_arena *rp_arena_new(void)
{
    rp_arena *a = calloc(1, sizeof *a);
    if (a) a->size = CHUNK_FIRST;
    return a;
}

void rp_arena_free(rp_arena *arena)
{
    if (!arena) return;
    for (chunk *c = arena->head, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    free(arena);
}

static void *chunk_add(rp_arena *arena, size_t bytes)
{
    bool own = bytes > arena->size / 4; /* a large thing must not waste the rest of a chunk */
    size_t size = own ? bytes : arena->size;
    if (size > SIZE_MAX - CHUNK_HEAD) return NULL;
    chunk *c = malloc(CHUNK_HEAD + size);
    if (!c) return NULL;
    c->size = size;
    c->used = bytes;
    if (own && arena->head) {
        c->next = arena->head->next;
        arena->head->next = c;
    } else {
        c->next = arena->head;
        arena->head = c;
        if (arena->size < CHUNK_LAST) arena->size *= 2;
    }
    return (char *)c + CHUNK_HEAD;
}

static void *take(rp_arena *arena, size_t bytes, size_t align)
{
    chunk *c = arena->head;
    if (c) {
        size_t at = (c->used + align - 1) / align * align;
        if (at <= c->size && bytes <= c->size - at) {
            c->used = at + bytes;
            return (char *)c + CHUNK_HEAD + at;
        }
    }
    return chunk_add(arena, bytes);
}

void *rp_arena_alloc(rp_arena *arena, size_t bytes)
{
    return take(arena, bytes, 16);
}

char *rp_arena_strndup(rp_arena *arena, const char *text, size_t n)
{
    if (n == SIZE_MAX) return NULL;
    char *copy = take(arena, n + 1, 1);
    if (!copy) return NULL;
    if (n) memcpy(copy, text, n);
    copy[n] = '\0';
    return copy;
}

char *rp_arena_strdup(rp_arena *arena, const char *text)
{
    return rp_arena_strndup(arena, text, strlen(text));
}

/* ---- growing text ---- */

void rp_text_release(rp_text *text)
{
    free(text->data);
    *text = (rp_text){0};
}

rp_status rp_text_append(rp_text *text, const char *data, size_t n, rp_error *err)
{
    if (n > SIZE_MAX - text->len - 1) return rp_fail_memory(err, SIZE_MAX);
    rp_status s = rp_grow(&text->data, &text->cap, text->len + n + 1, 1, err);
    if (s) return s;
    if (n) memcpy(text->data + text->len, data, n);
    text->len += n;
    text->data[text->len] = '\0';
    return RP_OK;
}

rp_status rp_text_printf(rp_text *text, rp_error *err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0) return rp_fail(err, RP_EARG, "cannot format '%s'", fmt);
    rp_status s = rp_grow(&text->data, &text->cap, text->len + (size_t)n + 1, 1, err);
    if (s) return s;
    va_start(ap, fmt);
    vsnprintf(text->data + text->len, (size_t)n + 1, fmt, ap);
    va_end(ap);
    text->len += (size_t)n;
    return RP_OK;
}
