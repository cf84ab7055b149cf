#include "report/html.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void rp_html_init(rp_html *html, rp_error *err)
{
    *html = (rp_html){.err = err};
}

void rp_html_release(rp_html *html)
{
    rp_text_release(&html->text);
}

static void append(rp_html *html, const char *data, size_t n)
{
    if (!html->status && n) html->status = rp_text_append(&html->text, data, n, html->err);
}

static void append_escaped(rp_html *html, const char *text)
{
    for (;;) {
        size_t plain = strcspn(text, "&<>\"'");
        append(html, text, plain);
        text += plain;
        if (!*text) return;
        const char *entity = *text == '&'   ? "&amp;"
                             : *text == '<' ? "&lt;"
                             : *text == '>' ? "&gt;"
                             : *text == '"' ? "&quot;"
                                            : "&#39;";
        append(html, entity, strlen(entity));
        text++;
    }
}

static const char *number(char *buffer, size_t cap, double value, int decimals)
{
    if (isnan(value))
        snprintf(buffer, cap, "\u2013");
    else if (value < -9.99)
        snprintf(buffer, cap, "< \u22129"); /* far below the mean: the size says nothing more */
    else if (fabs(value) > 99999)
        snprintf(buffer, cap, "%.2g", value);
    else {
        double magnitude = fabs(value);
        bool zero = magnitude < 0.5 * pow(10, -decimals);
        snprintf(buffer, cap, "%s%.*f", value < 0 && !zero ? "\u2212" : "", decimals, magnitude);
    }
    return buffer;
}

const char *rp_html_number(char *buffer, double value)
{
    return number(buffer, 16, value, 2);
}

static void directive(rp_html *html, char kind, va_list *args)
{
    char buffer[32];
    switch (kind) {
    case 's':
        append_escaped(html, va_arg(*args, const char *));
        break;
    case 'h': {
        const char *markup = va_arg(*args, const char *);
        append(html, markup, strlen(markup));
        break;
    }
    case 'z':
        append(html, buffer, (size_t)snprintf(buffer, sizeof buffer, "%zu", va_arg(*args, size_t)));
        break;
    case 'n':
    case 'i': {
        /* Escaped, because the sign of "below" is one that HTML claims. */
        append_escaped(html,
                       number(buffer, sizeof buffer, va_arg(*args, double), kind == 'n' ? 2 : 3));
        break;
    }
    default:
        append(html, &kind, 1);
    }
}

void rp_html_put(rp_html *html, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    while (*format && !html->status) {
        size_t plain = strcspn(format, "%");
        append(html, format, plain);
        format += plain;
        if (!*format) break;
        directive(html, format[1], &args);
        format += 2;
    }
    va_end(args);
}
