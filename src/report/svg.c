#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "report/html.h"
#include "report/palette.h"

/* The largest figure that goes into a page. */
#define LIMIT ((size_t)32 << 20)

static bool starts(const char *text, const char *with)
{
    return !strncmp(text, with, strlen(with));
}

/* "rgb( 68, 119, 170)" and "rgb(68,119,170)" -> 0x4477aa; *end after it. */
static bool parse_rgb(const char *text, const char **end, unsigned *rgb)
{
    unsigned value = 0;
    text += 4;
    for (int i = 0; i < 3; i++) {
        char *after;
        unsigned long part = strtoul(text, &after, 10);
        if (after == text || part > 255) return false;
        value = value << 8 | (unsigned)part;
        text = after;
        if (*text != (i < 2 ? ',' : ')')) return false;
        text++;
    }
    *rgb = value;
    *end = text;
    return true;
}

/* An attribute value that may be a colour: the page's style sheet knows its own palette. */
static const char *put_colour(rp_html *html, const char *value)
{
    const char *end;
    unsigned rgb;
    if (starts(value, "rgb(") && parse_rgb(value, &end, &rgb)) {
        const char *variable = rp_palette_variable(rgb);
        if (!rgb)
            rp_html_put(html, "currentColor");
        else if (variable)
            rp_html_put(html, "var(%h)", variable);
        else {
            char text[24];
            snprintf(text, sizeof text, "#%06x", rgb);
            rp_html_put(html, "%h", text);
        }
        return end;
    }
    if (starts(value, "black")) {
        rp_html_put(html, "currentColor");
        return value + 5;
    }
    return value;
}

/* Attributes that say what is so anyway, which gnuplot repeats in every group: their length. */
static size_t is_default(const char *text)
{
    static const char *const defaults[] = {" stroke-width=\"1.00\"", " stroke-linecap=\"butt\"",
                                           " stroke-linejoin=\"miter\""};
    for (size_t i = 0; i < sizeof defaults / sizeof defaults[0]; i++)
        if (starts(text, defaults[i])) return strlen(defaults[i]);
    return 0;
}

/* A tag from '<' to '>': attributes are copied, ids and references to them prefixed. */
static const char *put_tag(rp_html *html, const char *text, const char *id)
{
    while (*text && *text != '>') {
        size_t skip = is_default(text);
        if (skip) {
            text += skip;
        } else if (starts(text, "id=") && (text[3] == '"' || text[3] == '\'')) {
            char quote[2] = {text[3], 0};
            rp_html_put(html, "id=%h%h-", quote, id);
            text += 4;
        } else if (starts(text, "xlink:href=")) {
            text += 6; /* plain href needs no namespace */
        } else if (*text == '#' && isalpha((unsigned char)text[1])) {
            rp_html_put(html, "#%h-", id);
            text++;
        } else if (*text == '\'' || *text == '"') {
            char quote[2] = {*text, 0};
            rp_html_put(html, "%h", quote);
            text = put_colour(html, text + 1);
        } else {
            char one[2] = {*text++, 0};
            rp_html_put(html, "%h", one);
        }
    }
    return text;
}

/* gnuplot writes many groups with nothing in them: the end of such a one, else NULL. */
static const char *skip_empty(const char *text)
{
    if (!starts(text, "<g ")) return NULL;
    const char *end = strchr(text, '>');
    if (!end) return NULL;
    end += 1 + strspn(end + 1, " \t\r\n");
    return starts(end, "</g>") ? end + 4 : NULL;
}

/* White space between two tags means nothing there, and there is much of it. */
static const char *skip_space(const char *text)
{
    const char *end = text + strspn(text, " \t\r\n");
    return *end == '<' || !*end ? end : text;
}

static void put_body(rp_html *html, const char *text, const char *id)
{
    while (*(text = skip_space(text)) && !html->status) {
        const char *after = skip_empty(text);
        if (after) {
            text = after;
        } else if (starts(text, "<title>") || starts(text, "<desc>")) {
            const char *end = strstr(text, text[1] == 't' ? "</title>" : "</desc>");
            if (!end) return;
            text = strchr(end, '>') + 1;
        } else if (*text == '<') {
            text = put_tag(html, text, id);
        } else {
            char one[2] = {*text++, 0};
            rp_html_put(html, "%h", one);
        }
    }
}

void rp_html_put_svg(rp_html *html, const char *path, const char *id, const char *label)
{
    char *file = NULL;
    size_t size;
    if (html->status) return;
    html->status = rp_file_read(&file, &size, path, LIMIT, html->err);
    if (html->status) return;
    const char *svg = strstr(file, "<svg"), *box = svg ? strstr(svg, "viewBox=\"") : NULL;
    const char *body = svg ? strchr(svg, '>') : NULL;
    if (!body || !box || box > body) {
        html->status = rp_fail(html->err, RP_EFORMAT, "'%s': not a figure of gnuplot's", path);
        free(file);
        return;
    }
    char view[64] = {0};
    strncat(view, box + 9, strcspn(box + 9, "\"") < 63 ? strcspn(box + 9, "\"") : 63);
    rp_html_put(html, "<svg viewBox=\"%s\" role=\"img\" aria-label=\"%s\">", view, label);
    put_body(html, body + 1, id);
    free(file);
}
