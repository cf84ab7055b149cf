#include "report/palette.h"

/* Seven hues of similar weight that stay apart for the common kinds of colour blindness (after Paul
 * Tol's "muted" and Okabe and Ito's sets); grey last. */
const rp_colour rp_palette_series[RP_SERIES_COLOURS] = {
    {0x2f6db3, 0x7db3f0, "--series-1"}, {0xc8553d, 0xf0907a, "--series-2"},
    {0x2e8b6f, 0x63cba9, "--series-3"}, {0xa8781f, 0xe3b85c, "--series-4"},
    {0x7d4f9e, 0xc39be6, "--series-5"}, {0x3897ab, 0x74d3e6, "--series-6"},
    {0x6b7280, 0xa9b1bf, "--series-7"}};

const rp_colour rp_palette_muted = {0x5b6472, 0x9aa4b2, "--muted"};
const rp_colour rp_palette_grid = {0xdfe3e8, 0x333b47, "--grid"};
const rp_colour rp_palette_sound = {0x1f5fa8, 0x6fb0f5, "--sound"};
const rp_colour rp_palette_published = {0xb9862b, 0xdcae5a, "--published"};
const rp_colour rp_palette_within = {0x1c7c5c, 0x4fd1a5, "--within"};
const rp_colour rp_palette_on_tile = {0xfefefe, 0x0b1220, "--on-tile"};

const rp_colour *rp_palette_at(size_t i)
{
    static const rp_colour *const others[] = {&rp_palette_muted,  &rp_palette_grid,
                                              &rp_palette_sound,  &rp_palette_published,
                                              &rp_palette_within, &rp_palette_on_tile};
    if (i < RP_SERIES_COLOURS) return &rp_palette_series[i];
    i -= RP_SERIES_COLOURS;
    return i < sizeof others / sizeof others[0] ? others[i] : NULL;
}

const char *rp_palette_variable(unsigned rgb)
{
    const rp_colour *colour;
    for (size_t i = 0; (colour = rp_palette_at(i)); i++)
        if (colour->light == rgb) return colour->variable;
    return NULL;
}
