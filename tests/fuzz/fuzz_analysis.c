/* Any bytes as title and text, through every analyser. */
#include <stdlib.h>

#include "retrieve/analysis.h"
#include "support/fuzz.h"

int rp_fuzz_one(const uint8_t *data, size_t n)
{
    static const char *const names[] = {"standard", "english", "sklearn"};
    const char *text = (const char *)data;
    for (size_t i = 0; i < 3; i++) {
        rp_analyzer *analyzer;
        rp_error err;
        const rp_term *term;
        size_t nterms, bytes = 0;
        if (rp_analyzer_new(&analyzer, names[i], &err)) return 0;
        for (size_t title = 0; title <= n; title += n / 3 + 1) {
            rp_analyzer_run(analyzer, &term, &nterms, text, title, text + title, n - title, &err);
            for (size_t t = 0; t < nterms; t++) {
                if (!term[t].len) abort(); /* a term is never empty */
                bytes += (unsigned char)term[t].text[term[t].len - 1];
            }
        }
        rp_analyzer_free(analyzer);
        if (bytes == SIZE_MAX) abort(); /* so that the terms are read */
    }
    return 0;
}
