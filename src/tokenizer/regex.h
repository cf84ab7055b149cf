/* Patterns of tokenizer.json, which are Oniguruma's, as PCRE2 patterns. */
#ifndef RP_TOKENIZER_REGEX_H
#define RP_TOKENIZER_REGEX_H

#include "base/memory.h"

/* Appends the translation of text[len], to be compiled with UTF, UCP, MULTILINE and newline LF.
 * RP_EFORMAT names the construct that has no translation. */
rp_status rp_regex_translate(rp_text *out, const char *text, size_t len, const char *path,
                             rp_error *err);

#endif
