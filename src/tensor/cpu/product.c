#include <unistd.h>

#include "tensor/cpu/panels.h"

/* The tile at (row, column), where it may stick out of y: computed aside, copied in part. */
static void multiply_edge(const rp_product *p, const void *a, const void *b, size_t row,
                          size_t column, bool first, size_t n)
{
    float tile[RP_TILE * RP_PANEL] = {0}, bias[RP_PANEL] = {0};
    size_t rows = p->T - row < RP_TILE ? p->T - row : RP_TILE;
    size_t columns = p->N - column < RP_PANEL ? p->N - column : RP_PANEL;
    float *y = p->y + row * p->ldy + column;
    if (first && p->bias) memcpy(bias, p->bias + column, columns * sizeof *bias);
    for (size_t r = 0; r < rows && !first; r++)
        memcpy(tile + r * RP_PANEL, y + r * p->ldy, columns * sizeof *tile);
    p->kernel->multiply(tile, RP_PANEL, a, b, first && p->bias ? bias : NULL, first, n);
    for (size_t r = 0; r < rows; r++)
        memcpy(y + r * p->ldy, tile + r * RP_PANEL, columns * sizeof *tile);
}

/* Bytes of a panel of so many inputs. */
static size_t panel_bytes(const rp_kernel *kernel, size_t depth)
{
    size_t rest = depth % kernel->depth;
    return depth / kernel->depth * kernel->block_bytes(kernel->depth) +
           (rest ? kernel->block_bytes(rest) : 0);
}

/* A whole tile; where it goes is fetched while it is computed. */
static void multiply_whole(const rp_product *p, const void *a, const void *b, size_t row,
                           size_t column, bool first, size_t n)
{
    float *y = p->y + row * p->ldy + column;
    for (size_t r = 0; r < RP_TILE; r++)
        for (size_t j = 0; j < RP_PANEL; j += 16) __builtin_prefetch(y + r * p->ldy + j, 1, 3);
    p->kernel->multiply(y, p->ldy, a, b, p->bias ? p->bias + column : NULL, first, n);
}

/* Tile `i` of `tiles` fetches its share of the block that comes next: it lies a whole panel
 * further, where no machine looks by itself, and would be waited for. */
static void fetch_share(const char *next, size_t bytes, size_t i, size_t tiles)
{
    for (size_t at = bytes * i / tiles / 64 * 64; at < bytes * (i + 1) / tiles; at += 64)
        __builtin_prefetch(next + at, 0, 2);
}

/* Rows [row, row + rows) against inputs [k0, k0 + n) of all panels. */
static void multiply_block(const rp_product *p, size_t row, size_t rows, size_t k0, size_t n)
{
    const rp_kernel *kernel = p->kernel;
    size_t tile = kernel->tile_bytes(n), panel = panel_bytes(kernel, p->depth);
    size_t bytes = kernel->block_bytes(n), tiles = (rows + RP_TILE - 1) / RP_TILE;
    const char *block = (const char *)p->panels + panel_bytes(kernel, k0), *work = (char *)p->work;
    for (size_t column = 0; column < p->N; column += RP_PANEL) {
        const char *b = block + column / RP_PANEL * panel;
        for (size_t i = 0; i < rows; i += RP_TILE) {
            const char *a = work + i / RP_TILE * tile;
            if (column + RP_PANEL < p->N) fetch_share(b + panel, bytes, i / RP_TILE, tiles);
            if (i + RP_TILE > rows || column + RP_PANEL > p->N)
                multiply_edge(p, a, b, row + i, column, k0 == 0, n);
            else
                multiply_whole(p, a, b, row + i, column, k0 == 0, n);
        }
    }
}

/* Bytes of rows as tiles: what fits into three quarters of the second-level cache, and into `work`.
 * The panels are read from memory once for so many rows. */
static size_t rows_bytes(void)
{
    static _Atomic size_t known;
    size_t most = RP_PANELS_WORK * sizeof(float), bytes = known;
    if (bytes) return bytes;
    long cache = 0;
#ifdef _SC_LEVEL2_CACHE_SIZE
    cache = sysconf(_SC_LEVEL2_CACHE_SIZE);
#endif
    bytes = (cache > 256 << 10 ? (size_t)cache : 256 << 10) / 4 * 3;
    if (bytes > most) bytes = most;
    known = bytes;
    return bytes;
}

/* Rows at a time: whole tiles, and as many each time. */
static size_t rows_of(const rp_kernel *kernel, size_t T)
{
    size_t most = rows_bytes() / kernel->tile_bytes(kernel->depth) * RP_TILE;
    if (T <= most) return most;
    size_t times = (T + most - 1) / most;
    return (T + times * RP_TILE - 1) / (times * RP_TILE) * RP_TILE;
}

void rp_product_run(const rp_product *p)
{
    size_t depth = p->kernel->depth, most = rows_of(p->kernel, p->T);
    for (size_t row = 0; row < p->T; row += most) {
        size_t rows = p->T - row < most ? p->T - row : most;
        for (size_t k0 = 0; k0 < p->K; k0 += depth) {
            size_t n = p->K - k0 < depth ? p->K - k0 : depth;
            p->kernel->pack(p->work, p->x + row * p->ldx + k0, p->ldx, rows, n);
            multiply_block(p, row, rows, k0, n);
        }
    }
}
