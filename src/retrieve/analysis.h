/*
 * Text analysis: text to terms. An analyser is named in every output that depends on it.
 *
 *   standard  words of UAX 29 (wordbreak.h), lower case code point by code point
 *   english   the same, then what Lucene's EnglishAnalyzer does (stem.h)
 *   sklearn   Python's str.lower(), then runs of two or more word characters (letters, numbers of
 *             any kind, _): scikit-learn's CountVectorizer with its default pattern
 *
 * No Unicode normalisation; bytes that are not UTF-8 separate words. An analyser object belongs to
 * one thread.
 */
#ifndef RP_RETRIEVE_ANALYSIS_H
#define RP_RETRIEVE_ANALYSIS_H

#include "base/error.h"

typedef struct rp_analyzer rp_analyzer;

typedef struct rp_term {
    const char *text; /* UTF-8, not NUL-terminated */
    size_t len;
} rp_term;

/* RP_EARG names the analysers when `name` is none of them. */
rp_status rp_analyzer_new(rp_analyzer **analyzer, const char *name, rp_error *err);
void rp_analyzer_free(rp_analyzer *analyzer);
/* The same question without making one. */
rp_status rp_analyzer_check(const char *name, rp_error *err);

/* Terms of title, then of text, as if they were one text with a space between; title may be NULL.
 * *terms [*n] is valid until the next run. */
rp_status rp_analyzer_run(rp_analyzer *analyzer, const rp_term **terms, size_t *n,
                          const char *title, size_t title_len, const char *text, size_t text_len,
                          rp_error *err);

#endif
