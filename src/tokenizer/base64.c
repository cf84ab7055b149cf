/* Base64 (RFC 4648, with padding), and nothing else between the characters. */
#include "tokenizer/parts.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

rp_status rp_base64_encode(rp_text *out, const void *data, size_t len, rp_error *err)
{
    const unsigned char *p = data;
    rp_status status = rp_text_append(out, "", 0, err);
    for (size_t i = 0; i < len && !status; i += 3) {
        size_t n = len - i < 3 ? len - i : 3;
        uint32_t v =
            (uint32_t)p[i] << 16 | (n > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (n > 2 ? p[i + 2] : 0);
        char four[4] = {digits[v >> 18], digits[v >> 12 & 63], digits[v >> 6 & 63], digits[v & 63]};
        if (n < 3) four[3] = '=';
        if (n < 2) four[2] = '=';
        status = rp_text_append(out, four, 4, err);
    }
    return status;
}

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool rp_base64_decode(rp_text *out, const char *s, size_t len)
{
    if (len % 4 || rp_text_append(out, "", 0, NULL)) return false;
    for (size_t i = 0; i < len; i += 4) {
        uint32_t v = 0;
        size_t n = 0;
        while (n < 4 && value_of(s[i + n]) >= 0) v = v << 6 | (uint32_t)value_of(s[i + n++]);
        bool last = i + 4 == len;
        if (n < 2 || (n < 4 && !last) || (n == 2 && s[i + 2] != '=') || (n < 4 && s[i + 3] != '='))
            return false;
        v <<= 6 * (4 - n);
        char three[3] = {(char)(v >> 16), (char)(v >> 8), (char)v};
        if (rp_text_append(out, three, n - 1, NULL)) return false;
    }
    return true;
}
