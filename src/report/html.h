/*
 * Writing HTML into memory. The one thing to know: `%s` is always escaped, so text from a file can
 * not become markup. The first failure sticks: later calls do nothing, and the caller looks once,
 * at `status`.
 */
#ifndef RP_REPORT_HTML_H
#define RP_REPORT_HTML_H

#include "base/memory.h"

typedef struct rp_html {
    rp_text text;
    rp_status status;
    rp_error *err;
} rp_html;

void rp_html_init(rp_html *html, rp_error *err);
void rp_html_release(rp_html *html);

/* `format` is copied but for: %s text (const char *), escaped for elements and quoted attributes;
 * %h markup (const char *), as it is; %z size_t; %n double, two decimals, a dash for NaN; %i
 * double, three decimals; %% a percent sign. */
void rp_html_put(rp_html *html, const char *format, ...);

/* The number as %n writes it, into buffer [16]; returns buffer. */
const char *rp_html_number(char *buffer, double value);

/* An SVG file that gnuplot wrote, made part of the page: prolog, titles, namespaces and fixed sizes
 * go, ids get the prefix `id`, black becomes the page's ink and the known colours of the palette
 * become variables of its style sheet. `label` is what a screen reader says. */
void rp_html_put_svg(rp_html *html, const char *path, const char *id, const char *label);

#endif
