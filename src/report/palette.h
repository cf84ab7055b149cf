/*
 * The colours of the figures. On paper they are what stands here; on the page each is a variable of
 * the style sheet, so that a figure follows the reader's light or dark theme.
 */
#ifndef RP_REPORT_PALETTE_H
#define RP_REPORT_PALETTE_H

#include <stddef.h>

#define RP_SERIES_COLOURS 7

typedef struct rp_colour {
    unsigned light, dark; /* 0xrrggbb */
    const char *variable; /* "--series-1" */
} rp_colour;

extern const rp_colour rp_palette_series[RP_SERIES_COLOURS];
extern const rp_colour rp_palette_muted, rp_palette_grid, rp_palette_sound, rp_palette_published,
    rp_palette_within, rp_palette_on_tile; /* text on a dark tile */

/* The variable of a light colour, NULL when it is not one of ours. */
const char *rp_palette_variable(unsigned rgb);
/* The colours above, one after the other; NULL after the last. */
const rp_colour *rp_palette_at(size_t i);

#endif
